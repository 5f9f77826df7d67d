//! Look at something; changes nothing.

use super::{join::Join, looked_at::LookedAt};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, BudgetRequestId, Failure, Protocol, Timestamp,
    outcome::{
        AgentView, AuthorizationView, BudgetRequestView, BudgetStatus, BudgetView, LimitView, Measure, SanctionsView,
        ServiceView, SessionView, ShadowView, ShardView, View, ViolationKind, WalletView,
    },
    policy::Whose,
    request::{Principal, Query},
    state::{
        State,
        agent::Agent,
        budget::{BudgetRequest, BudgetRequests},
        session::Session,
        shadow::{Entry, Example},
        window::Calendar,
    },
};

/// The most agents that one query shows.
const AGENTS_SHOWN_MAX: u32 = 1000;
/// The most budget or approval requests that one query shows.
const REQUESTS_SHOWN_MAX: u32 = 1000;

/// The most payees that one query shows.
const COUNTERPARTIES_SHOWN_MAX: u32 = 1000;

/// Takes limits one by one: who looks at them on the way of a payment keeps none.
pub(crate) struct Limits<'a>(pub(crate) &'a mut dyn FnMut(LimitView));

impl Limits<'_> {
    fn push(&mut self, limit: LimitView) {
        (self.0)(limit);
    }
}

impl State {
    pub(crate) fn read(&self, now: Timestamp, query: &Query<'_>) -> Result<View, Failure> {
        Ok(match query {
            Query::Authorization(agent, id) => View::Authorization(Box::new(self.authorization_view(*agent, *id)?)),
            Query::Agent(agent) => View::Agent(Box::new(self.agent_view(now, *agent)?)),
            Query::Wallets(agent) => {
                View::Wallets(self.agent(*agent)?.wallets.iter().map(|wallet| wallet.source()).collect())
            }
            Query::Budget(agent, protocol, session) => {
                View::Budget(Box::new(self.budget_view(now, self.agent(*agent)?, *agent, *protocol, session)?))
            }
            Query::Services(agent, protocol) => View::Services(self.services_view(self.agent(*agent)?, *protocol)),
            Query::AgentKeys(agent) => {
                let of_agent = Principal::Agent(self.agent(*agent)?.id);
                View::Keys(self.keys().filter(|key| key.principal == of_agent).cloned().collect())
            }
            Query::Agents { from, count } => {
                let shown = (from.0..self.agents.len() as u32).take((*count).min(AGENTS_SHOWN_MAX) as usize);
                let views: Result<_, _> = shown.map(|index| self.agent_view(now, AgentIndex(index))).collect();
                View::Agents(views?)
            }
            Query::Policies => {
                View::Policies(self.policies().map(|(source, revision)| (source.clone(), revision)).collect())
            }
            Query::Counterparty(id) => {
                let entry = self.counterparties.get(*id).ok_or(Failure::UnknownCounterparty)?;
                View::Counterparties(vec![entry.clone()])
            }
            Query::Counterparties { after, count } => {
                let count = (*count).min(COUNTERPARTIES_SHOWN_MAX) as usize;
                View::Counterparties(self.counterparties.after(*after).take(count).cloned().collect())
            }
            Query::Sanctions => View::Sanctions(self.sanctions.in_force().map(|list| {
                let (summary, revision) = (list.summary.clone(), self.sanctions.revision());
                Box::new(SanctionsView { summary, revision, since: list.since })
            })),
            Query::Webhooks => View::Webhooks(self.webhooks.values().cloned().collect()),
            Query::Alert(number) => View::Alert(Box::new(self.alert_view(*number)?)),
            Query::Alerts(query) => View::Alerts(self.alert_views(query)),
            Query::Shard { digest } => View::Shard(ShardView {
                agents: self.agents.len() as u64,
                holds: u64::from(self.holds.open_count()),
                policies: self.policies().count() as u64,
                policy_revision: self.catalogue.revision(),
                incarnation: self.incarnation,
                digest: digest.then(|| self.digest()),
            }),
            Query::BudgetRequests(agent, id, status) => {
                View::BudgetRequests(self.budget_requests_view(self.agent(*agent)?, *id, *status)?)
            }
            Query::LatestBudgetRequests(status, count) => {
                View::BudgetRequests(self.latest_budget_requests(*status, (*count).min(REQUESTS_SHOWN_MAX)))
            }
            Query::FindBudgetRequests(id) => View::BudgetRequests(self.find_budget_requests(*id)),
            Query::LatestApprovalRequests(agent, status, count) => {
                let count = (*count).min(REQUESTS_SHOWN_MAX);
                View::ApprovalRequests(self.latest_approvals(*agent, *status, count))
            }
            Query::ApprovalRequest(id) => View::ApprovalRequests(vec![self.find_approval(*id)?]),
            Query::BudgetInForce(agent) => {
                let agent = self.agent(*agent)?;
                View::BudgetInForce(agent.budget_in_force().map(|budget| Box::new(budget.view(agent))))
            }
            Query::Shadows => View::Shadows(self.shadows_view()),
            Query::Simulate(agent, simulation) => View::Simulation(self.simulate(now, *agent, simulation)?),
        })
    }

