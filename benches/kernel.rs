//! How long does a shard take to decide, and to make the decision part of its state? One shard, one thread, no journal.
//!
//! Every agent has a wallet and is held to all rules of `config/policies/machine-payments.toml`; amounts are so small that nothing but
//! `denial` is denied. Agents are visited in a scattered order, so that at a million of them none is in the cache when its turn comes,
//! and every id is new. In all measurements the shard has [`OPEN_HOLDS`] open holds and the same number of remembered ones: what
//! one measurement places, the next step releases outside the measured time, and virtual time lets it be forgotten.
//!
//! `cargo bench --bench kernel --no-default-features`. Budgets and results are per operation: `decide`, then `apply` of its events.

use std::{
    hint::black_box,
    time::{Duration as Measured, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast::kernel::{
    AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, OperationId, Options, Outcome, PolicyId, Protocol,
    Request, State, Timestamp,
    policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
    request::{AgentStatus, Authorize, Capture, CreateAgent, Intent, WalletSource},
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENT_COUNTS: [(u32, &str); 2] = [(10_000, "10k"), (1_000_000, "1M")];
/// Operations between two looks at the clock.
const STEP: u64 = 4096;
/// Holds that are open while anything is measured.
const OPEN_HOLDS: u64 = 64 * STEP;
/// Virtual time between two steps: with it a shard that is asked a million times a second.
const STEP_DURATION: Duration = Duration::from_micros(STEP);
/// So long after their placement there are [`OPEN_HOLDS`] newer ones.
const HOLD_FOR: Duration = Duration::from_micros(OPEN_HOLDS / STEP * STEP_DURATION.micros());
/// Holds of those measurements in which they do not expire.
const LONG_HOLD: Duration = Duration::from_micros(4 * HOLD_FOR.micros());
const AMOUNT: Amount = Amount::from_micros(100);
/// Over two of the caps.
const AMOUNT_DENIED: Amount = Amount::from_units(200);
/// A multiplier that is prime, so that multiples of it visit every agent before any comes again.
const SCATTER: u64 = 2_654_435_761;

/// A shard with its agents, and the clock and the ids of its clients.
struct Shard {
    state: State,
    agents: u64,
    now: Timestamp,
    events: Vec<Event>,
    /// The id of the next hold, and of the oldest that is open.
    next: u64,
    oldest: u64,
}

/// A shard that is made when the first measurement needs it: a million agents take seconds.
struct Filled {
    shard: Option<Shard>,
    hold_for: Duration,
    end: fn(&mut Shard),
}

impl Filled {
    fn get(&mut self, agents: u32) -> &mut Shard {
        self.shard.get_or_insert_with(|| Shard::new(agents, self.hold_for, self.end))
    }
}

impl Shard {
    /// A shard whose holds expire after `hold_for`, unless `end` ended them before, with everything in it that stays.
    fn new(agents: u32, hold_for: Duration, end: fn(&mut Shard)) -> Shard {
        let options = Options {
            hold_default: hold_for,
            grace: Duration::from_micros(0),
            history_kept: HOLD_FOR,
            session_kept: Duration::from_secs(2),
            ..Options::new(policy())
        };
        // A Monday morning.
        let now = Timestamp::from_micros(1_794_819_600_000_000);
        let state = State::new(options);
        let mut shard = Shard { state, agents: u64::from(agents), now, events: Vec::new(), next: 0, oldest: 0 };
        shard.ask(&Request::PutPolicy(policy(), None));
        for index in 0..agents {
            shard.ask(&Request::CreateAgent(CreateAgent {
                id: AgentId(u128::from(index) + 1),
                name: "",
                agent_type: "CUSTOM",
                status: AgentStatus::Active,
                lease: None,
            }));
            shard.ask(&Request::PutWallet(AgentIndex(index), wallet()));
        }
        // Until every agent has had its first payment, and as much is forgotten as is remembered.
        while shard.next < 3 * u64::from(agents).max(2 * OPEN_HOLDS) {
            shard.place_step();
            if shard.next - shard.oldest >= OPEN_HOLDS {
                end(&mut shard);
            } else {
                shard.pass(STEP_DURATION);
            }
        }
        shard
    }

    /// Decides and applies one request, as a worker does.
    fn ask(&mut self, request: &Request<'_>) -> Outcome {
        self.events.clear();
        let outcome = self.state.decide(self.now, request, &mut self.events).expect("the request is valid");
        for event in &self.events {
            self.state.apply(self.now, event);
        }
        outcome
    }

    fn agent_of(&self, id: u64) -> AgentIndex {
        AgentIndex((id * SCATTER % self.agents) as u32)
    }

    fn place(&mut self, amount: Amount) -> Outcome {
        let agent = self.agent_of(self.next);
        let id = AuthorizationId(u128::from(self.next) << 64 | 7);
        self.next += 1;
        self.ask(&Request::Authorize(
            agent,
            Authorize {
                id,
                amount,
                protocol: Protocol::X402,
                intent: Intent::Charge,
                recipient: "0x1111111111111111111111111111111111111111",
                service: "api.example.com",
                resource: "https://api.example.com/v1/weather",
                session: "",
                wallet: "",
                hold_for: None,
                facts: None,
            },
        ))
    }

    /// The oldest open hold and its agent.
    fn take_oldest(&mut self) -> (AgentIndex, AuthorizationId) {
        let id = self.oldest;
        self.oldest += 1;
        (self.agent_of(id), AuthorizationId(u128::from(id) << 64 | 7))
    }

    fn place_step(&mut self) {
        for _ in 0..STEP {
            let outcome = black_box(self.place(AMOUNT));
            assert!(matches!(outcome, Outcome::Approved(_)), "{outcome:?}");
        }
    }

    fn deny_step(&mut self) {
        for _ in 0..STEP {
            let outcome = black_box(self.place(AMOUNT_DENIED));
            assert!(matches!(outcome, Outcome::Denied(_)), "{outcome:?}");
        }
        // Denied requests placed nothing.
        self.next -= STEP;
    }

    fn void_step(&mut self) {
        for _ in 0..STEP {
            let (agent, id) = self.take_oldest();
            black_box(self.ask(&Request::Void(agent, id)));
        }
        self.pass(STEP_DURATION);
    }

    fn capture_step(&mut self) {
        for _ in 0..STEP {
            let (agent, id) = self.take_oldest();
            let capture = Capture { id, operation: OperationId(id.0), amount: AMOUNT, last: true };
            black_box(self.ask(&Request::Capture(agent, capture)));
        }
        self.pass(STEP_DURATION);
    }

    /// Lets the oldest holds expire by themselves, and forgets what is old enough.
    fn expire_step(&mut self) {
        let expired = self.pass(STEP_DURATION);
        assert!(expired == STEP || self.next <= OPEN_HOLDS, "{expired} holds expired");
        self.oldest += expired;
    }

    /// Lets time pass, with all that is due; returns how many holds expired.
    fn pass(&mut self, time: Duration) -> u64 {
        self.now = self.now.after(time);
        let mut expired = 0;
        loop {
            self.events.clear();
            self.state.advance(self.now, &mut self.events);
            let Some(event) = self.events.first() else { return expired };
            expired += u64::from(matches!(event, Event::Expired(..)));
            self.state.apply(self.now, event);
        }
    }
}

fn policy() -> PolicySource {
    let file: toml::Table = include_str!("../config/policies/machine-payments.toml").parse().expect("the file is TOML");
    let rules = file["rules"].as_array().expect("the file has rules").iter().map(|rule| {
        let text = |key: &str| rule[key].as_str().expect("the key has a text").to_owned();
        let value = match &rule["value"] {
            toml::Value::String(plain) => plain.clone(),
            structured => serde_json::to_string(structured).expect("a value has JSON"),
        };
        RuleSource { rule_type: text("rule_type"), operator: text("operator"), value, action: text("action") }
    });
    PolicySource {
        id: PolicyId(1),
        name: "machine-payments".to_owned(),
        description: String::new(),
        policy_type: "COMPOSITE".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: rules.collect(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

fn wallet() -> WalletSource {
    WalletSource {
        id: "main".to_owned(),
        address: "0x2222222222222222222222222222222222222222".to_owned(),
        chain_id: "8453".to_owned(),
        custody: "EXTERNAL".to_owned(),
        frozen: false,
        balance: Some(Amount::from_units(1_000_000)),
        limit_per_payment: None,
        limit_per_day: None,
        limit_per_week: None,
        limit_per_month: None,
        allowed_hours: None,
        allowed_days: 0,
    }
}

/// The time that `operations` take in whole steps of `measured`, with `between` before each, in the share that was asked for.
fn measure(shard: &mut Shard, operations: u64, between: fn(&mut Shard), measured: fn(&mut Shard)) -> Measured {
    let steps = operations.div_ceil(STEP);
    let mut total = Measured::ZERO;
    for _ in 0..steps {
        between(shard);
        let start = Instant::now();
        measured(shard);
        total += start.elapsed();
    }
    total.mul_f64(operations as f64 / (steps * STEP) as f64)
}

fn kernel(criterion: &mut Criterion) {
    for (agents, name) in AGENT_COUNTS {
        let mut group = criterion.benchmark_group(format!("kernel/{name} agents"));
        group.sample_size(20);
        group.throughput(Throughput::Elements(1));
        let mut bench = |shard: &mut Filled, operation: &str, between: fn(&mut Shard), measured: fn(&mut Shard)| {
            group.bench_function(operation, |bencher| {
                let shard = shard.get(agents);
                bencher.iter_custom(|operations| measure(shard, operations, between, measured));
            });
        };
        let mut ended = Filled { shard: None, hold_for: LONG_HOLD, end: Shard::void_step };
        bench(&mut ended, "authorize", Shard::void_step, Shard::place_step);
        bench(&mut ended, "denial", |_| (), Shard::deny_step);
        bench(&mut ended, "void", Shard::place_step, Shard::void_step);
        bench(&mut ended, "capture", Shard::place_step, Shard::capture_step);
        let mut expiring = Filled { shard: None, hold_for: HOLD_FOR, end: Shard::expire_step };
        bench(&mut expiring, "expiry", Shard::place_step, Shard::expire_step);
        group.finish();
    }
}

criterion_group!(benches, kernel);
criterion_main!(benches);
