//! An agent that is frozen pays nothing, from the moment at which something was found.

use crate::{alert::only, shard::*};
use holdfast::kernel::{
    Failure, Outcome, Request, State,
    anomaly::{AlertKind, Severity, Threshold},
    outcome::{AgentStatusCode, HoldStatus, ViolationKind},
    request::{AgentStatus, Authorize, Freeze, Record, UpdateAgent},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const SUSPENDED: ViolationKind = ViolationKind::AgentNotActive(AgentStatusCode::Suspended);

impl Shard {
    fn freeze(&mut self, void_holds: bool) -> Answer {
        self.ask(&Request::Freeze(AGENT, Freeze { reason: "a drill", void_holds }))
    }

    fn unfreeze(&mut self) -> Answer {
        self.ask(&Request::Unfreeze(AGENT))
    }

    fn open_holds(&mut self, holds: std::ops::RangeInclusive<u128>) -> usize {
        holds.filter(|hold| self.authorization(*hold).status == HoldStatus::Open).count()
    }
}

fn violate(shard: &mut Shard) {
    (900..905).for_each(|hold| drop(shard.authorize(x402(hold, 1_000_001))));
}

fn fail(shard: &mut Shard) {
    for hold in 900..905 {
        shard.hold(x402(hold, 5));
        shard.void(hold).unwrap();
    }
}

fn spend_much(shard: &mut Shard) {
    shard.pay(1, 10, 100).wait(11 * HOUR);
    shard.hold(x402(100, 400));
}

fn spend_at_once(shard: &mut Shard) {
    shard.pay(1, 10, 100).wait(MINUTE).hold(x402(100, 1001));
}

fn switch(shard: &mut Shard) {
    for (hold, recipient) in (900..).zip(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]) {
        shard.hold(Authorize { recipient, ..x402(hold, 5) });
    }
}

/// What brings a freeze about by itself, with the thresholds it needs.
const TRIGGERS: [(AlertKind, Deed, &[Threshold]); 5] = [
    (AlertKind::ConsecutiveViolations, violate, &[Threshold::MaxConsecutiveViolations]),
    (AlertKind::ConsecutiveFailures, fail, &[Threshold::MaxConsecutiveFailures]),
    (
        AlertKind::SpendVelocity,
        spend_much,
        &[Threshold::SpendVelocityMultiplier, Threshold::SpendVelocityMinTransactions],
    ),
    (
        AlertKind::LargeTransactionAnomaly,
        spend_at_once,
        &[Threshold::LargeTransactionMultiplier, Threshold::LargeTransactionMinTransactions],
    ),
    (AlertKind::RapidCounterpartySwitching, switch, &[Threshold::MaxDistinctRecipientsPerHour]),
];

fn shard(auto_freeze: bool, thresholds: &[Threshold]) -> Shard {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "1")]);
    let defaults: Vec<_> = thresholds.iter().map(|threshold| (*threshold, threshold.default_value())).collect();
    shard.watch(auto_freeze, &only(&defaults));
    shard
}

#[test]
fn what_is_dangerous_freezes_an_agent_whose_operators_want_that() {
    for (kind, deed, thresholds) in TRIGGERS {
        let mut shard = shard(true, thresholds);
        deed(&mut shard);
        assert_eq!(kinds(&shard.authorize(x402(5000, 5))), [SUSPENDED], "{kind:?}");
        assert_eq!(shard.agent().status, AgentStatus::Suspended, "{kind:?}");
        let alerts = shard.alerts();
        let alert = &alerts[0].alert;
        assert_eq!((alerts.len(), alert.finding.kind), (1, kind));
        assert_eq!((alert.severity, alert.froze), (Severity::Critical, true), "{kind:?}");
    }
}

#[test]
fn it_is_only_told_where_they_do_not() {
    for (kind, deed, thresholds) in TRIGGERS {
        let mut shard = shard(false, thresholds);
        deed(&mut shard);
        assert_eq!(shard.agent().status, AgentStatus::Active, "{kind:?}");
        let alerts = shard.alerts();
        let alert = &alerts[0].alert;
        assert_eq!((alert.finding.kind, alert.severity, alert.froze), (kind, Severity::Warning, false));
    }
}

#[test]
fn what_was_only_told_freezes_once_operators_want_it() {
    let mut shard = shard(false, &[Threshold::MaxConsecutiveViolations]);
    violate(&mut shard);
    assert_eq!(shard.agent().status, AgentStatus::Active);
    shard.watch(true, &[]);
    shard.authorize(x402(950, 1_000_001)).unwrap();
    assert_eq!(shard.agent().status, AgentStatus::Suspended);
    assert_eq!(shard.alerts().len(), 2, "a freeze is an alert of its own");
}