    fn shadows_view(&self) -> Vec<ShadowView> {
        let id = |example: &Example| self.agents.get(example.agent).map(|agent| agent.id);
        let view = |entry: &Entry| {
            let shadow = entry.shadow.clone()?;
            let agents = shadow.examples.iter().filter_map(id).collect();
            Some(ShadowView { revision: entry.revision, shadow, agents })
        };
        self.shadows.entries().filter_map(|(_, entry)| view(entry)).collect()
    }

    fn authorization_view(&self, index: AgentIndex, id: AuthorizationId) -> Result<AuthorizationView, Failure> {
        let agent = self.agent(index)?;
        let hold = self.holds.at(self.holds.find(index, id).ok_or(Failure::UnknownAuthorization)?);
        Ok(AuthorizationView {
            id,
            status: hold.status,
            protocol: hold.protocol,
            // A deposit shrinks when its session is closed; what was asked for stays.
            amount: if hold.deposit { hold.approved_amount() } else { hold.amount() },
            captured: hold.captured(),
            refunded: hold.refunded(),
            recipient: self.names.text(hold.recipient).to_owned(),
            service: hold.service().map_or("", |service| self.names.text(service)).to_owned(),
            session: agent.session(hold.session).map_or("", |session| &session.name).to_owned(),
            placed_at: hold.placed_at,
            transaction: hold.transaction().map(str::to_owned),
            expires_at: hold.expires_at(),
            approval: hold.approval_request().map(|request| (request.id, request.status)),
        })
    }

    fn agent_view(&self, now: Timestamp, index: AgentIndex) -> Result<AgentView, Failure> {
        let agent = self.agent(index)?;
        let wallets = agent.wallets.iter().enumerate().map(|(position, wallet)| WalletView {
            source: wallet.source(),
            available: agent.available(position),
            used: agent.wallet_windows(position).all_used(now),
        });
        Ok(AgentView {
            id: agent.id,
            index,
            name: agent.name().to_owned(),
            agent_type: agent.agent_type().to_owned(),
            status: agent.status,
            lease: agent.own_lease,
            created_at: agent.created_at,
            held: agent.windows().held(),
            used: agent.windows().all_used(now),
            wallets: wallets.collect(),
            watching: agent.watching().clone(),
        })
    }

    fn budget_view(
        &self,
        now: Timestamp,
        agent: &Agent,
        index: AgentIndex,
        protocol: Protocol,
        name: &str,
    ) -> Result<BudgetView, Failure> {
        let session = match (protocol, name) {
            (Protocol::X402, "") => Join::x402(agent, now, "", &self.options).session(),
            (_, "") => None,
            (protocol, name) => Some(agent.session_named(protocol, name).ok_or(Failure::UnknownSession)?),
        };
        let used = session.map(|session| self.used_in(index, session));
        let session = session.map(|session| self.session_view(now, index, session));
        let mut limits = Vec::new();
        self.each_limit(now, agent, protocol, used, &mut Limits(&mut |limit| limits.push(limit)));
        let services = || agent.activity().services.iter().filter(|service| service.key.0 == protocol);
        let left = |limit: &LimitView| match (limit.limit, limit.used) {
            (Measure::Money(cap), Measure::Money(used)) => Some(cap.saturating_sub(used)),
            _ => None,
        };
        Ok(BudgetView {
            remaining: limits.iter().filter_map(left).min(),
            limits,
            spent: services().fold(Amount::ZERO, |sum, s| sum.saturating_add(s.windows.total().spent)),
            calls: services().map(|service| service.calls).sum(),
            held: agent.windows().held(),
            used: agent.windows().all_used(now),
            session,
        })
    }

    /// What counts in a session, and its deposit.
    pub(crate) fn used_in(&self, index: AgentIndex, session: &Session) -> (Amount, Option<Amount>) {
        match self.deposit_hold(index, session) {
            Some(deposit) => (deposit.captured().saturating_add(session.inside), Some(deposit.approved_amount())),
            None => (session.weight.used, None),
        }
    }

