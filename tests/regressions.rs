//! What a second reading of the kernel found: each test tells the story of one mistake that must not come back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use holdfast::kernel::{
    AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, Failure, OperationId, Options, Outcome, PolicyId,
    Protocol, Request, State, Timestamp,
    outcome::{Approval, Booking, Captured, Recorded, View},
    policy::{PolicyScope, PolicySource, RuleSource},
    request::{
        AgentStatus, Authorize, Capture, CloseSession, CreateAgent, Extend, Increment, Intent, Query, Record, Refund,
        UpdateAgent, WalletSource,
    },
};

const AGENT: AgentIndex = AgentIndex(0);

/// A shard with one agent, driven as its keeper drives it.
struct Shard {
    state: State,
    now: Timestamp,
    events: Vec<Event>,
    operations: u128,
}

impl Shard {
    fn new(rules: &[(&str, &str)], change: impl FnOnce(&mut Options)) -> Shard {
        let mut options = Options::new(policy(0, rules));
        options.require_wallet = false;
        change(&mut options);
        let mut shard = Shard {
            state: State::new(options),
            now: Timestamp::ZERO.after(Duration::from_secs(20_772 * 86_400)),
            events: Vec::new(),
            operations: 0,
        };
        shard.happen(Event::Started { incarnation: 1 });
        let agent = CreateAgent { id: AgentId(1), name: "", agent_type: "", status: AgentStatus::Active, lease: None };
        shard.ask(Request::CreateAgent(agent)).unwrap();
        shard
    }

    fn happen(&mut self, event: Event) {
        self.state.apply(self.now, &event);
    }

    fn advance(&mut self) {
        loop {
            let mut events = Vec::new();
            self.state.advance(self.now, &mut events);
            if events.is_empty() {
                return;
            }
            events.into_iter().for_each(|event| self.happen(event));
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.advance();
    }

    fn ask(&mut self, request: Request<'_>) -> Result<Outcome, Failure> {
        self.advance();
        let mut events = Vec::new();
        let outcome = self.state.decide(self.now, &request, &mut events);
        events.iter().for_each(|event| self.state.apply(self.now, event));
        self.events = events;
        outcome
    }

    fn operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    fn authorize(&mut self, asked: Authorize<'_>) -> Option<Approval> {
        match self.ask(Request::Authorize(AGENT, asked)).unwrap() {
            Outcome::Approved(approval) => Some(approval),
            Outcome::Denied(_) => None,
            other => panic!("{other:?}"),
        }
    }

    fn capture(&mut self, id: u128, amount: u64, last: bool) -> Captured {
        let operation = self.operation();
        let asked = Capture { id: AuthorizationId(id), operation, amount: Amount::from_micros(amount), last };
        match self.ask(Request::Capture(AGENT, asked)).unwrap() {
            Outcome::Captured(captured) => captured,
            other => panic!("{other:?}"),
        }
    }

    fn increment(&mut self, id: u128, amount: u64) -> bool {
        let operation = self.operation();
        let asked = Increment { id: AuthorizationId(id), operation, amount: Amount::from_micros(amount) };
        matches!(self.ask(Request::Increment(AGENT, asked)).unwrap(), Outcome::Increased { .. })
    }

    fn refund(&mut self, id: u128, amount: u64) {
        let operation = self.operation();
        let asked = Refund { id: AuthorizationId(id), operation, amount: Amount::from_micros(amount) };
        self.ask(Request::Refund(AGENT, asked)).unwrap();
    }

    fn record(&mut self, asked: Record<'_>) -> Recorded {
        match self.ask(Request::Record(AGENT, asked)).unwrap() {
            Outcome::Recorded(recorded) => recorded,
            other => panic!("{other:?}"),
        }
    }

    fn held(&mut self) -> u64 {
        match self.ask(Request::Read(Query::Agent(AGENT))).unwrap() {
            Outcome::View(View::Agent(agent)) => agent.held.micros(),
            other => panic!("{other:?}"),
        }
    }

    fn used_today(&mut self) -> u64 {
        match self.ask(Request::Read(Query::Agent(AGENT))).unwrap() {
            Outcome::View(View::Agent(agent)) => agent.used[0].micros(),
            other => panic!("{other:?}"),
        }
    }

    fn set_options(&mut self, change: impl FnOnce(&mut Options)) {
        let mut options = self.state.options().clone();
        change(&mut options);
        self.ask(Request::SetOptions(Box::new(options))).unwrap();
    }

    /// The process dies, with what was approved last; the next one takes the shard over.
    fn crash(&mut self) {
        let incarnation = self.state.incarnation() + 1;
        self.happen(Event::Started { incarnation });
    }

    /// The shard as a process finds it that reads the snapshot.
    fn restored(&self) -> Shard {
        let state = State::from_image(&self.state.image()).unwrap();
        Shard { state, now: self.now, events: Vec::new(), operations: self.operations }
    }
}

fn policy(id: u128, rules: &[(&str, &str)]) -> PolicySource {
    let rule = |(rule_type, value): &(&str, &str)| RuleSource {
        rule_type: (*rule_type).to_owned(),
        operator: "LTE".to_owned(),
        value: (*value).to_owned(),
        action: "DENY".to_owned(),
    };
    PolicySource {
        id: PolicyId(id),
        name: "policy".to_owned(),
        description: String::new(),
        policy_type: "COMPOSITE".to_owned(),
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

fn charge(id: u128, protocol: Protocol, amount: u64, session: &str) -> Authorize<'_> {
    Authorize {
        id: AuthorizationId(id),
        amount: Amount::from_micros(amount),
        protocol,
        intent: Intent::Charge,
        recipient: "payee",
        service: "api.example.com",
        resource: "",
        session,
        wallet: "",
        hold_for: None,
        facts: None,
    }
}

fn deposit(id: u128, amount: u64, session: &str, seconds: u64) -> Authorize<'_> {
    let duration = Some(Duration::from_secs(seconds));
    Authorize { intent: Intent::Session { duration }, ..charge(id, Protocol::Mpp, amount, session) }
}

fn report(protocol: Protocol, amount: u64, payment_id: &str) -> Record<'_> {
    Record {
        authorization: None,
        amount: Amount::from_micros(amount),
        protocol,
        recipient: "payee",
        service: "api.example.com",
        resource: "",
        session: "",
        wallet: "",
        payment_id,
        transaction: "",
        calls: 1,
    }
}

