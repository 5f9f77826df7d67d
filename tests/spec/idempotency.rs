//! The same request again has the same answer and no effect; an id for something else is refused.

use crate::shard::*;
use holdfast::kernel::{
    AuthorizationId, Duration, Facts, Failure, OperationId, Outcome, Request,
    outcome::{Approval, Booking, Captured, Recorded},
    request::{Authorize, Capture, Extend, Increment, Record, Refund},
};

#[test]
fn an_approval_is_repeated_whatever_became_of_the_hold() {
    let ends: [Deed; 4] = [
        |_| {},
        |shard| drop(shard.void(1).unwrap()),
        |shard| drop(shard.capture(1, 5, true).unwrap()),
        |shard| {
            shard.wait(400);
        },
    ];
    for end in ends {
        let mut shard = Shard::new(&[("DAILY_LIMIT", "0.000010")]);
        let Ok(Outcome::Approved(first)) = shard.authorize(x402(1, 5)) else { panic!("not approved") };
        end(&mut shard);
        let before = shard.balance();
        let expected = Approval { repeated: true, ..first };
        assert_eq!(shard.authorize(x402(1, 5)), Ok(Outcome::Approved(expected)));
        assert_eq!(shard.balance(), before);
    }
}

#[test]
fn other_content_under_the_same_id_is_refused() {
    let base = || Authorize { wallet: "w", session: "s", hold_for: Some(Duration::from_secs(60)), ..x402(1, 5) };
    for other in [
        Authorize { amount: micros(6), ..base() },
        Authorize { protocol: holdfast::kernel::Protocol::Mpp, ..base() },
        Authorize { recipient: "0xbb", ..base() },
        Authorize { service: "odd.example.com", ..base() },
        Authorize { resource: "https://api.example.com/b", ..base() },
        Authorize { session: "t", ..base() },
        Authorize { wallet: "", ..base() },
        Authorize { hold_for: None, ..base() },
        Authorize { amount: micros(0), ..base() },
    ] {
        let mut shard = Shard::new(&[]);
        shard.put_wallet(wallet("w"));
        shard.hold(base());
        assert_eq!(shard.authorize(other.clone()), Err(Failure::IdReused), "{other:?}");
    }
}

#[test]
fn other_facts_under_the_same_id_are_other_content() {
    let with = |facts: Facts<'static>| Authorize { facts: Some(Box::new(facts)), ..x402(1, 5) };
    let challenge = |byte| Facts { challenge: Some([byte; 32]), ..Facts::default() };
    let mut shard = Shard::new(&[]);
    shard.hold(with(challenge(1)));
    assert!(matches!(shard.authorize(with(challenge(1))), Ok(Outcome::Approved(Approval { repeated: true, .. }))));
    for other in [with(challenge(2)), with(Facts { category: "SAAS", ..challenge(1) }), x402(1, 5)] {
        assert_eq!(shard.authorize(other.clone()), Err(Failure::IdReused), "{other:?}");
    }
}

#[test]
fn a_denied_id_may_be_used_again() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000005")]);
    assert!(!violations(&shard.authorize(x402(1, 6))).is_empty());
    shard.hold(x402(1, 5));
}

#[test]
fn operations_are_done_once() {
    let (hold, operation) = (AuthorizationId(1), OperationId(77));
    let capture =
        |amount| Request::Capture(AGENT, Capture { id: hold, operation, amount: micros(amount), last: false });
    let extend = |seconds| Request::Extend(AGENT, Extend { id: hold, operation, by: Duration::from_secs(seconds) });
    let increment = |amount| Request::Increment(AGENT, Increment { id: hold, operation, amount: micros(amount) });
    let refund = |amount| Request::Refund(AGENT, Refund { id: hold, operation, amount: micros(amount) });
    for (first, other) in [
        (capture(3), capture(4)),
        (extend(600), extend(601)),
        (increment(3), increment(4)),
        (refund(1), refund(2)),
        (capture(3), refund(3)),
        (extend(600), increment(3)),
    ] {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 10));
        shard.capture(1, 2, false).unwrap();
        let answer = shard.ask(&first).unwrap();
        let (balance, view) = (shard.balance(), shard.authorization(1));
        assert_eq!(shard.ask(&first), Ok(answer), "{first:?}");
        assert_eq!(shard.ask(&other), Err(Failure::IdReused), "{other:?}");
        assert_eq!((shard.balance(), shard.authorization(1)), (balance, view));
    }
}

#[test]
fn an_operation_on_another_hold_is_refused() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    shard.hold(x402(2, 10));
    let capture =
        |hold| Capture { id: AuthorizationId(hold), operation: OperationId(7), amount: micros(3), last: true };
    let Ok(Outcome::Captured(Captured { .. })) = shard.ask(&Request::Capture(AGENT, capture(1))) else { panic!() };
    assert_eq!(shard.ask(&Request::Capture(AGENT, capture(2))), Err(Failure::IdReused));
}

fn booking(answer: &Answer) -> Booking {
    match answer {
        Ok(Outcome::Recorded(Recorded { booking, .. })) => *booking,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payment_that_was_reported_before_is_counted_once() {
    let by_payment = || Record { payment_id: "p", ..paid(5) };
    let by_transaction = || Record { transaction: "t", ..paid(5) };
    for first in [by_payment(), by_transaction(), Record { payment_id: "p", transaction: "t", ..paid(5) }] {
        let mut shard = Shard::new(&[]);
        assert_eq!(booking(&shard.record(first.clone())), Booking::Unauthorized);
        assert_eq!(booking(&shard.record(first)), Booking::Duplicate);
        assert_eq!(shard.balance()[1], 5);
    }
    // (first, second, whether the second is the same payment; nothing where its id is used for another)
    for (first, second, same) in [
        (by_payment(), Record { transaction: "t", ..by_payment() }, Some(true)),
        (by_payment(), Record { resource: "https://api.example.com/b", ..by_payment() }, Some(true)),
        (by_payment(), Record { amount: micros(6), ..by_payment() }, None),
        (by_payment(), Record { recipient: "0xbb", ..by_payment() }, None),
        (by_transaction(), Record { amount: micros(6), ..by_transaction() }, Some(false)),
        (by_transaction(), Record { recipient: "0xbb", ..by_transaction() }, Some(false)),
        (by_transaction(), Record { resource: "https://api.example.com/b", ..by_transaction() }, Some(false)),
        (paid(5), paid(5), Some(false)),
    ] {
        let mut shard = Shard::new(&[]);
        shard.record(first.clone()).unwrap();
        let answer = shard.record(second.clone());
        match same {
            None => assert_eq!(answer, Err(Failure::IdReused), "{first:?} {second:?}"),
            Some(same) => assert_eq!(booking(&answer) == Booking::Duplicate, same, "{first:?} {second:?}"),
        }
    }
}
