//! When holds, sessions and what is remembered of them end by themselves.

use crate::shard::*;
use holdfast::kernel::{
    Duration, Facts, Failure, Outcome, Protocol, Timestamp,
    outcome::{Approval, HoldStatus},
    request::Authorize,
};

#[test]
fn a_hold_expires_when_its_grace_is_over() {
    // (what the request says, micro-seconds until it is released)
    for (hold_for, released) in [(None, 330_000_000), (Some(36), 66_000_000), (Some(600), 630_000_000)] {
        let mut shard = Shard::new(&[]);
        shard.hold(Authorize { hold_for: hold_for.map(Duration::from_secs), ..x402(1, 5) });
        shard.wait_micros(released - 1);
        assert_eq!(shard.balance(), [5; 4]);
        assert_eq!(shard.authorization(1).status, HoldStatus::Open);
        shard.wait_micros(1);
        assert_eq!(shard.balance(), [0; 4]);
        assert_eq!(shard.authorization(1).status, HoldStatus::Expired);
    }
}

fn until(valid_before: Option<u64>, valid_for: Option<u64>) -> Option<Box<Facts<'static>>> {
    let after_noon = |seconds: u64| Timestamp::from_micros((NOON + seconds) * 1_000_000);
    let (valid_before, valid_for) = (valid_before.map(after_noon), valid_for.map(Duration::from_secs));
    Some(Box::new(Facts { valid_before, valid_for, ..Facts::default() }))
}

#[test]
fn a_hold_lasts_until_its_payment_cannot_settle_any_more() {
    // (asked to hold for, valid before noon and so many seconds, valid for, held for)
    for (hold_for, valid_before, valid_for, seconds) in [
        (None, Some(301), None, 301),
        (None, Some(299), None, 300),
        (Some(10), Some(60), None, 60),
        (Some(10), None, Some(60), 60),
        (Some(10), Some(60), Some(61), 61),
        (Some(10), Some(61), Some(60), 61),
        (Some(70), Some(61), Some(60), 70),
        (None, Some(7 * 86_400), None, 7 * 86_400),
    ] {
        let mut shard = Shard::new(&[]);
        let (hold_for, facts) = (hold_for.map(Duration::from_secs), until(valid_before, valid_for));
        shard.hold(Authorize { hold_for, facts, ..x402(1, 5) });
        assert_eq!(shard.authorization(1).expires_at, shard.now.after(Duration::from_secs(seconds)));
        shard.wait_micros((seconds + 30) * 1_000_000 - 1);
        assert_eq!(shard.balance()[0], 5);
        shard.wait_micros(1);
        assert_eq!(shard.balance()[0], 0);
    }
}

#[test]
fn a_payment_that_cannot_settle_or_settles_too_late_is_refused() {
    let refuses = |answer: &Answer| matches!(answer, Err(Failure::Invalid { field: "validBefore", .. }));
    for (valid_before, valid_for) in
        [(Some(0), None), (None, Some(0)), (Some(7 * 86_400 + 1), None), (None, Some(7 * 86_400 + 1))]
    {
        let mut shard = Shard::new(&[]);
        let answer = shard.authorize(Authorize { facts: until(valid_before, valid_for), ..x402(1, 5) });
        assert!(refuses(&answer), "{valid_before:?} {valid_for:?}: {answer:?}");
        assert_eq!(shard.balance(), [0; 4]);
    }
    // A deposit and the charges inside it are free again when the session ends, one hour from now.
    for (seconds, refused) in [(3600, false), (3601, true)] {
        let mut shard = Shard::new(&[]);
        let facts = until(Some(seconds), None);
        assert_eq!(refuses(&shard.authorize(Authorize { facts: facts.clone(), ..deposit(1, 50, "s") })), refused);
        let mut shard = Shard::new(&[]);
        shard.hold(deposit(1, 50, "s"));
        let answer = shard.authorize(Authorize { facts, ..mpp(2, 5, "s") });
        assert_eq!(refuses(&answer), refused, "{answer:?}");
    }
}

#[test]
fn what_was_captured_of_an_expired_hold_stays() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    shard.capture(1, 4, false).unwrap();
    shard.wait(330);
    assert_eq!(shard.balance(), [0, 4, 4, 4]);
}

#[test]
fn a_report_in_the_grace_is_not_late_and_one_after_it_is() {
    for (micros, late, overage) in [(329_999_999, false, 0), (330_000_000, true, 5)] {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 5));
        shard.wait_micros(micros);
        let Ok(Outcome::Captured(captured)) = shard.capture(1, 5, true) else { panic!("not captured") };
        assert_eq!((captured.late, captured.overage.micros()), (late, overage));
        assert_eq!(shard.balance()[1], 5);
    }
}

#[test]
fn history_is_forgotten_after_its_time() {
    let mut options = options(&[]);
    options.history_kept = Duration::from_secs(600);
    let mut shard = Shard::with(options);
    shard.hold(x402(1, 5));
    shard.void(1).unwrap();
    shard.wait_micros(600_000_000 - 1);
    let Ok(Outcome::Approved(Approval { repeated: true, .. })) = shard.authorize(x402(1, 5)) else {
        panic!("still remembered")
    };
    shard.wait_micros(1);
    assert_eq!(shard.void(1), Err(Failure::UnknownAuthorization));
    let Ok(Outcome::Approved(Approval { repeated: false, .. })) = shard.authorize(x402(1, 7)) else {
        panic!("the id is free again")
    };
}

#[test]
fn a_session_is_forgotten_after_its_last_request() {
    let mut shard = Shard::new(&[]);
    shard.hold(Authorize { session: "task", ..x402(1, 5) });
    shard.void(1).unwrap();
    shard.wait(24 * 3600 - 1);
    assert!(shard.close(Protocol::X402, "task").is_ok());
    shard.wait(1);
    assert_eq!(shard.close(Protocol::X402, "task"), Err(Failure::UnknownSession));
}

#[test]
fn a_session_with_an_open_hold_is_remembered() {
    let mut shard = Shard::new(&[]);
    let hold_for = Some(Duration::from_secs(3 * 86_400));
    shard.hold(Authorize { session: "task", hold_for, ..x402(1, 5) });
    shard.wait(2 * 86_400);
    assert!(shard.close(Protocol::X402, "task").is_ok());
    shard.void(1).unwrap();
    assert_eq!(shard.close(Protocol::X402, "task"), Err(Failure::UnknownSession));
}
