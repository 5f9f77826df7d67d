//! Who and what the numbers in events stand for.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::hold_book::HoldBook;
use crate::kernel::{
    AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, NameId, Options, Protocol, SessionNumber, ShardId,
    State, Timestamp, outcome::Booking,
};

/// What events refer to, as of the newest event that the followers were handed. One for all followers and readers.
///
/// Its memory is bounded by that of the shards: agents and names are theirs, and holds are known as long as they know them.
#[derive(Debug)]
pub struct FeedDirectory {
    shards: Vec<RwLock<Shard>>,
}

/// What is known of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedHold {
    /// What it is or was for, with its increments.
    pub amount: Amount,
    /// Its rail.
    pub protocol: Protocol,
    /// Who is paid.
    pub recipient: NameId,
    /// For which service, where there is one.
    pub service: Option<NameId>,
    /// In which session.
    pub session: SessionNumber,
    /// From which wallet, by its position.
    pub wallet: Option<u8>,
    /// Whether it is the deposit of its session.
    pub deposit: bool,
    /// Whether it draws from the deposit of its session.
    pub from_deposit: bool,
    /// When it was approved.
    pub placed_at: Timestamp,
}

#[derive(Debug, Default)]
struct Shard {
    agents: Vec<Agent>,
    names: Vec<Arc<str>>,
    holds: HoldBook,
    kept: Duration,
    kept_max: usize,
}

/// There are as many as agents, so it is small: most have no name.
#[derive(Debug)]
struct Agent {
    id: [u64; 2],
    name: Option<Box<Box<str>>>,
}

const _: () = assert!(size_of::<Agent>() <= 24, "there are as many as agents");

impl FeedDirectory {
    pub(super) fn new(shards: u16) -> FeedDirectory {
        FeedDirectory { shards: (0..shards).map(|_| RwLock::default()).collect() }
    }

    /// One that knows what these events of a shard say.
    #[cfg(test)]
    pub(crate) fn knowing(shard: ShardId, events: &[(Timestamp, Event)]) -> FeedDirectory {
        let directory = FeedDirectory::new(shard.0 + 1);
        directory.learn(shard, events);
        directory
    }

    /// The id of an agent.
    #[must_use]
    pub fn agent(&self, shard: ShardId, agent: AgentIndex) -> Option<AgentId> {
        let [low, high] = self.read(shard)?.agents.get(agent.0 as usize)?.id;
        Some(AgentId(u128::from(high) << 64 | u128::from(low)))
    }

    /// The name of an agent, for people; empty where it has none.
    #[must_use]
    pub fn agent_name(&self, shard: ShardId, agent: AgentIndex) -> String {
        let name = |shard: &Shard| shard.agents.get(agent.0 as usize)?.name.as_deref().map(ToString::to_string);
        self.read(shard).and_then(|shard| name(&shard)).unwrap_or_default()
    }

    /// The text of a recipient or service.
    #[must_use]
    pub fn name(&self, shard: ShardId, name: NameId) -> Option<Arc<str>> {
        self.read(shard)?.names.get(name.0 as usize).cloned()
    }

    /// What is known of a hold; nothing once the shard has forgotten it.
    #[must_use]
    pub fn hold(&self, shard: ShardId, agent: AgentIndex, id: AuthorizationId) -> Option<FeedHold> {
        self.read(shard)?.holds.find(agent, id)
    }

    /// Begins a shard with what a state knows.
    pub(super) fn begin(&self, shard: ShardId, state: &State) {
        let Some(mut contents) = self.write(shard) else { return };
        *contents = Shard::default();
        contents.take_options(state.options());
        for (_, agent) in state.agents.iter() {
            contents.add_agent(agent.id, agent.name());
        }
        contents.names = state.names.iter().map(Arc::from).collect();
        for hold in state.holds.iter() {
            let known = FeedHold {
                amount: hold.amount(),
                protocol: hold.protocol,
                recipient: hold.recipient,
                service: hold.service(),
                session: hold.session,
                wallet: hold.wallet,
                deposit: hold.deposit,
                from_deposit: hold.from_deposit,
                placed_at: hold.placed_at,
            };
            contents.holds.insert(hold.agent, hold.id, &known);
        }
        for (at, slot) in state.history.finished() {
            let hold = state.holds.at(slot);
            contents.holds.end(at, hold.agent, hold.id);
        }
    }

    /// Learns the events of a group.
    pub(super) fn learn(&self, shard: ShardId, events: &[(Timestamp, Event)]) {
        let Some(mut contents) = self.write(shard) else { return };
        events.iter().for_each(|(moment, event)| contents.learn(*moment, event));
        if let Some((moment, _)) = events.last() {
            let (kept, kept_max) = (contents.kept, contents.kept_max);
            contents.holds.age(*moment, kept, kept_max);
        }
    }

