//! What can be looked at.

use super::{
    Model,
    agent::{Agent, Hold, Place, Session, SessionSort},
    shard::Policy,
    sum::{Scope, amount, left},
};
use crate::kernel::{
    AgentIndex, Amount, Failure, Outcome, Protocol, Timestamp,
    outcome::{
        AgentView, AuthorizationView, BudgetView, LimitView, Measure, ServiceView, SessionView, ShardView,
        SimulationView, View, ViolationKind, WalletView,
    },
    policy::{Over, PolicySource, Rule, SpendWindow, check},
    request::{Query, Simulation},
};

impl Model {
    pub(super) fn read(&self, query: &Query<'_>) -> Result<Outcome, Failure> {
        Ok(Outcome::View(match query {
            Query::Authorization(agent, id) => {
                let agent = &self.agents[self.known(*agent)?];
                let position = agent.hold(*id).ok_or(Failure::UnknownAuthorization)?;
                View::Authorization(Box::new(agent.view_of_hold(&agent.holds[position])))
            }
            Query::Agent(agent) => View::Agent(Box::new(self.view_of_agent(self.known(*agent)?))),
            Query::Wallets(agent) => {
                let view = self.view_of_agent(self.known(*agent)?);
                View::Wallets(view.wallets.into_iter().map(|wallet| wallet.source).collect())
            }
            Query::Budget(agent, protocol, session) => {
                View::Budget(Box::new(self.view_of_budget(self.known(*agent)?, *protocol, session)?))
            }
            Query::Services(agent, protocol) => View::Services(self.agents[self.known(*agent)?].services(*protocol)),
            Query::AgentKeys(agent) => {
                let id = self.agents[self.known(*agent)?].id;
                let is_its = |principal: &_| *principal == crate::kernel::request::Principal::Agent(id);
                View::Keys(self.keys.iter().filter(|key| is_its(&key.principal)).cloned().collect())
            }
            Query::Agents { from, count } => {
                let shown = (from.0 as usize..self.agents.len()).take(*count as usize);
                View::Agents(shown.map(|agent| self.view_of_agent(agent)).collect())
            }
            // Alerts follow from decisions and change none: the model keeps none.
            Query::Alert(_) => return Err(Failure::UnknownAlert),
            Query::Alerts(_) => View::Alerts(Vec::new()),
            Query::Policies => {
                let sources = self.policies.iter().map(|policy| (policy.source.clone(), policy.revision));
                View::Policies(sources.collect())
            }
            Query::Counterparty(_) | Query::Counterparties { .. } => self.view_of_counterparties(query)?,
            Query::Sanctions => View::Sanctions(self.sanctions.view()),
            Query::Webhooks => View::Webhooks(Vec::new()),
            Query::BudgetRequests(agent, id, status) => {
                let agent = &self.agents[self.known(*agent)?];
                if id.is_some_and(|id| agent.budget(id).is_none()) {
                    return Err(Failure::UnknownBudgetRequest);
                }
                View::BudgetRequests(agent.budgets_view(*id, *status))
            }
            Query::LatestBudgetRequests(status, count) => View::BudgetRequests(self.latest_budgets(*status, *count)),
            Query::FindBudgetRequests(id) => {
                let found =
                    self.agents.iter().filter_map(|agent| agent.budget(*id).map(|budget| agent.view_of_budget(budget)));
                View::BudgetRequests(found.collect())
            }
            Query::LatestApprovalRequests(agent, status, count) => {
                View::ApprovalRequests(self.latest_approvals(*agent, *status, *count))
            }
            Query::ApprovalRequest(_) => return Err(Failure::UnknownApprovalRequest),
            Query::BudgetInForce(agent) => {
                let agent = &self.agents[self.known(*agent)?];
                let budget = agent.budget_in_force();
                View::BudgetInForce(budget.map(|budget| Box::new(agent.view_of_budget(budget))))
            }
            Query::Shard { .. } => View::Shard(ShardView {
                agents: self.agents.len() as u64,
                holds: self.open_holds().count() as u64,
                policies: self.policies.len() as u64,
                policy_revision: self.revision,
                incarnation: self.incarnation,
                digest: None,
            }),
            Query::Shadows => View::Shadows(Vec::new()),
            Query::Simulate(agent, simulation) => View::Simulation(self.simulate(self.known(*agent)?, simulation)?),
        }))
    }

