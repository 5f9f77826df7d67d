//! Task runs and the implicit session.

use crate::shard::*;
use holdfast::kernel::{
    Duration, Outcome, Protocol, SessionNumber,
    outcome::{Approval, ViolationKind},
    policy::RuleKind,
    request::{Authorize, Intent, Record},
};

const BUDGET: (&str, &str) = ("X402_SESSION_BUDGET", "0.000100");

fn session(answer: Answer) -> SessionNumber {
    match answer {
        Ok(Outcome::Approved(Approval { session, .. })) => session,
        other => panic!("{other:?}"),
    }
}

fn named(hold: u128, amount: u64, session: &'static str) -> Authorize<'static> {
    Authorize { session, ..x402(hold, amount) }
}

#[test]
fn the_implicit_session_ends_after_half_an_hour_without_a_request() {
    // (micro-seconds without a request, whether the session is the same)
    for (idle, same) in [(1_799_999_999, true), (1_800_000_000, false)] {
        let mut shard = Shard::new(&[BUDGET]);
        let first = session(shard.authorize(x402(1, 100)));
        shard.wait_micros(idle);
        shard.capture(1, 100, true).unwrap();
        let expected: &[ViolationKind] = if same { &[ViolationKind::Rule(RuleKind::X402SessionBudget)] } else { &[] };
        let answer = shard.authorize(x402(2, 100));
        assert_eq!(kinds(&answer), expected);
        assert!(same || session(answer) != first);
    }
}

#[test]
fn what_counts_as_a_request_in_a_session() {
    let cases: [(Deed, bool); 5] = [
        (|shard| shard.hold(x402(11, 1)), true),
        (|shard| drop(shard.authorize(x402(11, 999))), true),
        (|shard| drop(shard.record(paid(1)).unwrap()), true),
        (|shard| shard.hold(named(11, 1, "task")), false),
        (|shard| shard.hold(mpp(11, 1, "")), false),
    ];
    for (index, (request, counts)) in cases.into_iter().enumerate() {
        let mut shard = Shard::new(&[BUDGET]);
        let first = session(shard.authorize(x402(1, 5)));
        shard.wait(1000);
        request(&mut shard);
        shard.wait(1000);
        assert_eq!(session(shard.authorize(x402(2, 5))) == first, counts, "case {index}");
    }
}

#[test]
fn an_increment_is_a_request_in_its_session() {
    for by in [1, 999] {
        let mut shard = Shard::new(&[BUDGET]);
        let first = session(shard.authorize(Authorize { hold_for: Some(Duration::from_secs(5000)), ..x402(1, 5) }));
        shard.wait(1000);
        shard.increment(1, by).unwrap();
        shard.wait(1000);
        assert_eq!(session(shard.authorize(x402(2, 5))), first, "{by}");
    }
}

#[test]
fn a_closed_implicit_session_is_followed_by_another() {
    let mut shard = Shard::new(&[BUDGET]);
    shard.hold(x402(1, 60));
    shard.capture(1, 40, true).unwrap();
    let closed = Outcome::SessionClosed { spent: micros(40), released: micros(0) };
    assert_eq!(shard.close(Protocol::X402, ""), Ok(closed.clone()));
    assert_eq!(shard.close(Protocol::X402, ""), Ok(closed));
    shard.hold(x402(2, 100));
    assert_eq!(shard.balance()[1], 140);
}

#[test]
fn an_idle_implicit_session_is_not_current() {
    let mut shard = Shard::new(&[BUDGET]);
    shard.hold(x402(1, 60));
    assert!(shard.budget(Protocol::X402, "").session.is_some_and(|session| session.open));
    shard.wait(1800);
    assert_eq!(shard.budget(Protocol::X402, "").session, None);
}

#[test]
fn a_closed_run_takes_no_more_payments_and_its_holds_live_on() {
    for protocol in [Protocol::X402, Protocol::Mpp] {
        let charge = |hold| Authorize { protocol, ..named(hold, 10, "task") };
        let mut shard = Shard::new(&[]);
        shard.hold(charge(1));
        shard.hold(charge(2));
        shard.capture(1, 4, true).unwrap();
        let closed = Outcome::SessionClosed { spent: micros(4), released: micros(0) };
        assert_eq!(shard.close(protocol, "task"), Ok(closed));
        assert_eq!(kinds(&shard.authorize(charge(3))), [ViolationKind::SessionEnded]);
        shard.capture(2, 10, true).unwrap();
        assert_eq!(shard.balance(), [0, 14, 14, 14]);
    }
}

#[test]
fn names_of_different_rails_are_different_sessions() {
    let mut shard = Shard::new(&[]);
    let first = session(shard.authorize(named(1, 5, "task")));
    let other = session(shard.authorize(mpp(2, 5, "task")));
    assert_ne!(first, other);
    assert_eq!(session(shard.authorize(named(3, 5, "task"))), first);
}

#[test]
fn who_has_no_session() {
    let mut shard = Shard::new(&[]);
    assert_eq!(session(shard.authorize(mpp(1, 5, ""))), SessionNumber::NONE);
    assert_eq!(session(shard.authorize(Authorize { session: "task", ..plain(2, 5) })), SessionNumber::NONE);
    assert_ne!(session(shard.authorize(x402(3, 5))), SessionNumber::NONE);
}

#[test]
fn unauthorized_spend_belongs_to_its_session() {
    // (the report, the request that sees it)
    let cases: [(Record<'static>, Authorize<'static>); 2] =
        [(paid(90), x402(1, 20)), (Record { session: "task", ..paid(90) }, named(1, 20, "task"))];
    for (record, authorize) in cases {
        let mut shard = Shard::new(&[BUDGET]);
        shard.record(record).unwrap();
        assert_eq!(kinds(&shard.authorize(authorize)), [ViolationKind::Rule(RuleKind::X402SessionBudget)]);
    }
}

#[test]
fn an_envelope_past_its_end_is_not_open() {
    let mut shard = Shard::new(&[]);
    let intent = Intent::Session { duration: Some(Duration::from_secs(60)) };
    shard.hold(Authorize { intent, ..deposit(1, 50, "s") });
    // (micro-seconds from the beginning, whether it takes charges)
    for (hold, wait, open) in [(2, 59_999_999, true), (3, 1, false)] {
        shard.wait_micros(wait);
        let expected: &[ViolationKind] = if open { &[] } else { &[ViolationKind::SessionEnded] };
        assert_eq!(kinds(&shard.authorize(mpp(hold, 5, "s"))), expected);
        assert_eq!(shard.budget(Protocol::Mpp, "s").session.map(|session| session.open), Some(open));
    }
}
