//! Who was paid: another recipient than the hold is for was never authorized.

use crate::shard::*;
use holdfast::kernel::{
    Amount, Failure, OperationId, Outcome, Protocol, Request,
    outcome::{Booking, HoldStatus, Recorded, ViolationKind},
    policy::RuleKind,
    request::{Authorize, Capture, CaptureTo, Record},
};

fn capture_to(shard: &mut Shard, hold: u128, operation: u128, amount: u64, recipient: &str) -> Answer {
    let capture = Capture { id: id(hold), operation: OperationId(operation), amount: micros(amount), last: true };
    shard.ask(&Request::CaptureTo(AGENT, CaptureTo { capture, recipient }))
}

fn misdirected(hold: u128, amount: u64) -> Answer {
    let (authorization, overage) = (Some(id(hold)), micros(amount));
    Ok(Outcome::Recorded(Recorded { booking: Booking::Misdirected, authorization, overage }))
}

#[test]
fn the_right_recipient_is_a_capture_like_any_other() {
    for recipient in [PAYEE, "0xAA"] {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 10));
        let Ok(Outcome::Captured(captured)) = capture_to(&mut shard, 1, 7, 4, recipient) else { panic!("{recipient}") };
        assert_eq!((captured.captured, captured.overage), (micros(4), Amount::ZERO));
        assert_eq!(shard.balance(), [0, 4, 4, 4]);
    }
}

#[test]
fn another_recipient_is_unauthorized_spend_and_the_hold_stays() {
    let holds: [fn() -> Authorize<'static>; 4] =
        [|| x402(1, 10), || Authorize { session: "run", ..x402(1, 10) }, || mpp(1, 10, "run"), || plain(1, 10)];
    for hold in holds {
        let mut shard = Shard::new(&[]);
        shard.hold(hold());
        assert_eq!(capture_to(&mut shard, 1, 7, 4, "0xbb"), misdirected(1, 4));
        assert_eq!(shard.balance(), [10, 14, 14, 14], "{:?}", hold());
        assert_eq!(shard.authorization(1).status, HoldStatus::Open);
        assert_eq!(shard.authorization(1).captured, Amount::ZERO);
        // The hold can still be paid, or let go.
        shard.capture(1, 10, true).unwrap();
        assert_eq!(shard.balance(), [0, 14, 14, 14]);
    }
}

#[test]
fn it_counts_where_the_hold_would_have() {
    let rules = [
        ("DAILY_LIMIT", RuleKind::DailyLimit),
        ("X402_SESSION_BUDGET", RuleKind::X402SessionBudget),
        ("X402_MAX_PER_SERVICE", RuleKind::X402MaxPerService),
    ];
    for (rule, kind) in rules {
        let mut shard = Shard::new(&[(rule, "0.000020")]);
        shard.hold(x402(1, 10));
        assert_eq!(capture_to(&mut shard, 1, 7, 4, "0xbb"), misdirected(1, 4));
        assert_eq!(kinds(&shard.authorize(x402(2, 7))), [ViolationKind::Rule(kind)]);
        shard.hold(x402(3, 6));
    }
    let mut shard = Shard::new(&[("VELOCITY_LIMIT", r#"{"maxCount":2,"period":"HOUR"}"#)]);
    shard.hold(x402(1, 10));
    capture_to(&mut shard, 1, 7, 4, "0xbb").unwrap();
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::Rule(RuleKind::VelocityLimit)]);
}

#[test]
fn a_wallet_pays_for_it_all_the_same() {
    let mut shard = Shard::new(&[]);
    shard.put_wallet(holdfast::kernel::request::WalletSource { balance: Some(micros(20)), ..wallet("w") });
    shard.hold(Authorize { wallet: "w", ..x402(1, 10) });
    capture_to(&mut shard, 1, 7, 4, "0xbb").unwrap();
    assert_eq!(shard.agent().wallets[0].available, Some(micros(6)));
}

#[test]
fn a_deposit_keeps_what_somebody_else_was_paid() {
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 50, "s"));
    shard.hold(mpp(2, 10, "s"));
    for (operation, hold) in [(7, 1), (8, 2)] {
        assert_eq!(capture_to(&mut shard, hold, operation, 4, "0xbb"), misdirected(hold, 4));
    }
    assert_eq!(shard.balance(), [50, 58, 58, 58]);
    let session = shard.budget(Protocol::Mpp, "s").session.unwrap();
    assert_eq!((session.spent, session.held), (Amount::ZERO, micros(10)));
    shard.hold(mpp(3, 40, "s"));
}

