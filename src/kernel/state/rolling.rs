//! How much was used in any span of a length: never counted too short, at most a sixtieth too long.

use bincode::{Decode, Encode};

use super::window::replace;
use crate::kernel::{Amount, Duration, Timestamp};

/// Steps in a span.
const STEPS: u64 = 60;
/// A span in the middle of a step touches one step more than it has.
const SLOTS: usize = STEPS as usize + 1;

/// The money of one scope in one rolling span.
///
/// Time is cut into steps of a sixtieth of the span, rounded up to a microsecond. What a hold was approved for counts from the moment at which
/// it was placed until the end of its step one span later; what it comes to weigh beyond that counts from then on, and stays.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rolling {
    step_length: Duration,
    /// When counting began. What was used before stands in the step of that moment.
    since: Timestamp,
    /// The latest step in which anything was booked; slot `step % SLOTS` holds its sum.
    step: u64,
    slots: [Amount; SLOTS],
}

/// What a hold weighs, in two parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// As far as it was approved when it was placed.
    pub approved: Amount,
    /// What came on top.
    pub beyond: Amount,
}

impl Parts {
    /// The parts of a weight of a hold that was approved for `approved`.
    #[must_use]
    pub fn of(used: Amount, approved: Amount) -> Parts {
        Parts { approved: used.min(approved), beyond: used.saturating_sub(approved) }
    }
}

impl Rolling {
    /// A counter that begins at `now` with the most that can have been used within `length` before.
    ///
    /// Requires that `length` is not zero.
    #[must_use]
    pub fn begin(length: Duration, used: Amount, now: Timestamp) -> Rolling {
        let step_length = Duration::from_micros(length.micros().div_ceil(STEPS).max(1));
        let mut rolling = Rolling { step_length, since: now, step: 0, slots: [Amount::ZERO; SLOTS] };
        rolling.step = rolling.step_of(now);
        *rolling.slot(rolling.step) = used;
        rolling
    }

    /// Books that what weighed `before` weighs `after`, for a hold placed at `placed`, as of `now`.
    ///
    /// Requires that `now` is not before any earlier booking. What a hold from before the counter began weighs less is not taken out.
    pub fn book(&mut self, placed: Timestamp, now: Timestamp, before: Parts, after: Parts) {
        let (home, step) = (self.step_of(placed), self.step_of(now));
        self.roll(step);
        let counts_there = placed >= self.since && home + STEPS >= step;
        let slot = self.slot(if counts_there { home } else { step });
        *slot = if counts_there {
            replace(*slot, before.approved, after.approved)
        } else {
            slot.saturating_add(after.approved.saturating_sub(before.approved))
        };
        let slot = self.slot(step);
        *slot = slot.saturating_add(after.beyond.saturating_sub(before.beyond));
    }

    /// What counts at `now`.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> Amount {
        let step = self.step_of(now);
        if step.saturating_sub(self.step) > STEPS {
            return Amount::ZERO;
        }
        // Everything that was ever in the slots, less what is over since the last booking: that is nothing, or little.
        let micros = |step: u64| u128::from(self.slots[slot_of(step)].micros());
        let over = self.step.saturating_sub(STEPS)..step.saturating_sub(STEPS);
        let all: u128 = self.slots.iter().map(|slot| u128::from(slot.micros())).sum();
        let used = all - over.map(micros).sum::<u128>();
        Amount::from_micros(u64::try_from(used).unwrap_or(u64::MAX))
    }

    fn roll(&mut self, step: u64) {
        let passed = step.saturating_sub(self.step).min(SLOTS as u64);
        for step in (step + 1 - passed)..=step {
            *self.slot(step) = Amount::ZERO;
        }
        self.step = self.step.max(step);
    }

    fn slot(&mut self, step: u64) -> &mut Amount {
        &mut self.slots[slot_of(step)]
    }

    fn step_of(&self, moment: Timestamp) -> u64 {
        moment.micros() / self.step_length.micros()
    }
}

