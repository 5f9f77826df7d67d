//! Policies for the payments from some wallets, and policies that say in which time zone their rules count.

use crate::shard::*;
use holdfast::kernel::{
    AgentId, Failure, Outcome, PolicyId, Protocol, Request,
    outcome::ViolationKind,
    policy::{PolicyScope, PolicySource, RuleKind},
    request::Authorize,
};

/// Under these rules for the wallet `w1`, beside one for everybody that limits nothing.
fn on_wallet(rules: &[(&str, &str)]) -> PolicySource {
    PolicySource { id: PolicyId(8), scope: PolicyScope::Wallet, wallets: vec!["w1".to_owned()], ..policy(rules) }
}

/// An agent with two wallets, of which the first pays unless another is named.
fn two_wallets(source: PolicySource) -> Shard {
    let mut shard = Shard::new(&[]);
    shard.put_wallet(wallet("w1"));
    shard.put_wallet(wallet("w2"));
    put(&mut shard, source).unwrap();
    shard
}

fn put(shard: &mut Shard, source: PolicySource) -> Result<Outcome, Failure> {
    shard.ask(&Request::PutPolicy(source, None))
}

fn from(wallet: &'static str, hold: u128, amount: u64) -> Authorize<'static> {
    Authorize { wallet, ..x402(hold, amount) }
}

#[test]
fn totals_and_counts_of_a_wallet_are_its_own() {
    for (rule, value, kind) in [
        ("DAILY_LIMIT", "0.000100", RuleKind::DailyLimit),
        ("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"Asia/Kolkata"}"#, RuleKind::DailyLimit),
        ("BUDGET_CAP", r#"{"amount":"0.000100","period":"MONTHLY"}"#, RuleKind::BudgetCap),
        ("ROLLING_LIMIT", r#"{"amount":"0.000100","seconds":3600}"#, RuleKind::RollingLimit),
        ("VELOCITY_LIMIT", r#"{"maxCount":2,"period":"HOUR"}"#, RuleKind::VelocityLimit),
    ] {
        let mut shard = two_wallets(on_wallet(&[(rule, value)]));
        shard.hold(from("w2", 1, 500));
        shard.hold(from("w2", 2, 500));
        shard.hold(from("w1", 3, 60));
        shard.hold(from("", 4, 40));
        assert_eq!(kinds(&shard.authorize(from("w1", 5, 1))), [ViolationKind::Rule(kind)], "{rule} {value}");
        shard.hold(from("w2", 6, 500));
        let mut shard = shard.fork();
        assert_eq!(kinds(&shard.authorize(from("w1", 7, 1))), [ViolationKind::Rule(kind)], "{rule} {value}");
        shard.hold(from("w2", 8, 500));
    }
}

#[test]
fn other_rules_look_at_the_payments_from_the_wallet_alone() {
    let mut shard = two_wallets(on_wallet(&[
        ("MAX_AMOUNT", "0.000050"),
        ("BLOCKED_COUNTERPARTIES", "0xbb"),
        ("X402_MAX_PER_SERVICE", "0.000100"),
    ]));
    shard.hold(from("w1", 1, 50));
    let blocked = Authorize { recipient: "0xbb", ..from("w1", 2, 51) };
    let broken = [RuleKind::MaxAmount, RuleKind::BlockedCounterparties, RuleKind::X402MaxPerService];
    assert_eq!(kinds(&shard.authorize(blocked.clone())), broken.map(ViolationKind::Rule));
    shard.hold(Authorize { wallet: "w2", id: id(3), ..blocked });
    // The total of a service is the agent's, whichever wallet paid.
    assert_eq!(kinds(&shard.authorize(from("w1", 4, 1))), [ViolationKind::Rule(RuleKind::X402MaxPerService)]);
}

#[test]
fn a_charge_inside_a_session_counts_at_the_wallet_of_its_deposit() {
    let mut shard = two_wallets(on_wallet(&[("VELOCITY_LIMIT", r#"{"maxCount":2,"period":"HOUR"}"#)]));
    shard.hold(Authorize { wallet: "w1", ..deposit(1, 100, "s") });
    shard.hold(mpp(2, 10, "s"));
    assert_eq!(kinds(&shard.authorize(mpp(3, 10, "s"))), [ViolationKind::Rule(RuleKind::VelocityLimit)]);
    let mut shard = two_wallets(on_wallet(&[("VELOCITY_LIMIT", r#"{"maxCount":2,"period":"HOUR"}"#)]));
    shard.hold(Authorize { wallet: "w2", ..deposit(1, 100, "s") });
    (2..9).for_each(|hold| shard.hold(mpp(hold, 10, "s")));
}

#[test]
fn a_policy_for_wallets_can_be_for_those_of_some_agents_alone() {
    for (agents, denies) in [(vec![], true), (vec![AgentId(1)], true), (vec![AgentId(2)], false)] {
        let mut shard =
            two_wallets(PolicySource { agents: agents.clone(), ..on_wallet(&[("MAX_AMOUNT", "0.000050")]) });
        assert_eq!(!kinds(&shard.authorize(from("w1", 1, 51))).is_empty(), denies, "{agents:?}");
        shard.hold(from("w2", 2, 51));
    }
}

#[test]
fn a_wallet_counts_what_it_paid_before_its_policy_was_written() {
    let mut shard = Shard::new(&[]);
    shard.put_wallet(wallet("w1"));
    shard.put_wallet(wallet("w2"));
    shard.hold(from("w1", 1, 60));
    shard.hold(from("w2", 2, 500));
    put(&mut shard, on_wallet(&[("ROLLING_LIMIT", r#"{"amount":"0.000100","seconds":3600}"#)])).unwrap();
    assert_eq!(kinds(&shard.authorize(from("w1", 3, 41))), [ViolationKind::Rule(RuleKind::RollingLimit)]);
    shard.hold(from("w1", 4, 40));
}

/// What is paid from other wallets would have no limit at all.
#[test]
fn a_policy_for_wallets_leaves_the_default_policy_in_force() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000050")]);
    shard.put_wallet(wallet("w1"));
    shard.put_wallet(wallet("w2"));
    put(&mut shard, on_wallet(&[("MAX_AMOUNT", "0.000070")])).unwrap();
    let broken = ViolationKind::Rule(RuleKind::MaxAmount);
    assert_eq!(kinds(&shard.authorize(from("w1", 1, 60))), [broken]);
    assert_eq!(kinds(&shard.authorize(from("w1", 2, 80))), [broken, broken]);
    assert_eq!(kinds(&shard.authorize(from("w2", 3, 60))), [broken]);
    put(&mut shard, PolicySource { id: PolicyId(9), ..policy(&[("MAX_AMOUNT", "0.000100")]) }).unwrap();
    assert_eq!(kinds(&shard.authorize(from("w1", 4, 80))), [broken]);
    shard.hold(from("w2", 5, 80));
}

#[test]
fn people_are_asked_about_what_breaks_the_rules_of_a_wallet() {
    let mut source = on_wallet(&[("MAX_AMOUNT", "0.000050")]);
    source.rules.iter_mut().for_each(|rule| rule.action = "REQUIRE_APPROVAL".to_owned());
    let mut shard = two_wallets(source);
    assert!(matches!(shard.authorize(from("w1", 1, 51)), Ok(Outcome::ApprovalRequired(_))));
    shard.hold(from("w2", 2, 51));
}

#[test]
fn a_policy_is_for_wallets_that_it_names() {
    let refused = |source: PolicySource| {
        let answer = put(&mut Shard::new(&[]), source);
        let Err(Failure::Policy(error)) = answer else { panic!("{answer:?}") };
        error.to_string()
    };
    let source = on_wallet(&[("MAX_AMOUNT", "5")]);
    assert!(refused(PolicySource { wallets: vec![], ..source.clone() }).starts_with("`wallets`"));
    assert!(refused(PolicySource { wallets: vec![String::new()], ..source.clone() }).starts_with("`wallets[0]`"));
    assert!(refused(PolicySource { wallets: vec!["w".repeat(129)], ..source.clone() }).starts_with("`wallets[0]`"));
    assert!(refused(PolicySource { wallets: vec!["w".to_owned(); 1001], ..source.clone() }).starts_with("`wallets`"));
    assert!(refused(PolicySource { scope: PolicyScope::Organization, ..source.clone() }).starts_with("`wallets`"));
    let zone = Some("Europe/Bärlin".to_owned());
    assert!(refused(PolicySource { timezone: zone, ..source }).starts_with("`timezone`"));
}

/// Noon in UTC is half past five in the afternoon in Kolkata.
#[test]
fn rules_that_name_no_time_zone_have_that_of_their_policy() {
    let amount = r#"{"amount":"0.000100","period":"DAY"}"#;
    for (rule, value, turns_after) in [
        ("DAILY_LIMIT", "0.000100", 6 * 3600 + 1800),
        ("DAILY_LIMIT", r#"{"amount":"0.000100"}"#, 6 * 3600 + 1800),
        ("BUDGET_CAP", amount, 6 * 3600 + 1800),
        ("X402_MAX_PER_SERVICE", amount, 6 * 3600 + 1800),
        ("X402_MAX_PER_ENDPOINT", amount, 6 * 3600 + 1800),
        ("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"UTC"}"#, 12 * 3600),
    ] {
        let zone = Some("Asia/Kolkata".to_owned());
        let mut options = options(&[]);
        options.default_policy = PolicySource { timezone: zone, ..policy(&[(rule, value)]) };
        let mut shard = Shard::with(options);
        shard.hold(x402(1, 100));
        shard.capture(1, 100, true).unwrap();
        shard.wait(turns_after - 1);
        assert_eq!(kinds(&shard.authorize(x402(2, 1))).len(), 1, "{rule} {value}");
        shard.wait(1);
        shard.hold(x402(3, 100));
    }
}

#[test]
fn clocks_of_rules_are_those_of_their_policy_too() {
    for (rule, operator, value, passes) in [
        ("TIME_WINDOW", "BETWEEN", r#"{"start":"17:00","end":"18:00"}"#, true),
        ("TIME_WINDOW", "BETWEEN", r#"{"start":"17:00","end":"18:00","timezone":"UTC"}"#, false),
        ("BLACKOUT_PERIOD", "BETWEEN", r#"{"windows":[{"start":"17:00","end":"18:00"}]}"#, false),
        ("DAY_OF_WEEK", "IN_LIST", r#"["Wed"]"#, true),
    ] {
        let mut source = PolicySource { timezone: Some("Asia/Kolkata".to_owned()), ..policy(&[(rule, value)]) };
        source.rules[0].operator = operator.to_owned();
        let mut options = options(&[]);
        options.default_policy = source;
        let answer = Shard::with(options).authorize(x402(1, 5));
        assert_eq!(kinds(&answer).is_empty(), passes, "{rule} {value}: {answer:?}");
    }
}

#[test]
fn the_limits_of_the_wallet_that_pays_are_shown() {
    let mut shard = two_wallets(on_wallet(&[("DAILY_LIMIT", "0.000100")]));
    shard.hold(from("w1", 1, 30));
    shard.hold(from("w2", 2, 500));
    let shown = shard.budget(Protocol::X402, "");
    let limits: Vec<_> = shown.limits.iter().map(|limit| (limit.limit, limit.used)).collect();
    assert_eq!(limits, [(money(100), money(30))]);
}
