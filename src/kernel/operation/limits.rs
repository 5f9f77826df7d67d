//! Which limits stand against a payment: all of them, in the order of [`ViolationKind`].

use std::iter;

use crate::kernel::{
    Amount, Duration, EndpointId, Facts, Name, NameId, Period, Protocol, Timestamp,
    counterparty::Counterparty,
    options::Options,
    outcome::{AgentStatusCode, BudgetStatus, Measure, Violation, ViolationKind},
    policy::{
        ApprovalTerms, CalendarWindow, Circumstance, Judgement, Over, Program, Rule, Scene, ServiceWindow, SpendWindow,
        Whose,
    },
    reason::{Reason, Reasons},
    request::AgentStatus,
    state::{
        agent::Agent,
        counters::Scopes,
        hold::Hold,
        session::Session,
        wallet::Wallet,
        window::{Calendar, Windows},
    },
};

use super::{asking::Question, join::Join, ordinary, sanctions::Stops};

/// A payment as the limits see it.
pub(crate) struct Payment<'a> {
    pub(crate) protocol: Protocol,
    /// What counts against cumulative limits.
    pub(crate) amount: Amount,
    /// What the caps on one payment look at: more than `amount` when a hold is enlarged.
    pub(crate) whole: Amount,
    pub(crate) recipient: &'a Name<'a>,
    pub(crate) service: Option<&'a Name<'a>>,
    /// The ids of both, as far as the shard has met them.
    pub(crate) recipient_id: Option<NameId>,
    pub(crate) service_id: Option<NameId>,
    pub(crate) join: Join<'a>,
    /// The deposit of the session that it joins, if that is an envelope.
    pub(crate) deposit: Option<&'a Hold>,
    /// How long a new session was asked to last.
    pub(crate) duration: Option<Duration>,
    /// The position of the wallet that pays, and whether one was named.
    pub(crate) wallet: Option<usize>,
    pub(crate) wallet_named: bool,
    /// The position of the wallet that the money comes from.
    pub(crate) payer: Option<u8>,
    /// Where endpoints are counted.
    pub(crate) endpoint: Option<EndpointId>,
    /// Whether it enlarges a hold, and so is no call of its own.
    pub(crate) enlarges: bool,
    /// Whether it enlarges a hold whose facts the policies in force have judged.
    pub(crate) judged: bool,
    /// What the request says beside amount and payee.
    pub(crate) facts: Option<&'a Facts<'a>>,
    /// What the directory says of the recipient, where a rule may ask for it.
    pub(crate) entry: Option<&'a Counterparty>,
    /// Who else gets a part of it.
    pub(crate) others: Vec<Party<'a>>,
    /// What stops it whatever the policies say.
    pub(crate) stops: Stops,
}

/// One of those who get a part of a payment, beside the first.
#[derive(Debug)]
pub(crate) struct Party<'a> {
    pub(crate) name: Name<'a>,
    /// What the directory says of them, where a rule may ask for it.
    pub(crate) entry: Option<&'a Counterparty>,
}

/// What the limits say.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) violations: Vec<Violation>,
    /// What a human must decide about; empty for nothing. Says nothing where there are violations, since those deny.
    pub(crate) approvals: Vec<Violation>,
    /// On which terms; absent where nobody is asked.
    pub(crate) terms: Option<Box<ApprovalTerms>>,
    pub(crate) remaining: Option<Amount>,
    pub(crate) reasons: Reasons,
}

impl Verdict {
    /// A payment that passes everything.
    pub(crate) fn passed(remaining: Option<Amount>, reasons: Reasons) -> Verdict {
        Verdict { violations: Vec::new(), approvals: Vec::new(), terms: None, remaining, reasons }
    }

    /// What stands against the payment where nobody can be asked.
    pub(crate) fn refusals(self) -> Vec<Violation> {
        if self.violations.is_empty() { self.approvals } else { self.violations }
    }

    /// The first of what stands against the payment where nobody can be asked.
    pub(crate) fn first_refusal(&self) -> Option<&Violation> {
        self.violations.first().or(self.approvals.first())
    }
}

/// Checks a payment of `agent` against everything that limits it.
pub(crate) fn check(
    agent: &Agent,
    program: &Program,
    options: &Options,
    payment: &Payment<'_>,
    now: Timestamp,
) -> Verdict {
    if let Some(verdict) = ordinary::pass(agent, program, options, payment, now) {
        debug_assert_eq!(verdict, ask_all(agent, program, options, payment, now), "a shortcut is not another way");
        return verdict;
    }
    ask_all(agent, program, options, payment, now)
}

