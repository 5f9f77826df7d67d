//! What comes back? Every durable event, once, in the order of its shard, to whoever follows: read models, the audit, alerts, streams
//! to clients.
//!
//! One thread reads the journal behind the committer, so neither a worker nor the committer ever waits for a follower. It works at
//! leisure where payments are made and lags then; [`FeedStatus`] says by how much. Followers begin anew in each process, with the state
//! before the oldest event that the journal has. Whoever wants to go on where it stopped keeps a [`FeedCursor`] and reads from there.
//!
//! Deliberately absent: what is made of the events (`query`, `audit`), and any change of a shard.

mod cursor;
mod directory;
mod fact;
mod hold_book;
mod reader;
mod runner;
mod status;

pub use cursor::{FeedCursor, FeedCursorError, FeedPosition};
pub use directory::{FeedDirectory, FeedHold};
pub use fact::{Fact, Follower};
pub use reader::{Feed, FeedError, FeedSubscription, READ_EVENTS_MAX, SUBSCRIPTIONS_MAX};
pub(super) use runner::FeedRunner;
pub use runner::{FOLLOWERS_MAX, FollowError};
pub use status::FeedStatus;
