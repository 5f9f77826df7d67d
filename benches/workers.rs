//! How does throughput grow with the workers, and what does a request cost that another worker has to decide?
//!
//! ```text
//! cargo bench --no-default-features --bench workers
//! ```
//!
//! Each worker has a thread that decides authorizations in runs of 64, as a server does that read so many at once. A share of
//! them is for agents of other workers and crosses in one batch a run and worker. More workers than cores share the cores, so what
//! tells of larger machines is the processor time of a decision: while it stays the same, throughput grows with the cores. It includes
//! the committer's, on a journal in memory. Not a bench of criterion's, since it measures two things at once.

mod fixture;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration as Elapsed, Instant},
};

use fixture::{AMOUNT, authorize, create_agent, machine_payments, wallet};
use holdfast::{
    engine::{
        AgentHandle, Answer, Batch, Engine, EngineOptions, NoObserver, Replies, SystemClock, Ticket, Worker, WorkerId,
    },
    journal::MemoryStore,
    kernel::{AgentId, AgentIndex, AuthorizationId, Duration, Request},
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: u16 = 8;
const AGENTS: u32 = 10_000;
/// Requests of one read.
const RUN: u64 = 64;
/// What a worker's thread has sent to other workers and has no answer for; beyond it, it asks only itself.
const SENT_MAX: u64 = 4096;

fn main() {
    let is_measured = std::env::args().any(|argument| argument == "--bench")
        && !std::env::args().any(|argument| argument == "--test");
    let (agents, time) = if is_measured { (AGENTS, Elapsed::from_secs(1)) } else { (100, Elapsed::from_millis(10)) };
    println!("workers  for others  decisions/s  processor time a decision");
    for (workers, percent) in [(1, 0), (2, 0), (2, 50), (2, 100), (4, 0), (4, 75), (8, 0), (8, 87)] {
        let (rate, processor_ns) = measure(workers, percent, agents, time);
        println!("{workers:>7}  {percent:>8} %  {rate:>11.0}  {processor_ns:>22.0} ns");
    }
}

fn measure(workers: u16, percent: u64, agents: u32, time: Elapsed) -> (f64, f64) {
    let (engine, mut workers) = open(workers);
    let agents = create_agents(&engine, &mut workers, agents);
    let (idle, begun, before) = (AtomicUsize::new(0), Instant::now(), processor_time());
    let count = workers.len();
    let decided: u64 = thread::scope(|scope| {
        let (engine, agents, idle) = (&engine, &agents, &idle);
        let drive = |worker: Worker| {
            let replies = Arc::new(Answered::default());
            let driver = Driver { engine, worker, agents, percent, replies, asked: 0, sent: 0, decided: 0 };
            move || driver.drive(begun + time, idle, count)
        };
        let threads: Vec<_> = workers.into_iter().map(|worker| scope.spawn(drive(worker))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a driver ends")).sum()
    });
    let decisions = decided as f64;
    (decisions / begun.elapsed().as_secs_f64(), (processor_time() - before).as_nanos() as f64 / decisions)
}

fn open(workers: u16) -> (Engine, Vec<Worker>) {
    let mut options = EngineOptions { shards: SHARDS, workers, ..EngineOptions::new(machine_payments()) };
    options.snapshot.journal_bytes = u64::MAX;
    // Holds are soon over, so that what is measured does not grow.
    options.kernel.hold_default = Duration::from_micros(15_000);
    options.kernel.grace = Duration::from_micros(5_000);
    options.kernel.history_kept = Duration::from_micros(10_000);
    let store = Arc::new(MemoryStore::new(SHARDS.try_into().expect("there are shards")));
    Engine::open(options, store, Arc::new(SystemClock::new()), Arc::new(NoObserver)).expect("an empty store opens")
}

/// The agents of each worker, with a wallet and a lease that is armed.
fn create_agents(engine: &Engine, workers: &mut [Worker], count: u32) -> Vec<Vec<AgentHandle>> {
    let replies: Arc<dyn Replies> = Arc::new(Answered::default());
    let mut agents = vec![Vec::new(); workers.len()];
    let mut next_index = vec![0; usize::from(SHARDS)];
    for id in 1..=u128::from(count) {
        let shard = engine.shard_of(AgentId(id));
        let index = AgentIndex(next_index[usize::from(shard.0)]);
        next_index[usize::from(shard.0)] += 1;
        let place = usize::from(engine.worker_of(shard).0);
        let worker = &mut workers[place];
        let now = engine_now(worker);
        let armed = AuthorizationId(id << 64);
        for request in [create_agent(id), Request::PutWallet(index, wallet()), authorize(index, armed, AMOUNT)] {
            let answer = worker.decide(now, shard, &request, Ticket(0), &replies);
            assert_eq!(answer, None, "only durable things are asked for");
        }
        worker.finish();
        agents[place].push(AgentHandle { shard, index });
    }
    for worker in workers {
        while engine.status().commits.backlog_bytes > 0 {
            worker.turn(engine_now(worker));
            thread::yield_now();
        }
        worker.turn(engine_now(worker));
    }
    agents
}

fn engine_now(worker: &Worker) -> holdfast::kernel::Timestamp {
    worker.clock().now()
}

/// How many answers came from elsewhere or later.
#[derive(Default)]
struct Answered(AtomicU64);

impl Replies for Answered {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        let answered = replies.inspect(|(_, answer)| assert!(answer.is_ok(), "{answer:?}")).count();
        self.0.fetch_add(answered as u64, Ordering::Release);
    }
}

/// One worker's thread.
struct Driver<'e> {
    engine: &'e Engine,
    worker: Worker,
    agents: &'e [Vec<AgentHandle>],
    /// How many of a hundred requests are for other workers.
    percent: u64,
    replies: Arc<Answered>,
    /// The number of the next request.
    asked: u64,
    /// How many answers are to come.
    sent: u64,
    decided: u64,
}