/// A deposit that expired could be forgotten by the very end of a charge inside it, which then looked for it in an empty slot.
#[test]
fn a_deposit_may_be_forgotten_while_the_last_charge_inside_it_ends() {
    for finished_holds in [0, 1] {
        let mut shard = Shard::new(&[], |options| options.maxima.finished_holds = finished_holds);
        shard.authorize(deposit(1, 100, "s", 60)).unwrap();
        shard.authorize(charge(2, Protocol::Mpp, 40, "s")).unwrap();
        shard.pass(3600);
        assert_eq!(shard.held(), 0);

        let mut shard = Shard::new(&[], |options| options.maxima.finished_holds = finished_holds);
        shard.authorize(deposit(1, 100, "s", 60)).unwrap();
        shard.set_options(|options| options.grace = Duration::from_secs(300));
        shard.authorize(charge(2, Protocol::Mpp, 40, "s")).unwrap();
        shard.pass(100);
        shard.capture(2, 40, true);
        assert_eq!((shard.held(), shard.used_today()), (0, 40));
    }
}

/// An increment looked at the difference only, so a charge without a session could grow past the budget of a session.
#[test]
fn a_charge_without_a_session_does_not_grow_past_the_session_budget() {
    let mut shard = Shard::new(&[("MPP_SESSION_BUDGET", "0.0001")], |_| {});
    shard.authorize(charge(1, Protocol::Mpp, 100, "")).unwrap();
    assert!(!shard.increment(1, 100));
    assert_eq!(shard.held(), 100);
}

