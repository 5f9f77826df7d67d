//! What the journal asks of a place that keeps records.
//!
//! The trait is small on purpose, so that a replicated stream can stand behind it: an append states the sequence of every
//! record and is refused unless it follows the last one, which is what fences off a stale owner of a shard.
//! A store knows no record's inside; the chain and the checksums are the journal's.

use std::{error::Error as StdError, num::NonZeroU16, ops::ControlFlow};

use thiserror::Error;

use super::{
    position::{Position, Sequence},
    record::RECORD_BYTES_MAX,
};
use crate::kernel::ShardId;

/// The longest metadata value in bytes.
pub const METADATA_BYTES_MAX: usize = 4 * 1024;

/// What an acknowledged write survives; each level includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Survives {
    /// Neither: the store lives as long as its process.
    Nothing,
    /// The death of the process, `kill -9` included.
    Process,
    /// A power cut.
    Power,
}

/// An encoded record and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRecord<'a> {
    /// The shard it belongs to.
    pub shard: ShardId,
    /// Its number within the shard.
    pub sequence: Sequence,
    /// Its bytes, at most [`RECORD_BYTES_MAX`].
    pub bytes: &'a [u8],
}

/// Receives the records of a shard in order, and says when to stop.
pub type RecordVisitor<'v> = dyn FnMut(Sequence, &[u8]) -> ControlFlow<()> + 'v;

