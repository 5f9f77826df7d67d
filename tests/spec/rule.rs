//! Every rule of a policy: what equals the cap passes, one micro-unit more does not.

use crate::shard::*;
use holdfast::kernel::{
    Duration, Protocol,
    outcome::{Measure, ViolationKind},
    policy::RuleKind,
    request::{Authorize, Intent},
};

/// Under `rule`, the first request must be approved and the second be denied for it and nothing else, with this limit and use.
#[track_caller]
fn check(rule: (&str, &str), kind: RuleKind, passes: Authorize<'_>, fails: Authorize<'_>, told: (Measure, Measure)) {
    check_after(|_| {}, rule, kind, passes, fails, told);
}

#[track_caller]
fn check_after(
    before: impl Fn(&mut Shard),
    rule: (&str, &str),
    kind: RuleKind,
    passes: Authorize<'_>,
    fails: Authorize<'_>,
    told: (Measure, Measure),
) {
    let mut shard = Shard::new(&[rule]);
    before(&mut shard);
    let answer = shard.authorize(passes);
    assert_eq!(violations(&answer), [], "{rule:?} should let pass what equals it");
    let mut shard = Shard::new(&[rule]);
    before(&mut shard);
    let found = violations(&shard.authorize(fails));
    assert_eq!(found.len(), 1, "{rule:?}: {found:?}");
    assert_eq!(
        (found[0].kind, found[0].limit, found[0].current),
        (ViolationKind::Rule(kind), told.0, told.1),
        "{rule:?}"
    );
}

fn amounts(limit: u64, current: u64) -> (Measure, Measure) {
    (money(limit), money(current))
}

#[test]
fn caps_on_one_payment() {
    let told = amounts(50, 51);
    check(("MAX_AMOUNT", "0.000050"), RuleKind::MaxAmount, x402(1, 50), x402(1, 51), told);
    check(("MAX_AMOUNT", "0.000050"), RuleKind::MaxAmount, mpp(1, 50, ""), mpp(1, 51, ""), told);
    check(("MAX_AMOUNT", "0.000050"), RuleKind::MaxAmount, plain(1, 50), plain(1, 51), told);
    check(("MAX_AMOUNT", "0.000050"), RuleKind::MaxAmount, deposit(1, 50, ""), deposit(1, 51, ""), told);
    for (word, kind) in
        [("X402_MAX_PER_REQUEST", RuleKind::X402MaxPerRequest), ("X402_PRICE_CEILING", RuleKind::X402PriceCeiling)]
    {
        check((word, "0.000050"), kind, x402(1, 50), x402(1, 51), told);
        check((word, "0.000050"), kind, mpp(1, 99, ""), x402(1, 51), told);
        check((word, "0.000050"), kind, plain(1, 99), x402(1, 51), told);
    }
    for (word, kind) in
        [("MPP_MAX_PER_REQUEST", RuleKind::MppMaxPerRequest), ("MPP_PRICE_CEILING", RuleKind::MppPriceCeiling)]
    {
        check((word, "0.000050"), kind, mpp(1, 50, ""), mpp(1, 51, ""), told);
        check((word, "0.000050"), kind, x402(1, 99), mpp(1, 51, "run"), told);
        // A deposit is no price.
        check((word, "0.000050"), kind, deposit(1, 99, ""), mpp(1, 51, ""), told);
    }
}

