//! Rules about what is paid, to whom and by which means: what passes, what does not, and what is not known.

use crate::shard::*;
use holdfast::kernel::{
    Fact, Facts, Protocol,
    facts::Split,
    outcome::{Measure, ViolationKind},
    policy::RuleKind,
    request::Authorize,
};

type Rule = (&'static str, &'static str, &'static str, &'static str);

const NONE: (Measure, Measure) = (Measure::None, Measure::None);

/// Under the rule, the first payments must be approved and the others be denied for it alone, with these measures.
#[track_caller]
fn check(
    rule: Rule,
    kind: RuleKind,
    approved: &[Authorize<'static>],
    denied: &[(Authorize<'static>, (Measure, Measure))],
) {
    for payment in approved {
        let found = violations(&Shard::under(&[rule]).authorize(payment.clone()));
        assert_eq!(found, [], "{rule:?} {payment:?}");
    }
    for (payment, (limit, current)) in denied {
        let found = violations(&Shard::under(&[rule]).authorize(payment.clone()));
        let told: Vec<_> = found.iter().map(|violation| (violation.kind, violation.limit, violation.current)).collect();
        assert_eq!(told, [(ViolationKind::Rule(kind), *limit, *current)], "{rule:?} {payment:?}");
    }
}

fn missing(fact: Fact) -> (Measure, Measure) {
    (Measure::None, Measure::Missing(fact))
}

/// A payment over a rail that the rule looks at, with one fact set.
fn fact(set: fn(&mut Facts<'static>, &'static str), text: &'static str) -> Authorize<'static> {
    let mut facts = Facts::default();
    set(&mut facts, text);
    with(plain(1, 5), facts)
}

#[test]
fn categories() {
    let category = |text| fact(|facts, text| facts.category = text, text);
    let denied =
        [(category("GAMBLING"), NONE), (plain(1, 5), missing(Fact::Category)), (category(""), missing(Fact::Category))];
    let allowed = [category("API_PROVIDER"), category("api_provider"), category("Cloud")];
    let list = r#"["API_PROVIDER","cloud"]"#;
    for rule in [
        ("ALLOWED_CATEGORIES", "IN_LIST", list, "ALLOW"),
        ("ALLOWED_CATEGORIES", "IN_LIST", list, "DENY"),
        ("ALLOWED_CATEGORIES", "not in list", list, "DENY"),
    ] {
        check(rule, RuleKind::AllowedCategories, &allowed, &denied);
    }
    let only = ("ALLOWED_CATEGORIES", "EQUALS", "CLOUD", "ALLOW");
    check(only, RuleKind::AllowedCategories, &allowed[2..], &[(allowed[0].clone(), NONE)]);
    for rule in [
        ("BLOCKED_CATEGORIES", "IN_LIST", r#"["gambling"]"#, "DENY"),
        ("BLOCKED_CATEGORIES", "EQ", "GAMBLING", "ALLOW"),
        ("BLOCKED_CATEGORIES", "NOT_IN_LIST", r#"["GAMBLING"]"#, "ALLOW"),
    ] {
        check(rule, RuleKind::BlockedCategories, &allowed, &denied);
    }
    // Nothing is allowed, or nothing is blocked; what is not known is still not known.
    check(
        ("ALLOWED_CATEGORIES", "IN_LIST", "[]", "ALLOW"),
        RuleKind::AllowedCategories,
        &[],
        &[(category("CLOUD"), NONE)],
    );
    check(("BLOCKED_CATEGORIES", "IN_LIST", "[]", "DENY"), RuleKind::BlockedCategories, &allowed, &denied[1..]);
}

#[test]
fn countries_are_blocked_or_allowed_as_the_action_says() {
    let country = |text| fact(|facts, text| facts.country = text, text);
    let kind = RuleKind::GeographicRestriction;
    let unknown = (plain(1, 5), missing(Fact::Country));
    for (operator, action) in [("IN_LIST", "DENY"), ("NOT_IN_LIST", "ALLOW"), ("IN_LIST", "REQUIRE_APPROVAL")] {
        let rule = ("GEOGRAPHIC_RESTRICTION", operator, r#"["CU","IR"]"#, action);
        check(
            rule,
            kind,
            &[country("US"), country("de")],
            &[(country("IR"), NONE), (country("cu"), NONE), unknown.clone()],
        );
    }
    for (operator, action) in [("IN_LIST", "ALLOW"), ("NOT_IN_LIST", "DENY"), ("NOT_IN_LIST", "REQUIRE_APPROVAL")] {
        let rule = ("GEOGRAPHIC_RESTRICTION", operator, r#"["US","CA","gb"]"#, action);
        check(rule, kind, &[country("US"), country("GB")], &[(country("IR"), NONE), unknown.clone()]);
    }
}

#[test]
fn scores() {
    let trust = |score| with(plain(1, 5), Facts { trust_score: Some(score), ..Facts::default() });
    let fairscale = |score| with(plain(1, 5), Facts { fairscale_score: Some(score), ..Facts::default() });
    let score = |limit, current| (Measure::Score(limit), Measure::Score(current));
    let kind = RuleKind::TrustScore;
    for (operator, value, action, least) in [
        ("GTE", "70", "ALLOW", 7000),
        ("GTE", "0.7", "DENY", 7000),
        ("LT", "70.00", "DENY", 7000),
        ("GTE", "1", "ALLOW", 10_000),
        ("GTE", "0.0001", "ALLOW", 1),
        ("GT", "0.5", "ALLOW", 5001),
        ("LTE", "50", "REQUIRE_APPROVAL", 5001),
        ("GREATER_THAN_OR_EQUAL", "99.99", "ALLOW", 9999),
    ] {
        let denied = [(trust(least - 1), score(least, least - 1)), (plain(1, 5), missing(Fact::TrustScore))];
        check(("TRUST_SCORE", operator, value, action), kind, &[trust(least), trust(10_000)], &denied);
    }
    let denied = [(fairscale(4999), score(5000, 4999)), (trust(10_000), missing(Fact::FairscaleScore))];
    check(("FAIRSCALE_MIN_SCORE", "GTE", "50", "ALLOW"), RuleKind::FairscaleMinScore, &[fairscale(5000)], &denied);
    let denied = [(fairscale(99), score(100, 99))];
    check(("FAIRSCALE_MIN_SCORE", "GTE", "1", "ALLOW"), RuleKind::FairscaleMinScore, &[fairscale(100)], &denied);
}

#[test]
fn what_the_payee_is_to_the_organization() {
    let status = |text| fact(|facts, text| facts.counterparty_status = text, text);
    let (kind, unknown) = (RuleKind::CounterpartyStatus, (plain(1, 5), missing(Fact::CounterpartyStatus)));
    let rule = |operator, value, action| ("COUNTERPARTY_STATUS", operator, value, action);
    let denied = [(status("VERIFIED"), NONE), (status("UNKNOWN"), NONE), unknown.clone()];
    check(rule("IN_LIST", r#"{"status":"TRUSTED"}"#, "ALLOW"), kind, &[status("TRUSTED")], &denied);
    check(rule("EQ", "TRUSTED", "ALLOW"), kind, &[status("TRUSTED")], &denied);
    let both = r#"["TRUSTED","verified"]"#;
    check(
        rule("IN_LIST", both, "ALLOW"),
        kind,
        &[status("TRUSTED"), status("VERIFIED")],
        &[(status("BLOCKED"), NONE), unknown.clone()],
    );
    check(rule("NOT_IN_LIST", both, "DENY"), kind, &[status("VERIFIED")], &[(status("UNKNOWN"), NONE)]);
    check(
        rule("IN_LIST", r#"["BLOCKED","UNKNOWN"]"#, "DENY"),
        kind,
        &[status("VERIFIED")],
        &[(status("UNKNOWN"), NONE), unknown],
    );
}

#[test]
fn contracts() {
    let contract =
        |contract, contract_protocol| with(plain(1, 5), Facts { contract, contract_protocol, ..Facts::default() });
    let kind = RuleKind::ContractAllowlist;
    let unknown = (plain(1, 5), missing(Fact::Contract));
    let list = ("CONTRACT_ALLOWLIST", "IN_LIST", r#"["0xC0ffee"]"#, "ALLOW");
    let denied = [
        (contract("0xdead", ""), NONE),
        (contract("0xdead", "uniswap"), NONE),
        (contract("", "uniswap"), missing(Fact::Contract)),
        unknown.clone(),
    ];
    check(list, kind, &[contract("0xc0FFEE", "")], &denied);
    let both = r#"{"contracts":["0xc0ffee"],"protocols":["uniswap"]}"#;
    let allowed = [contract("0xC0FFEE", ""), contract("0xdead", "Uniswap"), contract("", "UNISWAP")];
    let denied = [(contract("0xdead", ""), NONE), (contract("0xdead", "aave"), NONE), unknown];
    check(("CONTRACT_ALLOWLIST", "IN_LIST", both, "DENY"), kind, &allowed, &denied);
}

#[test]
fn mpp_methods_and_intents_look_at_mpp_alone() {
    let method = |authorize, method| with(authorize, Facts { method, ..Facts::default() });
    let methods = ("MPP_ALLOWED_METHODS", "IN_LIST", r#"["GET","post"]"#, "ALLOW");
    let approved =
        [method(mpp(1, 5, ""), "GET"), method(deposit(1, 5, ""), "POST"), x402(1, 5), plain(1, 5), card(1, 5)];
    let denied = [
        (method(mpp(1, 5, ""), "DELETE"), NONE),
        (method(deposit(1, 5, ""), "PUT"), NONE),
        (mpp(1, 5, ""), missing(Fact::Method)),
    ];
    check(methods, RuleKind::MppAllowedMethods, &approved, &denied);

    let intent = |authorize, session_intent| with(authorize, Facts { session_intent, ..Facts::default() });
    let intents = ("MPP_BLOCK_SESSION_INTENT", "IN_LIST", r#"["streaming"]"#, "DENY");
    let approved = [intent(deposit(1, 5, ""), "batch"), mpp(1, 5, ""), intent(mpp(1, 5, ""), "streaming"), x402(1, 5)];
    let denied = [(intent(deposit(1, 5, ""), "Streaming"), NONE), (deposit(1, 5, ""), missing(Fact::SessionIntent))];
    check(intents, RuleKind::MppBlockSessionIntent, &approved, &denied);
}

#[test]
fn session_deposits() {
    let rule = ("MPP_MAX_SESSION_DEPOSIT", "LTE", "0.000050", "ALLOW");
    let denied = [(deposit(1, 51, ""), (money(50), money(51)))];
    check(rule, RuleKind::MppMaxSessionDeposit, &[deposit(1, 50, ""), mpp(1, 99, ""), x402(1, 99)], &denied);
}

#[test]
fn card_rules_look_at_cards_alone() {
    let code = |merchant_category_code| with(card(1, 5), Facts { merchant_category_code, ..Facts::default() });
    let merchant = |merchant, merchant_id| with(card(1, 5), Facts { merchant, merchant_id, ..Facts::default() });
    let others = [x402(1, 99), plain(1, 99), mpp(1, 99, ""), deposit(1, 99, "")];
    let unknown_code = (card(1, 5), missing(Fact::MerchantCategoryCode));
    let approved = |of: &[Authorize<'static>]| [of, &others].concat();
    let allowed = ("CARD_ALLOWED_MCCS", "IN_LIST", r#"["5411"]"#, "ALLOW");
    check(
        allowed,
        RuleKind::CardAllowedMccs,
        &approved(&[code("5411")]),
        &[(code("5412"), NONE), unknown_code.clone()],
    );
    let blocked = ("CARD_BLOCKED_MCCS", "IN_LIST", r#"["7995"]"#, "DENY");
    check(blocked, RuleKind::CardBlockedMccs, &approved(&[code("5411")]), &[(code("7995"), NONE), unknown_code]);

    let allowed = ("CARD_ALLOWED_MERCHANTS", "IN_LIST", r#"["Amazon","m_1"]"#, "ALLOW");
    let denied = [
        (merchant("Casino.com", ""), NONE),
        (merchant("Casino.com", "m_2"), NONE),
        (merchant("", "m_2"), missing(Fact::Merchant)),
        (card(1, 5), missing(Fact::Merchant)),
    ];
    check(
        allowed,
        RuleKind::CardAllowedMerchants,
        &approved(&[merchant("AMAZON", ""), merchant("", "M_1"), merchant("x", "m_1")]),
        &denied,
    );
    let blocked = ("CARD_BLOCKED_MERCHANTS", "IN_LIST", r#"["Casino.com"]"#, "DENY");
    let denied = [
        (merchant("casino.COM", ""), NONE),
        (merchant("x", "Casino.com"), NONE),
        (merchant("", "m_2"), missing(Fact::Merchant)),
    ];
    check(
        blocked,
        RuleKind::CardBlockedMerchants,
        &approved(&[merchant("Amazon", ""), merchant("Amazon", "m_2")]),
        &denied,
    );
    let elsewhere = ("CARD_BLOCKED_MERCHANTS", "IN_LIST", r#"["Spielbank Köln"]"#, "DENY");
    let denied = [(merchant(" SPIELBANK KÖLN", ""), NONE), (merchant("spielbank köln", ""), NONE)];
    check(elsewhere, RuleKind::CardBlockedMerchants, &approved(&[merchant("Spielbank Koeln", "")]), &denied);

    let most = ("CARD_MAX_AMOUNT", "LTE", "0.000050", "ALLOW");
    let over = (card(1, 51), (money(50), money(51)));
    check(most, RuleKind::CardMaxAmount, &approved(&[card(1, 50)]), &[over]);
}

#[test]
fn wildcards_are_subdomains_and_not_the_domain() {
    let service = |service: &'static str| Authorize { service, ..x402(1, 5) };
    let list = r#"["*.example.com","pay.example"]"#;
    let inside = ["api.example.com", "A.B.example.com.", "pay.example"].map(service);
    let outside = ["example.com", "badexample.com", "example.com.evil.example", "api.pay.example"].map(service);
    let denied = outside.clone().map(|payment| (payment, NONE));
    check(("X402_ALLOWED_SERVICES", "IN_LIST", list, "ALLOW"), RuleKind::X402AllowedServices, &inside, &denied);
    let denied = inside.map(|payment| (payment, NONE));
    check(("X402_BLOCKED_SERVICES", "IN_LIST", list, "DENY"), RuleKind::X402BlockedServices, &outside, &denied);
    let mpp = Authorize { service: "deep.api.example.com", ..mpp(1, 5, "") };
    check(("MPP_BLOCKED_SERVICES", "IN_LIST", list, "DENY"), RuleKind::MppBlockedServices, &[], &[(mpp, NONE)]);
}

#[test]
fn everybody_who_gets_a_part_is_checked() {
    let split = |recipient| Split { recipient, amount: micros(1) };
    let shared = |recipients: &[&'static str], facts: Facts<'static>| {
        with(plain(1, 5), Facts { splits: recipients.iter().map(|name| split(name)).collect(), ..facts })
    };
    let known = || Facts { country: "DE", trust_score: Some(9000), counterparty_status: "TRUSTED", ..Facts::default() };
    let allowed = ("ALLOWED_COUNTERPARTIES", "IN_LIST", r#"["0xaa","0xbb","0xcc"]"#, "ALLOW");
    let approved = [shared(&["0xBB", "0xcc"], known()), plain(1, 5)];
    let denied = [(shared(&["0xbb", "0xdd"], known()), NONE), (shared(&["0xdd"], known()), NONE)];
    check(allowed, RuleKind::AllowedCounterparties, &approved, &denied);
    let blocked = ("BLOCKED_COUNTERPARTIES", "IN_LIST", r#"["0xDD"]"#, "DENY");
    check(blocked, RuleKind::BlockedCounterparties, &approved, &denied);
    // The request speaks of the first recipient; of the others nothing is known.
    for (rule, kind, fact) in [
        (("GEOGRAPHIC_RESTRICTION", "IN_LIST", "IR", "DENY"), RuleKind::GeographicRestriction, Fact::Country),
        (("TRUST_SCORE", "GTE", "50", "ALLOW"), RuleKind::TrustScore, Fact::TrustScore),
        (
            ("COUNTERPARTY_STATUS", "IN_LIST", "TRUSTED", "ALLOW"),
            RuleKind::CounterpartyStatus,
            Fact::CounterpartyStatus,
        ),
    ] {
        check(rule, kind, &[shared(&[], known())], &[(shared(&["0xbb"], known()), missing(fact))]);
    }
}

#[test]
fn a_larger_payment_is_not_asked_for_its_facts_again_under_the_policies_that_judged_them() {
    let rule = ("ALLOWED_CATEGORIES", "IN_LIST", "CLOUD", "ALLOW");
    let cloud = || with(plain(1, 5), Facts { category: "CLOUD", ..Facts::default() });
    let mut shard = Shard::under(&[rule]);
    shard.hold(cloud());
    assert_eq!(kinds(&shard.increment(1, 5)), []);
    // Under other policies the facts would have to be judged anew, and nobody knows them any more.
    let mut stricter = policy(&[]);
    stricter.rules = vec![holdfast::kernel::policy::RuleSource {
        rule_type: "BLOCKED_CATEGORIES".to_owned(),
        operator: "IN_LIST".to_owned(),
        value: "CLOUD".to_owned(),
        action: "DENY".to_owned(),
    }];
    shard.ask(&holdfast::kernel::Request::PutPolicy(stricter, None)).unwrap();
    assert_eq!(kinds(&shard.increment(1, 5)), [ViolationKind::Rule(RuleKind::BlockedCategories)]);
}

#[test]
fn what_draws_from_a_deposit_is_looked_at_too() {
    let with_method = |authorize, method| with(authorize, Facts { method, ..Facts::default() });
    let mut shard = Shard::under(&[("MPP_ALLOWED_METHODS", "IN_LIST", "GET", "ALLOW")]);
    shard.hold(with_method(deposit(1, 50, "s"), "GET"));
    shard.hold(with_method(mpp(2, 5, "s"), "GET"));
    assert_eq!(
        kinds(&shard.authorize(with_method(mpp(3, 5, "s"), "PUT"))),
        [ViolationKind::Rule(RuleKind::MppAllowedMethods)]
    );
}

#[test]
fn a_payment_without_a_service_is_on_no_list_of_services() {
    let nowhere = Authorize { protocol: Protocol::Payment, service: "", ..x402(1, 5) };
    check(("X402_ALLOWED_SERVICES", "IN_LIST", "a.example", "ALLOW"), RuleKind::X402AllowedServices, &[nowhere], &[]);
}
