//! What does a payment leave behind, and what does it cost to write it down and to read it back? One shard, one thread, no store.
//!
//! Ten thousand agents with a wallet pay in turn: each payment is approved and, where the measurement says so, captured. The events go
//! through the journal's bytes in sections of [`SECTION_EVENTS`]; `replay` reads them and applies them to a shard that has only the
//! agents, as recovery does.
//!
//! `cargo bench --bench holds --no-default-features`. It also prints how many bytes an event takes in the journal, and by how much
//! the resident memory of the process grows with each approval that is open.

use std::{
    hint::black_box,
    time::{Duration as Measured, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast::{
    journal::codec::{Section, visit_events},
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, Event, OperationId, Options, Outcome, PolicyId, Protocol,
        Request, State, Timestamp,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource},
        request::{AgentStatus, Authorize, Capture, CreateAgent, Intent, WalletSource},
    },
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENTS: u32 = 10_000;
const PAYMENTS: u64 = 200_000;
const SECTION_EVENTS: usize = 256;
const AMOUNT: Amount = Amount::from_micros(2_500);
/// A Monday morning.
const NOW: Timestamp = Timestamp::from_micros(1_794_819_600_000_000);
/// A multiplier that is prime, so that ids look as scattered as those of clients do.
const SCATTER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// A shard that pays, with what happened.
struct Shard {
    state: State,
    events: Vec<Event>,
}

impl Shard {
    fn new() -> Shard {
        let policy = PolicySource {
            id: PolicyId(1),
            name: "none".to_owned(),
            description: String::new(),
            policy_type: "COMPOSITE".to_owned(),
            priority: PRIORITY_DEFAULT,
            active: true,
            scope: PolicyScope::Organization,
            agents: Vec::new(),
            rules: Vec::new(),
            approval: None,
            wallets: Vec::new(),
            timezone: None,
        };
        let mut shard = Shard { state: State::new(Options::new(policy)), events: Vec::new() };
        for index in 0..AGENTS {
            shard.ask(&Request::CreateAgent(CreateAgent {
                id: AgentId(u128::from(index) + 1),
                name: "",
                agent_type: "CUSTOM",
                status: AgentStatus::Active,
                lease: None,
            }));
            shard.ask(&Request::PutWallet(AgentIndex(index), wallet()));
            // Its session and service stand before anything is measured.
            shard.authorize(u64::from(index), u64::from(index) + (1 << 40));
        }
        shard.events.clear();
        shard
    }

    fn ask(&mut self, request: &Request<'_>) -> Outcome {
        let first = self.events.len();
        let outcome = self.state.decide(NOW, request, &mut self.events).expect("the request is valid");
        for event in &self.events[first..] {
            self.state.apply(NOW, event);
        }
        outcome
    }

    fn authorize(&mut self, agent: u64, id: u64) {
        let outcome = self.ask(&Request::Authorize(
            AgentIndex((agent % u64::from(AGENTS)) as u32),
            Authorize {
                id: authorization(id),
                amount: AMOUNT,
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
        ));
        assert!(matches!(outcome, Outcome::Approved(_)), "{outcome:?}");
    }

    fn capture(&mut self, agent: u64, id: u64) {
        let operation = OperationId(u128::from(id).wrapping_mul(SCATTER).rotate_left(64));
        let capture = Capture { id: authorization(id), operation, amount: AMOUNT, last: true };
        self.ask(&Request::Capture(AgentIndex((agent % u64::from(AGENTS)) as u32), capture));
    }
}

fn authorization(id: u64) -> AuthorizationId {
    AuthorizationId(u128::from(id + 1).wrapping_mul(SCATTER))
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

/// The events as the journal has them.
fn written(events: &[Event]) -> Vec<u8> {
    let (mut section, mut payload) = (Section::default(), Vec::new());
    for turn in events.chunks(SECTION_EVENTS) {
        turn.iter().for_each(|event| section.write(event));
        section.keep();
        section.close(NOW, &mut payload);
    }
    payload
}

/// How long it takes to write, to read, and to read and apply the events of one kind of payment, each per event.
fn journal(criterion: &mut Criterion, name: &str, begun: &State, events: &[Event]) {
    let payload = written(events);
    println!("{name}: {:.1} bytes an event in the journal", payload.len() as f64 / events.len() as f64);
    let image = begun.image();
    let mut group = criterion.benchmark_group(format!("events/{name}"));
    group.sample_size(10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("write", |bencher| {
        bencher.iter_custom(|count| rounds(count, events.len(), || black_box(written(events)).len()));
    });
    group.bench_function("read", |bencher| {
        let read = || visit_events(&payload, &mut |_, event| _ = black_box(event));
        bencher.iter_custom(|count| rounds(count, events.len(), read));
    });
    group.bench_function("replay", |bencher| {
        bencher.iter_custom(|count| {
            let mut total = Measured::ZERO;
            let whole = count.div_ceil(events.len() as u64);
            for _ in 0..whole {
                let mut state = State::from_image(&image).expect("the image is sound");
                let start = Instant::now();
                visit_events(&payload, &mut |moment, event| state.apply(moment, &event)).expect("the events are sound");
                total += start.elapsed();
            }
            total.mul_f64(count as f64 / (whole * events.len() as u64) as f64)
        });
    });
    group.finish();
}

/// The time that `count` events take in rounds of `length`.
fn rounds<T>(count: u64, length: usize, mut round: impl FnMut() -> T) -> Measured {
    let whole = count.div_ceil(length as u64);
    let start = Instant::now();
    for _ in 0..whole {
        black_box(round());
    }
    start.elapsed().mul_f64(count as f64 / (whole * length as u64) as f64)
}

/// The resident memory of this process in bytes, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

fn holds(criterion: &mut Criterion) {
    let mut shard = Shard::new();
    let begun = State::from_image(&shard.state.image()).expect("the image is sound");
    (0..PAYMENTS).for_each(|id| shard.authorize(id, id));
    journal(criterion, "approvals", &begun, &shard.events);
    let approved = State::from_image(&shard.state.image()).expect("the image is sound");
    shard.events.clear();
    (0..PAYMENTS).for_each(|id| shard.capture(id, id));
    journal(criterion, "captures", &approved, &shard.events);
}

/// Not a measurement of time, so it prints.
fn memory(_: &mut Criterion) {
    const EACH: u64 = 1_000_000;
    let mut shard = Shard::new();
    let mut step = |what: &str, ask: fn(&mut Shard, u64, u64)| {
        let Some(before) = resident_bytes() else { return };
        for id in 0..EACH {
            ask(&mut shard, id, id);
            shard.events.clear();
        }
        let grown = resident_bytes().unwrap_or(before).saturating_sub(before);
        println!("{what}: {:.0} bytes of resident memory each", grown as f64 / EACH as f64);
    };
    step("open approvals", Shard::authorize);
    step("captures of them", Shard::capture);
}

criterion_group!(benches, memory, holds);
criterion_main!(benches);
