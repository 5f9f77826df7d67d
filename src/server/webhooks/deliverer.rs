//! Decides what is sent when: reads events for every webhook, hands out attempts, and keeps what came of them.
//!
//! It works in short stretches and rests after each, longer while the feed lags, so that it never takes a processor from the workers.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    engine::{Clock, Engine, EngineError, Feed},
    kernel::{
        Actor, ActorKind, Failure, Outcome, Request, WebhookId,
        outcome::View,
        request::Query,
        webhook::{DeadLetter, EventPlace, WebhookChange},
    },
    telemetry::WebhookMetrics,
};

use super::{
    delivery::{Delivery, Way},
    handle::Shared,
    lanes::Fate,
    pool::{Ended, Job, Pool},
};

/// How long it reads without a rest.
const STRETCH: Duration = Duration::from_millis(1);
/// How many times as long it rests then, where the feed lags because payments are made.
const BUSY_REST: u32 = 7;
/// How often progress is kept while there is any. What was delivered since is delivered again after a crash.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);
/// How often it says how far behind receivers are.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);
/// How often it looks at the clock while something waits for time.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The longest sleep.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// How long it waits after something that should not fail.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);
/// How long attempts that are being made may take when the gateway stops.
const STOP_WAIT_MAX: Duration = Duration::from_secs(2);

/// All webhooks at work.
pub(super) struct Deliverer {
    shared: Arc<Shared>,
    engine: Engine,
    feed: Feed,
    clock: Arc<dyn Clock>,
    metrics: WebhookMetrics,
    deliveries: BTreeMap<WebhookId, Delivery>,
    pool: Pool,
    /// Deliveries that were given up, and are not recorded yet.
    unburied: Vec<(WebhookId, Way, DeadLetter)>,
    /// Deliveries on demand that arrived, and are not recorded yet.
    unrevived: Vec<(WebhookId, EventPlace)>,
    saved_at: Instant,
    measured_at: Instant,
    /// Nothing is read before.
    rests_until: Instant,
    /// With which webhook attempts begin, so that each comes first at times.
    turn: usize,
}

impl Deliverer {
    pub(super) fn new(
        shared: Arc<Shared>,
        engine: Engine,
        feed: Feed,
        clock: Arc<dyn Clock>,
        metrics: WebhookMetrics,
    ) -> Deliverer {
        let pool = Pool::new(shared.sender.clone(), Arc::clone(&clock));
        let now = Instant::now();
        Deliverer {
            shared,
            engine,
            feed,
            clock,
            metrics,
            deliveries: BTreeMap::new(),
            pool,
            unburied: Vec::new(),
            unrevived: Vec::new(),
            saved_at: now,
            measured_at: now,
            rests_until: now,
            turn: 0,
        }
    }

    /// Works until it is stopped.
    pub(super) fn run(mut self) {
        while !self.shared.is_stopping.load(Ordering::Acquire) {
            if self.shared.has_changed.swap(false, Ordering::AcqRel) && !self.reload() {
                self.shared.has_changed.store(true, Ordering::Release);
            }
            self.take_demands();
            self.read();
            self.attempt();
            self.record();
            if self.saved_at.elapsed() >= SAVE_INTERVAL {
                self.save();
            }
            if self.measured_at.elapsed() >= MEASURE_INTERVAL {
                self.measure();
            }
            self.wait();
        }
        self.finish();
    }

    /// Reads the descriptions anew; whether they could be read.
    fn reload(&mut self) -> bool {
        let webhooks = match self.engine.call(self.engine.home(), &Request::Read(Query::Webhooks)) {
            Ok(Outcome::View(View::Webhooks(webhooks))) => webhooks,
            other => {
                tracing::warn!(?other, "webhooks cannot be read; trying again");
                self.rests_until = Instant::now() + TROUBLE_PAUSE;
                return false;
            }
        };
        self.deliveries.retain(|id, _| webhooks.iter().any(|webhook| webhook.source.id == *id));
        for webhook in &webhooks {
            let known = self.deliveries.entry(webhook.source.id);
            known.or_insert_with(|| Delivery::new(webhook, &self.feed)).describe(&webhook.source);
        }
        true
    }

    fn take_demands(&mut self) {
        let now = self.clock.now();
        for (id, place) in self.shared.take_demands() {
            let taken = self.deliveries.get_mut(&id).is_some_and(|one| one.redeliver(now, place, &self.feed));
            if !taken {
                tracing::warn!(webhook = %id, "an event is not delivered again: it is no longer kept, or too many wait");
            }
        }
    }

    /// Reads for whoever is behind, for a stretch.
    fn read(&mut self) {
        let begun = Instant::now();
        if begun < self.rests_until {
            return;
        }
        let mut has_read = true;
        while has_read && begun.elapsed() < STRETCH {
            has_read = false;
            for (id, delivery) in &mut self.deliveries {
                match delivery.read(&self.feed) {
                    Ok(reading) => {
                        has_read |= reading.has_read;
                        if reading.has_lost {
                            self.metrics.history_lost.inc();
                            tracing::error!(webhook = %id, "history was cut before the webhook was told of it");
                        }
                    }
                    Err(error) => {
                        tracing::error!(webhook = %id, %error, "events cannot be read for a webhook");
                        self.rests_until = Instant::now() + TROUBLE_PAUSE;
                        return;
                    }
                }
            }
        }
        let rest = if self.feed.status().lag_records > 0 { BUSY_REST } else { 1 };
        self.rests_until = Instant::now() + begun.elapsed() * rest;
    }

