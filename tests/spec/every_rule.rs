//! Every rule type on three payments: one that it lets pass, one that it does not, and the one that lies on its boundary. A rule type without
//! a row does not compile.

use crate::shard::*;
use holdfast::kernel::{
    Duration, Facts, Outcome,
    outcome::ViolationKind,
    policy::RuleKind,
    request::{Authorize, Intent},
};

/// A payment, when it is asked for, and what happened before.
struct Case {
    before: fn(&mut Shard),
    at: &'static str,
    payment: Authorize<'static>,
}

/// A rule, and what becomes of three payments under it.
struct Row {
    /// Operator, value and action.
    rule: (&'static str, &'static str, &'static str),
    allowed: Case,
    denied: Case,
    boundary: Case,
    /// Whether the rule lets the boundary pass.
    boundary_passes: bool,
}

type Pay = fn(u64) -> Authorize<'static>;
type Know = fn(&mut Facts<'static>);
type Rule = (&'static str, &'static str, &'static str);

const NOTHING: fn(&mut Shard) = |_| {};
const CAP: Rule = ("LTE", "0.000050", "ALLOW");

fn case(payment: Authorize<'static>) -> Case {
    Case { before: NOTHING, at: "2026-11-18T12:00:00Z", payment }
}

/// A cap of 50 micro-units lets 50 pass and 51 not, after what happened before.
fn cap_after(before: fn(&mut Shard), rule: Rule, pay: Pay) -> Row {
    let [allowed, boundary, denied] = [49, 50, 51].map(|amount| Case { before, ..case(pay(amount)) });
    Row { rule, allowed, denied, boundary, boundary_passes: true }
}

fn cap(pay: Pay) -> Row {
    cap_after(NOTHING, CAP, pay)
}

/// Names of which the second is not let pass; the last is the one that is easily taken for another.
fn list(rule: Rule, [allowed, denied, boundary]: [Authorize<'static>; 3], boundary_passes: bool) -> Row {
    Row { rule, allowed: case(allowed), denied: case(denied), boundary: case(boundary), boundary_passes }
}

/// The same of facts; what is not known never passes.
fn facts(rule: Rule, pay: Pay, [allowed, denied]: [Know; 2]) -> Row {
    list(rule, [known(pay, allowed), known(pay, denied), pay(5)], false)
}

/// A score of at least 70 of 100.
fn score(rule: Rule, [allowed, boundary, denied]: [Know; 3]) -> Row {
    list(rule, [allowed, denied, boundary].map(|know| known(transfer, know)), true)
}

/// Moments of which the second is not let pass, and the last is just let pass.
fn moments(rule: Rule, [allowed, denied, boundary]: [&'static str; 3]) -> Row {
    let [allowed, denied, boundary] = [allowed, denied, boundary].map(|at| Case { at, ..case(transfer(5)) });
    Row { rule, allowed, denied, boundary, boundary_passes: true }
}

/// As many happen before that this one is the second, the last that passes, or one too many.
fn counted(rule: Rule, pay: Pay, [second, last, beyond]: [fn(&mut Shard); 3]) -> Row {
    let [allowed, boundary, denied] = [second, last, beyond].map(|before| Case { before, ..case(pay(5)) });
    Row { rule, allowed, denied, boundary, boundary_passes: true }
}

fn transfer(amount: u64) -> Authorize<'static> {
    plain(1, amount)
}

fn call(amount: u64) -> Authorize<'static> {
    x402(1, amount)
}

fn charge(amount: u64) -> Authorize<'static> {
    mpp(1, amount, "")
}

fn envelope(amount: u64) -> Authorize<'static> {
    deposit(1, amount, "")
}

fn swipe(amount: u64) -> Authorize<'static> {
    card(1, amount)
}

fn known(pay: Pay, know: Know) -> Authorize<'static> {
    let mut facts = Facts::default();
    know(&mut facts);
    with(pay(5), facts)
}

