//! What the rest of the gateway has of webhooks: it says that something changed, asks for deliveries, and stops them.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, Sender as Channel, bounded};
use serde::Serialize;
use ureq::unversioned::resolver::DefaultResolver;

use crate::{
    engine::{Clock, Engine},
    kernel::{
        Timestamp, WebhookId,
        webhook::{EventPlace, WebhookSource},
    },
    telemetry::WebhookMetrics,
    wire::json::print,
};

use super::{
    ATTEMPT_WAIT_MAX, Allowed, REDELIVERIES_MAX,
    deliverer::Deliverer,
    sender::{Attempt, Sender},
    signature::{Signed, headers},
};

/// The kind of the deliveries that operators try a webhook with.
const TEST_KIND: &str = "webhook.test";

/// The gateway's webhooks; clones are the same. Nothing is delivered before they are [started](Webhooks::start).
#[derive(Clone)]
pub struct Webhooks(Arc<Shared>);

pub(super) struct Shared {
    allowed: Allowed,
    pub(super) sender: Sender,
    /// Whether the descriptions have to be read again.
    pub(super) has_changed: AtomicBool,
    pub(super) is_stopping: AtomicBool,
    demands: Mutex<Vec<(WebhookId, EventPlace)>>,
    wake: Channel<()>,
    pub(super) woken: Receiver<()>,
}

#[derive(Serialize)]
struct TestBody<'a> {
    id: &'a str,
    event: &'static str,
    timestamp: String,
    data: TestData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestData {
    webhook_id: String,
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("allowed", &self.0.allowed).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Webhooks that look names up as the system does.
    #[must_use]
    pub fn new(allowed: Allowed) -> Webhooks {
        Webhooks::with_attempt_wait(allowed, ATTEMPT_WAIT_MAX)
    }

    /// The same, with another limit on how long an attempt may take.
    #[must_use]
    pub fn with_attempt_wait(allowed: Allowed, attempt_wait_max: Duration) -> Webhooks {
        let (wake, woken) = bounded(1);
        Webhooks(Arc::new(Shared {
            allowed,
            sender: Sender::new(Arc::new(DefaultResolver::default()), allowed, attempt_wait_max),
            has_changed: AtomicBool::new(true),
            is_stopping: AtomicBool::new(false),
            demands: Mutex::default(),
            wake,
            woken,
        }))
    }

    /// Where deliveries may go.
    #[must_use]
    pub fn allowed(&self) -> Allowed {
        self.0.allowed
    }

    /// Delivers, on threads of its own, until the thread is stopped. Nothing is delivered of an engine that nobody follows.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn start(&self, engine: &Engine, clock: Arc<dyn Clock>, metrics: WebhookMetrics) -> io::Result<WebhookThread> {
        let Some(feed) = engine.feed().cloned() else {
            return Ok(WebhookThread { webhooks: self.clone(), thread: None });
        };
        let deliverer = Deliverer::new(Arc::clone(&self.0), engine.clone(), feed.clone(), clock, metrics);
        let shared = Arc::clone(&self.0);
        let subscription = feed.subscribe(Arc::new(move || shared.wake())).map_err(io::Error::other)?;
        let thread = thread::Builder::new().name("holdfast-hooks".to_owned()).spawn(move || {
            deliverer.run();
            drop(subscription);
        })?;
        Ok(WebhookThread { webhooks: self.clone(), thread: Some(thread) })
    }

    /// A webhook was written or removed.
    pub fn changed(&self) {
        self.0.has_changed.store(true, Ordering::Release);
        self.0.wake();
    }

    /// Has events delivered again to a webhook that had been given up. Says how many of them; the others have no room.
    pub fn redeliver(&self, webhook: WebhookId, places: &[EventPlace]) -> usize {
        let mut demands = self.0.demands();
        let room = REDELIVERIES_MAX.saturating_sub(demands.len());
        let taken: Vec<_> = places.iter().take(room).map(|place| (webhook, *place)).collect();
        let count = taken.len();
        demands.extend(taken);
        drop(demands);
        self.0.wake();
        count
    }

    /// Attempts a delivery that tells nothing. Blocks until there is an answer, at most [`ATTEMPT_WAIT_MAX`].
    ///
    /// # Errors
    /// What went wrong.
    pub fn test(&self, source: &WebhookSource, id: &str, now: Timestamp) -> Result<(), String> {
        let data = TestData { webhook_id: source.id.to_string() };
        let body = print(&TestBody { id, event: TEST_KIND, timestamp: now.to_string(), data });
        let signed = Signed { id, event: TEST_KIND, now, attempt: 1, body: &body };
        let headers = headers(signed, &source.secret);
        self.0.sender.send(&Attempt { url: source.url.clone(), headers, body: body.into() })
    }
}

impl Shared {
    /// One call that was not heard is as good as many.
    fn wake(&self) {
        let _ = self.wake.try_send(());
    }

    pub(super) fn take_demands(&self) -> Vec<(WebhookId, EventPlace)> {
        std::mem::take(&mut *self.demands())
    }

    /// The list is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn demands(&self) -> MutexGuard<'_, Vec<(WebhookId, EventPlace)>> {
        self.demands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that delivers.
#[derive(Debug)]
pub struct WebhookThread {
    webhooks: Webhooks,
    thread: Option<thread::JoinHandle<()>>,
}

impl WebhookThread {
    /// Lets attempts that are being made end, for a moment, and keeps how far everything is. The engine must serve meanwhile.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.webhooks.0.is_stopping.store(true, Ordering::Release);
        self.webhooks.0.wake();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for WebhookThread {
    fn drop(&mut self) {
        self.end();
    }
}