#[test]
fn a_hold_that_is_over_is_for_its_recipient_too() {
    let ends: [Deed; 3] = [
        |shard| drop(shard.capture(1, 10, true).unwrap()),
        |shard| drop(shard.void(1).unwrap()),
        |shard| {
            shard.wait(400);
        },
    ];
    for end in ends {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 10));
        end(&mut shard);
        let before = shard.authorization(1);
        assert_eq!(capture_to(&mut shard, 1, 7, 4, "0xbb"), misdirected(1, 4));
        assert_eq!(shard.authorization(1), before);
    }
}

#[test]
fn it_is_booked_once() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    for _ in 0..2 {
        assert_eq!(capture_to(&mut shard, 1, 7, 4, "0xbb"), misdirected(1, 4));
    }
    assert_eq!(shard.balance(), [10, 14, 14, 14]);
    assert_eq!(capture_to(&mut shard, 1, 7, 5, "0xbb"), Err(Failure::IdReused));
    assert_eq!(capture_to(&mut shard, 1, 7, 4, "0xcc"), Err(Failure::IdReused));
    assert_eq!(capture_to(&mut shard, 1, 7, 4, PAYEE), Err(Failure::IdReused));
    assert_eq!(shard.balance(), [10, 14, 14, 14]);
}

#[test]
fn a_payment_of_nothing_to_nobody_is_refused() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    for (amount, recipient) in [(0, "0xbb"), (Amount::MAX.micros() + 1, "0xbb"), (4, ""), (4, "0x bb")] {
        let answer = capture_to(&mut shard, 1, 7, amount, recipient);
        assert!(matches!(answer, Err(Failure::Invalid { .. })), "{amount} {recipient:?}: {answer:?}");
    }
    assert_eq!(capture_to(&mut shard, 9, 7, 4, "0xbb"), Err(Failure::UnknownAuthorization));
    assert_eq!(shard.balance(), [10; 4]);
}

#[test]
fn a_record_that_names_a_hold_for_somebody_else_is_misdirected() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 10));
    let record = |recipient| Record { authorization: Some(id(1)), recipient, transaction: "t", ..paid(4) };
    assert_eq!(shard.record(record("0xbb")), misdirected(1, 4));
    assert_eq!(shard.balance(), [10, 14, 14, 14]);
    let Ok(Outcome::Recorded(again)) = shard.record(record("0xbb")) else { panic!("not recorded") };
    assert_eq!((again.booking, again.authorization), (Booking::Duplicate, Some(id(1))));
    let Ok(Outcome::Recorded(right)) = shard.record(record(PAYEE)) else { panic!("not recorded") };
    assert_eq!((right.booking, right.overage), (Booking::Matched, Amount::ZERO));
    assert_eq!(shard.balance(), [0, 8, 8, 8]);
}

#[test]
fn it_takes_nothing_of_what_a_crash_may_have_lost() {
    let mut options = options(&[("DAILY_LIMIT", "0.000100")]);
    options.lease.ceiling = micros(10);
    let mut shard = Shard::with(options);
    shard.hold(x402(1, 5));
    shard.apply(&[holdfast::kernel::Event::Started { incarnation: 2 }]);
    assert_eq!(capture_to(&mut shard, 1, 7, 4, "0xbb"), misdirected(1, 4));
    // 5 held, 4 spent and 10 unknown of 100.
    assert_eq!(kinds(&shard.authorize(x402(2, 82))), [ViolationKind::Rule(RuleKind::DailyLimit)]);
    shard.hold(x402(3, 81));
}
