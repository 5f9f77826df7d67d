//! The reader: walks a shard's records, believes nothing, and hands out whole groups.

use std::{error::Error as StdError, ops::ControlFlow};

use thiserror::Error;

use super::{
    position::{ChainHash, Position, Sequence},
    record::{Record, RecordError},
    store::{Store, StoreError},
    writer::GROUP_BYTES_MAX,
};
use crate::kernel::ShardId;

/// What a visitor of groups may fail with.
pub type VisitError = Box<dyn StdError + Send + Sync>;

/// Receives the groups of a shard in order, each with the sequence of its last record.
pub type GroupVisitor<'v> = dyn FnMut(Sequence, &[u8]) -> Result<(), VisitError> + 'v;

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The shard.
    pub shard: ShardId,
    /// The end of its last whole group; the next group is written after it.
    pub end: Position,
    /// How many records were visited, a torn tail not included.
    pub records: u64,
    /// How many groups they make.
    pub groups: u64,
    /// How many bytes those records have.
    pub record_bytes: u64,
    /// What is left of a group that did not become whole.
    pub torn: Option<TornTail>,
}

/// The remains of a last group whose write was cut short. It was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The first record to cut.
    pub from: Sequence,
    /// How many records there are from there on.
    pub records: u64,
    /// What is wrong with it.
    pub reason: TornReason,
}

/// Why a tail is torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TornReason {
    /// The last record announces another one.
    #[error("the last group is incomplete")]
    Incomplete,
    /// The last record is not what was written.
    #[error("the last record is damaged: {0}")]
    Undecodable(RecordError),
}

