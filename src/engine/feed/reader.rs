//! Reads events again: from a cursor, as many as asked for, on the thread of whoever asks.

use std::{
    fmt,
    ops::ControlFlow,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use thiserror::Error;

use super::{
    Fact, FeedCursor, FeedDirectory, FeedPosition, FeedStatus, cursor::Next, fact::FactBuffer, status::FeedGauges,
};
use crate::{
    engine::{shared::Shared, snapshot::RebuildError},
    journal::{
        GROUP_BYTES_MAX, GroupsError, Sequence, Store, codec::CodecError, read_groups, record::PAYLOAD_BYTES_MAX,
    },
    kernel::ShardId,
};

/// The most events that one reading gives.
pub const READ_EVENTS_MAX: usize = 4096;
/// The most records of a group.
const GROUP_RECORDS_MAX: usize = GROUP_BYTES_MAX / PAYLOAD_BYTES_MAX + 2;
/// The most subscriptions at one time.
pub const SUBSCRIPTIONS_MAX: usize = 1024;

/// The events of an engine as its followers were handed them. Clones are the same feed.
///
/// Reading takes nothing from the shards: it reads the journal, and the directory that the followers share.
#[derive(Clone)]
pub struct Feed {
    pub(super) core: Arc<FeedCore>,
}

/// What the feed's thread and its readers share.
pub(super) struct FeedCore {
    pub shared: Arc<Shared>,
    pub store: Arc<dyn Store>,
    pub directory: FeedDirectory,
    pub gauges: FeedGauges,
    /// Counts the times at which there was something new.
    news: Mutex<u64>,
    news_came: Condvar,
    subscriptions: Mutex<Subscriptions>,
}

#[derive(Default)]
struct Subscriptions {
    count: u64,
    notify: Vec<(u64, Arc<dyn Fn() + Send + Sync>)>,
}

/// Why events cannot be read.
#[derive(Debug, Error)]
pub enum FeedError {
    /// A cursor of another gateway, or of one with another number of shards.
    #[error("the cursor is not one of this gateway; begin without one")]
    UnknownCursor,
    /// What comes after the cursor is no longer kept.
    #[error("what followed the cursor in shard {} is no longer kept; begin without a cursor", shard.0)]
    CursorTooOld {
        /// The shard.
        shard: ShardId,
    },
    /// What the journal begins with cannot be read.
    #[error(transparent)]
    Begin(#[from] RebuildError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] GroupsError),
    /// A group is no events.
    #[error("failed to read events of shard {}: {source}", shard.0)]
    Events {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        source: CodecError,
    },
    /// There are [`SUBSCRIPTIONS_MAX`] subscriptions.
    #[error("there are {SUBSCRIPTIONS_MAX} subscriptions to the feed already; try again later")]
    TooManySubscriptions,
}

impl Feed {
    /// Reads up to `max` events, at most [`READ_EVENTS_MAX`], after a cursor: in order within each shard, and every shard has its turn.
    /// The visitor gets each with the cursor after it. Gives the cursor after the last; equal to the one given where nothing is new.
    ///
    /// Holds that the shard has forgotten since are not in the facts' directory.
    ///
    /// # Errors
    /// [`FeedError`]. The events before were visited.
    pub fn read(
        &self,
        cursor: &FeedCursor,
        max: usize,
        visit: &mut dyn FnMut(&Fact<'_>, &FeedCursor),
    ) -> Result<FeedCursor, FeedError> {
        let mut cursor = self.checked(cursor)?;
        let mut left = max.min(READ_EVENTS_MAX);
        // The shards share what is left; what one does not use is there for the next round.
        loop {
            let behind: Vec<ShardId> = self.shards().filter(|shard| self.has_more(&cursor, *shard)).collect();
            if behind.is_empty() || left == 0 {
                return Ok(cursor);
            }
            let share = (left / behind.len()).max(1);
            for shard in behind {
                if left == 0 {
                    return Ok(cursor);
                }
                let from = cursor.next(shard).ok_or(FeedError::UnknownCursor)?;
                let next = self.core.read_shard(shard, from, share.min(left), &mut |fact, next| {
                    left -= 1;
                    cursor.set(shard, next);
                    visit(fact, &cursor);
                    true
                })?;
                cursor.set(shard, next);
            }
        }
    }

    /// Reads the events of a shard in the records before a place: the last `records` of them, and a few more to begin with a whole group.
    /// They come in order. Gives the place before which events were not read; nothing where there are none.
    ///
    /// # Errors
    /// [`FeedError`]. Events may have been visited before.
    pub fn read_back(
        &self,
        before: FeedPosition,
        records: u64,
        visit: &mut dyn FnMut(&Fact<'_>),
    ) -> Result<Option<FeedPosition>, FeedError> {
        self.core.read_back(before, records, visit)
    }

    /// Reads up to `max` events of one shard from an event on, at most [`READ_EVENTS_MAX`]; gives where to go on.
    ///
    /// # Errors
    /// As for [`read`](Self::read). A place in the middle of a group's records is that of no event.
    pub fn read_shard(
        &self,
        from: FeedPosition,
        max: usize,
        visit: &mut dyn FnMut(&Fact<'_>),
    ) -> Result<FeedPosition, FeedError> {
        let FeedPosition { shard, sequence, index } = from;
        if self.shards().all(|known| known != shard) || sequence > self.core.shared.durable(shard).next() {
            return Err(FeedError::UnknownCursor);
        }
        if sequence < self.core.first(shard) {
            return Err(FeedError::CursorTooOld { shard });
        }
        let from = Next { sequence, skip: index };
        let next = match max.min(READ_EVENTS_MAX) {
            0 => from,
            max => self.core.read_shard(shard, from, max, &mut |fact, _| {
                visit(fact);
                true
            })?,
        };
        Ok(FeedPosition { shard, sequence: next.sequence, index: next.skip })
    }

    /// Before the oldest event that is kept.
    #[must_use]
    pub fn oldest(&self) -> FeedCursor {
        FeedCursor::new(self.shards().map(|shard| Next::at(self.core.first(shard))))
    }

    /// After the newest event that the followers were handed.
    #[must_use]
    pub fn newest(&self) -> FeedCursor {
        FeedCursor::new(self.shards().map(|shard| Next::at(self.core.gauges.next(shard))))
    }

    /// After the newest durable event, whether or not the followers were handed it yet.
    #[must_use]
    pub fn end(&self) -> FeedCursor {
        FeedCursor::new(self.shards().map(|shard| Next::at(self.core.shared.durable(shard).next())))
    }

    /// Waits until there is something after a cursor, at most so long; says whether there is.
    #[must_use]
    pub fn wait(&self, cursor: &FeedCursor, wait_max: Duration) -> bool {
        let news = self.core.news.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = |_: &mut u64| !self.is_behind(cursor);
        let waited = self.core.news_came.wait_timeout_while(news, wait_max, is_news);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.is_behind(cursor)
    }

    /// Whether there is something after a cursor.
    #[must_use]
    pub fn is_behind(&self, cursor: &FeedCursor) -> bool {
        self.shards().any(|shard| self.has_more(cursor, shard))
    }

    /// Whether there is something in the shard of an event from there on.
    #[must_use]
    pub fn is_behind_in(&self, from: FeedPosition) -> bool {
        from.sequence < self.core.gauges.next(from.shard)
    }

    /// Has `notify` called whenever the followers were handed something, until the subscription is dropped. It is called on the feed's
    /// thread and must not block.
    ///
    /// # Errors
    /// [`FeedError::TooManySubscriptions`].
    pub fn subscribe(&self, notify: Arc<dyn Fn() + Send + Sync>) -> Result<FeedSubscription, FeedError> {
        let mut subscriptions = self.core.subscriptions();
        if subscriptions.notify.len() >= SUBSCRIPTIONS_MAX {
            return Err(FeedError::TooManySubscriptions);
        }
        subscriptions.count += 1;
        let id = subscriptions.count;
        subscriptions.notify.push((id, notify));
        Ok(FeedSubscription { core: Arc::clone(&self.core), id })
    }

    /// Who and what the numbers in events stand for.
    #[must_use]
    pub fn directory(&self) -> &FeedDirectory {
        &self.core.directory
    }

    /// How it does, as of now.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let lag = self.shards().map(|shard| {
            let durable = self.core.shared.durable(shard).0;
            durable.saturating_add(1).saturating_sub(self.core.gauges.next(shard).0)
        });
        self.core.gauges.read(lag.sum())
    }

    fn checked(&self, cursor: &FeedCursor) -> Result<FeedCursor, FeedError> {
        let is_ours = |shard: ShardId| {
            let durable = self.core.shared.durable(shard);
            cursor.next(shard).is_some_and(|next| next.sequence <= durable || next == Next::at(durable.next()))
        };
        let is_known = cursor.shards() == self.core.shared.shards.len() && self.shards().all(is_ours);
        let is_cut = |shard: &ShardId| cursor.next(*shard).is_some_and(|next| next.sequence < self.core.first(*shard));
        match self.shards().find(is_cut) {
            _ if !is_known => Err(FeedError::UnknownCursor),
            Some(shard) => Err(FeedError::CursorTooOld { shard }),
            None => Ok(cursor.clone()),
        }
    }

    fn has_more(&self, cursor: &FeedCursor, shard: ShardId) -> bool {
        cursor.next(shard).is_some_and(|next| next.sequence < self.core.gauges.next(shard))
    }

    fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        self.core.shared.shard_ids()
    }
}

impl FeedCore {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<dyn Store>, first: &[Sequence], followers: usize) -> FeedCore {
        let shards = u16::try_from(shared.shards.len()).expect("shards have numbers of 16 bits");
        FeedCore {
            shared,
            store,
            directory: FeedDirectory::new(shards),
            gauges: FeedGauges::new(first, followers),
            news: Mutex::new(0),
            news_came: Condvar::new(),
            subscriptions: Mutex::default(),
        }
    }

    /// Tells everybody who waits that there is something new.
    pub(super) fn tell(&self) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.news_came.notify_all();
        // Called without the lock, so that whoever is called may drop its subscription.
        let notify: Vec<_> = self.subscriptions().notify.iter().map(|(_, notify)| Arc::clone(notify)).collect();
        notify.iter().for_each(|notify| notify());
    }

    /// The first record of a shard that is kept, or will be.
    fn first(&self, shard: ShardId) -> Sequence {
        // An error shows when records are read.
        self.store.begins_after(shard).map_or(Sequence(1), |base| base.sequence.next())
    }

    /// Reads up to `max` events of a shard from a place on, while the visitor goes on.
    pub(super) fn read_shard(
        &self,
        shard: ShardId,
        from: Next,
        max: usize,
        visit: &mut dyn FnMut(&Fact<'_>, Next) -> bool,
    ) -> Result<Next, FeedError> {
        let until = Sequence(self.gauges.next(shard).0.saturating_sub(1));
        let (mut left, mut goes_on, mut reached, mut failure) = (max, true, from, None);
        let mut buffer = FactBuffer::default();
        let read = read_groups(&*self.store, shard, from.sequence, until, &mut |span, payload| {
            if let Err(source) = buffer.decode(payload) {
                failure = Some(FeedError::Events { shard, source });
                return ControlFlow::Break(());
            }
            let skip = if span.first == from.sequence { from.skip } else { 0 };
            reached = Next::at(span.last.next());
            buffer.visit(shard, span, skip, &self.directory, &mut |fact, next| {
                reached = next;
                goes_on = visit(fact, next);
                left -= 1;
                goes_on && left > 0
            });
            if goes_on && left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match (failure, read) {
            (Some(error), _) => Err(error),
            (None, Ok(_)) => Ok(reached),
            (None, Err(GroupsError::MidGroup { .. })) => Err(FeedError::UnknownCursor),
            (None, Err(GroupsError::Missing { expected, .. })) if expected < self.first(shard) => {
                Err(FeedError::CursorTooOld { shard })
            }
            (None, Err(error)) => Err(error.into()),
        }
    }

    fn read_back(
        &self,
        before: FeedPosition,
        records: u64,
        visit: &mut dyn FnMut(&Fact<'_>),
    ) -> Result<Option<FeedPosition>, FeedError> {
        let shard = before.shard;
        if usize::from(shard.0) >= self.shared.shards.len() {
            return Err(FeedError::UnknownCursor);
        }
        let first = self.first(shard);
        let mut from = Next::at(Sequence(before.sequence.0.saturating_sub(records)).max(first));
        if before <= from.position(shard) {
            return Ok(None);
        }
        // A step back at a time to where a group begins.
        for _ in 0..GROUP_RECORDS_MAX {
            let read = self.read_shard(shard, from, usize::MAX, &mut |fact, _| {
                let goes_on = fact.position < before;
                if goes_on {
                    visit(fact);
                }
                goes_on
            });
            match read {
                Err(FeedError::UnknownCursor) if from.sequence > first => {
                    from = Next::at(Sequence(from.sequence.0.saturating_sub(1)));
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(Some(from.position(shard)).filter(|_| from.sequence > first)),
            }
        }
        Err(FeedError::UnknownCursor)
    }

    fn subscriptions(&self) -> std::sync::MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when it is dropped.
pub struct FeedSubscription {
    core: Arc<FeedCore>,
    id: u64,
}

impl Drop for FeedSubscription {
    fn drop(&mut self) {
        self.core.subscriptions().notify.retain(|(id, _)| *id != self.id);
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl fmt::Debug for FeedSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedSubscription").field("id", &self.id).finish_non_exhaustive()
    }
}
