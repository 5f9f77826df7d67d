//! What is over and still remembered, so that a repeated request gets the answer it got before: holds in the order in which they
//! ended, and operations in the order in which they were carried out. Both are bounded by number and by age.

use std::hash::BuildHasher;

use bincode::{Decode, Encode};
use hashbrown::DefaultHashBuilder;

use super::{
    aged::Aged,
    index::Index,
    slots::{Slot, Slots},
};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Duration, OperationId, Timestamp,
    outcome::{Booking, Captured, Recorded},
};

/// An operation that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Operation {
    /// Whose.
    pub agent: AgentIndex,
    /// Chosen by the client.
    pub id: OperationId,
    /// What was done.
    pub deed: Deed,
}

const _: () = assert!(size_of::<Option<Operation>>() <= 96, "there are as many operations as captures");

/// What was asked, to tell a repetition from a different request, and what was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request and of the outcome")]
pub enum Deed {
    Captured {
        of: AuthorizationId,
        amount: Amount,
        last: bool,
        answer: Captured,
    },
    Extended {
        of: AuthorizationId,
        by: Duration,
        expires_at: Timestamp,
    },
    Increased {
        of: AuthorizationId,
        by: Amount,
        amount: Amount,
        remaining: Option<Amount>,
    },
    Refunded {
        of: AuthorizationId,
        amount: Amount,
        refunded: Amount,
    },
    /// `recipient` is a hash of its name.
    Recorded {
        amount: Amount,
        recipient: u64,
        booking: Booking,
        authorization: Option<AuthorizationId>,
        overage: Amount,
    },
}

/// What an operation was asked to do, as far as a repetition must agree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Capture so much of a hold, for the last time or not.
    Capture(AuthorizationId, Amount, bool),
    /// Lengthen a hold.
    Extend(AuthorizationId, Duration),
    /// Enlarge a hold.
    Increment(AuthorizationId, Amount),
    /// Give back.
    Refund(AuthorizationId, Amount),
    /// Book a payment of so much to the recipient with this hash.
    Record(Amount, u64),
}

/// What an operation was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the outcome")]
pub enum Answered {
    Captured(Captured),
    Extended { expires_at: Timestamp },
    Increased { amount: Amount, remaining: Option<Amount> },
    Refunded { refunded: Amount },
    Recorded(Recorded),
}

impl Deed {
    /// What was asked for.
    #[must_use]
    pub fn asked(&self) -> Asked {
        match *self {
            Deed::Captured { of, amount, last, .. } => Asked::Capture(of, amount, last),
            Deed::Extended { of, by, .. } => Asked::Extend(of, by),
            Deed::Increased { of, by, .. } => Asked::Increment(of, by),
            Deed::Refunded { of, amount, .. } => Asked::Refund(of, amount),
            Deed::Recorded { amount, recipient, .. } => Asked::Record(amount, recipient),
        }
    }

    /// What was answered.
    #[must_use]
    pub fn answered(&self) -> Answered {
        match *self {
            Deed::Captured { answer, .. } => Answered::Captured(answer),
            Deed::Extended { expires_at, .. } => Answered::Extended { expires_at },
            Deed::Increased { amount, remaining, .. } => Answered::Increased { amount, remaining },
            Deed::Refunded { refunded, .. } => Answered::Refunded { refunded },
            Deed::Recorded { booking, authorization, overage, .. } => {
                Answered::Recorded(Recorded { booking, authorization, overage })
            }
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    finished: Aged<Slot>,
    operations: Slots<Operation>,
    order: Aged<Placed>,
    /// Operations by agent and id.
    index: Index,
    /// Seeded anew in each process: clients choose the ids, and must not be able to choose collisions. No order depends on it.
    hasher: DefaultHashBuilder,
}

/// Where an operation is, and its hash: to forget it, nobody has to look at it again.
#[derive(Clone, Copy, Debug)]
struct Placed {
    slot: Slot,
    hash: u32,
}

impl History {
    /// Remembers a hold that ended now; it is the newest.
    pub fn finish(&mut self, now: Timestamp, slot: Slot) {
        self.finished.push(now, slot);
    }

    /// Forgets the oldest finished hold and returns where it is.
    pub fn forget_hold(&mut self) -> Option<Slot> {
        self.finished.pop()
    }

    /// Finished holds that are remembered.
    #[must_use]
    pub fn finished_count(&self) -> usize {
        self.finished.len()
    }

    /// The finished holds, oldest first, with the moment each ended.
    pub fn finished(&self) -> impl Iterator<Item = (Timestamp, Slot)> {
        self.finished.iter()
    }

    /// Remembers an operation that is new and was carried out now.
    pub fn remember(&mut self, now: Timestamp, operation: Operation) {
        let (agent, id) = (operation.agent, operation.id);
        let hash = self.hash(agent, id);
        let slot = self.operations.insert(operation);
        let operations = &self.operations;
        let is_new = self.index.insert(hash, slot, |slot| is_of(operations, slot, agent, id));
        assert!(is_new, "INVARIANT: an operation is carried out once");
        self.order.push(now, Placed { slot, hash });
    }

    /// An operation that is remembered.
    #[must_use]
    pub fn operation(&self, agent: AgentIndex, id: OperationId) -> Option<&Operation> {
        let slot = self.index.find(self.hash(agent, id), |slot| is_of(&self.operations, slot, agent, id))?;
        self.operations.get(slot)
    }

    /// Forgets the oldest operation.
    pub fn forget_operation(&mut self) {
        let Some(Placed { slot, hash }) = self.order.pop() else { return };
        self.operations.remove(slot);
        self.index.remove(hash, slot);
    }

    /// Operations that are remembered.
    #[must_use]
    pub fn operations_count(&self) -> usize {
        self.order.len()
    }

    /// The operations, oldest first, with the moment at which each was carried out.
    pub fn operations(&self) -> impl Iterator<Item = (Timestamp, Operation)> {
        self.order.iter().filter_map(|(at, Placed { slot, .. })| Some((at, *self.operations.get(slot)?)))
    }

    /// How many finished holds and operations are `kept` old or older at `now`.
    #[must_use]
    pub fn outlived(&self, now: Timestamp, kept: Duration) -> (u32, u32) {
        (self.finished.older(now, kept), self.order.older(now, kept))
    }

    /// When the oldest becomes `kept` old.
    #[must_use]
    pub fn next(&self, kept: Duration) -> Option<Timestamp> {
        let oldest = [self.finished.oldest(), self.order.oldest()];
        oldest.into_iter().flatten().min().map(|at| at.after(kept))
    }

    fn hash(&self, agent: AgentIndex, id: OperationId) -> u32 {
        self.hasher.hash_one((agent, id)) as u32
    }
}

fn is_of(operations: &Slots<Operation>, slot: Slot, agent: AgentIndex, id: OperationId) -> bool {
    operations.get(slot).is_some_and(|operation| operation.id == id && operation.agent == agent)
}
