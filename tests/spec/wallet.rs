//! The wallet that pays, and its limits.

use crate::shard::*;
use holdfast::kernel::{
    Options, Outcome, Request,
    outcome::{Approval, ViolationKind},
    request::{AgentStatus, Authorize, UpdateAgent, WalletSource},
};

fn needing_wallets() -> Options {
    Options { require_wallet: true, ..options(&[]) }
}

#[test]
fn a_wallet_is_named_by_its_id_or_else_by_its_address() {
    let at = |id: &str, address: &str| WalletSource { address: address.to_owned(), ..wallet(id) };
    for (name, position) in
        [("w1", Some(0)), ("0xfeed", Some(1)), ("0xFEED", Some(1)), ("0xdead", None), ("9xQe", Some(2)), ("9xqe", None)]
    {
        let mut shard = Shard::new(&[]);
        for wallet in [at("w1", "0x1"), at("w2", "0xFeed"), at("w3", "9xQe")] {
            shard.put_wallet(wallet);
        }
        let answer = shard.authorize(Authorize { wallet: name, ..x402(1, 5) });
        let found = if let Ok(Outcome::Approved(approval)) = &answer { approval.wallet } else { None };
        assert_eq!(found, position, "{name}: {answer:?}");
        assert_eq!(kinds(&answer), if position.is_some() { vec![] } else { vec![ViolationKind::NoWallet] });
    }
}

#[test]
fn an_agent_without_a_wallet_is_refused_where_one_is_required() {
    let mut shard = Shard::with(needing_wallets());
    assert_eq!(kinds(&shard.authorize(x402(1, 5))), [ViolationKind::NoWallet]);
    shard.put_wallet(wallet("w1"));
    shard.hold(x402(1, 5));
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 5));
    // A named wallet must exist in any case.
    let named = Authorize { wallet: "w9", ..x402(2, 5) };
    assert_eq!(kinds(&shard.authorize(named)), [ViolationKind::NoWallet]);
}

#[test]
fn wallets_are_preferred_by_who_keeps_their_keys() {
    // (custody and whether frozen, in the order of linking; which pays)
    let cases: [(&[(&str, bool)], u8); 6] = [
        (&[("EXTERNAL", false), ("SMART_CONTRACT", false), ("SPONGE", false), ("PRIVY", false)], 3),
        (&[("OTHER", false), ("EXTERNAL", false)], 1),
        (&[("EXTERNAL", false), ("EXTERNAL", false)], 0),
        (&[("PRIVY", true), ("EXTERNAL", false)], 1),
        (&[("SMART_CONTRACT", false), ("SPONGE", false)], 1),
        (&[("other", false), ("OTHER", false)], 0),
    ];
    for (wallets, pays) in cases {
        let mut shard = Shard::with(needing_wallets());
        for (index, (custody, frozen)) in wallets.iter().enumerate() {
            let custody = (*custody).to_owned();
            shard.put_wallet(WalletSource { custody, frozen: *frozen, ..wallet(&format!("w{index}")) });
        }
        let Ok(Outcome::Approved(Approval { wallet, .. })) = shard.authorize(x402(1, 5)) else { panic!("{wallets:?}") };
        assert_eq!(wallet, Some(pays), "{wallets:?}");
    }
}

#[test]
fn limits_of_a_wallet() {
    let cap = Some(micros(50));
    let base = || wallet("w");
    for (kind, source) in [
        (ViolationKind::WalletPerPayment, WalletSource { limit_per_payment: cap, ..base() }),
        (ViolationKind::WalletPerDay, WalletSource { limit_per_day: cap, ..base() }),
        (ViolationKind::WalletPerWeek, WalletSource { limit_per_week: cap, ..base() }),
        (ViolationKind::WalletPerMonth, WalletSource { limit_per_month: cap, ..base() }),
        (ViolationKind::Balance, WalletSource { balance: cap, ..base() }),
    ] {
        let mut shard = Shard::with(needing_wallets());
        shard.put_wallet(source);
        let found = violations(&shard.authorize(x402(1, 51)));
        assert_eq!(found.len(), 1, "{kind:?}");
        assert_eq!((found[0].kind, found[0].limit, found[0].current), (kind, money(50), money(51)));
        shard.hold(x402(1, 50));
        let again = kinds(&shard.authorize(x402(2, 1)));
        assert_eq!(again.contains(&kind), kind != ViolationKind::WalletPerPayment, "{kind:?}");
    }
}

