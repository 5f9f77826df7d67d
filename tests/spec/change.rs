//! Capture, void, extend, increment and refund of holds on the agent's own counters.

use crate::shard::*;
use holdfast::kernel::{
    Duration, Failure, Outcome,
    outcome::{Captured, HoldStatus, ViolationKind},
    policy::RuleKind,
    request::Authorize,
};

/// What is done to a hold of 10.
#[derive(Clone, Copy, Debug)]
enum Do {
    Capture(u64, bool),
    Void,
    Refund(u64),
    Increment(u64),
    Expire,
}

fn shard_after(steps: &[Do]) -> Shard {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    for step in steps {
        match *step {
            Do::Capture(amount, last) => drop(shard.capture(1, amount, last).unwrap()),
            Do::Void => drop(shard.void(1).unwrap()),
            Do::Refund(amount) => drop(shard.refund(1, amount).unwrap()),
            Do::Increment(amount) => drop(shard.increment(1, amount).unwrap()),
            Do::Expire => {
                shard.wait(400);
            }
        }
    }
    shard
}

#[test]
fn the_weight_of_a_hold() {
    // (what was done, held, used)
    for (steps, held, used) in [
        (&[][..], 10, 10),
        (&[Do::Capture(0, true)], 0, 0),
        (&[Do::Capture(10, true)], 0, 10),
        (&[Do::Capture(4, true)], 0, 4),
        (&[Do::Capture(4, false)], 6, 10),
        (&[Do::Capture(4, false), Do::Capture(3, false)], 3, 10),
        (&[Do::Capture(4, false), Do::Capture(3, true)], 0, 7),
        (&[Do::Capture(12, false)], 0, 12),
        (&[Do::Capture(12, true)], 0, 12),
        (&[Do::Capture(6, false), Do::Capture(6, false)], 0, 12),
        (&[Do::Void], 0, 0),
        (&[Do::Capture(4, false), Do::Void], 0, 4),
        (&[Do::Void, Do::Capture(4, true)], 0, 4),
        (&[Do::Expire], 0, 0),
        (&[Do::Expire, Do::Capture(4, false), Do::Capture(4, true)], 0, 8),
        (&[Do::Capture(4, false), Do::Refund(3)], 6, 7),
        (&[Do::Capture(4, true), Do::Refund(3)], 0, 1),
        (&[Do::Capture(4, true), Do::Refund(3), Do::Refund(1)], 0, 0),
        (&[Do::Increment(5)], 15, 15),
        (&[Do::Capture(12, false), Do::Increment(5)], 3, 15),
        (&[Do::Increment(5), Do::Void], 0, 0),
    ] {
        assert_eq!(shard_after(steps).balance(), [held, used, used, used], "{steps:?}");
    }
}

#[test]
fn what_a_capture_answers() {
    // (what was done before, the capture, captured, overage, held, late)
    for (steps, amount, last, captured, overage, held, late) in [
        (&[][..], 10, true, 10, 0, 0, false),
        (&[], 11, true, 11, 1, 0, false),
        (&[], 4, false, 4, 0, 6, false),
        (&[Do::Capture(4, false)], 7, false, 11, 1, 0, false),
        (&[Do::Capture(12, false)], 3, true, 15, 3, 0, false),
        (&[Do::Void], 5, true, 5, 5, 0, true),
        (&[Do::Capture(4, true)], 5, false, 9, 5, 0, true),
        (&[Do::Expire], 1, true, 1, 1, 0, true),
        (&[], 0, true, 0, 0, 0, false),
    ] {
        let [captured, overage, held] = [captured, overage, held].map(micros);
        let expected = Captured { captured, overage, held, late };
        assert_eq!(shard_after(steps).capture(1, amount, last), Ok(Outcome::Captured(expected)), "{steps:?} {amount}");
    }
}

#[test]
fn a_void_releases_what_is_not_captured() {
    let over = |status| Err(Failure::AuthorizationOver(status));
    let voided = |released| Ok(Outcome::Voided { released: micros(released) });
    for (steps, expected) in [
        (&[][..], voided(10)),
        (&[Do::Capture(4, false)], voided(6)),
        (&[Do::Capture(12, false)], voided(0)),
        (&[Do::Capture(4, true)], over(HoldStatus::Captured)),
        (&[Do::Expire], over(HoldStatus::Expired)),
        (&[Do::Void], voided(10)),
        (&[Do::Capture(4, false), Do::Void], voided(6)),
    ] {
        assert_eq!(shard_after(steps).void(1), expected, "{steps:?}");
    }
}

