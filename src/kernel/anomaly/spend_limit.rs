//! Most of a limit is used, or all of it.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::Watch,
};
use crate::kernel::{
    Amount,
    outcome::{LimitView, Measure, ViolationKind},
};

/// A look at all limits of an agent, one after the other: what of them is worth telling, and how much may be spent before it is worth
/// another look.
#[derive(Debug)]
pub(crate) struct Look {
    percent: u64,
    quiet: u64,
    found: Vec<Finding>,
}

impl Look {
    pub(crate) fn new(watch: &Watch) -> Look {
        let percent = u64::from(watch.threshold(Threshold::SpendLimitWarningPercent));
        Look { percent, quiet: u64::MAX, found: Vec::new() }
    }

    /// Looks at a limit.
    pub(crate) fn at(&mut self, limit: &LimitView) {
        let (Measure::Money(cap), Measure::Money(used)) = (limit.limit, limit.used) else { return };
        if self.percent == 0 || cap.is_zero() {
            return;
        }
        let product = u128::from(cap.micros()) * u128::from(self.percent);
        let worth_telling = u64::try_from(product.div_ceil(100)).unwrap_or(u64::MAX);
        let kind = if used > cap {
            AlertKind::SpendLimitExceeded
        } else if used.micros() >= worth_telling {
            AlertKind::SpendLimitWarning
        } else {
            // One less than what is missing may still be spent without another look.
            self.quiet = self.quiet.min(worth_telling - used.micros() - 1);
            return;
        };
        let finding = Finding::new(kind, limit.used, limit.limit);
        self.found.push(Finding { about: Some(limit.kind), ..finding });
    }

    /// How much may be spent before another look, and what was found.
    pub(crate) fn end(self) -> (Amount, Vec<Finding>) {
        (Amount::from_micros(self.quiet), self.found)
    }
}

/// `count` payments were denied for a limit of which so much is used.
pub(crate) fn exceeded_by_denial(limit: &LimitView, count: u32) -> Option<Finding> {
    let (Measure::Money(_), Measure::Money(_)) = (limit.limit, limit.used) else { return None };
    let finding = Finding::new(AlertKind::SpendLimitExceeded, limit.used, limit.limit);
    Some(Finding { about: Some(limit.kind), count, ..finding })
}

/// A finding like the one that a denial for this kind of limit would be.
pub(crate) fn denied_for(kind: ViolationKind, count: u32) -> Finding {
    let finding = Finding::new(AlertKind::SpendLimitExceeded, Measure::None, Measure::None);
    Finding { about: Some(kind), count, ..finding }
}
