//! Sums over a rolling time, in steps: never over too short a time, at most one step too long.

use bincode::{Decode, Encode};

/// The money and the number of what happened in the last `SLOTS` steps, the present one included: the time that is meant has
/// one step less, so that a present step that has only begun does not make it too short.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Rolling<const SLOTS: usize> {
    /// The present step; slot `step % SLOTS` is its.
    step: u32,
    counts: [u32; SLOTS],
    amounts: [u64; SLOTS],
}

impl<const SLOTS: usize> Rolling<SLOTS> {
    pub(super) const EMPTY: Self = Rolling { step: 0, counts: [0; SLOTS], amounts: [0; SLOTS] };

    /// Adds what happened in a step, and goes on to it where it is later than the present one. What is older than all steps that are
    /// kept is dropped.
    pub(super) fn add(&mut self, step: u32, amount: u64, count: u32) {
        self.go_on_to(step);
        if u64::from(self.step - step.min(self.step)) < SLOTS as u64 {
            let slot = step as usize % SLOTS;
            self.amounts[slot] = self.amounts[slot].saturating_add(amount);
            self.counts[slot] = self.counts[slot].saturating_add(count);
        }
    }

    /// Drops what is too old at `step`.
    pub(super) fn go_on_to(&mut self, step: u32) {
        let passed = step.saturating_sub(self.step).min(SLOTS as u32);
        for back in 0..passed {
            let slot = (step - back) as usize % SLOTS;
            (self.amounts[slot], self.counts[slot]) = (0, 0);
        }
        self.step = self.step.max(step);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        (self.amounts, self.counts) = ([0; SLOTS], [0; SLOTS]);
    }

    pub(super) fn amount(&self) -> u64 {
        self.amounts.iter().fold(0, |sum, amount| sum.saturating_add(*amount))
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_counts_until_its_slot_is_needed_again() {
        let mut rolling: Rolling<4> = Rolling::EMPTY;
        rolling.add(100, 10, 1);
        rolling.add(102, 5, 2);
        for (step, amount, count) in [(102, 15, 3), (103, 15, 3), (104, 5, 2), (105, 5, 2), (106, 0, 0), (9000, 0, 0)] {
            rolling.go_on_to(step);
            assert_eq!((rolling.amount(), rolling.count()), (amount, count), "{step}");
        }
        rolling.add(8998, 7, 1);
        rolling.add(8996, 7, 1);
        assert_eq!((rolling.step, rolling.amount(), rolling.count()), (9000, 7, 1));
    }

    #[test]
    fn sums_stay_at_the_end_of_their_range() {
        let mut rolling: Rolling<2> = Rolling::EMPTY;
        rolling.add(1, u64::MAX, u32::MAX);
        rolling.add(1, 1, 1);
        rolling.add(2, 1, 1);
        assert_eq!((rolling.amount(), rolling.count()), (u64::MAX, u64::from(u32::MAX) + 1));
    }
}
