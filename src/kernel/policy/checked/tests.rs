//! Tables of what operators write and what it means.

use super::*;
use crate::kernel::{
    AgentId, Amount, Duration, KeyId, Name, Period, Zone,
    policy::{CalendarWindow, NameSet, ServiceSet, ServiceWindow},
};

fn policy(rules: Vec<RuleSource>) -> PolicySource {
    PolicySource {
        id: PolicyId(1),
        name: "a policy".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: 50,
        active: true,
        scope: PolicyScope::Assigned,
        agents: Vec::new(),
        rules,
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

fn rule(rule_type: &str, operator: &str, value: &str, action: &str) -> RuleSource {
    let [rule_type, operator, value, action] = [rule_type, operator, value, action].map(str::to_owned);
    RuleSource { rule_type, operator, value, action }
}

fn rule_of(source: RuleSource) -> Result<Rule, String> {
    let checked = check(&policy(vec![source])).map_err(|error| error.to_string())?;
    Ok(checked.rules()[0].clone())
}

fn micros(micros: u64) -> Amount {
    Amount::from_micros(micros)
}

fn recipients(names: &[&str]) -> NameSet {
    names.iter().map(|text| Name::recipient(text).unwrap()).collect()
}

fn services(names: &[&str]) -> ServiceSet {
    names.iter().map(|text| Name::service(text).unwrap()).collect()
}

#[test]
fn every_rule_type_is_read() {
    use Rail::{Mpp, X402};
    let list = r#"["api.example.com"]"#;
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let domains = || services(&["api.example.com"]);
    for (rule_type, value, expected) in [
        ("MAX_AMOUNT", "500", Rule::MaxAmount { cap: micros(500_000_000) }),
        ("X402_MAX_PER_REQUEST", "0.50", Rule::MaxPerRequest { rail: X402, cap: micros(500_000) }),
        ("MPP_MAX_PER_REQUEST", "1.00", Rule::MaxPerRequest { rail: Mpp, cap: micros(1_000_000) }),
        ("X402_PRICE_CEILING", "0.01", Rule::PriceCeiling { rail: X402, cap: micros(10_000) }),
        ("MPP_PRICE_CEILING", "0", Rule::PriceCeiling { rail: Mpp, cap: Amount::ZERO }),
        ("ALLOWED_COUNTERPARTIES", r#"["0xA"]"#, Rule::AllowedCounterparties(recipients(&["0xa"]))),
        ("BLOCKED_COUNTERPARTIES", r#"["0xA"]"#, Rule::BlockedCounterparties(recipients(&["0xa"]))),
        ("X402_ALLOWED_SERVICES", list, Rule::AllowedServices { rail: X402, services: domains() }),
        ("MPP_ALLOWED_SERVICES", list, Rule::AllowedServices { rail: Mpp, services: domains() }),
        ("X402_BLOCKED_SERVICES", list, Rule::BlockedServices { rail: X402, services: domains() }),
        ("MPP_BLOCKED_SERVICES", list, Rule::BlockedServices { rail: Mpp, services: domains() }),
        ("X402_SESSION_BUDGET", "100", Rule::SessionBudget { rail: X402, cap: micros(100_000_000) }),
        ("MPP_SESSION_BUDGET", "25", Rule::SessionBudget { rail: Mpp, cap: micros(25_000_000) }),
        ("MPP_MAX_CONCURRENT_SESSIONS", "3", Rule::ConcurrentSessions { max: 3 }),
        ("MPP_MAX_SESSION_DURATION", "3600", Rule::SessionDuration { max: Duration::from_secs(3600) }),
        ("DAILY_LIMIT", "1000", Rule::WindowLimit { window: SpendWindow::Day.in_utc(), cap: Amount::from_units(1000) }),
        (
            "WEEKLY_LIMIT",
            "5000",
            Rule::WindowLimit { window: SpendWindow::Week.in_utc(), cap: Amount::from_units(5000) },
        ),
        (
            "MONTHLY_LIMIT",
            "20000",
            Rule::WindowLimit { window: SpendWindow::Month.in_utc(), cap: Amount::from_units(20_000) },
        ),
        (
            "X402_MAX_PER_SERVICE",
            "50",
            Rule::MaxPerService { rail: X402, window: ServiceWindow::Lifetime, cap: Amount::from_units(50) },
        ),
        (
            "ROLLING_LIMIT",
            r#"{"amount":50,"seconds":3600}"#,
            Rule::RollingLimit { length: Duration::from_secs(3600), cap: Amount::from_units(50) },
        ),
        (
            "X402_MAX_PER_ENDPOINT",
            "10",
            Rule::MaxPerEndpoint { rail: X402, window: ServiceWindow::Lifetime, cap: Amount::from_units(10) },
        ),
        (
            "MPP_MAX_PER_ENDPOINT",
            r#"{"amount":10,"period":"DAY","timezone":"Europe/Berlin"}"#,
            Rule::MaxPerEndpoint {
                rail: Mpp,
                window: ServiceWindow::Calendar(CalendarWindow::new(SpendWindow::Day, Some(&berlin))),
                cap: Amount::from_units(10),
            },
        ),
        (
            "X402_VELOCITY_PER_ENDPOINT",
            r#"{"maxCount":5,"period":"MINUTE"}"#,
            Rule::VelocityPerEndpoint { rail: X402, period: Period::Minute, max_count: 5 },
        ),
        (
            "MPP_VELOCITY_PER_ENDPOINT",
            r#"{"maxCount":5,"period":"MINUTE"}"#,
            Rule::VelocityPerEndpoint { rail: Mpp, period: Period::Minute, max_count: 5 },
        ),
        (
            "MPP_MAX_PER_SERVICE",
            r#"{"amount":50,"period":"MONTH"}"#,
            Rule::MaxPerService {
                rail: Mpp,
                window: ServiceWindow::Calendar(SpendWindow::Month.in_utc()),
                cap: Amount::from_units(50),
            },
        ),
        (
            "BUDGET_CAP",
            r#"{"amount":50000,"period":"MONTHLY"}"#,
            Rule::BudgetCap { window: SpendWindow::Month.in_utc(), cap: Amount::from_units(50_000) },
        ),
        (
            "VELOCITY_LIMIT",
            r#"{"maxCount":10,"period":"HOUR"}"#,
            Rule::Velocity { period: Period::Hour, max_count: 10 },
        ),
    ] {
        let operator = if value.starts_with('[') { "IN_LIST" } else { "LTE" };
        let read = rule_of(rule(rule_type, operator, value, "ALLOW"));
        assert_eq!(read.as_ref().map(|rule| rule.kind().rule_type()), Ok(rule_type));
        assert_eq!(read, Ok(expected));
    }
}

#[test]
fn amounts_have_many_spellings_and_are_exact() {
    for value in ["0.1", "\"0.1\"", " 0.10 ", "1e-1", "\"1e-1\"", "0.100000"] {
        let expected = Ok(Rule::MaxAmount { cap: micros(100_000) });
        assert_eq!(rule_of(rule("MAX_AMOUNT", "LTE", value, "ALLOW")), expected, "{value}");
    }
    for value in [
        "",
        "abc",
        "-1",
        "NaN",
        "null",
        "true",
        "1e400",
        "0.0000001",
        "$5",
        "1,000",
        "[5]",
        r#"{"amount":5,"amount":6}"#,
        "\"5",
    ] {
        let error = rule_of(rule("MAX_AMOUNT", "LTE", value, "ALLOW")).unwrap_err();
        assert!(error.starts_with("`rules[0].value`: found `"), "{value}: {error}");
        assert!(error.contains("a decimal amount such as `0.05`"), "{value}: {error}");
    }
}

#[test]
fn operators_and_actions_that_mean_the_same_are_the_same_rule() {
    let cap = Ok(Rule::MaxAmount { cap: Amount::from_units(5) });
    for operator in ["LTE", "<=", "LESS_THAN", "LT", "<", "lte", " LTE ", "less than"] {
        for action in ["ALLOW", "DENY"] {
            assert_eq!(rule_of(rule("MAX_AMOUNT", operator, "5", action)), cap, "{operator} {action}");
        }
    }
    for operator in ["GT", "GREATER_THAN", ">"] {
        assert_eq!(rule_of(rule("MAX_AMOUNT", operator, "5", "DENY")), cap, "{operator}");
    }
    let allowed = Ok(Rule::AllowedCounterparties(recipients(&["a"])));
    let blocked = Ok(Rule::BlockedCounterparties(recipients(&["a"])));
    for (operator, action) in [("IN_LIST", "ALLOW"), ("IN", "DENY"), ("in list", "DENY"), ("NOT_IN_LIST", "DENY")] {
        assert_eq!(rule_of(rule("ALLOWED_COUNTERPARTIES", operator, "a", action)), allowed, "{operator} {action}");
    }
    for (operator, action) in [("IN_LIST", "DENY"), ("IN", "ALLOW"), ("in list", "DENY"), ("not in list", "ALLOW")] {
        assert_eq!(rule_of(rule("BLOCKED_COUNTERPARTIES", operator, "a", action)), blocked, "{operator} {action}");
    }
}

#[test]
fn operators_and_actions_that_do_not_fit_are_refused() {
    for (rule_type, operator, action, expected) in [
        ("MAX_AMOUNT", "GT", "ALLOW", "`rules[0].operator`: found `GT with ALLOW`, expected `LTE` with"),
        ("MAX_AMOUNT", "GTE", "DENY", "`rules[0].operator`: found `GTE with DENY`, expected `LTE` with"),
        ("MAX_AMOUNT", "EQUALS", "ALLOW", "`rules[0].operator`: found `EQUALS with ALLOW`"),
        ("VELOCITY_LIMIT", "IN_LIST", "DENY", "`rules[0].operator`: found `IN_LIST with DENY`"),
        ("MAX_AMOUNT", "LTEE", "ALLOW", "`rules[0].operator`: `LTEE` is not supported"),
        ("MAX_AMOUNT", "LTEE", "ALLOW", "; did you mean `LTE`?"),
        ("ALLOWED_COUNTERPARTIES", "NOT_IN_LIST", "ALLOW", "`NOT_IN_LIST with ALLOW`, expected `IN_LIST` with"),
        ("BLOCKED_COUNTERPARTIES", "NOT_IN_LIST", "DENY", "`NOT_IN_LIST with DENY`, expected `IN_LIST` with"),
        ("BLOCKED_COUNTERPARTIES", "LTE", "DENY", "`LTE with DENY`"),
        ("REQUIRE_APPROVAL_ABOVE", "GT", "DENY", "found `GT with DENY`, expected `GT` with `REQUIRE_APPROVAL`"),
        ("REQUIRE_APPROVAL_ABOVE", "LTE", "REQUIRE_APPROVAL", "found `LTE with REQUIRE_APPROVAL`"),
        ("MAX_AMOUNT", "LTE", "ALLOWS", "`rules[0].action`: `ALLOWS` is not supported; expected `ALLOW`, `DENY` or"),
        ("MAX_AMOUNT", "LTE", "", "`rules[0].action`"),
        ("MAX_AMMOUNT", "LTE", "ALLOW", "`MAX_AMMOUNT` is not supported"),
        ("MAX_AMMOUNT", "LTE", "ALLOW", "; did you mean `MAX_AMOUNT`?"),
        ("", "LTE", "ALLOW", "`rules[0].rule_type`: `` is not supported"),
    ] {
        let error = rule_of(rule(rule_type, operator, "5", action)).unwrap_err();
        assert!(error.contains(expected), "{rule_type} {operator} {action}: {error}");
    }
}

#[test]
fn lists_are_read_in_every_form_and_made_canonical() {
    for (value, expected) in [
        (r#"["0xAB","base58"]"#, &["0xab", "base58"][..]),
        ("0xAB", &["0xab"]),
        ("\"0xAB\"", &["0xab"]),
        ("0xAB, base58", &["0xab", "base58"]),
        (r#"[ "0xab" , "0xAB" ]"#, &["0xab"]),
        ("[]", &[]),
    ] {
        let read = rule_of(rule("ALLOWED_COUNTERPARTIES", "IN_LIST", value, "ALLOW"));
        assert_eq!(read, Ok(Rule::AllowedCounterparties(recipients(expected))), "{value}");
    }
    for (value, expected) in [
        (r#"["API.Example.com."]"#, "api.example.com"),
        ("https://API.example.com:8443/v1/data?x=1", "api.example.com"),
        ("http://127.0.0.1", "127.0.0.1"),
    ] {
        let read = rule_of(rule("X402_ALLOWED_SERVICES", "IN_LIST", value, "ALLOW"));
        let services = services(&[expected]);
        assert_eq!(read, Ok(Rule::AllowedServices { rail: Rail::X402, services }), "{value}");
    }
}

#[test]
fn lists_that_are_not_understood_are_refused() {
    for (rule_type, value, expected) in [
        ("BLOCKED_COUNTERPARTIES", "", "`rules[0].value`: found ``, expected a list"),
        ("BLOCKED_COUNTERPARTIES", "\"\"", "expected a list"),
        (
            "BLOCKED_COUNTERPARTIES",
            "a,,b",
            "`rules[0].value[1]`: found ``, expected a recipient's address, but it is empty",
        ),
        ("BLOCKED_COUNTERPARTIES", r#"["a",5]"#, "`rules[0].value[1]`: found `5`, expected a text in double quotes"),
        ("BLOCKED_COUNTERPARTIES", r#"["a"#, "expected a list"),
        ("BLOCKED_COUNTERPARTIES", r#"{"a":1}"#, "expected a list"),
        ("BLOCKED_COUNTERPARTIES", r#"["a b"]"#, "`rules[0].value[0]`: found `a b`"),
        ("BLOCKED_COUNTERPARTIES", "*", "only services can be named by a wildcard"),
        ("X402_BLOCKED_SERVICES", "*", "or `*.example.com` for all domains under `example.com`"),
        ("X402_BLOCKED_SERVICES", "api.*.com", "or `*.example.com` for all domains under `example.com`"),
        ("X402_BLOCKED_SERVICES", "*.*.com", "or `*.example.com` for all domains under `example.com`"),
        ("X402_BLOCKED_SERVICES", "*.", "or `*.example.com` for all domains under `example.com`"),
        ("X402_BLOCKED_SERVICES", "*..com", "or `*.example.com` for all domains under `example.com`"),
        ("MPP_BLOCKED_SERVICES", "api.example.com:8443", "expected a domain such as `api.example.com`"),
        ("MPP_BLOCKED_SERVICES", "api.example.com/v1", "expected a domain such as `api.example.com`"),
        ("MPP_BLOCKED_SERVICES", "https://a@b.example", "expected a domain such as `api.example.com`"),
        ("MPP_BLOCKED_SERVICES", ".", "expected a service's domain, but it is empty"),
    ] {
        let error = rule_of(rule(rule_type, "IN_LIST", value, "DENY")).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
    }
}

#[test]
fn values_with_parts_are_read() {
    let day = ServiceWindow::Calendar(SpendWindow::Day.in_utc());
    for (value, window, cap) in [
        ("\"50\"", ServiceWindow::Lifetime, 50_000_000),
        (r#"{"amount":50,"period":"DAILY"}"#, day.clone(), 50_000_000),
        (r#"{"period":"DAY","amount":"0.1"}"#, day, 100_000),
        (r#"{"amount":1e-6,"period":"week"}"#, ServiceWindow::Calendar(SpendWindow::Week.in_utc()), 1),
        (r#"{"amount":0.3,"period":"WEEKLY"}"#, ServiceWindow::Calendar(SpendWindow::Week.in_utc()), 300_000),
        (r#"{"amount":0,"period":"MONTHLY"}"#, ServiceWindow::Calendar(SpendWindow::Month.in_utc()), 0),
        (r#"{"amount":1,"period":"MONTH"}"#, ServiceWindow::Calendar(SpendWindow::Month.in_utc()), 1_000_000),
    ] {
        let read = rule_of(rule("X402_MAX_PER_SERVICE", "LTE", value, "ALLOW"));
        assert_eq!(read, Ok(Rule::MaxPerService { rail: Rail::X402, window, cap: micros(cap) }), "{value}");
    }
    for (period, expected) in [
        ("MINUTE", Period::Minute),
        ("HOUR", Period::Hour),
        ("DAY", Period::Day),
        ("DAILY", Period::Day),
        ("WEEK", Period::Week),
        ("WEEKLY", Period::Week),
        ("MONTH", Period::Month),
        ("MONTHLY", Period::Month),
    ] {
        let value = format!(r#"{{"maxCount":"1000000000","period":"{period}"}}"#);
        let read = rule_of(rule("VELOCITY_LIMIT", "LTE", &value, "DENY"));
        assert_eq!(read, Ok(Rule::Velocity { period: expected, max_count: 1_000_000_000 }), "{period}");
    }
}

#[test]
fn values_with_parts_that_are_not_understood_are_refused() {
    for (rule_type, value, expected) in [
        ("VELOCITY_LIMIT", "10", "`rules[0].value`: found `10`, expected `{\"maxCount\":10"),
        ("VELOCITY_LIMIT", r#"{"maxCount":10}"#, "expected `{\"maxCount\":10,\"period\":\"HOUR\"}`"),
        (
            "VELOCITY_LIMIT",
            r#"{"maxCount":10,"period":"YEAR"}"#,
            "`rules[0].value.period`: found `\"YEAR\"`, expected `MINUTE`",
        ),
        ("VELOCITY_LIMIT", r#"{"maxCount":-1,"period":"HOUR"}"#, "`rules[0].value.maxCount`: found `-1`"),
        ("VELOCITY_LIMIT", r#"{"maxCount":1.5,"period":"HOUR"}"#, "`rules[0].value.maxCount`: found `1.5`"),
        ("VELOCITY_LIMIT", r#"{"maxCount":1000000001,"period":"HOUR"}"#, "a whole number from 0 to 1000000000"),
        ("VELOCITY_LIMIT", r#"{"maxCount":1,"period":"HOUR","per":"agent"}"#, "found `per`, expected"),
        ("VELOCITY_LIMIT", r#"{"maxCount":1,"maxCount":9,"period":"HOUR"}"#, "with each member once"),
        ("X402_MAX_PER_SERVICE", r#"{"amount":50}"#, "expected an amount such as `50`, or"),
        (
            "X402_MAX_PER_SERVICE",
            r#"{"amount":50,"period":"HOUR"}"#,
            "`rules[0].value.period`: found `\"HOUR\"`, expected `DAY`",
        ),
        ("X402_MAX_PER_SERVICE", r#"{"amount":-5,"period":"DAY"}"#, "`rules[0].value.amount`: found `-5`"),
        ("X402_MAX_PER_SERVICE", r#"{"amount":{"x":1},"period":"DAY"}"#, "`rules[0].value.amount`"),
        ("X402_MAX_PER_SERVICE", "[50]", "expected an amount such as `50`, or"),
        ("MPP_MAX_CONCURRENT_SESSIONS", "3.0", "found `3.0`, expected a whole number"),
        ("MPP_MAX_CONCURRENT_SESSIONS", "99999999999", "expected a whole number"),
        ("MPP_MAX_SESSION_DURATION", "1h", "found `1h`, expected a whole number"),
    ] {
        let error = rule_of(rule(rule_type, "LTE", value, "ALLOW")).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
    }
}

#[test]
fn a_colon_within_a_text_is_not_a_member() {
    let value = r#"{"max\u0043ount":"1","period":"HO\"UR:"}"#;
    let error = rule_of(rule("VELOCITY_LIMIT", "LTE", value, "ALLOW")).unwrap_err();
    assert!(error.contains("`rules[0].value.period`"), "{error}");
}

#[test]
fn rules_that_ask_stand_apart_from_those_that_deny() {
    let rules = vec![
        rule("MAX_AMOUNT", "LTE", "9", "REQUIRE_APPROVAL"),
        rule("MAX_AMOUNT", "LTE", "20", "DENY"),
        rule("SINGLE_AMOUNT", "GREATER_THAN", r#"{"amount":8}"#, "REQUIRE_APPROVAL"),
        rule("REQUIRE_APPROVAL_ABOVE", "GT", "7", "REQUIRE_APPROVAL"),
    ];
    let checked = check(&policy(rules)).unwrap();
    let cap = |units| Rule::MaxAmount { cap: Amount::from_units(units) };
    assert_eq!(checked.rules(), [cap(20)]);
    assert_eq!(checked.asking(), [cap(9), cap(8), Rule::ApprovalAbove { cap: Amount::from_units(7) }]);
}

#[test]
fn terms_of_approval_are_checked() {
    let checked = |required, approvers: &[u64], seconds: Option<u64>| {
        let terms = ApprovalTerms {
            required,
            approvers: approvers.iter().map(|key| KeyId(*key)).collect(),
            timeout: seconds.map(Duration::from_secs),
        };
        let source = PolicySource { approval: Some(terms), ..policy(Vec::new()) };
        check(&source).map(|_| ()).map_err(|error| error.to_string())
    };
    let many: Vec<u64> = (0..64).collect();
    let seven_days = Some(7 * 24 * 3600);
    assert_eq!(checked(1, &[], None), Ok(()));
    assert_eq!(checked(64, &[], seven_days), Ok(()));
    assert_eq!(checked(64, &many, Some(1)), Ok(()));
    for (required, approvers, seconds, expected) in [
        (0, &[][..], None, "`approval.required`: found `0`, expected a number from 1 to 64"),
        (65, &[], None, "`approval.required`: found `65`"),
        (3, &[1, 2], None, "expected a number from 1 to 2"),
        (1, &[1, 1], None, "`approval.approvers`: found `one twice`"),
        (1, &(0..65).collect::<Vec<_>>(), None, "`approval.approvers` has 65 entries, at most 64"),
        (1, &[], Some(0), "`approval.timeout`: found `0`, expected a number of seconds from 1 to 604800"),
        (1, &[], Some(604_801), "`approval.timeout`: found `604801`"),
    ] {
        let error = checked(required, approvers, seconds).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_head_of_a_policy_is_checked() {
    let refused = |change: fn(&mut PolicySource), expected: &str| {
        let mut source = policy(Vec::new());
        assert!(check(&source).is_ok());
        change(&mut source);
        let error = check(&source).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(|source| source.name = " ".to_owned(), "`name`: found ` `, expected a name");
    refused(|source| source.policy_type = "SPEND_LIMITS".to_owned(), "did you mean `SPEND_LIMIT`?");
    refused(|source| source.policy_type = "OTHER".to_owned(), "`policy_type`: `OTHER` is not supported");
    refused(|source| source.priority = 101, "`priority`: found `101`, expected a number from 0 to 100");
    refused(
        |source| (source.scope, source.agents) = (PolicyScope::Organization, vec![AgentId(1)]),
        "`agents`: found `1 agents`, expected no agents",
    );
    for policy_type in POLICY_TYPES {
        let source = PolicySource { policy_type: policy_type.to_owned(), ..policy(Vec::new()) };
        assert!(check(&source).is_ok(), "{policy_type}");
    }
}

#[test]
fn what_is_at_a_maximum_passes_and_one_more_is_refused() {
    let check_both = |at: &dyn Fn(usize) -> PolicySource, max: usize, place: &str| {
        assert_eq!(check(&at(max)).err(), None, "{place}");
        let error = check(&at(max + 1)).unwrap_err();
        assert_eq!(error.place(), place);
        assert!(
            matches!(error, PolicyError::TooMuch { found, max: allowed, .. } if found == max + 1 && allowed == max)
        );
    };
    let cap = || rule("MAX_AMOUNT", "LTE", "5", "ALLOW");
    let list = |length: usize| {
        let entries: Vec<String> = (0..length).map(|i| format!("\"a{i}\"")).collect();
        rule("BLOCKED_COUNTERPARTIES", "IN_LIST", &format!("[{}]", entries.join(",")), "DENY")
    };
    check_both(&|n| PolicySource { name: "n".repeat(n), ..policy(vec![]) }, NAME_BYTES_MAX, "name");
    check_both(
        &|n| PolicySource { description: "d".repeat(n), ..policy(vec![]) },
        DESCRIPTION_BYTES_MAX,
        "description",
    );
    check_both(&|n| PolicySource { agents: vec![AgentId(1); n], ..policy(vec![]) }, AGENTS_MAX, "agents");
    check_both(&|n| policy(vec![cap(); n]), RULES_MAX, "rules");
    check_both(&|n| policy(vec![list(n)]), crate::kernel::policy::value::LIST_ENTRIES_MAX, "rules[0].value");
    let fixed = "a policy".len() + "SPEND_LIMIT".len() + "MAX_AMOUNT".len() + "LTE".len() + "ALLOW".len();
    let padded =
        |bytes: usize| policy(vec![rule("MAX_AMOUNT", "LTE", &format!("{}5", " ".repeat(bytes - fixed - 1)), "ALLOW")]);
    check_both(&padded, SOURCE_BYTES_MAX, "policy");
}

#[test]
fn the_place_of_an_error_counts_rules_from_zero() {
    let good = || rule("MAX_AMOUNT", "LTE", "5", "ALLOW");
    let error = check(&policy(vec![good(), good(), rule("DAILY_LIMIT", "LTE", "lots", "ALLOW")])).unwrap_err();
    assert_eq!(error.place(), "rules[2].value");
}

#[test]
fn what_an_operator_wrote_survives_encoding() {
    let source = PolicySource { agents: vec![AgentId(7)], ..policy(vec![rule("MAX_AMOUNT", "<=", " 5", "ALLOW")]) };
    let bytes = bincode::encode_to_vec(&source, bincode::config::standard()).unwrap();
    let (decoded, _) = bincode::decode_from_slice::<PolicySource, _>(&bytes, bincode::config::standard()).unwrap();
    assert_eq!(decoded, source);
}

#[test]
fn windows_take_a_time_zone() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let window = |period| CalendarWindow::new(period, Some(&berlin));
    let cap = micros(500_000_000);
    for (rule_type, value, expected) in [
        (
            "DAILY_LIMIT",
            r#"{"amount":500,"timezone":"Europe/Berlin"}"#,
            Rule::WindowLimit { window: window(SpendWindow::Day), cap },
        ),
        (
            "WEEKLY_LIMIT",
            r#"{"timezone":"europe/berlin","amount":"500"}"#,
            Rule::WindowLimit { window: window(SpendWindow::Week), cap },
        ),
        ("MONTHLY_LIMIT", r#"{"amount":500}"#, Rule::WindowLimit { window: SpendWindow::Month.in_utc(), cap }),
        (
            "MONTHLY_LIMIT",
            r#"{"amount":500,"timezone":"Etc/UTC"}"#,
            Rule::WindowLimit { window: SpendWindow::Month.in_utc(), cap },
        ),
        (
            "BUDGET_CAP",
            r#"{"amount":500,"period":"DAY","timezone":"Europe/Berlin"}"#,
            Rule::BudgetCap { window: window(SpendWindow::Day), cap },
        ),
    ] {
        assert_eq!(rule_of(rule(rule_type, "LTE", value, "ALLOW")), Ok(expected), "{value}");
    }
}

#[test]
fn zones_and_spans_that_mean_nothing_are_refused() {
    for (rule_type, value, expected) in [
        ("DAILY_LIMIT", r#"{"amount":500,"timezone":"Berlin"}"#, "`rules[0].value.timezone`: found `\"Berlin\"`"),
        ("DAILY_LIMIT", r#"{"amount":500,"timezone":1}"#, "`rules[0].value.timezone`: found `1`"),
        ("DAILY_LIMIT", r#"{"amount":500,"zone":"UTC"}"#, r#""timezone":"Europe/Berlin"}` without other members"#),
        ("DAILY_LIMIT", r#"{"timezone":"UTC"}"#, "expected an amount such as `500`, or"),
        ("DAILY_LIMIT", r#"{"amount":500,"timezone":"UTC","timezone":"UTC"}"#, "with each member once"),
        ("BUDGET_CAP", r#"{"amount":500,"period":"HOUR"}"#, "`rules[0].value.period`: found `\"HOUR\"`"),
        ("BUDGET_CAP", "500", r#"expected `{"amount":50000,"period":"MONTHLY"}`"#),
        ("ROLLING_LIMIT", "500", r#"expected `{"amount":50,"seconds":3600}` or"#),
        ("ROLLING_LIMIT", r#"{"amount":500,"seconds":0}"#, "from 1 to 31622400"),
        ("ROLLING_LIMIT", r#"{"amount":500,"seconds":31622401}"#, "from 1 to 31622400"),
        ("ROLLING_LIMIT", r#"{"amount":500,"period":"YEAR"}"#, "`rules[0].value.period`: found `\"YEAR\"`"),
        ("ROLLING_LIMIT", r#"{"amount":500,"seconds":60,"period":"HOUR"}"#, "without other members"),
        ("X402_MAX_PER_ENDPOINT", r#"{"amount":500,"seconds":60}"#, r#"`{"amount":50,"period":"DAILY"}`"#),
        ("X402_VELOCITY_PER_ENDPOINT", "5", r#"expected `{"maxCount":10,"period":"HOUR"}`"#),
    ] {
        let error = rule_of(rule(rule_type, "LTE", value, "ALLOW")).unwrap_err();
        assert!(error.contains(expected), "{rule_type} {value}: {error}");
    }
}

#[test]
fn rolling_spans_have_words_and_seconds() {
    for (value, seconds) in [
        (r#"{"amount":5,"seconds":1}"#, 1),
        (r#"{"amount":5,"seconds":"31622400"}"#, 31_622_400),
        (r#"{"amount":5,"period":"MINUTE"}"#, 60),
        (r#"{"period":"DAILY","amount":5}"#, 86_400),
        (r#"{"amount":5,"period":"MONTH"}"#, 30 * 86_400),
    ] {
        let expected = Rule::RollingLimit { length: Duration::from_secs(seconds), cap: Amount::from_units(5) };
        assert_eq!(rule_of(rule("ROLLING_LIMIT", "LTE", value, "DENY")), Ok(expected), "{value}");
    }
}