/// Asks every limit by itself.
fn ask_all(agent: &Agent, program: &Program, options: &Options, payment: &Payment<'_>, now: Timestamp) -> Verdict {
    let verdict = Verdict::passed(None, Reasons::default());
    let mut check = Check { agent, payment, now, unknown: agent.unknown_amount(), verdict };
    check.status();
    check.screening();
    let wallet = payment.wallet.and_then(|at| Some((agent.wallets.get(at)?, agent.wallet_windows(at))));
    if payment.draws() {
        check.envelope();
    } else {
        check.wallet(wallet.map(|(wallet, _)| wallet), options);
        check.session_open();
        check.budget();
    }
    for rule in program.rules() {
        check.rule(rule, Whose::Agent);
    }
    if let (false, Some((wallet, windows))) = (payment.draws(), wallet) {
        check.wallet_windows(wallet, windows);
        check.balance(wallet, windows);
    }
    if program.denies_all() {
        check.violate(ViolationKind::Unreadable, Measure::None, Measure::None);
    }
    check.asking(program);
    check.verdict
}

impl Payment<'_> {
    /// All who get a part of it.
    fn recipients(&self) -> impl Iterator<Item = &Name<'_>> {
        iter::once(self.recipient).chain(self.others.iter().map(|party| &party.name))
    }

    /// Whether it draws from the deposit of an envelope.
    pub(crate) fn draws(&self) -> bool {
        self.join.session().is_some_and(|session| session.envelope().is_some())
    }

    /// Whether it is a payment of its own that no deposit covers.
    pub(crate) fn is_charge(&self) -> bool {
        !self.enlarges && !self.is_deposit() && !self.draws()
    }

    /// The payment as rules see it that look at nothing else.
    pub(crate) fn scene(&self, now: Timestamp) -> Scene<'_> {
        Scene {
            protocol: self.protocol,
            amount: self.whole,
            is_deposit: self.is_deposit(),
            is_judged: self.judged,
            recipient: self.recipient,
            service: self.service,
            facts: self.facts,
            is_first: true,
            entry: self.entry,
            now,
        }
    }

    /// The same for each of those who get a part of it, the first one first.
    fn scenes(&self, now: Timestamp) -> impl Iterator<Item = Scene<'_>> {
        let first = self.scene(now);
        let others = self.others.iter().map(move |party| Scene {
            recipient: &party.name,
            entry: party.entry,
            is_first: false,
            ..first
        });
        iter::once(first).chain(others)
    }

    /// What counts in its scope of a kind that only some rules look at.
    pub(super) fn counted(
        &self,
        agent: &Agent,
        whose: Whose,
        over: &Over,
        window: Option<SpendWindow>,
        now: Timestamp,
    ) -> Amount {
        let scopes = self.scopes();
        scopes.of(whose).map_or(Amount::ZERO, |scope| {
            agent.activity().counted(scope, over, scopes.service, window.map(calendar), now)
        })
    }

    /// The same for the number of payments.
    pub(super) fn counted_calls(&self, agent: &Agent, whose: Whose, period: Period, now: Timestamp) -> u64 {
        self.scopes().of(whose).map_or(0, |scope| agent.activity().counted_calls(scope, period, now))
    }

    /// What it counts in.
    fn scopes(&self) -> Scopes {
        Scopes { protocol: self.protocol, wallet: self.payer, service: self.service_id, endpoint: self.endpoint }
    }

    fn is_deposit(&self) -> bool {
        matches!(self.join, Join::Deposit)
    }
}

struct Check<'a> {
    agent: &'a Agent,
    payment: &'a Payment<'a>,
    now: Timestamp,
    /// Held by approvals that a crash may have lost, against every limit.
    unknown: Amount,
    verdict: Verdict,
}

