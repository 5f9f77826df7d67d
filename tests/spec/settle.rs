//! Holds that end as paid in one step: before their caller pays, or after.

use crate::shard::*;
use holdfast::kernel::{
    Amount, Failure, OperationId, Outcome, Request,
    outcome::{Captured, HoldStatus, Settled},
    request::Settle,
};

fn settle(shard: &mut Shard, hold: u128, amount: Option<u64>, paid: Option<&str>) -> Answer {
    shard.ask(&Request::Settle(AGENT, Settle { id: id(hold), amount: amount.map(micros), paid }))
}

fn settled(amount: u64, captured: u64, overage: u64, paid: Option<&str>, over: Option<HoldStatus>) -> Settled {
    let (captured, overage) = (micros(captured), micros(overage));
    let captured = Captured { captured, overage, held: Amount::ZERO, late: over.is_some() };
    Settled { operation: OperationId::of_settled(id(1), paid), amount: micros(amount), captured, over, repeated: false }
}

const OPEN: Deed = |_| {};
const PARTLY: Deed = |shard| drop(shard.capture(1, 4, false).unwrap());
const ALL_OF_IT: Deed = |shard| drop(shard.capture(1, 10, false).unwrap());
const CAPTURED: Deed = |shard| drop(shard.capture(1, 10, true).unwrap());
const VOIDED: Deed = |shard| drop(shard.void(1).unwrap());
const LAST_MOMENT: Deed = |shard| {
    shard.wait(300);
};
const GRACE: Deed = |shard| {
    shard.wait_micros(300_000_001);
};
const EXPIRED: Deed = |shard| {
    shard.wait(330);
};

#[track_caller]
fn check(before: Deed, amount: Option<u64>, paid: Option<&str>, expected: Result<Settled, Failure>, used: u64) {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    before(&mut shard);
    assert_eq!(settle(&mut shard, 1, amount, paid), expected.clone().map(Outcome::Settled));
    assert_eq!(shard.balance()[1], used);
    if let Ok(settled) = expected {
        let again = Settled { repeated: true, ..settled };
        assert_eq!(settle(&mut shard, 1, amount, paid), Ok(Outcome::Settled(again)));
        assert_eq!(shard.balance()[1], used);
        assert_eq!(shard.balance()[0], 0, "nothing is held any more");
        assert_eq!(shard.authorization(1).transaction.as_deref(), paid);
    }
}

#[test]
fn a_hold_is_executed_as_long_as_its_caller_may_pay() {
    let over = |status| Err(Failure::AuthorizationOver(status));
    check(OPEN, None, None, Ok(settled(10, 10, 0, None, None)), 10);
    check(PARTLY, None, None, Ok(settled(6, 10, 0, None, None)), 10);
    check(ALL_OF_IT, None, None, Ok(settled(0, 10, 0, None, None)), 10);
    check(OPEN, Some(3), None, Ok(settled(3, 3, 0, None, None)), 3);
    check(OPEN, Some(11), None, Ok(settled(11, 11, 1, None, None)), 11);
    check(LAST_MOMENT, None, None, Ok(settled(10, 10, 0, None, None)), 10);
    check(GRACE, None, None, over(HoldStatus::Expired), 10);
    check(EXPIRED, None, None, over(HoldStatus::Expired), 0);
    check(VOIDED, None, None, over(HoldStatus::Voided), 0);
    check(CAPTURED, None, None, over(HoldStatus::Captured), 10);
}

