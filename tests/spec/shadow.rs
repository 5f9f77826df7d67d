//! A policy in shadow sees what the live ones decide, says where it would have decided otherwise, and changes nothing.

use holdfast::kernel::{
    AgentId, Amount, Failure, Outcome, PolicyId, Request,
    outcome::{ShadowView, View, ViolationKind},
    policy::{PolicyScope, PolicySource, RuleKind},
    request::{AgentStatus, Query},
    state::shadow::{EXAMPLES_MAX, SHADOWS_MAX, Tally},
};

use crate::shard::{Answer, Shard, id, micros, policy, x402};

const LIVE: PolicyId = PolicyId(1);

fn capped(of: u128, cap: &str) -> PolicySource {
    PolicySource { id: PolicyId(of), ..policy(&[("MAX_AMOUNT", cap)]) }
}

/// A shard with a live policy that caps payments at 40.
fn shard() -> Shard {
    let mut shard = Shard::new(&[]);
    shard.ask(&Request::PutPolicy(capped(1, "0.000040"), None)).unwrap();
    shard
}

fn put(shard: &mut Shard, source: PolicySource) -> Answer {
    shard.ask(&Request::PutShadow(source, None))
}

fn shadows(shard: &mut Shard) -> Vec<ShadowView> {
    match shard.ask(&Request::Read(Query::Shadows)) {
        Ok(Outcome::View(View::Shadows(views))) => views,
        other => panic!("{other:?}"),
    }
}

fn tally(count: u64, amount: u64) -> Tally {
    Tally { count, amount: micros(amount) }
}

#[test]
fn it_says_where_it_would_have_decided_otherwise() {
    // The cap of the shadow; what it finds stricter, and looser, in payments of 30, 40, 41 and 60.
    for (cap, stricter, looser) in [
        ("0.000040", tally(0, 0), tally(0, 0)),
        ("0.000039", tally(1, 40), tally(0, 0)),
        ("0.000029", tally(2, 70), tally(0, 0)),
        ("0.000041", tally(0, 0), tally(1, 41)),
        ("0.000060", tally(0, 0), tally(2, 101)),
    ] {
        let (mut shard, mut alone) = (shard(), shard());
        put(&mut shard, capped(1, cap)).unwrap();
        for (hold, amount) in [(1, 30), (2, 40), (3, 41), (4, 60)] {
            let (beside, without) = (shard.authorize(x402(hold, amount)), alone.authorize(x402(hold, amount)));
            assert_eq!(without_revision(beside), without_revision(without), "the live decision is what it was");
        }
        let [view] = &shadows(&mut shard)[..] else { panic!("one is in shadow") };
        assert_eq!((view.shadow.stricter, view.shadow.looser), (stricter, looser), "{cap}");
        assert_eq!(view.shadow.decisions, 4);
        assert_eq!(view.agents.len(), view.shadow.examples.len());
        assert_eq!(view.shadow.examples.len() as u64, stricter.count + looser.count);
    }
}

fn without_revision(answer: Answer) -> Answer {
    answer.map(|outcome| match outcome {
        Outcome::Approved(mut approval) => {
            approval.policy_revision = 0;
            Outcome::Approved(approval)
        }
        Outcome::Denied(mut denial) => {
            denial.policy_revision = 0;
            Outcome::Denied(denial)
        }
        other => other,
    })
}

#[test]
fn an_example_has_the_first_reason_of_either_side() {
    let mut shard = shard();
    put(&mut shard, PolicySource { id: LIVE, ..policy(&[("DAILY_LIMIT", "0.000045")]) }).unwrap();
    shard.authorize(x402(1, 41)).unwrap();
    shard.hold(x402(2, 40));
    shard.hold(x402(3, 6));
    let view = shadows(&mut shard).pop().unwrap();
    let found: Vec<_> = view.shadow.examples.iter().map(|each| (each.authorization, each.live, each.shadow)).collect();
    let rule = |kind| Some(ViolationKind::Rule(kind));
    assert_eq!(found, [(id(1), rule(RuleKind::MaxAmount), None), (id(3), None, rule(RuleKind::DailyLimit))]);
    assert_eq!(view.shadow.by_kind, [(ViolationKind::Rule(RuleKind::DailyLimit), tally(1, 6))]);
    assert_eq!(view.agents, [AgentId(1); 2]);
}

#[test]
fn a_repeated_request_is_no_further_decision() {
    let mut shard = shard();
    put(&mut shard, capped(1, "0")).unwrap();
    shard.hold(x402(1, 5));
    shard.authorize(x402(1, 5)).unwrap();
    let view = shadows(&mut shard).pop().unwrap();
    assert_eq!((view.shadow.decisions, view.shadow.stricter.count), (1, 1));
}

