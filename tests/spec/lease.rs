//! What is approved ahead of the disk, and what a crash leaves of it.

use crate::shard::*;
use holdfast::kernel::{
    Amount, Duration, Event, Failure, Options, Outcome, Protocol, Request,
    outcome::{Booking, Captured, Recorded, ViolationKind},
    policy::RuleKind,
    request::{Authorize, UpdateAgent, WalletSource},
};

/// Leases of a tenth of the smallest limit, at most 1000 units and 5 approvals.
fn leasing(rules: &[(&str, &str)]) -> Options {
    let mut options = options(rules);
    options.lease.ceiling = Amount::from_units(1000);
    options.lease.count_max = 5;
    options
}

/// Another process takes the shard over without the one before having let it go.
fn crash(shard: &mut Shard) {
    shard.apply(&[Event::Started { incarnation: 2 }]);
}

#[test]
fn a_lease_is_a_share_of_the_smallest_limit() {
    // (rules, the agent's own lease, the lease)
    for (rules, own, amount, count) in [
        (&[][..], None, 1_000_000_000, 5),
        (&[("DAILY_LIMIT", "500")], None, 50_000_000, 5),
        (&[("DAILY_LIMIT", "500"), ("WEEKLY_LIMIT", "100")], None, 10_000_000, 5),
        (&[("X402_SESSION_BUDGET", "1")], None, 100_000, 5),
        (&[("MPP_SESSION_BUDGET", "2")], None, 200_000, 5),
        (&[("X402_MAX_PER_SERVICE", "3")], None, 300_000, 5),
        (&[("MONTHLY_LIMIT", "1000000")], None, 1_000_000_000, 5),
        (&[("MAX_AMOUNT", "1")], None, 1_000_000_000, 5),
        (&[("DAILY_LIMIT", "500")], Some(7), 7, 5),
        (&[("DAILY_LIMIT", "500")], Some(0), 0, 5),
        (&[("VELOCITY_LIMIT", r#"{"maxCount":30,"period":"DAY"}"#)], None, 1_000_000_000, 3),
        (&[("VELOCITY_LIMIT", r#"{"maxCount":1000,"period":"DAY"}"#)], None, 1_000_000_000, 5),
    ] {
        let mut shard = Shard::with(leasing(rules));
        if let Some(own) = own {
            let update = UpdateAgent { lease: Some(micros(own)), ..UpdateAgent::default() };
            assert_eq!(shard.ask(&Request::UpdateAgent(AGENT, update)), Ok(Outcome::Done));
        }
        let lease = shard.state.lease(AGENT);
        assert_eq!((lease.amount.micros(), lease.count, lease.armed), (amount, count, false), "{rules:?} {own:?}");
    }
    let mut shard = Shard::with(leasing(&[]));
    shard.put_wallet(WalletSource { limit_per_day: Some(micros(90)), ..wallet("w") });
    assert_eq!(shard.state.lease(AGENT).amount, micros(9));
}

#[test]
fn the_first_approval_that_could_ride_arms_the_lease() {
    let lasting = |seconds| Authorize { hold_for: Some(Duration::from_secs(seconds)), ..x402(1, 5) };
    let cases: [(Authorize<'static>, bool); 4] =
        [(x402(1, 5), true), (lasting(600), true), (lasting(601), false), (plain(1, 5), true)];
    for (authorize, armed) in cases {
        let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "1")]));
        shard.hold(authorize.clone());
        assert_eq!(shard.state.lease(AGENT).armed, armed, "{authorize:?}");
    }
}

#[test]
fn a_lease_that_changes_is_disarmed() {
    let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "1")]));
    shard.hold(x402(1, 5));
    shard.ask(&Request::PutPolicy(policy(&[("DAILY_LIMIT", "2")]), None)).unwrap();
    assert!(!shard.state.lease(AGENT).armed);
    shard.hold(x402(2, 5));
    assert!(shard.state.lease(AGENT).armed);
}

#[test]
fn a_crash_leaves_an_unknown_hold_of_an_armed_lease() {
    let limits: [(&str, &str); 4] = [
        ("DAILY_LIMIT", "0.000100"),
        ("MONTHLY_LIMIT", "0.000100"),
        ("X402_SESSION_BUDGET", "0.000100"),
        ("X402_MAX_PER_SERVICE", "0.000100"),
    ];
    for limit in limits {
        let mut shard = Shard::with(leasing(&[limit]));
        shard.hold(x402(1, 30));
        crash(&mut shard);
        assert_eq!(kinds(&shard.authorize(x402(2, 61))).len(), 1, "30 are held, 10 unknown: {limit:?}");
        shard.hold(x402(2, 60));
        shard.void(2).unwrap();
        // It is kept as long as a hold that rode on the lease, with its grace.
        shard.wait_micros(630_000_000 - 1);
        assert_eq!(kinds(&shard.authorize(x402(3, 100))).len(), 1, "{limit:?}");
        shard.wait_micros(1);
        assert_eq!(kinds(&shard.authorize(x402(3, 100))), [], "{limit:?}");
    }
}

