//! Calendar windows turn in UTC; a hold counts where it was placed.

use crate::shard::*;
use holdfast::kernel::{
    Duration,
    outcome::ViolationKind,
    policy::RuleKind,
    request::{Authorize, Intent},
};

/// Seconds from the beginning (Wednesday noon) to the midnights that turn a day, a week and a month.
const DAY_TURNS: u64 = 12 * 3600;
const WEEK_TURNS: u64 = DAY_TURNS + 4 * 86_400;
const MONTH_TURNS: u64 = DAY_TURNS + 12 * 86_400;

fn long(hold: u128, amount: u64) -> Authorize<'static> {
    Authorize { hold_for: Some(Duration::from_secs(7 * 86_400)), ..x402(hold, amount) }
}

#[test]
fn what_is_held_counts_until_its_window_turns() {
    // (micro-seconds after the turn of the window that turns, what is used: day, week, month)
    for (turn, after, used) in [
        (DAY_TURNS, false, [10, 10, 10]),
        (DAY_TURNS, true, [0, 10, 10]),
        (WEEK_TURNS, false, [0, 10, 10]),
        (WEEK_TURNS, true, [0, 0, 10]),
        (MONTH_TURNS, false, [0, 0, 10]),
        (MONTH_TURNS, true, [0, 0, 0]),
    ] {
        let mut shard = Shard::new(&[]);
        shard.hold(x402(1, 10));
        shard.capture(1, 10, true).unwrap();
        shard.wait_micros(turn * 1_000_000 - u64::from(!after));
        assert_eq!(shard.balance()[1..], used, "{turn} {after}");
    }
}

#[test]
fn what_is_paid_beyond_a_hold_of_another_day_counts_today_and_stays_there() {
    let mut options = options(&[]);
    options.history_kept = Duration::from_secs(30 * 86_400);
    let mut shard = Shard::with(options);
    shard.hold(long(1, 10));
    shard.wait(DAY_TURNS);
    assert_eq!(shard.balance(), [10, 0, 10, 10]);
    shard.capture(1, 4, false).unwrap();
    assert_eq!(shard.balance(), [6, 0, 10, 10]);
    shard.capture(1, 9, true).unwrap();
    assert_eq!(shard.balance(), [0, 3, 13, 13], "what was paid beyond the hold counts today, too");
    shard.refund(1, 3).unwrap();
    assert_eq!(shard.balance(), [0, 3, 10, 10], "a refund takes out of the windows of the hold alone");
    shard.capture(1, 2, false).unwrap();
    assert_eq!(shard.balance(), [0, 5, 12, 12]);
    shard.wait(WEEK_TURNS - DAY_TURNS);
    assert_eq!(shard.balance(), [0, 0, 0, 12]);
    shard.refund(1, 3).unwrap();
    shard.capture(1, 4, false).unwrap();
    assert_eq!(shard.balance(), [0, 4, 4, 13]);
    shard.wait(MONTH_TURNS - WEEK_TURNS);
    assert_eq!(shard.balance(), [0; 4]);
}

#[test]
fn an_old_hold_is_no_way_around_a_daily_limit() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.000020")]);
    shard.hold(long(1, 10));
    shard.wait(DAY_TURNS);
    shard.capture(1, 25, false).unwrap();
    let daily = ViolationKind::Rule(RuleKind::DailyLimit);
    assert_eq!(kinds(&shard.authorize(x402(2, 6))), [daily]);
    shard.hold(x402(2, 5));
    assert_eq!(kinds(&shard.authorize(x402(3, 1))), [daily]);
}

#[test]
fn moving_money_between_a_deposit_and_its_charges_is_no_growth() {
    // (what is captured of a charge of 10 in yesterday's deposit of 50, what counts today, what is then held)
    for (captured, today, held) in [(0, 0, 50), (10, 0, 40), (50, 0, 0), (53, 3, 0)] {
        let duration = Some(Duration::from_secs(2 * 86_400));
        let mut shard = Shard::new(&[]);
        shard.hold(Authorize { intent: Intent::Session { duration }, ..deposit(1, 50, "s") });
        shard.wait(DAY_TURNS);
        shard.hold(mpp(2, 10, "s"));
        shard.capture(2, captured, true).unwrap();
        assert_eq!(shard.balance(), [held, today, 50 + today, 50 + today], "{captured}");
    }
}

#[test]
fn releases_of_yesterday_do_not_touch_today() {
    for release in ["void", "expire", "capture"] {
        let mut shard = Shard::new(&[]);
        shard.hold(Authorize { hold_for: Some(Duration::from_secs(DAY_TURNS + 60)), ..x402(1, 10) });
        shard.wait(DAY_TURNS);
        shard.hold(x402(2, 7));
        assert_eq!(shard.balance(), [17, 7, 17, 17]);
        match release {
            "void" => drop(shard.void(1).unwrap()),
            "capture" => drop(shard.capture(1, 0, true).unwrap()),
            _ => {
                shard.wait(90);
            }
        }
        assert_eq!(shard.balance(), [7, 7, 7, 7], "{release}");
    }
}

#[test]
fn unauthorized_spend_counts_when_it_is_recorded() {
    let mut shard = Shard::new(&[]);
    shard.wait(DAY_TURNS);
    shard.record(paid(5)).unwrap();
    assert_eq!(shard.balance(), [0, 5, 5, 5]);
}
