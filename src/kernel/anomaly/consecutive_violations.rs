//! Many denials in a row, without an approval between them.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::Watch,
};
use crate::kernel::outcome::Measure;

/// What the last `count` denials make of those before them.
pub(super) fn found(watch: &Watch, count: u32) -> Option<Finding> {
    let (violations, most) = (u32::from(watch.violations), watch.threshold(Threshold::MaxConsecutiveViolations));
    let (measured, limit) = (Measure::Count(violations.into()), Measure::Count(most.into()));
    (most > 0 && violations >= most)
        .then(|| Finding { count, ..Finding::new(AlertKind::ConsecutiveViolations, measured, limit) })
}