fn slot_of(step: u64) -> usize {
    (step % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + micros)
    }

    fn parts(approved: u64, beyond: u64) -> Parts {
        Parts { approved: Amount::from_micros(approved), beyond: Amount::from_micros(beyond) }
    }

    #[track_caller]
    fn check(rolling: &Rolling, expected: &[(u64, u64)]) {
        for (moment, used) in expected {
            assert_eq!(rolling.used(at(*moment)), Amount::from_micros(*used), "{moment}");
        }
    }

    #[test]
    fn what_is_used_counts_to_the_end_of_its_step_one_span_later() {
        // Steps of ten microseconds.
        let mut rolling = Rolling::begin(Duration::from_micros(600), Amount::ZERO, at(0));
        let none = Parts::default();
        rolling.book(at(4), at(4), none, parts(7, 0));
        rolling.book(at(300), at(300), none, parts(1, 0));
        check(&rolling, &[(300, 8), (604, 8), (609, 8), (610, 1), (909, 1), (910, 0), (99_999, 0)]);
        // Less of it counts no more from the same moment on; more of it counts from then on.
        rolling.book(at(4), at(400), parts(7, 0), parts(2, 0));
        rolling.book(at(4), at(400), parts(2, 0), parts(7, 5));
        check(&rolling, &[(400, 13), (610, 6), (910, 5), (1009, 5), (1010, 0)]);
        // When its step is over, only what it weighs more counts.
        rolling.book(at(4), at(700), parts(7, 5), parts(0, 0));
        check(&rolling, &[(700, 6)]);
        rolling.book(at(4), at(700), parts(0, 0), parts(3, 0));
        check(&rolling, &[(700, 9), (1010, 3), (1309, 3), (1310, 0)]);
    }

    #[test]
    fn a_span_is_never_counted_too_short() {
        for length in [1, 59, 60, 61, 1000, 3599] {
            let mut rolling = Rolling::begin(Duration::from_micros(length), Amount::ZERO, at(0));
            for moment in [0, 1, 17, 1000] {
                rolling.book(at(moment), at(moment), Parts::default(), parts(1, 0));
                assert!(rolling.used(at(moment + length)) >= Amount::from_micros(1), "{length} {moment}");
                assert_eq!(rolling.used(at(moment + length + length / 60 + 62)), Amount::ZERO, "{length} {moment}");
            }
        }
    }

    /// The sum over each step by itself, which is what is meant.
    #[test]
    fn what_is_used_is_what_the_steps_of_the_span_have() {
        let mut rolling = Rolling::begin(Duration::from_micros(600), Amount::from_micros(3), at(0));
        let mut booked = vec![(0, 3)];
        for nth in 0..400_u64 {
            // Mostly within the step, now and then a few steps on, and sometimes beyond the span.
            let moment = nth * 7 + nth / 50 * 130 + nth / 190 * 900;
            rolling.book(at(moment), at(moment), Parts::default(), parts(nth, 0));
            booked.push((moment, nth));
            for later in [0, 9, 10, 55, 300, 600, 601, 610, 5000] {
                let now = moment + later;
                let counts = |(placed, _): &&(u64, u64)| at(now).micros() / 10 <= at(*placed).micros() / 10 + STEPS;
                let expected: u64 = booked.iter().filter(counts).map(|(_, amount)| amount).sum();
                assert_eq!(rolling.used(at(now)), Amount::from_micros(expected), "{nth} {later}");
            }
        }
    }

    #[test]
    fn what_came_before_stays_for_a_whole_span() {
        let mut rolling = Rolling::begin(Duration::from_micros(600), Amount::from_micros(9), at(5));
        rolling.book(at(0), at(6), parts(4, 0), parts(0, 0));
        check(&rolling, &[(6, 9), (609, 9), (610, 0)]);
    }
}
