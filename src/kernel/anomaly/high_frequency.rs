//! Far more calls in a minute than usual.

use bincode::{Decode, Encode};

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, Watch, times_mean},
};
use crate::kernel::outcome::Measure;

/// Steps of ten seconds in a minute.
const STEPS: usize = 6;
const MINUTES_IN_HOUR: u64 = 60;

/// The calls in each of the ten seconds of a minute, before the present ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Minute([u32; STEPS]);

impl Minute {
    /// The step `last`, with its calls, is over; `step` is the present one.
    pub(super) fn go_on(&mut self, last: u32, calls: u32, step: u32) {
        self.0[last as usize % STEPS] = calls;
        let silent = (step - last).saturating_sub(1).min(STEPS as u32);
        for back in 1..=silent {
            self.0[(step - back) as usize % STEPS] = 0;
        }
    }

    fn calls(&self) -> u64 {
        self.0.iter().map(|calls| u64::from(*calls)).sum()
    }
}

pub(super) fn expect(watch: &mut Watch) {
    watch.calls_max = match calls_a_minute_max(watch) {
        None => u32::MAX,
        Some(most) => u32::try_from(most.saturating_sub(watch.minute.calls())).unwrap_or(u32::MAX),
    };
}

/// It is found once in ten seconds: a flood of calls is one thing, and is to cost no more than its calls.
#[inline]
pub(super) fn is_found(watch: &mut Watch) -> bool {
    let is_found = watch.calls > watch.calls_max;
    if is_found {
        watch.calls_max = u32::MAX;
    }
    is_found
}

pub(super) fn finding(watch: &Watch, _: &Paid) -> Finding {
    let calls = watch.minute.calls() + u64::from(watch.calls);
    let most = calls_a_minute_max(watch).unwrap_or(u64::MAX);
    Finding::new(AlertKind::HighFrequency, Measure::Count(calls), Measure::Count(most))
}

/// The most usual calls in a minute; nothing where nobody asks.
fn calls_a_minute_max(watch: &Watch) -> Option<u64> {
    let floor = watch.threshold(Threshold::HighFrequencyCallsPerMinute);
    let times = watch.threshold(Threshold::HighFrequencyMultiplier);
    let before = watch.hour.count().saturating_sub(watch.minute.calls());
    (floor > 0).then(|| u64::from(floor).max(times_mean(times, before, MINUTES_IN_HOUR)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_forgets_what_is_older() {
        let mut minute = Minute::default();
        // (the present step, calls of the one before, calls in the minute before the present one)
        let mut last = 100;
        for (step, calls, expected) in [(101, 5, 5), (102, 1, 6), (105, 2, 8), (106, 0, 8), (107, 0, 3), (200, 9, 0)] {
            minute.go_on(last, calls, step);
            last = step;
            assert_eq!(minute.calls(), expected, "{step}");
        }
    }
}
