//! When something is due: one queue for all deadlines of a shard.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::kernel::{AgentIndex, Duration, SessionNumber, Timestamp};

/// Deadlines are kept in buckets this wide (about an eighth of a second), and sorted only when their bucket comes up:
/// most holds are captured long before, and adding one then costs no more than a push.
const BUCKET: Duration = Duration::from_micros(1 << 17);

/// Something that is due at a moment. The order of the fields is the order in which deadlines fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When.
    pub due: Timestamp,
    /// What.
    pub what: Due,
}

/// What is due. Of several at one moment, earlier variants come first, and of those lower numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A hold expires.
    Hold {
        /// Counts placements: the older first.
        serial: u64,
        /// Where it is kept.
        slot: u32,
    },
    /// An unknown hold runs out.
    Unknown(AgentIndex),
    /// A session may be forgotten.
    Session(AgentIndex, SessionNumber),
}

/// All deadlines of a shard, some of which may be out of date: whoever takes one out asks the state whether it still stands.
///
/// Of those that come up later, at most half are out of date: a hold is mostly over long before it would expire.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// Whole buckets, by number; none is empty.
    later: BTreeMap<u64, Bucket>,
    /// The buckets that have come up.
    soon: BinaryHeap<Reverse<Deadline>>,
    /// All buckets below this number have come up.
    up: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    deadlines: Vec<Deadline>,
    /// How many of them are out of date.
    outdated: usize,
}

impl Deadlines {
    /// Adds a deadline.
    pub fn push(&mut self, deadline: Deadline) {
        let bucket = bucket_of(deadline.due);
        if bucket < self.up {
            self.soon.push(Reverse(deadline));
        } else {
            self.later.entry(bucket).or_default().deadlines.push(deadline);
        }
    }

    /// One deadline that was due at `due` is out of date. Once most of its bucket is, only what `stands` stays there: each
    /// deadline is then looked at twice on average.
    pub fn outdate(&mut self, due: Timestamp, stands: impl Fn(&Deadline) -> bool) {
        let number = bucket_of(due);
        if number < self.up {
            return;
        }
        let Some(bucket) = self.later.get_mut(&number) else { return };
        bucket.outdated += 1;
        if bucket.outdated * 2 <= bucket.deadlines.len() {
            return;
        }
        bucket.deadlines.retain(stands);
        bucket.deadlines.shrink_to_fit();
        bucket.outdated = 0;
        if bucket.deadlines.is_empty() {
            self.later.remove(&number);
        }
    }

    /// Takes out the first deadline that is due at `now`.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Deadline> {
        self.bring_up(now);
        if self.soon.peek().is_some_and(|Reverse(first)| first.due <= now) {
            self.soon.pop().map(|Reverse(first)| first)
        } else {
            None
        }
    }

    /// Nothing is due before this moment.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let soon = self.soon.peek().map(|Reverse(first)| first.due);
        let later = self.later.first_key_value().map(|(bucket, _)| Timestamp::from_micros(bucket * BUCKET.micros()));
        [soon, later].into_iter().flatten().min()
    }

    fn bring_up(&mut self, now: Timestamp) {
        let current = bucket_of(now);
        if current < self.up {
            return;
        }
        while let Some(entry) = self.later.first_entry()
            && *entry.key() <= current
        {
            self.soon.extend(entry.remove().deadlines.into_iter().map(Reverse));
        }
        self.up = current + 1;
    }
}

fn bucket_of(moment: Timestamp) -> u64 {
    moment.micros() / BUCKET.micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fire_in_order_and_not_before_their_moment() {
        let mut deadlines = Deadlines::default();
        let hold =
            |due: u64, serial: u64| Deadline { due: Timestamp::from_micros(due), what: Due::Hold { serial, slot: 0 } };
        let all = [hold(900_000, 4), hold(100, 1), hold(900_000, 3), hold(131_072, 2), hold(99, 9)];
        for deadline in all {
            deadlines.push(deadline);
        }
        assert_eq!(deadlines.next(), Some(Timestamp::ZERO));
        let mut fired = Vec::new();
        for now in [98, 99, 100, 131_071, 131_072, 899_999, 900_000] {
            while let Some(deadline) = deadlines.pop_due(Timestamp::from_micros(now)) {
                assert_eq!(deadline.due.micros(), now);
                fired.push(deadline);
            }
        }
        assert_eq!(fired, [hold(99, 9), hold(100, 1), hold(131_072, 2), hold(900_000, 3), hold(900_000, 4)]);
        // A deadline in the past of the queue fires at once.
        deadlines.push(hold(5, 7));
        assert_eq!(deadlines.pop_due(Timestamp::from_micros(900_000)), Some(hold(5, 7)));
        assert_eq!(deadlines.next(), None);
    }
}
