//! Payments that wait for people: what is held, who decides, and what becomes of it.

use crate::shard::*;
use holdfast::kernel::{
    AgentId, Amount, ApprovalRequestId, Duration, Event, Facts, Failure, KeyId, Outcome, Request, State,
    anomaly::Threshold,
    facts::Split,
    outcome::{
        ApprovalRequestView, ApprovalRequired, ApprovalStatus, Booking, Captured, HoldStatus, Recorded, View,
        ViolationKind,
    },
    policy::{ApprovalTerms, PolicySource, RuleKind, RuleSource},
    request::{AgentStatus, Authorize, DecideApproval, Query, Record, UpdateAgent},
    state::approval::WAITING_PER_AGENT_MAX,
};

const MINUTE: u64 = 60;
const ANN: KeyId = KeyId(1);
const BOB: KeyId = KeyId(2);
const EVE: KeyId = KeyId(3);

/// People are asked about payments over 50, on these terms; a day may cost 100.
fn asking(terms: Option<ApprovalTerms>) -> Shard {
    let mut options = options(&[]);
    let rule = |rule_type: &str, operator: &str, value: &str, action: &str| {
        let [rule_type, operator, value, action] = [rule_type, operator, value, action].map(str::to_owned);
        RuleSource { rule_type, operator, value, action }
    };
    let rules = vec![
        rule("REQUIRE_APPROVAL_ABOVE", "GT", "0.000050", "REQUIRE_APPROVAL"),
        rule("DAILY_LIMIT", "LTE", "0.000100", "ALLOW"),
    ];
    options.default_policy = PolicySource { rules, approval: terms, ..policy(&[]) };
    Shard::with(options)
}

fn terms(required: u16, approvers: &[KeyId]) -> Option<ApprovalTerms> {
    Some(ApprovalTerms { required, approvers: approvers.to_vec(), timeout: None })
}

fn waiting(answer: Answer) -> ApprovalRequired {
    match answer {
        Ok(Outcome::ApprovalRequired(waiting)) => *waiting,
        other => panic!("nobody is asked: {other:?}"),
    }
}

impl Shard {
    fn decide(&mut self, hold: u128, approver: KeyId, approves: bool) -> Answer {
        self.ask(&Request::DecideApproval(AGENT, DecideApproval { id: id(hold), approver, approves, comment: "" }))
    }

    fn approve(&mut self, hold: u128, approver: KeyId) -> ApprovalStatus {
        match self.decide(hold, approver, true) {
            Ok(Outcome::ApprovalRequest(view)) => view.status,
            other => panic!("{other:?}"),
        }
    }

    fn set_status(&mut self, status: AgentStatus) {
        let update = UpdateAgent { status: Some(status), ..UpdateAgent::default() };
        assert_eq!(self.ask(&Request::UpdateAgent(AGENT, update)), Ok(Outcome::Done));
    }

    fn approvals(&mut self, status: Option<ApprovalStatus>) -> Vec<ApprovalRequestView> {
        match self.ask(&Request::Read(Query::LatestApprovalRequests(Some(AGENT), status, 1000))) {
            Ok(Outcome::View(View::ApprovalRequests(views))) => views,
            other => panic!("{other:?}"),
        }
    }

    fn approval(&mut self, hold: u128) -> ApprovalStatus {
        self.authorization(hold).approval.map(|(_, status)| status).unwrap()
    }
}

#[test]
fn the_money_is_held_while_people_decide() {
    let mut shard = asking(None);
    let told = waiting(shard.authorize(x402(1, 60)));
    assert_eq!((told.id, told.required, told.given, told.repeated), (id(1), 1, 0, false));
    assert_eq!(told.about[0].kind, ViolationKind::Rule(RuleKind::RequireApprovalAbove));
    assert_eq!((told.about[0].limit, told.about[0].current), (money(50), money(60)));
    assert_eq!(told.decide_by, shard.now.after(Duration::from_secs(5 * MINUTE)));
    assert_eq!(told.request, ApprovalRequestId::of(AgentId(1), id(1)));
    assert_eq!(shard.balance(), [60; 4]);
    assert_eq!(kinds(&shard.authorize(x402(2, 41))), [ViolationKind::Rule(RuleKind::DailyLimit)], "it counts");
    shard.hold(x402(2, 40));
    let again = waiting(shard.authorize(x402(1, 60)));
    assert_eq!(again, ApprovalRequired { repeated: true, ..told });
}

