//! Writes a shard's state down now and then, so that recovery need not replay everything.
//!
//! It folds the durable journal into a state of its own, so the worker that serves the shard never stalls for it.

use std::{
    io::{self, Read, Write},
    sync::{Arc, atomic::Ordering},
};

use crossbeam::channel::Receiver;
use thiserror::Error;

use super::shared::Shared;
use crate::{
    journal::{
        Position, ReplayError, Replayed, Sequence, Store, StoreError, codec::visit_events, read_snapshot, replay,
        write_snapshot,
    },
    kernel::{self, ShardId, State, state::ImageError},
};

/// How many snapshots wait to be written.
pub(super) const SNAPSHOTS_WAITING_MAX: usize = 16;

/// Why the state of a shard cannot be rebuilt from its store.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// The journal cannot be believed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The snapshot cannot be read.
    #[error("failed to read the snapshot of shard {}: {source}", shard.0)]
    Read {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        source: io::Error,
    },
    /// The snapshot is not a state.
    #[error("the snapshot of shard {} is not a state of this version: {source}", shard.0)]
    Image {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        source: ImageError,
    },
}

/// The state of a shard as its journal tells it, from the newest snapshot on, up to and including record `end`, which ends
/// a group. `options` are those that a shard without a record begins with.
pub(super) fn rebuild(
    store: &dyn Store,
    shard: ShardId,
    options: &kernel::Options,
    end: Option<Sequence>,
) -> Result<(State, Replayed), RebuildError> {
    let (position, mut state) = load(store, shard)?.unwrap_or_else(|| (Position::START, State::new(options.clone())));
    let replayed = replay(store, shard, position, &mut |sequence, payload| {
        if end.is_none_or(|end| sequence <= end) {
            visit_events(payload, &mut |moment, event| state.apply(moment, &event))?;
        }
        Ok(())
    })?;
    Ok((state, replayed))
}

fn load(store: &dyn Store, shard: ShardId) -> Result<Option<(Position, State)>, RebuildError> {
    let Some((position, mut reader)) = read_snapshot(store, shard).map_err(ReplayError::from)? else { return Ok(None) };
    let mut image = Vec::new();
    reader.read_to_end(&mut image).map_err(|source| RebuildError::Read { shard, source })?;
    let state = State::from_image(&image).map_err(|source| RebuildError::Image { shard, source })?;
    Ok(Some((position, state)))
}

/// Why a snapshot was not written. Nothing is lost: recovery replays from the one before.
#[derive(Debug, Error)]
pub(super) enum SnapshotError {
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to write a snapshot: {0}")]
    Write(#[from] io::Error),
}

/// Writes the snapshots that the committer asks for.
pub(super) struct Snapshotter {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    asked: Receiver<(ShardId, Position)>,
}

impl Snapshotter {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<dyn Store>, asked: Receiver<(ShardId, Position)>) -> Snapshotter {
        Snapshotter { shared, store, asked }
    }

    /// Writes until the committer is gone.
    pub(super) fn run(self) {
        while let Ok((shard, position)) = self.asked.recv() {
            self.write(shard, position);
        }
    }

    /// Writes what was asked for until now.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn write_asked(&self) {
        while let Ok((shard, position)) = self.asked.try_recv() {
            self.write(shard, position);
        }
    }

    fn write(&self, shard: ShardId, position: Position) {
        let commits = &self.shared.commits;
        match self.snapshot(shard, position) {
            Ok(()) => {
                self.shared.gauges(shard).snapshot.store(position.sequence.0, Ordering::Relaxed);
                commits.snapshots.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                commits.count_failed_snapshot(error.to_string());
            }
        }
    }

    fn snapshot(&self, shard: ShardId, position: Position) -> Result<(), SnapshotError> {
        let options = &self.shared.options.kernel;
        let (state, _) = rebuild(&*self.store, shard, options, Some(position.sequence))?;
        let mut writer = write_snapshot(&*self.store, shard, position)?;
        writer.write_all(&state.image())?;
        writer.finish()?;
        Ok(self.store.anchor(&[(shard, position)])?)
    }
}