#[test]
fn whoever_pays_again_is_watched_anew() {
    for (kind, deed, thresholds) in TRIGGERS {
        let unfreezes: [Deed; 2] = [
            |shard| assert_eq!(shard.unfreeze(), Ok(Outcome::Done)),
            |shard| {
                let status = Some(AgentStatus::Active);
                shard.ask(&Request::UpdateAgent(AGENT, UpdateAgent { status, ..UpdateAgent::default() })).unwrap();
            },
        ];
        for unfreeze in unfreezes {
            let mut shard = shard(true, thresholds);
            deed(&mut shard);
            unfreeze(&mut shard);
            shard.hold(x402(5000, 5));
            drop(shard.authorize(x402(5001, 1_000_001)));
            shard.void(5000).unwrap();
            shard.wait(20).hold(x402(5002, 5));
            assert_eq!(shard.agent().status, AgentStatus::Active, "{kind:?}");
        }
    }
}

#[test]
fn a_frozen_agent_can_report_what_it_paid() {
    let mut shard = Shard::new(&[]);
    shard.hold(x402(1, 50));
    shard.hold(x402(2, 50));
    assert_eq!(shard.freeze(false), Ok(Outcome::Done));
    assert_eq!(kinds(&shard.increment(1, 5)), [SUSPENDED]);
    shard.capture(1, 50, true).unwrap();
    shard.record(Record { recipient: "0xbb", ..paid(5) }).unwrap();
    assert_eq!(shard.authorization(2).status, HoldStatus::Open);
    let alert = &shard.alerts()[0].alert;
    assert_eq!((alert.finding.kind, &*alert.reason), (AlertKind::Manual, "a drill"));
}

#[test]
fn a_freeze_can_void_what_is_open_little_by_little() {
    const HOLDS: u128 = 600;
    let mut shard = Shard::new(&[]);
    shard.create(2, AgentStatus::Active);
    shard.hold(deposit(1, 1000, "s"));
    (2..=HOLDS).for_each(|hold| shard.hold(if hold % 3 == 0 { mpp(hold, 1, "s") } else { x402(hold, 1) }));
    let in_windows = shard.balance()[1];
    assert_eq!(shard.freeze(true), Ok(Outcome::Done));
    // What is due happens when the shard is next asked; 256 at once, and the next a millisecond later.
    for (waited, open) in [(0, HOLDS - 256), (999, HOLDS - 256), (1, HOLDS - 512), (1000, 0), (1000, 0)] {
        shard.wait_micros(waited);
        assert_eq!(shard.open_holds(1..=HOLDS) as u128, open, "after {waited} more microseconds");
    }
    assert!(in_windows > 0);
    assert_eq!(shard.balance(), [0, 0, 0, 0]);
    assert_eq!(shard.state.next_deadline().map(|due| due > shard.now), Some(true), "nothing goes on being voided");
    // What was paid under one of them nevertheless is paid beyond it.
    let answer = shard.capture(2, 1, true);
    assert!(matches!(answer, Ok(Outcome::Captured(captured)) if captured.late && captured.overage == micros(1)));
}

#[test]
fn voids_go_on_after_a_restart_and_stop_when_the_agent_may_pay() {
    for unfreezes in [false, true] {
        let mut shard = Shard::new(&[]);
        (1..=300).for_each(|hold| shard.hold(x402(hold, 1)));
        shard.freeze(true).unwrap();
        assert_eq!(shard.open_holds(1..=300), 44);
        shard.state = State::from_image(&shard.state.image()).unwrap();
        if unfreezes {
            shard.unfreeze().unwrap();
        }
        shard.wait(1);
        assert_eq!(shard.open_holds(1..=300), if unfreezes { 44 } else { 0 });
    }
}

#[test]
fn who_can_be_frozen_and_unfrozen() {
    let with = |status| {
        let mut shard = Shard::new(&[]);
        shard
            .ask(&Request::UpdateAgent(AGENT, UpdateAgent { status: Some(status), ..UpdateAgent::default() }))
            .unwrap();
        shard
    };
    let refused = |answer: &Answer| matches!(answer, Err(Failure::Invalid { field: "status", .. }));
    for (status, freezes, unfreezes) in [
        (AgentStatus::Active, true, true),
        (AgentStatus::Paused, true, false),
        (AgentStatus::Suspended, true, true),
        (AgentStatus::Revoked, false, false),
    ] {
        assert_eq!(refused(&with(status).freeze(false)), !freezes, "{status:?}");
        assert_eq!(refused(&with(status).unfreeze()), !unfreezes, "{status:?}");
    }
    let mut shard = with(AgentStatus::Suspended);
    shard.freeze(false).unwrap();
    assert_eq!(shard.alerts().len(), 0, "it was frozen already");
    let long = "x".repeat(257);
    let answer = shard.ask(&Request::Freeze(AGENT, Freeze { reason: &long, void_holds: true }));
    assert!(matches!(answer, Err(Failure::Invalid { field: "reason", .. })));
}
