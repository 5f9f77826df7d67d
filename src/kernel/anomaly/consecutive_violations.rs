//! Many denials in a row, without an approval between them.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::Watch,
};
use crate::kernel::outcome::Measure;

/// What the last denials make of the `before` before them.
pub(super) fn found(watch: &Watch, before: u32) -> Option<Finding> {
    let (violations, most) = (u32::from(watch.violations), watch.threshold(Threshold::MaxConsecutiveViolations));
    let (measured, limit) = (Measure::Count(violations.into()), Measure::Count(most.into()));
    watch
        .is_row_found(before, violations, most)
        .then(|| Finding::new(AlertKind::ConsecutiveViolations, measured, limit))
}
