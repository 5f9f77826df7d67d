//! Payees are hardly trusted, or far less than before.

use bincode::{Decode, Encode};

use super::{
    alert::{AlertKind, Finding},
    rolling::Rolling,
    threshold::Threshold,
    watch::{STEPS_IN_HOUR, Watch},
};
use crate::kernel::outcome::Measure;

/// Steps in a step of the rolling day: six hours.
const STEPS_IN_DAY_STEP: u32 = 6 * STEPS_IN_HOUR;
/// Steps in a step of the rolling 30 days: five days.
const STEPS_IN_MONTH_STEP: u32 = 5 * 24 * STEPS_IN_HOUR;

/// The scores of the payees of payments; sums of ten-thousandths.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Trust {
    day: Rolling<5>,
    month: Rolling<7>,
}

pub(super) fn see(watch: &mut Watch, step: u32, score: u32) {
    let trust = watch.trust.get_or_insert_with(|| Box::new(Trust { day: Rolling::EMPTY, month: Rolling::EMPTY }));
    trust.day.add(step / STEPS_IN_DAY_STEP, u64::from(score), 1);
    trust.month.add(step / STEPS_IN_MONTH_STEP, u64::from(score), 1);
}

/// Whether the mean of the last 30 days is too low.
pub(super) fn found_low(watch: &Watch) -> Option<Finding> {
    let month = &watch.trust.as_ref()?.month;
    let least = watch.threshold(Threshold::TrustScoreThreshold);
    let (sum, count) = (month.amount(), month.count());
    let is_low = is_known(watch, count) && sum < u64::from(least).saturating_mul(count);
    let (measured, limit) = (Measure::Count(sum / count.max(1)), Measure::Count(least.into()));
    is_low.then(|| Finding::new(AlertKind::TrustScoreBelowThreshold, measured, limit))
}

/// Whether the mean of the last day is so much lower than that of the 30 days before it.
pub(super) fn found_drop(watch: &Watch) -> Option<Finding> {
    let trust = watch.trust.as_ref()?;
    let drop = u64::from(watch.threshold(Threshold::TrustScoreDropPercent));
    let (sum, count) = (trust.day.amount(), trust.day.count());
    let (sum_before, count_before) =
        (trust.month.amount().saturating_sub(sum), trust.month.count().saturating_sub(count));
    let least = |count: u64| u128::from(count) * u128::from(100u64.saturating_sub(drop)) * u128::from(sum_before);
    let has_dropped = u128::from(sum) * 100 * u128::from(count_before) <= least(count);
    let is_known = drop > 0 && is_known(watch, count) && is_known(watch, count_before) && sum_before > 0;
    let (measured, limit) = (Measure::Count(sum / count.max(1)), Measure::Count(sum_before / count_before.max(1)));
    (is_known && has_dropped).then(|| Finding::new(AlertKind::TrustScoreDrop, measured, limit))
}

fn is_known(watch: &Watch, count: u64) -> bool {
    count >= u64::from(watch.threshold(Threshold::TrustScoreMinTransactions)).max(1)
}