    /// Tries each payment on a copy.
    fn simulate(&self, agent: usize, simulation: &Simulation<'_>) -> Result<SimulationView, Failure> {
        let mut copy = self.clone();
        if let Some(draft) = &simulation.draft {
            let policy = Policy { source: draft.clone(), checked: check(draft)?, revision: self.revision + 1 };
            copy.policies.retain(|known| known.source.id != draft.id);
            copy.policies.push(policy);
        }
        let concerns = |draft: &PolicySource| {
            let agent = self.agents[agent].id;
            draft.active && draft.is_for(agent)
        };
        Ok(SimulationView {
            applies: simulation.draft.as_ref().is_none_or(concerns),
            answers: simulation.payments.iter().map(|payment| copy.clone().authorize(agent, payment)).collect(),
        })
    }

    fn open_holds(&self) -> impl Iterator<Item = &Hold> {
        self.agents.iter().flat_map(|agent| &agent.holds).filter(|hold| hold.is_open())
    }

    fn view_of_agent(&self, index: usize) -> AgentView {
        let agent = &self.agents[index];
        AgentView {
            watching: agent.watch.watching.clone(),
            id: agent.id,
            index: AgentIndex(index as u32),
            name: agent.name.clone(),
            agent_type: agent.agent_type.clone(),
            status: agent.status,
            lease: agent.own_lease,
            created_at: agent.created_at,
            held: amount(agent.total(Scope::Agent).held()),
            used: agent.used_now(Scope::Agent, self.now),
            wallets: (0..agent.wallets.len()).map(|wallet| self.view_of_wallet(agent, wallet)).collect(),
        }
    }

    fn view_of_wallet(&self, agent: &Agent, wallet: usize) -> WalletView {
        WalletView {
            source: agent.wallets[wallet].source.clone(),
            available: agent.available(wallet).map(left),
            used: agent.used_now(Scope::Wallet(wallet), self.now),
        }
    }

    fn view_of_budget(&self, index: usize, protocol: Protocol, name: &str) -> Result<BudgetView, Failure> {
        let agent = &self.agents[index];
        let session = match (protocol, name) {
            (Protocol::X402, "") => agent.current_implicit(&self.options, self.now),
            (_, "") => None,
            (protocol, name) => Some(agent.session_named(protocol, name).ok_or(Failure::UnknownSession)?),
        };
        let limits = self.limits(index, protocol, session);
        let rests = limits.iter().filter_map(|limit| match (limit.limit, limit.used) {
            (Measure::Money(limit), Measure::Money(used)) => Some(limit.saturating_sub(used)),
            _ => None,
        });
        let calls = agent.calls.iter().filter(|call| call.protocol == protocol);
        Ok(BudgetView {
            remaining: rests.min(),
            spent: amount(agent.total(Scope::Rail(protocol)).spent),
            calls: calls.map(|call| call.count).sum(),
            held: amount(agent.total(Scope::Agent).held()),
            used: agent.used_now(Scope::Agent, self.now),
            session: session.map(|number| self.view_of_session(agent, number)),
            limits,
        })
    }