impl Driver<'_> {
    /// Decides until it is time, and then serves the others until all have their answers.
    fn drive(mut self, end: Instant, idle: &AtomicUsize, drivers: usize) -> u64 {
        while Instant::now() < end {
            self.run();
        }
        let mut is_counted = false;
        while idle.load(Ordering::Acquire) < drivers {
            self.worker.turn(engine_now(&self.worker));
            if !is_counted && self.waiting() == 0 {
                is_counted = true;
                idle.fetch_add(1, Ordering::Release);
            }
            thread::yield_now();
        }
        self.decided
    }

    fn waiting(&self) -> u64 {
        self.sent - self.replies.0.load(Ordering::Acquire)
    }

    fn run(&mut self) {
        let replies: Arc<dyn Replies> = Arc::<Answered>::clone(&self.replies);
        let (me, now) = (usize::from(self.worker.id().0), engine_now(&self.worker));
        let mut batches: Vec<Batch> = self.agents.iter().map(|_| Batch::new(Arc::clone(&replies))).collect();
        let may_send = self.waiting() < SENT_MAX;
        for n in self.asked..self.asked + RUN {
            let target = self.target(me, n);
            let agent = self.agents[target][(n.wrapping_mul(7919) % self.agents[target].len() as u64) as usize];
            let request = authorize(agent.index, AuthorizationId(u128::from(n) << 16 | me as u128), AMOUNT);
            if target != me && may_send {
                batches[target].push(agent.shard, Ticket(n), &request);
            } else if target == me && self.worker.decide(now, agent.shard, &request, Ticket(n), &replies).is_none() {
                self.sent += 1;
            } else if target != me {
                continue;
            }
            self.decided += 1;
        }
        self.asked += RUN;
        self.worker.finish();
        self.send(batches);
        self.worker.turn(engine_now(&self.worker));
    }

    fn send(&mut self, batches: Vec<Batch>) {
        for (worker, batch) in (0..).zip(batches).filter(|(_, batch)| !batch.is_empty()) {
            self.sent += batch.len() as u64;
            assert!(self.engine.submit(WorkerId(worker), batch).is_ok(), "what waits is bounded");
        }
    }

    /// Whose agent the n-th request is for.
    fn target(&self, me: usize, n: u64) -> usize {
        let others = self.agents.len() - 1;
        let is_for_others = n.wrapping_mul(61) % 100 < self.percent;
        if others == 0 || !is_for_others { me } else { (me + 1 + n as usize % others) % (others + 1) }
    }
}

/// What the process has used of the processors, to a hundredth of a second; zero where the system does not say it in Linux's way.
fn processor_time() -> Elapsed {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Elapsed::from_millis(10 * ticks)
}
