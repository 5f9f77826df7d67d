//! What is refused when it is written. What is understood, and what it means, is told by the specification in `tests/spec`.

use super::{COMPOSITE_CONDITIONS_MAX, COMPOSITE_DEPTH_MAX, read::BLACKOUT_WINDOWS_MAX};
use crate::kernel::{
    PolicyId,
    policy::{PolicyScope, PolicySource, RuleSource, check},
};

fn refusal(rule_type: &str, operator: &str, value: &str, action: &str) -> Option<String> {
    let [rule_type, operator, value, action] = [rule_type, operator, value, action].map(str::to_owned);
    let source = PolicySource {
        id: PolicyId(1),
        name: "a policy".to_owned(),
        description: String::new(),
        policy_type: "COMPOSITE".to_owned(),
        priority: 50,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![RuleSource { rule_type, operator, value, action }],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    };
    check(&source).err().map(|error| error.to_string())
}

/// Each must be refused with a message that has the text in it.
fn refused(operator: &str, cases: &[(&str, &str, &str)]) {
    for (rule_type, value, expected) in cases {
        let error = refusal(rule_type, operator, value, "ALLOW").unwrap_or_else(|| panic!("{rule_type} {value}"));
        assert!(error.contains(expected), "{rule_type} {value}: {error}");
    }
}