impl Check<'_> {
    fn status(&mut self) {
        let code = match self.agent.status {
            AgentStatus::Active => return,
            AgentStatus::Paused => AgentStatusCode::Paused,
            AgentStatus::Suspended => AgentStatusCode::Suspended,
            AgentStatus::Revoked => AgentStatusCode::Revoked,
        };
        self.violate(ViolationKind::AgentNotActive(code), Measure::None, Measure::None);
    }

    fn screening(&mut self) {
        if self.payment.stops.sanctioned {
            self.violate(ViolationKind::Sanctioned, Measure::None, Measure::None);
        }
        if self.payment.stops.blocked {
            self.violate(ViolationKind::CounterpartyBlocked, Measure::None, Measure::None);
        }
    }

    fn wallet(&mut self, wallet: Option<&Wallet>, options: &Options) {
        let Some(wallet) = wallet else {
            if options.require_wallet || self.payment.wallet_named {
                self.violate(ViolationKind::NoWallet, Measure::None, Measure::None);
            }
            return;
        };
        if wallet.is_frozen() {
            self.violate(ViolationKind::WalletFrozen, Measure::None, Measure::None);
        }
        if let Some(cap) = wallet.limits().and_then(|limits| limits.per_payment) {
            self.per_payment(ViolationKind::WalletPerPayment, cap, Reason::WalletLimits);
        }
        if !wallet.allows_time(self.now) {
            self.violate(ViolationKind::WalletTime, Measure::None, Measure::None);
        }
    }

    fn session_open(&mut self) {
        if self.payment.join.session().is_some_and(|session| !session.is_open()) {
            self.violate(ViolationKind::SessionEnded, Measure::None, Measure::None);
        }
    }

    fn envelope(&mut self) {
        let Some(session) = self.payment.join.session() else { return };
        let Some(envelope) = session.envelope() else { return };
        if !session.is_open() || self.now >= envelope.ends_at {
            self.violate(ViolationKind::SessionEnded, Measure::None, Measure::None);
        }
        let payee = (self.payment.recipient_id, self.payment.service_id);
        if payee != (Some(envelope.recipient), Some(envelope.service)) {
            self.violate(ViolationKind::SessionPayee, Measure::None, Measure::None);
        }
        // A deposit that waits for people covers nothing yet.
        let deposit = self.payment.deposit.filter(|hold| !hold.is_waiting()).map_or(Amount::ZERO, |hold| hold.amount());
        let current = self.after(self.drawn(session), self.lost());
        self.cumulative(ViolationKind::SessionDeposit, current, deposit, Reason::Deposit);
    }

    fn budget(&mut self) {
        let Some(budget) = self.agent.budget_in_force() else { return };
        let current = self.after(budget.weight.used, self.unknown);
        if budget.status == BudgetStatus::Exhausted {
            self.verdict.remaining = Some(Amount::ZERO);
            let (limit, current) = (Measure::Money(budget.approved), Measure::Money(current));
            return self.violate(ViolationKind::BudgetExhausted, limit, current);
        }
        self.cumulative(ViolationKind::BudgetExceeded, current, budget.approved, Reason::BudgetRequest);
    }

    /// Checks a rule whose totals of an agent are those of `whose`: of the agent, or of the wallet that pays.
    fn rule(&mut self, rule: &Rule, whose: Whose) {
        let payment = self.payment;
        if !rule.applies().covers(payment.protocol) {
            return;
        }
        let (kind, reason) = (ViolationKind::Rule(rule.kind()), rule.reason());
        match rule {
            Rule::MaxAmount { cap } | Rule::ApprovalAbove { cap } => self.per_payment(kind, *cap, reason),
            Rule::MaxPerRequest { cap, .. } | Rule::PriceCeiling { cap, .. } => {
                if !payment.is_deposit() {
                    self.per_payment(kind, *cap, reason);
                }
            }
            Rule::CardMaxAmount { cap } => self.per_payment(kind, *cap, reason),
            Rule::AllowedCounterparties(set) => {
                self.listed(kind, payment.recipients().all(|name| set.contains(name)), reason);
            }
            Rule::BlockedCounterparties(set) => {
                self.listed(kind, !payment.recipients().any(|name| set.contains(name)), reason);
            }
            Rule::AllowedServices { services, .. } => {
                let known = payment.service.is_some_and(|service| services.contains(service));
                self.listed(kind, known, reason);
            }
            Rule::BlockedServices { services, .. } => {
                let known = payment.service.is_some_and(|service| services.contains(service));
                self.listed(kind, !known, reason);
            }
            Rule::Circumstance(circumstance) => self.circumstance(circumstance),
            Rule::SessionDeposit { cap } => {
                if payment.is_deposit() {
                    self.per_payment(kind, *cap, reason);
                }
            }
            Rule::SessionBudget { cap, .. } => self.session_budget(kind, *cap, reason),
            Rule::ConcurrentSessions { max } => self.concurrent_sessions(kind, *max, reason),
            Rule::SessionDuration { max } => self.session_duration(kind, *max, reason),
            Rule::WindowLimit { window, cap } | Rule::BudgetCap { window, cap } => {
                if !payment.draws() {
                    let current = self.after(self.used_in_window(whose, window), self.unknown);
                    self.cumulative(kind, current, *cap, reason);
                }
            }
            Rule::RollingLimit { length, cap } => {
                if !payment.draws() {
                    let used = self.counted(whose, &Over::Rolling(*length), None);
                    self.cumulative(kind, self.after(used, self.unknown), *cap, reason);
                }
            }
            Rule::MaxPerService { window, cap, .. } => {
                if !payment.draws() {
                    let current = self.after(self.used_at_service(window), self.lost());
                    self.cumulative(kind, current, *cap, reason);
                }
            }
            Rule::Velocity { period, max_count } => {
                if !payment.enlarges {
                    let calls = match whose {
                        Whose::Agent => self.agent.calls(*period, self.now),
                        Whose::Wallet | Whose::Service(_) | Whose::Endpoint(_) => self.counted_calls(whose, *period),
                    };
                    self.at_most(kind, calls + 1, u64::from(*max_count), reason);
                }
            }
            Rule::MaxPerEndpoint { rail, window, cap } => {
                if !payment.draws() {
                    let used = self.counted(Whose::Endpoint(rail.protocol()), window.over(), window.period());
                    self.cumulative(kind, self.after(used, self.lost()), *cap, reason);
                }
            }
            Rule::VelocityPerEndpoint { rail, period, max_count } => {
                if !payment.enlarges {
                    let calls = self.counted_calls(Whose::Endpoint(rail.protocol()), *period);
                    self.at_most(kind, calls + 1, u64::from(*max_count), reason);
                }
            }
            Rule::OnWallets { wallets, rule } => {
                let payer = payment.payer.and_then(|position| self.agent.wallets.get(usize::from(position)));
                if payer.is_some_and(|wallet| wallets.contains(wallet.id())) {
                    self.rule(rule, Whose::Wallet);
                }
            }
        }
    }

    fn asking(&mut self, program: &Program) {
        if program.asking().is_empty() {
            return;
        }
        let denied = self.verdict.violations.len();
        let mut question = Question::default();
        for asking in program.asking() {
            self.rule(&asking.rule, Whose::Agent);
            question.add(asking, self.verdict.violations.drain(denied..));
        }
        (self.verdict.approvals, self.verdict.terms) = question.finish();
    }

    /// What stands against one of the recipients stands against the payment.
    fn circumstance(&mut self, circumstance: &Circumstance) {
        let payment = self.payment;
        for scene in payment.scenes(self.now) {
            match circumstance.judge(&scene) {
                Judgement::Passes => self.passed(circumstance.reason()),
                Judgement::Skips => return,
                Judgement::Breaks { limit, current } => {
                    return self.violate(ViolationKind::Rule(circumstance.kind), limit, current);
                }
            }
        }
    }

    fn session_budget(&mut self, kind: ViolationKind, cap: Amount, reason: Reason) {
        let current = match self.payment.join {
            // Such a payment is its own session, so the cap looks at the whole of it.
            Join::None | Join::Deposit => self.payment.whole,
            Join::BeginImplicit | Join::BeginRun => self.after(Amount::ZERO, self.lost()),
            Join::In(session) | Join::Name(session) => {
                let used = if self.payment.draws() { self.drawn(session) } else { session.weight.used };
                self.after(used, self.lost())
            }
        };
        self.cumulative(kind, current, cap, reason);
    }

    fn concurrent_sessions(&mut self, kind: ViolationKind, max: u32, reason: Reason) {
        if self.payment.is_deposit() {
            let open = self.agent.sessions().iter().filter(|session| session.is_open() && session.envelope().is_some());
            self.at_most(kind, open.count() as u64 + 1, u64::from(max), reason);
        }
    }

    fn session_duration(&mut self, kind: ViolationKind, max: Duration, reason: Reason) {
        if let (true, Some(asked)) = (self.payment.is_deposit(), self.payment.duration) {
            if asked > max {
                self.violate(kind, Measure::Time(max), Measure::Time(asked));
            } else {
                self.passed(reason);
            }
        }
    }

    fn wallet_windows(&mut self, wallet: &Wallet, windows: &Windows) {
        let kinds = [ViolationKind::WalletPerDay, ViolationKind::WalletPerWeek, ViolationKind::WalletPerMonth];
        for (calendar, kind) in Calendar::ALL.into_iter().zip(kinds) {
            if let Some(cap) = wallet.limit(calendar) {
                let current = self.after(windows.used(calendar, self.now), self.unknown);
                self.cumulative(kind, current, cap, Reason::WalletLimits);
            }
        }
    }

    fn balance(&mut self, wallet: &Wallet, windows: &Windows) {
        if let Some(available) = wallet.available(windows) {
            let current = self.after(Amount::ZERO, self.unknown);
            self.cumulative(ViolationKind::Balance, current, available, Reason::Balance);
        }
    }

    /// What a counter comes to with the payment.
    fn after(&self, used: Amount, lost: Amount) -> Amount {
        used.saturating_add(lost).saturating_add(self.payment.amount)
    }

    /// What may have been spent in any session or at any service, for all that is known.
    fn lost(&self) -> Amount {
        self.unknown.saturating_add(self.agent.unattributed())
    }

    /// Captured of, or held in, an envelope.
    fn drawn(&self, session: &Session) -> Amount {
        let captured = self.payment.deposit.map_or(Amount::ZERO, |hold| hold.captured());
        captured.saturating_add(session.inside)
    }

    fn used_in_window(&self, whose: Whose, window: &CalendarWindow) -> Amount {
        if !window.is_utc() {
            return self.counted(whose, &window.over, Some(window.period));
        }
        let windows = match (whose, self.payment.payer) {
            (Whose::Wallet, Some(position)) => self.agent.wallet_windows(usize::from(position)),
            (Whose::Wallet, None) | (Whose::Agent | Whose::Service(_) | Whose::Endpoint(_), _) => self.agent.windows(),
        };
        windows.used(calendar(window.period), self.now)
    }

    fn used_at_service(&self, window: &ServiceWindow) -> Amount {
        let service = self.payment.service_id.and_then(|id| self.agent.service(self.payment.protocol, Some(id)));
        match window {
            ServiceWindow::Calendar(window) if !window.is_utc() => {
                self.counted(Whose::Service(self.payment.protocol), &window.over, Some(window.period))
            }
            ServiceWindow::Calendar(window) => {
                service.map_or(Amount::ZERO, |service| service.windows.used(calendar(window.period), self.now))
            }
            ServiceWindow::Lifetime => service.map_or(Amount::ZERO, |service| service.windows.total().used),
        }
    }

    fn counted(&self, whose: Whose, over: &Over, window: Option<SpendWindow>) -> Amount {
        self.payment.counted(self.agent, whose, over, window, self.now)
    }

    fn counted_calls(&self, whose: Whose, period: Period) -> u64 {
        self.payment.counted_calls(self.agent, whose, period, self.now)
    }

    fn per_payment(&mut self, kind: ViolationKind, cap: Amount, reason: Reason) {
        if self.payment.whole > cap {
            self.violate(kind, Measure::Money(cap), Measure::Money(self.payment.whole));
        } else {
            self.passed(reason);
        }
    }

    fn listed(&mut self, kind: ViolationKind, passes: bool, reason: Reason) {
        if passes { self.passed(reason) } else { self.violate(kind, Measure::None, Measure::None) }
    }

    fn at_most(&mut self, kind: ViolationKind, current: u64, max: u64, reason: Reason) {
        if current > max {
            self.violate(kind, Measure::Count(max), Measure::Count(current));
        } else {
            self.passed(reason);
        }
    }

    fn cumulative(&mut self, kind: ViolationKind, current: Amount, cap: Amount, reason: Reason) {
        match cap.checked_sub(current) {
            Some(left) => {
                self.verdict.remaining = Some(self.verdict.remaining.map_or(left, |least| least.min(left)));
                self.passed(reason);
            }
            None => self.violate(kind, Measure::Money(cap), Measure::Money(current)),
        }
    }

    fn passed(&mut self, reason: Reason) {
        self.verdict.reasons.insert(reason);
    }

    fn violate(&mut self, kind: ViolationKind, limit: Measure, current: Measure) {
        self.verdict.violations.push(Violation { kind, limit, current });
    }
}

/// The calendar window of a rule.
pub(crate) fn calendar(window: SpendWindow) -> Calendar {
    match window {
        SpendWindow::Day => Calendar::Day,
        SpendWindow::Week => Calendar::Week,
        SpendWindow::Month => Calendar::Month,
    }
}
