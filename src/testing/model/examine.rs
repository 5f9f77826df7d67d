//! All limits that a payment is held against, and what would be left of them.

use super::{
    Model,
    agent::{Agent, SessionSort},
    sanctions::Sanctions,
    sum::{Scope, amount, left, micros},
};
use crate::kernel::{
    Amount, Duration, Facts, Name, Protocol, Timestamp,
    counterparty::{Counterparty, Standing},
    outcome::{AgentStatusCode, BudgetStatus, Measure, Violation, ViolationKind},
    policy::{
        CalendarWindow, Circumstance, Judgement, NameSet, Over, Rule, Scene, ServiceSet, ServiceWindow, SpendWindow,
    },
    request::AgentStatus,
};

/// What is asked: may this agent pay this much more?
pub(super) struct Question<'a> {
    pub(super) agent: &'a Agent,
    pub(super) now: Timestamp,
    pub(super) protocol: Protocol,
    pub(super) recipient: &'a str,
    pub(super) service: &'a str,
    /// The session, where it exists.
    pub(super) session: Option<u32>,
    /// Whether the payment belongs to a session, which may begin with it.
    pub(super) in_session: bool,
    /// The named wallet does not exist, or the agent has none and needs one.
    pub(super) wallet_missing: bool,
    pub(super) wallet: Option<usize>,
    /// The wallet that the money comes from.
    pub(super) payer: Option<usize>,
    /// Where endpoints are counted.
    pub(super) endpoint: Option<String>,
    /// The whole payment.
    pub(super) whole: i128,
    /// What comes on top of what is held already.
    pub(super) more: i128,
    pub(super) ask: Ask,
    /// Whether the policies in force have judged its facts already.
    pub(super) judged: bool,
    pub(super) facts: Option<&'a Facts<'a>>,
    /// Payees who are described.
    pub(super) directory: &'a [(Counterparty, u32)],
    pub(super) sanctions: &'a Sanctions,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Charge,
    Deposit { duration: Option<Duration> },
    Increment,
}

/// What stands against it, and what is left under the tightest cumulative limit.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) violations: Vec<Violation>,
    /// What people must decide about, where nothing is violated.
    pub(super) about: Vec<Violation>,
    pub(super) remaining: Option<Amount>,
}

impl Verdict {
    fn forbid(&mut self, forbidden: bool, kind: ViolationKind) {
        self.compare(forbidden, kind, Measure::None, Measure::None);
    }

    fn compare(&mut self, exceeded: bool, kind: ViolationKind, limit: Measure, current: Measure) {
        if exceeded {
            self.violations.push(Violation { kind, limit, current });
        }
    }

    /// A cap on one payment.
    fn cap(&mut self, kind: ViolationKind, cap: Amount, current: i128) {
        self.compare(current > micros(cap), kind, Measure::Money(cap), Measure::Money(amount(current)));
    }

    /// A limit that adds up over payments.
    fn limit(&mut self, kind: ViolationKind, cap: Amount, current: i128) {
        self.cap(kind, cap, current);
        let rest = left(micros(cap) - current);
        self.remaining = Some(self.remaining.map_or(rest, |remaining| remaining.min(rest)));
    }
}

impl Model {
    pub(super) fn examine(&self, agent: usize, question: &Question<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        question.agent_status(&mut verdict);
        question.payees_allowed(&mut verdict);
        let inside = question.is_inside_envelope();
        if !inside {
            question.wallet_state(&mut verdict);
        }
        question.session_state(&mut verdict);
        if !inside {
            question.budget(&mut verdict);
        }
        match self.rules(agent) {
            Some(rules) => rules.iter().for_each(|rule| question.rule(rule, inside, None, &mut verdict)),
            None => verdict.forbid(true, ViolationKind::Unreadable),
        }
        if !inside {
            question.wallet_limits(&mut verdict);
        }
        if verdict.violations.is_empty() {
            let asking = self.asking(agent);
            for rule in &asking {
                let before = verdict.remaining;
                let asked = verdict.violations.len();
                question.rule(rule, inside, None, &mut verdict);
                if verdict.violations.len() > asked {
                    // People may go beyond the cap, so nothing is left of it or not.
                    verdict.remaining = before;
                }
            }
            verdict.about = std::mem::take(&mut verdict.violations);
            if question.ask == Ask::Increment {
                // Nobody can be asked about a part: what people would have to decide is denied.
                verdict.violations = std::mem::take(&mut verdict.about);
            }
        }
        verdict
    }
}

