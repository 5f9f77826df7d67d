//! What operators do: agents, wallets, credentials, options.

use super::freeze::thaw;
use crate::kernel::{
    AgentIndex, Amount, Event, Failure, Former, KeyId, Options, Outcome, Timestamp,
    anomaly::WatchingChange,
    event::AgentCreated,
    request::{AgentStatus, CreateAgent, KeySource, UpdateAgent, WalletSource},
    state::{State, agent::Agent, wallet::Wallet, window::Weight},
};

/// The longest text in the description of an agent, a wallet or a key, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// The most agents that one platform key lists, and scopes that one key has.
const KEY_ENTRIES_MAX: usize = 10_000;

impl State {
    pub(crate) fn create_agent(&self, asked: &CreateAgent<'_>, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        short(asked.name, "name")?;
        short(asked.agent_type, "agentType")?;
        if let Some(index) = self.agents.find(asked.id) {
            let agent = self.agent(index)?;
            let same = agent.name() == asked.name && agent.agent_type() == asked.agent_type;
            return if same { Ok(Outcome::AgentCreated(index)) } else { Err(Failure::IdReused) };
        }
        full("agents of the shard", self.agents.len(), self.options.maxima.agents)?;
        events.push(Event::AgentCreated(Box::new(AgentCreated {
            id: asked.id,
            name: asked.name.into(),
            agent_type: asked.agent_type.into(),
            status: asked.status,
            lease: asked.lease,
        })));
        Ok(Outcome::AgentCreated(AgentIndex(self.agents.len() as u32)))
    }

    pub(crate) fn agent_created(&mut self, now: Timestamp, event: &AgentCreated) {
        let index = AgentIndex(self.agents.len() as u32);
        assert!(self.agents.find(event.id).is_none(), "INVARIANT: an agent is created once");
        let mut agent = Agent::new(event.id, event.status, &event.name, &event.agent_type, now);
        agent.own_lease = event.lease;
        agent.program.0 = self.catalogue.program_of(event.id);
        self.agents.push(agent);
        self.refresh(index);
    }

    pub(crate) fn update_agent(
        &self,
        index: AgentIndex,
        asked: &UpdateAgent<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        short(asked.name.unwrap_or_default(), "name")?;
        if agent.status == AgentStatus::Revoked && asked.status.is_some_and(|status| status != AgentStatus::Revoked) {
            return Err(Failure::Invalid { field: "status", expected: "`REVOKED`: a revoked agent never pays again" });
        }
        if let Some(change) = &asked.watching {
            check_thresholds(change)?;
        }
        events.push(Event::AgentUpdated(index, asked.status, asked.name.map(Into::into), asked.lease));
        if let Some(change) = &asked.watching {
            let before = Former::Watching(index, Box::new(agent.watching().before(change)));
            events.push(Event::Before(Box::new(before)));
            events.push(Event::WatchingChanged(index, change.clone()));
        }
        Ok(Outcome::Done)
    }

    pub(crate) fn agent_updated(
        &mut self,
        index: AgentIndex,
        status: Option<AgentStatus>,
        name: Option<&str>,
        lease: Option<Amount>,
    ) {
        let agent = self.agent_mut(index);
        if agent.status == AgentStatus::Suspended && status == Some(AgentStatus::Active) {
            thaw(agent);
        }
        agent.status = status.unwrap_or(agent.status);
        agent.own_lease = lease.or(agent.own_lease);
        if let Some(name) = name {
            agent.rename(name);
        }
        self.refresh(index);
    }

    pub(crate) fn watching_changed(&mut self, index: AgentIndex, change: &WatchingChange) {
        self.agent_mut(index).activity_mut().watch_mut().change(change);
    }

    pub(crate) fn put_wallet(
        &self,
        index: AgentIndex,
        wallet: &WalletSource,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        if wallet.id.is_empty() || wallet.id.len() > super::authorize::LABEL_BYTES_MAX {
            return Err(Failure::Invalid { field: "walletId", expected: "1 to 128 bytes" });
        }
        for (text, field) in
            [(&wallet.address, "address"), (&wallet.chain_id, "chainId"), (&wallet.custody, "custodyType")]
        {
            short(text, field)?;
        }
        if wallet.allowed_hours.is_some_and(|(from, to)| from > 24 || to > 24) {
            return Err(Failure::Invalid { field: "allowedHoursStart", expected: "hours from 0 to 24" });
        }
        if wallet.allowed_days > 0b111_1111 {
            return Err(Failure::Invalid { field: "allowedDays", expected: "days from Mon to Sun" });
        }
        if !agent.wallets.iter().any(|known| known.id() == wallet.id) {
            full("wallets of the agent", agent.wallets.len(), self.options.maxima.wallets_per_agent.min(255))?;
        }
        events.push(Event::WalletPut(index, Box::new(wallet.clone())));
        Ok(Outcome::Done)
    }

