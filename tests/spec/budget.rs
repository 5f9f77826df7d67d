//! Budgets that an agent asks for and a person approves.

use crate::shard::*;
use holdfast::kernel::{
    Amount, BudgetRequestId, Duration, Event, Failure, Outcome, Protocol, Request, State,
    outcome::{BudgetRequestView, BudgetStatus, View, ViolationKind},
    request::{AgentStatus, Authorize, BudgetVerdict, DecideBudget, Query, RequestBudget},
    state::budget::BUDGET_REQUESTS_MAX,
};

const DAY: u64 = 24 * 3600;

fn asked(id: u128, amount: u64) -> RequestBudget<'static> {
    let id = BudgetRequestId(id);
    RequestBudget { id, amount: micros(amount), purpose: "research", category: "API_PROVIDER", metadata: "{}" }
}

fn view(answer: Answer) -> BudgetRequestView {
    match answer {
        Ok(Outcome::BudgetRequest(view)) => *view,
        other => panic!("no budget request: {other:?}"),
    }
}

impl Shard {
    fn ask_budget(&mut self, id: u128, amount: u64) -> Answer {
        self.ask(&Request::RequestBudget(AGENT, asked(id, amount)))
    }

    fn decide_budget(&mut self, id: u128, verdict: BudgetVerdict) -> Answer {
        self.ask(&Request::DecideBudget(AGENT, DecideBudget { id: BudgetRequestId(id), verdict, comment: "" }))
    }

    fn approve_budget(&mut self, id: u128) -> Answer {
        self.decide_budget(id, BudgetVerdict::Approve { amount: None, lasts: None })
    }

    /// A budget of so much is in force.
    fn with_budget(mut self, amount: u64) -> Shard {
        self.ask_budget(1, amount).unwrap();
        self.approve_budget(1).unwrap();
        self
    }

    fn budgets(&mut self) -> Vec<BudgetRequestView> {
        match self.ask(&Request::Read(Query::BudgetRequests(AGENT, None, None))) {
            Ok(Outcome::View(View::BudgetRequests(views))) => views,
            other => panic!("{other:?}"),
        }
    }

    /// Status, spent and held of the latest.
    fn latest_budget(&mut self) -> (BudgetStatus, u64, u64) {
        let view = self.budgets().remove(0);
        (view.status, view.spent.micros(), view.held.micros())
    }
}

#[test]
fn the_states_and_what_leads_to_them() {
    let approve: Deed = |shard| drop(shard.approve_budget(1).unwrap());
    let cases: [(&str, &[Deed], BudgetStatus); 8] = [
        ("asked for", &[], BudgetStatus::Pending),
        ("approved", &[approve], BudgetStatus::Approved),
        ("rejected", &[|shard| drop(shard.decide_budget(1, BudgetVerdict::Reject).unwrap())], BudgetStatus::Rejected),
        (
            "waited a day, but for a microsecond",
            &[|s| {
                s.wait_micros(DAY * 1_000_000 - 1);
            }],
            BudgetStatus::Pending,
        ),
        (
            "waited a day",
            &[|shard| {
                shard.wait(DAY);
            }],
            BudgetStatus::Expired,
        ),
        (
            "approved late and a day ago, but for a microsecond",
            &[
                |s| {
                    s.wait(DAY - 1);
                },
                approve,
                |s| {
                    s.wait_micros(DAY * 1_000_000 - 1);
                },
            ],
            BudgetStatus::Approved,
        ),
        (
            "approved a day ago",
            &[
                |s| {
                    s.wait(DAY - 1);
                },
                approve,
                |s| {
                    s.wait(DAY);
                },
            ],
            BudgetStatus::Expired,
        ),
        (
            "spent",
            &[approve, |shard| shard.hold(x402(1, 100)), |shard| drop(shard.capture(1, 100, true).unwrap())],
            BudgetStatus::Exhausted,
        ),
    ];
    for (name, deeds, status) in cases {
        let mut shard = Shard::new(&[]);
        shard.ask_budget(1, 100).unwrap();
        deeds.iter().for_each(|deed| deed(&mut shard));
        assert_eq!(shard.latest_budget().0, status, "{name}");
        let again = shard.ask_budget(2, 5);
        match status {
            BudgetStatus::Pending | BudgetStatus::Approved => {
                assert_eq!(again, Err(Failure::BudgetRequestExists), "{name}");
            }
            BudgetStatus::Rejected | BudgetStatus::Expired | BudgetStatus::Exhausted => {
                assert_eq!(view(again).status, BudgetStatus::Pending, "{name}");
            }
        }
    }
}