#[test]
fn after_the_last_approval_the_caller_may_pay_for_the_whole_time_of_its_hold() {
    let mut shard = asking(None);
    let asked = Authorize { hold_for: Some(Duration::from_secs(90)), ..x402(1, 60) };
    waiting(shard.authorize(asked.clone()));
    shard.wait(4 * MINUTE);
    assert_eq!(shard.approve(1, ANN), ApprovalStatus::Approved);
    let until = shard.now.after(Duration::from_secs(90));
    let Ok(Outcome::Approved(approval)) = shard.authorize(asked) else { panic!("it is approved") };
    assert_eq!((approval.expires_at, approval.repeated), (until, true));
    assert_eq!(shard.balance(), [60; 4]);
    shard.wait(90 + 30 - 1);
    assert_eq!(shard.authorization(1).status, HoldStatus::Open, "the grace is that of any hold");
    let answer = shard.capture(1, 60, true);
    assert!(matches!(answer, Ok(Outcome::Captured(Captured { late: false, .. }))), "{answer:?}");
}

#[test]
fn silence_declines_at_the_moment_and_not_before() {
    let long = Some(ApprovalTerms { timeout: Some(Duration::from_secs(3600)), ..ApprovalTerms::default() });
    let external = Some(Duration::from_secs(10 * MINUTE));
    for (terms, hold_for, seconds) in [
        (None, None, 5 * MINUTE),
        (None, Some(Duration::from_secs(1)), 5 * MINUTE),
        (None, external, 10 * MINUTE),
        (long.clone(), None, 3600),
        (long, external, 3600),
    ] {
        let asked = Authorize { hold_for, ..x402(1, 60) };
        let mut shard = asking(terms);
        waiting(shard.authorize(asked.clone()));
        shard.wait_micros(seconds * 1_000_000 - 1);
        let mut in_time = shard.fork();
        assert_eq!(in_time.approve(1, ANN), ApprovalStatus::Approved, "a microsecond before");
        shard.wait_micros(1);
        assert_eq!(shard.decide(1, ANN, true), Err(Failure::ApprovalRequestOver(ApprovalStatus::Expired)));
        assert_eq!(shard.balance(), [0; 4], "the money is free at once, without a grace");
        assert_eq!(kinds(&shard.authorize(asked)), [ViolationKind::Declined]);
        assert_eq!((shard.authorization(1).status, shard.approval(1)), (HoldStatus::Expired, ApprovalStatus::Expired));
    }
}

#[test]
fn so_many_of_so_many_must_approve_and_one_may_reject() {
    use ApprovalStatus::{Approved, Rejected, Waiting};
    // (terms, who says what, the status after each or why it is refused)
    type Row<'a> = (Option<ApprovalTerms>, &'a [(KeyId, bool, Result<ApprovalStatus, Failure>)]);
    let over = |status| Err(Failure::ApprovalRequestOver(status));
    let rows: [Row<'_>; 8] = [
        (None, &[(EVE, true, Ok(Approved)), (EVE, true, Ok(Approved)), (ANN, true, over(Approved))]),
        (None, &[(EVE, false, Ok(Rejected)), (EVE, false, Ok(Rejected)), (ANN, true, over(Rejected))]),
        (terms(2, &[]), &[(ANN, true, Ok(Waiting)), (ANN, true, Ok(Waiting)), (BOB, true, Ok(Approved))]),
        (terms(2, &[]), &[(ANN, true, Ok(Waiting)), (BOB, false, Ok(Rejected)), (EVE, true, over(Rejected))]),
        (terms(2, &[]), &[(ANN, true, Ok(Waiting)), (ANN, false, Ok(Rejected))]),
        (terms(1, &[ANN, BOB]), &[(EVE, true, Err(Failure::NotAnApprover)), (BOB, true, Ok(Approved))]),
        (terms(1, &[ANN, BOB]), &[(EVE, false, Err(Failure::NotAnApprover)), (BOB, false, Ok(Rejected))]),
        (terms(2, &[ANN, BOB]), &[(ANN, true, Ok(Waiting)), (BOB, true, Ok(Approved)), (ANN, false, over(Approved))]),
    ];
    for (row, (terms, answers)) in rows.into_iter().enumerate() {
        let mut shard = asking(terms);
        waiting(shard.authorize(x402(1, 60)));
        for (step, (approver, approves, expected)) in answers.iter().enumerate() {
            let found = shard.decide(1, *approver, *approves).map(|outcome| match outcome {
                Outcome::ApprovalRequest(view) => view.status,
                other => panic!("{other:?}"),
            });
            assert_eq!(found, *expected, "row {row}, step {step}");
        }
        let held = if shard.approval(1) == Rejected { 0 } else { 60 };
        assert_eq!(shard.balance(), [held; 4], "row {row}");
    }
}