/// Enlarging a charge that was captured beyond its hold held money inside the envelope that no end of the charge gave back.
#[test]
fn an_envelope_is_over_with_its_last_charge_though_that_was_enlarged_after_an_overage() {
    let mut shard = Shard::new(&[], |_| {});
    shard.authorize(deposit(1, 100, "s", 3600)).unwrap();
    shard.authorize(charge(2, Protocol::Mpp, 10, "s")).unwrap();
    shard.capture(2, 30, false);
    assert!(shard.increment(2, 5));
    shard.capture(2, 0, true);
    let closed =
        shard.ask(Request::CloseSession(AGENT, CloseSession { protocol: Protocol::Mpp, session: "s" })).unwrap();
    assert_eq!(closed, Outcome::SessionClosed { spent: Amount::from_micros(30), released: Amount::from_micros(70) });
    assert_eq!((shard.held(), shard.used_today()), (0, 30));
}

/// Longer holds rode on a lease that was armed before the longer time was durable: a crash that lost the new options left an
/// unknown hold that ran out before the holds that callers had been told of.
#[test]
fn a_lease_is_disarmed_when_the_holds_that_ride_on_it_may_last_longer() {
    type Change = fn(&mut Options);
    let changes: [Change; 2] = [
        |options| options.lease.hold_max = Duration::from_secs(3600),
        |options| options.grace = Duration::from_secs(3600),
    ];
    for change in changes {
        let mut shard = Shard::new(&[], |_| {});
        shard.authorize(charge(1, Protocol::X402, 10, "")).unwrap();
        assert!(shard.state.lease(AGENT).armed);
        shard.set_options(change);
        assert!(!shard.state.lease(AGENT).armed);
    }
}

/// The money has moved: a report counts even where the shard has no room for another name, and its repetition is a duplicate.
#[test]
fn a_report_is_never_refused_for_want_of_room_for_a_name() {
    let mut shard = Shard::new(&[("X402_MAX_PER_SERVICE", "0.0001")], |options| options.maxima.names = 2);
    shard.authorize(charge(1, Protocol::X402, 10, "")).unwrap();
    let unknown = Record { recipient: "another", service: "other.example.com", ..report(Protocol::X402, 95, "p1") };
    assert_eq!(shard.record(unknown.clone()).booking, Booking::Unauthorized);
    assert_eq!(shard.used_today(), 105);
    assert_eq!(shard.record(unknown).booking, Booking::Duplicate);
    // It may have been any service, so it counts in all of them.
    assert!(shard.authorize(charge(2, Protocol::X402, 1, "")).is_none());
    let named = Record { authorization: Some(AuthorizationId(1)), ..report(Protocol::X402, 10, "p2") };
    assert_eq!(shard.record(named.clone()).booking, Booking::Matched);
    assert_eq!(shard.record(named).booking, Booking::Duplicate);
    assert_eq!(shard.used_today(), 105);
    assert_eq!(shard.restored().state.digest(), shard.state.digest());
}

/// A report of an x402 payment that finds no room for its session counts in all of them.
#[test]
fn a_report_without_room_for_its_session_counts_in_every_session() {
    let mut shard = Shard::new(&[("X402_SESSION_BUDGET", "0.0001")], |options| options.maxima.sessions_per_agent = 1);
    shard.authorize(charge(1, Protocol::X402, 10, "one")).unwrap();
    shard.record(Record { session: "two", recipient: "another", ..report(Protocol::X402, 95, "p1") });
    assert!(shard.authorize(charge(2, Protocol::X402, 10, "one")).is_none());
}

/// A counter that had met the end of its range was counted down again, and permitted what it should have blocked.
#[test]
fn a_counter_that_met_the_end_of_its_range_blocks_until_its_window_is_over() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "1000000000000")], |_| {});
    for id in 1..=3 {
        shard.authorize(charge(id, Protocol::X402, 1, "")).unwrap();
    }
    for id in 1..=3 {
        for _ in 0..10 {
            shard.capture(id, Amount::MAX.micros(), false);
        }
    }
    // 30 times the largest amount was spent, and 20 times came back.
    shard.refund(1, 10 * Amount::MAX.micros());
    shard.refund(2, 10 * Amount::MAX.micros());
    assert!(shard.authorize(charge(4, Protocol::X402, 1, "")).is_none());
    shard.pass(24 * 3600);
    assert!(shard.authorize(charge(5, Protocol::X402, 1, "")).is_some());
}