#[test]
fn an_approver_may_choose_amount_and_time() {
    let mut shard = Shard::new(&[]);
    shard.ask_budget(1, 100).unwrap();
    let lasts = Some(Duration::from_secs(3600));
    let approved = BudgetVerdict::Approve { amount: Some(micros(40)), lasts };
    let told = view(shard.decide_budget(1, approved));
    assert_eq!((told.requested, told.approved, told.remaining()), (micros(100), Some(micros(40)), Some(micros(40))));
    assert_eq!(told.expires_at, shard.now.after(Duration::from_secs(3600)));
    assert_eq!(view(shard.decide_budget(1, approved)), told, "to decide the same again changes nothing");
    for other in [
        BudgetVerdict::Reject,
        BudgetVerdict::Approve { amount: None, lasts },
        BudgetVerdict::Approve { amount: Some(micros(40)), lasts: None },
    ] {
        assert_eq!(shard.decide_budget(1, other), Err(Failure::BudgetRequestOver(BudgetStatus::Approved)));
    }
    assert_eq!(shard.decide_budget(9, approved), Err(Failure::UnknownBudgetRequest));
    shard.wait_micros(3_600_000_000 - 1);
    assert_eq!(kinds(&shard.authorize(x402(1, 41))), [ViolationKind::BudgetExceeded]);
    shard.wait_micros(1);
    assert_eq!(kinds(&shard.authorize(x402(1, 41))), [], "without a budget in force everything works as before");
}

#[test]
fn the_same_request_is_one_request() {
    let mut shard = Shard::new(&[]);
    let first = view(shard.ask_budget(1, 100));
    assert_eq!(view(shard.ask_budget(1, 100)), first);
    assert_eq!(shard.ask_budget(1, 101), Err(Failure::IdReused));
    shard.decide_budget(1, BudgetVerdict::Reject).unwrap();
    assert_eq!(view(shard.ask_budget(1, 100)).status, BudgetStatus::Rejected);
    assert_eq!(shard.budgets().len(), 1);
}

#[test]
fn what_cannot_be_asked_for() {
    let long = "x".repeat(4097);
    let cases: [(&str, RequestBudget<'_>); 6] = [
        ("amount", RequestBudget { amount: Amount::ZERO, ..asked(1, 1) }),
        ("amount", RequestBudget { amount: Amount::from_micros(u64::MAX), ..asked(1, 1) }),
        ("purpose", RequestBudget { purpose: " ", ..asked(1, 1) }),
        ("purpose", RequestBudget { purpose: &long[..1025], ..asked(1, 1) }),
        ("category", RequestBudget { category: &long[..129], ..asked(1, 1) }),
        ("metadata", RequestBudget { metadata: &long, ..asked(1, 1) }),
    ];
    let mut shard = Shard::new(&[]);
    for (name, request) in cases {
        let answer = shard.ask(&Request::RequestBudget(AGENT, request));
        assert!(matches!(answer, Err(Failure::Invalid { field, .. }) if field == name), "{name}: {answer:?}");
    }
    shard.ask_budget(1, 1).unwrap();
    let lasts = |seconds| Some(Duration::from_secs(seconds));
    for (name, amount, lasts) in [
        ("approvedAmount", Some(Amount::ZERO), None),
        ("approvedAmount", Some(Amount::from_micros(u64::MAX)), None),
        ("expiresInHours", None, lasts(0)),
        ("expiresInHours", None, lasts(366 * DAY + 1)),
    ] {
        let answer = shard.decide_budget(1, BudgetVerdict::Approve { amount, lasts });
        assert!(matches!(answer, Err(Failure::Invalid { field, .. }) if field == name), "{name}: {answer:?}");
    }
}

#[test]
fn an_approved_budget_limits_every_rail_to_the_last_unit() {
    let card = |amount| Authorize { protocol: Protocol::Card, ..plain(1, amount) };
    let rails: [fn(u64) -> Authorize<'static>; 5] =
        [|a| plain(1, a), |a| x402(1, a), |a| mpp(1, a, ""), |a| mpp(1, a, "run"), |a| deposit(1, a, "s")];
    for rail in rails.into_iter().map(|rail| Box::new(rail) as Box<dyn Fn(u64) -> _>).chain([Box::new(card) as _]) {
        let mut shard = Shard::new(&[]).with_budget(100);
        let denied = shard.authorize(rail(101));
        let [violation] = &violations(&denied)[..] else { panic!("{denied:?}") };
        let found = (violation.kind, violation.limit, violation.current);
        assert_eq!(found, (ViolationKind::BudgetExceeded, money(100), money(101)));
        let Ok(Outcome::Approved(approval)) = shard.authorize(rail(100)) else { panic!("the boundary passes") };
        assert_eq!(approval.remaining, Some(Amount::ZERO));
        assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, 0, 100));
        assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::BudgetExceeded], "what is held counts");
    }
}

