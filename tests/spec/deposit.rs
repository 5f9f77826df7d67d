//! Sessions with a deposit, and the charges inside.

use crate::shard::*;
use holdfast::kernel::{
    Duration, Failure, Outcome, Protocol,
    outcome::{Booking, Captured, HoldStatus, Recorded, ViolationKind},
    policy::RuleKind,
    request::{Authorize, Intent, Record},
};

/// A deposit of 50 as session `s`.
fn envelope(rules: &[(&str, &str)]) -> Shard {
    let mut shard = Shard::new(rules);
    shard.hold(deposit(1, 50, "s"));
    shard
}

fn report(amount: u64, session: &'static str) -> Record<'static> {
    Record { protocol: Protocol::Mpp, session, ..paid(amount) }
}

#[test]
fn the_deposit_is_held_once_and_charges_draw_from_it() {
    let mut shard = envelope(&[("DAILY_LIMIT", "0.000050")]);
    assert_eq!(shard.balance(), [50; 4]);
    shard.hold(mpp(2, 30, "s"));
    shard.hold(mpp(3, 20, "s"));
    assert_eq!(shard.balance(), [50; 4], "charges inside weigh nothing on the agent");
    assert_eq!(kinds(&shard.authorize(mpp(4, 1, "s"))), [ViolationKind::SessionDeposit]);
    shard.capture(2, 30, true).unwrap();
    shard.capture(3, 5, true).unwrap();
    assert_eq!(shard.balance(), [15, 50, 50, 50]);
    shard.hold(mpp(4, 15, "s"));
    assert_eq!(kinds(&shard.authorize(mpp(5, 1, "s"))), [ViolationKind::SessionDeposit]);
    let closed = Outcome::SessionClosed { spent: micros(35), released: micros(0) };
    assert_eq!(shard.close(Protocol::Mpp, "s"), Ok(closed));
    shard.void(4).unwrap();
    assert_eq!(shard.balance(), [0, 35, 35, 35]);
}

#[test]
fn what_a_charge_inside_is_checked_against() {
    // (rule, what it denies of a charge of 30 in a deposit of 50)
    for (rule, kind) in [
        (("MPP_MAX_PER_REQUEST", "0.000029"), Some(RuleKind::MppMaxPerRequest)),
        (("MPP_SESSION_BUDGET", "0.000050"), None),
        (("DAILY_LIMIT", "0.000050"), None),
        (("MPP_MAX_CONCURRENT_SESSIONS", "1"), None),
        (("VELOCITY_LIMIT", r#"{"maxCount":1,"period":"DAY"}"#), Some(RuleKind::VelocityLimit)),
    ] {
        let mut shard = envelope(&[rule]);
        let expected: Vec<_> = kind.map(ViolationKind::Rule).into_iter().collect();
        assert_eq!(kinds(&shard.authorize(mpp(2, 30, "s"))), expected, "{rule:?}");
    }
    let mut shard = envelope(&[]);
    let elsewhere = Authorize { service: "odd.example.com", ..mpp(2, 5, "s") };
    assert_eq!(kinds(&shard.authorize(elsewhere)), [ViolationKind::SessionPayee]);
    let other = Authorize { recipient: "0xbb", ..mpp(2, 5, "s") };
    assert_eq!(kinds(&shard.authorize(other)), [ViolationKind::SessionPayee]);
}

#[test]
fn the_first_name_seen_names_an_envelope() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.000050")]);
    shard.hold(deposit(1, 50, ""));
    // A denied charge does not name it.
    assert_eq!(kinds(&shard.authorize(mpp(2, 51, "a"))), [ViolationKind::SessionDeposit]);
    assert_eq!(shard.close(Protocol::Mpp, "a"), Err(Failure::UnknownSession));
    shard.hold(mpp(2, 30, "b"));
    assert_eq!(shard.balance(), [50; 4]);
    // Another name is another session, which has nothing of the day left.
    assert_eq!(kinds(&shard.authorize(mpp(3, 5, "c"))), [ViolationKind::Rule(RuleKind::DailyLimit)]);
    assert!(shard.close(Protocol::Mpp, "b").is_ok());
}

#[test]
fn what_a_capture_inside_answers() {
    // (amounts of charges held, capture of the first, its overage, held of the agent, used)
    for (charges, capture, last, overage, held, used) in [
        (&[10][..], 10, true, 0, 40, 50),
        (&[10], 4, false, 0, 46, 50),
        (&[10], 15, true, 0, 35, 50),
        (&[10, 40], 15, true, 5, 40, 55),
        (&[10, 40], 10, true, 0, 40, 50),
        (&[10, 30], 25, true, 5, 30, 55),
        (&[10], 60, true, 10, 0, 60),
    ] {
        let mut shard = envelope(&[]);
        for (index, amount) in charges.iter().enumerate() {
            shard.hold(mpp(2 + index as u128, *amount, "s"));
        }
        let Ok(Outcome::Captured(Captured { overage: found, .. })) = shard.capture(2, capture, last) else { panic!() };
        assert_eq!((found, shard.balance()), (micros(overage), [held, used, used, used]), "{charges:?} {capture}");
    }
}

#[test]
fn reports_of_a_session_draw_from_its_deposit() {
    let recorded = |booking, hold, overage| {
        Ok(Outcome::Recorded(Recorded { booking, authorization: Some(id(hold)), overage: micros(overage) }))
    };
    // Without a charge of its own, by name, as first name, and by payee.
    for session in ["s", ""] {
        let mut shard = envelope(&[]);
        assert_eq!(shard.record(report(20, session)), recorded(Booking::Session, 1, 0));
        assert_eq!(shard.balance(), [30, 50, 50, 50]);
    }
    let mut shard = Shard::new(&[]);
    shard.hold(deposit(1, 50, ""));
    assert_eq!(shard.record(report(20, "first")), recorded(Booking::Session, 1, 0));
    assert!(shard.close(Protocol::Mpp, "first").is_ok());
    // The charge that covers it is captured.
    let mut shard = envelope(&[]);
    shard.hold(mpp(2, 20, "s"));
    assert!(matches!(
        shard.record(report(20, "s")),
        Ok(Outcome::Recorded(Recorded { authorization: Some(hold), .. })) if hold == id(2)
    ));
    assert_eq!(shard.authorization(2).status, HoldStatus::Captured);
    assert_eq!(shard.balance(), [30, 50, 50, 50]);
    // More than the deposit is overage.
    let mut shard = envelope(&[]);
    assert_eq!(shard.record(report(60, "s")), recorded(Booking::Session, 1, 10));
    assert_eq!(shard.balance(), [0, 60, 60, 60]);
}

#[test]
fn closing_releases_what_is_left() {
    // (captured before, closing tells spent and released, used then)
    for (captured, spent, released) in [(0, 0, 50), (20, 20, 30), (50, 50, 0), (60, 60, 0)] {
        let mut shard = envelope(&[]);
        shard.hold(mpp(2, 20, "s"));
        shard.capture(2, captured, true).unwrap();
        let closed = Ok(Outcome::SessionClosed { spent: micros(spent), released: micros(released) });
        assert_eq!(shard.close(Protocol::Mpp, "s"), closed);
        assert_eq!(shard.balance(), [0, spent, spent, spent]);
        assert_eq!(shard.close(Protocol::Mpp, "s"), closed);
        assert_eq!(kinds(&shard.authorize(mpp(3, 1, "s")))[0], ViolationKind::SessionEnded);
    }
}

#[test]
fn charges_that_are_open_keep_their_part_of_a_closed_deposit() {
    let closings: [Deed; 3] = [
        |shard| drop(shard.close(Protocol::Mpp, "s").unwrap()),
        |shard| drop(shard.void(1).unwrap()),
        |shard| drop(shard.capture(1, 0, true).unwrap()),
    ];
    for (index, close) in closings.into_iter().enumerate() {
        let mut shard = envelope(&[]);
        shard.hold(mpp(2, 10, "s"));
        shard.hold(mpp(3, 15, "s"));
        close(&mut shard);
        assert_eq!(shard.balance(), [25; 4], "case {index}");
        shard.capture(2, 4, true).unwrap();
        assert_eq!(shard.balance(), [15, 19, 19, 19], "case {index}");
        assert_eq!(shard.authorization(1).status, HoldStatus::Open);
        shard.wait(330);
        assert_eq!(shard.balance(), [0, 4, 4, 4], "case {index}");
        let over = if index == 2 { HoldStatus::Captured } else { HoldStatus::Voided };
        assert_eq!(shard.authorization(1).status, over, "case {index}");
    }
}

#[test]
fn a_deposit_expires_with_its_session() {
    let mut shard = Shard::new(&[]);
    let intent = Intent::Session { duration: Some(Duration::from_secs(600)) };
    shard.hold(Authorize { intent, hold_for: Some(Duration::from_secs(60)), ..deposit(1, 50, "s") });
    shard.wait(500);
    shard.hold(Authorize { hold_for: Some(Duration::from_secs(3600)), ..mpp(2, 10, "s") });
    let end = shard.authorization(1).expires_at;
    assert_eq!(shard.authorization(2).expires_at, end, "a charge lasts as long as its session at most");
    shard.wait(50);
    assert_eq!(shard.extend(2, 3600), Ok(Outcome::Extended { expires_at: end }));
    shard.capture(2, 4, false).unwrap();
    shard.now = end.after(Duration::from_secs(30));
    assert_eq!(shard.balance(), [0, 4, 4, 4]);
    assert_eq!(shard.authorization(1).status, HoldStatus::Expired);
    assert_eq!(shard.authorization(2).status, HoldStatus::Expired);
}

#[test]
fn how_long_a_session_lasts() {
    for (rule, asked, seconds) in [
        (&[][..], None, 3600),
        (&[], Some(100), 100),
        (&[("MPP_MAX_SESSION_DURATION", "900")], None, 900),
        (&[("MPP_MAX_SESSION_DURATION", "900")], Some(100), 100),
        (&[("MPP_MAX_SESSION_DURATION", "7200")], None, 7200),
    ] {
        let mut shard = Shard::new(rule);
        let intent = Intent::Session { duration: asked.map(Duration::from_secs) };
        shard.hold(Authorize { intent, ..deposit(1, 5, "s") });
        assert_eq!(shard.authorization(1).expires_at, shard.now.after(Duration::from_secs(seconds)));
    }
}

#[test]
fn refunds_inside_a_session() {
    // While it is open the money can be spent again.
    let mut shard = envelope(&[]);
    shard.hold(mpp(2, 50, "s"));
    shard.capture(2, 50, true).unwrap();
    shard.refund(2, 20).unwrap();
    assert_eq!(shard.balance(), [20, 50, 50, 50]);
    assert_eq!(kinds(&shard.authorize(mpp(3, 21, "s"))), [ViolationKind::SessionDeposit]);
    shard.hold(mpp(3, 20, "s"));
    // Once it is over it comes back to the windows.
    shard.void(3).unwrap();
    shard.close(Protocol::Mpp, "s").unwrap();
    assert_eq!(shard.balance(), [0, 30, 30, 30]);
    shard.refund(2, 10).unwrap();
    assert_eq!(shard.balance(), [0, 20, 20, 20]);
    assert_eq!(shard.budget(Protocol::Mpp, "s").session.map(|session| session.spent), Some(micros(20)));
}

#[test]
fn a_refund_of_a_deposit_is_not_drawn_twice() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.000050")]);
    shard.hold(deposit(1, 50, "s"));
    shard.capture(1, 20, false).unwrap();
    shard.refund(1, 11).unwrap();
    shard.hold(x402(2, 11));
    let view = shard.budget(Protocol::Mpp, "s");
    assert_eq!((view.limits[0].kind, view.limits[0].used), (ViolationKind::SessionDeposit, money(20)));
    assert_eq!(kinds(&shard.authorize(mpp(3, 31, "s"))), [ViolationKind::SessionDeposit]);
    shard.hold(mpp(3, 30, "s"));
    shard.capture(3, 30, true).unwrap();
    assert_eq!(shard.balance()[1], 50);
}

#[test]
fn a_deposit_that_was_captured_for_the_last_time_cannot_be_voided() {
    let mut shard = envelope(&[]);
    shard.capture(1, 5, true).unwrap();
    assert_eq!(shard.authorization(1).status, HoldStatus::Captured);
    assert_eq!(shard.void(1), Err(Failure::AuthorizationOver(HoldStatus::Captured)));
    assert_eq!(kinds(&shard.authorize(mpp(2, 1, "s")))[0], ViolationKind::SessionEnded);
}

#[test]
fn a_closed_deposit_keeps_its_amount() {
    let mut shard = envelope(&[]);
    shard.capture(1, 20, false).unwrap();
    shard.close(Protocol::Mpp, "s").unwrap();
    assert_eq!(shard.authorization(1).amount, micros(50));
    assert_eq!(shard.budget(Protocol::Mpp, "s").session.and_then(|session| session.deposit), Some(micros(50)));
}

#[test]
fn late_reports_and_refunds_are_booked_long_after_the_end_of_the_session() {
    let mut options = options(&[]);
    options.session_kept = Duration::from_secs(3600);
    let mut shard = Shard::with(options);
    shard.hold(deposit(1, 50, "s"));
    shard.hold(mpp(2, 10, "s"));
    shard.capture(2, 4, true).unwrap();
    shard.wait(3 * 3600);
    assert_eq!(shard.balance(), [0, 4, 4, 4]);
    shard.capture(2, 3, true).unwrap();
    assert_eq!(shard.balance(), [0, 7, 7, 7]);
    shard.refund(2, 5).unwrap();
    assert_eq!(shard.balance(), [0, 2, 2, 2]);
    assert_eq!(shard.authorization(1).captured, micros(7));
}

#[test]
fn an_envelope_is_remembered_as_long_as_its_charges() {
    const HOUR: u64 = 3600;
    // (how long history is kept, when the envelope is forgotten after its deposit is over with the charge inside it)
    for (history_hours, forgotten_hours) in [(1, 3), (5, 5)] {
        let mut options = options(&[]);
        options.session_kept = Duration::from_secs(2 * HOUR);
        options.history_kept = Duration::from_secs(history_hours * HOUR);
        options.session_default = Duration::from_secs(HOUR);
        let mut shard = Shard::with(options);
        shard.hold(deposit(1, 50, "s"));
        shard.hold(mpp(2, 10, "s"));
        shard.close(Protocol::Mpp, "s").unwrap();
        shard.capture(2, 4, true).unwrap();
        shard.wait_micros(forgotten_hours * HOUR * 1_000_000 - 1);
        assert!(shard.close(Protocol::Mpp, "s").is_ok(), "{history_hours}");
        shard.wait_micros(1);
        assert_eq!(shard.close(Protocol::Mpp, "s"), Err(Failure::UnknownSession), "{history_hours}");
    }
}

#[test]
fn what_is_held_after_drawing_over_the_free_part() {
    let mut shard = envelope(&[]);
    shard.hold(mpp(2, 10, "s"));
    let [captured, overage, held] = [41, 1, 10].map(micros);
    let expected = Captured { captured, overage, held, late: false };
    assert_eq!(shard.capture(1, 41, false), Ok(Outcome::Captured(expected)));
    assert_eq!(shard.balance(), [10, 51, 51, 51]);
}

#[test]
fn a_charge_that_outlives_its_deposit_still_finds_it() {
    let mut options = options(&[]);
    options.history_kept = Duration::from_secs(600);
    let mut shard = Shard::with(options);
    shard.hold(deposit(1, 50, "s"));
    shard.hold(Authorize { hold_for: Some(Duration::from_secs(3600)), ..mpp(2, 10, "s") });
    shard.capture(2, 10, false).unwrap();
    shard.close(Protocol::Mpp, "s").unwrap();
    assert_eq!(shard.balance(), [0, 10, 10, 10]);
    shard.wait(1200);
    shard.capture(2, 3, false).unwrap();
    assert_eq!(shard.balance(), [0, 13, 13, 13]);
    shard.refund(2, 5).unwrap();
    assert_eq!(shard.balance(), [0, 8, 8, 8]);
}

/// The id of a deposit that was forgotten may be chosen again, for the deposit of another session. The session before, which is remembered
/// longer than its deposit, took that for its own.
#[test]
fn a_session_does_not_take_another_deposit_of_the_same_id_for_its_own() {
    let mut options = options(&[]);
    options.history_kept = holdfast::kernel::Duration::from_secs(60);
    let mut shard = Shard::with(options);
    shard.hold(deposit(1, 50, "s"));
    shard.void(1).unwrap();
    shard.wait(60);
    shard.hold(deposit(1, 70, "t"));
    let deposit = |shard: &mut Shard, session| shard.budget(Protocol::Mpp, session).session.and_then(|s| s.deposit);
    assert_eq!((deposit(&mut shard, "s"), deposit(&mut shard, "t")), (None, Some(micros(70))));
    shard.close(Protocol::Mpp, "s").unwrap();
    assert_eq!(shard.balance(), [70; 4]);
}
