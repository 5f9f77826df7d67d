//! Far more spend in an hour than usual.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, STEPS_IN_HOUR, Watch, times_mean},
};
use crate::kernel::{Amount, outcome::Measure};

const HOURS_IN_MONTH: u32 = 30 * 24;

pub(super) fn expect(watch: &mut Watch) {
    watch.spent_max = spent_an_hour_max(watch).map_or(u64::MAX, |most| most.saturating_sub(watch.hour.amount()));
}

/// It is found once in ten seconds.
#[inline]
pub(super) fn is_found(watch: &mut Watch) -> bool {
    let is_found = watch.spent > watch.spent_max;
    if is_found {
        watch.spent_max = u64::MAX;
    }
    is_found
}

pub(super) fn finding(watch: &Watch, _: &Paid) -> Finding {
    let spent = Amount::from_micros(watch.hour.amount().saturating_add(watch.spent));
    let most = Amount::from_micros(spent_an_hour_max(watch).unwrap_or(u64::MAX));
    Finding::new(AlertKind::SpendVelocity, Measure::Money(spent), Measure::Money(most))
}

/// The most that is usually spent in an hour, by the 30 days before the last hour; nothing where too little is known of them.
fn spent_an_hour_max(watch: &Watch) -> Option<u64> {
    let times = watch.threshold(Threshold::SpendVelocityMultiplier);
    let before = watch.month.amount().saturating_sub(watch.hour.amount());
    let is_known = watch.month.count() >= u64::from(watch.threshold(Threshold::SpendVelocityMinTransactions));
    let hours = (watch.step.saturating_sub(watch.first_step) / STEPS_IN_HOUR).min(HOURS_IN_MONTH);
    let hours_before = hours.saturating_sub(1).max(1);
    (times > 0 && is_known && before > 0).then(|| times_mean(times, before, u64::from(hours_before)))
}