#[test]
fn both_the_budget_and_the_policies_must_pass_and_the_budget_comes_first() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000050")]).with_budget(60);
    assert_eq!(kinds(&shard.authorize(x402(1, 61)))[0], ViolationKind::BudgetExceeded);
    assert_eq!(kinds(&shard.authorize(x402(1, 61))).len(), 2);
    assert_eq!(kinds(&shard.authorize(x402(1, 51))).len(), 1);
    shard.hold(x402(1, 50));
    assert_eq!(kinds(&shard.authorize(x402(2, 11))), [ViolationKind::BudgetExceeded]);
}

#[test]
fn charges_inside_an_envelope_are_covered_by_its_deposit() {
    let mut shard = Shard::new(&[]).with_budget(100);
    shard.hold(deposit(1, 100, "s"));
    shard.hold(mpp(2, 60, "s"));
    assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, 0, 100));
    shard.capture(2, 60, true).unwrap();
    assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, 60, 40));
    shard.close(Protocol::Mpp, "s").unwrap();
    assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, 60, 0));
}

#[test]
fn what_counts_in_a_budget() {
    // Each begins with a hold of 50 from before the budget of 100.
    let cases: [(&str, &[Deed], (u64, u64)); 9] = [
        ("a hold from before", &[], (0, 0)),
        ("its capture", &[|s| drop(s.capture(1, 50, true).unwrap())], (0, 0)),
        ("what was paid beyond it", &[|s| drop(s.capture(1, 53, true).unwrap())], (3, 0)),
        ("a late capture of it", &[|s| drop(s.void(1).unwrap()), |s| drop(s.capture(1, 20, true).unwrap())], (20, 0)),
        ("a hold", &[|s| s.hold(x402(2, 40))], (0, 40)),
        ("a part of it captured", &[|s| s.hold(x402(2, 40)), |s| drop(s.capture(2, 15, false).unwrap())], (15, 25)),
        ("a hold that was let go", &[|s| s.hold(x402(2, 40)), |s| drop(s.void(2).unwrap())], (0, 0)),
        (
            "a refund",
            &[|s| s.hold(x402(2, 40)), |s| drop(s.capture(2, 40, true).unwrap()), |s| drop(s.refund(2, 30).unwrap())],
            (10, 0),
        ),
        ("a payment without a hold", &[|s| drop(s.record(paid(60)).unwrap())], (60, 0)),
    ];
    for (name, deeds, (spent, held)) in cases {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 50));
        let mut shard = shard.with_budget(100);
        deeds.iter().for_each(|deed| deed(&mut shard));
        assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, spent, held), "{name}");
        let left = 100 - spent - held;
        assert_eq!(kinds(&shard.authorize(x402(9, left + 1))), [ViolationKind::BudgetExceeded], "{name}");
        assert_eq!(kinds(&shard.authorize(x402(9, left))), [], "{name}");
    }
}

