//! What would be decided is what is decided, and asking changes nothing.

use holdfast::kernel::{
    AgentId, AgentIndex, Failure, Outcome, PolicyId, Request,
    outcome::{SimulationView, View},
    policy::{PolicyScope, PolicySource},
    request::{Authorize, Query, SIMULATED_DRAFT_BYTES_MAX, SIMULATED_PAYMENTS_MAX, Simulation},
};

use crate::shard::{AGENT, Shard, micros, policy, x402};

fn simulate(
    shard: &mut Shard,
    draft: Option<PolicySource>,
    payments: Vec<Authorize<'_>>,
) -> Result<SimulationView, Failure> {
    match shard.ask(&Request::Read(Query::Simulate(AGENT, Box::new(Simulation { draft, payments }))))? {
        Outcome::View(View::Simulation(view)) => Ok(view),
        other => panic!("{other:?}"),
    }
}

/// For each payment whether it would be approved.
fn approved(view: &SimulationView) -> Vec<bool> {
    view.answers.iter().map(|answer| matches!(answer, Ok(Outcome::Approved(_)))).collect()
}

#[test]
fn without_a_draft_the_answer_is_the_one_that_is_given_next() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.000050"), ("DAILY_LIMIT", "0.000060")]);
    shard.hold(x402(1, 30));
    for amount in [30, 31, 50, 51] {
        let simulated = simulate(&mut shard, None, vec![x402(9, amount)]).unwrap();
        assert!(simulated.applies);
        assert_eq!(simulated.answers, [Shard::authorize(&mut shard.fork(), x402(9, amount))], "{amount}");
    }
}

#[test]
fn each_payment_is_decided_by_itself_and_nothing_changes() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.000050")]);
    shard.hold(x402(1, 20));
    let before = shard.state.digest();
    let view = simulate(&mut shard, None, vec![x402(2, 30), x402(3, 30), x402(4, 31)]).unwrap();
    assert_eq!(approved(&view), [true, true, false]);
    assert_eq!(shard.state.digest(), before);
}

#[test]
fn a_draft_takes_the_place_of_the_policy_of_its_id() {
    let mut shard = Shard::new(&[]);
    let draft = |id: u128, cap: &str| PolicySource { id: PolicyId(id), ..policy(&[("MAX_AMOUNT", cap)]) };
    shard.ask(&Request::PutPolicy(draft(1, "0.000040"), None)).unwrap();
    for (draft, expected) in [
        (None, [true, false, false]),
        // In its place.
        (Some(draft(1, "0.000060")), [true, true, true]),
        (Some(PolicySource { active: false, ..draft(1, "0.000010") }), [true, true, true]),
        // Beside it.
        (Some(draft(2, "0.000060")), [true, false, false]),
        (Some(draft(2, "0.000030")), [false, false, false]),
    ] {
        let payments = vec![x402(1, 40), x402(2, 41), x402(3, 60)];
        let view = simulate(&mut shard, draft.clone(), payments).unwrap();
        assert_eq!(approved(&view), expected, "{draft:?}");
    }
}

#[test]
fn a_draft_that_concerns_other_agents_says_so() {
    let mut shard = Shard::new(&[]);
    let mut draft = policy(&[("MAX_AMOUNT", "0")]);
    for (scope, agents, applies) in [
        (PolicyScope::Organization, vec![], true),
        (PolicyScope::Assigned, vec![AgentId(1)], true),
        (PolicyScope::Assigned, vec![AgentId(2)], false),
    ] {
        (draft.scope, draft.agents) = (scope, agents);
        let view = simulate(&mut shard, Some(draft.clone()), vec![x402(1, 5)]).unwrap();
        assert_eq!((view.applies, approved(&view)), (applies, vec![!applies]), "{scope:?}");
    }
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let mut shard = Shard::new(&[]);
    let unreadable = policy(&[("MAX_AMOUNT", "lots")]);
    assert!(matches!(simulate(&mut shard, Some(unreadable), vec![]), Err(Failure::Policy(_))));
    let payments = |count: usize| (0..count).map(|id| x402(id as u128, 1)).collect();
    assert!(simulate(&mut shard, None, payments(SIMULATED_PAYMENTS_MAX)).is_ok());
    let too_many = simulate(&mut shard, None, payments(SIMULATED_PAYMENTS_MAX + 1));
    assert!(matches!(too_many, Err(Failure::Invalid { field: "requests", .. })), "{too_many:?}");
    let nobody = Query::Simulate(AgentIndex(9), Box::new(Simulation { draft: None, payments: vec![] }));
    assert_eq!(shard.ask(&Request::Read(nobody)), Err(Failure::UnknownAgent));
    // A payment that is not valid is answered like any other.
    let view = simulate(&mut shard, None, vec![Authorize { amount: micros(0), ..x402(1, 1) }]).unwrap();
    assert!(matches!(view.answers[..], [Err(Failure::Invalid { field: "amount", .. })]));
}

#[test]
fn a_draft_may_be_so_long_and_no_longer() {
    let mut shard = Shard::new(&[]);
    let padded = |bytes: usize| {
        let draft = policy(&[("MAX_AMOUNT", "0.000050")]);
        let padding = " ".repeat(bytes - draft.text_bytes());
        let mut rules = draft.rules.clone();
        rules[0].value += &padding;
        PolicySource { rules, ..draft }
    };
    let longest = padded(SIMULATED_DRAFT_BYTES_MAX);
    assert_eq!(approved(&simulate(&mut shard, Some(longest), vec![x402(1, 50), x402(2, 51)]).unwrap()), [true, false]);
    let refused = simulate(&mut shard, Some(padded(SIMULATED_DRAFT_BYTES_MAX + 1)), vec![x402(1, 50)]).unwrap_err();
    assert!(matches!(refused, Failure::Invalid { field: "policy", .. }), "{refused:?}");
}