#[test]
fn it_concerns_the_agents_of_either_version() {
    let assigned = |source: PolicySource, agent: u128| PolicySource {
        scope: PolicyScope::Assigned,
        agents: vec![AgentId(agent)],
        ..source
    };
    // The live version and the one in shadow; whether the shadow concerns the agent, whose id is 1.
    for (live, shadow, concerned) in [
        (None, capped(1, "0"), true),
        (None, assigned(capped(1, "0"), 1), true),
        (None, assigned(capped(1, "0"), 2), false),
        (Some(capped(1, "1")), assigned(capped(1, "0"), 2), true),
        (Some(assigned(capped(1, "1"), 1)), assigned(capped(1, "0"), 2), true),
        (Some(assigned(capped(1, "1"), 2)), assigned(capped(1, "0"), 2), false),
        (Some(assigned(capped(1, "1"), 2)), PolicySource { active: false, ..capped(1, "0") }, false),
    ] {
        let mut shard = Shard::new(&[]);
        shard.create(2, AgentStatus::Active);
        if let Some(live) = live.clone() {
            shard.ask(&Request::PutPolicy(live, None)).unwrap();
        }
        put(&mut shard, shadow.clone()).unwrap();
        shard.hold(x402(1, 5));
        let view = shadows(&mut shard).pop().unwrap();
        assert_eq!(view.shadow.decisions, u64::from(concerned), "{live:?} {shadow:?}");
    }
}

#[test]
fn velocity_is_counted_for_it_from_its_beginning() {
    let mut shard = shard();
    let velocity = policy(&[("VELOCITY_LIMIT", r#"{"maxCount":1,"period":"HOUR"}"#)]);
    shard.hold(x402(1, 5));
    put(&mut shard, PolicySource { id: LIVE, ..velocity }).unwrap();
    shard.hold(x402(2, 5));
    shard.hold(x402(3, 5));
    assert_eq!(shadows(&mut shard)[0].shadow.stricter, tally(1, 5));
}

/// The live policies ask for none of these counters.
#[test]
fn zones_spans_and_endpoints_are_counted_for_it() {
    for (rule, value) in [
        ("DAILY_LIMIT", r#"{"amount":"0.000010","timezone":"Asia/Kolkata"}"#),
        ("ROLLING_LIMIT", r#"{"amount":"0.000010","seconds":3600}"#),
        ("X402_MAX_PER_ENDPOINT", "0.000010"),
        ("X402_VELOCITY_PER_ENDPOINT", r#"{"maxCount":2,"period":"HOUR"}"#),
    ] {
        let mut shard = shard();
        put(&mut shard, PolicySource { id: LIVE, ..policy(&[(rule, value)]) }).unwrap();
        (1..4).for_each(|hold| shard.hold(x402(hold, 5)));
        assert_eq!(shadows(&mut shard)[0].shadow.stricter, tally(1, 5), "{rule}");
        let mut copy = shard.fork();
        copy.hold(x402(4, 5));
        assert_eq!(shadows(&mut copy)[0].shadow.stricter, tally(2, 10), "{rule}");
    }
}

#[test]
fn what_it_found_survives_and_ends_with_it() {
    let mut shard = shard();
    put(&mut shard, capped(1, "0")).unwrap();
    shard.hold(x402(1, 5));
    let mut copy = shard.fork();
    assert_eq!(copy.state.digest(), shard.state.digest());
    copy.hold(x402(2, 7));
    assert_eq!(shadows(&mut copy)[0].shadow.stricter, tally(2, 12));
    // The same version once more goes on, another begins anew.
    let before = shadows(&mut copy);
    put(&mut copy, capped(1, "0")).unwrap();
    assert_eq!(shadows(&mut copy), before);
    put(&mut copy, capped(1, "1")).unwrap();
    assert_eq!(shadows(&mut copy)[0].shadow.stricter, tally(0, 0));
    copy.ask(&Request::RemoveShadow(LIVE, None)).unwrap();
    assert_eq!(shadows(&mut copy), []);
    assert_eq!(copy.ask(&Request::RemoveShadow(LIVE, None)), Err(Failure::UnknownPolicy));
    copy.hold(x402(3, 7));
}

#[test]
fn there_are_so_many_and_no_more() {
    let mut shard = shard();
    for of in 1..=SHADOWS_MAX as u128 {
        put(&mut shard, capped(of, "0")).unwrap();
    }
    let full = put(&mut shard, capped(9, "0"));
    assert!(matches!(full, Err(Failure::Capacity { what: "policies in shadow", .. })), "{full:?}");
    put(&mut shard, capped(2, "1")).unwrap();
    let unreadable = put(&mut shard, capped(1, "lots"));
    assert!(matches!(unreadable, Err(Failure::Policy(_))), "{unreadable:?}");
    for hold in 0..EXAMPLES_MAX as u128 + 3 {
        shard.hold(x402(hold, 1));
    }
    let view = shadows(&mut shard).remove(0);
    assert_eq!(view.shadow.examples.len(), EXAMPLES_MAX);
    assert_eq!(view.shadow.examples[0].authorization, id(3), "the latest are kept");
    assert_eq!(view.shadow.stricter, tally(EXAMPLES_MAX as u64 + 3, EXAMPLES_MAX as u64 + 3));
    assert_eq!(view.shadow.stricter.amount, Amount::from_micros(EXAMPLES_MAX as u64 + 3));
}