impl Question<'_> {
    fn is_deposit(&self) -> bool {
        matches!(self.ask, Ask::Deposit { .. })
    }

    pub(super) fn is_inside_envelope(&self) -> bool {
        self.session.and_then(|number| self.agent.session(number)).is_some_and(|session| session.is_envelope())
    }

    fn agent_status(&self, verdict: &mut Verdict) {
        let code = match self.agent.status {
            AgentStatus::Active => return,
            AgentStatus::Paused => AgentStatusCode::Paused,
            AgentStatus::Suspended => AgentStatusCode::Suspended,
            AgentStatus::Revoked => AgentStatusCode::Revoked,
        };
        verdict.forbid(true, ViolationKind::AgentNotActive(code));
    }

    fn payees_allowed(&self, verdict: &mut Verdict) {
        let is_blocked =
            |name: &Name<'_>| self.described(name).is_some_and(|entry| entry.standing == Some(Standing::Blocked));
        let payees = self.payees();
        let known_country = |name: &Name<'_>| self.described(name).and_then(Counterparty::country);
        let claimed = self.facts.map(|facts| facts.country);
        let is_sanctioned = |(place, name): (usize, &Name<'_>)| {
            let country = known_country(name).or(claimed.filter(|_| place == 0)).unwrap_or_default();
            self.sanctions.lists(name.text(), country)
        };
        let sanctioned = payees.iter().enumerate().any(is_sanctioned);
        verdict.forbid(sanctioned, ViolationKind::Sanctioned);
        verdict.forbid(payees.iter().any(is_blocked), ViolationKind::CounterpartyBlocked);
    }

    fn described(&self, payee: &Name<'_>) -> Option<&Counterparty> {
        let is_it = |(entry, _): &&(Counterparty, u32)| entry.recipient() == *payee;
        self.directory.iter().find(is_it).map(|(entry, _)| entry)
    }

    fn wallet_state(&self, verdict: &mut Verdict) {
        verdict.forbid(self.wallet_missing, ViolationKind::NoWallet);
        let Some(wallet) = self.wallet.map(|index| &self.agent.wallets[index].source) else { return };
        verdict.forbid(wallet.frozen, ViolationKind::WalletFrozen);
        if let Some(limit) = wallet.limit_per_payment {
            verdict.cap(ViolationKind::WalletPerPayment, limit, self.whole);
        }
        let hour = (self.now.time_of_day().as_secs() / 3600) as u8;
        let hour_allowed = match wallet.allowed_hours {
            None => true,
            Some((from, to)) if from == to => true,
            Some((from, to)) if from < to => (from..to).contains(&hour),
            Some((from, to)) => hour >= from || hour < to,
        };
        let day_allowed = wallet.allowed_days == 0 || wallet.allowed_days & (1 << self.now.weekday()) != 0;
        verdict.forbid(!(hour_allowed && day_allowed), ViolationKind::WalletTime);
    }

    fn session_state(&self, verdict: &mut Verdict) {
        let Some((number, session)) = self.session.and_then(|number| Some((number, self.agent.session(number)?)))
        else {
            return;
        };
        let past_end = session.ends_at().is_some_and(|end| self.now >= end);
        verdict.forbid(session.closed || past_end, ViolationKind::SessionEnded);
        if let SessionSort::Envelope { .. } = session.sort {
            let other = session.recipient != self.recipient || session.service != self.service;
            verdict.forbid(other, ViolationKind::SessionPayee);
            let deposit = self.agent.deposit(number).map(|position| &self.agent.holds[position]);
            if let Some(deposit) = deposit.filter(|_| !session.closed) {
                let drawn = deposit.captured + self.agent.held_inside(number);
                let lost = self.agent.unknown() + self.agent.unattributed;
                let deposited = self.agent.deposited(deposit);
                verdict.limit(ViolationKind::SessionDeposit, deposited, drawn + lost + self.more);
            }
        }
    }

    fn budget(&self, verdict: &mut Verdict) {
        let Some(budget) = self.agent.budget_in_force() else { return };
        let current = self.agent.total_of_budget(budget).used + self.agent.unknown() + self.more;
        if budget.status == BudgetStatus::Exhausted {
            let (limit, current) = (Measure::Money(budget.approved), Measure::Money(amount(current)));
            return verdict.compare(true, ViolationKind::BudgetExhausted, limit, current);
        }
        verdict.limit(ViolationKind::BudgetExceeded, budget.approved, current);
    }

    /// A rule of the agent, or of the wallet that pays.
    pub(super) fn rule(&self, rule: &Rule, inside: bool, of_wallet: Option<usize>, verdict: &mut Verdict) {
        let kind = ViolationKind::Rule(rule.kind());
        if !rule.applies().covers(self.protocol) {
            return;
        }
        match rule {
            Rule::MaxAmount { cap } | Rule::ApprovalAbove { cap } | Rule::CardMaxAmount { cap } => {
                verdict.cap(kind, *cap, self.whole)
            }
            Rule::MaxPerRequest { cap, .. } | Rule::PriceCeiling { cap, .. } if !self.is_deposit() => {
                verdict.cap(kind, *cap, self.whole);
            }
            Rule::MaxPerRequest { .. } | Rule::PriceCeiling { .. } => {}
            Rule::AllowedCounterparties(set) => verdict.forbid(self.lists(set, false), kind),
            Rule::BlockedCounterparties(set) => verdict.forbid(self.lists(set, true), kind),
            Rule::AllowedServices { services, .. } => verdict.forbid(!self.serves(services), kind),
            Rule::BlockedServices { services, .. } => verdict.forbid(self.serves(services), kind),
            Rule::Circumstance(circumstance) => self.circumstance(circumstance, verdict),
            Rule::SessionDeposit { cap } if self.is_deposit() => verdict.cap(kind, *cap, self.whole),
            Rule::SessionDeposit { .. } => {}
            Rule::SessionBudget { cap, .. } => self.session_budget(kind, *cap, verdict),
            Rule::ConcurrentSessions { max } => self.concurrent_sessions(kind, *max, verdict),
            Rule::SessionDuration { max } => self.session_duration(kind, *max, verdict),
            Rule::WindowLimit { window, cap } | Rule::BudgetCap { window, cap } if !inside => {
                let used = self.agent.used_in(of_wallet.map_or(Scope::Agent, Scope::Wallet), "", window, self.now);
                verdict.limit(kind, *cap, used + self.agent.unknown() + self.more);
            }
            Rule::RollingLimit { length, cap } if !inside => {
                let scope = of_wallet.map_or(Scope::Agent, Scope::Wallet);
                let used = self.agent.used_over(scope, "", &Over::Rolling(*length), None, self.now);
                verdict.limit(kind, *cap, used + self.agent.unknown() + self.more);
            }
            Rule::MaxPerEndpoint { window, cap, .. } if !inside => {
                let lost = self.agent.unknown() + self.agent.unattributed;
                let used = self.agent.used_at_endpoint(
                    self.protocol,
                    self.endpoint.as_deref(),
                    self.service,
                    window,
                    self.now,
                );
                verdict.limit(kind, *cap, used + lost + self.more);
            }
            Rule::MaxPerService { window, cap, .. } if !inside => self.service_total(kind, window, *cap, verdict),
            Rule::WindowLimit { .. }
            | Rule::BudgetCap { .. }
            | Rule::RollingLimit { .. }
            | Rule::MaxPerService { .. }
            | Rule::MaxPerEndpoint { .. } => {}
            Rule::Velocity { period, max_count } => {
                let calls = match of_wallet {
                    Some(wallet) => self.agent.calls_over(Some(wallet), None, *period, self.now),
                    None => self.agent.pace(*period, self.now),
                };
                self.velocity(kind, calls, *max_count, verdict);
            }
            Rule::VelocityPerEndpoint { period, max_count, .. } => {
                let endpoint = self.endpoint.as_deref().map(|endpoint| (self.protocol, endpoint));
                let calls = self.agent.calls_over(None, endpoint, *period, self.now);
                self.velocity(kind, calls, *max_count, verdict);
            }
            Rule::OnWallets { wallets, rule } => {
                let listed = |wallet: &usize| wallets.contains(&self.agent.wallets[*wallet].source.id);
                if let Some(wallet) = self.payer.filter(listed) {
                    self.rule(rule, inside, Some(wallet), verdict);
                }
            }
        }
    }

    /// Whether a list forbids one of those who get a part of the payment.
    fn lists(&self, set: &NameSet, forbidden: bool) -> bool {
        self.payees().iter().any(|name| set.contains(name) == forbidden)
    }

    fn payees(&self) -> Vec<Name<'_>> {
        let splits = self.facts.iter().flat_map(|facts| &facts.splits);
        let others = splits.filter_map(|split| Name::recipient(split.recipient).ok());
        std::iter::once(Name::canonical(self.recipient.into())).chain(others).collect()
    }

    /// Whether one of the entries is the service, or a domain above it.
    fn serves(&self, services: &ServiceSet) -> bool {
        let is_meant = |entry: String| match entry.strip_prefix('*') {
            Some(below) => self.service.len() > below.len() && self.service.ends_with(below),
            None => entry == self.service,
        };
        !self.service.is_empty() && services.entries().any(is_meant)
    }

    /// Conditions have one implementation; what they are asked about is put together here anew.
    fn circumstance(&self, circumstance: &Circumstance, verdict: &mut Verdict) {
        let service = (!self.service.is_empty()).then(|| Name::canonical(self.service.into()));
        for (place, recipient) in self.payees().iter().enumerate() {
            let scene = Scene {
                protocol: self.protocol,
                amount: amount(self.whole),
                is_deposit: self.is_deposit(),
                is_judged: self.judged,
                recipient,
                service: service.as_ref(),
                facts: self.facts,
                is_first: place == 0,
                entry: self.described(recipient),
                now: self.now,
            };
            if let Judgement::Breaks { limit, current } = circumstance.judge(&scene) {
                return verdict.compare(true, ViolationKind::Rule(circumstance.kind), limit, current);
            }
        }
    }

    fn session_budget(&self, kind: ViolationKind, cap: Amount, verdict: &mut Verdict) {
        if !self.in_session || self.is_deposit() {
            return verdict.limit(kind, cap, self.whole);
        }
        let used = self.session.map_or(0, |number| self.agent.used_in_session(number));
        verdict.limit(kind, cap, used + self.agent.unknown() + self.agent.unattributed + self.more);
    }

    fn concurrent_sessions(&self, kind: ViolationKind, max: u32, verdict: &mut Verdict) {
        if self.is_deposit() {
            let open = self.agent.open_envelopes() + 1;
            let limit = u64::from(max);
            verdict.compare(open > limit, kind, Measure::Count(limit), Measure::Count(open));
        }
    }

    fn session_duration(&self, kind: ViolationKind, max: Duration, verdict: &mut Verdict) {
        if let Ask::Deposit { duration: Some(asked) } = self.ask {
            verdict.compare(asked > max, kind, Measure::Time(max), Measure::Time(asked));
        }
    }

    fn service_total(&self, kind: ViolationKind, window: &ServiceWindow, cap: Amount, verdict: &mut Verdict) {
        let used = self.agent.used_at(self.protocol, self.service, window, self.now);
        verdict.limit(kind, cap, used + self.agent.unknown() + self.agent.unattributed + self.more);
    }

    fn velocity(&self, kind: ViolationKind, calls: u64, max_count: u32, verdict: &mut Verdict) {
        if self.ask != Ask::Increment {
            let (limit, calls) = (u64::from(max_count), calls + 1);
            verdict.compare(calls > limit, kind, Measure::Count(limit), Measure::Count(calls));
        }
    }

    fn wallet_limits(&self, verdict: &mut Verdict) {
        let Some(index) = self.wallet else { return };
        let source = &self.agent.wallets[index].source;
        for (kind, limit, window) in [
            (ViolationKind::WalletPerDay, source.limit_per_day, SpendWindow::Day),
            (ViolationKind::WalletPerWeek, source.limit_per_week, SpendWindow::Week),
            (ViolationKind::WalletPerMonth, source.limit_per_month, SpendWindow::Month),
        ] {
            if let Some(limit) = limit {
                let used = self.agent.used_in_window(Scope::Wallet(index), window, self.now);
                verdict.limit(kind, limit, used + self.agent.unknown() + self.more);
            }
        }
        if let Some(available) = self.agent.available(index) {
            verdict.limit(ViolationKind::Balance, left(available), self.more + self.agent.unknown());
        }
    }
}

