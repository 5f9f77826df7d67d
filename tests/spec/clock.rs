//! Rules about when: to the microsecond, on the clocks of a time zone, on days that are longer and shorter than others.

use crate::shard::*;
use holdfast::kernel::{Timestamp, outcome::ViolationKind, policy::RuleKind};

/// Under the rule, a payment must be approved at the first moments and denied at the others, whatever the rail.
#[track_caller]
fn check(rule: (&str, &str, &str, &str), kind: RuleKind, approved: &[&str], denied: &[&str]) {
    for (moments, expected) in [(approved, &[][..]), (denied, &[ViolationKind::Rule(kind)])] {
        for text in moments {
            for payment in [x402(1, 5), plain(1, 5), mpp(1, 5, ""), deposit(1, 5, ""), card(1, 5)] {
                let mut shard = Shard::under_at(&[rule], moment(text));
                assert_eq!(kinds(&shard.authorize(payment)), expected, "{rule:?} at {text}");
            }
        }
    }
}

#[test]
fn hours_of_the_day() {
    let office = r#"{"start":"09:00","end":"18:00"}"#;
    check(
        ("TIME_WINDOW", "BETWEEN", office, "ALLOW"),
        RuleKind::TimeWindow,
        &["2026-11-18T09:00:00Z", "2026-11-18T17:59:59.999999Z", "2026-11-22T12:00:00Z"],
        &["2026-11-18T08:59:59.999999Z", "2026-11-18T18:00:00Z", "2026-11-18T00:00:00Z"],
    );
    let night = r#"{"start":"22:00","end":"06:00:30"}"#;
    check(
        ("TIME_WINDOW", "BETWEEN", night, "ALLOW"),
        RuleKind::TimeWindow,
        &["2026-11-18T22:00:00Z", "2026-11-18T23:59:59.999999Z", "2026-11-18T00:00:00Z", "2026-11-18T06:00:29.999999Z"],
        &["2026-11-18T21:59:59.999999Z", "2026-11-18T06:00:30Z", "2026-11-18T12:00:00Z"],
    );
    let late = r#"{"start":"20:00","end":"24:00"}"#;
    check(
        ("TIME_WINDOW", "BETWEEN", late, "ALLOW"),
        RuleKind::TimeWindow,
        &["2026-11-18T20:00:00Z", "2026-11-18T23:59:59.999999Z"],
        &["2026-11-18T00:00:00Z", "2026-11-18T19:59:59.999999Z"],
    );
}

#[test]
fn hours_are_those_of_the_clocks_of_the_zone() {
    // One hour ahead of UTC in winter, two in summer.
    let office = r#"{"start":"09:00","end":"18:00","timezone":"Europe/Berlin"}"#;
    check(
        ("TIME_WINDOW", "BETWEEN", office, "ALLOW"),
        RuleKind::TimeWindow,
        &["2026-11-18T08:00:00Z", "2026-11-18T16:59:59.999999Z", "2026-07-01T07:00:00Z", "2026-07-01T15:59:59.999999Z"],
        &["2026-11-18T07:59:59.999999Z", "2026-11-18T17:00:00Z", "2026-07-01T06:59:59.999999Z", "2026-07-01T16:00:00Z"],
    );
    // The clocks go from 02:00 to 03:00 at 2026-03-29T01:00Z: between two and three nothing is paid on that day. On 2026-10-25 they go from
    // 03:00 to 02:00 at 01:00Z: the hour comes twice.
    let skipped = r#"{"start":"02:00","end":"03:00","timeZone":"europe/berlin"}"#;
    check(
        ("TIME_WINDOW", "BETWEEN", skipped, "ALLOW"),
        RuleKind::TimeWindow,
        &["2026-03-28T01:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:59:59.999999Z"],
        &[
            "2026-03-29T00:59:59.999999Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T00:30:00Z",
            "2026-10-24T23:59:59.999999Z",
            "2026-10-25T02:00:00Z",
        ],
    );
    let quarter = r#"{"start":"09:00","end":"18:00","timezone":"Asia/Kathmandu"}"#;
    check(
        ("TIME_WINDOW", "BETWEEN", quarter, "ALLOW"),
        RuleKind::TimeWindow,
        &["2026-11-18T03:15:00Z"],
        &["2026-11-18T03:14:59.999999Z"],
    );
}