#[test]
fn a_frozen_wallet_pays_nothing() {
    let mut shard = Shard::with(needing_wallets());
    shard.put_wallet(WalletSource { frozen: true, ..wallet("w") });
    assert_eq!(kinds(&shard.authorize(x402(1, 5))), [ViolationKind::WalletFrozen]);
}

#[test]
fn hours_and_days_of_a_wallet() {
    // It is Wednesday noon. (hours, days, hours later, whether it may pay)
    for (hours, days, later, pays) in [
        (None, 0, 0, true),
        (Some((12, 13)), 0, 0, true),
        (Some((12, 13)), 0, 1, false),
        (Some((11, 12)), 0, 0, false),
        (Some((22, 6)), 0, 0, false),
        (Some((22, 6)), 0, 9, false),
        (Some((22, 6)), 0, 10, true),
        (Some((22, 6)), 0, 17, true),
        (Some((22, 6)), 0, 18, false),
        (Some((5, 5)), 0, 0, true),
        (Some((0, 24)), 0, 11, true),
        (None, 0b000_0100, 0, true),
        (None, 0b111_1011, 0, false),
        (None, 0b000_0100, 12, false),
    ] {
        let mut shard = Shard::with(needing_wallets());
        shard.put_wallet(WalletSource { allowed_hours: hours, allowed_days: days, ..wallet("w") });
        shard.wait(later * 3600);
        let expected: &[ViolationKind] = if pays { &[] } else { &[ViolationKind::WalletTime] };
        assert_eq!(kinds(&shard.authorize(x402(1, 5))), expected, "{hours:?} {days:b} {later}");
    }
}

#[test]
fn a_balance_falls_by_what_is_held_and_paid_since_it_was_told() {
    let told = |balance| WalletSource { balance: Some(micros(balance)), ..wallet("w") };
    let mut shard = Shard::with(needing_wallets());
    let available = |shard: &mut Shard| shard.agent().wallets[0].available.map(holdfast::kernel::Amount::micros);
    shard.put_wallet(told(100));
    shard.hold(x402(1, 30));
    assert_eq!(available(&mut shard), Some(70));
    shard.capture(1, 10, false).unwrap();
    assert_eq!(available(&mut shard), Some(70), "10 are paid and 20 held");
    shard.capture(1, 5, true).unwrap();
    assert_eq!(available(&mut shard), Some(85));
    shard.hold(x402(2, 20));
    shard.put_wallet(told(50));
    assert_eq!(available(&mut shard), Some(30), "what is held is not in the new balance");
    shard.put_wallet(WalletSource { balance: None, limit_per_day: Some(micros(1000)), ..wallet("w") });
    assert_eq!(available(&mut shard), Some(30), "a change that tells no balance leaves it as it was told");
    shard.record(paid(40)).unwrap();
    assert_eq!(available(&mut shard), Some(0), "less than nothing is nothing");
}

#[test]
fn an_agent_that_is_not_active_pays_nothing() {
    use holdfast::kernel::outcome::AgentStatusCode;
    for (status, code) in [
        (AgentStatus::Paused, AgentStatusCode::Paused),
        (AgentStatus::Suspended, AgentStatusCode::Suspended),
        (AgentStatus::Revoked, AgentStatusCode::Revoked),
    ] {
        let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000001")]);
        shard.hold(x402(1, 1));
        let update = UpdateAgent { status: Some(status), ..UpdateAgent::default() };
        assert_eq!(shard.ask(&Request::UpdateAgent(AGENT, update)), Ok(Outcome::Done));
        let found = kinds(&shard.authorize(x402(2, 2)));
        assert_eq!(found.len(), 2, "the other violations are told too");
        assert_eq!(found[0], ViolationKind::AgentNotActive(code));
        assert!(shard.capture(1, 1, true).is_ok(), "what was approved before is captured");
    }
}