    /// Every cumulative limit that applies to the agent on a rail, whatever the service; `session` is what counts in the session that was
    /// asked for, and its deposit.
    pub(crate) fn each_limit(
        &self,
        now: Timestamp,
        agent: &Agent,
        protocol: Protocol,
        session: Option<(Amount, Option<Amount>)>,
        limits: &mut Limits<'_>,
    ) {
        let unknown = agent.unknown_amount();
        let with_lost = |used: Amount| used.saturating_add(unknown).saturating_add(agent.unattributed());
        let money = |kind, cap: Amount, used: Amount| LimitView {
            kind,
            limit: Measure::Money(cap),
            used: Measure::Money(used),
        };
        let (used_in_session, deposit) = session.unwrap_or_default();
        if let Some(deposit) = deposit {
            limits.push(money(ViolationKind::SessionDeposit, deposit, with_lost(used_in_session)));
        }
        if let Some(budget) = agent.budget_in_force() {
            let used = budget.weight.used.saturating_add(unknown);
            limits.push(money(ViolationKind::BudgetExceeded, budget.approved, used));
        }
        let preferred = agent.wallet_for("").and_then(|position| u8::try_from(position).ok());
        let looked_at = LookedAt { agent, now, protocol, wallet: preferred, used_in_session };
        for rule in self.program(agent).all_rules().filter(|rule| rule.applies().covers(protocol)) {
            if let Some(limit) = looked_at.limit(rule, Whose::Agent) {
                limits.push(limit);
            }
        }
        if let Some((position, wallet)) = agent.wallet_for("").and_then(|at| Some((at, agent.wallets.get(at)?))) {
            let windows = agent.wallet_windows(position);
            let kinds = [ViolationKind::WalletPerDay, ViolationKind::WalletPerWeek, ViolationKind::WalletPerMonth];
            for (calendar, kind) in Calendar::ALL.into_iter().zip(kinds) {
                if let Some(cap) = wallet.limit(calendar) {
                    limits.push(money(kind, cap, windows.used(calendar, now).saturating_add(unknown)));
                }
            }
            if let Some(available) = wallet.available(windows) {
                limits.push(money(ViolationKind::Balance, available, unknown));
            }
        }
    }

    fn budget_requests_view(
        &self,
        agent: &Agent,
        id: Option<BudgetRequestId>,
        status: Option<BudgetStatus>,
    ) -> Result<Vec<BudgetRequestView>, Failure> {
        let fits = |request: &&BudgetRequest| {
            id.is_none_or(|id| request.id == id) && status.is_none_or(|status| request.status == status)
        };
        let requests = || agent.budgets().into_iter().flat_map(BudgetRequests::iter).rev();
        if id.is_some_and(|id| !requests().any(|request| request.id == id)) {
            return Err(Failure::UnknownBudgetRequest);
        }
        Ok(requests().filter(fits).map(|request| request.view(agent)).collect())
    }

    fn latest_budget_requests(&self, status: Option<BudgetStatus>, count: u32) -> Vec<BudgetRequestView> {
        let latest = self.budget_index.iter().rev().filter_map(|(_, index, number)| {
            let agent = self.agents.get(*index)?;
            let request = agent.budgets()?.numbered(*number)?;
            status.is_none_or(|status| request.status == status).then(|| request.view(agent))
        });
        latest.take(count as usize).collect()
    }

    fn find_budget_requests(&self, id: BudgetRequestId) -> Vec<BudgetRequestView> {
        let all = (id, AgentIndex(0))..=(id, AgentIndex(u32::MAX));
        let found = self.budget_ids.range(all).filter_map(|(_, index)| {
            let agent = self.agents.get(*index)?;
            Some(agent.budgets()?.get(id)?.view(agent))
        });
        found.collect()
    }

    fn session_view(&self, now: Timestamp, index: AgentIndex, session: &Session) -> SessionView {
        let deposit = self.deposit_hold(index, session);
        let ends_at = match session.envelope() {
            Some(envelope) => envelope.ends_at,
            None if session.is_implicit() => session.last_request.after(self.options.session_idle),
            None => session.last_request.after(self.options.session_kept),
        };
        SessionView {
            name: session.name.to_string(),
            protocol: session.protocol,
            deposit: deposit.map(|hold| hold.approved_amount()),
            spent: deposit.map_or(session.weight.spent, |hold| hold.captured().saturating_sub(hold.refunded())),
            held: match deposit {
                Some(_) => session.inside,
                None => session.weight.used.saturating_sub(session.weight.spent),
            },
            open: session.is_open() && session.envelope().is_none_or(|envelope| now < envelope.ends_at),
            opened_at: session.opened_at,
            ends_at,
            authorization: session.envelope().map(|envelope| envelope.deposit),
        }
    }

    fn services_view(&self, agent: &Agent, protocol: Protocol) -> Vec<ServiceView> {
        let of_protocol = agent.activity().services.iter().filter(|service| service.key.0 == protocol);
        let named = of_protocol.filter_map(|service| service.key.1.map(|name| (name, service)));
        let view = named.map(|(name, service)| ServiceView {
            service: self.names.text(name).to_owned(),
            spent: service.windows.total().spent,
            held: service.windows.held(),
            calls: service.calls,
            last_at: service.last_at,
        });
        view.collect()
    }
}
