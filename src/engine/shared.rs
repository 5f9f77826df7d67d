//! What every part of one engine sees: options, gauges, the lanes of the workers, and whether the engine still serves.

use std::{
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering, fence},
    },
    time::{Duration, Instant},
};

use crossbeam::sync::Unparker;

use super::{
    clock::Clock,
    directory::Directory,
    lane::Lane,
    observer::Observer,
    options::EngineOptions,
    status::{CommitGauges, ShardGauges},
    worker::WorkerId,
};
use crate::{journal::Sequence, kernel::ShardId};

/// Whether the engine serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    Open = 0,
    /// It shuts down, or has.
    Stopping = 1,
    /// A commit failed: nobody knows what is durable until a recovery finds out.
    Failed = 2,
}

/// Who reads history. Its lock is held while a base is published and while somebody begins to read.
#[derive(Debug, Default)]
pub(super) struct History {
    pub readers: usize,
}

/// One engine, as its threads share it.
pub(super) struct Shared {
    pub options: EngineOptions,
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
    pub directory: Directory,
    pub lanes: Vec<Lane>,
    pub shards: Vec<ShardGauges>,
    pub commits: CommitGauges,
    pub bell: Bell,
    /// Wakes the thread that hands events out, if there is one.
    pub feed_bell: OnceLock<Unparker>,
    /// Who reads history, which is not cut meanwhile.
    pub history: Mutex<History>,
    /// Why the engine failed.
    pub failure: OnceLock<String>,
    backlog_bytes: AtomicUsize,
    standing: AtomicU8,
    /// Whether the committer may end: no worker hands anything over any more.
    is_closed: AtomicBool,
    /// How many workers have let their shards go.
    workers_over: Mutex<usize>,
    worker_is_over: Condvar,
}

impl Shared {
    pub(super) fn new(
        options: EngineOptions,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        directory: Directory,
        lanes: Vec<Lane>,
        shards: Vec<ShardGauges>,
        unparker: Unparker,
    ) -> Shared {
        Shared {
            options,
            clock,
            observer,
            directory,
            lanes,
            shards,
            commits: CommitGauges::default(),
            bell: Bell { phase: AtomicU8::new(Phase::Busy as u8), unparker },
            feed_bell: OnceLock::new(),
            history: Mutex::default(),
            failure: OnceLock::new(),
            backlog_bytes: AtomicUsize::new(0),
            standing: AtomicU8::new(Standing::Open as u8),
            is_closed: AtomicBool::new(false),
            workers_over: Mutex::new(0),
            worker_is_over: Condvar::new(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Open,
            1 => Standing::Stopping,
            _ => Standing::Failed,
        }
    }

    /// The engine never serves again; whoever waits for something learns it.
    pub(super) fn end(&self, standing: Standing) {
        self.standing.fetch_max(standing as u8, Ordering::AcqRel);
        self.lanes.iter().for_each(|lane| lane.waker().wake());
        self.bell.unparker.unpark();
        self.ring_feed();
    }

    /// Lets the committer end when nothing waits for it.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.bell.unparker.unpark();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(super) fn worker_of(&self, shard: ShardId) -> WorkerId {
        let workers = u16::try_from(self.lanes.len()).unwrap_or(u16::MAX);
        WorkerId(shard.0 % workers.max(1))
    }

    pub(super) fn lane(&self, worker: WorkerId) -> &Lane {
        &self.lanes[usize::from(worker.0)]
    }

    pub(super) fn gauges(&self, shard: ShardId) -> &ShardGauges {
        &self.shards[usize::from(shard.0)]
    }

    /// The last durable record of a shard.
    pub(super) fn durable(&self, shard: ShardId) -> Sequence {
        Sequence(self.gauges(shard).durable.load(Ordering::Acquire))
    }

    pub(super) fn shard_ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..u16::try_from(self.shards.len()).unwrap_or(u16::MAX)).map(ShardId)
    }

    /// Requests that were decided since the start.
    pub(super) fn decisions(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.counters.read().decisions).sum()
    }

    pub(super) fn backlog_bytes(&self) -> usize {
        self.backlog_bytes.load(Ordering::Acquire)
    }

    pub(super) fn add_backlog(&self, bytes: usize) {
        self.backlog_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove_backlog(&self, bytes: usize) {
        self.backlog_bytes.fetch_sub(bytes, Ordering::Release);
    }

    /// A turn was handed over: the committer is woken if it would not see it in time.
    pub(super) fn ring(&self) {
        self.bell.ring(self.backlog_bytes() >= self.options.commit.bytes_max);
    }

    /// Something became durable.
    pub(super) fn ring_feed(&self) {
        if let Some(feed) = self.feed_bell.get() {
            feed.unpark();
        }
    }

    pub(super) fn worker_over(&self) {
        *self.workers_over.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.worker_is_over.notify_all();
    }

    /// Waits until every worker has let its shards go, at most until `deadline`; says whether they have.
    pub(super) fn wait_for_workers(&self, deadline: Instant) -> bool {
        let over = self.workers_over.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let (over, _) = self
            .worker_is_over
            .wait_timeout_while(over, wait, |over| *over < self.lanes.len())
            .unwrap_or_else(PoisonError::into_inner);
        *over >= self.lanes.len()
    }
}

/// What the committer is doing, as far as a worker needs to know in order not to wake it in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It looks at the lanes before it sleeps.
    Busy = 0,
    /// It sleeps until the oldest turn has waited long enough; only much to commit wakes it earlier.
    Pacing = 1,
    /// It sleeps until there is a turn.
    Idle = 2,
}

/// Wakes the committer.
pub(super) struct Bell {
    phase: AtomicU8,
    unparker: Unparker,
}

impl Bell {
    /// The committer is about to sleep and looks at the lanes once more after this call.
    pub(super) fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
        // Either the committer sees the turn that a worker handed over before, or the worker sees the phase after.
        fence(Ordering::SeqCst);
    }

    fn ring(&self, is_much: bool) {
        fence(Ordering::SeqCst);
        let phase = self.phase.load(Ordering::SeqCst);
        let is_heard = phase == Phase::Idle as u8 || (is_much && phase == Phase::Pacing as u8);
        if is_heard && self.phase.compare_exchange(phase, Phase::Busy as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        {
            self.unparker.unpark();
        }
    }
}
