//! A call costs far more than the calls of its service did before.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, Watch, times_mean},
};
use crate::kernel::{Amount, outcome::Measure};

pub(super) fn expect(watch: &mut Watch) {
    // Both fit: the table of thresholds says so.
    watch.spike_times = watch.threshold(Threshold::PriceSpikeMultiplier) as u16;
    watch.spike_calls = watch.threshold(Threshold::PriceSpikeMinCalls) as u16;
}

#[inline]
pub(super) fn is_found(watch: &Watch, paid: &Paid) -> bool {
    let has_past = watch.spike_times > 0 && paid.calls_before >= u64::from(watch.spike_calls).max(1);
    has_past && paid.is_priced && paid.amount.micros() > usual_max(watch, paid)
}

pub(super) fn finding(watch: &Watch, paid: &Paid) -> Finding {
    let limit = Amount::from_micros(usual_max(watch, paid));
    Finding::new(AlertKind::PriceSpike, Measure::Money(paid.amount), Measure::Money(limit))
}

/// The highest usual price of the calls of a payment.
fn usual_max(watch: &Watch, paid: &Paid) -> u64 {
    let of_one = times_mean(u32::from(watch.spike_times), paid.asked_before.micros(), paid.calls_before);
    of_one.saturating_mul(u64::from(paid.calls))
}
