//! What operators change: agents, wallets, keys, policies; and which rules an agent has.

use std::cmp::Reverse;

use super::{
    Model,
    agent::{Agent, Wallet},
    counted::Past,
    place::check as check_field,
    shard::Policy,
    sum::Scope,
    watch::Watch,
};
use crate::kernel::{
    AgentIndex, Failure, KeyId, Outcome, PolicyId,
    policy::{CheckedPolicy, PolicySource, Rule, check},
    request::{AgentStatus, CreateAgent, Freeze, KeySource, UpdateAgent, WalletSource},
};

impl Model {
    pub(super) fn create_agent(&mut self, create: &CreateAgent<'_>) -> Result<Outcome, Failure> {
        if let Some(index) = self.agents.iter().position(|agent| agent.id == create.id) {
            return Ok(Outcome::AgentCreated(AgentIndex(index as u32)));
        }
        room("agents", self.agents.len(), self.options.maxima.agents)?;
        self.agents.push(Agent {
            id: create.id,
            name: create.name.to_owned(),
            agent_type: create.agent_type.to_owned(),
            status: create.status,
            own_lease: create.lease,
            created_at: self.now,
            wallets: Vec::new(),
            holds: Vec::new(),
            payments: Vec::new(),
            growths: Vec::new(),
            sessions: Vec::new(),
            operations: Vec::new(),
            budgets: Vec::new(),
            unknown_holds: Vec::new(),
            unattributed: 0,
            paces: Vec::new(),
            paced_from: [None; 5],
            calls: Vec::new(),
            active: false,
            starts: Vec::new(),
            before: Vec::new(),
            past: Past::default(),
            narrow_calls: Vec::new(),
            armed: None,
            watch: Watch::default(),
        });
        Ok(Outcome::AgentCreated(AgentIndex(self.agents.len() as u32 - 1)))
    }

    pub(super) fn update_agent(&mut self, agent: usize, update: &UpdateAgent<'_>) -> Result<Outcome, Failure> {
        let agent = &mut self.agents[agent];
        let revives = update.status.is_some_and(|status| status != AgentStatus::Revoked);
        check_field(agent.status != AgentStatus::Revoked || !revives, "status")?;
        if agent.status == AgentStatus::Suspended && update.status == Some(AgentStatus::Active) {
            agent.watch.begin_anew();
        }
        agent.status = update.status.unwrap_or(agent.status);
        if let Some(change) = &update.watching {
            agent.watch.watching = agent.watch.watching.with(change);
            agent.watch.changed();
        }
        agent.name = update.name.map_or_else(|| agent.name.clone(), str::to_owned);
        agent.own_lease = update.lease.or(agent.own_lease);
        Ok(Outcome::Done)
    }

    pub(super) fn freeze(&mut self, agent: usize, freeze: &Freeze<'_>) -> Result<Outcome, Failure> {
        check_field(freeze.reason.len() <= 256, "reason")?;
        let agent = &mut self.agents[agent];
        check_field(agent.status != AgentStatus::Revoked, "status")?;
        agent.status = AgentStatus::Suspended;
        Ok(Outcome::Done)
    }

    pub(super) fn unfreeze(&mut self, agent: usize) -> Result<Outcome, Failure> {
        let agent = &mut self.agents[agent];
        check_field(matches!(agent.status, AgentStatus::Active | AgentStatus::Suspended), "status")?;
        if agent.status == AgentStatus::Suspended {
            agent.watch.begin_anew();
        }
        agent.status = AgentStatus::Active;
        Ok(Outcome::Done)
    }

    pub(super) fn put_wallet(&mut self, agent: usize, source: &WalletSource) -> Result<Outcome, Failure> {
        let agent = &mut self.agents[agent];
        match agent.wallets.iter().position(|wallet| wallet.source.id == source.id) {
            Some(index) => {
                let before = &agent.wallets[index];
                let (balance, spent_when_told) = match source.balance {
                    Some(told) => (Some(told), agent.total(Scope::Wallet(index)).spent),
                    None => (before.source.balance, before.spent_when_told),
                };
                agent.wallets[index] = Wallet { source: WalletSource { balance, ..source.clone() }, spent_when_told };
            }
            None => {
                room("wallets", agent.wallets.len(), self.options.maxima.wallets_per_agent)?;
                agent.wallets.push(Wallet { source: source.clone(), spent_when_told: 0 });
            }
        }
        Ok(Outcome::Done)
    }