#[test]
fn who_gets_no_unknown_hold() {
    let starts: [Deed; 3] = [
        crash,
        |shard| {
            shard.hold(x402(1, 1));
            shard.apply(&[Event::Stopped]);
            crash(shard);
        },
        |shard| {
            shard.hold(x402(1, 1));
            shard.ask(&Request::PutPolicy(policy(&[("DAILY_LIMIT", "0.000200")]), None)).unwrap();
            crash(shard);
        },
    ];
    for (index, start) in starts.into_iter().enumerate() {
        let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "0.000101")]));
        start(&mut shard);
        assert_eq!(kinds(&shard.authorize(x402(2, 100))), [], "case {index}");
    }
}

#[test]
fn the_count_of_a_lost_lease_counts_as_calls() {
    let mut shard = Shard::with(leasing(&[("VELOCITY_LIMIT", r#"{"maxCount":20,"period":"DAY"}"#)]));
    shard.hold(x402(1, 5));
    crash(&mut shard);
    let approved = (2..40).filter(|hold| matches!(shard.authorize(x402(*hold, 1)), Ok(Outcome::Approved(_)))).count();
    assert_eq!(approved, 17, "one was seen, two may have been");
}

#[test]
fn a_lost_hold_is_captured_from_the_unknown_hold() {
    let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "0.000100"), ("X402_SESSION_BUDGET", "0.000100")]));
    shard.hold(x402(1, 30));
    crash(&mut shard);
    // (amount, overage): the lease was 10.
    for (lost, amount, overage) in [(91, 6, 0), (92, 6, 2)] {
        let [captured, overage] = [amount, overage].map(micros);
        let expected = Captured { captured, overage, held: micros(0), late: true };
        assert_eq!(shard.capture(lost, amount, true), Ok(Outcome::Captured(expected)));
    }
    assert_eq!(shard.balance(), [30, 42, 42, 42]);
    // Nobody knows its session, so it counts in every one.
    let named = Authorize { session: "other", ..x402(2, 89) };
    let found = kinds(&shard.authorize(named));
    assert!(found.contains(&ViolationKind::Rule(RuleKind::X402SessionBudget)), "{found:?}");
    assert_eq!(shard.void(91), Err(Failure::UnknownAuthorization));
}

#[test]
fn a_lost_hold_counts_in_every_wallet() {
    let capped = |id| WalletSource { limit_per_day: Some(micros(20)), balance: Some(micros(50)), ..wallet(id) };
    let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "0.000100")]));
    shard.put_wallet(capped("w1"));
    shard.put_wallet(capped("w2"));
    shard.hold(x402(1, 1));
    crash(&mut shard);
    shard.capture(91, 12, true).unwrap();
    let wallets = shard.agent().wallets;
    let seen: Vec<_> = wallets.iter().map(|wallet| (wallet.used[0], wallet.available)).collect();
    assert_eq!(seen, [(micros(13), Some(micros(37))), (micros(12), Some(micros(38)))]);
    let other = |hold, amount| Authorize { wallet: "w2", ..x402(hold, amount) };
    assert_eq!(kinds(&shard.authorize(other(2, 9))), [ViolationKind::WalletPerDay]);
    shard.hold(other(2, 8));
    assert_eq!(shard.balance(), [9, 21, 21, 21], "the agent paid it once");
}

#[test]
fn a_lost_hold_counts_in_every_deposit() {
    let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "0.000100")]));
    shard.hold(deposit(1, 50, "s"));
    shard.hold(mpp(2, 1, "s"));
    crash(&mut shard);
    shard.capture(91, 12, true).unwrap();
    assert_eq!(shard.budget(Protocol::Mpp, "s").limits[0].used, money(13));
    assert_eq!(kinds(&shard.authorize(mpp(3, 38, "s"))), [ViolationKind::SessionDeposit]);
    shard.hold(mpp(3, 37, "s"));
}

#[test]
fn a_lost_payment_is_recovered() {
    let mut shard = Shard::with(leasing(&[("DAILY_LIMIT", "0.000100")]));
    shard.hold(x402(1, 1));
    shard.void(1).unwrap();
    crash(&mut shard);
    let expected = Recorded { booking: Booking::Recovered, authorization: None, overage: micros(0) };
    assert_eq!(shard.record(paid(4)), Ok(Outcome::Recorded(expected)));
    assert_eq!(shard.balance(), [0, 4, 4, 4]);
    assert_eq!(shard.services(Protocol::X402)[0].spent, micros(4));
    assert_eq!(kinds(&shard.authorize(x402(2, 91))).len(), 1, "4 are paid, 6 unknown");
    assert_eq!(kinds(&shard.authorize(x402(2, 90))), []);
}
