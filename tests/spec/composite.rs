//! Conditions that operators put together.

use crate::shard::*;
use holdfast::kernel::{
    Fact, Facts, Protocol,
    outcome::{Measure, ViolationKind},
    policy::RuleKind,
    request::Authorize,
};

/// What a payment of an amount and a category gets under a composite rule: `None` for an approval, else what is told.
fn told(operator: &str, conditions: &str, action: &str, payment: Authorize<'static>) -> Option<Measure> {
    let mut shard = Shard::under(&[("COMPOSITE", operator, conditions, action)]);
    let found = violations(&shard.authorize(payment));
    assert!(found.iter().all(|violation| violation.kind == ViolationKind::Rule(RuleKind::Composite)));
    found.first().map(|violation| violation.current)
}

fn payment(amount: u64, category: &'static str) -> Authorize<'static> {
    with(plain(1, amount), Facts { category, ..Facts::default() })
}

const LARGE: &str = r#"{"field":"amount","operator":"GT","value":"0.000050"}"#;
const GAMBLING: &str = r#"{"ruleType":"BLOCKED_CATEGORIES","operator":"IN_LIST","value":["GAMBLING"]}"#;

#[test]
fn all_of_these() {
    let conditions = format!("[{LARGE},{GAMBLING}]");
    let denied = |amount, category| told("AND", &conditions, "DENY", payment(amount, category));
    assert_eq!(denied(50, "GAMBLING"), None);
    assert_eq!(denied(51, "CLOUD"), None);
    assert_eq!(denied(51, "GAMBLING"), Some(Measure::None));
    // One condition that does not hold decides; what is not known does only where the others hold.
    assert_eq!(denied(50, ""), None);
    assert_eq!(denied(51, ""), Some(Measure::Missing(Fact::Category)));

    let allowed = |amount, category| told("AND", &conditions, "ALLOW", payment(amount, category));
    assert_eq!(allowed(51, "GAMBLING"), None);
    assert_eq!(allowed(50, "GAMBLING"), Some(Measure::None));
    assert_eq!(allowed(51, ""), Some(Measure::Missing(Fact::Category)));
}

#[test]
fn one_of_these() {
    let conditions = format!("[{GAMBLING},{LARGE}]");
    let denied = |amount, category| told("OR", &conditions, "DENY", payment(amount, category));
    assert_eq!(denied(50, "CLOUD"), None);
    assert_eq!(denied(51, "CLOUD"), Some(Measure::None));
    assert_eq!(denied(50, "GAMBLING"), Some(Measure::None));
    assert_eq!(denied(50, ""), Some(Measure::Missing(Fact::Category)));
    assert_eq!(denied(51, ""), Some(Measure::None));

    let allowed = |amount, category| told("OR", &conditions, "ALLOW", payment(amount, category));
    assert_eq!(allowed(51, ""), None);
    assert_eq!(allowed(50, ""), Some(Measure::Missing(Fact::Category)));
    assert_eq!(allowed(50, "CLOUD"), Some(Measure::None));
}

#[test]
fn conditions_stand_within_conditions() {
    let conditions = format!(
        r#"{{"operator":"OR","conditions":[{{"operator":"AND","conditions":[{LARGE},{GAMBLING}]}},{{"field":"recipient","operator":"EQ","value":"0xBB"}}]}}"#
    );
    let denied = |payment| told("EQUALS", &conditions, "DENY", payment);
    assert_eq!(denied(payment(51, "CLOUD")), None);
    assert_eq!(denied(payment(51, "GAMBLING")), Some(Measure::None));
    assert_eq!(denied(Authorize { recipient: "0xbb", ..payment(5, "CLOUD") }), Some(Measure::None));
    assert_eq!(told("OR", &conditions, "REQUIRE_APPROVAL", payment(51, "GAMBLING")), Some(Measure::None));
}

#[test]
fn in_a_condition_an_operator_means_what_it_says() {
    // Whether 49, 50 and 51 hold.
    for (operator, value, expected) in [
        ("LT", r#""0.000050""#, [true, false, false]),
        ("LESS_THAN", r#""0.000050""#, [true, false, false]),
        ("LTE", "0.000050", [true, true, false]),
        ("GT", "0.000050", [false, false, true]),
        ("GTE", "0.000050", [false, true, true]),
        ("EQ", "0.000050", [false, true, false]),
        ("NOT_EQUALS", "0.000050", [true, false, true]),
        ("BETWEEN", r#"["0.000050","0.000051"]"#, [false, true, true]),
    ] {
        let conditions = format!(r#"[{{"field":"amount","operator":"{operator}","value":{value}}}]"#);
        let holds = [49, 50, 51].map(|amount| told("AND", &conditions, "ALLOW", plain(1, amount)).is_none());
        assert_eq!(holds, expected, "{operator}");
    }
}

#[test]
fn every_field_can_be_asked_about() {
    let facts = || Facts {
        category: "CLOUD",
        country: "DE",
        trust_score: Some(5000),
        fairscale_score: Some(6000),
        counterparty_status: "VERIFIED",
        contract_protocol: "uniswap",
        method: "GET",
        session_intent: "batch",
        merchant_category_code: "5411",
        merchant: "Amazon",
        ..Facts::default()
    };
    for (field, operator, holds, fails) in [
        ("protocol", "IN_LIST", r#"["x402","card"]"#, r#"["mpp","payment"]"#),
        ("recipient", "EQ", r#""0xAA""#, r#""0xBB""#),
        ("service", "IN_LIST", r#"["*.example.com"]"#, r#"["example.com"]"#),
        ("category", "NOT_IN_LIST", r#"["GAMBLING"]"#, r#"["cloud"]"#),
        ("country", "EQ", r#""de""#, r#""US""#),
        ("trustScore", "GTE", r#""50""#, r#""50.01""#),
        ("fairscaleScore", "LTE", "60", "59.99"),
        ("counterpartyStatus", "NEQ", r#""TRUSTED""#, r#""VERIFIED""#),
        ("contractProtocol", "EQ", r#""Uniswap""#, r#""aave""#),
        ("method", "EQ", r#""get""#, r#""POST""#),
        ("sessionIntent", "EQ", r#""batch""#, r#""streaming""#),
        ("merchantCategory", "EQ", r#""5411""#, r#""5412""#),
        ("mcc", "EQ", r#""5411""#, r#""5412""#),
        ("merchant", "EQ", r#""amazon""#, r#""Casino.com""#),
        ("time", "BETWEEN", r#"{"start":"12:00","end":"12:01"}"#, r#"{"start":"12:01","end":"12:00"}"#),
        ("dayOfWeek", "IN_LIST", r#"["Wed"]"#, r#"["Tue","Thu"]"#),
        (
            "date",
            "BETWEEN",
            r#"{"start":"2026-11-18","end":"2026-11-18"}"#,
            r#"{"start":"2026-11-19","end":"2026-11-20"}"#,
        ),
    ] {
        for (value, expected) in [(holds, None), (fails, Some(Measure::None))] {
            let conditions = format!(r#"[{{"field":"{field}","operator":"{operator}","value":{value}}}]"#);
            assert_eq!(told("AND", &conditions, "ALLOW", with(x402(1, 5), facts())), expected, "{field} {value}");
        }
    }
    let unserved = Authorize { protocol: Protocol::Payment, service: "", ..x402(1, 5) };
    let conditions = r#"[{"field":"service","operator":"NEQ","value":"a.example"}]"#;
    assert_eq!(told("AND", conditions, "ALLOW", unserved), Some(Measure::Missing(Fact::Service)));
}

#[test]
fn a_larger_amount_may_be_forbidden_by_facts_that_did_not_forbid_the_smaller_one() {
    let conditions = format!("[{LARGE},{GAMBLING}]");
    let mut shard = Shard::under(&[("COMPOSITE", "AND", &conditions, "DENY")]);
    shard.hold(payment(40, "GAMBLING"));
    assert_eq!(kinds(&shard.increment(1, 10)), []);
    assert_eq!(kinds(&shard.increment(1, 1)), [ViolationKind::Rule(RuleKind::Composite)]);
}