/// Each end of a session's last open hold left one more deadline a day ahead: a thousand payments, a thousand deadlines.
#[test]
fn deadlines_do_not_pile_up_with_the_payments_of_a_session() {
    let deadlines = |shard: &Shard| format!("{:?}", shard.state).matches("Deadline {").count();
    let mut shard = Shard::new(&[], |_| {});
    for id in 0..1000 {
        shard.authorize(charge(id, Protocol::X402, 10, "s")).unwrap();
        shard.capture(id, 10, true);
        shard.pass(400);
    }
    assert!(deadlines(&shard) < 10, "{}", deadlines(&shard));
}

/// A hold that was over left its deadline behind: whoever asked for long holds and gave them back at once filled the memory.
#[test]
fn deadlines_do_not_outlive_their_holds() {
    let deadlines = |shard: &Shard| format!("{:?}", shard.state).matches("Deadline {").count();
    let mut shard = Shard::new(&[], |_| {});
    let long = |id| Authorize { hold_for: Some(Duration::from_secs(86_400)), ..charge(id, Protocol::Payment, 10, "") };
    for id in 0..1000 {
        shard.authorize(long(id)).unwrap();
        if id % 3 == 0 {
            shard.pass(1);
        }
        let (id, operation) = (AuthorizationId(id), shard.operation());
        shard.ask(Request::Extend(AGENT, Extend { id, operation, by: Duration::from_secs(2 * 86_400) })).unwrap();
        shard.ask(Request::Void(AGENT, id)).unwrap();
    }
    assert!(deadlines(&shard) < 10, "{}", deadlines(&shard));
    shard.authorize(long(1000)).unwrap();
    shard.pass(86_400 + 29);
    assert_eq!(shard.held(), 10);
    shard.pass(1);
    assert_eq!(shard.held(), 0);
}

/// A shorter memory for sessions reached a shard that was restored at once, and the live one a day later.
#[test]
fn a_restored_shard_forgets_sessions_when_the_live_one_does() {
    let mut live = Shard::new(&[], |_| {});
    live.authorize(charge(1, Protocol::X402, 10, "s")).unwrap();
    live.capture(1, 10, true);
    live.set_options(|options| options.session_kept = Duration::from_secs(60));
    let mut restored = live.restored();
    for _ in 0..3 {
        live.pass(40);
        restored.pass(40);
        assert_eq!(restored.state.digest(), live.state.digest());
    }
}

/// Revisions come from other shards, so the last one possible must not stop this one; and what another shard decided is not refused.
#[test]
fn policies_that_another_shard_decided_on_are_taken() {
    let mut shard = Shard::new(&[], |options| options.maxima.policies = 1);
    shard.ask(Request::PutPolicy(policy(1, &[]), None)).unwrap();
    assert!(matches!(shard.ask(Request::PutPolicy(policy(2, &[]), None)), Err(Failure::Capacity { .. })));
    shard.ask(Request::PutPolicy(policy(2, &[]), Some(u32::MAX))).unwrap();
    assert_eq!(shard.state.policies().count(), 2);
    assert!(matches!(shard.ask(Request::RemovePolicy(PolicyId(1), None)), Err(Failure::Capacity { .. })));
}

/// With everything durable no lease is armed, so whatever is approved after that does not ride.
#[test]
fn a_shard_that_was_let_go_has_no_armed_lease() {
    let mut shard = Shard::new(&[], |_| {});
    shard.authorize(charge(1, Protocol::X402, 10, "")).unwrap();
    shard.happen(Event::Stopped);
    assert!(!shard.state.lease(AGENT).armed);
}

