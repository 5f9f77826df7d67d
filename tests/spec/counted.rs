//! Limits with counters of their own: the calendar of a time zone, rolling spans, endpoints. What equals the cap passes, one more does not.

use crate::shard::*;
use holdfast::kernel::{
    AgentIndex, Amount, Duration, Event, Failure, Outcome, PolicyId, Protocol, Request, State, Timestamp,
    outcome::{Measure, View, Violation, ViolationKind},
    policy::{PolicySource, RuleKind},
    request::{Authorize, Query, Record, Simulation},
};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A shard with these rules from its first moment, at a number of seconds after the epoch.
fn shard_at(seconds: u64, rules: &[(&str, &str)]) -> Shard {
    let mut shard = Shard::new(rules);
    assert!(seconds >= NOON);
    shard.wait(seconds - NOON);
    shard
}

/// A hold that is captured at once, so that time does not release it.
fn pay(shard: &mut Shard, authorize: Authorize<'_>) {
    let (hold, amount) = (authorize.id.0, authorize.amount.micros());
    shard.hold(authorize);
    shard.capture(hold, amount, true).unwrap();
}

fn at(hold: u128, amount: u64, resource: &'static str) -> Authorize<'static> {
    Authorize { resource, ..x402(hold, amount) }
}

#[track_caller]
fn denied(shard: &mut Shard, authorize: Authorize<'_>, kind: RuleKind, limit: Measure, current: Measure) {
    let found = violations(&shard.authorize(authorize));
    assert_eq!(found, [Violation { kind: ViolationKind::Rule(kind), limit, current }]);
}

/// Wednesday 2026-11-18T12:00Z plus so many days, hours and minutes.
fn noon_and(days: u64, hours: u64, minutes: u64) -> u64 {
    NOON + days * DAY + hours * HOUR + minutes * 60
}

#[test]
fn windows_turn_with_the_clocks_of_their_zone() {
    // (zone, rule, seconds from noon to the microsecond after which the window is another one)
    for (rule, zone, period, turns, kind) in [
        ("DAILY_LIMIT", "Europe/Berlin", "", 11 * HOUR, RuleKind::DailyLimit),
        ("DAILY_LIMIT", "America/New_York", "", 17 * HOUR, RuleKind::DailyLimit),
        ("DAILY_LIMIT", "Asia/Kathmandu", "", 6 * HOUR + 900, RuleKind::DailyLimit),
        ("WEEKLY_LIMIT", "Europe/Berlin", "", 4 * DAY + 11 * HOUR, RuleKind::WeeklyLimit),
        ("MONTHLY_LIMIT", "America/New_York", "", 12 * DAY + 17 * HOUR, RuleKind::MonthlyLimit),
        ("BUDGET_CAP", "Europe/Berlin", r#","period":"MONTHLY""#, 12 * DAY + 11 * HOUR, RuleKind::BudgetCap),
        (
            "X402_MAX_PER_SERVICE",
            "Europe/Berlin",
            r#","period":"WEEKLY""#,
            4 * DAY + 11 * HOUR,
            RuleKind::X402MaxPerService,
        ),
        ("X402_MAX_PER_ENDPOINT", "Europe/Berlin", r#","period":"DAILY""#, 11 * HOUR, RuleKind::X402MaxPerEndpoint),
    ] {
        let value = format!(r#"{{"amount":"0.000100","timezone":"{zone}"{period}}}"#);
        let mut shard = Shard::new(&[(rule, &value)]);
        pay(&mut shard, x402(1, 60));
        pay(&mut shard, x402(2, 40));
        denied(&mut shard, x402(3, 1), kind, money(100), money(101));
        shard.wait_micros(turns * 1_000_000 - 1);
        denied(&mut shard, x402(4, 1), kind, money(100), money(101));
        shard.wait_micros(1);
        pay(&mut shard, x402(5, 100));
        denied(&mut shard, x402(6, 1), kind, money(100), money(101));
    }
}

#[test]
fn a_day_on_which_clocks_change_has_23_or_25_hours() {
    // Berlin's clocks are set forward on Sunday 2027-03-28 and back on Sunday 2027-10-31.
    for (midnight, hours) in [(1_806_188_400, 23), (1_824_933_600, 25)] {
        let mut shard = shard_at(midnight, &[("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"Europe/Berlin"}"#)]);
        pay(&mut shard, x402(1, 100));
        shard.wait(hours * HOUR - 1);
        assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::Rule(RuleKind::DailyLimit)], "{hours}");
        shard.wait(1);
        pay(&mut shard, x402(3, 100));
        shard.wait(DAY - 1);
        assert_eq!(kinds(&shard.authorize(x402(4, 1))), [ViolationKind::Rule(RuleKind::DailyLimit)], "{hours}");
        shard.wait(1);
        pay(&mut shard, x402(5, 100));
    }
}

#[test]
fn a_hold_counts_in_the_local_day_on_which_it_was_placed() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"Europe/Berlin"}"#)]);
    let used = |shard: &mut Shard| shard.budget(Protocol::X402, "").limits[0].used;
    shard.hold(Authorize { hold_for: Some(Duration::from_secs(DAY)), ..x402(1, 60) });
    shard.hold(Authorize { hold_for: Some(Duration::from_secs(DAY)), ..x402(2, 30) });
    shard.capture(1, 20, true).unwrap();
    assert_eq!(used(&mut shard), money(50));
    // Half an hour after midnight in Berlin it is still the same day in UTC.
    shard.wait(11 * HOUR + 1800);
    assert_eq!(used(&mut shard), money(0));
    shard.capture(2, 10, false).unwrap();
    assert_eq!(used(&mut shard), money(0));
    shard.increment(2, 5).unwrap();
    assert_eq!(used(&mut shard), money(5), "what a hold of yesterday grows by counts today");
    shard.capture(2, 30, true).unwrap();
    assert_eq!(used(&mut shard), money(10), "and so does what is paid beyond it");
}

#[test]
fn a_rolling_span_forgets_nothing_and_nothing_late() {
    let rule = ("ROLLING_LIMIT", r#"{"amount":"0.000100","seconds":3600}"#);
    let mut shard = Shard::new(&[rule]);
    pay(&mut shard, x402(1, 60));
    shard.wait(1800);
    pay(&mut shard, mpp(2, 40, ""));
    denied(&mut shard, plain(3, 1), RuleKind::RollingLimit, money(100), money(101));
    // What came at noon counts for an hour and to the end of its minute.
    shard.wait(1859);
    denied(&mut shard, plain(4, 1), RuleKind::RollingLimit, money(100), money(101));
    shard.wait(1);
    shard.hold(plain(5, 60));
    denied(&mut shard, plain(6, 1), RuleKind::RollingLimit, money(100), money(101));
    shard.void(5).unwrap();
    shard.hold(plain(7, 60));
    assert_eq!(shard.budget(Protocol::Payment, "").limits[0].used, money(100));
}

#[test]
fn what_a_hold_grows_by_counts_from_then_on_in_a_rolling_span() {
    let mut shard = Shard::new(&[("ROLLING_LIMIT", r#"{"amount":"0.000100","period":"HOUR"}"#)]);
    let used = |shard: &mut Shard| shard.budget(Protocol::X402, "").limits[0].used;
    shard.hold(Authorize { hold_for: Some(Duration::from_secs(DAY)), ..x402(1, 10) });
    shard.wait(3000);
    shard.increment(1, 50).unwrap();
    assert_eq!(kinds(&shard.increment(1, 41)), [ViolationKind::Rule(RuleKind::RollingLimit)]);
    shard.wait(660);
    assert_eq!(used(&mut shard), money(50), "the hold itself is an hour old, and the rest is not");
    shard.capture(1, 70, true).unwrap();
    assert_eq!(used(&mut shard), money(60));
    shard.wait(3000);
    assert_eq!(used(&mut shard), money(10));
    shard.wait(660);
    assert_eq!(used(&mut shard), money(0));
}

#[test]
fn an_endpoint_is_a_path_at_a_service() {
    for (value, kind) in [
        ("0.000100", RuleKind::X402MaxPerEndpoint),
        (r#"{"amount":"0.000100","period":"DAY"}"#, RuleKind::X402MaxPerEndpoint),
        (r#"{"amount":"0.000100","period":"DAY","timezone":"Asia/Tokyo"}"#, RuleKind::X402MaxPerEndpoint),
    ] {
        let mut shard = Shard::new(&[("X402_MAX_PER_ENDPOINT", value)]);
        shard.hold(at(1, 60, "https://api.example.com/a?x=1"));
        shard.hold(at(2, 100, "https://api.example.com/b"));
        shard.hold(Authorize { service: "odd.example.com", ..at(3, 100, "https://api.example.com/a") });
        shard.hold(Authorize { protocol: Protocol::Mpp, ..at(4, 100, "https://api.example.com/a") });
        denied(&mut shard, at(5, 41, "https://api.example.com//a/#y"), kind, money(100), money(101));
        shard.hold(at(5, 40, "https://api.example.com/a"));
        shard.void(1).unwrap();
        shard.hold(at(6, 60, "https://api.example.com/%61"));
        // A report without a hold counts where it says.
        shard.record(Record { recipient: "0xbb", resource: "https://api.example.com/c", ..paid(90) }).unwrap();
        denied(&mut shard, at(7, 11, "https://api.example.com/c"), kind, money(100), money(101));
        shard.hold(at(8, 10, "https://api.example.com/c"));
        assert_eq!(shard.budget(Protocol::X402, "").limits[0].used, money(100));
    }
    let mut shard = Shard::new(&[("MPP_MAX_PER_ENDPOINT", "0.000100")]);
    let open = |hold, amount| Authorize { resource: "https://api.example.com/a", ..deposit(hold, amount, "s") };
    denied(&mut shard, open(1, 101), RuleKind::MppMaxPerEndpoint, money(100), money(101));
    shard.hold(open(1, 100));
    // The deposit has paid already.
    shard.hold(mpp(2, 80, "s"));
    denied(&mut shard, mpp(3, 1, ""), RuleKind::MppMaxPerEndpoint, money(100), money(101));
}

#[test]
fn payments_to_one_endpoint_are_counted() {
    for (rule, kind, protocol) in [
        ("X402_VELOCITY_PER_ENDPOINT", RuleKind::X402VelocityPerEndpoint, Protocol::X402),
        ("MPP_VELOCITY_PER_ENDPOINT", RuleKind::MppVelocityPerEndpoint, Protocol::Mpp),
    ] {
        let call = |hold, resource| Authorize { protocol, ..at(hold, 1, resource) };
        let mut shard = Shard::new(&[(rule, r#"{"maxCount":2,"period":"MINUTE"}"#)]);
        shard.hold(call(1, "https://api.example.com/a"));
        shard.hold(call(2, "https://api.example.com/a?again"));
        shard.hold(call(3, "https://api.example.com/b"));
        denied(&mut shard, call(4, "https://api.example.com/a/"), kind, Measure::Count(2), Measure::Count(3));
        shard.wait(60);
        denied(&mut shard, call(5, "https://api.example.com/a"), kind, Measure::Count(2), Measure::Count(3));
        shard.wait(1);
        shard.hold(call(6, "https://api.example.com/a"));
        shard.increment(6, 1).unwrap();
        assert_eq!(shard.budget(protocol, "").limits[0].used, Measure::Count(1));
    }
}

#[test]
fn a_charge_in_a_session_is_a_call_at_its_own_endpoint() {
    let mut shard = Shard::new(&[("MPP_VELOCITY_PER_ENDPOINT", r#"{"maxCount":1,"period":"HOUR"}"#)]);
    shard.hold(Authorize { resource: "https://api.example.com/open", ..deposit(1, 50, "s") });
    let chunk = |hold, resource| Authorize { resource, ..mpp(hold, 5, "s") };
    shard.hold(chunk(2, "https://api.example.com/1"));
    shard.hold(chunk(3, "https://api.example.com/2"));
    let kind = RuleKind::MppVelocityPerEndpoint;
    denied(&mut shard, chunk(4, "https://api.example.com/1"), kind, Measure::Count(1), Measure::Count(2));
}

#[test]
fn endpoints_have_a_maximum() {
    let mut options = options(&[("X402_MAX_PER_ENDPOINT", "1")]);
    options.maxima.endpoints_per_agent = 2;
    let mut shard = Shard::with(options);
    shard.hold(at(1, 1, "https://api.example.com/a"));
    shard.hold(at(2, 1, "https://api.example.com/b"));
    let full = Failure::Capacity { what: "endpoints of the agent", maximum: 2 };
    assert_eq!(shard.authorize(at(3, 1, "https://api.example.com/c")), Err(full));
    shard.hold(at(4, 1, "https://api.example.com/a"));
    shard.hold(Authorize { protocol: Protocol::Mpp, ..at(5, 1, "https://api.example.com/c") });
    // A report is never refused: it counts at every endpoint.
    shard.record(Record { recipient: "0xbb", resource: "https://api.example.com/d", ..paid(7) }).unwrap();
    assert_eq!(shard.budget(Protocol::X402, "").limits[0].used, money(9));
}

#[test]
fn policies_ask_for_a_limited_number_of_counters() {
    let rolling: Vec<String> = (1..=65).map(|seconds| format!(r#"{{"amount":1,"seconds":{seconds}}}"#)).collect();
    let rules: Vec<(&str, &str)> = rolling.iter().map(|value| ("ROLLING_LIMIT", value.as_str())).collect();
    let mut shard = Shard::new(&[]);
    put(&mut shard, 8, &rules[..40]);
    put(&mut shard, 9, &rules[30..64]);
    let full = Failure::Capacity { what: "counters that policies ask for", maximum: 64 };
    let one_more = |id| PolicySource { id: PolicyId(id), ..policy(&rules[64..]) };
    assert_eq!(shard.ask(&Request::PutPolicy(one_more(10), None)), Err(full));
    let inactive = PolicySource { active: false, ..one_more(10) };
    assert!(matches!(shard.ask(&Request::PutPolicy(inactive, None)), Ok(Outcome::PolicyChanged { .. })));
    assert!(matches!(shard.ask(&Request::PutPolicy(one_more(8), None)), Ok(Outcome::PolicyChanged { .. })));
    shard.hold(x402(1, 5));
    assert_eq!(shard.budget(Protocol::X402, "").limits.len(), 35);
}

fn put(shard: &mut Shard, id: u128, rules: &[(&str, &str)]) {
    let source = PolicySource { id: PolicyId(id), ..policy(rules) };
    assert!(matches!(shard.ask(&Request::PutPolicy(source, None)), Ok(Outcome::PolicyChanged { .. })));
}

#[test]
fn a_limit_that_is_written_later_remembers_what_was_spent_before() {
    let berlin = r#"{"amount":"0.000100","timezone":"Europe/Berlin"}"#;
    // (rule, value, what counts of 1 spent a month ago, 2 ten days ago, 4 last evening, 8 this morning)
    for (rule, value, counts) in [
        // Berlin's day began in the UTC day before, of which nobody knows the hours.
        ("DAILY_LIMIT", berlin, 12),
        ("WEEKLY_LIMIT", berlin, 12),
        ("MONTHLY_LIMIT", berlin, 14),
        ("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"America/New_York"}"#, 12),
        ("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"Atlantic/Azores"}"#, 8),
        ("ROLLING_LIMIT", r#"{"amount":"0.000100","seconds":3600}"#, 8),
        ("ROLLING_LIMIT", r#"{"amount":"0.000100","seconds":86400}"#, 12),
        ("ROLLING_LIMIT", r#"{"amount":"0.000100","period":"WEEK"}"#, 14),
        ("ROLLING_LIMIT", r#"{"amount":"0.000100","period":"MONTH"}"#, 15),
        ("X402_MAX_PER_SERVICE", r#"{"amount":"0.000100","period":"DAY","timezone":"Europe/Berlin"}"#, 12),
        ("X402_MAX_PER_ENDPOINT", r#"{"amount":"0.000100","period":"DAY"}"#, 8),
        ("X402_MAX_PER_ENDPOINT", r#"{"amount":"0.000100","period":"DAY","timezone":"Europe/Berlin"}"#, 12),
        // Of all time, an endpoint is counted since a policy first asks.
        ("X402_MAX_PER_ENDPOINT", "0.000100", 0),
    ] {
        let mut shard = Shard::new(&[]);
        for (hold, amount, wait) in [(1, 1, 19 * DAY), (2, 2, 10 * DAY), (3, 4, 16 * HOUR), (4, 8, 600)] {
            shard.hold(x402(hold, amount));
            shard.capture(hold, amount, true).unwrap();
            shard.wait(wait);
        }
        put(&mut shard, 8, &[(rule, value)]);
        let kind = RuleKind::from_rule_type(rule).unwrap();
        denied(&mut shard, x402(5, 101 - counts), kind, money(100), money(101));
        shard.hold(x402(6, 100 - counts));
        // Dropped and written again, it is no fresh allowance.
        put(&mut shard, 8, &[("MAX_AMOUNT", "1")]);
        put(&mut shard, 8, &[(rule, value)]);
        assert_eq!(kinds(&shard.authorize(x402(7, 1))), [ViolationKind::Rule(kind)], "{rule} {value}");
    }
}

#[test]
fn a_zone_that_changes_begins_with_what_is_known() {
    let in_zone = |zone| format!(r#"{{"amount":"0.000100","timezone":"{zone}"}}"#);
    let mut shard = Shard::new(&[]);
    put(&mut shard, 8, &[("DAILY_LIMIT", &in_zone("Europe/Berlin"))]);
    shard.hold(x402(1, 60));
    put(&mut shard, 8, &[("DAILY_LIMIT", &in_zone("America/New_York"))]);
    denied(&mut shard, x402(2, 41), RuleKind::DailyLimit, money(100), money(101));
    shard.hold(x402(2, 40));
    shard.wait(17 * HOUR);
    shard.hold(x402(3, 100));
    put(&mut shard, 8, &[("DAILY_LIMIT", "0.000100")]);
    assert_eq!(kinds(&shard.authorize(x402(4, 1))), [ViolationKind::Rule(RuleKind::DailyLimit)]);
}

#[test]
fn a_draft_is_judged_as_if_it_were_written_now() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 60));
    let draft = policy(&[("ROLLING_LIMIT", r#"{"amount":"0.000100","seconds":60}"#)]);
    let simulation =
        Simulation { draft: Some(PolicySource { id: PolicyId(8), ..draft }), payments: vec![x402(2, 41), x402(3, 40)] };
    let answer = shard.ask(&Request::Read(Query::Simulate(AGENT, Box::new(simulation))));
    let Ok(Outcome::View(View::Simulation(view))) = answer else { panic!("another view") };
    assert_eq!(kinds(&view.answers[0]), [ViolationKind::Rule(RuleKind::RollingLimit)]);
    assert_eq!(kinds(&view.answers[1]), []);
}

const ALL: [(&str, &str); 6] = [
    ("DAILY_LIMIT", r#"{"amount":"0.001","timezone":"Europe/Berlin"}"#),
    ("ROLLING_LIMIT", r#"{"amount":"0.001","seconds":3600}"#),
    ("X402_MAX_PER_SERVICE", r#"{"amount":"0.001","period":"WEEK","timezone":"Asia/Tokyo"}"#),
    ("X402_MAX_PER_ENDPOINT", r#"{"amount":"0.001","period":"MONTH","timezone":"Asia/Tokyo"}"#),
    ("X402_MAX_PER_ENDPOINT", "0.001"),
    ("X402_VELOCITY_PER_ENDPOINT", r#"{"maxCount":100,"period":"DAY"}"#),
];

#[test]
fn counters_are_part_of_the_state() {
    let mut shard = Shard::new(&ALL);
    shard.hold(x402(1, 60));
    shard.capture(1, 20, true).unwrap();
    shard.hold(at(2, 30, "https://api.example.com/b"));
    shard.increment(2, 3).unwrap();
    let before = shard.budget(Protocol::X402, "").limits;
    let digest = shard.state.digest();
    shard.state = State::from_image(&shard.state.image()).unwrap();
    assert_eq!(shard.state.digest(), digest);
    assert_eq!(shard.budget(Protocol::X402, "").limits, before);
    shard.wait(60);
    shard.hold(at(3, 1, "https://api.example.com/b"));
    assert_ne!(shard.state.digest(), digest);
}

#[test]
fn what_a_crash_may_have_lost_counts_against_every_counter() {
    let mut options = options(&ALL);
    (options.lease.ceiling, options.lease.share_percent, options.lease.count_max) = (micros(1000), 10, 7);
    let mut shard = Shard::with(options);
    shard.hold(x402(1, 5));
    assert_eq!(shard.state.lease(AgentIndex(0)).amount, micros(100), "a tenth of the smallest limit");
    assert_eq!(shard.state.lease(AgentIndex(0)).count, 7, "a tenth of the smallest count, at most its maximum");
    shard.apply(&[Event::Started { incarnation: 2 }]);
    let used: Vec<Measure> = shard.budget(Protocol::X402, "").limits.iter().map(|limit| limit.used).collect();
    assert_eq!(used, [money(105), money(105), money(105), money(105), money(105), Measure::Count(8)]);
    // A capture of a lost hold counts everywhere, too: nobody knows to which endpoint it went.
    shard.capture(99, 40, true).unwrap();
    let used: Vec<Measure> = shard.budget(Protocol::X402, "").limits.iter().map(|limit| limit.used).collect();
    assert_eq!(used, [money(105), money(105), money(105), money(105), money(105), Measure::Count(8)]);
    let now = Timestamp::from_micros(NOON * 1_000_000 + 660_000_000);
    shard.wait(now.since(shard.now).as_secs());
    let used: Vec<Measure> = shard.budget(Protocol::X402, "").limits.iter().map(|limit| limit.used).collect();
    assert_eq!(used, [money(40), money(40), money(40), money(40), money(40), Measure::Count(8)]);
}

#[test]
fn leases_know_every_cumulative_limit() {
    for (rule, lease) in [
        (("ROLLING_LIMIT", r#"{"amount":"0.0005","seconds":60}"#), (50, 100)),
        (("DAILY_LIMIT", r#"{"amount":"0.0005","timezone":"Asia/Tokyo"}"#), (50, 100)),
        (("BUDGET_CAP", r#"{"amount":"0.0005","period":"DAY"}"#), (50, 100)),
        (("MPP_MAX_PER_SERVICE", "0.0005"), (50, 100)),
        (("X402_MAX_PER_ENDPOINT", "0.0005"), (50, 100)),
        (("MPP_VELOCITY_PER_ENDPOINT", r#"{"maxCount":30,"period":"HOUR"}"#), (1000, 3)),
    ] {
        let mut options = options(&[rule]);
        (options.lease.ceiling, options.lease.share_percent, options.lease.count_max) = (micros(1000), 10, 100);
        let shard = Shard::with(options);
        let found = shard.state.lease(AGENT);
        assert_eq!((found.amount, found.count), (Amount::from_micros(lease.0), lease.1), "{rule:?}");
    }
}

#[test]
fn a_hold_of_before_endpoints_were_limited_is_not_enlarged() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 5));
    put(&mut shard, 8, &[("X402_MAX_PER_ENDPOINT", "1")]);
    assert!(matches!(shard.increment(1, 1), Err(Failure::Invalid { field: "authorizationId", .. })));
    shard.hold(x402(2, 5));
    shard.increment(2, 1).unwrap();
}

#[test]
fn a_moment_of_a_far_future_denies_nobody_wrongly_and_forgets_nothing() {
    let mut shard =
        shard_at(noon_and(0, 0, 0), &[("DAILY_LIMIT", r#"{"amount":"0.000100","timezone":"Europe/Berlin"}"#)]);
    shard.hold(x402(1, 100));
    shard.wait(365 * DAY);
    shard.hold(x402(2, 100));
    assert_eq!(kinds(&shard.authorize(x402(3, 1))), [ViolationKind::Rule(RuleKind::DailyLimit)]);
}
