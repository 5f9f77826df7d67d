//! How many payments there were in a rolling period: never counted too short, at most a sixtieth too long.

use bincode::{Decode, Encode};

use crate::kernel::{Period, Timestamp};

/// Steps in a period.
const STEPS: u64 = 60;
/// A period in the middle of a step touches one step more than it has.
const SLOTS: usize = STEPS as usize + 1;

/// The calls of one agent in one rolling period.
///
/// Time is cut into steps of a sixtieth of the period. A call counts from its moment until the end of its step one period later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Velocity {
    period: Period,
    /// The step of the last call; slot `step % SLOTS` holds its count.
    step: u64,
    /// Of all slots.
    sum: u64,
    counts: [u32; SLOTS],
}

impl Velocity {
    /// No calls yet.
    #[must_use]
    pub fn new(period: Period) -> Velocity {
        Velocity { period, step: 0, sum: 0, counts: [0; SLOTS] }
    }

    /// What it counts over.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// Counts `calls` at `now`. Requires that `now` is not before any earlier call.
    pub fn add(&mut self, now: Timestamp, calls: u32) {
        let step = self.step_of(now);
        for passed in self.passed(step) {
            let slot = &mut self.counts[slot_of(passed)];
            self.sum -= u64::from(*slot);
            *slot = 0;
        }
        self.step = step;
        let slot = &mut self.counts[slot_of(step)];
        let counted = slot.saturating_add(calls);
        self.sum += u64::from(counted - *slot);
        *slot = counted;
    }

    /// The calls that count at `now`.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> u64 {
        let passed = self.passed(self.step_of(now));
        self.sum - passed.map(|step| u64::from(self.counts[slot_of(step)])).sum::<u64>()
    }

    fn step_of(&self, now: Timestamp) -> u64 {
        now.micros() / (self.period.length().micros() / STEPS)
    }

    /// The steps after the last call up to `step`: their slots hold what is one period old or older.
    fn passed(&self, step: u64) -> impl Iterator<Item = u64> + use<> {
        let passed = step.saturating_sub(self.step).min(SLOTS as u64);
        (step + 1 - passed)..=step
    }
}

fn slot_of(step: u64) -> usize {
    (step % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_micros((seconds * 1e6) as u64)
    }

    #[test]
    fn a_call_counts_to_the_end_of_its_step_one_period_later() {
        let mut minute = Velocity::new(Period::Minute);
        minute.add(at(1000.4), 2);
        minute.add(at(1030.0), 1);
        for (moment, expected) in
            [(1000.4, 3), (1060.4, 3), (1060.999, 3), (1061.0, 1), (1090.999, 1), (1091.0, 0), (5000.0, 0)]
        {
            if moment >= 1030.0 {
                assert_eq!(minute.count(at(moment)), expected, "{moment}");
            }
        }
        minute.add(at(1061.0), 5);
        assert_eq!(minute.count(at(1061.0)), 6);
        minute.add(at(9000.0), 1);
        assert_eq!(minute.count(at(9000.0)), 1);
    }
}
