//! The first payment at a service, of an agent that has others.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, Watch},
};
use crate::kernel::outcome::Measure;

#[inline]
pub(super) fn is_found(watch: &Watch, paid: &Paid) -> bool {
    paid.new_service.is_some_and(|services| {
        let known_min = watch.threshold(Threshold::NewServiceAfterServices);
        known_min > 0 && services > known_min
    })
}

pub(super) fn finding(_: &Watch, paid: &Paid) -> Finding {
    let services = u64::from(paid.new_service.unwrap_or_default());
    Finding::new(AlertKind::NewService, Measure::Count(services), Measure::None)
}
