//! The directory of payees: what it says of one is believed before the request, and who is blocked in it gets nothing.

use crate::shard::*;
use holdfast::kernel::{
    ApprovalRequestId, CounterpartyId, Facts, Failure, KeyId, Name, Outcome, Request,
    counterparty::{Counterparty, CounterpartyTexts, Standing},
    facts::Split,
    outcome::{View, ViolationKind},
    policy::{RuleKind, RuleSource},
    request::{Authorize, DecideApproval, Query},
};

/// The entry whose id is made from its address.
fn entry(address: &str) -> Counterparty {
    let texts = CounterpartyTexts { name: "a payee", address, ..CounterpartyTexts::default() };
    Counterparty::new(id_of(address), &texts).expect("an address")
}

fn named(id: u128, address: &str) -> Counterparty {
    let mut entry = entry(address);
    entry.id = CounterpartyId(id);
    entry
}

fn id_of(address: &str) -> CounterpartyId {
    CounterpartyId(u128::from(Name::recipient(address).expect("an address").hash()))
}

fn of(address: &str, standing: Standing) -> Counterparty {
    let mut entry = entry(address);
    entry.standing = Some(standing);
    entry
}

/// Asks for an entry of which only the address is known.
pub(crate) fn put(address: &str) -> Request<'static> {
    Request::PutCounterparty(Box::new(entry(address)), None)
}

fn write(shard: &mut Shard, entry: Counterparty) -> u32 {
    match shard.ask(&Request::PutCounterparty(Box::new(entry), None)) {
        Ok(Outcome::PolicyChanged { revision }) => revision,
        other => panic!("{other:?}"),
    }
}

/// The ids of the entries, and the revisions that wrote them.
fn entries(shard: &mut Shard) -> Vec<(CounterpartyId, u32)> {
    let View::Counterparties(entries) = shard.view(Query::Counterparties { after: None, count: 100 }) else { panic!() };
    entries.into_iter().map(|entry| (entry.counterparty.id, entry.revision)).collect()
}

