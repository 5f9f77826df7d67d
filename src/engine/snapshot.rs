//! Writes a shard's state down now and then, so that recovery need not replay everything.
//!
//! It folds the durable journal into a state of its own, so the worker that serves the shard never stalls for it. Folding costs
//! what deciding costs without the rules, so it is done at leisure: see [`Pace`].

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Read, Write},
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use thiserror::Error;

use super::{
    retention::Extent,
    shared::{Shared, Standing},
};
use crate::{
    journal::{
        Position, ReplayError, Replayed, Sequence, SnapshotReader, Store, StoreError, codec::visit_events, read_base,
        read_snapshot, replay, replay_until, write_snapshot,
    },
    kernel::{self, ShardId, State, state::ImageError},
};

/// How many snapshots wait to be written.
pub(super) const SNAPSHOTS_WAITING_MAX: usize = 16;

/// How often is looked for history that became too old.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// How long a snapshot is worked on without a rest.
const STRETCH: Duration = Duration::from_micros(500);
/// How many times as long it rests then.
const REST_SHARE: u32 = 7;
/// How much of a state is written at a time.
pub(super) const WRITE_BYTES: usize = 16 * 1024;

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

/// The state of a shard as its whole journal tells it, from the newest snapshot on. `options` are those that a shard without
/// a record begins with.
pub(super) fn rebuild(
    store: &dyn Store,
    shard: ShardId,
    options: &kernel::Options,
) -> Result<(State, Replayed), RebuildError> {
    let (position, mut state) = begin(store, shard, options)?;
    let replayed = replay(store, shard, position, &mut |_, payload| {
        visit_events(payload, &mut |moment, event| state.apply(moment, &event))?;
        Ok(())
    })?;
    Ok((state, replayed))
}

/// The state before the first record that a shard's journal has, and where that is. `options` are those that a shard without a
/// record begins with.
///
/// # Errors
/// [`RebuildError`], when what the journal begins with cannot be read.
pub fn first_state(
    store: &dyn Store,
    shard: ShardId,
    options: &kernel::Options,
) -> Result<(Position, State), RebuildError> {
    let base = read_base(store, shard).map_err(ReplayError::from)?;
    Ok(load(shard, base)?.unwrap_or_else(|| (Position::START, State::new(options.clone()))))
}

/// The state that the newest snapshot is of, or an empty one.
fn begin(store: &dyn Store, shard: ShardId, options: &kernel::Options) -> Result<(Position, State), RebuildError> {
    let snapshot = read_snapshot(store, shard).map_err(ReplayError::from)?;
    Ok(load(shard, snapshot)?.unwrap_or_else(|| (Position::START, State::new(options.clone()))))
}