#[test]
fn an_extension_never_shortens() {
    // (seconds before, by, seconds from the beginning until it expires)
    for (wait, by, until) in
        [(0, 300, 300), (0, 301, 301), (0, 1, 300), (100, 200, 300), (100, 201, 301), (310, 5, 315)]
    {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 5));
        let begun = shard.now;
        shard.wait(wait);
        let expires_at = begun.after(Duration::from_secs(until));
        assert_eq!(shard.extend(1, by), Ok(Outcome::Extended { expires_at }), "{wait} {by}");
        shard.now = expires_at.after(Duration::from_secs(30));
        shard.now = holdfast::kernel::Timestamp::from_micros(shard.now.micros() - 1);
        assert_eq!(shard.authorization(1).status, HoldStatus::Open);
        assert_eq!(shard.wait_micros(1).authorization(1).status, HoldStatus::Expired);
    }
}

#[test]
fn what_cannot_be_extended_or_enlarged() {
    for (steps, status) in [
        (&[Do::Capture(4, true)][..], HoldStatus::Captured),
        (&[Do::Void], HoldStatus::Voided),
        (&[Do::Expire], HoldStatus::Expired),
    ] {
        assert_eq!(shard_after(steps).extend(1, 60), Err(Failure::AuthorizationOver(status)));
        assert_eq!(shard_after(steps).increment(1, 1), Err(Failure::AuthorizationOver(status)));
    }
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 10, ""));
    shard.hold(x402(2, 10));
    for answer in [
        shard.extend(1, 60),
        shard.increment(1, 1),
        shard.extend(2, 0),
        shard.extend(2, 7 * 86_400 + 1),
        shard.increment(2, 0),
        shard.refund(2, 0),
    ] {
        assert!(matches!(answer, Err(Failure::Invalid { .. })), "{answer:?}");
    }
}

#[test]
fn an_increment_is_checked_like_a_payment_of_the_difference() {
    // (rule, amount held, the most it may grow by, the kind of the violation beyond)
    for (rule, held, most, kind) in [
        (("MAX_AMOUNT", "0.000050"), 30, 20, RuleKind::MaxAmount),
        (("X402_PRICE_CEILING", "0.000050"), 30, 20, RuleKind::X402PriceCeiling),
        (("DAILY_LIMIT", "0.000050"), 30, 20, RuleKind::DailyLimit),
        (("MONTHLY_LIMIT", "0.000050"), 30, 20, RuleKind::MonthlyLimit),
        (("X402_SESSION_BUDGET", "0.000050"), 30, 20, RuleKind::X402SessionBudget),
        (("X402_MAX_PER_SERVICE", "0.000050"), 30, 20, RuleKind::X402MaxPerService),
    ] {
        let mut shard = Shard::new(&[rule]);
        shard.hold(x402(1, held));
        assert_eq!(kinds(&shard.increment(1, most + 1)), [ViolationKind::Rule(kind)], "{rule:?}");
        assert_eq!(shard.balance()[0], held);
        assert_eq!(kinds(&shard.increment(1, most)), [], "{rule:?}");
        assert_eq!(shard.balance()[0], held + most);
    }
}

#[test]
fn an_increment_is_no_call() {
    let mut shard = Shard::new(&[("VELOCITY_LIMIT", r#"{"maxCount":1,"period":"DAY"}"#)]);
    shard.hold(x402(1, 5));
    assert_eq!(kinds(&shard.increment(1, 5)), []);
}

#[test]
fn a_hold_grows_on_the_day_it_was_placed_only() {
    let mut shard = Shard::new(&[]);
    shard.hold(Authorize { hold_for: Some(Duration::from_secs(86_400)), ..x402(1, 5) });
    shard.wait_micros(12 * 3600 * 1_000_000 - 1);
    assert!(matches!(shard.increment(1, 5), Ok(Outcome::Increased { .. })));
    shard.wait_micros(1);
    let answer = shard.increment(1, 5);
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(shard.authorization(1).amount, micros(10));
}

#[test]
fn no_more_comes_back_than_was_captured() {
    // (what was done before, the most that may come back)
    for (steps, most) in [
        (&[][..], 0),
        (&[Do::Capture(4, false)], 4),
        (&[Do::Capture(4, true)], 4),
        (&[Do::Capture(12, true)], 12),
        (&[Do::Capture(4, true), Do::Refund(3)], 1),
        (&[Do::Capture(4, false), Do::Void], 4),
        (&[Do::Expire, Do::Capture(4, true)], 4),
    ] {
        let too_much = shard_after(steps).refund(1, most + 1);
        assert!(matches!(too_much, Err(Failure::Invalid { .. })), "{steps:?}: {too_much:?}");
        if most > 0 {
            assert!(shard_after(steps).refund(1, most).is_ok(), "{steps:?}");
        }
    }
}
