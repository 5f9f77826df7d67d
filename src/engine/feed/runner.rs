//! The thread that hands events to the followers.
//!
//! It works in short stretches and rests after each, longer while payments are made, so that it never takes a processor from the
//! workers; what it is behind then, it makes up for later.

use std::{
    io,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use crossbeam::sync::Parker;
use thiserror::Error;

use super::{Feed, FeedError, Follower, fact::FactBuffer, reader::FeedCore};
use crate::{
    engine::shared::{Shared, Standing},
    engine::snapshot::first_state,
    journal::{GroupSpan, Sequence, Store, StoreError, read_groups},
    kernel::ShardId,
};

/// The most followers of an engine.
pub const FOLLOWERS_MAX: usize = 64;

/// How long it works without a rest.
const STRETCH: Duration = Duration::from_micros(500);
/// How many times as long it rests then, while payments are made.
const REST_SHARE: u32 = 7;
/// More decisions a second than this are payments being made.
const BUSY_DECISIONS: u64 = 20_000;
/// Over how long decisions are counted to know.
const BUSY_WINDOW: Duration = Duration::from_millis(50);
/// The longest sleep without a look at the gauges.
const SLEEP_MAX: Duration = Duration::from_millis(500);

/// Why nobody follows.
#[derive(Debug, Error)]
pub enum FollowError {
    /// All followers of an engine are named at one time, before it serves.
    #[error("the engine has its followers already")]
    AlreadyFollowed,
    /// More than [`FOLLOWERS_MAX`].
    #[error("{followers} followers are more than {FOLLOWERS_MAX}")]
    TooMany {
        /// How many.
        followers: usize,
    },
    /// What the journal begins with cannot be read.
    #[error("failed to begin: {0}")]
    Journal(String),
    /// The thread cannot be started.
    #[error("failed to start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Hands events to followers; passive.
pub(in crate::engine) struct FeedRunner {
    core: Arc<FeedCore>,
    followers: Vec<Box<dyn Follower>>,
    /// The next record of each shard.
    next: Vec<Sequence>,
    /// The shard to begin the next stretch with.
    first_shard: usize,
    buffer: FactBuffer,
    has_news: bool,
}

impl FeedRunner {
    pub(in crate::engine) fn new(
        shared: &Arc<Shared>,
        store: &Arc<dyn Store>,
        followers: Vec<Box<dyn Follower>>,
    ) -> Result<FeedRunner, FollowError> {
        if followers.len() > FOLLOWERS_MAX {
            return Err(FollowError::TooMany { followers: followers.len() });
        }
        let next = begin_after(shared, &**store).map_err(|error| FollowError::Journal(error.to_string()))?;
        let core = FeedCore::new(Arc::clone(shared), Arc::clone(store), &next, followers.len());
        let (core, buffer) = (Arc::new(core), FactBuffer::default());
        Ok(FeedRunner { core, followers, next, first_shard: 0, buffer, has_news: true })
    }

    /// For readers.
    pub(in crate::engine) fn feed(&self) -> Feed {
        Feed { core: Arc::clone(&self.core) }
    }

    /// Works until the engine ends or the journal cannot be read.
    pub(in crate::engine) fn run(mut self, parker: &Parker) {
        let core = Arc::clone(&self.core);
        let work = AssertUnwindSafe(|| self.work(parker));
        match catch_unwind(work) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => core.gauges.fail(error.to_string()),
            Err(_) => core.gauges.fail("it panicked; the message is on standard error".to_owned()),
        }
    }

    fn work(&mut self, parker: &Parker) -> Result<(), FeedError> {
        self.begin()?;
        let mut pace = Pace::new();
        while self.core.shared.standing() == Standing::Open {
            pace.begin();
            if self.turn(&mut || pace.is_tired())? {
                pace.rest(&self.core.shared);
            } else {
                parker.park_timeout(SLEEP_MAX);
            }
        }
        Ok(())
    }

    /// Tells the followers where they begin.
    pub(in crate::engine) fn begin(&mut self) -> Result<(), FeedError> {
        let core = Arc::clone(&self.core);
        for shard in core.shared.shard_ids() {
            let (_, state) = first_state(&*core.store, shard, &core.shared.options.kernel)?;
            core.directory.begin(shard, &state);
            self.each_follower(|follower| follower.begin(shard, &state));
        }
        Ok(())
    }

    /// Hands out durable events until there are none or it is tired; says whether some are left.
    pub(in crate::engine) fn turn(&mut self, is_tired: &mut dyn FnMut() -> bool) -> Result<bool, FeedError> {
        let shards = self.next.len();
        for shard in (self.first_shard..shards).chain(0..self.first_shard) {
            let shard = ShardId(u16::try_from(shard).expect("shards have numbers of 16 bits"));
            self.read(shard, is_tired)?;
            if is_tired() {
                self.first_shard = (usize::from(shard.0) + 1) % shards;
                break;
            }
        }
        let is_left = self.core.shared.shard_ids().any(|shard| self.next(shard) <= self.core.shared.durable(shard));
        if self.has_news {
            self.has_news = is_left;
            if !is_left {
                self.core.gauges.catch_up();
                self.each_follower(|follower| follower.caught_up());
            }
            self.core.tell();
        }
        Ok(is_left)
    }

    fn read(&mut self, shard: ShardId, is_tired: &mut dyn FnMut() -> bool) -> Result<(), FeedError> {
        let core = Arc::clone(&self.core);
        let (from, until) = (self.next(shard), core.shared.durable(shard));
        let mut failure = None;
        let reached = read_groups(&*core.store, shard, from, until, &mut |span, payload| match self
            .hand_out(shard, span, payload)
        {
            Ok(()) if !is_tired() => ControlFlow::Continue(()),
            Ok(()) => ControlFlow::Break(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        });
        match failure {
            Some(error) => Err(error),
            None => reached.map(|_| ()).map_err(FeedError::from),
        }
    }

    /// Hands the events of a group to one follower after the other.
    fn hand_out(&mut self, shard: ShardId, span: GroupSpan, payload: &[u8]) -> Result<(), FeedError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.decode(payload).map_err(|source| FeedError::Events { shard, source })?;
        let core = Arc::clone(&self.core);
        core.directory.learn(shard, buffer.events());
        self.each_follower(|follower| {
            buffer.visit(shard, span, 0, &core.directory, &mut |fact, _| {
                follower.event(fact);
                true
            });
        });
        let next = span.last.next();
        core.gauges.advance(shard, next, buffer.events().len() as u64);
        core.shared.gauges(shard).handed_out.store(span.last.0, Ordering::Release);
        if let Some(place) = self.next.get_mut(usize::from(shard.0)) {
            *place = next;
        }
        (self.buffer, self.has_news) = (buffer, true);
        Ok(())
    }

    /// A follower that panics may be left half changed, so it follows no more.
    fn each_follower(&mut self, mut tell: impl FnMut(&mut dyn Follower)) {
        self.followers.retain_mut(|follower| {
            let told = catch_unwind(AssertUnwindSafe(|| tell(&mut **follower)));
            if told.is_err() {
                self.core.gauges.lose_follower(follower.name());
            }
            told.is_ok()
        });
    }

    fn next(&self, shard: ShardId) -> Sequence {
        self.next.get(usize::from(shard.0)).copied().unwrap_or(Sequence(u64::MAX))
    }
}

/// The first record of each shard. From now on nothing is cut that was not handed out.
fn begin_after(shared: &Shared, store: &dyn Store) -> Result<Vec<Sequence>, StoreError> {
    let _history = shared.history.lock().unwrap_or_else(PoisonError::into_inner);
    let first = shared.shard_ids().map(|shard| {
        let base = store.begins_after(shard)?.sequence;
        shared.gauges(shard).handed_out.store(base.0, Ordering::Release);
        Ok(base.next())
    });
    first.collect()
}

/// When to rest and how long.
struct Pace {
    /// The stretch.
    begun: Instant,
    counted_since: Instant,
    decisions: u64,
    is_busy: bool,
}

impl Pace {
    fn new() -> Pace {
        let now = Instant::now();
        Pace { begun: now, counted_since: now, decisions: 0, is_busy: false }
    }

    fn begin(&mut self) {
        self.begun = Instant::now();
    }

    fn is_tired(&self) -> bool {
        self.begun.elapsed() >= STRETCH
    }

    fn rest(&mut self, shared: &Shared) {
        let counted = self.counted_since.elapsed();
        if counted >= BUSY_WINDOW {
            let decisions = shared.decisions();
            self.is_busy = is_busy(decisions.saturating_sub(self.decisions), counted);
            (self.decisions, self.counted_since) = (decisions, Instant::now());
        }
        thread::sleep(self.begun.elapsed() * if self.is_busy { REST_SHARE } else { 1 });
    }
}

fn is_busy(decisions: u64, counted: Duration) -> bool {
    u128::from(decisions) * 1_000_000 > u128::from(BUSY_DECISIONS) * counted.as_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_decisions_are_a_reason_to_rest_longer() {
        for (decisions, millis, expected) in [(0, 50, false), (1000, 50, false), (1001, 50, true), (1001, 100, false)] {
            assert_eq!(is_busy(decisions, Duration::from_millis(millis)), expected, "{decisions} in {millis} ms");
        }
    }
}
