//! The list of sanctions: it comes in parts, is in force all at once, and stands before every policy.

use crate::shard::*;
use holdfast::kernel::{
    CounterpartyId, Event, Facts, Failure, KeyId, Outcome, Request,
    counterparty::{Counterparty, CounterpartyTexts, Standing},
    facts::Split,
    outcome::{View, ViolationKind},
    policy::RuleKind,
    request::{Authorize, DecideApproval, Query},
    sanctions::{PART_BYTES_MAX, SANCTIONED_ADDRESSES_MAX, SanctionsList, SanctionsPart, SanctionsSummary},
};

const SANCTIONED: [ViolationKind; 1] = [ViolationKind::Sanctioned];

fn list(addresses: &[&str], countries: &[&str]) -> SanctionsList {
    SanctionsList::new(addresses, countries).expect("addresses and countries")
}

fn summary(list: &SanctionsList) -> SanctionsSummary {
    list.summary("a file", "an operator")
}

fn stage(shard: &mut Shard, part: SanctionsPart) -> Answer {
    shard.ask(&Request::StageSanctions(Box::new(part)))
}

fn stage_all(shard: &mut Shard, list: &SanctionsList) {
    for part in list.parts(summary(list).digest) {
        assert_eq!(stage(shard, part), Ok(Outcome::Done));
    }
}

fn switch(shard: &mut Shard, summary: Option<SanctionsSummary>) -> Answer {
    shard.ask(&Request::SwitchSanctions(summary.map(Box::new), None))
}

/// Puts a list in force.
fn load(shard: &mut Shard, addresses: &[&str], countries: &[&str]) -> u32 {
    let list = list(addresses, countries);
    stage_all(shard, &list);
    match switch(shard, Some(summary(&list))) {
        Ok(Outcome::PolicyChanged { revision }) => revision,
        other => panic!("{other:?}"),
    }
}

fn describe(shard: &mut Shard, address: &str, country: &str) {
    let texts = CounterpartyTexts { name: "a payee", address, country, ..CounterpartyTexts::default() };
    let entry = Counterparty::new(CounterpartyId(1), &texts).expect("an address");
    shard.ask(&Request::PutCounterparty(Box::new(entry), None)).unwrap();
}

