//! The read models of an engine: one follower keeps them, and views read them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    DecisionCount, Figures, ServiceSpend, Span, TransactionCursor, TransactionPage, TransactionsOf,
    book::Book,
    decisions,
    spend::{self, SpendKey},
    transactions::{self, RECENT_MAX, Recent},
};
use crate::{
    engine::{AgentHandle, Fact, Feed, FeedDirectory, FeedError, Follower},
    kernel::{
        Event, Protocol, ShardId, State, Timestamp,
        anomaly::{Alert, Alerts},
        outcome::ViolationKind,
    },
};

/// What the events of an engine add up to. Clones are the same models.
#[derive(Clone)]
pub struct ReadModels {
    shards: Arc<[Mutex<Shard>]>,
    recent_max: usize,
}

/// The models of one shard. The feed's thread holds the lock for an event, and views for as long as they look.
#[derive(Debug)]
pub(super) struct Shard {
    spend: Book<SpendKey>,
    decisions: Book<Option<ViolationKind>>,
    /// As the shard keeps them, but for what joins an alert that there is: no event tells that.
    alerts: Alerts,
    pub(super) recent: Recent,
}

impl Shard {
    fn new(recent_max: usize) -> Shard {
        Shard {
            spend: Book::default(),
            decisions: Book::default(),
            alerts: Alerts::default(),
            recent: Recent::new(recent_max),
        }
    }
}

impl ReadModels {
    /// Models of so many shards, which know nothing until their [`follower`](Self::follower) follows.
    #[must_use]
    pub fn new(shards: u16) -> ReadModels {
        ReadModels::with_recent(shards, RECENT_MAX)
    }

    /// Models that keep only so many transactions a shard in memory, so that a test need not make many.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn remembering(shards: u16, transactions: usize) -> ReadModels {
        ReadModels::with_recent(shards, transactions)
    }

    fn with_recent(shards: u16, recent_max: usize) -> ReadModels {
        let shard = |_| Mutex::new(Shard::new(recent_max));
        ReadModels { shards: (0..shards).map(shard).collect(), recent_max }
    }

    /// Who keeps them; an engine is to be followed by one of these.
    #[must_use]
    pub fn follower(&self) -> Box<dyn Follower> {
        Box::new(Keeper(self.clone()))
    }

    /// What an agent spent, service by service, the most first. Services that were not used in the span are left out.
    #[must_use]
    pub fn spend_of(
        &self,
        agent: AgentHandle,
        span: Span,
        now: Timestamp,
        directory: &FeedDirectory,
    ) -> Vec<ServiceSpend> {
        let Some(shard) = self.shards.get(usize::from(agent.shard.0)) else { return Vec::new() };
        let booked = lock(shard).spend.of_agent(agent.index, span.first_hour(now));
        let mut spend: Vec<_> = booked
            .into_iter()
            .filter(|(_, figures, _)| !figures.is_empty())
            .map(|(key, figures, last_at)| {
                let (protocol, service) = spend::named(key, agent.shard, directory);
                ServiceSpend { protocol, service, figures, last_at, agents: 1 }
            })
            .collect();
        sort(&mut spend);
        spend
    }

    /// What all agents spent, service by service, the most first; and how many agents did.
    #[must_use]
    pub fn spend_of_all(
        &self,
        protocol: Option<Protocol>,
        span: Span,
        now: Timestamp,
        directory: &FeedDirectory,
    ) -> (Vec<ServiceSpend>, u64) {
        let mut services = BTreeMap::new();
        let mut agents = 0;
        for (shard, contents) in (0..).map(ShardId).zip(&*self.shards) {
            agents += add_up(&lock(contents), shard, protocol, span, now, directory, &mut services);
        }
        let mut spend: Vec<ServiceSpend> = services.into_values().collect();
        sort(&mut spend);
        (spend, agents)
    }

    /// How an agent's payments were decided.
    #[must_use]
    pub fn decisions_of(&self, agent: AgentHandle, span: Span, now: Timestamp) -> Vec<DecisionCount> {
        let Some(shard) = self.shards.get(usize::from(agent.shard.0)) else { return Vec::new() };
        let counted = lock(shard).decisions.of_agent(agent.index, span.first_hour(now));
        let count = |(denied_for, figures, _)| DecisionCount { denied_for, figures };
        counted.into_iter().map(count).filter(|count| !count.figures.is_empty()).collect()
    }

    /// How all payments were decided.
    #[must_use]
    pub fn decisions_of_all(&self, span: Span, now: Timestamp) -> Vec<DecisionCount> {
        let mut counts: BTreeMap<Option<ViolationKind>, Figures> = BTreeMap::new();
        for shard in &*self.shards {
            lock(shard).decisions.each(span.first_hour(now), |_, denied_for, figures, _| {
                counts.entry(denied_for).or_default().add(&figures);
            });
        }
        let count = |(denied_for, figures)| DecisionCount { denied_for, figures };
        counts.into_iter().map(count).filter(|count| !count.figures.is_empty()).collect()
    }

    /// How many alerts nobody has looked at yet, of one agent or of all.
    #[must_use]
    pub fn active_alerts(&self, agent: Option<AgentHandle>) -> u64 {
        let of_shard = |shard: &Mutex<Shard>| lock(shard).alerts.active(agent.map(|agent| agent.index));
        match agent {
            Some(agent) => self.shards.get(usize::from(agent.shard.0)).map_or(0, of_shard),
            None => self.shards.iter().map(of_shard).sum(),
        }
    }

    /// Transactions from a cursor, or from the newest on, newest first; at most `limit`, and at most
    /// [`TRANSACTIONS_PAGE_MAX`](super::TRANSACTIONS_PAGE_MAX). Old ones are read from the journal, so it takes time and must not be
    /// asked on a thread that others wait for.
    ///
    /// # Errors
    /// [`FeedError`], for a cursor that is not one of these, or a journal that cannot be read.
    pub fn transactions(
        &self,
        feed: &Feed,
        of: TransactionsOf,
        from: Option<&TransactionCursor>,
        limit: usize,
    ) -> Result<TransactionPage, FeedError> {
        transactions::page(&self.shards, feed, of, from, limit)
    }
}

