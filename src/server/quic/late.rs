//! Replies that do not come at once: from other workers, or held until they are durable.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{
    engine::{Answer, Replies, Ticket},
    wire::reply::CaptureResult,
};

/// Where the late replies of one stream are put by the workers' threads, and taken from by the stream's task. It never holds more
/// than the requests in flight, which are bounded.
#[derive(Debug, Default)]
pub(super) struct Late {
    waiting: Mutex<Arrived>,
    notify: Notify,
}

/// What has arrived late.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// By the tags of their requests.
    pub(super) answers: Vec<(Ticket, Answer)>,
    /// Whole messages of captures, by their tags.
    pub(super) captures: Vec<(u64, Vec<CaptureResult>)>,
}

impl Late {
    /// Waits until something has arrived since the last time. Safe to cancel.
    pub(super) async fn arrived(&self) {
        self.notify.notified().await;
    }

    /// Takes what has arrived, and leaves what `arrived` was, which is empty, in its place.
    pub(super) fn take(&self, arrived: &mut Arrived) {
        std::mem::swap(&mut *self.locked(), arrived);
    }

    /// Takes the results of a message of captures.
    pub(super) fn gathered(&self, tag: u64, results: Vec<CaptureResult>) {
        self.locked().captures.push((tag, results));
        self.notify.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, Arrived> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replies for Late {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        self.locked().answers.extend(replies);
        self.notify.notify_one();
    }
}
