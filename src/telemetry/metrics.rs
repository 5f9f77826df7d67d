//! The one table of metrics. Units are base units; a scrape shows each name after `holdfast_`, and counters before `_total`.
//! The engine counts for itself; a scrape reads its counters, so that no decision waits for a metric.

use std::fmt;

use axum::http::Method;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use crate::{
    engine::{Engine, EngineStatus, FeedStatus, WorkerCounters},
    kernel::Duration,
};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the classes of HTTP durations, in seconds.
const HTTP_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];

/// Everything that is counted, ready to be scraped.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    http_requests: Family<HttpLabels, Counter>,
    http_durations: Histogram,
    webhooks: WebhookMetrics,
}

/// What is counted of webhooks; clones count together.
#[derive(Clone, Debug, Default)]
pub struct WebhookMetrics {
    /// Events that arrived.
    pub deliveries: Counter,
    /// Attempts that failed.
    pub attempts_failed: Counter,
    /// Deliveries that were given up.
    pub dead_letters: Counter,
    /// Times that history was cut which a webhook had not been told.
    pub history_lost: Counter,
    /// How long ago the oldest event happened that waits to be delivered.
    pub lag_seconds: Gauge,
    /// Agents of webhooks whose events wait.
    pub behind: Gauge,
}

impl WebhookMetrics {
    fn registered(registry: &mut Registry) -> WebhookMetrics {
        let metrics = WebhookMetrics::default();
        let WebhookMetrics { deliveries, attempts_failed, dead_letters, history_lost, lag_seconds, behind } = &metrics;
        for (name, help, counter) in [
            ("webhook_deliveries", "Events that webhooks took", deliveries),
            ("webhook_attempts_failed", "Attempts to deliver to webhooks that failed", attempts_failed),
            ("webhook_dead_letters", "Deliveries to webhooks that were given up", dead_letters),
            ("webhook_history_lost", "Times that history was cut which a webhook had not been told", history_lost),
        ] {
            registry.register(name, help, counter.clone());
        }
        let help = "Since when the oldest event waits for a webhook";
        registry.register_with_unit("webhook_lag", help, Unit::Seconds, lag_seconds.clone());
        registry.register("webhook_agents_behind", "Agents whose events wait for a webhook", behind.clone());
        metrics
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HttpLabels {
    method: String,
    route: String,
    status: u16,
}

impl Metrics {
    /// The metrics of a gateway around `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Metrics {
        let mut registry = Registry::with_prefix("holdfast");
        let http_requests = Family::default();
        let http_durations = Histogram::new(HTTP_SECONDS);
        registry.register("http_requests", "HTTP requests by route and status", http_requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "How long HTTP requests took",
            Unit::Seconds,
            http_durations.clone(),
        );
        let webhooks = WebhookMetrics::registered(&mut registry);
        registry.register_collector(Box::new(EngineCollector(engine)));
        Metrics { registry, http_requests, http_durations, webhooks }
    }

    /// What is counted of webhooks.
    #[must_use]
    pub fn webhooks(&self) -> WebhookMetrics {
        self.webhooks.clone()
    }

    /// Counts an HTTP request that was answered. The route is its pattern, so that there are few.
    pub fn count_http(&self, method: &Method, route: &str, status: u16, duration: Duration) {
        let method = if is_usual(method) { method.as_str() } else { "other" };
        let labels = HttpLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.http_requests.get_or_create(&labels).inc();
        self.http_durations.observe(seconds(duration));
    }

    /// All metrics as text, in the OpenMetrics format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        match text::encode(&mut page, &self.registry) {
            Ok(()) => page,
            Err(fmt::Error) => unreachable!("a text takes every metric"),
        }
    }
}

/// Clients may invent methods; each would be a time series.
fn is_usual(method: &Method) -> bool {
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS]
        .contains(method)
}

fn seconds(duration: Duration) -> f64 {
    duration.micros() as f64 / 1e6
}

/// Reads the engine's own counters on each scrape.
struct EngineCollector(Engine);

impl fmt::Debug for EngineCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineCollector")
    }
}

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.0.status();
        for (name, help, value) in counters(&status) {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        for (name, help, value) in gauges(&status) {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

type Row = (&'static str, &'static str, u64);

/// What only grows.
fn counters(status: &EngineStatus) -> [Row; 19] {
    let workers = |count: fn(&WorkerCounters) -> u64| status.workers.iter().map(|worker| count(&worker.counters)).sum();
    [
        ("decisions", "Requests that were decided, reads included", workers(|c| c.decisions)),
        ("approvals", "Payments that were approved", workers(|c| c.approvals)),
        ("approvals_leased", "Approvals that were answered before they were durable", workers(|c| c.leased)),
        ("denials", "Payments that were denied", workers(|c| c.denials)),
        ("failures", "Requests that were wrong", workers(|c| c.failures)),
        ("waited", "Answers that waited for a commit", workers(|c| c.waited)),
        ("overloaded", "Requests that were refused because of load", workers(|c| c.overloaded)),
        ("unavailable", "Requests whose shard was not available", workers(|c| c.unavailable)),
        ("alerts", "Alerts that were raised about agents", workers(|c| c.alerts)),
        ("freezes", "Agents that were frozen, by themselves or by operators", workers(|c| c.freezes)),
        ("commits", "Commits of the journal", status.commits.commits),
        ("commit_bytes", "Bytes of events that were committed", status.commits.bytes),
        ("snapshots", "Snapshots that were written", status.commits.snapshots),
        ("snapshots_failed", "Snapshots that failed", status.commits.snapshots_failed),
        ("commits_slow", "Commits that took 16.4 milliseconds or more", slow_commits(&status.commits.durations)),
        ("clock_steps", "Times that the system's clock was set", status.clock_steps),
        ("history_cuts", "Times that history was cut", status.commits.cuts),
        ("history_cuts_failed", "Times that history could not be cut", status.commits.cuts_failed),
        ("feed_events", "Events that the followers were handed", feed(status).0),
    ]
}

/// What rises and falls.
fn gauges(status: &EngineStatus) -> [Row; 7] {
    let count = |filter: bool| u64::from(filter);
    let mailboxes = status.workers.iter().map(|worker| worker.mailbox_batches as u64).sum();
    [
        ("agents", "Agents", status.shards.iter().map(|shard| shard.agents).sum()),
        ("mailbox_batches", "Batches that wait for a worker", mailboxes),
        ("backlog_bytes", "Bytes of events that are decided and not durable", status.commits.backlog_bytes),
        ("shards_poisoned", "Shards that stopped", status.shards.iter().map(|s| count(s.poisoned)).sum()),
        ("feed_lag_records", "Durable records that the followers were not handed yet", feed(status).1),
        ("feed_followers_failed", "Followers that follow no more", feed(status).2),
        ("ready", "Whether requests are served", count(!status.failed && !status.stopping)),
    ]
}

/// Events, lag, and followers that failed; zeros where nobody follows.
fn feed(status: &EngineStatus) -> (u64, u64, u64) {
    let of = |feed: &FeedStatus| (feed.events, feed.lag_records, feed.failed_followers.len() as u64);
    status.feed.as_ref().map_or((0, 0, 0), of)
}

/// Class `i` counts commits of less than 2^i microseconds.
fn slow_commits(durations: &[u64]) -> u64 {
    const SIXTEEN_MILLISECONDS_CLASS: usize = 15;
    durations.iter().skip(SIXTEEN_MILLISECONDS_CLASS).sum()
}
