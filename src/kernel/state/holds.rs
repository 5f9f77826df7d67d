//! The holds of a shard: open ones, and those that are over and still remembered.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::{
    hold::{Hold, Links},
    index::Index,
    slots::{NIL, Slot, Slots},
};
use crate::kernel::{AgentIndex, AuthorizationId, Timestamp, outcome::HoldStatus};

/// The ends of the list of one agent's open holds, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct OpenHolds {
    oldest: Slot,
    newest: Slot,
    /// How many.
    pub count: u32,
}

impl Default for OpenHolds {
    fn default() -> Self {
        OpenHolds { oldest: NIL, newest: NIL, count: 0 }
    }
}

/// All holds of a shard, found by agent and id.
#[derive(Debug, Default)]
pub struct Holds {
    slots: Slots<Hold>,
    index: Index,
    /// Seeded anew in each process: clients choose the ids, and must not be able to choose collisions. No order depends on it.
    hasher: DefaultHashBuilder,
    open: u32,
}

impl Holds {
    /// Where the hold is.
    #[must_use]
    pub fn find(&self, agent: AgentIndex, id: AuthorizationId) -> Option<Slot> {
        self.index.find(self.hash(agent, id), |slot| self.slots.get(slot).is_some_and(|hold| hold.is_of(agent, id)))
    }

    /// The hold in `slot`, which must have come from [`Holds::find`] or [`Holds::insert`] and not been removed since.
    #[must_use]
    pub fn at(&self, slot: Slot) -> &Hold {
        self.slots.get(slot).expect("INVARIANT: a slot in use holds a hold")
    }

    /// As [`Holds::at`], to change it.
    pub fn at_mut(&mut self, slot: Slot) -> &mut Hold {
        self.slots.get_mut(slot).expect("INVARIANT: a slot in use holds a hold")
    }

    /// What is in a slot that may have been emptied since.
    #[must_use]
    pub fn peek(&self, slot: Slot) -> Option<&Hold> {
        self.slots.get(slot)
    }

    /// The hold that a deadline speaks of, unless it is over or expires at another moment.
    #[must_use]
    pub fn expiring(&self, serial: u64, slot: Slot, due: Timestamp) -> Option<&Hold> {
        self.peek(slot).filter(|hold| hold.serial == serial && hold.is_open() && hold.due() == due)
    }

    /// Keeps a hold that is new; an open one becomes the newest of `open`.
    pub fn insert(&mut self, hold: Hold, open: &mut OpenHolds) -> Slot {
        let (agent, id, is_open) = (hold.agent, hold.id, hold.is_open());
        let hash = self.hash(agent, id);
        let slot = self.slots.insert(hold);
        let slots = &self.slots;
        let same = |slot: Slot| slots.get(slot).is_some_and(|hold| hold.is_of(agent, id));
        assert!(self.index.insert(hash, slot, same), "INVARIANT: a hold is placed once");
        if is_open {
            self.link(slot, open);
        }
        slot
    }

    /// Reads what [`Holds::insert`] will write next to an agent's open holds. Writes to memory that is not in the cache are what a
    /// placement waits for most, and they cannot begin before the decision is made; this read can.
    pub fn foresee_insert(&self, open: &OpenHolds) {
        self.slots.foresee_insert();
        std::hint::black_box(self.peek(open.newest).map(|hold| hold.status));
    }

    /// The hold is over: it leaves the list of open ones, and is remembered.
    pub fn finish(&mut self, slot: Slot, status: HoldStatus, open: &mut OpenHolds) {
        let hold = self.at_mut(slot);
        assert!(hold.is_open() && status != HoldStatus::Open, "INVARIANT: a hold ends once");
        hold.status = status;
        let Links { older, newer } = hold.links.0;
        match older {
            NIL => open.oldest = newer,
            _ => self.at_mut(older).links.0.newer = newer,
        }
        match newer {
            NIL => open.newest = older,
            _ => self.at_mut(newer).links.0.older = older,
        }
        open.count -= 1;
        self.open -= 1;
    }

    /// Forgets a hold that is over.
    pub fn remove(&mut self, slot: Slot) {
        let hold = self.at(slot);
        assert!(!hold.is_open(), "INVARIANT: an open hold is not forgotten");
        self.index.remove(self.hash(hold.agent, hold.id), slot);
        self.slots.remove(slot);
    }

    /// An agent's open holds, oldest first.
    pub fn open_of(&self, open: &OpenHolds) -> impl Iterator<Item = (Slot, &Hold)> {
        std::iter::successors((open.oldest != NIL).then_some(open.oldest), |&slot| {
            let newer = self.at(slot).links.0.newer;
            (newer != NIL).then_some(newer)
        })
        .map(|slot| (slot, self.at(slot)))
    }

    /// Open holds in the shard.
    #[must_use]
    pub fn open_count(&self) -> u32 {
        self.open
    }

    /// Every hold, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.slots.iter()
    }

    fn link(&mut self, slot: Slot, open: &mut OpenHolds) {
        let older = std::mem::replace(&mut open.newest, slot);
        match older {
            NIL => open.oldest = slot,
            _ => self.at_mut(older).links.0.newer = slot,
        }
        self.at_mut(slot).links.0 = Links { older, newer: NIL };
        open.count += 1;
        self.open += 1;
    }

    fn hash(&self, agent: AgentIndex, id: AuthorizationId) -> u32 {
        self.hasher.hash_one((agent, id)) as u32
    }
}