#[test]
fn what_was_declined_is_denied_when_it_is_asked_again() {
    let ends: [(&str, Deed, ApprovalStatus, HoldStatus); 3] = [
        ("rejected", |s| drop(s.decide(1, ANN, false).unwrap()), ApprovalStatus::Rejected, HoldStatus::Voided),
        ("withdrawn", |s| drop(s.void(1).unwrap()), ApprovalStatus::Withdrawn, HoldStatus::Voided),
        (
            "paid all the same",
            |s| drop(s.capture(1, 60, true).unwrap()),
            ApprovalStatus::Bypassed,
            HoldStatus::Captured,
        ),
    ];
    for (name, end, approval, status) in ends {
        let mut shard = asking(None);
        waiting(shard.authorize(x402(1, 60)));
        end(&mut shard);
        assert_eq!(kinds(&shard.authorize(x402(1, 60))), [ViolationKind::Declined], "{name}");
        assert_eq!((shard.approval(1), shard.authorization(1).status), (approval, status), "{name}");
        assert_eq!(shard.decide(1, BOB, true), Err(Failure::ApprovalRequestOver(approval)), "{name}");
    }
}

#[test]
fn the_approval_is_bound_to_what_was_asked() {
    let mut shard = asking(None);
    let facts = Facts { chain: "8453", ..Facts::default() };
    let asked = |facts: Facts<'static>| Authorize { facts: Some(Box::new(facts)), ..x402(1, 60) };
    waiting(shard.authorize(asked(facts.clone())));
    let split = Facts { splits: vec![Split { recipient: "0xcc", amount: micros(1) }], ..facts.clone() };
    for (name, other) in [
        ("amount", Authorize { amount: micros(61), ..asked(facts.clone()) }),
        ("recipient", Authorize { recipient: "0xbb", ..asked(facts.clone()) }),
        ("service", Authorize { service: "other.example.com", ..asked(facts.clone()) }),
        ("chain", asked(Facts { chain: "1", ..facts.clone() })),
        ("splits", asked(split)),
        ("challenge", asked(Facts { challenge: Some([7; 32]), ..facts.clone() })),
    ] {
        assert_eq!(shard.authorize(other), Err(Failure::IdReused), "{name}");
    }
    shard.approve(1, ANN);
    assert_eq!(shard.authorize(Authorize { recipient: "0xbb", ..asked(facts) }), Err(Failure::IdReused));
    // Under another id it is another request, which waits for itself.
    shard.void(1).unwrap();
    waiting(shard.authorize(x402(2, 60)));
}

#[test]
fn what_cannot_be_done_with_a_hold_that_waits() {
    let mut shard = asking(None);
    waiting(shard.authorize(x402(1, 60)));
    assert_eq!(shard.extend(1, 60), Err(Failure::AwaitsApproval));
    assert_eq!(shard.increment(1, 1), Err(Failure::AwaitsApproval));
    let captured = shard.capture(1, 20, false);
    assert!(matches!(captured, Ok(Outcome::Captured(Captured { late: true, .. }))), "it is told apart: {captured:?}");
    assert_eq!((shard.balance(), shard.approval(1)), ([40, 60, 60, 60], ApprovalStatus::Waiting));
}

#[test]
fn a_payment_that_was_not_approved_is_unauthorized() {
    for authorization in [None, Some(id(1))] {
        let mut shard = asking(None);
        waiting(shard.authorize(x402(1, 60)));
        let answer = shard.record(Record { authorization, ..paid(60) });
        let expected = Recorded { booking: Booking::Unauthorized, authorization: None, overage: micros(60) };
        assert_eq!(answer, Ok(Outcome::Recorded(expected)), "{authorization:?}");
        assert_eq!(shard.balance(), [60, 120, 120, 120], "what waits goes on waiting");
    }
}

