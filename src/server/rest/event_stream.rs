//! One stream of events: it reads the journal from a place on, a stretch at a time, and tells what its reader wants to know.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, watch};

use crate::{
    engine::{Clock, Feed, FeedCursor, FeedCursorError, FeedError, FeedPosition, FeedSubscription},
    kernel::ShardId,
    notice::{Notice, NoticeFilter},
    server::{
        identity::Credential,
        streams::{StreamSlot, Streams},
    },
};

/// About how many bytes are told at a time.
const PIECE_BYTES: usize = 32 * 1024;
/// Pieces that wait for the client, beside the one that is being made.
pub(super) const PIECES_WAITING_MAX: usize = 1;
/// So many events are read at a time.
const EVENTS_A_TIME: usize = 128;
/// How long it reads without a rest.
const STRETCH: Duration = Duration::from_millis(1);
/// How many times as long the turn rests then, where the feed lags because payments are made.
const BUSY_REST: u32 = 7;
/// After so many milliseconds a client that lost its stream asks again.
const RETRY_MS: u32 = 2000;

/// A place in the events: of every shard, or of the one that an agent lives in. Opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Offset {
    Everywhere(FeedCursor),
    Shard(FeedPosition),
}

impl Offset {
    /// After the newest event.
    pub(super) fn newest(feed: &Feed, shard: Option<ShardId>) -> Option<Offset> {
        Offset::of(feed.end(), shard)
    }

    /// Before the oldest event that is kept.
    pub(super) fn oldest(feed: &Feed, shard: Option<ShardId>) -> Option<Offset> {
        Offset::of(feed.oldest(), shard)
    }

    fn of(cursor: FeedCursor, shard: Option<ShardId>) -> Option<Offset> {
        match shard {
            None => Some(Offset::Everywhere(cursor)),
            Some(shard) => cursor.positions().find(|place| place.shard == shard).map(Offset::Shard),
        }
    }

    /// The one that `text` writes: of all shards, or of `shard`.
    pub(super) fn parse(text: &str, shard: Option<ShardId>) -> Result<Offset, FeedCursorError> {
        match shard {
            None => FeedCursor::from_str(text).map(Offset::Everywhere),
            Some(shard) => match FeedPosition::from_str(text)? {
                place if place.shard == shard => Ok(Offset::Shard(place)),
                _ => Err(FeedCursorError),
            },
        }
    }

    /// The first offset from which everything is kept, and nothing is told that came before this one.
    pub(super) fn kept(&self, feed: &Feed) -> Offset {
        let oldest = feed.oldest();
        match self {
            Offset::Everywhere(cursor) => {
                let places = cursor.positions().zip(oldest.positions());
                Offset::Everywhere(FeedCursor::before(places.map(|(place, oldest)| place.max(oldest))))
            }
            Offset::Shard(place) => {
                let oldest = oldest.positions().find(|oldest| oldest.shard == place.shard);
                Offset::Shard(oldest.map_or(*place, |oldest| oldest.max(*place)))
            }
        }
    }

    /// Whether what follows it is kept, and it is one of ours.
    pub(super) fn check(&self, feed: &Feed) -> Result<(), FeedError> {
        match self {
            Offset::Everywhere(cursor) => feed.read(cursor, 0, &mut |_, _| ()).map(|_| ()),
            Offset::Shard(place) => feed.read_shard(*place, 0, &mut |_| ()).map(|_| ()),
        }
    }

    fn is_behind(&self, feed: &Feed) -> bool {
        match self {
            Offset::Everywhere(cursor) => feed.is_behind(cursor),
            Offset::Shard(place) => feed.is_behind_in(*place),
        }
    }

    /// Reads some events and writes what is told of them. Moves on behind them.
    fn read(&mut self, feed: &Feed, filter: &NoticeFilter, text: &mut String) -> Result<(), FeedError> {
        match self {
            Offset::Everywhere(cursor) => {
                *cursor = feed.read(cursor, EVENTS_A_TIME, &mut |fact, after| {
                    if let Some(notice) = Notice::of(fact, filter) {
                        write(text, after, &notice);
                    }
                })?;
            }
            Offset::Shard(place) => {
                *place = feed.read_shard(*place, EVENTS_A_TIME, &mut |fact| {
                    if let Some(notice) = Notice::of(fact, filter) {
                        let after = FeedPosition { index: fact.position.index.saturating_add(1), ..fact.position };
                        write(text, &after, &notice);
                    }
                })?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offset::Everywhere(cursor) => cursor.fmt(f),
            Offset::Shard(place) => place.fmt(f),
        }
    }
}

/// The id is where to go on after the event. A body is JSON on one line, so it needs no escape.
fn write(text: &mut String, after: &dyn fmt::Display, notice: &Notice) {
    // A text takes everything.
    let _ = write!(text, "id: {after}\nevent: {}\ndata: {}\n\n", notice.kind, notice.body);
}

/// A stream that is open.
pub(super) struct EventStream {
    pub(super) feed: Feed,
    pub(super) offset: Offset,
    pub(super) filter: NoticeFilter,
    /// Whether it goes on when everything is told.
    pub(super) follows: bool,
    pub(super) credential: Arc<Credential>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) streams: Streams,
}

/// What there was to tell.
struct Piece {
    text: String,
    /// Whether more is known already.
    is_behind: bool,
    took: Duration,
}