#[test]
fn lists() {
    let told = (Measure::None, Measure::None);
    let other = |authorize: Authorize<'static>| Authorize { recipient: "0xbb", ..authorize };
    let elsewhere = |authorize: Authorize<'static>| Authorize { service: "odd.example.com", ..authorize };
    let allowed = ("ALLOWED_COUNTERPARTIES", r#"["0xAA"]"#);
    check(allowed, RuleKind::AllowedCounterparties, x402(1, 5), other(x402(1, 5)), told);
    check(allowed, RuleKind::AllowedCounterparties, deposit(1, 5, ""), other(deposit(1, 5, "")), told);
    check(allowed, RuleKind::AllowedCounterparties, plain(1, 5), other(plain(1, 5)), told);
    let blocked = ("BLOCKED_COUNTERPARTIES", r#"["0xBB"]"#);
    check(blocked, RuleKind::BlockedCounterparties, x402(1, 5), other(x402(1, 5)), told);
    let services = ("X402_ALLOWED_SERVICES", r#"["API.example.com"]"#);
    check(services, RuleKind::X402AllowedServices, x402(1, 5), elsewhere(x402(1, 5)), told);
    check(services, RuleKind::X402AllowedServices, elsewhere(mpp(1, 5, "")), elsewhere(x402(1, 5)), told);
    let services = ("X402_BLOCKED_SERVICES", "odd.example.com");
    check(services, RuleKind::X402BlockedServices, x402(1, 5), elsewhere(x402(1, 5)), told);
    let services = ("MPP_ALLOWED_SERVICES", "api.example.com");
    check(services, RuleKind::MppAllowedServices, mpp(1, 5, ""), elsewhere(mpp(1, 5, "")), told);
    check(services, RuleKind::MppAllowedServices, elsewhere(x402(1, 5)), elsewhere(deposit(1, 5, "")), told);
    let services = ("MPP_BLOCKED_SERVICES", "odd.example.com");
    check(services, RuleKind::MppBlockedServices, mpp(1, 5, ""), elsewhere(mpp(1, 5, "")), told);
}

#[test]
fn an_empty_list_allows_nobody() {
    let mut shard = Shard::new(&[("ALLOWED_COUNTERPARTIES", "[]")]);
    assert_eq!(kinds(&shard.authorize(x402(1, 1))), [ViolationKind::Rule(RuleKind::AllowedCounterparties)]);
}

#[test]
fn calendar_windows() {
    for (word, kind) in [
        ("DAILY_LIMIT", RuleKind::DailyLimit),
        ("WEEKLY_LIMIT", RuleKind::WeeklyLimit),
        ("MONTHLY_LIMIT", RuleKind::MonthlyLimit),
    ] {
        let rule = (word, "0.000100");
        check(rule, kind, x402(1, 100), x402(1, 101), amounts(100, 101));
        // All rails and deposits count together: held, captured, unauthorized.
        let before = |shard: &mut Shard| {
            shard.hold(mpp(11, 10, ""));
            shard.hold(deposit(12, 20, ""));
            shard.hold(x402(13, 30));
            shard.capture(13, 5, true).unwrap();
            shard.record(paid(7)).unwrap();
        };
        check_after(before, rule, kind, plain(1, 58), plain(1, 59), amounts(100, 101));
    }
}

#[test]
fn service_totals() {
    for value in ["0.000100", r#"{"amount":"0.000100","period":"DAY"}"#] {
        let rule = ("X402_MAX_PER_SERVICE", value);
        let kind = RuleKind::X402MaxPerService;
        check(rule, kind, x402(1, 100), x402(1, 101), amounts(100, 101));
        // Another rail or another service is another total.
        let before = |shard: &mut Shard| {
            shard.hold(mpp(11, 90, ""));
            shard.hold(Authorize { service: "odd.example.com", ..x402(12, 90) });
            shard.hold(x402(13, 60));
        };
        check_after(before, rule, kind, x402(1, 40), x402(1, 41), amounts(100, 101));
        let rule = ("MPP_MAX_PER_SERVICE", value);
        let kind = RuleKind::MppMaxPerService;
        check(rule, kind, mpp(1, 100, ""), mpp(1, 101, ""), amounts(100, 101));
        check(rule, kind, x402(1, 999), deposit(1, 101, ""), amounts(100, 101));
        // What a deposit pays for counted with the deposit.
        let before = |shard: &mut Shard| {
            shard.hold(x402(11, 90));
            shard.hold(Authorize { service: "odd.example.com", ..mpp(12, 90, "") });
            shard.hold(deposit(13, 60, "s"));
            shard.hold(mpp(14, 50, "s"));
        };
        check_after(before, rule, kind, mpp(1, 40, ""), mpp(1, 41, ""), amounts(100, 101));
    }
}

#[test]
fn budgets() {
    for period in ["DAY", "DAILY", "WEEKLY", "WEEK", "MONTHLY", "month"] {
        let value = format!(r#"{{"amount":"0.000100","period":"{period}"}}"#);
        let rule = ("BUDGET_CAP", value.as_str());
        check(rule, RuleKind::BudgetCap, x402(1, 100), x402(1, 101), amounts(100, 101));
        let before = |shard: &mut Shard| {
            shard.hold(deposit(11, 30, ""));
            shard.hold(plain(12, 30));
        };
        check_after(before, rule, RuleKind::BudgetCap, mpp(1, 40, ""), mpp(1, 41, ""), amounts(100, 101));
    }
    let mut shard = Shard::new(&[("BUDGET_CAP", r#"{"amount":"0.000100","period":"WEEKLY"}"#)]);
    shard.hold(x402(1, 100));
    let found = violations(&shard.authorize(x402(2, 1)));
    assert_eq!(found[0].kind.code(), "BUDGET_EXCEEDED");
    // Four days and a half later it is Monday.
    shard.wait(4 * 86_400 + 12 * 3600);
    shard.hold(x402(3, 100));
}

#[test]
fn session_budgets() {
    let x402_budget = ("X402_SESSION_BUDGET", "0.000100");
    let before = |shard: &mut Shard| shard.hold(x402(11, 60));
    check_after(before, x402_budget, RuleKind::X402SessionBudget, x402(1, 40), x402(1, 41), amounts(100, 101));
    let named = |hold, amount| Authorize { session: "task", ..x402(hold, amount) };
    // A named run has a budget of its own.
    check_after(before, x402_budget, RuleKind::X402SessionBudget, named(1, 100), named(1, 101), amounts(100, 101));
    let mpp_budget = ("MPP_SESSION_BUDGET", "0.000100");
    let kind = RuleKind::MppSessionBudget;
    check(mpp_budget, kind, mpp(1, 100, ""), mpp(1, 101, ""), amounts(100, 101));
    check(mpp_budget, kind, deposit(1, 100, ""), deposit(1, 101, ""), amounts(100, 101));
    let before = |shard: &mut Shard| shard.hold(mpp(11, 60, "run"));
    check_after(before, mpp_budget, kind, mpp(1, 40, "run"), mpp(1, 41, "run"), amounts(100, 101));
}

#[test]
fn sessions_at_once_and_their_length() {
    let counts = (Measure::Count(2), Measure::Count(3));
    let rule = ("MPP_MAX_CONCURRENT_SESSIONS", "2");
    let kind = RuleKind::MppMaxConcurrentSessions;
    let before = |shard: &mut Shard| {
        shard.hold(deposit(11, 5, "a"));
        shard.hold(deposit(12, 5, "b"));
    };
    check_after(before, rule, kind, mpp(1, 5, ""), deposit(1, 5, "c"), counts);
    let closed = |shard: &mut Shard| {
        shard.hold(deposit(11, 5, "a"));
        shard.close(Protocol::Mpp, "a").unwrap();
        shard.hold(deposit(12, 5, "b"));
        shard.hold(x402(13, 5));
    };
    let mut shard = Shard::new(&[rule]);
    closed(&mut shard);
    shard.hold(deposit(1, 5, "c"));

    let lasting = |seconds| Authorize {
        intent: Intent::Session { duration: Some(Duration::from_secs(seconds)) },
        ..deposit(1, 5, "")
    };
    let times = (Measure::Time(Duration::from_secs(60)), Measure::Time(Duration::from_secs(61)));
    let rule = ("MPP_MAX_SESSION_DURATION", "60");
    check(rule, RuleKind::MppMaxSessionDuration, lasting(60), lasting(61), times);
    // Who asks for no length gets the longest.
    let mut shard = Shard::new(&[rule]);
    shard.hold(deposit(1, 5, ""));
    assert_eq!(shard.authorization(1).expires_at, shard.now.after(Duration::from_secs(60)));
}

#[test]
fn calls_in_a_period() {
    let before = |shard: &mut Shard| {
        shard.hold(x402(11, 5));
        shard.hold(deposit(12, 5, ""));
        shard.void(11).unwrap();
    };
    let counts = (Measure::Count(3), Measure::Count(4));
    for period in ["MINUTE", "HOUR", "DAY", "WEEK", "MONTH"] {
        let value = format!(r#"{{"maxCount":3,"period":"{period}"}}"#);
        let rule = ("VELOCITY_LIMIT", value.as_str());
        let mut shard = Shard::new(&[rule]);
        before(&mut shard);
        shard.hold(plain(1, 5));
        let found = violations(&shard.authorize(mpp(2, 5, "")));
        assert_eq!((found[0].limit, found[0].current), counts, "{period}");
    }
}

#[test]
fn all_violations_are_told_in_their_order() {
    let mut shard = Shard::new(&[
        ("DAILY_LIMIT", "0.000001"),
        ("X402_SESSION_BUDGET", "0.000002"),
        ("X402_BLOCKED_SERVICES", SERVICE),
        ("MAX_AMOUNT", "0.000003"),
        ("MAX_AMOUNT", "0.000004"),
        ("VELOCITY_LIMIT", r#"{"maxCount":0,"period":"DAY"}"#),
        ("X402_MAX_PER_SERVICE", "0.000005"),
    ]);
    let limits = [3, 4, 0, 2, 1, 5].map(money);
    let found = violations(&shard.authorize(x402(1, 10)));
    let rules: Vec<_> = found.iter().map(|violation| violation.kind).collect();
    let expected = [
        RuleKind::MaxAmount,
        RuleKind::MaxAmount,
        RuleKind::X402BlockedServices,
        RuleKind::X402SessionBudget,
        RuleKind::DailyLimit,
        RuleKind::X402MaxPerService,
        RuleKind::VelocityLimit,
    ];
    assert_eq!(rules, expected.map(ViolationKind::Rule));
    for (position, limit) in [(0, limits[0]), (1, limits[1]), (3, limits[3]), (4, limits[4]), (5, limits[5])] {
        assert_eq!(found[position].limit, limit);
    }
    assert_eq!(shard.balance(), [0; 4], "a denial changes nothing");
}