#[test]
fn nobody_approves_for_an_agent_that_is_stopped() {
    for status in [AgentStatus::Paused, AgentStatus::Suspended, AgentStatus::Revoked] {
        let mut shard = asking(None);
        waiting(shard.authorize(x402(1, 60)));
        shard.set_status(status);
        assert_eq!(shard.decide(1, ANN, true), Err(Failure::AgentStopped));
        let mut rejected = shard.fork();
        assert!(rejected.decide(1, ANN, false).is_ok());
        if status != AgentStatus::Revoked {
            shard.set_status(AgentStatus::Active);
            assert_eq!(shard.approve(1, ANN), ApprovalStatus::Approved);
        }
    }
}

#[test]
fn a_deposit_that_waits_covers_nothing_and_its_session_counts_from_the_approval() {
    let mut shard = asking(None);
    let duration = Some(Duration::from_secs(600));
    let asked = Authorize { intent: holdfast::kernel::request::Intent::Session { duration }, ..mpp(1, 80, "s") };
    waiting(shard.authorize(asked));
    assert_eq!(kinds(&shard.authorize(mpp(2, 10, "s"))), [ViolationKind::SessionDeposit]);
    shard.wait(4 * MINUTE);
    assert_eq!(shard.approve(1, ANN), ApprovalStatus::Approved);
    shard.hold(mpp(2, 10, "s"));
    shard.wait_micros(600_000_000 - 1);
    assert_eq!(kinds(&shard.authorize(mpp(3, 10, "s"))), []);
    shard.wait_micros(1);
    assert_eq!(kinds(&shard.authorize(mpp(4, 10, "s"))), [ViolationKind::SessionEnded]);

    for end in [(|s: &mut Shard| drop(s.decide(1, ANN, false).unwrap())) as Deed, |s| {
        s.wait(5 * MINUTE);
    }] {
        let mut shard = asking(None);
        waiting(shard.authorize(deposit(1, 80, "s")));
        end(&mut shard);
        assert_eq!(shard.balance(), [0; 4]);
        assert_eq!(kinds(&shard.authorize(mpp(2, 10, "s")))[0], ViolationKind::SessionEnded);
    }
}

/// It was forgotten at the moment that would have been right had nobody decided.
#[test]
fn a_session_whose_deposit_is_approved_early_is_forgotten_as_early() {
    let mut shard = asking(None);
    let duration = Some(Duration::from_secs(MINUTE));
    waiting(
        shard.authorize(Authorize {
            intent: holdfast::kernel::request::Intent::Session { duration },
            ..mpp(1, 80, "s")
        }),
    );
    shard.approve(1, ANN);
    let mut options = shard.state.options().clone();
    options.history_kept = Duration::from_secs(MINUTE);
    let kept = options.session_kept.as_secs();
    shard.ask(&Request::SetOptions(Box::new(options))).unwrap();
    // The deposit is over and forgotten; the session is remembered for longer.
    for _ in 0..2 {
        assert_eq!(shard.wait(2 * MINUTE).balance(), [0; 4]);
    }
    shard.wait(kept - 3 * MINUTE - 1);
    assert!(shard.close(holdfast::kernel::Protocol::Mpp, "s").is_ok());
    shard.wait(1);
    assert_eq!(shard.close(holdfast::kernel::Protocol::Mpp, "s"), Err(Failure::UnknownSession));
}

#[test]
fn a_hold_that_waits_never_rides_on_a_lease() {
    let mut shard = asking(None);
    let mut changed = shard.state.options().clone();
    changed.lease.ceiling = Amount::from_units(1000);
    shard.ask(&Request::SetOptions(Box::new(changed))).unwrap();
    let mut events = Vec::new();
    shard.state.decide(shard.now, &Request::Authorize(AGENT, x402(1, 60)), &mut events).unwrap();
    assert!(
        !events.iter().any(|event| matches!(event, Event::Approved(_))),
        "only what was approved rides: {events:?}"
    );
    shard.apply(&events);
    assert!(!shard.state.lease(AGENT).armed);
    shard.approve(1, ANN);
    assert!(!shard.state.lease(AGENT).armed);
}

