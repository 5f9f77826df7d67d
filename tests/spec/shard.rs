//! A shard to ask: one agent, amounts in micro-units, time in seconds of one day.

use holdfast::kernel::{
    AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, Facts, Failure, OperationId, Options, Outcome,
    PolicyId, Protocol, Request, State, Timestamp,
    outcome::{AgentView, AuthorizationView, BudgetView, Measure, ServiceView, View, Violation, ViolationKind},
    policy::{PolicyScope, PolicySource, RuleSource},
    request::{
        AgentStatus, Authorize, Capture, CloseSession, CreateAgent, Extend, Increment, Intent, Query, Record, Refund,
        WalletSource,
    },
};

pub(crate) const AGENT: AgentIndex = AgentIndex(0);
pub(crate) const PAYEE: &str = "0xaa";
pub(crate) const SERVICE: &str = "api.example.com";
/// Wednesday 2026-11-18T12:00Z.
pub(crate) const NOON: u64 = 20_775 * 86_400 + 12 * 3600;

pub(crate) type Answer = Result<Outcome, Failure>;

/// What is done to a shard in a row of a table.
pub(crate) type Deed = fn(&mut Shard);

/// A shard at a moment.
pub(crate) struct Shard {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) operations: u128,
}

pub(crate) fn micros(micros: u64) -> Amount {
    Amount::from_micros(micros)
}

pub(crate) fn id(id: u128) -> AuthorizationId {
    AuthorizationId(id)
}

