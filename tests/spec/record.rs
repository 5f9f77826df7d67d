//! Payments reported by their facts: the hold they are matched to, and what happens without one.

use crate::shard::*;
use holdfast::kernel::{
    Outcome, Protocol,
    outcome::{Booking, Recorded},
    request::{Authorize, Record},
};

#[track_caller]
fn check(shard: &mut Shard, record: Record<'_>, booking: Booking, hold: Option<u128>, overage: u64) {
    let expected = Recorded { booking, authorization: hold.map(id), overage: micros(overage) };
    assert_eq!(shard.record(record), Ok(Outcome::Recorded(expected)));
}

#[test]
fn the_oldest_hold_that_fits_is_captured() {
    let other = |authorize: Authorize<'static>| Authorize { recipient: "0xbb", ..authorize };
    // (the holds in their order, the report, the hold it matches)
    let cases: [(Vec<Authorize<'static>>, Record<'static>, Option<u128>); 8] = [
        (vec![x402(1, 5), x402(2, 5)], paid(5), Some(1)),
        (vec![x402(1, 4), x402(2, 5)], paid(5), Some(2)),
        (vec![x402(1, 4)], paid(5), None),
        (vec![other(x402(1, 5)), x402(2, 5)], paid(5), Some(2)),
        (vec![Authorize { service: "odd.example.com", ..x402(1, 5) }], paid(5), None),
        (vec![mpp(1, 5, "")], paid(5), None),
        (vec![x402(1, 5)], Record { recipient: "0xAA", service: "API.example.com.", ..paid(3) }, Some(1)),
        (vec![plain(1, 5)], Record { protocol: Protocol::Payment, service: "", ..paid(5) }, Some(1)),
    ];
    for (holds, record, matched) in cases {
        let mut shard = Shard::new(&[]);
        holds.into_iter().for_each(|hold| shard.hold(hold));
        let booking = if matched.is_some() { Booking::Matched } else { Booking::Unauthorized };
        let overage = if matched.is_some() { 0 } else { record.amount.micros() };
        check(&mut shard, record, booking, matched, overage);
    }
}

#[test]
fn a_matched_hold_is_over() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    check(&mut shard, paid(4), Booking::Matched, Some(1), 0);
    assert_eq!(shard.balance(), [0, 4, 4, 4]);
    check(&mut shard, paid(4), Booking::Unauthorized, None, 4);
    assert_eq!(shard.balance(), [0, 8, 8, 8]);
}

#[test]
fn what_was_captured_before_counts_against_the_cover() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    shard.capture(1, 6, false).unwrap();
    check(&mut shard, paid(5), Booking::Unauthorized, None, 5);
    check(&mut shard, paid(4), Booking::Matched, Some(1), 0);
}

#[test]
fn a_named_hold_is_captured_whatever_else_the_report_says() {
    let other = Record { protocol: Protocol::Mpp, service: "odd.example.com", session: "s", ..paid(1) };
    let named = |amount| Record { authorization: Some(id(2)), amount: micros(amount), ..other.clone() };
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    shard.hold(x402(2, 10));
    check(&mut shard, named(12), Booking::Matched, Some(2), 2);
    check(&mut shard, named(3), Booking::Matched, Some(2), 3);
    assert_eq!(shard.balance(), [10, 25, 25, 25]);
    // A hold that nobody knows is no hold.
    check(&mut shard, Record { authorization: Some(id(9)), ..paid(7) }, Booking::Matched, Some(1), 0);
}

#[test]
fn unauthorized_spend_counts_against_every_limit() {
    for (rule, record) in [
        (("DAILY_LIMIT", "0.000010"), paid(10)),
        (("MONTHLY_LIMIT", "0.000010"), Record { protocol: Protocol::Payment, ..paid(10) }),
        (("X402_MAX_PER_SERVICE", "0.000010"), paid(10)),
        (("X402_SESSION_BUDGET", "0.000010"), paid(10)),
        (("VELOCITY_LIMIT", r#"{"maxCount":3,"period":"DAY"}"#), Record { calls: 3, ..paid(10) }),
    ] {
        let mut shard = Shard::new(&[rule]);
        check(&mut shard, record, Booking::Unauthorized, None, 10);
        assert_eq!(kinds(&shard.authorize(x402(1, 1))).len(), 1, "{rule:?}");
    }
}

#[test]
fn unauthorized_spend_is_never_refused() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000001"), ("DAILY_LIMIT", "0.000001")]);
    check(&mut shard, paid(10), Booking::Unauthorized, None, 10);
    check(&mut shard, paid(10), Booking::Unauthorized, None, 10);
    assert_eq!(shard.balance()[1], 20);
}

#[test]
fn calls_of_a_service() {
    // (the report of a payment of 5 that was held, or not, with its calls; the calls of the service then)
    for (held, calls, expected) in [(true, 1, 1), (true, 3, 3), (false, 1, 1), (false, 3, 3)] {
        let mut shard = Shard::new(&[]);
        if held {
            shard.hold(x402(1, 5));
        }
        shard.record(Record { calls, ..paid(5) }).unwrap();
        let [service] = &shard.services(Protocol::X402)[..] else { panic!("one service") };
        assert_eq!((service.calls, service.spent, service.held), (expected, micros(5), micros(0)));
        assert_eq!(shard.budget(Protocol::X402, "").calls, expected);
    }
}

#[test]
fn payments_outside_any_service_are_counted_in_the_budget() {
    let mut shard = Shard::new(&[]);
    shard.hold(plain(1, 5));
    shard.capture(1, 4, true).unwrap();
    let view = shard.budget(Protocol::Payment, "");
    assert_eq!((view.calls, view.spent), (1, micros(4)));
}

#[test]
fn a_deposit_shows_when_it_was_approved() {
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 5, ""));
    let now = shard.now;
    let [service] = &shard.services(Protocol::Mpp)[..] else { panic!("one service") };
    assert_eq!((service.calls, service.held, service.last_at), (0, micros(5), now));
}