#[test]
fn a_hold_of_another_time_cannot_be_enlarged_in_a_budget() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 50));
    let mut shard = shard.with_budget(100);
    let refused = shard.increment(1, 1);
    assert!(matches!(refused, Err(Failure::Invalid { field: "authorizationId", .. })), "{refused:?}");
    shard.hold(x402(2, 60));
    assert_eq!(kinds(&shard.increment(2, 41)), [ViolationKind::BudgetExceeded]);
    shard.increment(2, 40).unwrap();
    assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, 0, 100));
}

#[test]
fn an_exhausted_budget_blocks_until_it_ends_or_another_is_approved() {
    let exhausted = || {
        let mut shard = Shard::new(&[]).with_budget(100);
        shard.hold(x402(1, 90));
        shard.capture(1, 99, true).unwrap();
        assert_eq!(shard.latest_budget(), (BudgetStatus::Approved, 99, 0));
        shard.record(paid(5)).unwrap();
        assert_eq!(shard.latest_budget(), (BudgetStatus::Exhausted, 104, 0));
        let denied = shard.authorize(x402(2, 1));
        assert_eq!(kinds(&denied), [ViolationKind::BudgetExhausted]);
        assert_eq!((violations(&denied)[0].limit, violations(&denied)[0].current), (money(100), money(105)));
        shard
    };
    let mut shard = exhausted();
    shard.refund(1, 90).unwrap();
    assert_eq!(shard.latest_budget(), (BudgetStatus::Exhausted, 14, 0));
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::BudgetExhausted], "what came back revives nothing");
    shard.wait_micros(DAY * 1_000_000 - 1);
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::BudgetExhausted]);
    shard.wait_micros(1);
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), []);
    assert_eq!(shard.latest_budget().0, BudgetStatus::Exhausted, "that it was exhausted stays true");

    let mut shard = exhausted();
    shard.ask_budget(2, 10).unwrap();
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::BudgetExhausted], "nobody has decided yet");
    shard.approve_budget(2).unwrap();
    shard.hold(x402(2, 10));
    assert_eq!(kinds(&shard.authorize(x402(3, 1))), [ViolationKind::BudgetExceeded]);

    let mut shard = exhausted();
    shard.ask_budget(2, 10).unwrap();
    shard.decide_budget(2, BudgetVerdict::Reject).unwrap();
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::BudgetExhausted]);
}

#[test]
fn every_transition_is_told_as_an_event() {
    let mut shard = Shard::new(&[]);
    let mut told = Vec::new();
    let mut decide = |shard: &mut Shard, request: &Request<'_>| {
        let mut events = Vec::new();
        shard.state.decide(shard.now, request, &mut events).unwrap();
        shard.apply(&events);
        told.extend(events.into_iter().filter(|event| format!("{event:?}").starts_with("Budget")));
    };
    decide(&mut shard, &Request::RequestBudget(AGENT, asked(1, 100)));
    let verdict = BudgetVerdict::Approve { amount: None, lasts: None };
    let id = BudgetRequestId(1);
    decide(&mut shard, &Request::DecideBudget(AGENT, DecideBudget { id, verdict, comment: "go" }));
    decide(&mut shard, &Request::Record(AGENT, paid(40)));
    decide(&mut shard, &Request::Record(AGENT, paid(60)));
    let mut due = Vec::new();
    shard.wait(DAY);
    loop {
        shard.state.advance(shard.now, &mut due);
        let Some(event) = due.pop() else { break };
        shard.apply(std::slice::from_ref(&event));
        told.extend(Some(event).filter(|event| matches!(event, Event::BudgetExpired(..))));
    }
    let [requested, approved, rest @ ..] = &told[..] else { panic!("{told:?}") };
    assert!(matches!(requested, Event::BudgetRequested(event) if event.purpose.as_ref() == "research"));
    assert!(matches!(approved, Event::BudgetApproved(event) if event.comment.as_ref() == "go"));
    let spent = |amount| Event::BudgetSpent(AGENT, id, micros(amount));
    let expected = [
        spent(40),
        spent(100),
        Event::BudgetExhausted(AGENT, id),
        Event::BudgetExpired(AGENT, id, BudgetStatus::Exhausted),
    ];
    assert_eq!(rest, expected);
}

