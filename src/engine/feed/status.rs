//! How the feed does, as others read it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicBool, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use crate::{journal::Sequence, kernel::ShardId};

/// The feed as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedStatus {
    /// Durable records that the followers have not been handed yet, over all shards.
    pub lag_records: u64,
    /// Events that were handed out since the start.
    pub events: u64,
    /// Whether everything that was durable at the start of the process has been handed out.
    pub caught_up: bool,
    /// Followers that still follow.
    pub followers: usize,
    /// Followers that panicked and are handed nothing more, by name.
    pub failed_followers: Vec<&'static str>,
    /// Why nothing more is handed out.
    pub failure: Option<String>,
}

/// What the feed's thread tells others.
#[derive(Debug)]
pub(super) struct FeedGauges {
    /// The next record of each shard.
    next: Vec<AtomicU64>,
    events: AtomicU64,
    is_caught_up: AtomicBool,
    followers: AtomicUsize,
    failed: Mutex<(Vec<&'static str>, Option<String>)>,
}

impl FeedGauges {
    pub(super) fn new(first: &[Sequence], followers: usize) -> FeedGauges {
        FeedGauges {
            next: first.iter().map(|sequence| AtomicU64::new(sequence.0)).collect(),
            events: AtomicU64::new(0),
            is_caught_up: AtomicBool::new(false),
            followers: AtomicUsize::new(followers),
            failed: Mutex::default(),
        }
    }

    /// The record after the last one of a shard that everybody was handed.
    pub(super) fn next(&self, shard: ShardId) -> Sequence {
        self.next.get(usize::from(shard.0)).map_or(Sequence(1), |next| Sequence(next.load(Acquire)))
    }

    pub(super) fn advance(&self, shard: ShardId, next: Sequence, events: u64) {
        if let Some(place) = self.next.get(usize::from(shard.0)) {
            place.store(next.0, Release);
        }
        self.events.fetch_add(events, Relaxed);
    }

    pub(super) fn catch_up(&self) {
        self.is_caught_up.store(true, Release);
    }

    pub(super) fn lose_follower(&self, name: &'static str) {
        self.followers.fetch_sub(1, Relaxed);
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).0.push(name);
    }

    pub(super) fn fail(&self, reason: String) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).1.get_or_insert(reason);
    }

    pub(super) fn read(&self, lag_records: u64) -> FeedStatus {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        FeedStatus {
            lag_records,
            events: self.events.load(Relaxed),
            caught_up: self.is_caught_up.load(Acquire),
            followers: self.followers.load(Relaxed),
            failed_followers: failed.0.clone(),
            failure: failed.1.clone(),
        }
    }
}