#[test]
fn operators_and_actions_that_could_mean_two_things() {
    for (rule_type, operator, value, action, expected) in [
        ("TIME_WINDOW", "BETWEEN", r#"{"start":"09:00","end":"18:00"}"#, "DENY", "is a `BLACKOUT_PERIOD`"),
        ("DATE_RANGE", "BETWEEN", r#"{"start":"2026-01-01","end":"2026-01-02"}"#, "DENY", "is a `BLACKOUT_PERIOD`"),
        ("TIME_WINDOW", "IN_LIST", r#"{"start":"09:00","end":"18:00"}"#, "ALLOW", "expected `BETWEEN`"),
        ("TRUST_SCORE", "LT", "50", "ALLOW", "expected `GTE` with any action"),
        ("TRUST_SCORE", "GT", "50", "DENY", "expected `GTE` with any action"),
        ("BLOCKED_CATEGORIES", "NOT_IN_LIST", "a", "DENY", "expected `IN_LIST` with any action"),
        ("GEOGRAPHIC_RESTRICTION", "LTE", "US", "DENY", "expected `IN_LIST` or `NOT_IN_LIST`"),
        ("COMPOSITE", "GT", "[]", "DENY", "expected `AND`, `OR` or `EQUALS`"),
        ("CARD_MAX_AMOUNT", "GT", "5", "ALLOW", "expected `LTE` with any action"),
    ] {
        let error = refusal(rule_type, operator, value, action).unwrap_or_default();
        assert!(error.contains(expected), "{rule_type} {operator} {action}: {error}");
    }
}

#[test]
fn times() {
    refused(
        "BETWEEN",
        &[
            ("TIME_WINDOW", "09:00", r#"expected `{"start":"09:00","end":"18:00"}`"#),
            ("TIME_WINDOW", r#"{"start":"09:00"}"#, r#"expected `{"start":"09:00","end":"18:00"}`"#),
            (
                "TIME_WINDOW",
                r#"{"start":"9:00","end":"18:00"}"#,
                "`rules[0].value.start`: found `\"9:00\"`, expected a time",
            ),
            ("TIME_WINDOW", r#"{"start":"09:00","end":"24:01"}"#, "`rules[0].value.end`"),
            ("TIME_WINDOW", r#"{"start":"09:00","end":"18:60"}"#, "`rules[0].value.end`"),
            ("TIME_WINDOW", r#"{"start":"09:00","end":"18:00:00:00"}"#, "`rules[0].value.end`"),
            ("TIME_WINDOW", r#"{"start":"+9:00","end":"18:00"}"#, "`rules[0].value.start`"),
            ("TIME_WINDOW", r#"{"start":"09:00","end":"09:00"}"#, "another time than `start`"),
            (
                "TIME_WINDOW",
                r#"{"start":"09:00","end":"18:00","timezone":"Mars/Olympus"}"#,
                "a time zone of the IANA database",
            ),
            ("TIME_WINDOW", r#"{"start":"09:00","end":"18:00","days":["Mon"]}"#, "found `days`"),
            ("TIME_WINDOW", r#"{"start":"09:00","start":"10:00","end":"18:00"}"#, "with each member once"),
            ("DATE_RANGE", r#"{"start":"2026-07-01","end":"2026-06-30"}"#, "what comes after `start`"),
            ("DATE_RANGE", r#"{"start":"2026-02-29","end":"2026-06-30"}"#, "`rules[0].value.start`"),
            ("DATE_RANGE", r#"{"start":"2026-7-1","end":"2026-09-30"}"#, "expected a date such as `2026-12-31`"),
            ("DATE_RANGE", r#"{"start":"2026-07-01T00:00:00","end":"2026-09-30"}"#, "`rules[0].value.start`"),
            ("DATE_RANGE", r#"{"start":"2026-07-01T00:00:00Z","end":"2026-09-30"}"#, "a moment, as `start` is one"),
            ("BLACKOUT_PERIOD", r#"{"windows":{}}"#, "expected a list of windows"),
            ("BLACKOUT_PERIOD", r#"{"windows":[{"start":"02:00"}]}"#, "`rules[0].value.windows[0]`"),
            ("BLACKOUT_PERIOD", r#"{"windows":[],"start":"02:00"}"#, "found `start`"),
            ("BLACKOUT_PERIOD", r#"{"start":"02:00","end":"2026-01-01"}"#, "`rules[0].value.end`"),
        ],
    );
    refused(
        "IN_LIST",
        &[("DAY_OF_WEEK", "Mon,Tues", "`rules[0].value[1]`: found `Tues`, expected a day from `Mon` to `Sun`")],
    );
    refused(
        "LTE",
        &[
            ("EXPIRATION", "soon", "expected a date such as `2026-12-31`"),
            ("EXPIRATION", r#"{"date":"soon"}"#, "`rules[0].value.date`"),
        ],
    );
}

#[test]
fn lists_and_scores() {
    refused(
        "IN_LIST",
        &[
            ("GEOGRAPHIC_RESTRICTION", "USA", "`rules[0].value[0]`: found `USA`, expected a country of two letters"),
            ("GEOGRAPHIC_RESTRICTION", "", "expected a list"),
            ("CARD_ALLOWED_MCCS", "541", "a merchant category code of four digits"),
            ("ALLOWED_CATEGORIES", r#"["*"]"#, "without control characters and wildcards"),
            ("ALLOWED_CATEGORIES", r#"[""]"#, "a text of 1 to 256 bytes"),
            ("COUNTERPARTY_STATUS", "FRIEND", "expected `TRUSTED`, `VERIFIED`, `UNKNOWN` or `BLOCKED`"),
            ("COUNTERPARTY_STATUS", r#"{"state":"TRUSTED"}"#, r#"or `{"status":"TRUSTED"}`"#),
            ("CONTRACT_ALLOWLIST", r#"{}"#, "expected `contracts`, `protocols` or both"),
            ("CONTRACT_ALLOWLIST", r#"{"contract":["0x"]}"#, "found `contract`"),
        ],
    );
    let long = "c".repeat(257);
    refused("IN_LIST", &[("ALLOWED_CATEGORIES", &long, "a text of 1 to 256 bytes")]);
    refused(
        "GTE",
        &[
            ("TRUST_SCORE", "100.01", "a score from 0 to 100"),
            ("TRUST_SCORE", "70.001", "a score from 0 to 100"),
            ("TRUST_SCORE", "0.12345", "or from 0 to 1 with at most four"),
            ("TRUST_SCORE", "-1", "expected a decimal amount"),
            ("FAIRSCALE_MIN_SCORE", "101", "a score from 0 to 100"),
        ],
    );
}

#[test]
fn composites() {
    let refused = |value: &str, expected: &str| {
        let error = refusal("COMPOSITE", "AND", value, "DENY").unwrap_or_else(|| panic!("{value}"));
        assert!(error.contains(expected), "{value}: {error}");
    };
    refused("[]", "a list of conditions, not empty");
    refused("{}", "a list of conditions, or");
    refused("[1]", r#"`rules[0].value[0]`: found `1`, expected `{"field":"amount""#);
    refused(r#"[{"field":"amount","operator":"GT"}]"#, "`rules[0].value[0]`");
    refused(r#"[{"field":"amount","operator":"GT","value":"x"}]"#, "`rules[0].value[0].value`");
    refused(r#"[{"field":"amout","operator":"GT","value":"5"}]"#, "did you mean `amount`?");
    refused(r#"[{"field":"amount","operator":"IN_LIST","value":"5"}]"#, "expected `EQ`, `NEQ`, `GT`");
    refused(r#"[{"field":"amount","operator":"GTT","value":"5"}]"#, "did you mean `GT");
    refused(
        r#"[{"field":"category","operator":"GT","value":"a"}]"#,
        "expected `IN_LIST`, `NOT_IN_LIST`, `EQ` or `NEQ`",
    );
    refused(r#"[{"field":"time","operator":"EQ","value":"a"}]"#, "expected `BETWEEN`");
    refused(r#"[{"field":"amount","operator":"BETWEEN","value":["1"]}]"#, "two values such as");
    refused(r#"[{"field":"amount","ruleType":"MAX_AMOUNT","operator":"GT","value":"5"}]"#, "`rules[0].value[0]`");
    refused(r#"[{"ruleType":"DAILY_LIMIT","operator":"GT","value":"5"}]"#, "looks at the payment by itself");
    refused(r#"[{"field":"protocol","operator":"EQ","value":"http"}]"#, "`payment`, `x402`, `mpp` or `card`");
    refused(r#"[{"operator":"GT","conditions":[]}]"#, "expected `AND` or `OR`");
    refused(
        r#"{"operator":"OR","conditions":[{"field":"amount","operator":"GT","value":"5"}]}"#,
        "the operator of the rule",
    );
    let error = refusal("COMPOSITE", "EQUALS", r#"[{"field":"amount","operator":"GT","value":"5"}]"#, "DENY");
    assert!(error.unwrap().contains("`AND` or `OR` as the operator that joins"));
}

/// Conditions within conditions, `depth` deep.
fn nested(depth: usize) -> String {
    let leaf = r#"{"field":"amount","operator":"GT","value":"5"}"#.to_owned();
    let deeper = |inner: String, _| format!(r#"{{"operator":"AND","conditions":[{inner}]}}"#);
    format!("[{}]", (1..depth).fold(leaf, deeper))
}

#[test]
fn named_maxima_are_reached() {
    let allowed = |value: &str| refusal("COMPOSITE", "AND", value, "DENY").is_none();
    assert!(allowed(&nested(COMPOSITE_DEPTH_MAX)));
    assert!(!allowed(&nested(COMPOSITE_DEPTH_MAX + 1)));
    let leaves =
        |count: usize| format!("[{}]", [r#"{"field":"amount","operator":"GT","value":"5"}"#].repeat(count).join(","));
    assert!(allowed(&leaves(COMPOSITE_CONDITIONS_MAX - 1)));
    assert!(!allowed(&leaves(COMPOSITE_CONDITIONS_MAX)));
    let windows = |count: usize| {
        let value = format!(r#"{{"windows":[{}]}}"#, [r#"{"start":"02:00","end":"06:00"}"#].repeat(count).join(","));
        refusal("BLACKOUT_PERIOD", "BETWEEN", &value, "DENY")
    };
    assert_eq!(windows(BLACKOUT_WINDOWS_MAX), None);
    assert!(windows(BLACKOUT_WINDOWS_MAX + 1).unwrap().contains("has 65 entries, at most 64"));
}
