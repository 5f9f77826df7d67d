//! How many captures a second become durable when they come in messages of 10,000, on the disk?
//!
//! ```text
//! cargo bench --no-default-features --features sled --bench captures
//! ```
//!
//! One worker with eight shards on the caller's thread; the disk is that of `TMPDIR`. A message's captures are decided in one go and
//! become durable with the commits they fall into; up to four messages wait. Not a bench of criterion's, since a hold can be
//! captured only once.

mod fixture;

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use fixture::{AMOUNT, authorize, capture, create_agent, machine_payments, wallet};
use holdfast::{
    engine::{AgentHandle, Answer, Clock, Engine, EngineOptions, NoObserver, Replies, SystemClock, Ticket, Worker},
    journal::{SledOptions, SledStore, Survives, sled::CACHE_BYTES_DEFAULT},
    kernel::{AgentId, AgentIndex, AuthorizationId, Request},
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: u16 = 8;
const MESSAGES_WAITING_MAX: u64 = 4;

fn main() {
    let is_measured = std::env::args().any(|argument| argument == "--bench")
        && !std::env::args().any(|argument| argument == "--test");
    let (agents, message, messages) = if is_measured { (10_000, 10_000, 200) } else { (100, 100, 5) };
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut gateway = Gateway::open(directory.path());
    gateway.create_agents(agents);
    let holds = message * messages;
    (0..holds).for_each(|n| gateway.ask(n, Gateway::authorize));
    gateway.wait(0);
    let begun = Instant::now();
    for first in (0..holds).step_by(message as usize) {
        (first..first + message).for_each(|n| gateway.ask(n, Gateway::capture));
        gateway.wait(MESSAGES_WAITING_MAX * message);
    }
    gateway.wait(0);
    let rate = holds as f64 / begun.elapsed().as_secs_f64();
    println!("{messages} messages of {message} captures: {rate:.0} durable captures/s");
}

/// Counts the answers, which must all be good.
#[derive(Default)]
struct Answered(AtomicU64);

impl Replies for Answered {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        let answered = replies.inspect(|(_, answer)| assert!(answer.is_ok(), "{answer:?}")).count();
        self.0.fetch_add(answered as u64, Ordering::Release);
    }
}

struct Gateway {
    engine: Engine,
    worker: Worker,
    clock: Arc<SystemClock>,
    answered: Arc<Answered>,
    replies: Arc<dyn Replies>,
    agents: Vec<AgentHandle>,
    /// How many answers are to come in all.
    held: u64,
}

impl Gateway {
    fn open(directory: &std::path::Path) -> Gateway {
        let sled = SledOptions {
            create_with: NonZeroU16::new(SHARDS),
            survives: Survives::Process,
            cache_bytes: CACHE_BYTES_DEFAULT,
        };
        let store = Arc::new(SledStore::open(directory, &sled).expect("a new directory opens"));
        let options = EngineOptions { shards: SHARDS, workers: 1, ..EngineOptions::new(machine_payments()) };
        let clock = Arc::new(SystemClock::new());
        let its_clock = Arc::<SystemClock>::clone(&clock);
        let (engine, mut workers) =
            Engine::open(options, store, its_clock, Arc::new(NoObserver)).expect("an empty store opens");
        let answered = Arc::new(Answered::default());
        let replies = Arc::<Answered>::clone(&answered);
        Gateway { engine, worker: workers.remove(0), clock, answered, replies, agents: Vec::new(), held: 0 }
    }

    fn create_agents(&mut self, count: u128) {
        let mut next_index = [0; SHARDS as usize];
        for id in 1..=count {
            let shard = self.engine.shard_of(AgentId(id));
            let index = AgentIndex(next_index[usize::from(shard.0)]);
            next_index[usize::from(shard.0)] += 1;
            let agent = AgentHandle { shard, index };
            self.decide(agent, &create_agent(id));
            self.decide(agent, &Request::PutWallet(index, wallet()));
            self.agents.push(agent);
        }
        self.wait(0);
    }

    fn authorize(agent: AgentIndex, id: AuthorizationId) -> Request<'static> {
        authorize(agent, id, AMOUNT)
    }

    fn capture(agent: AgentIndex, id: AuthorizationId) -> Request<'static> {
        capture(agent, id, AMOUNT)
    }

    /// Asks about the n-th hold; now and then it lets the disk keep up.
    fn ask(&mut self, n: u64, request: fn(AgentIndex, AuthorizationId) -> Request<'static>) {
        let agent = self.agents[(n.wrapping_mul(7919) % self.agents.len() as u64) as usize];
        self.decide(agent, &request(agent.index, AuthorizationId(u128::from(n) << 64 | 7)));
        if n.is_multiple_of(1024) {
            self.worker.finish();
            self.worker.turn(self.clock.now());
            self.wait(1 << 18);
        }
    }

    fn decide(&mut self, agent: AgentHandle, request: &Request<'_>) {
        let now = self.clock.now();
        match self.worker.decide(now, agent.shard, request, Ticket(0), &self.replies) {
            Some(answer) => assert!(answer.is_ok(), "{answer:?}"),
            None => self.held += 1,
        }
    }

    /// Waits until no more answers than these are to come.
    fn wait(&mut self, answers_max: u64) {
        self.worker.finish();
        while self.held - self.answered.0.load(Ordering::Acquire) > answers_max {
            self.worker.turn(self.clock.now());
            thread::yield_now();
        }
    }
}