/// What time released was added to what the closing of the session had released, so closing again gave another answer.
#[test]
fn closing_again_does_not_answer_what_time_released() {
    let mut shard = Shard::new(&[], |options| options.history_kept = Duration::from_secs(7200));
    shard.authorize(deposit(1, 100, "s", 60)).unwrap();
    shard.authorize(charge(2, Protocol::Mpp, 40, "s")).unwrap();
    let close = || Request::CloseSession(AGENT, CloseSession { protocol: Protocol::Mpp, session: "s" });
    let closed = Outcome::SessionClosed { spent: Amount::ZERO, released: Amount::from_micros(60) };
    assert_eq!(shard.ask(close()).unwrap(), closed);
    shard.pass(3600);
    assert_eq!(shard.ask(close()).unwrap(), closed);
    // The deposit is forgotten before its session.
    shard.pass(7200);
    assert_eq!(shard.ask(close()).unwrap(), closed);
}

/// What a crash lost may have been paid from any wallet, but was booked in the first: the second could then spend its limit again.
#[test]
fn a_lost_capture_counts_in_every_wallet() {
    let mut shard = Shard::new(&[], |_| {});
    let wallet = |id: &str| WalletSource {
        id: id.to_owned(),
        address: String::new(),
        chain_id: String::new(),
        custody: String::new(),
        frozen: false,
        balance: None,
        limit_per_payment: None,
        limit_per_day: Some(Amount::from_micros(100)),
        limit_per_week: None,
        limit_per_month: None,
        allowed_hours: None,
        allowed_days: 0,
    };
    shard.ask(Request::PutWallet(AGENT, wallet("a"))).unwrap();
    shard.ask(Request::PutWallet(AGENT, wallet("b"))).unwrap();
    shard.authorize(charge(1, Protocol::Payment, 1, "")).unwrap();
    shard.crash();
    shard.capture(99, 10, true);
    let from_b = |id, amount| Authorize { wallet: "b", ..charge(id, Protocol::Payment, amount, "") };
    assert!(shard.authorize(from_b(2, 91)).is_none());
    assert!(shard.authorize(from_b(3, 90)).is_some());
}

/// What a crash lost may have drawn from a deposit, but stopped counting in it with its capture: the deposit was spent once more.
#[test]
fn a_lost_capture_counts_in_every_deposit() {
    let mut shard = Shard::new(&[], |_| {});
    let lease = UpdateAgent { lease: Some(Amount::from_micros(10)), ..UpdateAgent::default() };
    shard.ask(Request::UpdateAgent(AGENT, lease)).unwrap();
    shard.authorize(deposit(1, 100, "s", 3600)).unwrap();
    shard.authorize(charge(2, Protocol::Mpp, 5, "s")).unwrap();
    shard.crash();
    shard.capture(99, 10, true);
    assert!(shard.authorize(charge(3, Protocol::Mpp, 86, "s")).is_none());
    assert!(shard.authorize(charge(4, Protocol::Mpp, 85, "s")).is_some());
}

/// What was paid beyond a hold of another day counted in no current window: an agent that kept an old hold could pay without limit and
/// report it there.
#[test]
fn what_is_paid_beyond_a_hold_of_another_day_counts_today() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.0001")], |_| {});
    let long = Authorize { hold_for: Some(Duration::from_secs(3 * 86_400)), ..charge(1, Protocol::X402, 50, "") };
    shard.authorize(long).unwrap();
    shard.pass(86_400);
    assert_eq!(shard.used_today(), 0);
    assert_eq!(shard.capture(1, 40, false).overage, Amount::ZERO);
    assert_eq!(shard.used_today(), 0);
    assert_eq!(shard.capture(1, 95, false).overage, Amount::from_micros(85));
    assert_eq!(shard.used_today(), 85);
    assert!(shard.authorize(charge(2, Protocol::X402, 16, "")).is_none());
    assert_eq!(shard.restored().state.digest(), shard.state.digest());
}

/// A capture of a charge moves money within its envelope, whatever the day: only what the envelope does not cover counts anew.
#[test]
fn a_capture_inside_an_envelope_of_another_day_counts_once() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.0001")], |_| {});
    shard.authorize(deposit(1, 100, "s", 3 * 86_400)).unwrap();
    shard.pass(86_400);
    shard.authorize(charge(2, Protocol::Mpp, 100, "s")).unwrap();
    shard.capture(2, 40, false);
    assert_eq!(shard.used_today(), 0);
    shard.capture(2, 70, true);
    assert_eq!(shard.used_today(), 10);
}