#[test]
fn only_so_many_payments_of_an_agent_wait() {
    let mut shard = asking(None);
    shard
        .ask(&Request::PutPolicy(
            PolicySource {
                rules: vec![RuleSource {
                    rule_type: "REQUIRE_APPROVAL_ABOVE".to_owned(),
                    operator: "GT".to_owned(),
                    value: "0".to_owned(),
                    action: "REQUIRE_APPROVAL".to_owned(),
                }],
                ..policy(&[])
            },
            None,
        ))
        .unwrap();
    for hold in 1..=WAITING_PER_AGENT_MAX as u128 {
        waiting(shard.authorize(x402(hold, 1)));
    }
    let full = shard.authorize(x402(1000, 1));
    assert!(matches!(full, Err(Failure::Capacity { maximum: 100, .. })), "{full:?}");
    shard.decide(1, ANN, false).unwrap();
    waiting(shard.authorize(x402(1000, 1)));
}

#[test]
fn what_waits_survives_with_the_state() {
    let mut shard = asking(terms(2, &[]));
    let facts = Facts { purpose: "a report", category: "API_PROVIDER", chain: "8453", ..Facts::default() };
    waiting(shard.authorize(Authorize { facts: Some(Box::new(facts)), ..x402(1, 60) }));
    shard.approve(1, ANN);
    let view = shard.approvals(None).remove(0);
    let words = [&view.purpose, &view.category, &view.chain, &view.resource, &view.recipient, &view.service];
    assert_eq!(words, ["a report", "API_PROVIDER", "8453", "https://api.example.com/a", PAYEE, SERVICE]);
    assert_eq!((view.amount, view.answers.len(), view.answers[0].approver), (micros(60), 1, ANN));

    let mut loaded = shard.fork();
    loaded.state = State::from_image(&shard.state.image()).unwrap();
    assert_eq!(loaded.state.digest(), shard.state.digest());
    loaded.apply(&[Event::Started { incarnation: 2 }]);
    assert_eq!(loaded.approvals(Some(ApprovalStatus::Waiting)), std::slice::from_ref(&view));
    let found = loaded.ask(&Request::Read(Query::ApprovalRequest(view.id)));
    assert_eq!(found, Ok(Outcome::View(View::ApprovalRequests(vec![view]))));
    let mut late = loaded.fork();
    assert_eq!(loaded.approve(1, BOB), ApprovalStatus::Approved);
    late.wait(5 * MINUTE);
    assert_eq!((late.balance(), late.approval(1)), ([0; 4], ApprovalStatus::Expired));
    assert_eq!(late.approvals(Some(ApprovalStatus::Waiting)), []);
    // Once the hold is forgotten, so is what was asked.
    late.wait(40 * 24 * 3600);
    assert_eq!(late.approvals(None), []);
    assert_eq!(late.decide(1, ANN, true), Err(Failure::UnknownApprovalRequest));
}

/// Detectors leave what people look at to them: it is past once they have approved it, and no failed payment when they do not.
#[test]
fn what_people_decide_is_not_found_unusual() {
    let mut shard = asking(terms(1, &[]));
    let thresholds = [
        (Threshold::MaxConsecutiveFailures, 1),
        (Threshold::LargeTransactionMultiplier, 200),
        (Threshold::LargeTransactionMinTransactions, 1),
    ];
    shard.watch(true, &crate::alert::only(&thresholds));
    shard.hold(x402(1, 1));
    shard.wait(MINUTE);
    waiting(shard.authorize(x402(2, 60)));
    shard.decide(2, ANN, false).unwrap();
    waiting(shard.authorize(x402(3, 60)));
    shard.void(3).unwrap();
    waiting(shard.authorize(x402(4, 60)));
    assert_eq!(shard.approve(4, ANN), ApprovalStatus::Approved);
    shard.capture(4, 60, true).unwrap();
    shard.capture(1, 1, true).unwrap();
    assert_eq!((shard.found(), shard.agent().status), (vec![], AgentStatus::Active));
    // The mean is 30 now, so that 38 are usual.
    shard.wait(MINUTE).hold(x402(5, 38));
    assert_eq!(shard.found(), []);
}