#[test]
fn a_budget_is_a_cumulative_limit() {
    let mut options = options(&[("DAILY_LIMIT", "1000")]);
    options.lease.ceiling = Amount::from_units(1000);
    let mut shard = Shard::with(options);
    shard.hold(x402(1, 1));
    assert!(shard.state.lease(AGENT).armed);
    let mut shard = shard.with_budget(1000);
    let lease = shard.state.lease(AGENT);
    assert_eq!((lease.amount, lease.armed), (micros(100), false), "the lease shrinks before the budget is used");
    let budget = shard.budget(Protocol::X402, "");
    let limit = budget.limits.iter().find(|limit| limit.kind == ViolationKind::BudgetExceeded).unwrap();
    assert_eq!((limit.limit, limit.used), (money(1000), money(0)));
    assert_eq!(budget.remaining, Some(micros(1000)));
    shard.hold(x402(2, 1));
    assert!(shard.state.lease(AGENT).armed);
    shard.apply(&[Event::Started { incarnation: 2 }]);
    assert_eq!(kinds(&shard.authorize(x402(3, 900))), [ViolationKind::BudgetExceeded], "a lost approval counts");
    shard.hold(x402(3, 899));
    shard.wait(DAY);
    assert_eq!(kinds(&shard.authorize(x402(4, 2000))), []);
    assert_eq!(shard.state.lease(AGENT).amount, Amount::from_units(100));
}

#[test]
fn a_bounded_number_of_requests_is_remembered_and_all_agents_can_be_listed() {
    let mut shard = Shard::new(&[]);
    shard.create(2, AgentStatus::Active);
    for id in 1..=BUDGET_REQUESTS_MAX as u128 + 3 {
        shard.ask_budget(id, 1).unwrap();
        shard.decide_budget(id, BudgetVerdict::Reject).unwrap();
        shard.wait(1);
    }
    let other = holdfast::kernel::AgentIndex(1);
    shard.ask(&Request::RequestBudget(other, asked(1, 7))).unwrap();
    let remembered = shard.budgets();
    assert_eq!(remembered.len(), BUDGET_REQUESTS_MAX);
    assert_eq!(remembered[0].id, BudgetRequestId(BUDGET_REQUESTS_MAX as u128 + 3), "newest first");
    let list = |state: &State, status, count| {
        let query = Request::Read(Query::LatestBudgetRequests(status, count));
        match state.decide(state.moment(), &query, &mut Vec::new()) {
            Ok(Outcome::View(View::BudgetRequests(views))) => views,
            other => panic!("{other:?}"),
        }
    };
    let loaded = State::from_image(&shard.state.image()).unwrap();
    assert_eq!(loaded.digest(), shard.state.digest());
    for state in [&shard.state, &loaded] {
        assert_eq!(list(state, None, 1000).len(), BUDGET_REQUESTS_MAX + 1);
        assert_eq!(list(state, None, 1)[0].requested, micros(7));
        let find = Request::Read(Query::FindBudgetRequests(BudgetRequestId(BUDGET_REQUESTS_MAX as u128)));
        let found = state.decide(state.moment(), &find, &mut Vec::new());
        assert!(matches!(found, Ok(Outcome::View(View::BudgetRequests(views))) if views.len() == 1));
        assert_eq!(list(state, Some(BudgetStatus::Pending), 1000).len(), 1);
        assert_eq!(list(state, Some(BudgetStatus::Rejected), 2).len(), 2);
    }
    let mut loaded = Shard { state: loaded, ..shard };
    loaded.wait(DAY);
    loaded.budgets();
    assert_eq!(list(&loaded.state, Some(BudgetStatus::Expired), 2).len(), 1, "a loaded state knows what is due");
}
