//! Payments that wait for people, over the binary protocol: told at once, and pushed when they are decided.

use std::time::Duration;

use holdfast::{
    client::{Client, Decision, Decisions, new_authorization_id},
    engine::AgentHandle,
    kernel::{
        AgentId, AuthorizationId, BudgetRequestId, KeyId, Outcome, PolicyId, Request,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{BudgetVerdict, DecideApproval, DecideBudget, RequestBudget},
    },
    wire::{Handle, request::Authorize},
};

use crate::{cents, gateway::Gateway, run};

/// More than is ever needed.
const PATIENCE: Duration = Duration::from_secs(10);

/// People decide about everything above half a unit.
fn ask_people(gateway: &Gateway) {
    let rule = RuleSource {
        rule_type: "REQUIRE_APPROVAL_ABOVE".to_owned(),
        operator: "GT".to_owned(),
        value: "0.5".to_owned(),
        action: "REQUIRE_APPROVAL".to_owned(),
    };
    let policy = PolicySource {
        id: PolicyId(5),
        name: "ask".to_owned(),
        description: String::new(),
        policy_type: "APPROVAL_THRESHOLD".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    };
    gateway.engine.put_policy(policy, None).unwrap();
}

fn large(id: AuthorizationId) -> Authorize<'static> {
    Authorize { service: "api.example.com", ..Authorize::payment(id, cents(60), "0xabc") }
}

fn decide(gateway: &Gateway, agent: u128, id: AuthorizationId, approves: bool) {
    let AgentHandle { shard, index } = gateway.engine.agent(AgentId(agent)).unwrap();
    let decision = DecideApproval { id, approver: KeyId(1), approves, comment: "" };
    let answer = gateway.engine.call(shard, &Request::DecideApproval(index, decision)).unwrap();
    assert!(matches!(answer, Outcome::ApprovalRequest(_)), "{answer:?}");
}

async fn waits(client: &Client, agent: Handle, id: AuthorizationId) -> bool {
    matches!(client.authorize(agent, &large(id)).await.unwrap(), Decision::ApprovalRequired(_))
}

async fn next(decisions: &mut Decisions) -> (AuthorizationId, bool) {
    let decided = tokio::time::timeout(PATIENCE, decisions.next()).await.unwrap().unwrap();
    (decided.id, decided.expires_at.is_some())
}

#[test]
fn a_payment_waits_and_the_agent_is_told_what_was_decided() {
    run(async || {
        let gateway = Gateway::start();
        ask_people(&gateway);
        let client = Client::connect(gateway.options(&gateway.agent_key(1))).await.unwrap();
        let other = Client::connect(gateway.options(&gateway.agent_key(2))).await.unwrap();
        let platform = Client::connect(gateway.options(&gateway.platform_key())).await.unwrap();
        let (mut own, mut others, mut all) =
            (client.decisions().await.unwrap(), other.decisions().await.unwrap(), platform.decisions().await.unwrap());
        let (agent, second) = (client.agent().unwrap(), other.agent().unwrap());
        let (first_id, second_id, foreign) = (new_authorization_id(), new_authorization_id(), new_authorization_id());
        for (client, agent, id) in [(&client, agent, first_id), (&client, agent, second_id), (&other, second, foreign)]
        {
            assert!(waits(client, agent, id).await);
            assert!(waits(client, agent, id).await, "asked again it waits still");
        }
        decide(&gateway, 1, first_id, true);
        decide(&gateway, 1, second_id, false);
        decide(&gateway, 2, foreign, true);
        assert_eq!([next(&mut own).await, next(&mut own).await], [(first_id, true), (second_id, false)]);
        assert_eq!(next(&mut others).await, (foreign, true), "nothing of another agent is told");
        let mut told = [next(&mut all).await, next(&mut all).await, next(&mut all).await];
        let mut expected = [(first_id, true), (second_id, false), (foreign, true)];
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "a platform is told for all its agents");
        assert!(matches!(client.authorize(agent, &large(first_id)).await.unwrap(), Decision::Approved(_)));
        assert!(matches!(client.authorize(agent, &large(second_id)).await.unwrap(), Decision::Denied(_)));
    });
}

#[test]
fn what_waits_is_there_after_a_restart_and_still_pushed() {
    run(async || {
        let mut gateway = Gateway::start();
        ask_people(&gateway);
        let secret = gateway.agent_key(3);
        let id = new_authorization_id();
        {
            let client = Client::connect(gateway.options(&secret)).await.unwrap();
            assert!(waits(&client, client.agent().unwrap(), id).await);
        }
        gateway.restart();
        let client = Client::connect(gateway.options(&secret)).await.unwrap();
        let mut decisions = client.decisions().await.unwrap();
        assert!(waits(&client, client.agent().unwrap(), id).await);
        decide(&gateway, 3, id, true);
        assert_eq!(next(&mut decisions).await, (id, true));
    });
}

#[test]
fn the_budget_in_force_is_shown() {
    run(async || {
        let gateway = Gateway::start();
        let client = Client::connect(gateway.options(&gateway.agent_key(4))).await.unwrap();
        let agent = client.agent().unwrap();
        assert_eq!(client.budget_in_force(agent).await.unwrap(), None);
        let AgentHandle { shard, index } = gateway.engine.agent(AgentId(4)).unwrap();
        let id = BudgetRequestId(1);
        let asked = RequestBudget { id, amount: cents(500), purpose: "research", category: "", metadata: "" };
        gateway.engine.call(shard, &Request::RequestBudget(index, asked)).unwrap();
        let verdict = BudgetVerdict::Approve { amount: Some(cents(100)), lasts: None };
        gateway.engine.call(shard, &Request::DecideBudget(index, DecideBudget { id, verdict, comment: "" })).unwrap();
        assert!(matches!(
            client.authorize(agent, &large(new_authorization_id())).await.unwrap(),
            Decision::Approved(_)
        ));
        let budget = client.budget_in_force(agent).await.unwrap().unwrap();
        assert_eq!((budget.id, budget.requested, budget.approved), (id, cents(500), cents(100)));
        assert_eq!((budget.spent, budget.held, budget.exhausted), (cents(0), cents(60), false));
        assert!(matches!(client.authorize(agent, &large(new_authorization_id())).await.unwrap(), Decision::Denied(_)));
    });
}