impl EventStream {
    /// Tells until the reader is gone or too slow, its key is worthless, the gateway stops, or, where it does not follow, everything is told.
    pub(super) async fn tell(mut self, pieces: mpsc::Sender<Bytes>, _slot: StreamSlot) {
        let mut ending = self.streams.ending();
        let news = Arc::new(Notify::new());
        let begin = format!("retry: {RETRY_MS}\nid: {}\n\n", self.offset);
        let Ok(_subscription) = self.subscribe(&news) else { return };
        if !self.send(begin, &pieces, &mut ending).await {
            return;
        }
        while self.credential.check(self.clock.now()).is_ok() && !*ending.borrow() {
            let Ok(turn) = self.streams.readings().acquire_owned().await else { return };
            let Some((stream, read)) = self.read().await else { return };
            self = stream;
            let piece = match read {
                Ok(piece) => piece,
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends");
                    return;
                }
            };
            self.rest(&piece, turn);
            if !piece.text.is_empty() && !self.send(piece.text, &pieces, &mut ending).await {
                return;
            }
            if !piece.is_behind && (!self.follows || !self.wait(&news, &pieces, &mut ending).await) {
                return;
            }
        }
    }

    fn subscribe(&self, news: &Arc<Notify>) -> Result<FeedSubscription, FeedError> {
        let news = Arc::clone(news);
        self.feed.subscribe(Arc::new(move || news.notify_one()))
    }

    /// Reads a stretch on a thread where waiting for the disk is allowed. Nothing where that thread panicked.
    async fn read(self) -> Option<(EventStream, Result<Piece, FeedError>)> {
        let read = tokio::task::spawn_blocking(move || {
            let mut stream = self;
            let piece = stream.piece();
            (stream, piece)
        });
        read.await.ok()
    }

    fn piece(&mut self) -> Result<Piece, FeedError> {
        let (begun, mut text) = (Instant::now(), String::new());
        while self.offset.is_behind(&self.feed) && text.len() < PIECE_BYTES && begun.elapsed() < STRETCH {
            self.offset.read(&self.feed, &self.filter, &mut text)?;
        }
        Ok(Piece { text, is_behind: self.offset.is_behind(&self.feed), took: begun.elapsed() })
    }

    /// Nobody has the turn for as long as the reading took, and much longer where payments are made: so all streams together, however many
    /// there are, take no more than their turns do.
    fn rest(&self, piece: &Piece, turn: OwnedSemaphorePermit) {
        let is_busy = self.feed.status().lag_records > 0;
        let rest = piece.took * if is_busy { BUSY_REST } else { 1 };
        tokio::spawn(async move {
            tokio::time::sleep(rest).await;
            drop(turn);
        });
    }

    /// Waits for news, and says now and then that there are none; whether the stream goes on.
    async fn wait(&self, news: &Notify, pieces: &mpsc::Sender<Bytes>, ending: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            () = news.notified() => return true,
            () = pieces.closed() => return false,
            _ = ending.wait_for(|ends| *ends) => return false,
            () = tokio::time::sleep(self.streams.options().heartbeat) => {}
        }
        // The id moves on behind events that this reader does not want, so that it need not look at them again.
        self.send(format!(": nothing new\nid: {}\n\n", self.offset), pieces, ending).await
    }

    /// Sends a piece; whether it was taken in time.
    async fn send(&self, piece: String, pieces: &mpsc::Sender<Bytes>, ending: &mut watch::Receiver<bool>) -> bool {
        let sent = tokio::time::timeout(self.streams.options().client_wait_max, pieces.send(Bytes::from(piece)));
        tokio::select! {
            sent = sent => matches!(sent, Ok(Ok(()))),
            _ = ending.wait_for(|ends| *ends) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        engine::EngineOptions,
        kernel::{AgentId, Timestamp},
        testing::{HandDriven, policy_for_everybody},
    };

    use super::*;

    #[test]
    fn what_is_cut_is_behind_the_first_offset_that_is_kept() {
        let mut options = EngineOptions::new(policy_for_everybody(Vec::new()));
        options.shards = 2;
        options.retention.bytes_max = Some(1);
        let mut gateway = HandDriven::new(&options, Timestamp::from_micros(1_000_000));
        let feed = gateway.follow(Vec::new());
        let begin = Offset::oldest(&feed, None).unwrap();
        for id in 1..20 {
            gateway.create_agent(AgentId(id));
        }
        gateway.feed();
        gateway.retain();
        assert!(matches!(begin.check(&feed), Err(FeedError::CursorTooOld { .. })));
        let kept = begin.kept(&feed);
        assert!(kept.check(&feed).is_ok() && kept != begin);
        assert_eq!(kept, Offset::oldest(&feed, None).unwrap());
        let of_shard = Offset::parse("0-1-0", Some(ShardId(0))).unwrap();
        assert!(matches!(of_shard.check(&feed), Err(FeedError::CursorTooOld { .. })));
        assert!(of_shard.kept(&feed).check(&feed).is_ok());
        let newest = Offset::newest(&feed, None).unwrap();
        assert_eq!(newest.kept(&feed), newest, "nothing is told twice");
    }

    #[test]
    fn offsets_are_of_all_shards_or_of_one() {
        for text in ["5", "1.2.3", "1-7.2"] {
            assert_eq!(Offset::parse(text, None).unwrap().to_string(), text);
            assert!(Offset::parse(text, Some(ShardId(0))).is_err(), "{text}");
        }
        assert_eq!(Offset::parse("3-4-5", Some(ShardId(3))).unwrap().to_string(), "3-4-5");
        for foreign in ["2-4-5", "3-4", "", "x"] {
            assert!(Offset::parse(foreign, Some(ShardId(3))).is_err(), "{foreign}");
        }
    }
}
