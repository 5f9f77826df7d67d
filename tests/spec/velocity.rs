//! How many payments in how much time: never counted too short, at most a sixtieth of the period too long.

use crate::shard::*;
use holdfast::kernel::{
    Outcome, PolicyId, Protocol, Request,
    outcome::{Measure, ViolationKind},
    policy::{PolicySource, RuleKind},
    request::Record,
};

const ONE_A_MINUTE: (&str, &str) = ("VELOCITY_LIMIT", r#"{"maxCount":1,"period":"MINUTE"}"#);
const TWO_A_DAY: (&str, &str) = ("VELOCITY_LIMIT", r#"{"maxCount":2,"period":"DAY"}"#);

#[test]
fn a_call_counts_to_the_end_of_its_step_one_period_later() {
    // (micro-seconds into a step of a second at which the call is, micro-seconds later, whether it still counts)
    for (into, later, counts) in [
        (0, 60_000_000, true),
        (0, 60_999_999, true),
        (0, 61_000_000, false),
        (999_999, 60_000_000, true),
        (999_999, 60_000_001, false),
        (500_000, 60_499_999, true),
        (500_000, 60_500_000, false),
    ] {
        let mut shard = Shard::new(&[ONE_A_MINUTE]);
        shard.wait_micros(into);
        shard.hold(x402(1, 5));
        shard.wait_micros(later);
        let expected: &[ViolationKind] = if counts { &[ViolationKind::Rule(RuleKind::VelocityLimit)] } else { &[] };
        assert_eq!(kinds(&shard.authorize(x402(2, 5))), expected, "{into} {later}");
    }
}

#[test]
fn what_is_a_call() {
    let once = |shard: &mut Shard| shard.hold(x402(1, 5));
    let cases: [(Deed, u64); 7] = [
        (|_| {}, 0),
        (|shard| shard.hold(deposit(11, 5, "")), 1),
        (|shard| drop(shard.authorize(x402(1, 5))), 0),
        (|shard| drop(shard.void(1)), 0),
        (|shard| drop(shard.record(Record { calls: 3, ..paid(5) })), 0),
        (|shard| drop(shard.record(Record { calls: 3, recipient: "0xbb", ..paid(5) })), 3),
        (
            |shard| {
                shard.hold(deposit(11, 50, "s"));
                shard.record(Record { calls: 3, protocol: Protocol::Mpp, session: "s", ..paid(5) }).unwrap();
            },
            4,
        ),
    ];
    for (index, (more, calls)) in cases.into_iter().enumerate() {
        let mut shard = Shard::new(&[("VELOCITY_LIMIT", r#"{"maxCount":100,"period":"DAY"}"#)]);
        once(&mut shard);
        more(&mut shard);
        let limits = shard.budget(Protocol::X402, "").limits;
        assert_eq!(limits[0].used, Measure::Count(1 + calls), "case {index}");
    }
}

#[test]
fn counting_goes_on_while_no_policy_asks() {
    let mut shard = Shard::new(&[TWO_A_DAY]);
    shard.hold(x402(1, 5));
    shard.hold(x402(2, 5));
    let other = PolicySource { id: PolicyId(8), ..policy(&[("MAX_AMOUNT", "1")]) };
    assert!(matches!(shard.ask(&Request::PutPolicy(other, None)), Ok(Outcome::PolicyChanged { .. })));
    shard.hold(x402(3, 5));
    assert!(matches!(shard.ask(&Request::RemovePolicy(PolicyId(8), None)), Ok(Outcome::PolicyChanged { .. })));
    let found = violations(&shard.authorize(x402(4, 5)));
    assert_eq!(found[0].kind, ViolationKind::Rule(RuleKind::VelocityLimit));
    assert_eq!(found[0].current, Measure::Count(4));
}

#[test]
fn counting_starts_when_a_policy_asks() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 5));
    shard.ask(&Request::PutPolicy(policy(&[TWO_A_DAY]), None)).unwrap();
    shard.hold(x402(2, 5));
    shard.hold(x402(3, 5));
    assert_eq!(kinds(&shard.authorize(x402(4, 5))), [ViolationKind::Rule(RuleKind::VelocityLimit)]);
}