fn to(recipient: &'static str) -> Authorize<'static> {
    Authorize { recipient, ..transfer(5) }
}

fn of(pay: Pay, service: &'static str) -> Authorize<'static> {
    Authorize { service, ..pay(5) }
}

fn lasting(seconds: u64) -> Authorize<'static> {
    Authorize { intent: Intent::Session { duration: Some(Duration::from_secs(seconds)) }, ..envelope(5) }
}

fn calls(shard: &mut Shard, count: u128) {
    (0..count).for_each(|nth| shard.hold(x402(11 + nth, 5)));
}

fn charges(shard: &mut Shard, count: u128) {
    (0..count).for_each(|nth| shard.hold(mpp(11 + nth, 5, "")));
}

fn sessions(shard: &mut Shard, count: usize) {
    let names = ["a", "b"];
    names.iter().take(count).zip(11..).for_each(|(name, nth)| shard.hold(deposit(nth, 5, name)));
}

/// The row of a rule type.
fn row(kind: RuleKind) -> Row {
    const ALLOW_ONE: Rule = ("IN_LIST", r#"["0xAA"]"#, "ALLOW");
    const ALLOW_BELOW: Rule = ("IN_LIST", r#"["*.example.com"]"#, "ALLOW");
    const BLOCK_BELOW: Rule = ("IN_LIST", r#"["*.example.com"]"#, "DENY");
    const DAILY: Rule = ("LTE", r#"{"amount":"0.000100","period":"DAY"}"#, "ALLOW");
    const TOTAL: Rule = ("LTE", "0.000100", "ALLOW");
    const PACE: Rule = ("LTE", r#"{"maxCount":2,"period":"HOUR"}"#, "ALLOW");
    const AT_LEAST: Rule = ("GTE", "70", "ALLOW");
    let only_below = |pay| list(ALLOW_BELOW, [of(pay, SERVICE), of(pay, "a.example"), of(pay, "example.com")], false);
    let none_below = |pay| list(BLOCK_BELOW, [of(pay, "a.example"), of(pay, SERVICE), of(pay, "example.com")], true);
    match kind {
        RuleKind::MaxAmount => cap(transfer),
        RuleKind::X402MaxPerRequest | RuleKind::X402PriceCeiling => cap(call),
        RuleKind::MppMaxPerRequest | RuleKind::MppPriceCeiling => cap(charge),
        RuleKind::CardMaxAmount => cap(swipe),
        RuleKind::AllowedCounterparties => list(ALLOW_ONE, [to("0xaa"), to("0xbb"), to("0XaA")], true),
        RuleKind::BlockedCounterparties => {
            list(("IN_LIST", r#"["0xBB"]"#, "DENY"), [to("0xaa"), to("0xbb"), to("0xBb")], false)
        }
        RuleKind::X402AllowedServices => only_below(call),
        RuleKind::MppAllowedServices => only_below(charge),
        RuleKind::X402BlockedServices => none_below(call),
        RuleKind::MppBlockedServices => none_below(charge),
        RuleKind::TimeWindow => moments(
            ("BETWEEN", r#"{"start":"09:00","end":"18:00","timezone":"Europe/Berlin"}"#, "ALLOW"),
            ["2026-11-18T12:00:00Z", "2026-11-18T17:00:00Z", "2026-11-18T16:59:59.999999Z"],
        ),
        RuleKind::DayOfWeek => moments(
            ("IN_LIST", r#"["Wed"]"#, "ALLOW"),
            ["2026-11-18T12:00:00Z", "2026-11-19T00:00:00Z", "2026-11-18T23:59:59.999999Z"],
        ),
        RuleKind::DateRange => moments(
            ("BETWEEN", r#"{"start":"2026-11-01","end":"2026-11-18"}"#, "ALLOW"),
            ["2026-11-18T12:00:00Z", "2026-11-19T00:00:00Z", "2026-11-18T23:59:59.999999Z"],
        ),
        RuleKind::BlackoutPeriod => moments(
            ("BETWEEN", r#"{"windows":[{"start":"02:00","end":"06:00","reason":"backup"}]}"#, "DENY"),
            ["2026-11-18T12:00:00Z", "2026-11-18T05:59:59.999999Z", "2026-11-18T06:00:00Z"],
        ),
        RuleKind::Expiration => moments(
            ("LTE", "2026-11-18", "ALLOW"),
            ["2026-11-18T12:00:00Z", "2026-11-19T00:00:00Z", "2026-11-18T23:59:59.999999Z"],
        ),
        RuleKind::AllowedCategories => facts(
            ("IN_LIST", r#"["CLOUD"]"#, "ALLOW"),
            transfer,
            [|facts| facts.category = "cloud", |facts| facts.category = "GAMBLING"],
        ),
        RuleKind::BlockedCategories => facts(
            ("IN_LIST", r#"["GAMBLING"]"#, "DENY"),
            transfer,
            [|facts| facts.category = "CLOUD", |facts| facts.category = "gambling"],
        ),
        RuleKind::GeographicRestriction => facts(
            ("IN_LIST", r#"["CU","IR"]"#, "DENY"),
            transfer,
            [|facts| facts.country = "DE", |facts| facts.country = "IR"],
        ),
        RuleKind::TrustScore => score(
            AT_LEAST,
            [
                |facts| facts.trust_score = Some(7001),
                |facts| facts.trust_score = Some(7000),
                |facts| facts.trust_score = Some(6999),
            ],
        ),
        RuleKind::CounterpartyStatus => facts(
            ("IN_LIST", r#"["TRUSTED","VERIFIED"]"#, "ALLOW"),
            transfer,
            [|facts| facts.counterparty_status = "VERIFIED", |facts| facts.counterparty_status = "UNKNOWN"],
        ),
        RuleKind::FairscaleMinScore => score(
            AT_LEAST,
            [
                |facts| facts.fairscale_score = Some(7001),
                |facts| facts.fairscale_score = Some(7000),
                |facts| facts.fairscale_score = Some(6999),
            ],
        ),
        RuleKind::ContractAllowlist => facts(
            ("IN_LIST", r#"{"contracts":["0xc0ffee"],"protocols":["uniswap"]}"#, "ALLOW"),
            transfer,
            [|facts| facts.contract = "0xC0FFEE", |facts| facts.contract = "0xdead"],
        ),
        RuleKind::MppBlockSessionIntent => facts(
            ("IN_LIST", r#"["streaming"]"#, "DENY"),
            envelope,
            [|facts| facts.session_intent = "batch", |facts| facts.session_intent = "STREAMING"],
        ),
        RuleKind::MppAllowedMethods => facts(
            ("IN_LIST", r#"["GET","POST"]"#, "ALLOW"),
            charge,
            [|facts| facts.method = "POST", |facts| facts.method = "PUT"],
        ),
        RuleKind::CardAllowedMccs => facts(
            ("IN_LIST", r#"["5411"]"#, "ALLOW"),
            swipe,
            [|facts| facts.merchant_category_code = "5411", |facts| facts.merchant_category_code = "5412"],
        ),
        RuleKind::CardBlockedMccs => facts(
            ("IN_LIST", r#"["7995"]"#, "DENY"),
            swipe,
            [|facts| facts.merchant_category_code = "5411", |facts| facts.merchant_category_code = "7995"],
        ),
        RuleKind::CardAllowedMerchants => facts(
            ("IN_LIST", r#"["Amazon"]"#, "ALLOW"),
            swipe,
            [|facts| facts.merchant = "AMAZON", |facts| facts.merchant = "Casino.com"],
        ),
        RuleKind::CardBlockedMerchants => facts(
            ("IN_LIST", r#"["Casino.com"]"#, "DENY"),
            swipe,
            [|facts| facts.merchant = "Amazon", |facts| facts.merchant = "casino.com"],
        ),
        RuleKind::Composite => cap_after(
            NOTHING,
            (
                "AND",
                r#"[{"field":"amount","operator":"GT","value":"0.000050"},{"field":"recipient","operator":"EQ","value":"0xAA"}]"#,
                "DENY",
            ),
            transfer,
        ),
        RuleKind::X402SessionBudget => cap(call),
        RuleKind::MppSessionBudget | RuleKind::MppMaxSessionDeposit => cap(envelope),
        RuleKind::MppMaxConcurrentSessions => {
            counted(("LTE", "2", "ALLOW"), envelope, [NOTHING, |shard| sessions(shard, 1), |shard| sessions(shard, 2)])
        }
        RuleKind::MppMaxSessionDuration => list(("LTE", "60", "ALLOW"), [lasting(59), lasting(61), lasting(60)], true),
        RuleKind::DailyLimit | RuleKind::WeeklyLimit | RuleKind::MonthlyLimit => {
            cap_after(|shard| shard.hold(mpp(11, 50, "")), TOTAL, transfer)
        }
        RuleKind::BudgetCap => cap_after(|shard| shard.hold(mpp(11, 50, "")), DAILY, transfer),
        RuleKind::X402MaxPerService => cap_after(|shard| shard.hold(x402(11, 50)), DAILY, call),
        RuleKind::MppMaxPerService => cap_after(|shard| shard.hold(mpp(11, 50, "")), TOTAL, charge),
        RuleKind::VelocityLimit => counted(PACE, transfer, [NOTHING, |shard| calls(shard, 1), |shard| calls(shard, 2)]),
        RuleKind::RollingLimit => {
            let rule = ("LTE", r#"{"amount":"0.000100","seconds":3600}"#, "ALLOW");
            cap_after(|shard| shard.hold(mpp(11, 50, "")), rule, transfer)
        }
        RuleKind::X402MaxPerEndpoint => cap_after(|shard| shard.hold(x402(11, 50)), DAILY, call),
        RuleKind::MppMaxPerEndpoint => cap_after(|shard| shard.hold(mpp(11, 50, "")), TOTAL, charge),
        RuleKind::X402VelocityPerEndpoint => {
            counted(PACE, call, [NOTHING, |shard| calls(shard, 1), |shard| calls(shard, 2)])
        }
        RuleKind::MppVelocityPerEndpoint => {
            counted(PACE, charge, [NOTHING, |shard| charges(shard, 1), |shard| charges(shard, 2)])
        }
        RuleKind::RequireApprovalAbove => cap_after(NOTHING, ("GT", "0.000050", "REQUIRE_APPROVAL"), transfer),
    }
}

/// What the rule says of the payment: nothing for an approval, else how it is told.
fn told(kind: RuleKind, (operator, value, action): Rule, case: &Case) -> Option<(bool, Vec<ViolationKind>)> {
    let mut shard = Shard::under_at(&[(kind.rule_type(), operator, value, action)], moment(case.at));
    (case.before)(&mut shard);
    let answer = shard.authorize(case.payment.clone());
    let asks = matches!(answer, Ok(Outcome::ApprovalRequired(_)));
    let kinds = kinds(&answer);
    (!kinds.is_empty()).then_some((asks, kinds))
}

#[test]
fn every_rule_type_lets_pass_denies_and_has_a_boundary() {
    for &kind in RuleKind::ALL {
        let row = row(kind);
        let broken = Some((row.rule.2 == "REQUIRE_APPROVAL", vec![ViolationKind::Rule(kind)]));
        let expected = |passes: bool| if passes { None } else { broken.clone() };
        assert_eq!(told(kind, row.rule, &row.allowed), None, "{kind:?}");
        assert_eq!(told(kind, row.rule, &row.denied), broken, "{kind:?}");
        assert_eq!(told(kind, row.rule, &row.boundary), expected(row.boundary_passes), "{kind:?} at its boundary");
        assert_eq!(ViolationKind::Rule(kind).code(), kind.violation_type());
    }
}

/// With the action REQUIRE_APPROVAL, every rule type asks where it would deny.
#[test]
fn what_every_rule_type_denies_people_can_be_asked_about() {
    for (kind, row) in RuleKind::ALL.iter().map(|&kind| (kind, row(kind))) {
        let (operator, value, action) = row.rule;
        // An action that turns a list round is written with the other operator.
        let turned = match (kind, action) {
            (RuleKind::GeographicRestriction | RuleKind::Composite, "DENY") => operator,
            (RuleKind::DayOfWeek | RuleKind::CounterpartyStatus, "ALLOW") => "NOT_IN_LIST",
            _ => operator,
        };
        let asking = (turned, value, "REQUIRE_APPROVAL");
        assert_eq!(told(kind, asking, &row.allowed), None, "{kind:?}");
        assert_eq!(told(kind, asking, &row.denied), Some((true, vec![ViolationKind::Rule(kind)])), "{kind:?}");
    }
}
