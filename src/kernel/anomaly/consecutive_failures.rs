//! So many payments in a row of which nothing came that the agent should stop.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::Watch,
};
use crate::kernel::outcome::Measure;

pub(super) fn found(watch: &Watch) -> Option<Finding> {
    let (failures, most) = (u32::from(watch.failures), watch.threshold(Threshold::MaxConsecutiveFailures));
    let (measured, limit) = (Measure::Count(failures.into()), Measure::Count(most.into()));
    (most > 0 && failures >= most).then(|| Finding::new(AlertKind::ConsecutiveFailures, measured, limit))
}