#[test]
fn days_of_the_week() {
    let weekdays = r#"["Mon","Tue","Wed","Thu","Fri"]"#;
    let (workdays, weekend) = (
        ["2026-11-16T00:00:00Z", "2026-11-20T23:59:59.999999Z"],
        ["2026-11-21T00:00:00Z", "2026-11-15T23:59:59.999999Z"],
    );
    check(("DAY_OF_WEEK", "IN_LIST", weekdays, "ALLOW"), RuleKind::DayOfWeek, &workdays, &weekend);
    check(("DAY_OF_WEEK", "NOT_IN_LIST", weekdays, "DENY"), RuleKind::DayOfWeek, &workdays, &weekend);
    check(("DAY_OF_WEEK", "IN_LIST", r#"["saturday","SUN"]"#, "DENY"), RuleKind::DayOfWeek, &workdays, &weekend);
    check(("DAY_OF_WEEK", "IN_LIST", "Mon, Tue, Wed, Thu, Fri", "ALLOW"), RuleKind::DayOfWeek, &workdays, &weekend);
    check(("DAY_OF_WEEK", "EQ", "Mon", "ALLOW"), RuleKind::DayOfWeek, &workdays[..1], &weekend);
    let tokyo = r#"{"days":["Mon"],"timezone":"Asia/Tokyo"}"#;
    check(
        ("DAY_OF_WEEK", "IN_LIST", tokyo, "ALLOW"),
        RuleKind::DayOfWeek,
        &["2026-11-15T15:00:00Z", "2026-11-16T14:59:59.999999Z"],
        &["2026-11-15T14:59:59.999999Z", "2026-11-16T15:00:00Z"],
    );
}

#[test]
fn dates() {
    check(
        ("DATE_RANGE", "BETWEEN", r#"{"start":"2026-07-01","end":"2026-09-30"}"#, "ALLOW"),
        RuleKind::DateRange,
        &["2026-07-01T00:00:00Z", "2026-09-30T23:59:59.999999Z"],
        &["2026-06-30T23:59:59.999999Z", "2026-10-01T00:00:00Z"],
    );
    check(
        ("DATE_RANGE", "BETWEEN", r#"{"start":"2026-03-29","end":"2026-03-29","timezone":"Europe/Berlin"}"#, "ALLOW"),
        RuleKind::DateRange,
        &["2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z"],
        &["2026-03-28T22:59:59.999999Z", "2026-03-29T22:00:00Z"],
    );
    check(
        ("DATE_RANGE", "BETWEEN", r#"{"start":"2026-07-01T12:00:00Z","end":"2026-07-01T15:00:00+02:00"}"#, "ALLOW"),
        RuleKind::DateRange,
        &["2026-07-01T12:00:00Z", "2026-07-01T12:59:59.999999Z"],
        &["2026-07-01T11:59:59.999999Z", "2026-07-01T13:00:00Z"],
    );
}

#[test]
fn blackouts() {
    let nightly =
        r#"{"windows":[{"start":"02:00","end":"06:00","reason":"backup"},{"start":"2026-12-24","end":"2026-12-26"}]}"#;
    let denied =
        ["2026-11-18T02:00:00Z", "2026-11-18T05:59:59.999999Z", "2026-12-24T00:00:00Z", "2026-12-26T23:59:59.999999Z"];
    let approved =
        ["2026-11-18T01:59:59.999999Z", "2026-11-18T06:00:00Z", "2026-12-23T23:59:59.999999Z", "2026-12-27T00:00:00Z"];
    check(("BLACKOUT_PERIOD", "BETWEEN", nightly, "DENY"), RuleKind::BlackoutPeriod, &approved, &denied);
    check(("BLACKOUT_PERIOD", "BETWEEN", nightly, "ALLOW"), RuleKind::BlackoutPeriod, &approved, &denied);
    check(
        ("BLACKOUT_PERIOD", "BETWEEN", r#"{"start":"2026-04-01","end":"2026-04-02"}"#, "DENY"),
        RuleKind::BlackoutPeriod,
        &["2026-03-31T23:59:59.999999Z", "2026-04-03T00:00:00Z"],
        &["2026-04-01T00:00:00Z", "2026-04-02T23:59:59.999999Z"],
    );
    // An hour that clocks skip blacks nothing out.
    check(
        ("BLACKOUT_PERIOD", "BETWEEN", r#"{"start":"02:00","end":"03:00","timezone":"Europe/Berlin"}"#, "DENY"),
        RuleKind::BlackoutPeriod,
        &["2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00Z"],
        &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
    );
}

#[test]
fn permissions_end() {
    check(
        ("EXPIRATION", "LTE", "2026-12-31", "ALLOW"),
        RuleKind::Expiration,
        &["2026-11-18T00:00:00Z", "2026-12-31T23:59:59.999999Z"],
        &["2027-01-01T00:00:00Z"],
    );
    check(
        ("EXPIRATION", "GT", r#"{"date":"2026-12-31","timezone":"America/New_York"}"#, "DENY"),
        RuleKind::Expiration,
        &["2027-01-01T04:59:59.999999Z"],
        &["2027-01-01T05:00:00Z"],
    );
    check(
        ("EXPIRATION", "LTE", "2026-12-31T12:00:00Z", "ALLOW"),
        RuleKind::Expiration,
        &["2026-12-31T11:59:59.999999Z"],
        &["2026-12-31T12:00:00Z"],
    );
}

#[test]
fn what_no_calendar_knows_is_denied() {
    for rule in [
        ("TIME_WINDOW", "BETWEEN", r#"{"start":"00:00","end":"23:59"}"#, "ALLOW"),
        ("DAY_OF_WEEK", "IN_LIST", "Sat", "DENY"),
        ("BLACKOUT_PERIOD", "BETWEEN", r#"{"start":"2026-04-01","end":"2026-04-02"}"#, "DENY"),
    ] {
        let mut shard = Shard::under_at(&[rule], Timestamp::from_micros(u64::MAX - 1));
        assert_eq!(kinds(&shard.authorize(plain(1, 5))).len(), 1, "{rule:?}");
    }
}

#[test]
fn outside_its_hours_a_payment_can_be_for_a_human_to_decide() {
    let rule = &[("TIME_WINDOW", "BETWEEN", r#"{"start":"09:00","end":"12:00"}"#, "REQUIRE_APPROVAL")];
    let mut shard = Shard::under_at(rule, moment("2026-11-18T11:59:59.999999Z"));
    assert_eq!(kinds(&shard.authorize(x402(1, 5))), []);
    shard.wait_micros(1);
    assert_eq!(kinds(&shard.authorize(x402(2, 5))), [ViolationKind::Rule(RuleKind::TimeWindow)]);
}
