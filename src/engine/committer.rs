//! Makes turns durable: gathers what the workers handed over, commits it in one go, and tells them.
//!
//! It has a thread of its own and no worker ever waits for it. A commit that fails is never tried again, because a second
//! flush may succeed without the data of the first: the whole engine stops serving and comes back through recovery.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crossbeam::{channel::Sender, sync::Parker};

use super::{
    shared::{Phase, Shared, Standing},
    turn::{TurnNumber, TurnRecord},
    worker::WorkerId,
};
use crate::{
    journal::{CommitError, Durable, GROUP_BYTES_MAX, Group, Journal, Position},
    kernel::ShardId,
};

/// The longest sleep without a look at the lanes.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Owns the journal's writer.
pub(super) struct Committer {
    shared: Arc<Shared>,
    journal: Journal,
    parker: Parker,
    /// What is gathered for the next commit, by shard.
    payloads: Vec<Vec<u8>>,
    gathered_bytes: usize,
    /// The last turn of each worker that is gathered.
    newest: Vec<TurnNumber>,
    /// When the oldest gathered turn was handed over.
    waits_since: Option<Instant>,
    /// A turn that did not fit into the commit before.
    carried: Option<(WorkerId, TurnRecord)>,
    /// The lane to look at first, so that a busy one does not starve the others.
    first_lane: u16,
    /// How many bytes each shard's journal grew since its last snapshot was asked for.
    grown_bytes: Vec<u64>,
    snapshots: Sender<(ShardId, Position)>,
}

impl Committer {
    pub(super) fn new(
        shared: Arc<Shared>,
        journal: Journal,
        parker: Parker,
        grown_bytes: Vec<u64>,
        snapshots: Sender<(ShardId, Position)>,
    ) -> Committer {
        Committer {
            journal,
            parker,
            payloads: vec![Vec::new(); shared.shards.len()],
            gathered_bytes: 0,
            newest: vec![TurnNumber::NONE; shared.lanes.len()],
            waits_since: None,
            carried: None,
            first_lane: 0,
            grown_bytes,
            snapshots,
            shared,
        }
    }

    /// Commits until the engine ends. What was handed over before is still committed, and anchored when all shards are let go.
    pub(super) fn run(mut self) {
        while self.shared.standing() != Standing::Failed {
            self.gather();
            match self.waits_since {
                Some(_) if self.is_due(Instant::now()) => self.commit(),
                Some(since) => self.pace(since),
                None if self.shared.is_closed() => break,
                None => self.idle(),
            }
        }
        if self.shared.standing() != Standing::Failed {
            self.anchor();
        }
    }

    /// Keeps how far every shard is durable, now that nothing more will be. Where that fails an older anchor stays, so
    /// nothing is lost but proof; the status says so.
    pub(super) fn anchor(&self) {
        if let Err(error) = self.journal.anchor() {
            let _ = self.shared.failure.set(error.to_string());
        }
    }

    /// Takes turns from the lanes, one of each in turn, while they fit into one commit.
    pub(super) fn gather(&mut self) {
        if let Some((worker, record)) = self.carried.take() {
            self.take(worker, record);
        }
        let lanes = u16::try_from(self.shared.lanes.len()).expect("workers have numbers of 16 bits");
        let mut empty_lanes = 0;
        while empty_lanes < lanes && self.carried.is_none() && !self.is_full() {
            let worker = WorkerId(self.first_lane);
            self.first_lane = (self.first_lane + 1) % lanes;
            match self.shared.lane(worker).take_turn() {
                Some(record) => {
                    empty_lanes = 0;
                    self.take(worker, record);
                }
                None => empty_lanes += 1,
            }
        }
    }

    /// Makes what is gathered durable, and tells the workers.
    pub(super) fn commit(&mut self) {
        self.waits_since = None;
        if self.gathered_bytes == 0 {
            return;
        }
        let begun = Instant::now();
        match self.write() {
            Ok(durable) => {
                let duration_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.shared.commits.count_commit(self.gathered_bytes, duration_us);
                self.publish(&durable);
            }
            Err(error) => {
                // The first reason stands; what comes after it follows from it.
                let _ = self.shared.failure.set(error.to_string());
                self.shared.end(Standing::Failed);
            }
        }
    }

