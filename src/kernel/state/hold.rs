//! The holds of a shard: open ones, and those that are over and still remembered.

use bincode::{Decode, Encode};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

pub use super::slots::Slot;
use super::{rebuilt::Rebuilt, slots::Slots, window::Weight};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, NameId, Protocol, SessionNumber, Timestamp,
    outcome::{Approval, HoldStatus},
    reason::Reasons,
};

/// No slot.
const NIL: Slot = Slot::MAX;

/// Money reserved by an approved authorization.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    /// Chosen by its client.
    pub id: AuthorizationId,
    /// Whose.
    pub agent: AgentIndex,
    /// Counts the placements in the shard.
    pub serial: u64,
    /// What became of it.
    pub status: HoldStatus,
    /// Its rail.
    pub protocol: Protocol,
    /// Whether it is the deposit of its session.
    pub deposit: bool,
    /// Whether it draws from the deposit of its session, and so weighs on nothing else.
    pub from_deposit: bool,
    /// With its increments.
    pub amount: Amount,
    /// What was reported as paid.
    pub captured: Amount,
    /// What came back of it.
    pub refunded: Amount,
    /// What was released when it was voided or its session was closed.
    pub released: Amount,
    /// Its windows are those of this moment.
    pub placed_at: Timestamp,
    /// The caller may pay until then.
    pub expires_at: Timestamp,
    /// It is released then: a grace later.
    pub due: Timestamp,
    /// Who is paid.
    pub recipient: NameId,
    /// For which service.
    pub service: Option<NameId>,
    /// In which session.
    pub session: SessionNumber,
    /// From which wallet.
    pub wallet: Option<u8>,
    /// The rest of its approval, for a repeated request.
    pub answer: Answer,
    /// Neighbours among the agent's open holds.
    links: Rebuilt<Links>,
}

/// What an approval said beyond the hold itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the approval")]
pub struct Answer {
    pub amount: Amount,
    pub expires_at: Timestamp,
    pub remaining: Option<Amount>,
    pub available: Option<Amount>,
    pub reasons: Reasons,
    pub policy_revision: u32,
    /// Of the request.
    pub fingerprint: u64,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    older: Slot,
    newer: Slot,
}

impl Default for Links {
    fn default() -> Self {
        Links { older: NIL, newer: NIL }
    }
}

impl Hold {
    /// What it weighs, where `inside` is held by charges that draw from it (zero unless it is a deposit).
    #[must_use]
    pub fn weight(&self, inside: Amount) -> Weight {
        self.weight_at(self.captured, inside)
    }

    /// What it would weigh if so much of it were captured.
    #[must_use]
    pub fn weight_at(&self, captured: Amount, inside: Amount) -> Weight {
        let gross = match self.status {
            HoldStatus::Open => self.amount.max(captured.saturating_add(inside)),
            HoldStatus::Captured | HoldStatus::Voided | HoldStatus::Expired => captured,
        };
        Weight { used: gross.saturating_sub(self.refunded), spent: captured.saturating_sub(self.refunded) }
    }

    /// What a further capture may still take of it.
    #[must_use]
    pub fn headroom(&self) -> Amount {
        self.amount.saturating_sub(self.captured)
    }

    /// Whether money is held.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == HoldStatus::Open
    }

    /// The approval as it was given.
    #[must_use]
    pub fn approval(&self) -> Approval {
        Approval {
            id: self.id,
            amount: self.answer.amount,
            expires_at: self.answer.expires_at,
            remaining: self.answer.remaining,
            wallet: self.wallet,
            available: self.answer.available,
            reasons: self.answer.reasons,
            session: self.session,
            policy_revision: self.answer.policy_revision,
            repeated: true,
        }
    }
}

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
    index: HashTable<Entry>,
    /// Seeded anew in each process: clients choose the ids, and must not be able to choose collisions. No order depends on it.
    hasher: DefaultHashBuilder,
    open: u32,
}

/// Leads from a hash to a slot. The hash is kept so that neither a search nor the growth of the index has to look at other holds,
/// which are rarely in the cache.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    slot: Slot,
}

impl Entry {
    /// The hash as the table wants it: it looks at the lowest and the highest bits, and a multiple by an odd number has both.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Holds {
    /// Where the hold is.
    #[must_use]
    pub fn find(&self, agent: AgentIndex, id: AuthorizationId) -> Option<Slot> {
        self.find_hashed(self.hash(agent, id), agent, id)
    }

    fn find_hashed(&self, hash: u32, agent: AgentIndex, id: AuthorizationId) -> Option<Slot> {
        let same = |slot: Slot| self.slots.get(slot).is_some_and(|hold| hold.id == id && hold.agent == agent);
        let entry = self.index.find(Entry::spread(hash), |entry| entry.hash == hash && same(entry.slot));
        entry.map(|entry| entry.slot)
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
        self.peek(slot).filter(|hold| hold.serial == serial && hold.is_open() && hold.due == due)
    }

    /// Keeps a hold that is new; an open one becomes the newest of `open`.
    pub fn insert(&mut self, hold: Hold, open: &mut OpenHolds) -> Slot {
        let hash = self.hash(hold.agent, hold.id);
        assert!(self.find_hashed(hash, hold.agent, hold.id).is_none(), "INVARIANT: a hold is placed once");
        let is_open = hold.is_open();
        let slot = self.slots.insert(hold);
        self.index.insert_unique(Entry::spread(hash), Entry { hash, slot }, |entry| Entry::spread(entry.hash));
        if is_open {
            self.link(slot, open);
        }
        slot
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
        let hash = self.hash(hold.agent, hold.id);
        if let Ok(entry) = self.index.find_entry(Entry::spread(hash), |entry| entry.slot == slot) {
            entry.remove();
        }
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

impl Hold {
    /// An open hold with nothing captured; `placed` gives the rest.
    #[must_use]
    pub fn placed(event: &crate::kernel::event::Approved, serial: u64, now: Timestamp, due: Timestamp) -> Hold {
        let expires_at = now.after(event.expires_after);
        Hold {
            id: event.id,
            agent: event.agent,
            serial,
            status: HoldStatus::Open,
            protocol: event.protocol,
            deposit: event.deposit,
            from_deposit: event.from_deposit,
            amount: event.amount,
            captured: Amount::ZERO,
            refunded: Amount::ZERO,
            released: Amount::ZERO,
            placed_at: now,
            expires_at,
            due,
            recipient: event.recipient,
            service: event.service,
            session: event.session,
            wallet: event.wallet,
            answer: Answer {
                amount: event.amount,
                expires_at,
                remaining: event.remaining,
                available: event.available,
                reasons: event.reasons,
                policy_revision: event.policy_revision,
                fingerprint: event.fingerprint,
            },
            links: Rebuilt::default(),
        }
    }
}
