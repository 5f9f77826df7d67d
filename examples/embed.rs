//! Holdfast inside your own process: no server, no network, no asynchronous runtime.
//!
//! ```text
//! cargo run --example embed --no-default-features
//! ```

use std::{error::Error, num::NonZeroU16, sync::Arc};

use holdfast::{
    engine::{Engine, EngineOptions, EngineThreads, NoObserver, SystemClock},
    journal::MemoryStore,
    kernel::{
        AgentId, Amount, AuthorizationId, OperationId, Outcome, PolicyId, Protocol, Request,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{AgentStatus, Authorize, Capture, CreateAgent, Intent},
    },
};

fn main() -> Result<(), Box<dyn Error>> {
    // What an agent without a policy of its own may spend: at most 1.00 a payment and 2.00 a day.
    let policy = policy(&[("MAX_AMOUNT", "1"), ("DAILY_LIMIT", "2")]);
    let mut options = EngineOptions::new(policy);
    // We only watch limits here; the money is in nobody's wallet.
    options.kernel.require_wallet = false;

    // The journal lives in memory in this example. With the feature `sled`, `SledStore::open` gives one that survives `kill -9`.
    let shards = NonZeroU16::new(options.shards).ok_or("there is at least one shard")?;
    let store = Arc::new(MemoryStore::new(shards));

    // Opening recovers what the store holds. The workers decide; each gets a plain thread.
    let (engine, workers) = Engine::open(options, store, Arc::new(SystemClock::new()), Arc::new(NoObserver))?;
    let threads = EngineThreads::spawn(workers)?;

    // An agent lives in the shard that its id says, and is known by its handle from then on.
    let agent = AgentId(0xA11CE);
    let create =
        CreateAgent { id: agent, name: "Alice", agent_type: "CUSTOM", status: AgentStatus::Active, lease: None };
    engine.call(engine.shard_of(agent), &Request::CreateAgent(create))?;
    let handle = engine.agent(agent).ok_or("an agent is in the directory as soon as its creation is answered")?;
    println!("{agent} lives in shard {}", handle.shard.0);

    // Before paying, the agent asks. The answer is a hold, or the reasons why not.
    for (id, price) in [(1, "0.80"), (2, "0.80"), (3, "0.80"), (4, "1.50")] {
        let request = Authorize {
            id: AuthorizationId(id),
            amount: Amount::parse(price)?,
            protocol: Protocol::X402,
            intent: Intent::Charge,
            recipient: "0x209693bc6afc0c5328ba36faf03c514ef312287c",
            service: "api.example.com",
            resource: "https://api.example.com/forecast",
            session: "",
            wallet: "",
            hold_for: None,
            facts: None,
        };
        match engine.call(handle.shard, &Request::Authorize(handle.index, request))? {
            Outcome::Approved(approval) => println!("{price}: approved, may be paid until {}", approval.expires_at),
            Outcome::Denied(denial) => {
                let reasons: Vec<String> = denial.violations.iter().map(|violation| violation.message()).collect();
                println!("{price}: denied. {}", reasons.join("; "));
            }
            other => return Err(format!("an authorization is approved or denied, not {other:?}").into()),
        }
    }

    // After paying, it reports what it really cost; the rest of the hold is free again.
    let report = Capture {
        id: AuthorizationId(1),
        operation: OperationId::of_key("report 1"),
        amount: Amount::parse("0.05")?,
        last: true,
    };
    if let Outcome::Captured(captured) = engine.call(handle.shard, &Request::Capture(handle.index, report))? {
        println!("captured {} of 0.80; {} is still held for it", captured.captured, captured.held);
    }

    // A clean end: everything is durable, and the next start need not assume that approvals were lost.
    engine.shut_down();
    threads.join();
    Ok(())
}

fn policy(rules: &[(&str, &str)]) -> PolicySource {
    let rule = |&(rule_type, value): &(&str, &str)| RuleSource {
        rule_type: rule_type.to_owned(),
        operator: "LTE".to_owned(),
        value: value.to_owned(),
        action: "ALLOW".to_owned(),
    };
    PolicySource {
        id: PolicyId(1),
        name: "default".to_owned(),
        description: "what an agent without a policy gets".to_owned(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: rules.iter().map(rule).collect(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}
