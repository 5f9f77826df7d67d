//! Requests that mean nothing are refused, name the field, and change nothing.

use crate::shard::*;
use holdfast::kernel::{
    AgentIndex, Amount, Duration, Facts, Failure, Outcome, Protocol, Request,
    facts::Split,
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
        Authorize { service: "bücher.example", ..x402(1, 5) },
        Authorize { service: "bücher.example", ..plain(1, 5) },
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
fn facts_that_cannot_be() {
    let (long, purpose) = ("x".repeat(257), "x".repeat(1025));
    let split = |recipient, amount| Split { recipient, amount: micros(amount) };
    let none = Facts::default;
    for (facts, field) in [
        (Facts { category: &long, ..none() }, "category"),
        (Facts { category: "a\nb", ..none() }, "category"),
        (Facts { country: "D", ..none() }, "country"),
        (Facts { country: "D1", ..none() }, "country"),
        (Facts { trust_score: Some(10_001), ..none() }, "trustScore"),
        (Facts { fairscale_score: Some(10_001), ..none() }, "fairscaleScore"),
        (Facts { counterparty_status: "FRIEND", ..none() }, "counterpartyStatus"),
        (Facts { contract: &long, ..none() }, "targetContractAddress"),
        (Facts { contract_protocol: &long, ..none() }, "contractProtocol"),
        (Facts { function: "0xa9059cb", ..none() }, "functionSelector"),
        (Facts { function: "transfer", ..none() }, "functionSelector"),
        (Facts { method: &long, ..none() }, "method"),
        (Facts { session_intent: &long, ..none() }, "sessionIntent"),
        (Facts { merchant_category_code: "541", ..none() }, "merchantCategory"),
        (Facts { merchant_category_code: "54a1", ..none() }, "merchantCategory"),
        (Facts { merchant: &long, ..none() }, "merchantName"),
        (Facts { merchant_id: &long, ..none() }, "merchantId"),
        (Facts { purpose: &purpose, ..none() }, "purpose"),
        (Facts { chain: &long, ..none() }, "chainId"),
        (Facts { splits: vec![split("0xb", 1); 17], ..none() }, "splits"),
        (Facts { splits: vec![split("", 1)], ..none() }, "splits"),
        (Facts { splits: vec![split("0xb", 0)], ..none() }, "splits"),
        (Facts { splits: vec![split("0xb", 50), split("0xc", 51)], ..none() }, "splits"),
    ] {
        let authorize = Authorize { facts: Some(Box::new(facts)), ..x402(1, 100) };
        let answer = Shard::new(&[]).authorize(authorize.clone());
        let refused = matches!(answer, Err(Failure::Invalid { field: named, .. }) if named == field);
        assert!(refused, "{field}: {answer:?}");
        check_authorize(authorize);
    }
}

#[test]
fn the_largest_facts_that_can_be() {
    let (text, purpose) = ("x".repeat(256), "\n".repeat(1024));
    let facts = Facts {
        category: &text,
        country: "DE",
        trust_score: Some(10_000),
        fairscale_score: Some(10_000),
        counterparty_status: "BLOCKED",
        contract: &text,
        contract_protocol: &text,
        function: "a9059cbb",
        method: &text,
        session_intent: &text,
        merchant_category_code: "5411",
        merchant: &text,
        merchant_id: &text,
        purpose: &purpose,
        chain: &text,
        splits: vec![Split { recipient: "0xb", amount: micros(10) }; 16],
        challenge: Some([7; 32]),
        valid_before: None,
        valid_for: Some(Duration::from_secs(7 * 86_400)),
    };
    Shard::new(&[]).hold(Authorize { facts: Some(Box::new(facts)), ..x402(1, 160) });
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