    pub(super) fn issue_key(&mut self, source: &KeySource) -> Result<Outcome, Failure> {
        match self.keys.iter().find(|key| key.id == source.id) {
            Some(key) if key == source => Ok(Outcome::Done),
            Some(_) => Err(Failure::IdReused),
            None => {
                room("keys", self.keys.len(), self.options.maxima.keys)?;
                self.keys.push(source.clone());
                Ok(Outcome::Done)
            }
        }
    }

    pub(super) fn revoke_key(&mut self, id: KeyId) -> Result<Outcome, Failure> {
        let index = self.keys.iter().position(|key| key.id == id).ok_or(Failure::UnknownKey)?;
        self.keys.remove(index);
        Ok(Outcome::Done)
    }

    pub(super) fn put_policy(&mut self, source: &PolicySource, revision: Option<u32>) -> Result<Outcome, Failure> {
        let checked = check(source)?;
        if let Some(same) = self.policies.iter().find(|policy| policy.source == *source && revision.is_none()) {
            return Ok(Outcome::PolicyChanged { revision: same.revision });
        }
        let revision = revision.unwrap_or(self.revision + 1);
        let policy = Policy { source: source.clone(), checked, revision };
        match self.policies.iter().position(|known| known.source.id == source.id) {
            Some(index) => self.policies[index] = policy,
            None => {
                room("policies", self.policies.len(), self.options.maxima.policies)?;
                self.policies.push(policy);
            }
        }
        self.revision = revision;
        Ok(Outcome::PolicyChanged { revision })
    }

    pub(super) fn remove_policy(&mut self, id: PolicyId, revision: Option<u32>) -> Result<Outcome, Failure> {
        let index = self.policies.iter().position(|known| known.source.id == id).ok_or(Failure::UnknownPolicy)?;
        self.policies.remove(index);
        self.revision = revision.unwrap_or(self.revision + 1);
        Ok(Outcome::PolicyChanged { revision: self.revision })
    }

    /// All rules of the agent in the order in which their violations are told, or nothing where one policy cannot be read.
    pub(super) fn rules(&self, agent: usize) -> Option<Vec<Rule>> {
        self.rules_of(agent, CheckedPolicy::rules)
    }

    /// Its rules whose breach asks a human.
    pub(super) fn asking(&self, agent: usize) -> Vec<Rule> {
        self.rules_of(agent, CheckedPolicy::asking).unwrap_or_default()
    }

    /// Both.
    pub(super) fn all_rules(&self, agent: usize) -> Vec<Rule> {
        let mut rules = self.rules(agent).unwrap_or_default();
        rules.extend(self.asking(agent));
        rules
    }

    fn rules_of(&self, agent: usize, of: fn(&CheckedPolicy) -> &[Rule]) -> Option<Vec<Rule>> {
        let id = self.agents[agent].id;
        let concern = |policy: &&Policy| {
            let source = &policy.source;
            source.active && source.is_for(id)
        };
        let mut concerned: Vec<&Policy> = self.policies.iter().filter(concern).collect();
        concerned.sort_by_key(|policy| (Reverse(policy.source.priority), policy.source.id));
        let default = check(&self.options.default_policy);
        let mut checked: Vec<&CheckedPolicy> = concerned.iter().map(|policy| &policy.checked).collect();
        if concerned.iter().all(|policy| policy.source.is_for_wallets()) {
            checked.push(default.as_ref().ok()?);
            checked.sort_by_key(|policy| (std::cmp::Reverse(policy.priority()), policy.id()));
        }
        let mut rules: Vec<Rule> = Vec::new();
        for rule in checked.into_iter().filter(|policy| policy.is_active()).flat_map(of) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
        rules.sort_by_key(Rule::kind);
        Some(rules)
    }
}

/// Fails where there is no room for one more.
pub(super) fn room(what: &'static str, present: usize, maximum: u32) -> Result<(), Failure> {
    if present < maximum as usize { Ok(()) } else { Err(Failure::Capacity { what, maximum: u64::from(maximum) }) }
}
