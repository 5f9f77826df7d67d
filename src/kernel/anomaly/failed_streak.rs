//! Several payments in a row of which nothing came.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Watch, is_told},
};
use crate::kernel::outcome::Measure;

/// What the last payment makes of those before it, of which `before` failed.
pub(super) fn found(watch: &Watch, before: u32) -> Option<Finding> {
    let (failures, most) = (u32::from(watch.failures), watch.threshold(Threshold::FailedStreak));
    let (measured, limit) = (Measure::Count(failures.into()), Measure::Count(most.into()));
    is_told(before, failures, most).then(|| Finding::new(AlertKind::FailedStreak, measured, limit))
}
