//! Many recipients in an hour.

use bincode::{Decode, Encode};

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, STEPS_IN_HOUR, Watch},
};
use crate::kernel::{NameId, outcome::Measure};

/// So many recipients are told apart; no threshold is larger.
const RECIPIENTS_MAX: usize = Threshold::MaxDistinctRecipientsPerHour.maximum() as usize;

/// Whom an agent paid lately, and in which ten seconds last.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Recipients([(NameId, u32); RECIPIENTS_MAX]);

impl Default for Recipients {
    fn default() -> Recipients {
        Recipients([(NameId::UNKNOWN, 0); RECIPIENTS_MAX])
    }
}

impl Recipients {
    /// One was paid; it takes the place of whoever was paid longest ago.
    fn see(&mut self, recipient: NameId, step: u32) {
        let known = self.0.iter().position(|(known, _)| *known == recipient);
        let oldest = || (0..RECIPIENTS_MAX).min_by_key(|place| self.0[*place].1).unwrap_or_default();
        let place = known.unwrap_or_else(oldest);
        self.0[place] = (recipient, step);
    }

    /// How many were paid in the hour before the end of `step`.
    fn count(&self, step: u32) -> u32 {
        let in_hour = |last: u32| last > 0 && step.saturating_sub(last) <= STEPS_IN_HOUR;
        self.0.iter().filter(|(_, last)| in_hour(*last)).count() as u32
    }
}

/// Another recipient than the last one is paid; whether those are too many.
#[cold]
pub(super) fn switch(watch: &mut Watch, step: u32, recipient: NameId) -> bool {
    let before = std::mem::replace(&mut watch.recipient, recipient);
    if before == NameId::UNKNOWN {
        return false;
    }
    let most = watch.threshold(Threshold::MaxDistinctRecipientsPerHour);
    let recipients = watch.recipients.get_or_insert_default();
    recipients.see(before, watch.step);
    recipients.see(recipient, step);
    most > 0 && recipients.count(step) >= most
}

pub(super) fn finding(watch: &Watch, _: &Paid) -> Finding {
    let count = watch.recipients.as_ref().map_or(1, |recipients| recipients.count(watch.step));
    let most = watch.threshold(Threshold::MaxDistinctRecipientsPerHour);
    Finding::new(AlertKind::RapidCounterpartySwitching, Measure::Count(count.into()), Measure::Count(most.into()))
}