    /// Whether anything is gathered.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn has_gathered(&self) -> bool {
        self.gathered_bytes > 0
    }

    fn take(&mut self, worker: WorkerId, record: TurnRecord) {
        if self.gathered_bytes + record.bytes() > GROUP_BYTES_MAX {
            self.carried = Some((worker, record));
            return;
        }
        for (shard, section) in record.sections() {
            self.payloads[usize::from(shard.0)].extend_from_slice(section);
        }
        self.gathered_bytes += record.bytes();
        self.newest[usize::from(worker.0)] = record.number;
        self.waits_since =
            Some(self.waits_since.map_or(record.handed_over_at, |since| since.min(record.handed_over_at)));
        self.shared.lane(worker).give_back(record);
    }

    fn is_full(&self) -> bool {
        self.gathered_bytes >= self.shared.options.commit.bytes_max.min(GROUP_BYTES_MAX)
    }

    fn is_due(&self, now: Instant) -> bool {
        let is_ending = self.shared.standing() != Standing::Open;
        is_ending
            || self.is_full()
            || self.carried.is_some()
            || self.waits_since.is_some_and(|since| now >= since + self.interval())
    }

    fn interval(&self) -> Duration {
        Duration::from_micros(u64::from(self.shared.options.commit.interval_us))
    }

    /// Sleeps until the oldest turn has waited long enough, or there is much to commit.
    fn pace(&self, since: Instant) {
        self.shared.bell.set(Phase::Pacing);
        if self.shared.backlog_bytes() < self.shared.options.commit.bytes_max {
            self.parker.park_deadline(since + self.interval());
        }
        self.shared.bell.set(Phase::Busy);
    }

    /// Sleeps until there is a turn.
    fn idle(&self) {
        self.shared.bell.set(Phase::Idle);
        if !self.shared.lanes.iter().any(super::lane::Lane::has_turns) {
            self.parker.park_timeout(SLEEP_MAX);
        }
        self.shared.bell.set(Phase::Busy);
    }

    fn write(&mut self) -> Result<Vec<Durable>, CommitError> {
        let groups: Vec<Group<'_>> = (0..)
            .zip(&self.payloads)
            .filter(|(_, payload)| !payload.is_empty())
            .map(|(shard, payload)| Group { shard: ShardId(shard), payload })
            .collect();
        self.journal.commit(&groups)
    }

    /// Says how far the shards are durable, and tells the workers, for whom answers wait: whoever has an answer finds what it rests on.
    fn publish(&mut self, durable: &[Durable]) {
        for Durable { shard, position } in durable {
            self.shared.gauges(*shard).durable.store(position.sequence.0, Ordering::Release);
        }
        for (lane, newest) in self.shared.lanes.iter().zip(&self.newest) {
            if lane.durable() < *newest {
                lane.set_durable(*newest);
                lane.waker().wake();
            }
        }
        // Last: whoever sees that nothing waits for the disk finds what has become durable.
        self.shared.remove_backlog(self.gathered_bytes);
        self.gathered_bytes = 0;
        for Durable { shard, position } in durable {
            self.grow(*shard, *position);
        }
        self.shared.ring_feed();
    }

    /// Counts what a shard's journal grew by, and asks for a snapshot when it is much.
    fn grow(&mut self, shard: ShardId, position: Position) {
        let place = usize::from(shard.0);
        self.grown_bytes[place] += self.payloads[place].len() as u64;
        self.payloads[place].clear();
        let is_much = self.grown_bytes[place] >= self.shared.options.snapshot.journal_bytes;
        if is_much && self.snapshots.try_send((shard, position)).is_ok() {
            self.grown_bytes[place] = 0;
        }
    }
}

impl Drop for Committer {
    /// Without a committer nothing becomes durable any more: whether it ended or panicked, nobody must wait for it.
    fn drop(&mut self) {
        let standing = if std::thread::panicking() { Standing::Failed } else { Standing::Stopping };
        self.shared.end(standing);
    }
}