fn to(hold: u128, recipient: &'static str) -> Authorize<'static> {
    Authorize { recipient, ..x402(hold, 5) }
}

fn shared_with(hold: u128, recipient: &'static str) -> Authorize<'static> {
    with(plain(hold, 5), Facts { splits: vec![Split { recipient, amount: micros(1) }], ..Facts::default() })
}

#[test]
fn who_is_blocked_gets_nothing_whatever_the_policies_say() {
    let mut shard = Shard::new(&[]);
    shard.hold(to(1, "0xBB"));
    shard.hold(deposit(2, 50, "s"));
    write(&mut shard, of("0xbb", Standing::Blocked));
    let blocked = [ViolationKind::CounterpartyBlocked];
    for payment in [to(3, "0xBb"), shared_with(3, "0xBB"), Authorize { recipient: "0xbb", ..deposit(3, 5, "t") }] {
        assert_eq!(kinds(&shard.authorize(payment.clone())), blocked, "{payment:?}");
    }
    assert_eq!(kinds(&shard.increment(1, 1)), blocked);
    shard.hold(to(4, "0xb"));
    // What was approved before may still be reported.
    shard.capture(1, 5, true).unwrap();
    write(&mut shard, of("0xbb", Standing::Unknown));
    shard.hold(to(5, "0xbb"));
    write(&mut shard, of(PAYEE, Standing::Blocked));
    assert_eq!(kinds(&shard.authorize(mpp(6, 1, "s"))), blocked, "a deposit covers nothing of it");
    assert!(matches!(shard.ask(&Request::RemoveCounterparty(id_of(PAYEE), None)), Ok(Outcome::PolicyChanged { .. })));
    shard.hold(mpp(6, 1, "s"));
}

#[test]
fn blocked_is_told_before_everything_that_a_policy_says() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000004")]);
    write(&mut shard, of(PAYEE, Standing::Blocked));
    let answer = shard.authorize(x402(1, 5));
    assert_eq!(kinds(&answer), [ViolationKind::CounterpartyBlocked, ViolationKind::Rule(RuleKind::MaxAmount)]);
    assert_eq!(violations(&answer)[0].kind.code(), "BLOCKED_COUNTERPARTY");
}

#[test]
fn the_directory_is_believed_before_the_request() {
    let known = || {
        let texts =
            CounterpartyTexts { name: "n", address: PAYEE, country: "DE", category: "CLOUD", ..Default::default() };
        let mut known = Counterparty::new(CounterpartyId(1), &texts).unwrap();
        (known.trust_score, known.fairscale_score) = (Some(8000), Some(8000));
        known.standing = Some(Standing::Verified);
        known
    };
    let boast = || Facts {
        country: "US",
        category: "SAAS",
        trust_score: Some(10_000),
        fairscale_score: Some(10_000),
        counterparty_status: "TRUSTED",
        ..Facts::default()
    };
    for (rule, kind) in [
        (("GEOGRAPHIC_RESTRICTION", "NOT_IN_LIST", "US", "DENY"), RuleKind::GeographicRestriction),
        (("ALLOWED_CATEGORIES", "IN_LIST", "SAAS", "ALLOW"), RuleKind::AllowedCategories),
        (("TRUST_SCORE", "GTE", "90", "ALLOW"), RuleKind::TrustScore),
        (("FAIRSCALE_MIN_SCORE", "GTE", "90", "ALLOW"), RuleKind::FairscaleMinScore),
        (("COUNTERPARTY_STATUS", "IN_LIST", "TRUSTED", "ALLOW"), RuleKind::CounterpartyStatus),
    ] {
        let mut shard = Shard::under(&[rule]);
        shard.hold(with(x402(1, 5), boast()));
        write(&mut shard, known());
        assert_eq!(kinds(&shard.authorize(with(x402(2, 5), boast()))), [ViolationKind::Rule(kind)], "{rule:?}");
        // Of whom the directory says nothing, the request is believed; and where it says nothing of a fact, too.
        shard.hold(Authorize { recipient: "0xbb", ..with(x402(3, 5), boast()) });
        write(&mut shard, named(1, PAYEE));
        shard.hold(with(x402(4, 5), boast()));
    }
}

#[test]
fn those_who_share_a_payment_are_known_from_the_directory_alone() {
    let mut shard = Shard::under(&[("COUNTERPARTY_STATUS", "IN_LIST", "TRUSTED", "ALLOW")]);
    write(&mut shard, of(PAYEE, Standing::Trusted));
    let denied = [ViolationKind::Rule(RuleKind::CounterpartyStatus)];
    assert_eq!(kinds(&shard.authorize(shared_with(1, "0xbb"))), denied);
    write(&mut shard, of("0xbb", Standing::Verified));
    assert_eq!(kinds(&shard.authorize(shared_with(1, "0xbb"))), denied);
    write(&mut shard, of("0xbb", Standing::Trusted));
    shard.hold(shared_with(1, "0xbb"));
}

#[test]
fn an_address_is_one_payee() {
    let mut shard = Shard::new(&[]);
    write(&mut shard, entry("0xBB"));
    let other = |address| Request::PutCounterparty(Box::new(named(1, address)), None);
    assert!(matches!(shard.ask(&other("0xbb")), Err(Failure::Invalid { field: "address", .. })));
    assert!(shard.ask(&other("9xQe")).is_ok());
    assert!(matches!(shard.ask(&put("9xQe")), Err(Failure::Invalid { field: "address", .. })));
    shard.ask(&put("9xqe")).expect("another address: only hexadecimal ones do not differ by case");
}

#[test]
fn scores_are_of_a_hundred() {
    let mut shard = Shard::new(&[]);
    for (trust, fairscale, field) in [(10_001, 1, "trustScore"), (1, 10_001, "fairscaleScore")] {
        let mut wrong = entry("0xbb");
        (wrong.trust_score, wrong.fairscale_score) = (Some(trust), Some(fairscale));
        match shard.ask(&Request::PutCounterparty(Box::new(wrong), None)) {
            Err(Failure::Invalid { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
    let mut best = entry("0xbb");
    (best.trust_score, best.fairscale_score) = (Some(10_000), Some(10_000));
    write(&mut shard, best);
}

#[test]
fn changes_take_revisions_of_the_catalogue_and_the_same_again_takes_none() {
    let mut shard = Shard::new(&[]);
    assert_eq!(write(&mut shard, entry("0xaa")), 1);
    assert_eq!(write(&mut shard, entry("0xaa")), 1);
    shard.ask(&Request::PutPolicy(policy(&[]), None)).unwrap();
    assert_eq!(write(&mut shard, of("0xaa", Standing::Trusted)), 3);
    assert_eq!(write(&mut shard, entry("0xbb")), 4);
    let removed = shard.ask(&Request::RemoveCounterparty(id_of("0xaa"), None));
    assert_eq!(removed, Ok(Outcome::PolicyChanged { revision: 5 }));
    let again = shard.ask(&Request::RemoveCounterparty(id_of("0xaa"), None));
    assert_eq!(again, Err(Failure::UnknownCounterparty));
    assert_eq!(entries(&mut shard), [(id_of("0xbb"), 4)]);
    assert_eq!(entries(&mut shard.fork()), [(id_of("0xbb"), 4)], "it is part of the state");
    assert_eq!(shard.fork().state.digest(), shard.state.digest());
    // Revisions are never given twice, though nothing else is kept of who was forgotten.
    shard.ask(&Request::RemoveCounterparty(id_of("0xbb"), None)).unwrap();
    assert_eq!(write(&mut shard.fork(), entry("0xcc")), 7);
}

/// A shard that missed a removal must not keep two payees of one address.
#[test]
fn a_shard_that_follows_takes_what_it_is_told() {
    let mut shard = Shard::new(&[]);
    let put = |id, address, revision| {
        let mut blocked = named(id, address);
        blocked.standing = Some(Standing::Blocked);
        Request::PutCounterparty(Box::new(blocked), revision)
    };
    shard.ask(&put(1, "0xbb", Some(4))).unwrap();
    shard.ask(&put(2, "0xBB", Some(6))).unwrap();
    assert_eq!(entries(&mut shard), [(CounterpartyId(2), 6)]);
    shard.ask(&put(2, "0xcc", Some(5))).unwrap();
    assert_eq!(
        kinds(&shard.authorize(to(1, "0xbb"))),
        [ViolationKind::CounterpartyBlocked],
        "what is older is skipped"
    );
    shard.ask(&Request::RemoveCounterparty(CounterpartyId(2), Some(8))).unwrap();
    shard.ask(&Request::RemoveCounterparty(CounterpartyId(3), Some(9))).unwrap();
    shard.hold(to(1, "0xbb"));
    assert_eq!(shard.state.catalogue().revision(), 9);
}

#[test]
fn pages_follow_ids() {
    let mut shard = Shard::new(&[]);
    for id in [5, 1, 3] {
        let address = format!("0x{id}");
        write(&mut shard, named(id, &address));
    }
    let mut page = |after: Option<u128>, count| {
        let query = Query::Counterparties { after: after.map(CounterpartyId), count };
        let View::Counterparties(entries) = shard.view(query) else { panic!() };
        entries.into_iter().map(|entry| entry.counterparty.id.0).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [1, 3]);
    assert_eq!(page(Some(3), 2), [5]);
    assert_eq!(page(Some(2), 1), [3]);
    assert_eq!(page(Some(5), 2), []);
    assert_eq!(shard.ask(&Request::Read(Query::Counterparty(CounterpartyId(2)))), Err(Failure::UnknownCounterparty));
}

#[test]
fn people_cannot_approve_what_is_blocked_since_they_were_asked() {
    let mut shard = Shard::under(&[("REQUIRE_APPROVAL_ABOVE", "GT", "0.000001", "REQUIRE_APPROVAL")]);
    let Ok(Outcome::ApprovalRequired(waiting)) = shard.authorize(x402(1, 5)) else { panic!() };
    let _: ApprovalRequestId = waiting.request;
    write(&mut shard, of(PAYEE, Standing::Blocked));
    let decide = |approves| {
        Request::DecideApproval(AGENT, DecideApproval { id: id(1), approver: KeyId(1), approves, comment: "" })
    };
    assert_eq!(shard.ask(&decide(true)), Err(Failure::PayeeStopped));
    write(&mut shard, of(PAYEE, Standing::Trusted));
    assert!(shard.ask(&decide(true)).is_ok());
}

#[test]
fn a_larger_payment_is_judged_by_the_directory_as_it_is_now() {
    let rule = RuleSource {
        rule_type: "COUNTERPARTY_STATUS".to_owned(),
        operator: "IN_LIST".to_owned(),
        value: "TRUSTED".to_owned(),
        action: "ALLOW".to_owned(),
    };
    let mut shard = Shard::new(&[]);
    let mut trusting = policy(&[]);
    trusting.rules = vec![rule];
    shard.ask(&Request::PutPolicy(trusting, None)).unwrap();
    write(&mut shard, of(PAYEE, Standing::Trusted));
    shard.hold(x402(1, 5));
    assert_eq!(kinds(&shard.increment(1, 1)), []);
    write(&mut shard, of(PAYEE, Standing::Unknown));
    assert_eq!(kinds(&shard.increment(1, 1)), [ViolationKind::Rule(RuleKind::CounterpartyStatus)]);
}
