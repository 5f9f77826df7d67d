//! Requests that mean nothing are refused, name the field, and change nothing.

use crate::shard::*;
use holdfast::kernel::{
    AgentIndex, Amount, Duration, Failure, Outcome, Protocol, Request,
    policy::PolicySource,
    request::{Authorize, Intent, Record},
};

#[track_caller]
fn check_authorize(authorize: Authorize<'_>) {
    let mut shard = Shard::new(&[]);
    let before = shard.state.digest();
    let answer = shard.authorize(authorize.clone());
    assert!(matches!(answer, Err(Failure::Invalid { .. })), "{authorize:?}: {answer:?}");
    assert_eq!(shard.state.digest(), before);
}

#[test]
fn holds_that_cannot_be() {
    let (long_name, long_resource, long_session) = ("x".repeat(257), "x".repeat(2049), "x".repeat(129));
    let hold_max = Duration::from_secs(7 * 86_400);
    let over = Some(Duration::from_micros(hold_max.micros() + 1));
    let lasting = |protocol, duration| Authorize { protocol, intent: Intent::Session { duration }, ..x402(1, 5) };
    for authorize in [
        x402(1, 0),
        Authorize { amount: Amount::from_micros(Amount::MAX.micros() + 1), ..x402(1, 5) },
        Authorize { recipient: "", ..x402(1, 5) },
        Authorize { recipient: &long_name, ..x402(1, 5) },
        Authorize { recipient: "0x aa", ..x402(1, 5) },
        Authorize { recipient: "0xaa\n", ..x402(1, 5) },
        Authorize { service: "", ..x402(1, 5) },
        Authorize { service: "", ..mpp(1, 5, "") },
        Authorize { service: &long_name, ..plain(1, 5) },
        Authorize { service: "a\tb", ..x402(1, 5) },
        Authorize { resource: &long_resource, ..x402(1, 5) },
        Authorize { session: &long_session, ..x402(1, 5) },
        Authorize { wallet: &long_session, ..x402(1, 5) },
        Authorize { hold_for: Some(Duration::ZERO), ..x402(1, 5) },
        Authorize { hold_for: over, ..x402(1, 5) },
        lasting(Protocol::X402, None),
        lasting(Protocol::Payment, None),
        lasting(Protocol::Mpp, Some(Duration::ZERO)),
        lasting(Protocol::Mpp, over),
    ] {
        check_authorize(authorize);
    }
}

#[test]
fn the_largest_that_can_be() {
    let (name, resource, session) = ("x".repeat(256), "x".repeat(2048), "x".repeat(128));
    for authorize in [
        Authorize { recipient: &name, ..x402(1, 5) },
        Authorize { service: &name, ..x402(1, 5) },
        Authorize { resource: &resource, ..x402(1, 5) },
        Authorize { session: &session, ..x402(1, 5) },
        Authorize { hold_for: Some(Duration::from_secs(7 * 86_400)), ..x402(1, 5) },
        Authorize { hold_for: Some(Duration::from_micros(1)), ..x402(1, 5) },
        Authorize { amount: Amount::MAX, ..x402(1, 5) },
    ] {
        let mut shard = Shard::new(&[]);
        shard.hold(authorize);
    }
}

#[test]
fn a_session_of_this_name_exists() {
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 5, "s"));
    shard.hold(mpp(2, 5, "run"));
    for name in ["s", "run"] {
        let answer = shard.authorize(deposit(3, 5, name));
        assert!(matches!(answer, Err(Failure::Invalid { .. })), "{name}: {answer:?}");
    }
    shard.close(Protocol::Mpp, "s").unwrap();
    assert!(matches!(shard.authorize(deposit(3, 5, "s")), Err(Failure::Invalid { .. })), "closed names exist too");
    shard.hold(deposit(4, 5, ""));
    shard.hold(deposit(5, 5, ""));
}

#[test]
fn reports_that_cannot_be() {
    for record in [
        paid(0),
        Record { recipient: "", ..paid(5) },
        Record { service: "", ..paid(5) },
        Record { calls: 0, ..paid(5) },
        Record { service: "a b", payment_id: "p", ..paid(5) },
    ] {
        let mut shard = Shard::new(&[]);
        let answer = shard.record(record.clone());
        assert!(matches!(answer, Err(Failure::Invalid { .. })), "{record:?}: {answer:?}");
        assert_eq!(shard.balance(), [0; 4]);
    }
}

#[test]
fn what_does_not_exist() {
    let mut shard = Shard::new(&[]);
    assert_eq!(shard.ask(&Request::Authorize(AgentIndex(9), x402(1, 5))), Err(Failure::UnknownAgent));
    assert_eq!(shard.capture(9, 5, true), Err(Failure::UnknownAuthorization));
    assert_eq!(shard.void(9), Err(Failure::UnknownAuthorization));
    assert_eq!(shard.extend(9, 5), Err(Failure::UnknownAuthorization));
    assert_eq!(shard.increment(9, 5), Err(Failure::UnknownAuthorization));
    assert_eq!(shard.refund(9, 5), Err(Failure::UnknownAuthorization));
    for (protocol, name) in [
        (Protocol::X402, ""),
        (Protocol::X402, "s"),
        (Protocol::Mpp, ""),
        (Protocol::Mpp, "s"),
        (Protocol::Payment, ""),
    ] {
        assert_eq!(shard.close(protocol, name), Err(Failure::UnknownSession), "{protocol:?} {name}");
    }
}

#[test]
fn an_unknown_rule_is_refused_and_the_old_policy_stays() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000005")]);
    let wrong = PolicySource { rules: policy(&[("MAX_EVERYTHING", "1")]).rules, ..policy(&[]) };
    let answer = shard.ask(&Request::PutPolicy(wrong, None));
    assert!(matches!(answer, Err(Failure::Policy(_))), "{answer:?}");
    assert!(!violations(&shard.authorize(x402(1, 6))).is_empty());
}

#[test]
fn a_policy_that_cannot_be_read_denies_everything() {
    use holdfast::kernel::outcome::ViolationKind;
    let mut shard = Shard::new(&[("MAX_EVERYTHING", "1")]);
    assert_eq!(kinds(&shard.authorize(x402(1, 1))), [ViolationKind::Unreadable]);
    let Ok(Outcome::PolicyChanged { .. }) = shard.ask(&Request::PutPolicy(policy(&[]), None)) else { panic!() };
    shard.hold(x402(1, 1));
}
