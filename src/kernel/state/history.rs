//! What is over and still remembered, so that a repeated request gets the answer it got before: holds in the order in which they
//! ended, and operations in the order in which they were carried out. Both are bounded by number and by age.

use std::{collections::VecDeque, hash::BuildHasher};

use bincode::{Decode, Encode};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::hold::Slot;
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Duration, OperationId, Timestamp,
    outcome::{Captured, Recorded},
};

/// An operation that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Operation {
    /// Whose.
    pub agent: AgentIndex,
    /// Chosen by the client.
    pub id: OperationId,
    /// When.
    pub at: Timestamp,
    /// What was asked: to tell a repetition from a different request.
    pub asked: Asked,
    /// What was answered.
    pub answered: Answered,
}

/// What an operation was asked to do, as far as a repetition must agree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the outcome")]
pub enum Answered {
    Captured(Captured),
    Extended { expires_at: Timestamp },
    Increased { amount: Amount, remaining: Option<Amount> },
    Refunded { refunded: Amount },
    Recorded(Recorded),
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    finished: VecDeque<(Timestamp, Slot)>,
    operations: VecDeque<Operation>,
    /// How many operations were forgotten: the number of the first that is remembered.
    forgotten: u64,
    /// Operation numbers, by agent and id.
    index: HashTable<u64>,
    hasher: DefaultHashBuilder,
}

impl History {
    /// Remembers a hold that ended now; it is the newest.
    pub fn finish(&mut self, now: Timestamp, slot: Slot) {
        self.finished.push_back((now, slot));
    }

    /// Forgets the oldest finished hold and returns where it is.
    pub fn forget_hold(&mut self) -> Option<Slot> {
        self.finished.pop_front().map(|(_, slot)| slot)
    }

    /// Finished holds that are remembered.
    #[must_use]
    pub fn finished_count(&self) -> usize {
        self.finished.len()
    }

    /// The finished holds, oldest first, with the moment each ended.
    pub fn finished(&self) -> impl Iterator<Item = (Timestamp, Slot)> {
        self.finished.iter().copied()
    }

    /// Remembers an operation that is new.
    pub fn remember(&mut self, operation: Operation) {
        let number = self.forgotten + self.operations.len() as u64;
        let hash = self.hash(operation.agent, operation.id);
        self.operations.push_back(operation);
        let (operations, forgotten, hasher) = (&self.operations, self.forgotten, &self.hasher);
        self.index.insert_unique(hash, number, |&number| {
            operations.get((number - forgotten) as usize).map_or(0, |o| hasher.hash_one((o.agent, o.id)))
        });
    }

    /// An operation that is remembered.
    #[must_use]
    pub fn operation(&self, agent: AgentIndex, id: OperationId) -> Option<&Operation> {
        let at = |number: u64| self.operations.get((number - self.forgotten) as usize);
        let same = |&number: &u64| at(number).is_some_and(|o| o.agent == agent && o.id == id);
        self.index.find(self.hash(agent, id), same).and_then(|&number| at(number))
    }

    /// Forgets the oldest operation.
    pub fn forget_operation(&mut self) {
        let Some(oldest) = self.operations.front() else { return };
        let (hash, number) = (self.hash(oldest.agent, oldest.id), self.forgotten);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == number) {
            entry.remove();
        }
        self.operations.pop_front();
        self.forgotten += 1;
    }

    /// The operations, oldest first.
    #[must_use]
    pub fn operations(&self) -> &VecDeque<Operation> {
        &self.operations
    }

    /// How many finished holds and operations are `kept` old or older at `now`.
    #[must_use]
    pub fn outlived(&self, now: Timestamp, kept: Duration) -> (u32, u32) {
        let old = |at: Timestamp| at.after(kept) <= now;
        let holds = self.finished.iter().take_while(|(at, _)| old(*at)).count();
        let operations = self.operations.iter().take_while(|operation| old(operation.at)).count();
        (holds as u32, operations as u32)
    }

    /// When the oldest becomes `kept` old.
    #[must_use]
    pub fn next(&self, kept: Duration) -> Option<Timestamp> {
        let hold = self.finished.front().map(|(at, _)| *at);
        let operation = self.operations.front().map(|operation| operation.at);
        [hold, operation].into_iter().flatten().min().map(|at| at.after(kept))
    }

    fn hash(&self, agent: AgentIndex, id: OperationId) -> u64 {
        self.hasher.hash_one((agent, id))
    }
}