/// Keeps the records, the newest snapshot and a few small values of every shard.
///
/// One owner writes; any number may read. Every method may be called from any thread.
pub trait Store: Send + Sync {
    /// Appends records, durably when it returns. Records of one shard stand in ascending order.
    ///
    /// A refused call changes nothing. If the process dies meanwhile, each shard keeps either all of its records of
    /// this call or none. After a failed write the store refuses every further append, since nobody knows what the disk holds.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] unless each record follows its shard's last one; and whatever else keeps it from being durable.
    fn append(&self, records: &[StoredRecord<'_>]) -> Result<(), StoreError>;

    /// Visits the records of a shard from `from` on, in ascending order, without holding them all in memory.
    ///
    /// # Errors
    /// When the store cannot read.
    fn read(&self, shard: ShardId, from: Sequence, visit: &mut RecordVisitor<'_>) -> Result<(), StoreError>;

    /// The last record of a shard, [`Sequence::NONE`] without any.
    ///
    /// # Errors
    /// When the store cannot read.
    fn last(&self, shard: ShardId) -> Result<Sequence, StoreError>;

    /// Removes the records of a shard from `from` on, durably, so that the next append takes that place.
    ///
    /// # Errors
    /// [`StoreError::Covered`] when the newest snapshot covers `from`, [`StoreError::Anchored`] when the anchor does.
    fn truncate(&self, shard: ShardId, from: Sequence) -> Result<(), StoreError>;

    /// Remembers, durably and apart from the records, how far shards are durable, so that records which are lost later are
    /// missed. An anchor only moves forward: a position at or before the one remembered changes nothing.
    ///
    /// # Errors
    /// [`StoreError::AnchorOutOfRange`], or when it cannot be made durable; the earlier anchor then stays.
    fn anchor(&self, positions: &[(ShardId, Position)]) -> Result<(), StoreError>;

    /// How far a shard was durable when it was last anchored, [`Position::START`] if it never was.
    /// Whether the records bear it out is for [`replay`](fn@super::replay) to check.
    ///
    /// # Errors
    /// When the store cannot read.
    fn anchored(&self, shard: ShardId) -> Result<Position, StoreError>;

    /// Keeps a small value under a name, durably.
    ///
    /// # Errors
    /// [`StoreError::MetadataTooLong`], or when it cannot be made durable.
    fn put_metadata(&self, name: &str, value: &[u8]) -> Result<(), StoreError>;

    /// The value under a name.
    ///
    /// # Errors
    /// When the store cannot read.
    fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Begins a snapshot that covers a shard up to and including `position`. It is seen by nobody until it is finished.
    ///
    /// # Errors
    /// [`StoreError::SnapshotOutOfRange`] or [`StoreError::SnapshotUnderway`].
    fn begin_snapshot<'s>(
        &'s self,
        shard: ShardId,
        position: Position,
    ) -> Result<Box<dyn SnapshotSink + 's>, StoreError>;

    /// The newest finished snapshot of a shard. It must not be replaced while it is read.
    ///
    /// # Errors
    /// When the store cannot read.
    fn snapshot<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError>;

    /// Begins a base: the state of a shard after `position`, from which its journal is to begin. It is seen by nobody until it is
    /// finished; from then on records before `position` may be [cut](Self::cut), and nobody may ask for them.
    ///
    /// # Errors
    /// [`StoreError::BaseOutOfRange`] unless it is behind the base before it and both the newest snapshot and the anchor cover it;
    /// [`StoreError::SnapshotUnderway`] also while another base is being written.
    fn begin_base<'s>(&'s self, shard: ShardId, position: Position) -> Result<Box<dyn SnapshotSink + 's>, StoreError>;

    /// The base of a shard, if anything of its journal was cut or is to be. It must not be replaced while it is read.
    ///
    /// # Errors
    /// When the store cannot read.
    fn base<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError>;

    /// Where the journal of a shard begins: after this position, which is that of its base; [`Position::START`] without one. The
    /// record of that position is kept.
    ///
    /// # Errors
    /// When the store cannot read.
    fn begins_after(&self, shard: ShardId) -> Result<Position, StoreError>;

    /// Removes up to `records_max` of the records that stand before the base, the oldest first, and says how many. What a crash brings
    /// back is removed when it is asked for again.
    ///
    /// # Errors
    /// When the store cannot write.
    fn cut(&self, shard: ShardId, records_max: usize) -> Result<usize, StoreError>;

    /// How many shards there are; fixed when the store is created.
    fn shards(&self) -> NonZeroU16;

    /// What an acknowledged write survives.
    fn survives(&self) -> Survives;
}

/// Takes the chunks of one snapshot. Dropped unfinished, it leaves no trace.
pub trait SnapshotSink: Send {
    /// Adds one chunk of at most [`RECORD_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When the store cannot write.
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes the snapshot durable and visible, and removes the one it replaces.
    ///
    /// # Errors
    /// When it cannot be made durable; the earlier snapshot then stays.
    fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// The chunks of a stored snapshot, in order.
pub type SnapshotChunks<'s> = Box<dyn Iterator<Item = Result<Vec<u8>, StoreError>> + Send + 's>;

/// A finished snapshot.
pub struct StoredSnapshot<'s> {
    /// What it covers.
    pub position: Position,
    /// Its chunks.
    pub chunks: SnapshotChunks<'s>,
}

/// Why a store refuses or fails.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A record that does not follow the last one: another owner has written, or a record is missing.
    #[error("record {stated} of shard {} does not follow record {last}; another owner may have written", shard.0)]
    OutOfOrder {
        /// The shard.
        shard: ShardId,
        /// The sequence of the refused record.
        stated: Sequence,
        /// The shard's last record.
        last: Sequence,
    },
    /// A shard that the store was not created with.
    #[error("shard {} is not one of the {shards} shards of this store", shard.0)]
    UnknownShard {
        /// The shard asked for.
        shard: ShardId,
        /// How many there are.
        shards: u16,
    },
    /// A record or a chunk that is longer than a store keeps.
    #[error("{bytes} bytes are more than the {RECORD_BYTES_MAX} of the longest record")]
    RecordTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A metadata value that is too long.
    #[error("metadata `{name}` of {bytes} bytes is longer than {METADATA_BYTES_MAX}")]
    MetadataTooLong {
        /// Its name.
        name: String,
        /// Its length.
        bytes: usize,
    },
    /// Truncation would remove what the newest snapshot covers.
    #[error("record {from} of shard {} is covered by the snapshot at {snapshot} and cannot be cut", shard.0)]
    Covered {
        /// The shard.
        shard: ShardId,
        /// The first record to cut.
        from: Sequence,
        /// The newest snapshot.
        snapshot: Sequence,
    },
    /// Truncation would remove what was durable.
    #[error("shard {} was durable up to record {anchor}, so it cannot be cut from {from} on; restore a backup", shard.0)]
    Anchored {
        /// The shard.
        shard: ShardId,
        /// The first record to cut.
        from: Sequence,
        /// The anchor.
        anchor: Sequence,
    },
    /// An anchor beyond the records.
    #[error("shard {} cannot be anchored at {stated}, since its last record is {last}", shard.0)]
    AnchorOutOfRange {
        /// The shard.
        shard: ShardId,
        /// The refused position.
        stated: Sequence,
        /// The last record.
        last: Sequence,
    },
    /// A snapshot that covers less than the newest one or more than the records.
    #[error("a snapshot of shard {} at {stated} is not between the newest at {newest} and the last record {last}", shard.0)]
    SnapshotOutOfRange {
        /// The shard.
        shard: ShardId,
        /// What the refused snapshot covers.
        stated: Sequence,
        /// The newest snapshot.
        newest: Sequence,
        /// The last record.
        last: Sequence,
    },
    /// A base that is not covered, or not behind the one before it.
    #[error(
        "the journal of shard {} cannot begin after {stated}: it begins after {base}, the snapshot covers {snapshot} and the anchor {anchor}",
        shard.0
    )]
    BaseOutOfRange {
        /// The shard.
        shard: ShardId,
        /// The refused base.
        stated: Sequence,
        /// The base that it has.
        base: Sequence,
        /// The newest snapshot.
        snapshot: Sequence,
        /// The anchor.
        anchor: Sequence,
    },
    /// Another snapshot of the shard is being written.
    #[error("a snapshot of shard {} is being written already", shard.0)]
    SnapshotUnderway {
        /// The shard.
        shard: ShardId,
    },
    /// An earlier write failed, so nobody knows what the disk holds.
    #[error("an earlier write failed; restart to recover from what is durable")]
    Failed,
    /// The stored structure is not one that this build wrote.
    #[error("{what} is damaged; restore the data directory from a backup")]
    Damaged {
        /// What is damaged.
        what: String,
    },
    /// The medium failed.
    #[error("failed to {action}: {source}")]
    Medium {
        /// What the store was doing.
        action: &'static str,
        /// What the medium said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Refuses an append as a whole when one of its records does not follow its shard's last one, or is too long.
pub(super) fn check_append(
    records: &[StoredRecord<'_>],
    mut stored_last: impl FnMut(ShardId) -> Result<Sequence, StoreError>,
) -> Result<(), StoreError> {
    for (index, &StoredRecord { shard, sequence, bytes }) in records.iter().enumerate() {
        let earlier = records.iter().take(index).rev().find(|earlier| earlier.shard == shard);
        let last = earlier.map_or_else(|| stored_last(shard), |earlier| Ok(earlier.sequence))?;
        if sequence <= last || sequence != last.next() {
            return Err(StoreError::OutOfOrder { shard, stated: sequence, last });
        }
        check_length(bytes)?;
    }
    Ok(())
}

pub(super) fn check_length(bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(StoreError::RecordTooLong { bytes: bytes.len() });
    }
    Ok(())
}

pub(super) fn check_metadata(name: &str, value: &[u8]) -> Result<(), StoreError> {
    if value.len() > METADATA_BYTES_MAX {
        return Err(StoreError::MetadataTooLong { name: name.to_owned(), bytes: value.len() });
    }
    Ok(())
}

/// What a snapshot covers or an anchor speaks for is never cut.
pub(super) fn check_truncate(
    shard: ShardId,
    from: Sequence,
    snapshot: Option<Sequence>,
    anchored: Position,
) -> Result<(), StoreError> {
    if let Some(snapshot) = snapshot.filter(|snapshot| *snapshot > Sequence::NONE && from <= *snapshot) {
        return Err(StoreError::Covered { shard, from, snapshot });
    }
    if anchored != Position::START && from <= anchored.sequence {
        return Err(StoreError::Anchored { shard, from, anchor: anchored.sequence });
    }
    Ok(())
}

/// Moves the anchors of all shards, by their numbers, forward; says whether any moved.
pub(super) fn advance_anchors(
    anchors: &mut [Position],
    positions: &[(ShardId, Position)],
    mut stored_last: impl FnMut(ShardId) -> Result<Sequence, StoreError>,
) -> Result<bool, StoreError> {
    let mut has_moved = false;
    for &(shard, position) in positions {
        let (stated, last) = (position.sequence, stored_last(shard)?);
        if stated > last {
            return Err(StoreError::AnchorOutOfRange { shard, stated, last });
        }
        if let Some(anchor) = anchors.get_mut(usize::from(shard.0)).filter(|anchor| anchor.sequence < stated) {
            *anchor = position;
            has_moved = true;
        }
    }
    Ok(has_moved)
}

/// A snapshot covers no less than the newest one, and no more than what is durable.
pub(super) fn check_snapshot(
    shard: ShardId,
    stated: Sequence,
    newest: Sequence,
    last: Sequence,
) -> Result<(), StoreError> {
    if stated < newest || stated > last {
        return Err(StoreError::SnapshotOutOfRange { shard, stated, newest, last });
    }
    Ok(())
}

/// A base is behind the one before it, and covered by snapshot and anchor.
pub(super) fn check_base(
    shard: ShardId,
    stated: Sequence,
    base: Sequence,
    snapshot: Sequence,
    anchor: Sequence,
) -> Result<(), StoreError> {
    if stated <= base || stated > snapshot || stated > anchor {
        return Err(StoreError::BaseOutOfRange { shard, stated, base, snapshot, anchor });
    }
    Ok(())
}