fn from(hold: u128, country: &'static str) -> Authorize<'static> {
    with(x402(hold, 5), Facts { country, ..Facts::default() })
}

fn to(hold: u128, recipient: &'static str) -> Authorize<'static> {
    Authorize { recipient, ..x402(hold, 5) }
}

#[test]
fn nobody_on_the_list_is_paid() {
    let mut shard = Shard::new(&[]);
    shard.hold(to(1, "0xBAD"));
    shard.hold(Authorize { recipient: "0xbad", ..deposit(2, 50, "s") });
    assert_eq!(load(&mut shard, &["0xBad", "9xQe"], &[]), 1);
    let split = Facts { splits: vec![Split { recipient: "9xQe", amount: micros(1) }], ..Facts::default() };
    for payment in [
        to(3, "0xbaD"),
        to(3, "9xQe"),
        with(plain(3, 5), split),
        Authorize { recipient: "0xbad", ..deposit(3, 5, "t") },
        Authorize { recipient: "0xbad", ..mpp(3, 1, "s") },
        card_to("9xQe"),
    ] {
        assert_eq!(kinds(&shard.authorize(payment.clone())), SANCTIONED, "{payment:?}");
    }
    assert_eq!(kinds(&shard.increment(1, 1)), SANCTIONED);
    for (hold, other) in (10..).zip(["9xqe", "0xba", "0xbadd"]) {
        shard.hold(to(hold, other));
    }
    // What was approved before can be reported: the money may have moved.
    shard.capture(1, 5, true).unwrap();
}

fn card_to(recipient: &'static str) -> Authorize<'static> {
    Authorize { recipient, ..card(3, 5) }
}

#[test]
fn countries_are_those_of_the_directory_or_else_of_the_request() {
    let mut shard = Shard::new(&[]);
    load(&mut shard, &[], &["KP", "ir"]);
    shard.hold(x402(1, 5));
    shard.hold(from(2, "DE"));
    for country in ["KP", "ir", "IR"] {
        assert_eq!(kinds(&shard.authorize(from(3, country))), SANCTIONED, "{country}");
    }
    describe(&mut shard, PAYEE, "KP");
    assert_eq!(kinds(&shard.authorize(from(3, "DE"))), SANCTIONED);
    assert_eq!(kinds(&shard.authorize(x402(3, 5))), SANCTIONED);
    assert_eq!(kinds(&shard.increment(1, 1)), SANCTIONED);
    describe(&mut shard, PAYEE, "DE");
    shard.hold(from(3, "KP"));
    // Of those who share a payment, the directory alone tells.
    describe(&mut shard, "0xbb", "KP");
    let splits = vec![Split { recipient: "0xbb", amount: micros(1) }];
    let shared = with(plain(4, 5), Facts { splits, country: "DE", ..Facts::default() });
    assert_eq!(kinds(&shard.authorize(shared)), SANCTIONED);
}

#[test]
fn it_stands_before_the_directory_and_every_policy() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000004")]);
    load(&mut shard, &[PAYEE], &[]);
    let mut entry = Counterparty::new(
        CounterpartyId(1),
        &CounterpartyTexts { name: "n", address: PAYEE, ..CounterpartyTexts::default() },
    )
    .unwrap();
    entry.standing = Some(Standing::Blocked);
    shard.ask(&Request::PutCounterparty(Box::new(entry), None)).unwrap();
    let answer = shard.authorize(x402(1, 5));
    let all = [ViolationKind::Sanctioned, ViolationKind::CounterpartyBlocked, ViolationKind::Rule(RuleKind::MaxAmount)];
    assert_eq!(kinds(&answer), all);
    assert_eq!(violations(&answer)[0].kind.code(), "SANCTIONED");
}

#[test]
fn another_list_takes_its_place_and_none_checks_nothing() {
    let mut shard = Shard::new(&[]);
    assert_eq!(switch(&mut shard, None), Err(Failure::NoSanctions));
    load(&mut shard, &[PAYEE], &["KP"]);
    assert_eq!(kinds(&shard.authorize(x402(1, 5))), SANCTIONED);
    assert_eq!(load(&mut shard, &["0xbb"], &[]), 2);
    shard.hold(from(1, "KP"));
    assert_eq!(kinds(&shard.authorize(to(2, "0xbb"))), SANCTIONED);
    assert_eq!(switch(&mut shard, None), Ok(Outcome::PolicyChanged { revision: 3 }));
    shard.hold(to(2, "0xbb"));
    assert_eq!(shard.view(Query::Sanctions), View::Sanctions(None));
}

#[test]
fn what_is_on_its_way_is_not_in_force_and_is_forgotten_by_the_next_process() {
    let mut shard = Shard::new(&[]);
    load(&mut shard, &["0xbb"], &[]);
    let next = list(&[PAYEE], &[]);
    stage_all(&mut shard, &next);
    shard.hold(x402(1, 5));
    let mut restarted = shard.fork();
    assert_eq!(restarted.state.digest(), shard.state.digest());
    restarted.apply(&[Event::Started { incarnation: 2 }]);
    assert!(matches!(switch(&mut restarted, Some(summary(&next))), Err(Failure::Invalid { field: "list", .. })));
    assert_eq!(kinds(&restarted.authorize(to(2, "0xbb"))), SANCTIONED, "the list before is in force");
    // A copy of the state takes the list as the shard does.
    let mut copy = shard.fork();
    for shard in [&mut shard, &mut copy] {
        assert!(switch(shard, Some(summary(&next))).is_ok());
        assert_eq!(kinds(&shard.authorize(x402(3, 5))), SANCTIONED);
    }
    assert_eq!(copy.state.digest(), shard.state.digest());
    assert_eq!(kinds(&copy.fork().authorize(x402(4, 5))), SANCTIONED);
}

#[test]
fn parts_come_in_order_and_all_of_them() {
    let addresses: Vec<String> = (0..4000).map(|number| format!("0x{number:040x}")).collect();
    let long = list(&addresses.iter().map(String::as_str).collect::<Vec<_>>(), &["KP"]);
    let parts = long.parts(summary(&long).digest);
    assert_eq!(parts.len(), 4000 * 42 / PART_BYTES_MAX + 1);
    let mut shard = Shard::new(&[]);
    let refused = |answer: Answer, field| match answer {
        Err(Failure::Invalid { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{other:?}"),
    };
    refused(stage(&mut shard, parts[1].clone()), "part");
    stage(&mut shard, parts[0].clone()).unwrap();
    refused(switch(&mut shard, Some(summary(&long))), "list");
    refused(stage(&mut shard, parts[2].clone()), "part");
    stage(&mut shard, parts[1].clone()).unwrap();
    refused(stage(&mut shard, parts[1].clone()), "part");
    // Another list begins: the first one does not go on.
    let other = list(&["0xbb"], &[]);
    stage_all(&mut shard, &other);
    refused(stage(&mut shard, parts[2].clone()), "part");
    refused(switch(&mut shard, Some(summary(&long))), "list");
    stage_all(&mut shard, &long);
    refused(switch(&mut shard, Some(summary(&other))), "list");
    switch(&mut shard, Some(summary(&long))).unwrap();
    assert_eq!(kinds(&shard.authorize(to(1, "0x0000000000000000000000000000000000000F9F"))), SANCTIONED);
    shard.hold(to(1, "0x0000000000000000000000000000000000000FA0"));
}

#[test]
fn a_shard_takes_no_more_than_a_list_may_have_and_nothing_that_is_no_address() {
    let mut shard = Shard::new(&[]);
    let part = |number, addresses: Vec<String>| SanctionsPart {
        list: [7; 32],
        number,
        addresses: addresses.into_iter().map(String::into_boxed_str).collect(),
        countries: Vec::new(),
    };
    let most = (0..SANCTIONED_ADDRESSES_MAX).map(|number| format!("0x{number:040x}")).collect();
    stage(&mut shard, part(0, most)).unwrap();
    let answer = stage(&mut shard, part(1, vec!["0xbb".to_owned()]));
    assert_eq!(answer, Err(Failure::Capacity { what: "sanctioned addresses", maximum: 100_000 }));
    for wrong in ["", "a b", "0xBB"] {
        let answer = stage(&mut shard, part(0, vec![wrong.to_owned()]));
        assert!(matches!(answer, Err(Failure::Invalid { field: "addresses", .. })), "{wrong}");
    }
    let many = SanctionsPart { countries: vec![*b"KP"; 301], ..part(0, Vec::new()) };
    assert_eq!(stage(&mut shard, many), Err(Failure::Capacity { what: "sanctioned countries", maximum: 300 }));
}

#[test]
fn who_loaded_it_and_when_is_told() {
    let mut shard = Shard::new(&[]);
    let since = shard.now;
    load(&mut shard, &[PAYEE], &["KP"]);
    shard.wait(60);
    let View::Sanctions(Some(view)) = shard.view(Query::Sanctions) else { panic!() };
    assert_eq!((view.since, view.revision), (since, 1));
    assert_eq!(view.summary, summary(&list(&[PAYEE], &["KP"])));
}

#[test]
fn people_cannot_approve_what_is_sanctioned_since_they_were_asked() {
    let mut shard = Shard::under(&[("REQUIRE_APPROVAL_ABOVE", "GT", "0.000001", "REQUIRE_APPROVAL")]);
    let Ok(Outcome::ApprovalRequired(_)) = shard.authorize(x402(1, 5)) else { panic!() };
    let decide = |approves| {
        Request::DecideApproval(AGENT, DecideApproval { id: id(1), approver: KeyId(1), approves, comment: "" })
    };
    load(&mut shard, &[PAYEE], &[]);
    assert_eq!(shard.ask(&decide(true)), Err(Failure::PayeeStopped));
    load(&mut shard, &[], &["KP"]);
    describe(&mut shard, PAYEE, "KP");
    assert_eq!(shard.ask(&decide(true)), Err(Failure::PayeeStopped));
    assert!(shard.ask(&decide(false)).is_ok());
}
