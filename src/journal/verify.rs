//! Proves a shard's journal from its first record to its last, and that its base and its snapshot belong to it.

use std::{io, ops::ControlFlow};

use thiserror::Error;

use super::{
    position::Position,
    replay::{GroupVisitor, ReplayError, Replayed, walk},
    snapshot::{read_base, read_snapshot},
    store::Store,
};
use crate::kernel::ShardId;

/// How many records pass between two calls of the progress callback.
const PROGRESS_RECORDS: u64 = 1024;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The journal itself: where it ends, how much it holds, and what was left by a write that was cut short.
    pub journal: Replayed,
    /// Where it begins: what was before is cut, and every byte of the state that it begins with was checked.
    pub begins_after: Position,
    /// What the newest snapshot covers, if there is one; every byte of it was checked.
    pub snapshot: Option<Position>,
    /// How many bytes the snapshot has.
    pub snapshot_bytes: u64,
}

/// Why a shard's journal does not hold.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The journal cannot be believed.
    #[error(transparent)]
    Journal(#[from] ReplayError),
    /// The state that the journal begins with cannot be believed.
    #[error("failed to read the base of shard {}: {source}", shard.0)]
    Base {
        /// The shard.
        shard: ShardId,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The snapshot cannot be believed.
    #[error("failed to read the snapshot of shard {}: {source}", shard.0)]
    Snapshot {
        /// The shard.
        shard: ShardId,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// Walks the whole journal of a shard, from its base on, and its newest snapshot. The visitor gets every group, so that the caller can replay
/// state and compare it; `progress` is told now and then how many records are done. Nothing is changed: a torn tail stays.
///
/// # Errors
/// [`VerifyError`], for the first thing that does not hold.
pub fn verify(
    store: &dyn Store,
    shard: ShardId,
    visit: &mut GroupVisitor<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<VerifyReport, VerifyError> {
    if let Some((_, mut base)) = read_base(store, shard).map_err(ReplayError::from)? {
        io::copy(&mut base, &mut io::sink()).map_err(|source| VerifyError::Base { shard, source })?;
    }
    let (snapshot, snapshot_bytes) = match read_snapshot(store, shard).map_err(ReplayError::from)? {
        Some((position, mut reader)) => {
            let copied = io::copy(&mut reader, &mut io::sink());
            (Some(position), copied.map_err(|source| VerifyError::Snapshot { shard, source })?)
        }
        None => (None, 0),
    };
    let mut passed = |position: Position| {
        if position.sequence.0.is_multiple_of(PROGRESS_RECORDS) {
            progress(position.sequence.0);
        }
        check_snapshot(shard, snapshot, position).map(ControlFlow::Continue)
    };
    let begins_after = store.begins_after(shard).map_err(ReplayError::from)?;
    let journal = walk(store, shard, begins_after, visit, &mut passed)?;
    progress(journal.records);
    match snapshot {
        Some(Position { sequence, .. }) if sequence > journal.end.sequence => {
            Err(ReplayError::BehindSnapshot { shard, sequence }.into())
        }
        _ => Ok(VerifyReport { journal, begins_after, snapshot, snapshot_bytes }),
    }
}

fn check_snapshot(shard: ShardId, snapshot: Option<Position>, passed: Position) -> Result<(), ReplayError> {
    match snapshot {
        Some(snapshot) if snapshot.sequence == passed.sequence && snapshot.chain != passed.chain => {
            Err(ReplayError::SnapshotMismatch { shard, sequence: passed.sequence })
        }
        _ => Ok(()),
    }
}
