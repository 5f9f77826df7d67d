//! How many streams of events are open, whose they are, and how they end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::sync::{Semaphore, watch};

use crate::kernel::KeyId;

/// The most streams at one time.
pub const STREAMS_MAX: usize = 256;
/// The most streams of one credential at one time, so that none takes them all.
pub const STREAMS_OF_KEY_MAX: usize = 16;
/// So many streams may read the journal at one time; the others wait for their turn. A turn includes the rest after it.
const READINGS_MAX: usize = 2;

/// What streams allow.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// The most streams at one time.
    pub streams_max: usize,
    /// The most streams of one credential at one time.
    pub streams_of_key_max: usize,
    /// A stream with nothing to tell says so this often.
    pub heartbeat: Duration,
    /// The longest that a client may take for a piece; one that takes longer loses its stream, and resumes from the last id that it read.
    pub client_wait_max: Duration,
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions {
            streams_max: STREAMS_MAX,
            streams_of_key_max: STREAMS_OF_KEY_MAX,
            heartbeat: Duration::from_secs(15),
            client_wait_max: Duration::from_secs(30),
        }
    }
}

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TooManyStreams {
    /// Over all credentials.
    #[error("{0} streams of events are open; close one that is not needed, or try again later")]
    Open(usize),
    /// Of the one that asks.
    #[error("this key has {0} streams of events open; close one that is not needed")]
    OfKey(usize),
}

/// The streams that are open; clones are the same.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: StreamOptions,
    open: Mutex<HashMap<KeyId, usize>>,
    readings: Arc<Semaphore>,
    ending: watch::Sender<bool>,
}

impl Streams {
    /// None yet.
    #[must_use]
    pub fn new(options: StreamOptions) -> Streams {
        let readings = Arc::new(Semaphore::new(READINGS_MAX));
        Streams(Arc::new(Inner { options, open: Mutex::default(), readings, ending: watch::Sender::new(false) }))
    }

    /// Has every stream end soon, and those that are opened later at once.
    pub fn end(&self) {
        self.0.ending.send_replace(true);
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open_of_keys().values().sum()
    }

    /// Room for one more.
    ///
    /// # Errors
    /// [`TooManyStreams`].
    pub(super) fn enter(&self, key: KeyId) -> Result<StreamSlot, TooManyStreams> {
        let options = &self.0.options;
        let mut open = self.open_of_keys();
        if open.values().sum::<usize>() >= options.streams_max {
            return Err(TooManyStreams::Open(options.streams_max));
        }
        let of_key = open.entry(key).or_default();
        if *of_key >= options.streams_of_key_max {
            return Err(TooManyStreams::OfKey(options.streams_of_key_max));
        }
        *of_key += 1;
        Ok(StreamSlot { streams: self.clone(), key })
    }

    pub(super) fn options(&self) -> &StreamOptions {
        &self.0.options
    }

    /// Turns to read the journal.
    pub(super) fn readings(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.readings)
    }

    /// Becomes true when streams are to end.
    pub(super) fn ending(&self) -> watch::Receiver<bool> {
        self.0.ending.subscribe()
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn open_of_keys(&self) -> MutexGuard<'_, HashMap<KeyId, usize>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one stream, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamSlot {
    streams: Streams,
    key: KeyId,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut open = self.streams.open_of_keys();
        if let Some(of_key) = open.get_mut(&self.key) {
            *of_key -= 1;
            if *of_key == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_of_a_key_and_so_many_of_all() {
        let streams = Streams::new(StreamOptions { streams_max: 3, streams_of_key_max: 2, ..StreamOptions::default() });
        let first = streams.enter(KeyId(1)).unwrap();
        let second = streams.enter(KeyId(1)).unwrap();
        assert_eq!(streams.enter(KeyId(1)).unwrap_err(), TooManyStreams::OfKey(2));
        let third = streams.enter(KeyId(2)).unwrap();
        assert_eq!(streams.enter(KeyId(3)).unwrap_err(), TooManyStreams::Open(3));
        drop((first, second));
        assert_eq!(streams.count(), 1);
        drop(third);
        assert_eq!((streams.count(), streams.open_of_keys().len()), (0, 0), "nothing is kept of who is gone");
    }
}