    /// Hands out attempts, one of each webhook at a time, while there are threads for them.
    fn attempt(&mut self) {
        let now = self.clock.now();
        let count = self.deliveries.len();
        let mut idle = 0;
        while idle < count && self.pool.has_room() {
            self.turn = (self.turn + 1) % count;
            let Some((id, delivery)) = self.deliveries.iter_mut().nth(self.turn) else { return };
            match delivery.begin(now) {
                Some((letter, way, attempt)) => {
                    idle = 0;
                    let (url, secret) = (delivery.source().url.clone(), delivery.source().secret.clone());
                    self.pool.send(Job { webhook: *id, way, url, secret, letter, attempt });
                }
                None => idle += 1,
            }
        }
    }

    fn end(&mut self, ended: Ended) {
        self.pool.took();
        let Ended { webhook, way, result } = ended;
        if let Err(reason) = &result {
            tracing::debug!(%webhook, reason, "a delivery failed");
        }
        // One that was removed meanwhile waits for nothing.
        let Some(delivery) = self.deliveries.get_mut(&webhook) else { return };
        let counter = if result.is_ok() { &self.metrics.deliveries } else { &self.metrics.attempts_failed };
        match delivery.end(self.clock.now(), way, result) {
            Fate::Delivered(place) if way.is_again => self.unrevived.push((webhook, place)),
            Fate::Delivered(_) | Fate::Postponed => {}
            Fate::GivenUp(letter) => self.unburied.push((webhook, way, letter)),
        }
        counter.inc();
    }

    /// Records what was given up, and what arrived after all. What cannot be recorded now is tried again.
    fn record(&mut self) {
        for (id, way, letter) in std::mem::take(&mut self.unburied) {
            // What is delivered on demand is on the list already.
            if !way.is_again && !self.change(WebhookChange::Buried(id, Box::new(letter.clone()))) {
                self.unburied.push((id, way, letter));
                continue;
            }
            tracing::warn!(webhook = %id, event = %letter.event, "a delivery is given up");
            self.metrics.dead_letters.inc_by(u64::from(!way.is_again));
            let now = self.clock.now();
            if let Some(delivery) = self.deliveries.get_mut(&id) {
                delivery.buried(now, way);
            }
        }
        for (id, place) in std::mem::take(&mut self.unrevived) {
            if !self.change(WebhookChange::Revived(id, place)) {
                self.unrevived.push((id, place));
            }
        }
    }

    /// Keeps how far every webhook is.
    fn save(&mut self) {
        self.saved_at = Instant::now();
        let unsaved = self.deliveries.iter_mut().filter_map(|(id, delivery)| Some((*id, delivery.unsaved()?)));
        for (id, progress) in unsaved.collect::<Vec<_>>() {
            if self.change(WebhookChange::Told(id, progress.clone()))
                && let Some(delivery) = self.deliveries.get_mut(&id)
            {
                delivery.saved(progress);
            }
        }
    }

    /// Asks for a change in the gateway's own name; whether there is nothing left to ask for. It is durable then.
    fn change(&self, change: WebhookChange) -> bool {
        let nothing = Box::<str>::default;
        let actor = Actor {
            kind: ActorKind::System,
            key: None,
            name: "webhooks".into(),
            address: nothing(),
            user_agent: nothing(),
        };
        let request = Request::By(Box::new(actor), Box::new(Request::Webhook(Box::new(change))));
        match self.engine.call(self.engine.home(), &request) {
            Ok(_) | Err(EngineError::Failure(Failure::UnknownWebhook)) => true,
            Err(EngineError::Failure(failure)) => {
                tracing::error!(%failure, "the state of a webhook is not kept");
                true
            }
            Err(EngineError::Overloaded | EngineError::Unavailable) => false,
        }
    }

    fn measure(&mut self) {
        self.measured_at = Instant::now();
        let now = self.clock.now();
        let oldest = self.deliveries.values().filter_map(Delivery::oldest).min();
        let lag = oldest.map_or(0, |moment| now.since(moment).as_secs());
        self.metrics.lag_seconds.set(i64::try_from(lag).unwrap_or(i64::MAX));
        let behind: usize = self.deliveries.values().map(Delivery::lanes_behind).sum();
        self.metrics.behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
    }

    /// Sleeps until there may be something to do, and takes what was attempted.
    fn wait(&mut self) {
        let sleep = self.sleep();
        crossbeam::select! {
            recv(self.shared.woken) -> _ => {}
            recv(self.pool.ended()) -> ended => if let Ok(ended) = ended { self.end(ended) },
            default(sleep) => {}
        }
        while let Ok(ended) = self.pool.ended().try_recv() {
            self.end(ended);
        }
    }

    fn sleep(&self) -> Duration {
        let reads = self.deliveries.values().any(|delivery| delivery.is_behind(&self.feed));
        if reads || self.shared.has_changed.load(Ordering::Acquire) {
            return self.rests_until.saturating_duration_since(Instant::now());
        }
        let waits = |delivery: &Delivery| delivery.next_due().is_some() || delivery.has_unsaved();
        let is_recorded = self.unburied.is_empty() && self.unrevived.is_empty();
        if !is_recorded || self.deliveries.values().any(waits) { LOOK_INTERVAL } else { SLEEP_MAX }
    }

    /// Takes what is being attempted, for a moment, and keeps how far everything is.
    fn finish(&mut self) {
        let end = Instant::now() + STOP_WAIT_MAX;
        while !self.pool.is_idle() {
            match self.pool.ended().recv_deadline(end) {
                Ok(ended) => self.end(ended),
                Err(_) => break,
            }
        }
        self.record();
        self.save();
    }
}
