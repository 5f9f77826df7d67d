//! What the engine counts, and how it is read while it runs.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::{feed::FeedStatus, worker::WorkerId};
use crate::{journal::Sequence, kernel::ShardId};

/// How an engine does, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineStatus {
    /// Each shard, by its number.
    pub shards: Vec<ShardStatus>,
    /// Each worker, by its number.
    pub workers: Vec<WorkerStatus>,
    /// The committer.
    pub commits: CommitStatus,
    /// Whether a commit failed: every shard then answers `unavailable` until the process is started anew.
    pub failed: bool,
    /// Why it failed; or, after a shutdown, why it could not keep how far the journal is durable.
    pub failure: Option<String>,
    /// Whether the engine shuts down or has.
    pub stopping: bool,
    /// How often the system's clock was set, and was not followed.
    pub clock_steps: u64,
    /// What the followers are handed; absent where nobody follows.
    pub feed: Option<FeedStatus>,
}

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardStatus {
    /// The shard.
    pub shard: ShardId,
    /// Who runs it.
    pub worker: WorkerId,
    /// Its last durable record.
    pub durable: Sequence,
    /// The record that its newest snapshot of this process ends with.
    pub snapshot: Sequence,
    /// The last record that was cut from its journal, or may be; zero where nothing was.
    pub base: Sequence,
    /// How many agents live in it.
    pub agents: u64,
    /// Whether it stopped after a bug: it answers `unavailable` until the process is started anew.
    pub poisoned: bool,
}

/// One worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The worker.
    pub worker: WorkerId,
    /// What it did since the start.
    pub counters: WorkerCounters,
    /// How many batches wait for it.
    pub mailbox_batches: usize,
}

/// What a worker did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounters {
    /// Requests that were decided, reads included.
    pub decisions: u64,
    /// Payments that were approved.
    pub approvals: u64,
    /// Of those, how many were answered under the lease, before they were durable.
    pub leased: u64,
    /// Payments that were denied.
    pub denials: u64,
    /// Requests that were wrong.
    pub failures: u64,
    /// Answers that waited for a commit.
    pub waited: u64,
    /// Requests that were refused because of load.
    pub overloaded: u64,
    /// Requests that were refused because their shard is not available.
    pub unavailable: u64,
    /// Alerts that were raised; what joined one is not counted.
    pub alerts: u64,
    /// Agents that were frozen, by themselves or by operators.
    pub freezes: u64,
}

/// The committer since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitStatus {
    /// Commits.
    pub commits: u64,
    /// Bytes of events that were committed.
    pub bytes: u64,
    /// How long commits took: how many took less than 2^i microseconds and at least half of that, for each i; the last
    /// one counts all longer ones, too.
    pub durations: [u64; DURATION_CLASSES],
    /// Snapshots that were written.
    pub snapshots: u64,
    /// Snapshots that failed; recovery then replays from an older one.
    pub snapshots_failed: u64,
    /// Why the last of those failed.
    pub snapshot_failure: Option<String>,
    /// How often history was cut.
    pub cuts: u64,
    /// How often it could not be; it is tried again.
    pub cuts_failed: u64,
    /// Why the last of those failed.
    pub cut_failure: Option<String>,
    /// Bytes of events that are decided and not durable.
    pub backlog_bytes: u64,
}

/// Classes of commit durations; the last begins at 2^22 microseconds, four seconds.
pub(super) const DURATION_CLASSES: usize = 24;

/// The worker's counters as others read them.
#[derive(Debug, Default)]
pub(super) struct CounterGauges {
    decisions: AtomicU64,
    approvals: AtomicU64,
    leased: AtomicU64,
    denials: AtomicU64,
    failures: AtomicU64,
    waited: AtomicU64,
    overloaded: AtomicU64,
    unavailable: AtomicU64,
    alerts: AtomicU64,
    freezes: AtomicU64,
}

