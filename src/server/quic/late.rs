//! Replies that do not come at once: from other workers, or held until they are durable.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::engine::{Answer, Replies, Ticket};

/// Where the late replies of one stream are put by the workers' threads, and taken from by the stream's task. It never holds more
/// than the requests in flight, which are bounded.
#[derive(Debug, Default)]
pub(super) struct Late {
    answers: Mutex<Vec<(Ticket, Answer)>>,
    arrived: Notify,
}

impl Late {
    /// Waits until something has arrived since the last time. Safe to cancel.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes what has arrived, and leaves `empty` in its place.
    pub(super) fn take(&self, empty: Vec<(Ticket, Answer)>) -> Vec<(Ticket, Answer)> {
        std::mem::replace(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner), empty)
    }
}

impl Replies for Late {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).extend(replies);
        self.arrived.notify_one();
    }
}