    pub(crate) fn wallet_put(&mut self, index: AgentIndex, source: &WalletSource) {
        let agent = self.agent_mut(index);
        let known = agent.wallets.iter().position(|wallet| wallet.id() == source.id);
        let position = known.unwrap_or(agent.wallets.len());
        let Weight { spent, .. } = agent.wallet_windows(position).total();
        let wallet = Wallet::new(source, agent.wallets.get(position), spent);
        match agent.wallets.get_mut(position) {
            Some(place) => *place = wallet,
            None => agent.wallets.push(wallet),
        }
        self.refresh(index);
    }

    pub(crate) fn issue_key(&self, key: &KeySource, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        short(&key.name, "name")?;
        short(&key.prefix, "keyPrefix")?;
        if let Some(known) = self.keys.get(&key.id) {
            return if known == key { Ok(Outcome::Done) } else { Err(Failure::IdReused) };
        }
        let listed = match &key.principal {
            crate::kernel::request::Principal::Platform(agents) => agents.len(),
            crate::kernel::request::Principal::Agent(_) | crate::kernel::request::Principal::Operator => 0,
        };
        if listed > KEY_ENTRIES_MAX || key.scopes.len() > KEY_ENTRIES_MAX {
            return Err(Failure::Invalid { field: "agentIds", expected: "at most 10000 entries" });
        }
        full("keys of the shard", self.keys.len(), self.options.maxima.keys)?;
        events.push(Event::KeyIssued(Box::new(key.clone())));
        Ok(Outcome::Done)
    }

    pub(crate) fn key_issued(&mut self, key: &KeySource) {
        self.keys.insert(key.id, key.clone());
    }

    pub(crate) fn revoke_key(&self, id: KeyId, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        if !self.keys.contains_key(&id) {
            return Err(Failure::UnknownKey);
        }
        events.push(Event::KeyRevoked(id));
        Ok(Outcome::Done)
    }

    pub(crate) fn key_revoked(&mut self, id: KeyId) {
        self.keys.remove(&id);
    }

    pub(crate) fn set_options(&self, options: &Options, events: &mut Vec<Event>) -> Outcome {
        if *options != self.options {
            events.push(Event::OptionsSet(Box::new(options.clone())));
        }
        Outcome::Done
    }

    /// Who exports the audit is part of it.
    pub(crate) fn note_export(what: &str, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        short(what, "export")?;
        events.push(Event::AuditExported(what.into()));
        Ok(Outcome::Done)
    }

    pub(crate) fn options_set(&mut self, options: &Options) {
        let riders_last = |options: &Options| (options.lease.hold_max, options.grace);
        if riders_last(options) != riders_last(&self.options) {
            // A crash that loses this event must not be followed by longer holds that rode on the lease.
            self.agents.iter_mut().for_each(|(_, agent)| agent.armed_in = 0);
        }
        let forgets_otherwise = options.session_kept != self.options.session_kept;
        self.options = options.clone();
        if forgets_otherwise {
            self.restore_session_deadlines();
        }
        self.catalogue.set_default(&options.default_policy);
        self.recompile();
    }
}

/// Every threshold at most once, and within its range.
fn check_thresholds(change: &WatchingChange) -> Result<(), Failure> {
    for (position, &(threshold, value)) in change.thresholds.iter().enumerate() {
        if value > threshold.maximum() {
            return Err(Failure::Invalid { field: threshold.word(), expected: "a value within its documented range" });
        }
        if change.thresholds.iter().skip(position + 1).any(|(other, _)| *other == threshold) {
            return Err(Failure::Invalid { field: threshold.word(), expected: "one value" });
        }
    }
    Ok(())
}

fn short(text: &str, field: &'static str) -> Result<(), Failure> {
    if text.len() > TEXT_BYTES_MAX { Err(Failure::Invalid { field, expected: "at most 256 bytes" }) } else { Ok(()) }
}

fn full(what: &'static str, count: usize, maximum: u32) -> Result<(), Failure> {
    if count >= maximum as usize { Err(Failure::Capacity { what, maximum: u64::from(maximum) }) } else { Ok(()) }
}
