//! A transaction far larger than usual.

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, Watch, times_mean},
};
use crate::kernel::{Amount, outcome::Measure};

pub(super) fn expect(watch: &mut Watch) {
    let times = watch.threshold(Threshold::LargeTransactionMultiplier);
    let (amount, count) = (watch.month.amount(), watch.month.count());
    let is_known = count >= u64::from(watch.threshold(Threshold::LargeTransactionMinTransactions)).max(1);
    watch.amount_max = if times > 0 && is_known { times_mean(times, amount, count) } else { u64::MAX };
}

#[inline]
pub(super) fn is_found(watch: &Watch, paid: &Paid) -> bool {
    paid.amount.micros() > watch.amount_max
}

pub(super) fn finding(watch: &Watch, paid: &Paid) -> Finding {
    let most = Amount::from_micros(watch.amount_max);
    Finding::new(AlertKind::LargeTransactionAnomaly, Measure::Money(paid.amount), Measure::Money(most))
}