type Services = BTreeMap<(Option<Protocol>, Option<Arc<str>>), ServiceSpend>;

/// Adds a shard's spend to what others spent at the same services; says how many agents spent anything.
fn add_up(
    shard: &Shard,
    id: ShardId,
    protocol: Option<Protocol>,
    span: Span,
    now: Timestamp,
    directory: &FeedDirectory,
    services: &mut Services,
) -> u64 {
    let (mut agents, mut counted) = (0, None);
    let mut add = |key: SpendKey, figures: Figures, last_at: Timestamp, is_agent: bool| {
        let (protocol, service) = spend::named(key, id, directory);
        let sum = services.entry((protocol, service.clone())).or_insert_with(|| ServiceSpend {
            protocol,
            service,
            figures: Figures::default(),
            last_at,
            agents: 0,
        });
        sum.figures.add(&figures);
        sum.last_at = sum.last_at.max(last_at);
        sum.agents += u64::from(is_agent);
    };
    let from = span.first_hour(now);
    shard.spend.each(from, |agent, key, figures, last_at| {
        if figures.is_empty() || protocol.is_some_and(|protocol| key.0 != Some(protocol)) {
            return;
        }
        agents += u64::from(counted.replace(agent) != Some(agent));
        add(key, figures, last_at, true);
    });
    let rest = shard.spend.rest();
    let figures = rest.since(from);
    if protocol.is_none() && !figures.is_empty() {
        add((None, None), figures, rest.last_at(), false);
    }
    agents
}

fn sort(spend: &mut [ServiceSpend]) {
    spend.sort_by(|one, other| {
        let order = other.figures.net().cmp(&one.figures.net()).then(other.figures.calls.cmp(&one.figures.calls));
        order.then_with(|| (one.protocol, &one.service).cmp(&(other.protocol, &other.service)))
    });
}

/// A panic elsewhere leaves at most one event half counted, and the keeper then follows no more.
fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the models up to date.
struct Keeper(ReadModels);

impl Follower for Keeper {
    fn name(&self) -> &'static str {
        "read models"
    }

    fn begin(&mut self, shard: ShardId, state: &State) {
        if let Some(contents) = self.0.shards.get(usize::from(shard.0)) {
            let mut contents = lock(contents);
            *contents = Shard::new(self.0.recent_max);
            spend::begin(&mut contents.spend, state);
            contents.alerts = state.alerts().clone();
        }
    }

    fn event(&mut self, fact: &Fact<'_>) {
        if let Some(contents) = self.0.shards.get(usize::from(fact.position.shard.0)) {
            let mut contents = lock(contents);
            spend::count(&mut contents.spend, fact);
            decisions::count(&mut contents.decisions, fact);
            match fact.event {
                Event::Alerted(raised) => contents.alerts.insert(Alert::raised(fact.moment, raised)),
                Event::AlertChanged(_, number, status) => contents.alerts.change(fact.moment, *number, *status),
                _ => {}
            }
            contents.recent.keep(fact);
        }
    }

    fn caught_up(&mut self) {}
}

impl fmt::Debug for ReadModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadModels").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}
