//! How many decisions a second does one worker make in-process, journal included?
//!
//! ```text
//! cargo bench --no-default-features --bench engine
//! ```
//!
//! 10 000 agents under a policy with a cap on the payment, a daily limit and a velocity limit; each decision is a new
//! authorization of one of them, decided inline and handed to the committer's thread every 64 decisions, as a server does that
//! read 64 requests at once. The kernel alone makes the same decisions for comparison: the difference is the engine's part.

use std::{
    hint::black_box,
    num::NonZeroU16,
    sync::Arc,
    time::{Duration as Elapsed, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast::{
    engine::{Answer, Clock, Engine, EngineOptions, NoObserver, Replies, Ticket, Worker},
    journal::MemoryStore,
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, Options, Outcome, PolicyId, Protocol, Request,
        ShardId, State, Timestamp,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{AgentStatus, Authorize, CreateAgent, Intent},
    },
};

const AGENTS: u32 = 10_000;
const RUN: u64 = 64;
const SHARD: ShardId = ShardId(0);

struct Discard;

impl Replies for Discard {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        replies.for_each(|reply| _ = black_box(reply));
    }
}

fn options() -> EngineOptions {
    let rule = |rule_type: &str, value: &str| RuleSource {
        rule_type: rule_type.to_owned(),
        operator: "LTE".to_owned(),
        value: value.to_owned(),
        action: "ALLOW".to_owned(),
    };
    let policy = PolicySource {
        id: PolicyId(1),
        name: "bench".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule("MAX_AMOUNT", "1"), rule("DAILY_LIMIT", "1000000")],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    };
    let mut options = EngineOptions { shards: 1, workers: 1, ..EngineOptions::new(policy) };
    options.kernel = kernel_options(options.kernel);
    // A snapshot in the midst would be measured with it; `cargo bench --bench journal` has the disk.
    options.snapshot.journal_bytes = u64::MAX;
    options
}

/// A microsecond passes with each decision, so 30 000 holds are open or remembered at any time.
fn kernel_options(mut options: Options) -> Options {
    options.require_wallet = false;
    options.hold_default = Duration::from_micros(15_000);
    options.grace = Duration::from_micros(5_000);
    options.history_kept = Duration::from_micros(10_000);
    options
}

fn create(id: u32) -> Request<'static> {
    let id = AgentId(u128::from(id));
    Request::CreateAgent(CreateAgent { id, name: "", agent_type: "", status: AgentStatus::Active, lease: None })
}

/// The n-th request; agents in an order that no cache line profits from.
fn authorize(n: u64) -> Request<'static> {
    let agent = AgentIndex((n.wrapping_mul(7919) % u64::from(AGENTS)) as u32);
    let authorize = Authorize {
        id: AuthorizationId(u128::from(n) + 1),
        amount: Amount::from_micros(1000),
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
    Request::Authorize(agent, authorize)
}

/// The moment of the n-th request.
fn moment(n: u64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + n)
}

/// The engine asks for the time only when it opens.
struct Standstill;

impl Clock for Standstill {
    fn now(&self) -> Timestamp {
        moment(0)
    }
}

struct Gateway {
    engine: Engine,
    worker: Worker,
    replies: Arc<dyn Replies>,
    asked: u64,
}

impl Gateway {
    fn new() -> Gateway {
        let store = Arc::new(MemoryStore::new(NonZeroU16::MIN));
        let (engine, mut workers) =
            Engine::open(options(), store, Arc::new(Standstill), Arc::new(NoObserver)).expect("an empty store opens");
        let worker = workers.remove(0);
        let mut gateway = Gateway { engine, worker, replies: Arc::new(Discard), asked: 0 };
        (0..AGENTS).for_each(|id| _ = gateway.decide(&create(id)));
        // Every lease is armed, and that is durable.
        gateway.run(2 * u64::from(AGENTS));
        while gateway.engine.status().commits.backlog_bytes > 0 {
            gateway.worker.turn(moment(gateway.asked));
        }
        gateway
    }

    fn decide(&mut self, request: &Request<'_>) -> Option<Answer> {
        self.worker.decide(moment(0), SHARD, request, Ticket(0), &self.replies)
    }

    fn run(&mut self, count: u64) {
        let mut done = 0;
        while done < count {
            let now = moment(self.asked);
            for _ in 0..RUN.min(count - done) {
                let request = authorize(self.asked);
                self.asked += 1;
                black_box(self.worker.decide(now, SHARD, &request, Ticket(0), &self.replies));
                done += 1;
            }
            self.worker.finish();
            if self.asked % (RUN * 16) < RUN {
                self.worker.turn(now);
            }
        }
    }
}

struct Kernel {
    state: State,
    events: Vec<Event>,
    asked: u64,
}

impl Kernel {
    fn new() -> Kernel {
        let state = State::new(options().kernel);
        let mut kernel = Kernel { state, events: Vec::new(), asked: 0 };
        let now = moment(0);
        kernel.state.apply(now, &Event::Started { incarnation: 1 });
        (0..AGENTS).for_each(|id| kernel.decide(now, &create(id)));
        kernel
    }

    fn decide(&mut self, now: Timestamp, request: &Request<'_>) {
        let outcome = self.state.decide(now, request, &mut self.events);
        assert!(matches!(outcome, Ok(Outcome::Approved(_) | Outcome::AgentCreated(_))), "{outcome:?}");
        self.events.drain(..).for_each(|event| self.state.apply(now, &event));
    }

    fn fire(&mut self, now: Timestamp) {
        loop {
            self.state.advance(now, &mut self.events);
            if self.events.is_empty() {
                return;
            }
            self.events.drain(..).for_each(|event| self.state.apply(now, &event));
        }
    }

    fn run(&mut self, count: u64) {
        let mut done = 0;
        while done < count {
            let now = moment(self.asked);
            self.fire(now);
            for _ in 0..RUN.min(count - done) {
                let request = authorize(self.asked);
                self.asked += 1;
                self.decide(now, &request);
                done += 1;
            }
        }
    }
}

fn timed(work: impl FnOnce()) -> Elapsed {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorize, 10 000 agents");
    group.throughput(Throughput::Elements(1));
    // The journal stays in memory, about 100 bytes a decision.
    group.warm_up_time(Elapsed::from_secs(1)).measurement_time(Elapsed::from_secs(3));
    let mut kernel = Kernel::new();
    group.bench_function("kernel alone", |bencher| bencher.iter_custom(|count| timed(|| kernel.run(count))));
    drop(kernel);
    let mut gateway = Gateway::new();
    group.bench_function("engine", |bencher| bencher.iter_custom(|count| timed(|| gateway.run(count))));
    group.finish();
    let counters = gateway.engine.status().workers[0].counters;
    assert_eq!(counters.decisions, counters.approvals + u64::from(AGENTS), "only approvals were measured");
}

criterion_group!(benches, decisions);
criterion_main!(benches);