    fn read(&self, shard: ShardId) -> Option<RwLockReadGuard<'_, Shard>> {
        Some(self.shards.get(usize::from(shard.0))?.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, shard: ShardId) -> Option<RwLockWriteGuard<'_, Shard>> {
        Some(self.shards.get(usize::from(shard.0))?.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shard {
    fn learn(&mut self, now: Timestamp, event: &Event) {
        match event {
            Event::NameMet(text) => self.names.push(Arc::from(&**text)),
            Event::AgentCreated(created) => self.add_agent(created.id, &created.name),
            Event::AgentUpdated(agent, _, name, _) => {
                if let (Some(agent), Some(name)) = (self.agents.get_mut(agent.0 as usize), name) {
                    agent.rename(name);
                }
            }
            Event::Approved(approved) => {
                self.holds.insert(approved.agent, approved.id, &FeedHold::of(approved, now));
            }
            Event::ApprovalAsked(asked) => {
                let hold = &asked.hold;
                self.holds.insert(hold.agent, hold.id, &FeedHold::of(hold, now));
            }
            Event::ApprovalRejected(rejected) => self.holds.end(now, rejected.agent, rejected.id),
            Event::Increased(increased) => self.holds.enlarge(increased.agent, increased.id, increased.by),
            Event::Captured(booked) => {
                if booked.last {
                    self.holds.end(now, booked.agent, booked.id);
                }
            }
            Event::Settled(booked) => self.holds.end(now, booked.agent, booked.id),
            Event::Voided(agent, id) | Event::Expired(agent, id) | Event::ApprovalExpired(agent, id) => {
                self.holds.end(now, *agent, *id)
            }
            Event::Recorded(booked) => {
                // A deposit outlives what is drawn from it.
                if booked.booking != Booking::Misdirected
                    && let Some(id) = booked.authorization
                    && self.holds.find(booked.agent, id).is_some_and(|hold| !hold.deposit)
                {
                    self.holds.end(now, booked.agent, id);
                }
            }
            Event::SessionClosed(agent, session) => {
                if let Some(deposit) = self.holds.deposit(*agent, *session) {
                    self.holds.end(now, *agent, deposit);
                }
            }
            Event::OptionsSet(options) => self.take_options(options),
            // These say nothing about agents, names or holds.
            Event::Denied(_)
            | Event::Extended(_)
            | Event::Refunded(_)
            | Event::SessionOpened(_)
            | Event::SessionNamed(..)
            | Event::SessionForgotten(..)
            | Event::HistoryForgotten { .. }
            | Event::UnknownExpired(_)
            | Event::WalletPut(..)
            | Event::KeyIssued(_)
            | Event::KeyRevoked(_)
            | Event::PolicyPut(..)
            | Event::PolicyRemoved(..)
            | Event::CounterpartyPut(..)
            | Event::CounterpartyRemoved(..)
            | Event::SanctionsStaged(_)
            | Event::SanctionsSwitched(..)
            | Event::Started { .. }
            | Event::Stopped
            | Event::Checkpoint(_)
            | Event::By(..)
            | Event::Webhook(_)
            | Event::Before(_)
            | Event::ShadowPut(..)
            | Event::ShadowRemoved(..)
            | Event::ShadowDiffered(_)
            | Event::FactsTold(..)
            | Event::AuditExported(_)
            | Event::BudgetRequested(_)
            | Event::BudgetApproved(_)
            | Event::BudgetRejected(_)
            | Event::BudgetSpent(..)
            | Event::BudgetExhausted(..)
            | Event::BudgetExpired(..)
            | Event::ApprovalGiven(_)
            | Event::Alerted(_)
            | Event::AlertChanged(..)
            | Event::AgentFrozen(_)
            | Event::AgentUnfrozen(_)
            | Event::HoldsVoided(..)
            | Event::WatchingChanged(..)
            | Event::TrustSeen(..) => {}
        }
    }

    fn take_options(&mut self, options: &Options) {
        (self.kept, self.kept_max) = (options.history_kept, options.maxima.finished_holds as usize);
    }

    /// Grows by a sixteenth: twice as many as there are would be too many for what there are millions of.
    fn add_agent(&mut self, id: AgentId, name: &str) {
        if self.agents.len() == self.agents.capacity() {
            self.agents.reserve_exact((self.agents.len() / 16).max(64));
        }
        let mut agent = Agent { id: [id.0 as u64, (id.0 >> 64) as u64], name: None };
        agent.rename(name);
        self.agents.push(agent);
    }
}

impl Agent {
    fn rename(&mut self, name: &str) {
        self.name = (!name.is_empty()).then(|| Box::new(name.into()));
    }
}