    /// Every cumulative limit of an agent on one rail, with what counts against it.
    fn limits(&self, index: usize, protocol: Protocol, session: Option<u32>) -> Vec<LimitView> {
        let agent = &self.agents[index];
        let mut limits = Vec::new();
        let money = |kind, limit, used: i128| LimitView {
            kind,
            limit: Measure::Money(limit),
            used: Measure::Money(amount(used)),
        };
        if let Some(position) = session.and_then(|number| agent.deposit(number)) {
            let deposit = &agent.holds[position];
            let drawn = deposit.captured + agent.held_inside(deposit.session);
            let used = drawn + agent.unknown() + agent.unattributed;
            limits.push(money(ViolationKind::SessionDeposit, amount(deposit.amount), used));
        }
        if let Some(budget) = agent.budget_in_force() {
            let used = agent.total_of_budget(budget).used + agent.unknown();
            limits.push(money(ViolationKind::BudgetExceeded, budget.approved, used));
        }
        let of_rule = |rule: &Rule| self.limit(agent, rule, protocol, session, None);
        limits.extend(self.all_rules(index).iter().filter_map(of_rule));
        let wallet = agent.first_wallet();
        limits.extend(wallet.into_iter().flat_map(|wallet| self.limits_of_wallet(agent, wallet)));
        limits
    }

    /// The limit of a rule of an agent, or of one of its wallets.
    fn limit(
        &self,
        agent: &Agent,
        rule: &Rule,
        protocol: Protocol,
        session: Option<u32>,
        of_wallet: Option<usize>,
    ) -> Option<LimitView> {
        if !rule.applies().covers(protocol) {
            return None;
        }
        let (kind, now) = (ViolationKind::Rule(rule.kind()), self.now);
        let money = |limit: &Amount, used: i128| {
            Some(LimitView { kind, limit: Measure::Money(*limit), used: Measure::Money(amount(used)) })
        };
        let count = |limit: &u32, used| {
            Some(LimitView { kind, limit: Measure::Count(u64::from(*limit)), used: Measure::Count(used) })
        };
        let scope = of_wallet.map_or(Scope::Agent, Scope::Wallet);
        let lost = agent.unknown() + agent.unattributed;
        match rule {
            Rule::SessionBudget { cap, .. } => {
                money(cap, session.map_or(0, |number| agent.used_in_session(number)) + lost)
            }
            Rule::WindowLimit { window, cap } | Rule::BudgetCap { window, cap } => {
                money(cap, agent.used_in(scope, "", window, now) + agent.unknown())
            }
            Rule::RollingLimit { length, cap } => {
                money(cap, agent.used_over(scope, "", &Over::Rolling(*length), None, now) + agent.unknown())
            }
            Rule::ConcurrentSessions { max } => count(max, agent.open_envelopes()),
            Rule::Velocity { period, max_count } => count(
                max_count,
                match of_wallet {
                    Some(wallet) => agent.calls_over(Some(wallet), None, *period, now),
                    None => agent.pace(*period, now),
                },
            ),
            Rule::MaxPerService { window, cap, .. } => {
                let services = agent.services(protocol).into_iter();
                let used = services.map(|view| agent.used_at(protocol, &view.service, window, now)).max();
                money(cap, used.unwrap_or_default() + lost)
            }
            Rule::MaxPerEndpoint { window, cap, .. } => {
                let used = agent.endpoints(protocol).into_iter().map(|endpoint| {
                    let service = endpoint.split(' ').next().unwrap_or_default();
                    agent.used_at_endpoint(protocol, Some(endpoint), service, window, now)
                });
                money(cap, used.max().unwrap_or_default() + lost)
            }
            Rule::VelocityPerEndpoint { period, max_count, .. } => {
                let called = agent.called_endpoints(protocol).into_iter();
                let calls = called.map(|endpoint| agent.calls_over(None, Some((protocol, endpoint)), *period, now));
                count(max_count, calls.max().unwrap_or_else(|| agent.calls_over(None, None, *period, now)))
            }
            Rule::OnWallets { wallets, rule } => {
                let wallet = agent.first_wallet()?;
                let listed = wallets.contains(&agent.wallets[wallet].source.id);
                listed.then(|| self.limit(agent, rule, protocol, session, Some(wallet)))?
            }
            _ => None,
        }
    }