fn load(
    shard: ShardId,
    stored: Option<(Position, SnapshotReader<'_>)>,
) -> Result<Option<(Position, State)>, RebuildError> {
    let Some((position, mut reader)) = stored else { return Ok(None) };
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
    #[error("the journal of shard {} was durable up to record {}, but reads back only up to {}", shard.0, durable.0, read.0)]
    Short { shard: ShardId, durable: Sequence, read: Sequence },
    #[error("failed to read history: {0}")]
    History(String),
    #[error("failed to write a snapshot: {0}")]
    Write(#[from] io::Error),
}

/// Writes the snapshots that the committer asks for.
pub(super) struct Snapshotter {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn Store>,
    asked: Receiver<(ShardId, Position)>,
    /// What is known of the history of each shard.
    pub(super) extents: Mutex<BTreeMap<ShardId, Extent>>,
}

impl Snapshotter {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<dyn Store>, asked: Receiver<(ShardId, Position)>) -> Snapshotter {
        Snapshotter { shared, store, asked, extents: Mutex::default() }
    }

    /// Writes until the committer is gone. What is still asked for when the engine stops is left to the next recovery.
    pub(super) fn run(self) {
        loop {
            match self.asked.recv_timeout(RETENTION_INTERVAL) {
                Err(RecvTimeoutError::Disconnected) => return,
                _ if self.shared.standing() != Standing::Open => {}
                Ok((shard, position)) => self.with_pace(|rest| {
                    self.write(shard, position, rest);
                    self.retain(shard, rest);
                }),
                Err(RecvTimeoutError::Timeout) => {
                    self.with_pace(|rest| self.shared.shard_ids().for_each(|shard| self.retain(shard, rest)));
                }
            }
        }
    }

    fn with_pace(&self, work: impl FnOnce(&mut dyn FnMut())) {
        let mut pace = Pace { begun: Instant::now(), asked: &self.asked, shared: &self.shared };
        work(&mut || pace.rest());
    }

    /// Cuts what there is too much of in every shard.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn retain_all(&self) {
        self.shared.shard_ids().for_each(|shard| self.retain(shard, &mut || {}));
    }

    /// Writes what was asked for until now.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn write_asked(&self) {
        while let Ok((shard, position)) = self.asked.try_recv() {
            self.write(shard, position, &mut || {});
        }
    }

    fn write(&self, shard: ShardId, position: Position, rest: &mut dyn FnMut()) {
        let commits = &self.shared.commits;
        match self.snapshot(shard, position, rest) {
            Ok(()) => {
                self.shared.gauges(shard).snapshot.store(position.sequence.0, Ordering::Relaxed);
                commits.snapshots.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                commits.count_failed_snapshot(error.to_string());
            }
        }
    }

    /// How far the newest snapshot of a shard goes.
    pub(super) fn covered(&self, shard: ShardId) -> Result<Sequence, SnapshotError> {
        Ok(self.store.snapshot(shard)?.map_or(Sequence::NONE, |snapshot| snapshot.position.sequence))
    }

    /// Writes a snapshot of everything that is durable.
    pub(super) fn snapshot_of_all(&self, shard: ShardId, rest: &mut dyn FnMut()) -> Result<(), SnapshotError> {
        let (position, state) = self.fold(shard, self.shared.durable(shard), rest)?;
        self.write_state(shard, position, &state, rest)?;
        self.shared.gauges(shard).snapshot.store(position.sequence.0, Ordering::Relaxed);
        self.shared.commits.snapshots.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn snapshot(&self, shard: ShardId, position: Position, rest: &mut dyn FnMut()) -> Result<(), SnapshotError> {
        // One that was written beyond it meanwhile does as well.
        if self.covered(shard)? > position.sequence {
            return Ok(());
        }
        let (end, state) = self.fold(shard, position.sequence, rest)?;
        if end != position {
            return Err(SnapshotError::Short { shard, durable: position.sequence, read: end.sequence });
        }
        self.write_state(shard, position, &state, rest)
    }

    fn write_state(
        &self,
        shard: ShardId,
        position: Position,
        state: &State,
        rest: &mut dyn FnMut(),
    ) -> Result<(), SnapshotError> {
        let writer = Resting { writer: write_snapshot(&*self.store, shard, position)?, rest };
        let mut writer = BufWriter::with_capacity(WRITE_BYTES, writer);
        state.write_image(&mut writer)?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.writer.finish()?;
        Ok(self.store.anchor(&[(shard, position)])?)
    }

    /// The state after `end`, which ends a group, and where that is.
    fn fold(&self, shard: ShardId, end: Sequence, rest: &mut dyn FnMut()) -> Result<(Position, State), SnapshotError> {
        let (start, mut state) = begin(&*self.store, shard, &self.shared.options.kernel)?;
        let replayed = replay_until(&*self.store, shard, start, end, &mut |_, payload| {
            visit_events(payload, &mut |moment, event| state.apply(moment, &event))?;
            rest();
            Ok(())
        })
        .map_err(RebuildError::from)?;
        if replayed.end.sequence != end {
            return Err(SnapshotError::Short { shard, durable: end, read: replayed.end.sequence });
        }
        Ok((replayed.end, state))
    }
}

/// Keeps a snapshot from taking the processor from the workers: it works in short stretches, and rests seven times as long after
/// each. It rests less where others wait, so that recovery never has too much to replay.
struct Pace<'a> {
    /// The stretch.
    begun: Instant,
    asked: &'a Receiver<(ShardId, Position)>,
    shared: &'a Shared,
}

impl Pace<'_> {
    fn rest(&mut self) {
        let worked = self.begun.elapsed();
        if worked >= STRETCH && self.shared.standing() == Standing::Open {
            thread::sleep(rest_after(worked, self.asked.len()));
            self.begun = Instant::now();
        }
    }
}

fn rest_after(worked: Duration, waiting: usize) -> Duration {
    worked * (REST_SHARE >> waiting.min(SNAPSHOTS_WAITING_MAX))
}

/// Rests after each piece it has written.
pub(super) struct Resting<'r, W> {
    pub(super) writer: W,
    pub(super) rest: &'r mut dyn FnMut(),
}

impl<W: Write> Write for Resting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes);
        (self.rest)();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_wait_the_less_it_rests() {
        for (waiting, expected_us) in [(0, 3500), (1, 1500), (2, 500), (3, 0), (SNAPSHOTS_WAITING_MAX, 0), (1000, 0)] {
            assert_eq!(rest_after(STRETCH, waiting), Duration::from_micros(expected_us), "{waiting} wait");
        }
    }
}
