//! What the load test was told about each agent's money: its half of the comparison after the run.

use holdfast::kernel::Amount;

use crate::transport::Errand;

/// One agent's approvals and captures since the beginning of the run, warm-up included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    /// Approvals that were told, and requests that were never answered: each of those may have been approved, too.
    pub(crate) approved: Told,
    /// Captures that were told, and those that were never answered.
    pub(crate) captured: Told,
}

impl Book {
    /// A request was not answered, or not as it should be.
    pub(crate) fn unanswered(&mut self, errand: Errand) {
        let told = match errand {
            Errand::Pay => &mut self.approved,
            Errand::Capture => &mut self.captured,
        };
        told.unanswered += 1;
    }
}

/// How often something was said to have happened, and how often it may have happened without being said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) count: u64,
    pub(crate) unanswered: u64,
}

impl Told {
    /// The range in which the gateway's count must be.
    pub(crate) fn includes(self, count: u64) -> bool {
        (self.count..=self.count + self.unanswered).contains(&count)
    }

    /// The range in which the gateway's sum must be, of `each` a time.
    pub(crate) fn includes_sum(self, each: Amount, sum: u64) -> bool {
        let of = |count: u64| count.saturating_mul(each.micros());
        (of(self.count)..=of(self.count + self.unanswered)).contains(&sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_may_have_happened_or_not() {
        let told = Told { count: 10, unanswered: 2 };
        for (count, expected) in [(9, false), (10, true), (11, true), (12, true), (13, false)] {
            assert_eq!(told.includes(count), expected, "{count}");
            assert_eq!(told.includes_sum(Amount::from_micros(3), 3 * count), expected, "{count}");
        }
        assert!(!Told { count: 10, unanswered: 0 }.includes_sum(Amount::from_micros(3), 31));
    }
}