/// A policy for everybody; rules as `TYPE value`, amounts in micro-units where the value is a plain number of one.
pub(crate) fn policy(rules: &[(&str, &str)]) -> PolicySource {
    let rule = |(rule_type, value): &(&str, &str)| RuleSource {
        rule_type: (*rule_type).to_owned(),
        operator: if rule_type.ends_with("SERVICES") || rule_type.ends_with("PARTIES") { "IN_LIST" } else { "LTE" }
            .to_owned(),
        value: (*value).to_owned(),
        action: "ALLOW".to_owned(),
    };
    PolicySource {
        id: PolicyId(7),
        name: "spec".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: 50,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: rules.iter().map(rule).collect(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

/// Options without a wallet and without leases around a default policy of these rules.
pub(crate) fn options(rules: &[(&str, &str)]) -> Options {
    let mut options = Options::new(policy(rules));
    options.require_wallet = false;
    options.lease.ceiling = Amount::ZERO;
    options
}

impl Shard {
    /// One active agent under these rules, at noon of a Wednesday.
    pub(crate) fn new(rules: &[(&str, &str)]) -> Shard {
        Shard::with(options(rules))
    }

    /// The same under rules of type, operator, value and action.
    pub(crate) fn under(rules: &[(&str, &str, &str, &str)]) -> Shard {
        Shard::under_at(rules, Timestamp::from_micros(NOON * 1_000_000))
    }

    /// The same at another moment.
    pub(crate) fn under_at(rules: &[(&str, &str, &str, &str)], now: Timestamp) -> Shard {
        let mut options = options(&[]);
        let rule = |(rule_type, operator, value, action): &(&str, &str, &str, &str)| {
            let [rule_type, operator, value, action] =
                [rule_type, operator, value, action].map(|text| (*text).to_owned());
            RuleSource { rule_type, operator, value, action }
        };
        options.default_policy = PolicySource { rules: rules.iter().map(rule).collect(), ..policy(&[]) };
        Shard::at(options, now)
    }

    pub(crate) fn with(options: Options) -> Shard {
        Shard::at(options, Timestamp::from_micros(NOON * 1_000_000))
    }

    fn at(options: Options, now: Timestamp) -> Shard {
        let mut shard = Shard { state: State::new(options), now, operations: 0 };
        shard.apply(&[Event::Started { incarnation: 1 }]);
        shard.create(1, AgentStatus::Active);
        shard
    }

    pub(crate) fn create(&mut self, agent: u128, status: AgentStatus) {
        let create = CreateAgent { id: AgentId(agent), name: "a", agent_type: "CUSTOM", status, lease: None };
        assert!(matches!(self.ask(&Request::CreateAgent(create)), Ok(Outcome::AgentCreated(_))));
    }

    /// The same shard once more.
    pub(crate) fn fork(&self) -> Shard {
        let state = State::from_image(&self.state.image()).expect("an image is read back");
        Shard { state, now: self.now, operations: self.operations }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: u64) -> &mut Shard {
        self.wait_micros(seconds * 1_000_000)
    }

    pub(crate) fn wait_micros(&mut self, micros: u64) -> &mut Shard {
        self.now = self.now.after(Duration::from_micros(micros));
        self
    }

    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Answer {
        loop {
            let mut due = Vec::new();
            self.state.advance(self.now, &mut due);
            if due.is_empty() {
                break;
            }
            self.apply(&due);
        }
        let mut events = Vec::new();
        let answer = self.state.decide(self.now, request, &mut events);
        self.apply(&events);
        while self.state.has_findings() {
            let mut found = Vec::new();
            self.state.advance(self.now, &mut found);
            self.apply(&found);
        }
        answer
    }

    pub(crate) fn apply(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.state.apply(self.now, event));
    }

    pub(crate) fn next_operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    pub(crate) fn authorize(&mut self, authorize: Authorize<'_>) -> Answer {
        self.ask(&Request::Authorize(AGENT, authorize))
    }

    /// Asks for a hold that must be approved.
    pub(crate) fn hold(&mut self, authorize: Authorize<'_>) {
        let answer = self.authorize(authorize);
        assert!(matches!(answer, Ok(Outcome::Approved(_))), "{answer:?}");
    }

    pub(crate) fn capture(&mut self, hold: u128, amount: u64, last: bool) -> Answer {
        let operation = self.next_operation();
        self.ask(&Request::Capture(AGENT, Capture { id: id(hold), operation, amount: micros(amount), last }))
    }

    pub(crate) fn void(&mut self, hold: u128) -> Answer {
        self.ask(&Request::Void(AGENT, id(hold)))
    }

    pub(crate) fn extend(&mut self, hold: u128, seconds: u64) -> Answer {
        let operation = self.next_operation();
        self.ask(&Request::Extend(AGENT, Extend { id: id(hold), operation, by: Duration::from_secs(seconds) }))
    }

    pub(crate) fn increment(&mut self, hold: u128, amount: u64) -> Answer {
        let operation = self.next_operation();
        self.ask(&Request::Increment(AGENT, Increment { id: id(hold), operation, amount: micros(amount) }))
    }

    pub(crate) fn refund(&mut self, hold: u128, amount: u64) -> Answer {
        let operation = self.next_operation();
        self.ask(&Request::Refund(AGENT, Refund { id: id(hold), operation, amount: micros(amount) }))
    }

    pub(crate) fn record(&mut self, record: Record<'_>) -> Answer {
        self.ask(&Request::Record(AGENT, record))
    }

    pub(crate) fn close(&mut self, protocol: Protocol, session: &str) -> Answer {
        self.ask(&Request::CloseSession(AGENT, CloseSession { protocol, session }))
    }

    pub(crate) fn put_wallet(&mut self, wallet: WalletSource) {
        assert_eq!(self.ask(&Request::PutWallet(AGENT, wallet)), Ok(Outcome::Done));
    }

    pub(crate) fn view(&mut self, query: Query<'_>) -> View {
        match self.ask(&Request::Read(query)) {
            Ok(Outcome::View(view)) => view,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn agent(&mut self) -> AgentView {
        let View::Agent(view) = self.view(Query::Agent(AGENT)) else { panic!("another view") };
        *view
    }

    /// Held, and used today, this week and this month.
    pub(crate) fn balance(&mut self) -> [u64; 4] {
        let view = self.agent();
        let [day, week, month] = view.used;
        [view.held, day, week, month].map(Amount::micros)
    }

    pub(crate) fn authorization(&mut self, hold: u128) -> AuthorizationView {
        let View::Authorization(view) = self.view(Query::Authorization(AGENT, id(hold))) else {
            panic!("another view")
        };
        *view
    }

    pub(crate) fn budget(&mut self, protocol: Protocol, session: &str) -> BudgetView {
        let View::Budget(view) = self.view(Query::Budget(AGENT, protocol, session)) else { panic!("another view") };
        *view
    }

    pub(crate) fn services(&mut self, protocol: Protocol) -> Vec<ServiceView> {
        let View::Services(views) = self.view(Query::Services(AGENT, protocol)) else { panic!("another view") };
        views
    }
}

/// An x402 charge.
pub(crate) fn x402(hold: u128, amount: u64) -> Authorize<'static> {
    Authorize {
        id: id(hold),
        amount: micros(amount),
        protocol: Protocol::X402,
        intent: Intent::Charge,
        recipient: PAYEE,
        service: SERVICE,
        resource: "https://api.example.com/a",
        session: "",
        wallet: "",
        hold_for: None,
        facts: None,
    }
}

/// An MPP charge.
pub(crate) fn mpp(hold: u128, amount: u64, session: &'static str) -> Authorize<'static> {
    Authorize { protocol: Protocol::Mpp, session, ..x402(hold, amount) }
}

/// The deposit of an MPP session.
pub(crate) fn deposit(hold: u128, amount: u64, session: &'static str) -> Authorize<'static> {
    Authorize { intent: Intent::Session { duration: None }, ..mpp(hold, amount, session) }
}

/// A payment of no particular rail, outside any service.
pub(crate) fn plain(hold: u128, amount: u64) -> Authorize<'static> {
    Authorize { protocol: Protocol::Payment, service: "", ..x402(hold, amount) }
}

/// A card payment.
pub(crate) fn card(hold: u128, amount: u64) -> Authorize<'static> {
    Authorize { protocol: Protocol::Card, recipient: "acme", service: "", ..x402(hold, amount) }
}

/// The payment of which this is known.
pub(crate) fn with(authorize: Authorize<'static>, facts: Facts<'static>) -> Authorize<'static> {
    Authorize { facts: Some(Box::new(facts)), ..authorize }
}

/// A moment such as `2026-03-29T00:59:59.999999Z`.
pub(crate) fn moment(text: &str) -> Timestamp {
    let moment: jiff::Timestamp = text.parse().expect("a moment");
    Timestamp::from_micros(moment.as_microsecond().try_into().expect("after the epoch"))
}

/// A report of an x402 payment.
pub(crate) fn paid(amount: u64) -> Record<'static> {
    Record {
        authorization: None,
        amount: micros(amount),
        protocol: Protocol::X402,
        recipient: PAYEE,
        service: SERVICE,
        resource: "https://api.example.com/a",
        session: "",
        wallet: "",
        payment_id: "",
        transaction: "",
        calls: 1,
    }
}

pub(crate) fn wallet(id: &str) -> WalletSource {
    WalletSource {
        id: id.to_owned(),
        address: "0xfeed".to_owned(),
        chain_id: "8453".to_owned(),
        custody: "EXTERNAL".to_owned(),
        frozen: false,
        balance: None,
        limit_per_payment: None,
        limit_per_day: None,
        limit_per_week: None,
        limit_per_month: None,
        allowed_hours: None,
        allowed_days: 0,
    }
}

/// The kinds of the violations of a denial; nothing for an approval.
pub(crate) fn kinds(answer: &Answer) -> Vec<ViolationKind> {
    violations(answer).iter().map(|violation| violation.kind).collect()
}

/// The violations of a denial; nothing for an approval.
pub(crate) fn violations(answer: &Answer) -> Vec<Violation> {
    match answer {
        Ok(Outcome::Denied(denial)) => denial.violations.clone(),
        Ok(Outcome::ApprovalRequired(waiting)) => waiting.about.clone(),
        Ok(Outcome::Approved(_) | Outcome::Increased { .. }) => Vec::new(),
        other => panic!("neither approved nor denied: {other:?}"),
    }
}

pub(crate) fn money(micros: u64) -> Measure {
    Measure::Money(Amount::from_micros(micros))
}
