//! So many payments in a row of which nothing came that the agent should stop.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::Watch,
};
use crate::kernel::outcome::Measure;

/// What the last payment makes of those before it, of which `before` failed.
pub(super) fn found(watch: &Watch, before: u32) -> Option<Finding> {
    let (failures, most) = (u32::from(watch.failures), watch.threshold(Threshold::MaxConsecutiveFailures));
    let (measured, limit) = (Measure::Count(failures.into()), Measure::Count(most.into()));
    watch.is_row_found(before, failures, most).then(|| Finding::new(AlertKind::ConsecutiveFailures, measured, limit))
}