impl CounterGauges {
    pub(super) fn publish(&self, counters: &WorkerCounters) {
        self.decisions.store(counters.decisions, Relaxed);
        self.approvals.store(counters.approvals, Relaxed);
        self.leased.store(counters.leased, Relaxed);
        self.denials.store(counters.denials, Relaxed);
        self.failures.store(counters.failures, Relaxed);
        self.waited.store(counters.waited, Relaxed);
        self.overloaded.store(counters.overloaded, Relaxed);
        self.unavailable.store(counters.unavailable, Relaxed);
        self.alerts.store(counters.alerts, Relaxed);
        self.freezes.store(counters.freezes, Relaxed);
    }

    pub(super) fn read(&self) -> WorkerCounters {
        WorkerCounters {
            decisions: self.decisions.load(Relaxed),
            approvals: self.approvals.load(Relaxed),
            leased: self.leased.load(Relaxed),
            denials: self.denials.load(Relaxed),
            failures: self.failures.load(Relaxed),
            waited: self.waited.load(Relaxed),
            overloaded: self.overloaded.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            alerts: self.alerts.load(Relaxed),
            freezes: self.freezes.load(Relaxed),
        }
    }
}

/// What others read of a shard.
#[derive(Debug, Default)]
pub(super) struct ShardGauges {
    pub durable: AtomicU64,
    pub snapshot: AtomicU64,
    pub base: AtomicU64,
    /// The last record that every follower was handed; [`u64::MAX`] where nobody follows.
    pub handed_out: AtomicU64,
    pub agents: AtomicU64,
    pub is_poisoned: AtomicBool,
}

/// What others read of the committer and of the thread that writes snapshots.
#[derive(Debug, Default)]
pub(super) struct CommitGauges {
    commits: AtomicU64,
    bytes: AtomicU64,
    durations: [AtomicU64; DURATION_CLASSES],
    pub snapshots: AtomicU64,
    snapshots_failed: AtomicU64,
    snapshot_failure: Mutex<Option<String>>,
    pub cuts: AtomicU64,
    cuts_failed: AtomicU64,
    cut_failure: Mutex<Option<String>>,
}

impl CommitGauges {
    pub(super) fn count_commit(&self, bytes: usize, duration_us: u64) {
        let class = (u64::BITS - duration_us.leading_zeros()) as usize;
        self.durations[class.min(DURATION_CLASSES - 1)].fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.commits.fetch_add(1, Relaxed);
    }

    pub(super) fn count_failed_snapshot(&self, reason: String) {
        self.snapshots_failed.fetch_add(1, Relaxed);
        *self.snapshot_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(super) fn count_failed_cut(&self, reason: String) {
        self.cuts_failed.fetch_add(1, Relaxed);
        *self.cut_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(super) fn read(&self, backlog_bytes: usize) -> CommitStatus {
        CommitStatus {
            commits: self.commits.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            durations: std::array::from_fn(|class| self.durations[class].load(Relaxed)),
            snapshots: self.snapshots.load(Relaxed),
            snapshots_failed: self.snapshots_failed.load(Relaxed),
            snapshot_failure: self.snapshot_failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            cuts: self.cuts.load(Relaxed),
            cuts_failed: self.cuts_failed.load(Relaxed),
            cut_failure: self.cut_failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            backlog_bytes: backlog_bytes as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_durations_are_classed_by_powers_of_two() {
        let gauges = CommitGauges::default();
        for duration_us in [0, 1, 2, 3, 4, 1000, u64::MAX] {
            gauges.count_commit(10, duration_us);
        }
        let status = gauges.read(5);
        assert_eq!((status.commits, status.bytes, status.backlog_bytes), (7, 70, 5));
        let classes: Vec<usize> = (0..DURATION_CLASSES).filter(|class| status.durations[*class] > 0).collect();
        assert_eq!(classes, [0, 1, 2, 3, 10, DURATION_CLASSES - 1]);
        assert_eq!(status.durations[2], 2);
    }
}