    fn limits_of_wallet(&self, agent: &Agent, wallet: usize) -> Vec<LimitView> {
        let source = &agent.wallets[wallet].source;
        let capped = [
            (ViolationKind::WalletPerDay, source.limit_per_day, SpendWindow::Day),
            (ViolationKind::WalletPerWeek, source.limit_per_week, SpendWindow::Week),
            (ViolationKind::WalletPerMonth, source.limit_per_month, SpendWindow::Month),
        ];
        let view = |(kind, cap, window): (_, Option<Amount>, _)| {
            let used = agent.used_in_window(Scope::Wallet(wallet), window, self.now) + agent.unknown();
            Some(LimitView { kind, limit: Measure::Money(cap?), used: Measure::Money(amount(used)) })
        };
        let balance = agent.available(wallet).map(|available| LimitView {
            kind: ViolationKind::Balance,
            limit: Measure::Money(left(available)),
            used: Measure::Money(amount(agent.unknown())),
        });
        capped.into_iter().filter_map(view).chain(balance).collect()
    }

    fn view_of_session(&self, agent: &Agent, number: u32) -> SessionView {
        let session = agent.session(number).expect("it was found");
        let deposit = agent.deposit(number).map(|position| &agent.holds[position]);
        let is_deposit = |hold: &&Hold| hold.session == number && hold.place == Place::Deposit;
        let mut deposits = agent.holds.iter().filter(is_deposit);
        let total = agent.total(Scope::Session(number));
        SessionView {
            name: session.name.clone(),
            protocol: session.protocol,
            deposit: deposit.map(|deposit| amount(deposit.amount)),
            spent: amount(agent.spent_in_session(number)),
            held: amount(if deposit.is_some() { agent.held_inside(number) } else { total.held() }),
            open: !session.closed && !self.is_past(session),
            opened_at: session.opened_at,
            ends_at: match session.sort {
                SessionSort::Envelope { ends_at } => ends_at,
                SessionSort::Implicit => session.last_at.after(self.options.session_idle),
                SessionSort::Run => session.last_at.after(self.options.session_kept),
            },
            authorization: deposits.next().map(|deposit| deposit.id),
        }
    }

    fn is_past(&self, session: &Session) -> bool {
        match session.sort {
            SessionSort::Envelope { ends_at } => self.now >= ends_at,
            SessionSort::Implicit => self.now.since(session.last_at) >= self.options.session_idle,
            SessionSort::Run => false,
        }
    }
}

impl Agent {
    fn view_of_hold(&self, hold: &Hold) -> AuthorizationView {
        AuthorizationView {
            id: hold.id,
            status: hold.status,
            protocol: hold.protocol,
            amount: amount(hold.amount),
            captured: amount(hold.captured),
            refunded: amount(hold.refunded),
            recipient: hold.recipient.clone(),
            service: hold.service.clone(),
            session: self.remembered_name(hold.session),
            placed_at: hold.placed_at,
            transaction: hold.transaction.clone(),
            approval: self.approval_of(hold),
            expires_at: hold.expires_at,
        }
    }

    pub(super) fn remembered_name(&self, session: u32) -> String {
        let session = self.session(session).filter(|session| !session.forgotten);
        session.map_or_else(String::new, |session| session.name.clone())
    }

    fn services(&self, protocol: Protocol) -> Vec<ServiceView> {
        let mut views: Vec<ServiceView> = Vec::new();
        for call in self.calls.iter().filter(|call| call.protocol == protocol && !call.service.is_empty()) {
            match views.iter_mut().find(|view| view.service == call.service) {
                Some(view) => {
                    view.calls += call.count;
                    view.last_at = view.last_at.max(call.at);
                }
                None => views.push(self.view_of_service(call.service.as_str(), protocol, call.count, call.at)),
            }
        }
        views
    }

    fn view_of_service(&self, service: &str, protocol: Protocol, calls: u64, last_at: Timestamp) -> ServiceView {
        let total = self.total(Scope::Service(protocol, service));
        let (spent, held) = (amount(total.spent), amount(total.held()));
        ServiceView { service: service.to_owned(), spent, held, calls, last_at }
    }
}