/// Why a shard's journal cannot be believed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A record that is not the last one, or one of a newer version, is not a record.
    #[error("record {sequence} of shard {}: {source}", shard.0)]
    Record {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: Sequence,
        /// What is wrong with it.
        source: RecordError,
    },
    /// Records are missing.
    #[error("shard {} has record {found} where record {expected} belongs; restore it from a backup", shard.0)]
    Hole {
        /// The shard.
        shard: ShardId,
        /// The record that belongs there.
        expected: Sequence,
        /// The record that is there.
        found: Sequence,
    },
    /// A sound record that does not follow the one before it.
    #[error("record {sequence} of shard {} does not carry the hash of the record before it; restore it from a backup", shard.0)]
    BrokenChain {
        /// The shard.
        shard: ShardId,
        /// The record that carries the wrong hash.
        sequence: Sequence,
    },
    /// The journal ends before the snapshot does.
    #[error("shard {} has no record {sequence}, which its snapshot covers; restore it from a backup", shard.0)]
    BehindSnapshot {
        /// The shard.
        shard: ShardId,
        /// The last record that the snapshot covers.
        sequence: Sequence,
    },
    /// The snapshot was taken of another journal, or the journal was changed since.
    #[error("record {sequence} of shard {} is not the one that its snapshot ends with; restore it from a backup", shard.0)]
    SnapshotMismatch {
        /// The shard.
        shard: ShardId,
        /// The last record that the snapshot covers.
        sequence: Sequence,
    },
    /// Records that were durable are gone.
    #[error(
        "the journal of shard {} ends at record {last}, but record {anchor} was durable: the file is damaged or was replaced; \
         restore a backup",
        shard.0
    )]
    BehindAnchor {
        /// The shard.
        shard: ShardId,
        /// The last record that is there.
        last: Sequence,
        /// The record that was durable.
        anchor: Sequence,
    },
    /// Another record stands where the anchored one was.
    #[error(
        "record {anchor} of shard {} is not the one that was durable: the file is damaged or was replaced; restore a backup",
        shard.0
    )]
    AnchorMismatch {
        /// The shard.
        shard: ShardId,
        /// The record that was durable.
        anchor: Sequence,
    },
    /// Records that never end their group.
    #[error("the group that ends with record {sequence} of shard {} is longer than {GROUP_BYTES_MAX} bytes", shard.0)]
    GroupTooLong {
        /// The shard.
        shard: ShardId,
        /// The record that went over.
        sequence: Sequence,
    },
    /// The visitor refused a group.
    #[error("record {sequence} of shard {} cannot be replayed: {source}", shard.0)]
    Refused {
        /// The shard.
        shard: ShardId,
        /// The end of the group.
        sequence: Sequence,
        /// What the visitor said.
        source: VisitError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Visits the groups of a shard after a position, in order, each with the sequence of its last record. Checks every record's
/// checksum, sequence and chain, that the record at `after` is the one it claims to be, and that the store still has
/// the record it was [anchored](Store::anchored) at.
///
/// Only the very end may be unsound: an incomplete group, or a last record whose bytes are damaged, is reported as
/// [`TornTail`] and not visited. It changes nothing; [`Journal::resume`](super::Journal::resume) cuts the tail.
///
/// # Errors
/// [`ReplayError`]. Groups may have been visited before; what was made of them must not be used.
pub fn replay(
    store: &dyn Store,
    shard: ShardId,
    after: Position,
    visit: &mut GroupVisitor<'_>,
) -> Result<Replayed, ReplayError> {
    walk(store, shard, after, visit, &mut |_| Ok(ControlFlow::Continue(())))
}

/// A replay of a journal that is being written, which ends with a record that is known to be durable and to end its group.
///
/// # Errors
/// As [`replay`].
pub fn replay_until(
    store: &dyn Store,
    shard: ShardId,
    after: Position,
    end: Sequence,
    visit: &mut GroupVisitor<'_>,
) -> Result<Replayed, ReplayError> {
    let mut passed = |position: Position| {
        let goes_on = position.sequence < end;
        Ok(if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    };
    walk(store, shard, after, visit, &mut passed)
}

/// A replay that also shows the position after each sound record, and ends where it is told to.
pub(super) fn walk(
    store: &dyn Store,
    shard: ShardId,
    after: Position,
    visit: &mut GroupVisitor<'_>,
    passed: &mut dyn FnMut(Position) -> Result<ControlFlow<()>, ReplayError>,
) -> Result<Replayed, ReplayError> {
    check_anchor(store, shard)?;
    let mut walk = Walk::new(shard, after);
    let mut failure = None;
    store.read(shard, walk.from(), &mut |sequence, bytes| {
        let step = walk.step(sequence, bytes, visit).and_then(|()| passed(walk.last));
        step.unwrap_or_else(|error| {
            failure = Some(error);
            ControlFlow::Break(())
        })
    })?;
    match failure {
        Some(error) => Err(error),
        None => walk.finish(),
    }
}

/// An anchor is the end of a group, so where its record is sound the walk cannot end before it, and no torn tail begins
/// at or before it.
fn check_anchor(store: &dyn Store, shard: ShardId) -> Result<(), ReplayError> {
    let anchored = store.anchored(shard)?;
    if anchored == Position::START {
        return Ok(());
    }
    let (anchor, mut found) = (anchored.sequence, None);
    store.read(shard, anchor, &mut |sequence, bytes| {
        found = (sequence == anchor).then(|| ChainHash::of(shard, sequence, bytes));
        ControlFlow::Break(())
    })?;
    let last = store.last(shard)?;
    match found {
        Some(chain) if chain == anchored.chain => Ok(()),
        None if last < anchor => Err(ReplayError::BehindAnchor { shard, last, anchor }),
        Some(_) | None => Err(ReplayError::AnchorMismatch { shard, anchor }),
    }
}

struct Walk {
    /// What is found so far; its end is that of the last whole group.
    found: Replayed,
    /// The last sound record.
    last: Position,
    /// The record to begin with is the one that `last` claims, which was not seen yet.
    start_pending: bool,
    /// The records since the last whole group, and their payloads.
    open_records: u64,
    open_bytes: u64,
    open_payload: Vec<u8>,
    /// A damaged record, which is forgiven only if none follows.
    damaged: Option<(Sequence, RecordError)>,
}

impl Walk {
    fn new(shard: ShardId, after: Position) -> Walk {
        Walk {
            found: Replayed { shard, end: after, records: 0, groups: 0, record_bytes: 0, torn: None },
            last: after,
            start_pending: after != Position::START,
            open_records: 0,
            open_bytes: 0,
            open_payload: Vec::new(),
            damaged: None,
        }
    }

    fn from(&self) -> Sequence {
        if self.start_pending { self.last.sequence } else { self.last.sequence.next() }
    }

    fn step(&mut self, sequence: Sequence, bytes: &[u8], visit: &mut GroupVisitor<'_>) -> Result<(), ReplayError> {
        let shard = self.found.shard;
        if let Some((sequence, source)) = self.damaged {
            return Err(ReplayError::Record { shard, sequence, source });
        }
        if self.start_pending {
            return self.check_start(sequence, bytes);
        }
        let expected = self.last.sequence.next();
        if sequence != expected {
            return Err(ReplayError::Hole { shard, expected, found: sequence });
        }
        match Record::decode(bytes) {
            Ok(record) if record.previous != self.last.chain => Err(ReplayError::BrokenChain { shard, sequence }),
            Ok(record) => {
                self.last = Position { sequence, chain: ChainHash::of(shard, sequence, bytes) };
                self.take(record, bytes.len(), visit)
            }
            Err(error) if error.is_torn() => {
                self.damaged = Some((sequence, error));
                Ok(())
            }
            Err(source) => Err(ReplayError::Record { shard, sequence, source }),
        }
    }

    fn check_start(&mut self, found: Sequence, bytes: &[u8]) -> Result<(), ReplayError> {
        let (shard, sequence) = (self.found.shard, self.last.sequence);
        if found != sequence {
            return Err(ReplayError::BehindSnapshot { shard, sequence });
        }
        let record = Record::decode(bytes).map_err(|source| ReplayError::Record { shard, sequence, source })?;
        if record.continues || ChainHash::of(shard, sequence, bytes) != self.last.chain {
            return Err(ReplayError::SnapshotMismatch { shard, sequence });
        }
        self.start_pending = false;
        Ok(())
    }

    fn take(
        &mut self,
        record: Record<'_>,
        record_bytes: usize,
        visit: &mut GroupVisitor<'_>,
    ) -> Result<(), ReplayError> {
        let (shard, sequence) = (self.found.shard, self.last.sequence);
        self.open_records += 1;
        self.open_bytes += record_bytes as u64;
        if self.open_payload.len() + record.payload.len() > GROUP_BYTES_MAX {
            return Err(ReplayError::GroupTooLong { shard, sequence });
        }
        // A group of one record is handed on where it lies.
        let is_alone = self.open_payload.is_empty() && !record.continues;
        if !is_alone {
            self.open_payload.extend_from_slice(record.payload);
        }
        if record.continues {
            return Ok(());
        }
        let payload = if is_alone { record.payload } else { &self.open_payload };
        visit(sequence, payload).map_err(|source| ReplayError::Refused { shard, sequence, source })?;
        self.close_group();
        Ok(())
    }

    fn close_group(&mut self) {
        self.found.end = self.last;
        self.found.groups += 1;
        self.found.records += self.open_records;
        self.found.record_bytes += self.open_bytes;
        (self.open_records, self.open_bytes) = (0, 0);
        self.open_payload.clear();
    }

    fn finish(mut self) -> Result<Replayed, ReplayError> {
        if self.start_pending {
            let (shard, sequence) = (self.found.shard, self.last.sequence);
            return Err(ReplayError::BehindSnapshot { shard, sequence });
        }
        let from = self.found.end.sequence.next();
        self.found.torn = match self.damaged {
            Some((_, error)) => {
                Some(TornTail { from, records: self.open_records + 1, reason: TornReason::Undecodable(error) })
            }
            None if self.open_records > 0 => {
                Some(TornTail { from, records: self.open_records, reason: TornReason::Incomplete })
            }
            None => None,
        };
        Ok(self.found)
    }
}
