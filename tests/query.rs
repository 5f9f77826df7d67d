//! The read models agree with the shards: what is shown of spend is what the counters of the limits say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use holdfast::{
    engine::{AgentHandle, Answer, EngineError, EngineOptions, Feed},
    kernel::{
        AgentIndex, Amount, Failure, Outcome, PolicyId, Protocol, Request, ShardId,
        outcome::{ServiceView, View},
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource},
        request::Query,
    },
    query::{ReadModels, Span, TransactionKind, TransactionsOf},
    testing::{
        HandDriven, Mood, Workload,
        workload::{Step, Turn},
    },
};

const SHARD: ShardId = ShardId(0);
const AGENTS: u32 = 3;

/// Runs a random history, with crashes, and gives what is left.
fn history(seed: u64, turns: usize, models: impl Fn() -> ReadModels) -> (HandDriven, Feed, ReadModels, Workload) {
    let mut workload = Workload::new(seed, Mood::Wild);
    let mut options = EngineOptions::new(PolicySource {
        id: PolicyId(1),
        name: "none".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: Vec::new(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    });
    (options.shards, options.workers, options.kernel) = (1, 1, workload.options());
    let mut gateway = HandDriven::new(&options, workload.now());
    let new_models = models;
    let mut models = new_models();
    let mut feed = gateway.follow(vec![models.follower()]);
    for _ in 0..turns {
        let Turn { now, step } = workload.turn(None);
        gateway.clock().set(now);
        match step {
            Step::Ask(request) => {
                let answer = gateway.ask_durably(SHARD, &request);
                workload.answered(&request, &told(answer));
            }
            Step::Crash | Step::Stop => {
                if matches!(step, Step::Stop) {
                    gateway.shut_down();
                }
                gateway = gateway.restart(&options, None).unwrap();
                models = new_models();
                feed = gateway.follow(vec![models.follower()]);
            }
        }
        gateway.settle();
    }
    gateway.feed();
    (gateway, feed, models, workload)
}

fn told(answer: Answer) -> Result<Outcome, Failure> {
    answer.map_err(|error| match error {
        EngineError::Failure(failure) => failure,
        other => panic!("{other:?}"),
    })
}

fn services(gateway: &mut HandDriven, agent: AgentIndex, protocol: Protocol) -> Vec<ServiceView> {
    match gateway.ask_durably(SHARD, &Request::Read(Query::Services(agent, protocol))) {
        Ok(Outcome::View(View::Services(services))) => services,
        other => panic!("{other:?}"),
    }
}

#[test]
fn spend_at_every_service_is_what_the_shard_counts() {
    let mut compared = 0;
    for seed in 0..30 {
        let (mut gateway, feed, models, workload) = history(seed, 400, || ReadModels::new(1));
        for agent in (0..AGENTS).map(AgentIndex) {
            let handle = AgentHandle { shard: SHARD, index: agent };
            let spend = models.spend_of(handle, Span::All, workload.now(), feed.directory());
            for protocol in Protocol::ALL {
                for service in services(&mut gateway, agent, protocol) {
                    let found = spend.iter().find(|spend| {
                        spend.protocol == Some(protocol) && spend.service.as_deref() == Some(service.service.as_str())
                    });
                    let found = found.map_or((Amount::ZERO, 0), |spend| (spend.figures.net(), spend.figures.calls));
                    assert_eq!(
                        found,
                        (service.spent, service.calls),
                        "seed {seed}, {agent:?}, {protocol:?}, {}",
                        service.service
                    );
                    compared += usize::from(!service.spent.is_zero());
                }
            }
        }
    }
    assert!(compared > 50, "the history spends at only {compared} services");
}

#[test]
fn transactions_are_paged_without_a_gap_or_a_repetition() {
    for seed in 0..4 {
        let (_gateway, feed, models, _) = history(seed, 300, || ReadModels::new(1));
        let whole = |limit: usize, of: TransactionsOf| {
            let (mut all, mut from) = (Vec::new(), None);
            loop {
                let page = models.transactions(&feed, of, from.as_ref(), limit).unwrap();
                assert!(page.transactions.len() <= limit);
                all.extend(page.transactions);
                match page.next {
                    // As a client keeps it.
                    Some(next) => from = Some(next.to_string().parse().unwrap()),
                    None => return all,
                }
            }
        };
        let all = whole(500, TransactionsOf::default());
        assert!(all.len() > 20, "{} transactions", all.len());
        assert!(all.is_sorted_by(|one, other| (one.at, one.id) > (other.at, other.id)), "newest first");
        for limit in [1, 3, 7] {
            assert!(whole(limit, TransactionsOf::default()) == all, "{limit} a page");
        }
        let mut of_agents = 0;
        for index in (0..AGENTS).map(AgentIndex) {
            let of = TransactionsOf { agent: Some(AgentHandle { shard: SHARD, index }), protocol: None };
            let own = whole(5, of);
            let id = feed.directory().agent(SHARD, index);
            assert!(own.iter().all(|transaction| transaction.agent == id));
            of_agents += own.len();
        }
        assert_eq!(of_agents, all.len());
        // A model that remembers hardly any reads the same from the journal.
        let (_gateway, feed, models, _) = history(seed, 300, || ReadModels::remembering(1, 2));
        for limit in [1, 7, 500] {
            let (mut read, mut from) = (Vec::new(), None);
            loop {
                let page = models.transactions(&feed, TransactionsOf::default(), from.as_ref(), limit).unwrap();
                read.extend(page.transactions);
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
            // Of holds that the shard has forgotten, the journal may not say what they were for.
            let same = read.iter().map(|read| (read.id, read.amount, read.kind));
            assert!(same.eq(all.iter().map(|all| (all.id, all.amount, all.kind))), "{limit} a page from the journal");
        }
        assert!(all.iter().any(|transaction| transaction.kind == TransactionKind::Captured));
    }
}
