//! When something is due: one queue for all deadlines of a shard.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use hashbrown::HashMap;

use super::{hold::Hold, holds::Holds, slots::Slot};
use crate::kernel::{AgentIndex, Duration, SessionNumber, Timestamp};

/// Deadlines are kept in buckets this wide (about an eighth of a second), and sorted only when their bucket comes up:
/// most holds are captured long before, and adding one then costs no more than a push of four bytes.
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
        slot: Slot,
    },
    /// An unknown hold runs out.
    Unknown(AgentIndex),
    /// A session may be forgotten.
    Session(AgentIndex, SessionNumber),
    /// A budget request expires: the agent's with this number.
    Budget(AgentIndex, u32),
    /// More open holds of a frozen agent are voided.
    Voids(AgentIndex),
}

/// All deadlines of a shard, some of which may be out of date: whoever takes one out asks the state whether it still stands.
///
/// Of the holds that come up later, at most half are over: a hold is mostly over long before it would expire.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// Whole buckets, by number; none is empty.
    later: HashMap<u64, Bucket>,
    /// The numbers of those buckets.
    order: BTreeSet<u64>,
    /// What was in the buckets that have come up, the first last.
    sorted: Vec<Deadline>,
    /// What was added to buckets that had come up before.
    soon: BinaryHeap<Reverse<Deadline>>,
    /// All buckets below this number have come up.
    up: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Holds know themselves when they expire.
    holds: Vec<Slot>,
    /// How many of them are over, or expire at another time.
    outdated: usize,
    /// Everything else.
    others: Vec<Deadline>,
}

impl Deadlines {
    /// Adds a deadline that is none of a hold.
    pub fn push(&mut self, deadline: Deadline) {
        let number = bucket_of(deadline.due);
        if number < self.up {
            self.soon.push(Reverse(deadline));
        } else {
            self.bucket(number).others.push(deadline);
        }
    }

    /// Adds the expiry of the hold in a slot.
    pub fn push_hold(&mut self, slot: Slot, hold: &Hold) {
        let number = bucket_of(hold.due());
        if number < self.up {
            self.soon.push(Reverse(Deadline::of(slot, hold)));
        } else {
            self.bucket(number).holds.push(slot);
        }
    }

    /// A hold that was due at `due` is over, or expires at another time. Once that is so for most of its bucket, only the others
    /// stay there: each hold is then looked at twice on average.
    pub fn outdate_hold(&mut self, due: Timestamp, holds: &Holds) {
        let number = bucket_of(due);
        let Some(bucket) = self.later.get_mut(&number) else { return };
        bucket.outdated += 1;
        if bucket.outdated * 2 <= bucket.holds.len() {
            return;
        }
        bucket.holds.retain(|&slot| expires_in(number, slot, holds).is_some());
        // A slot that was emptied and used again is there twice.
        bucket.holds.sort_unstable();
        bucket.holds.dedup();
        bucket.holds.shrink_to_fit();
        bucket.outdated = 0;
        if bucket.holds.is_empty() && bucket.others.is_empty() {
            self.later.remove(&number);
            self.order.remove(&number);
        }
    }

    /// Takes out the first deadline that is due at `now`.
    pub fn pop_due(&mut self, now: Timestamp, holds: &Holds) -> Option<Deadline> {
        self.bring_up(now, holds);
        let (sorted, soon) = (self.sorted.last(), self.soon.peek().map(|Reverse(first)| first));
        let first = [sorted, soon].into_iter().flatten().min().filter(|first| first.due <= now)?;
        if Some(first) == sorted { self.sorted.pop() } else { self.soon.pop().map(|Reverse(first)| first) }
    }

    /// Nothing is due before this moment.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let sorted = self.sorted.last().map(|first| first.due);
        let soon = self.soon.peek().map(|Reverse(first)| first.due);
        let later = self.order.first().map(|bucket| Timestamp::from_micros(bucket * BUCKET.micros()));
        [sorted, soon, later].into_iter().flatten().min()
    }

    fn bucket(&mut self, number: u64) -> &mut Bucket {
        self.later.entry(number).or_insert_with(|| {
            self.order.insert(number);
            Bucket::default()
        })
    }

    fn bring_up(&mut self, now: Timestamp, holds: &Holds) {
        let current = bucket_of(now);
        if current < self.up {
            return;
        }
        self.up = current + 1;
        while let Some(number) = self.order.first().copied().filter(|number| *number <= current) {
            self.order.pop_first();
            let Some(bucket) = self.later.remove(&number) else { continue };
            let expiring = bucket
                .holds
                .iter()
                .filter_map(|&slot| expires_in(number, slot, holds).map(|hold| Deadline::of(slot, hold)));
            self.sorted.extend(expiring.chain(bucket.others));
        }
        self.sorted.sort_unstable_by(|one, other| other.cmp(one));
    }
}

impl Deadline {
    fn of(slot: Slot, hold: &Hold) -> Deadline {
        Deadline { due: hold.due(), what: Due::Hold { serial: hold.serial, slot } }
    }
}

/// The hold in a slot, if it is open and expires in this bucket.
fn expires_in(bucket: u64, slot: Slot, holds: &Holds) -> Option<&Hold> {
    holds.peek(slot).filter(|hold| hold.is_open() && bucket_of(hold.due()) == bucket)
}

fn bucket_of(moment: Timestamp) -> u64 {
    moment.micros() / BUCKET.micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fire_in_order_and_not_before_their_moment() {
        let (mut deadlines, holds) = (Deadlines::default(), Holds::default());
        let hold =
            |due: u64, agent: u32| Deadline { due: Timestamp::from_micros(due), what: Due::Unknown(AgentIndex(agent)) };
        let all = [hold(900_000, 4), hold(100, 1), hold(900_000, 3), hold(131_072, 2), hold(99, 9)];
        for deadline in all {
            deadlines.push(deadline);
        }
        assert_eq!(deadlines.next(), Some(Timestamp::ZERO));
        let mut fired = Vec::new();
        for now in [98, 99, 100, 131_071, 131_072, 899_999, 900_000] {
            while let Some(deadline) = deadlines.pop_due(Timestamp::from_micros(now), &holds) {
                assert_eq!(deadline.due.micros(), now);
                fired.push(deadline);
            }
        }
        assert_eq!(fired, [hold(99, 9), hold(100, 1), hold(131_072, 2), hold(900_000, 3), hold(900_000, 4)]);
        // A deadline in the past of the queue fires at once.
        deadlines.push(hold(5, 7));
        assert_eq!(deadlines.pop_due(Timestamp::from_micros(900_000), &holds), Some(hold(5, 7)));
        assert_eq!(deadlines.next(), None);
    }
}
