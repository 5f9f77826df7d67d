//! Which policies hold, what an approval tells, and what is held against the limits.

use crate::shard::*;
use holdfast::kernel::{
    AgentId, Duration, Failure, Outcome, PolicyId, Request,
    outcome::{Approval, ViolationKind},
    policy::{PolicyScope, PolicySource, RuleKind},
    request::Authorize,
};

fn approval(answer: Answer) -> Approval {
    match answer {
        Ok(Outcome::Approved(approval)) => approval,
        other => panic!("{other:?}"),
    }
}

fn put(shard: &mut Shard, source: PolicySource) -> u32 {
    match shard.ask(&Request::PutPolicy(source, None)) {
        Ok(Outcome::PolicyChanged { revision }) => revision,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_policies_of_an_agent() {
    let cap = |id, value: &str| PolicySource { id: PolicyId(id), ..policy(&[("MAX_AMOUNT", value)]) };
    let assigned = |source: PolicySource, agent| PolicySource {
        scope: PolicyScope::Assigned,
        agents: vec![AgentId(agent)],
        ..source
    };
    let inactive = |source: PolicySource| PolicySource { active: false, ..source };
    // (policies besides the default of 10, the most that passes)
    for (policies, most) in [
        (vec![], 10),
        (vec![cap(8, "0.000020")], 20),
        (vec![cap(8, "0.000020"), cap(9, "0.000015")], 15),
        (vec![assigned(cap(8, "0.000020"), 1)], 20),
        (vec![assigned(cap(8, "0.000020"), 2)], 10),
        (vec![assigned(cap(8, "0.000005"), 2), cap(9, "0.000030")], 30),
        (vec![inactive(cap(8, "0.000005"))], 10),
        (vec![inactive(cap(8, "0.000005")), cap(9, "0.000030")], 30),
    ] {
        let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000010")]);
        for source in policies.clone() {
            put(&mut shard, source);
        }
        assert_eq!(kinds(&shard.authorize(x402(1, most + 1))).first(), Some(&ViolationKind::Rule(RuleKind::MaxAmount)));
        assert_eq!(kinds(&shard.authorize(x402(1, most))), [], "{policies:?}");
    }
}

#[test]
fn decisions_name_the_revision_of_the_policies() {
    let mut shard = Shard::new(&[]);
    assert_eq!(approval(shard.authorize(x402(1, 5))).policy_revision, 0);
    assert_eq!(put(&mut shard, policy(&[("MAX_AMOUNT", "0.000005")])), 1);
    assert_eq!(approval(shard.authorize(x402(2, 5))).policy_revision, 1);
    let Ok(Outcome::Denied(denial)) = shard.authorize(x402(3, 6)) else { panic!("not denied") };
    assert_eq!(denial.policy_revision, 1);
    let removed = shard.ask(&Request::RemovePolicy(PolicyId(7), None));
    assert_eq!(removed, Ok(Outcome::PolicyChanged { revision: 2 }));
    assert_eq!(shard.ask(&Request::RemovePolicy(PolicyId(7), None)), Err(Failure::UnknownPolicy));
    assert_eq!(approval(shard.authorize(x402(3, 6))).policy_revision, 2);
}

#[test]
fn what_is_left_is_the_least_of_all_limits() {
    let day = ("DAILY_LIMIT", "0.000100");
    for (rules, amount, remaining) in [
        (&[][..], 30, None),
        (&[("MAX_AMOUNT", "0.000100")], 30, None),
        (&[day], 30, Some(70)),
        (&[day], 100, Some(0)),
        (&[day, ("MONTHLY_LIMIT", "0.000090")], 30, Some(60)),
        (&[day, ("X402_SESSION_BUDGET", "0.000050")], 30, Some(20)),
        (&[day, ("X402_MAX_PER_SERVICE", "0.000040")], 30, Some(10)),
        (&[day, ("MPP_SESSION_BUDGET", "0.000040")], 30, Some(70)),
    ] {
        let mut shard = Shard::new(rules);
        assert_eq!(approval(shard.authorize(x402(1, amount))).remaining, remaining.map(micros), "{rules:?}");
    }
}

#[test]
fn an_approval_lasts_as_long_as_was_asked() {
    for (hold_for, lasts) in [(None, 300), (Some(1), 1), (Some(86_400), 86_400)] {
        let mut shard = Shard::new(&[]);
        let hold_for = hold_for.map(Duration::from_secs);
        let expires_at = approval(shard.authorize(Authorize { hold_for, ..x402(1, 5) })).expires_at;
        assert_eq!(expires_at, shard.now.after(Duration::from_secs(lasts)));
    }
}

#[test]
fn a_hundred_calls_fit_a_session_budget_of_a_hundred() {
    let mut shard = Shard::new(&[("X402_SESSION_BUDGET", "1.00")]);
    let approved = (0..10_000).filter(|hold| matches!(shard.authorize(x402(*hold, 10_000)), Ok(Outcome::Approved(_))));
    assert_eq!(approved.count(), 100);
}

#[test]
fn payees_are_compared_in_canonical_form() {
    let mut shard = Shard::new(&[("X402_MAX_PER_SERVICE", "0.000010")]);
    shard.hold(Authorize { service: "API.Example.com.", recipient: "0xAA", ..x402(1, 10) });
    assert_eq!(kinds(&shard.authorize(x402(2, 1))), [ViolationKind::Rule(RuleKind::X402MaxPerService)]);
}
