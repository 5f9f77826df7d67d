//! The writer: groups of bytes become records in a chain, and one store call makes a whole commit durable.

use std::{ops::Range, sync::Arc};

use thiserror::Error;

use super::{
    position::{Position, Sequence},
    record::{PAYLOAD_BYTES_MAX, Record},
    replay::{GroupVisitor, ReplayError, Replayed, replay},
    store::{Store, StoreError, StoredRecord},
};
use crate::kernel::ShardId;

/// The longest payload of one group in bytes.
pub const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// The most payload in bytes that one commit may carry.
pub const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

const _: () = assert!(GROUP_BYTES_MAX <= COMMIT_BYTES_MAX);
const _: () = assert!(PAYLOAD_BYTES_MAX <= GROUP_BYTES_MAX);

/// Bytes that belong together: they come back whole from a replay, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The shard they belong to.
    pub shard: ShardId,
    /// At most [`GROUP_BYTES_MAX`] bytes.
    pub payload: &'a [u8],
}

/// How far a shard is now durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    /// The shard.
    pub shard: ShardId,
    /// The end of its last group; a snapshot of the state after that group is written at this position.
    pub position: Position,
}

/// Why a commit failed. Whatever the reason, the journal is poisoned: what callers were told and what the disk holds may
/// differ from here on, and only a recovery finds out.
#[derive(Debug, Error)]
pub enum CommitError {
    /// An earlier commit failed. A failed flush is never tried again, because the second one may succeed without the data.
    #[error("the journal stopped after a failed write; restart to recover from what is durable")]
    Poisoned,
    /// The store does not have such a shard.
    #[error("shard {} is not one of the {shards} shards of this journal", shard.0)]
    UnknownShard {
        /// The shard.
        shard: ShardId,
        /// How many there are.
        shards: u16,
    },
    /// The end of the shard's journal is not known yet.
    #[error("shard {} was not replayed before its first commit", shard.0)]
    NotReplayed {
        /// The shard.
        shard: ShardId,
    },
    /// More bytes than a group may have.
    #[error("a group of {bytes} bytes for shard {} is longer than {GROUP_BYTES_MAX}", shard.0)]
    GroupTooLong {
        /// The shard.
        shard: ShardId,
        /// The length of the group.
        bytes: usize,
    },
    /// More bytes than a commit may carry.
    #[error("a commit of {bytes} bytes is longer than {COMMIT_BYTES_MAX}")]
    CommitTooLong {
        /// The length of all groups together.
        bytes: usize,
    },
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The writer of every shard's journal in one store.
pub struct Journal {
    store: Arc<dyn Store>,
    tails: Vec<Tail>,
    poisoned: bool,
    /// The encoded records of the commit underway; kept, so that a commit does not allocate its bytes anew.
    bytes: Vec<u8>,
    placed: Vec<Placed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Unknown,
    Known { durable: Position, staged: Position },
}

/// Where in the buffer a record lies.
struct Placed {
    shard: ShardId,
    sequence: Sequence,
    span: Range<usize>,
}

impl Journal {
    /// A writer over a store. Each shard must be [replayed](Self::replay) before its first commit.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Journal {
        let tails = vec![Tail::Unknown; usize::from(store.shards().get())];
        Journal { store, tails, poisoned: false, bytes: Vec::new(), placed: Vec::new() }
    }

