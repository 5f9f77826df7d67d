//! What an operator may set about the engine, and the named maxima that are not theirs to set.

use std::path::PathBuf;

use crate::{
    journal::GROUP_BYTES_MAX,
    kernel::{self, Duration, policy::PolicySource},
};

/// How an engine runs. What decisions depend on is in `kernel` and is journalled.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The number of shards of a new data directory, 1 to 65 535. An existing one keeps its own.
    pub shards: u16,
    /// How many workers share the shards, at least 1; no more than there are shards are made.
    pub workers: u16,
    /// What decisions depend on.
    pub kernel: kernel::Options,
    /// When decisions become durable.
    pub commit: CommitOptions,
    /// How many batches wait for a worker at most.
    pub mailbox_batches_max: usize,
    /// How many requests a batch has at most.
    pub batch_requests_max: usize,
    /// How often a shard's state is written down, so that recovery need not replay everything.
    pub snapshot: SnapshotOptions,
    /// How much of the past is kept.
    pub retention: RetentionOptions,
}

/// When decisions become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitOptions {
    /// A commit begins when the oldest turn has waited this long, in microseconds. Committing without a pause would take the
    /// processor from the workers.
    pub interval_us: u32,
    /// A commit begins early when this many bytes are gathered; at most [`GROUP_BYTES_MAX`].
    pub bytes_max: usize,
    /// New requests are refused as overloaded while more bytes than this are decided and not durable.
    pub backlog_bytes_max: usize,
}

/// How often a shard's state is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// After this many bytes of a shard's journal since the last time.
    pub journal_bytes: u64,
}

/// How much of the past is kept: everything, unless it says otherwise. What a shard knows is kept in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionOptions {
    /// What is older than this is cut, a sixteenth of it later at most.
    pub age_max: Option<Duration>,
    /// When the journals have more bytes than this, the oldest part is cut; each shard has an equal share of them.
    pub bytes_max: Option<u64>,
    /// What is cut is written to files in this directory first.
    pub export_dir: Option<PathBuf>,
}

impl RetentionOptions {
    /// Whether anything is ever cut.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.age_max.is_some() || self.bytes_max.is_some()
    }
}

impl EngineOptions {
    /// The documented defaults around the policy of agents without any.
    #[must_use]
    pub fn new(default_policy: PolicySource) -> EngineOptions {
        EngineOptions {
            shards: 8,
            workers: 2,
            kernel: kernel::Options::new(default_policy),
            commit: CommitOptions::default(),
            mailbox_batches_max: 1024,
            batch_requests_max: 4096,
            snapshot: SnapshotOptions::default(),
            retention: RetentionOptions::default(),
        }
    }
}

impl Default for CommitOptions {
    fn default() -> Self {
        CommitOptions { interval_us: 3000, bytes_max: 512 * 1024, backlog_bytes_max: 64 * 1024 * 1024 }
    }
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        SnapshotOptions { journal_bytes: 64 * 1024 * 1024 }
    }
}

/// A turn is handed over when its events have this many bytes, even in the middle of a run of requests.
pub(super) const TURN_BYTES_MAX: usize = 256 * 1024;

/// The events of one request have at most this many bytes; what would have more is refused. Only a policy can be so large.
pub(super) const REQUEST_EVENTS_BYTES_MAX: usize = 256 * 1024;

/// How many turns of a worker wait for the committer; further ones wait with the worker.
pub(super) const HANDOFF_TURNS_MAX: usize = 1024;

/// How many emptied turns are kept for use again, and the most memory that each may keep.
pub(super) const SPARE_TURNS_MAX: usize = 64;
/// See [`SPARE_TURNS_MAX`].
pub(super) const SPARE_TURN_BYTES_MAX: usize = 2 * TURN_BYTES_MAX;

/// How many answers a worker holds back at most until they are durable; beyond it, requests are refused as overloaded.
/// Events bound the answers that changed something by the backlog already; reads have none.
pub(super) const HELD_REPLIES_MAX: usize = 1 << 20;

// The largest turn, with a header for each of its sections, must fit into one group even if one shard has all of it.
const _: () = assert!(2 * (TURN_BYTES_MAX + REQUEST_EVENTS_BYTES_MAX) <= GROUP_BYTES_MAX);
