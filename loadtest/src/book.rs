//! What the load test was told about each agent's money: its half of the comparison after the run.

use holdfast::{kernel::Amount, wire::Handle};

/// An agent that pays, and what was told about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payer {
    /// Its number in the load test.
    pub(crate) number: u32,
    pub(crate) handle: Handle,
    pub(crate) book: Book,
}

/// One agent's affairs since the beginning of the run, warm-up included. Each was of the same amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    /// Payments that were approved.
    pub(crate) approved: Told,
    /// Sessions that were opened, each with its deposit.
    pub(crate) opened: Told,
    /// Captures that were booked.
    pub(crate) captured: Told,
    /// Sessions that were closed, and their deposits released.
    pub(crate) closed: Told,
}

impl Book {
    /// Adds what was told over another connection.
    pub(crate) fn add(&mut self, other: &Book) {
        self.approved.add(other.approved);
        self.opened.add(other.opened);
        self.captured.add(other.captured);
        self.closed.add(other.closed);
    }

    /// The range in which the gateway's sum of what is held and spent must be.
    pub(crate) fn used(&self, each: Amount) -> std::ops::RangeInclusive<u64> {
        let least = self.approved.count + self.opened.count;
        let most = least + self.approved.unanswered + self.opened.unanswered;
        let of = |count: u64| count.saturating_mul(each.micros());
        of(least.saturating_sub(self.closed.count + self.closed.unanswered))
            ..=of(most.saturating_sub(self.closed.count))
    }
}

/// How often something was said to have happened, and how often it may have happened without being said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) count: u64,
    /// Requests that were never answered, or not clearly.
    pub(crate) unanswered: u64,
}

impl Told {
    /// The range in which the gateway's count must be.
    pub(crate) fn range(self) -> std::ops::RangeInclusive<u64> {
        self.count..=self.count + self.unanswered
    }

    fn add(&mut self, other: Told) {
        self.count += other.count;
        self.unanswered += other.unanswered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_may_have_happened_or_not() {
        let told = |count, unanswered| Told { count, unanswered };
        assert_eq!(told(10, 2).range(), 10..=12);
        let mut book = Book { approved: told(10, 2), opened: told(3, 0), ..Book::default() };
        assert_eq!(book.used(Amount::from_micros(5)), 65..=75);
        // A deposit that was perhaps released is perhaps still held.
        book.add(&Book { closed: told(1, 1), ..Book::default() });
        assert_eq!(book.used(Amount::from_micros(5)), 55..=70);
    }
}