impl Agent {
    /// What counts against the budget of a session.
    pub(super) fn used_in_session(&self, number: u32) -> i128 {
        if self.session(number).is_none_or(|session| !session.is_envelope()) {
            return self.total(Scope::Session(number)).used;
        }
        let deposit = self.deposit(number).map(|position| &self.holds[position]);
        let drawn = deposit.map_or(0, |deposit| deposit.captured + self.held_inside(number));
        let beside: i128 = self.payments.iter().filter(|paid| paid.session == number).map(|paid| paid.amount).sum();
        drawn + beside
    }

    /// What counts against the total of a service.
    pub(super) fn used_at(&self, protocol: Protocol, service: &str, window: &ServiceWindow, now: Timestamp) -> i128 {
        let scope = Scope::Service(protocol, service);
        match window {
            ServiceWindow::Lifetime => self.total(scope).used,
            ServiceWindow::Calendar(window) => self.used_in(scope, service, window, now),
        }
    }

    /// What counts in a calendar window of some place.
    pub(super) fn used_in(&self, scope: Scope<'_>, service: &str, window: &CalendarWindow, now: Timestamp) -> i128 {
        if window.is_utc() {
            return self.used_in_window(scope, window.period, now);
        }
        self.used_over(scope, service, &window.over, Some(window.period), now)
    }

    /// What counts against the total of an endpoint.
    pub(super) fn used_at_endpoint(
        &self,
        protocol: Protocol,
        endpoint: Option<&str>,
        service: &str,
        window: &ServiceWindow,
        now: Timestamp,
    ) -> i128 {
        let Some(endpoint) = endpoint else { return 0 };
        self.used_over(Scope::Endpoint(protocol, endpoint), service, window.over(), window.period(), now)
    }

    pub(super) fn open_envelopes(&self) -> u64 {
        let is_open = |session: &&super::agent::Session| !session.forgotten && !session.closed && session.is_envelope();
        self.sessions.iter().filter(is_open).count() as u64
    }

    /// What a wallet has left, where its balance is known; below zero where more was paid.
    pub(super) fn available(&self, wallet: usize) -> Option<i128> {
        let told = self.wallets[wallet].source.balance?;
        let sum = self.total(Scope::Wallet(wallet));
        Some(micros(told) - sum.held() - (sum.spent - self.wallets[wallet].spent_when_told))
    }
}
