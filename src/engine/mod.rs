//! Who runs it? Workers own shards and decide; a committer makes what they decided durable; nobody waits for the other.
//!
//! An [`Engine`] recovers the shards of a store and makes one [`Worker`] for every thread that will run some of them. A worker is
//! passive: whoever owns its thread calls [`Worker::turn`], so the same code runs under plain threads ([`EngineThreads`]), inside
//! a server's own loop, or step by step in a simulation. What a turn decides is applied at once and handed to the committer's
//! thread, which gathers the turns of all workers into one commit. An answer leaves when what it rests on is durable, or
//! earlier where the agent's lease covers it; `docs/SEMANTICS.md` states that rule.
//!
//! Deliberately absent: rules about payments (the kernel's), bytes on a wire, and any asynchronous runtime.

mod answer;
mod archive;
mod clock;
mod committer;
mod denials;
mod directory;
#[expect(
    clippy::module_inception,
    reason = "the file answers what an engine is, and the folder is everything it is made of"
)]
mod engine;
mod feed;
mod lane;
mod lease;
mod mailbox;
mod observer;
mod options;
mod outbox;
mod recovery;
mod retention;
mod shard;
mod shared;
mod snapshot;
mod status;
mod threads;
mod turn;
mod worker;

pub use answer::{Answer, EngineError, Fault, Replies, Ticket};
pub use clock::{Clock, SystemClock};
pub use directory::AgentHandle;
#[cfg(any(test, feature = "testing"))]
pub use engine::Unthreaded;
pub use engine::{CALL_RETRIES_MAX, Engine, HistoryKept, SHUT_DOWN_WAIT_MAX};
pub use feed::{
    FOLLOWERS_MAX, Fact, Feed, FeedCursor, FeedCursorError, FeedDirectory, FeedError, FeedHold, FeedPosition,
    FeedStatus, FeedSubscription, FollowError, Follower, READ_EVENTS_MAX, SUBSCRIPTIONS_MAX,
};
pub use mailbox::Batch;
pub use observer::{NoObserver, Observer};
pub use options::{CommitOptions, EngineOptions, RetentionOptions, SnapshotOptions};
pub use recovery::OpenError;
pub use snapshot::{RebuildError, first_state};
pub use status::{CommitStatus, EngineStatus, ShardStatus, WorkerCounters, WorkerStatus};
pub use threads::EngineThreads;
pub use worker::{Turn, Worker, WorkerId};