    /// Replays a shard as [`replay`](fn@replay) does, and resumes writing where it ends.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(
        &mut self,
        shard: ShardId,
        after: Position,
        visit: &mut GroupVisitor<'_>,
    ) -> Result<Replayed, ReplayError> {
        let replayed = replay(&*self.store, shard, after, visit)?;
        self.resume(&replayed)?;
        Ok(replayed)
    }

    /// Resumes writing where a replay of this journal's store ended, which may have run on another thread.
    /// A torn tail is removed, durably.
    ///
    /// # Errors
    /// [`StoreError`], when the tail cannot be removed.
    pub fn resume(&mut self, replayed: &Replayed) -> Result<(), StoreError> {
        let (shard, end, shards) = (replayed.shard, replayed.end, self.store.shards().get());
        let tail = self.tails.get_mut(usize::from(shard.0)).ok_or(StoreError::UnknownShard { shard, shards })?;
        if let Some(torn) = &replayed.torn {
            self.store.truncate(shard, torn.from)?;
        }
        *tail = Tail::Known { durable: end, staged: end };
        Ok(())
    }

    /// Makes groups durable, in their order, with one append to the store. Says for every shard that had a group how far
    /// it is now durable.
    ///
    /// # Errors
    /// [`CommitError`]; the journal then refuses every later commit.
    pub fn commit(&mut self, groups: &[Group<'_>]) -> Result<Vec<Durable>, CommitError> {
        if self.poisoned {
            return Err(CommitError::Poisoned);
        }
        // Poisoned until proven sound, so that a panic in the store leaves it poisoned too.
        self.poisoned = true;
        self.stage(groups)?;
        self.append()?;
        let durable = self.settle(groups);
        self.poisoned = false;
        Ok(durable)
    }

    /// Whether a commit has failed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// How far a shard is durable; `None` until it was replayed.
    #[must_use]
    pub fn durable(&self, shard: ShardId) -> Option<Position> {
        match self.tails.get(usize::from(shard.0))? {
            Tail::Known { durable, .. } => Some(*durable),
            Tail::Unknown => None,
        }
    }

    /// Tells the store how far every shard is durable, so that a later replay misses what is lost until then.
    ///
    /// # Errors
    /// [`StoreError`]; an earlier anchor then stays, which proves less but is not wrong.
    pub fn anchor(&self) -> Result<(), StoreError> {
        let shards = (0..self.store.shards().get()).map(ShardId);
        let positions = shards.filter_map(|shard| self.durable(shard).map(|position| (shard, position)));
        self.store.anchor(&positions.collect::<Vec<_>>())
    }

    /// The store underneath.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn stage(&mut self, groups: &[Group<'_>]) -> Result<(), CommitError> {
        self.bytes.clear();
        self.placed.clear();
        let bytes = groups.iter().fold(0_usize, |sum, group| sum.saturating_add(group.payload.len()));
        if bytes > COMMIT_BYTES_MAX {
            return Err(CommitError::CommitTooLong { bytes });
        }
        groups.iter().try_for_each(|group| self.stage_group(group))
    }

    /// Splits a group into as many records as it needs. An empty one still is a record.
    fn stage_group(&mut self, group: &Group<'_>) -> Result<(), CommitError> {
        let Group { shard, payload } = *group;
        if payload.len() > GROUP_BYTES_MAX {
            return Err(CommitError::GroupTooLong { shard, bytes: payload.len() });
        }
        let shards = self.store.shards().get();
        let staged = match self.tails.get_mut(usize::from(shard.0)) {
            Some(Tail::Known { staged, .. }) => staged,
            Some(Tail::Unknown) => return Err(CommitError::NotReplayed { shard }),
            None => return Err(CommitError::UnknownShard { shard, shards }),
        };
        let mut rest = payload;
        loop {
            let (part, after) = rest.split_at(rest.len().min(PAYLOAD_BYTES_MAX));
            let record = Record { continues: !after.is_empty(), previous: staged.chain, payload: part };
            let start = self.bytes.len();
            record.encode_into(&mut self.bytes).expect("a part is no longer than a payload may be");
            *staged = staged.after(shard, &self.bytes[start..]);
            self.placed.push(Placed { shard, sequence: staged.sequence, span: start..self.bytes.len() });
            rest = after;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn append(&mut self) -> Result<(), StoreError> {
        if self.placed.is_empty() {
            return Ok(());
        }
        let records: Vec<StoredRecord<'_>> = self
            .placed
            .iter()
            .map(|placed| StoredRecord {
                shard: placed.shard,
                sequence: placed.sequence,
                bytes: &self.bytes[placed.span.clone()],
            })
            .collect();
        self.store.append(&records)
    }

    fn settle(&mut self, groups: &[Group<'_>]) -> Vec<Durable> {
        let mut settled = Vec::with_capacity(groups.len());
        for Group { shard, .. } in groups {
            if let Some(Tail::Known { durable, staged }) = self.tails.get_mut(usize::from(shard.0))
                && durable != staged
            {
                *durable = *staged;
                settled.push(Durable { shard: *shard, position: *staged });
            }
        }
        settled
    }
}
