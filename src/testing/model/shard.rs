//! The model of one shard, and which file answers which request.

use super::{agent::Agent, sanctions::Sanctions};
use crate::kernel::{
    AgentIndex, Failure, Options, Outcome, Request, Timestamp,
    counterparty::Counterparty,
    policy::{CheckedPolicy, PolicySource},
    request::KeySource,
};

/// A shard, slowly and obviously.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) options: Options,
    pub(super) now: Timestamp,
    pub(super) agents: Vec<Agent>,
    pub(super) policies: Vec<Policy>,
    pub(super) revision: u32,
    pub(super) sanctions: Sanctions,
    /// Payees who are described, each with the revision that did.
    pub(super) counterparties: Vec<(Counterparty, u32)>,
    pub(super) keys: Vec<KeySource>,
    /// Recipients and services that the shard has met.
    pub(super) names: Vec<String>,
    pub(super) holds_placed: u64,
    pub(super) incarnation: u32,
}

/// A policy in force.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) source: PolicySource,
    pub(super) checked: CheckedPolicy,
    pub(super) revision: u32,
}

impl Model {
    /// An empty shard.
    #[must_use]
    pub fn new(options: Options) -> Model {
        Model {
            options,
            now: Timestamp::ZERO,
            agents: Vec::new(),
            policies: Vec::new(),
            revision: 0,
            sanctions: Sanctions::default(),
            counterparties: Vec::new(),
            keys: Vec::new(),
            names: Vec::new(),
            holds_placed: 0,
            incarnation: 0,
        }
    }

    /// Answers a request and makes it happen.
    ///
    /// # Errors
    /// [`Failure`] as the kernel; nothing is changed then.
    pub fn decide(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Outcome, Failure> {
        self.pass(now);
        let outcome = self.answer(request);
        if changes_rules(request) {
            self.disarm_changed_leases();
            self.begin_counting_calls();
            self.ask_active_agents();
        }
        outcome
    }

    /// The moment of the last turn.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How often the shard was started.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// How many agents there are.
    #[must_use]
    pub fn agent_count(&self) -> u32 {
        self.agents.len() as u32
    }

    fn answer(&mut self, request: &Request<'_>) -> Result<Outcome, Failure> {
        match request {
            Request::Authorize(agent, authorize) => self.authorize(self.known(*agent)?, authorize),
            Request::Capture(agent, capture) => self.capture(self.known(*agent)?, capture),
            Request::CaptureTo(agent, capture) => self.capture_to(self.known(*agent)?, capture),
            Request::Settle(agent, settle) => self.settle(self.known(*agent)?, settle),
            Request::Void(agent, id) => self.void(self.known(*agent)?, *id),
            Request::Extend(agent, extend) => self.extend(self.known(*agent)?, extend),
            Request::Increment(agent, increment) => self.increment(self.known(*agent)?, increment),
            Request::Refund(agent, refund) => self.refund(self.known(*agent)?, refund),
            Request::Record(agent, record) => self.record(self.known(*agent)?, record),
            Request::CloseSession(agent, close) => self.close_session(self.known(*agent)?, close),
            Request::UpdateAgent(agent, update) => self.update_agent(self.known(*agent)?, update),
            Request::PutWallet(agent, source) => self.put_wallet(self.known(*agent)?, source),
            Request::CreateAgent(create) => self.create_agent(create),
            Request::IssueKey(source) => self.issue_key(source),
            Request::RevokeKey(id) => self.revoke_key(*id),
            Request::PutPolicy(source, revision) => self.put_policy(source, *revision),
            Request::RemovePolicy(id, revision) => self.remove_policy(*id, *revision),
            Request::StageSanctions(part) => self.stage_sanctions(part),
            Request::SwitchSanctions(summary, revision) => self.switch_sanctions(summary.as_deref(), *revision),
            Request::PutCounterparty(counterparty, revision) => self.put_counterparty(counterparty, *revision),
            Request::RemoveCounterparty(id, revision) => self.remove_counterparty(*id, *revision),
            Request::SetOptions(options) => {
                self.options = (**options).clone();
                Ok(Outcome::Done)
            }
            Request::RequestBudget(agent, request) => self.request_budget(self.known(*agent)?, request),
            Request::DecideApproval(agent, request) => self.decide_approval(self.known(*agent)?, request),
            Request::DecideBudget(agent, request) => self.decide_budget(self.known(*agent)?, request),
            Request::PutShadow(..) | Request::RemoveShadow(..) => {
                unreachable!("shadows decide nothing, so no workload has one")
            }
            Request::Read(query) => self.read(query),
            // Nothing that is decided depends on it, so the model does not keep it, and workloads do not ask for it.
            Request::Freeze(agent, freeze) => self.freeze(self.known(*agent)?, freeze),
            Request::Unfreeze(agent) => self.unfreeze(self.known(*agent)?),
            Request::ChangeAlert(..) => Err(Failure::UnknownAlert),
            Request::Webhook(_) | Request::NoteExport(_) => Ok(Outcome::Done),
            Request::By(_, request) => self.answer(request),
        }
    }

    /// The position of an agent that exists.
    pub(super) fn known(&self, agent: AgentIndex) -> Result<usize, Failure> {
        let position = agent.0 as usize;
        if position < self.agents.len() { Ok(position) } else { Err(Failure::UnknownAgent) }
    }
}

/// Whether a request may change which limits an agent has.
fn changes_rules(request: &Request<'_>) -> bool {
    let request = match request {
        Request::By(_, request) => request,
        request => request,
    };
    matches!(
        request,
        Request::UpdateAgent(..)
            | Request::PutWallet(..)
            | Request::CreateAgent(_)
            | Request::PutPolicy(..)
            | Request::RemovePolicy(..)
            | Request::SetOptions(_)
    )
}