#[test]
fn a_payment_that_was_made_is_booked_even_where_it_came_too_late() {
    let over = |status| Err(Failure::AuthorizationOver(status));
    let paid = Some("0xt");
    check(OPEN, None, paid, Ok(settled(10, 10, 0, paid, None)), 10);
    check(OPEN, None, Some(""), Ok(settled(10, 10, 0, Some(""), None)), 10);
    check(OPEN, Some(0), paid, Ok(settled(0, 0, 0, paid, None)), 0);
    check(OPEN, Some(12), paid, Ok(settled(12, 12, 2, paid, None)), 12);
    check(GRACE, None, paid, Ok(settled(10, 10, 0, paid, None)), 10);
    check(EXPIRED, None, paid, Ok(settled(10, 10, 10, paid, Some(HoldStatus::Expired))), 10);
    check(VOIDED, Some(4), paid, Ok(settled(4, 4, 4, paid, Some(HoldStatus::Voided))), 4);
    check(CAPTURED, None, paid, over(HoldStatus::Captured), 10);
}

#[test]
fn another_settlement_of_the_same_hold_is_refused() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    settle(&mut shard, 1, None, Some("0xt")).unwrap();
    let captured = Err(Failure::AuthorizationOver(HoldStatus::Captured));
    assert_eq!(settle(&mut shard, 1, None, Some("0xu")), captured);
    assert_eq!(settle(&mut shard, 1, None, None), captured);
    assert_eq!(settle(&mut shard, 1, Some(9), Some("0xt")), Err(Failure::IdReused));
    assert_eq!(shard.balance(), [0, 10, 10, 10]);
}

#[test]
fn the_amount_that_is_left_is_remembered() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    let Ok(Outcome::Settled(first)) = settle(&mut shard, 1, None, None) else { panic!("not settled") };
    shard.refund(1, 4).unwrap();
    let again = Settled { repeated: true, ..first };
    assert_eq!(settle(&mut shard, 1, None, None), Ok(Outcome::Settled(again)));
    assert_eq!(settle(&mut shard, 1, Some(10), None), Ok(Outcome::Settled(again)));
}

#[test]
fn a_charge_inside_an_envelope_is_settled_out_of_its_deposit() {
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 50, "s"));
    shard.hold(mpp(2, 10, "s"));
    let Ok(Outcome::Settled(settled)) = settle(&mut shard, 2, None, Some("0xt")) else { panic!("not settled") };
    assert_eq!((settled.amount, settled.captured.overage), (micros(10), Amount::ZERO));
    assert_eq!(shard.balance(), [40, 50, 50, 50]);
}

#[test]
fn what_cannot_be_settled() {
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 50, "s"));
    shard.hold(x402(2, 10));
    let long = "x".repeat(129);
    for (hold, amount, paid) in [
        (1, None, None),
        (1, Some(5), Some("0xt")),
        (2, Some(Amount::MAX.micros() + 1), None),
        (2, None, Some(long.as_str())),
    ] {
        let answer = settle(&mut shard, hold, amount, paid);
        assert!(matches!(answer, Err(Failure::Invalid { .. })), "{hold} {amount:?}: {answer:?}");
    }
    for (amount, paid) in [(None, None), (Some(5), None), (None, Some("0xt")), (Some(5), Some("0xt"))] {
        assert_eq!(settle(&mut shard, 9, amount, paid), Err(Failure::UnknownAuthorization));
    }
}

#[test]
fn a_payment_whose_approval_a_crash_lost_is_booked() {
    let mut options = options(&[("DAILY_LIMIT", "0.000100")]);
    options.lease.ceiling = micros(10);
    let mut shard = Shard::with(options);
    shard.hold(x402(1, 5));
    shard.apply(&[holdfast::kernel::Event::Started { incarnation: 2 }]);
    for (amount, paid) in [(Some(4), None), (None, Some("0xt"))] {
        assert_eq!(settle(&mut shard, 9, amount, paid), Err(Failure::UnknownAuthorization));
    }
    for repeated in [false, true] {
        let Ok(Outcome::Settled(settled)) = settle(&mut shard, 9, Some(4), Some("0xt")) else { panic!("not settled") };
        let expected = (micros(4), Amount::ZERO, true, repeated);
        assert_eq!((settled.amount, settled.captured.overage, settled.captured.late, settled.repeated), expected);
    }
    assert_eq!(shard.balance(), [5, 9, 9, 9]);
}
