//! What a load test needs in the gateway: agents with a wallet each, a policy with every rule, and a key that acts for all agents.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Instant,
};

use holdfast::kernel::{
    AgentId, Amount,
    policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
};
use serde_json::{Value, json};

use crate::{arguments::SetupArguments, error::LoadError, gateway::Gateway, operator::Operator};

/// Every rule type of this release, with limits so generous that all payments are approved.
const POLICY: &str = include_str!("policy.json");
/// Agents that are made at one time: each answer waits for the disk, and many wait together.
pub(crate) const PARALLEL: usize = 64;
/// Where the ids of the agents begin. They are the same in every run, so that setting up again changes nothing.
const FIRST_AGENT: u128 = 0x10ad_c0de << 96;

/// The agent of this number.
pub(crate) fn agent_id(number: u32) -> AgentId {
    AgentId(FIRST_AGENT + u128::from(number))
}

/// The address of an agent's wallet.
pub(crate) fn wallet_address(number: u32) -> String {
    format!("0x{number:040x}")
}

/// `loadtest setup`.
pub(crate) fn command(arguments: &SetupArguments) -> Result<(), LoadError> {
    let gateway = Gateway::running(&arguments.gateway)?;
    let key = set_up(&gateway.operator()?, arguments.agents, None)?;
    println!("{key}");
    eprintln!("the gateway is ready; next: loadtest run --agents {} --key {key}", arguments.agents);
    Ok(())
}

/// Makes what is not there yet, and returns a new platform's key.
pub(crate) fn set_up(operator: &Operator, agents: u32, daily_limit: Option<Amount>) -> Result<String, LoadError> {
    let start = Instant::now();
    operator.post("/api/policies", &policy(daily_limit))?;
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(|| make_agents(operator, &next, agents))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| LoadError::Panicked)?)
    })?;
    let key = platform_key(operator)?;
    eprintln!("{agents} agents set up in {:.1} s", start.elapsed().as_secs_f64());
    Ok(key)
}

/// The policy, with this daily limit in place of the generous one.
pub(crate) fn policy(daily_limit: Option<Amount>) -> Value {
    let mut policy: Value = serde_json::from_str(POLICY).expect("the policy is JSON");
    let rules = policy["rules"].as_array_mut().into_iter().flatten();
    if let (Some(limit), Some(rule)) = (daily_limit, rules.into_iter().find(|rule| rule["ruleType"] == "DAILY_LIMIT")) {
        rule["value"] = limit.to_string().into();
    }
    policy
}

/// The same policy, for an engine without façades.
pub(crate) fn policy_source(daily_limit: Option<Amount>) -> PolicySource {
    let policy = policy(daily_limit);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rule = |rule: &Value| RuleSource {
        rule_type: text(&rule["ruleType"]),
        operator: text(&rule["operator"]),
        // A plain text, or JSON where the value has parts.
        value: rule["value"].as_str().map_or_else(|| rule["value"].to_string(), str::to_owned),
        action: text(&rule["action"]),
    };
    PolicySource {
        id: text(&policy["id"]).parse().expect("the policy has an id"),
        name: text(&policy["name"]),
        description: text(&policy["description"]),
        policy_type: text(&policy["policyType"]),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: policy["rules"].as_array().into_iter().flatten().map(rule).collect(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

fn make_agents(operator: &Operator, next: &AtomicU32, agents: u32) -> Result<(), LoadError> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= agents {
            return Ok(());
        }
        let id = agent_id(number);
        operator.post("/api/agents", &json!({ "id": id.to_string(), "name": format!("load test {number}") }))?;
        let wallet = json!({
            "walletId": "main",
            "address": wallet_address(number),
            "chainId": "8453",
            "custodyType": "EXTERNAL",
            "balance": "1000000000",
        });
        operator.post(&format!("/api/agents/{id}/wallets"), &wallet)?;
    }
}

fn platform_key(operator: &Operator) -> Result<String, LoadError> {
    let path = "/api/api-keys";
    let issued = operator.post(path, &json!({ "name": "load test", "type": "platform" }))?;
    let key = issued.get("key").and_then(Value::as_str);
    key.map(str::to_owned).ok_or_else(|| LoadError::Rest {
        method: "POST",
        path: path.to_owned(),
        status: 200,
        body: "no key in the answer".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use holdfast::kernel::policy::RuleKind;

    use super::*;

    #[test]
    fn a_daily_limit_takes_the_place_of_the_generous_one() {
        let limit = |policy: &Value| {
            let rules = policy["rules"].as_array().unwrap();
            rules.iter().find(|rule| rule["ruleType"] == "DAILY_LIMIT").unwrap()["value"].clone()
        };
        assert_eq!(limit(&policy(Some(Amount::from_micros(2500)))), "0.0025");
        assert_eq!(limit(&policy(None)), "100000000");
    }

    #[test]
    fn the_policy_has_twenty_types_of_rules() {
        let policy: Value = serde_json::from_str(POLICY).unwrap();
        let kinds = policy["rules"].as_array().unwrap().iter().map(|rule| rule["ruleType"].as_str().unwrap());
        let kinds: BTreeSet<RuleKind> = kinds.map(|kind| RuleKind::from_rule_type(kind).unwrap()).collect();
        assert!(kinds.len() >= 20, "{kinds:?}");
    }
}
