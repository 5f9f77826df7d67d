//! The engine: a run of requests on the thread of their worker, from the question to the answer, and the turn that hands them over.
//! The commit itself has a thread of its own in a gateway and is not counted.

use std::{hint::black_box, num::NonZeroU16, sync::Arc};

use holdfast::{
    engine::{Answer, Clock, Engine, EngineOptions, NoObserver, Replies, Ticket, Unthreaded},
    journal::MemoryStore,
    kernel::{AgentIndex, AuthorizationId, Duration, Outcome, Request, ShardId, Timestamp},
    testing::VirtualClock,
};

use crate::{
    count::Count,
    fixture::{AMOUNT, AMOUNT_DENIED, authorize, capture, create_agent, machine_payments, wallet},
};

const AGENTS: u32 = 64;
const RUN: u64 = 64;
const RUNS_OPEN: u64 = 16;
const RUNS: u64 = 1024;
const SHARD: ShardId = ShardId(0);
const RUN_DURATION: Duration = Duration::from_micros(1000);

/// A gateway through which runs of payments go, each with captures of what an earlier run placed.
struct Gateway {
    parts: Unthreaded,
    clock: Arc<VirtualClock>,
    replies: Arc<dyn Replies>,
    placed: u64,
    captured: u64,
}

/// Where late answers go.
struct Checked;

impl Replies for Checked {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        replies.for_each(|(_, answer)| assert!(black_box(&answer).is_ok(), "{answer:?}"));
    }
}

fn options() -> EngineOptions {
    let mut options = EngineOptions { shards: 1, workers: 1, ..EngineOptions::new(machine_payments()) };
    options.kernel.history_kept = Duration::from_micros(RUN_DURATION.micros() * RUNS_OPEN);
    options.kernel.session_kept = Duration::from_secs(2);
    options.snapshot.journal_bytes = u64::MAX;
    options
}

impl Gateway {
    fn new() -> Gateway {
        let clock = Arc::new(VirtualClock::new(Timestamp::from_micros(1_794_819_600_000_000)));
        let store = Arc::new(MemoryStore::new(NonZeroU16::MIN));
        let its_clock = Arc::<VirtualClock>::clone(&clock);
        let parts = Engine::open_unthreaded(options(), store, its_clock, Arc::new(NoObserver)).unwrap();
        let mut gateway = Gateway { parts, clock, replies: Arc::new(Checked), placed: 0, captured: 0 };
        for index in 0..AGENTS {
            gateway.ask(&create_agent(u128::from(index) + 1));
            gateway.ask(&Request::PutWallet(AgentIndex(index), wallet()));
        }
        let mut ignored = Count::default();
        (0..4 * RUNS_OPEN).for_each(|_| gateway.run(&mut ignored));
        gateway
    }

    /// A run of payments, a run of captures if enough is open, and what belongs to a turn; counts what its requests take.
    fn run(&mut self, count: &mut Count) {
        for _ in 0..RUN {
            let (agent, id) = hold(self.placed);
            self.placed += 1;
            count.add(|| self.ask(&authorize(agent, id, AMOUNT)));
        }
        while self.placed - self.captured > RUN * RUNS_OPEN {
            let (agent, id) = hold(self.captured);
            self.captured += 1;
            count.add(|| self.ask(&capture(agent, id, AMOUNT)));
        }
        self.end_run(count);
    }

    /// The part of a run that is not any one request's; it counts as one more.
    fn end_run(&mut self, count: &mut Count) {
        let now = self.clock.now();
        count.add(|| self.parts.workers[0].finish());
        self.parts.commit();
        count.add(|| _ = self.parts.workers[0].turn(now));
        self.clock.advance(RUN_DURATION);
    }

    fn ask(&mut self, request: &Request<'_>) {
        let now = self.clock.now();
        let answer = self.parts.workers[0].decide(now, SHARD, request, Ticket(0), &self.replies);
        let at_once = matches!(answer, None | Some(Ok(Outcome::Approved(_) | Outcome::Denied(_))));
        assert!(at_once, "{answer:?}");
    }
}

fn hold(n: u64) -> (AgentIndex, AuthorizationId) {
    let agent = u32::try_from(n % u64::from(AGENTS)).unwrap();
    (AgentIndex(agent), AuthorizationId(u128::from(n) << 64 | 7))
}

#[test]
fn a_run_of_approvals_and_captures_takes_no_memory() {
    let mut gateway = Gateway::new();
    let mut count = Count::default();
    (0..RUNS).for_each(|_| gateway.run(&mut count));
    count.assert_none();
}

#[test]
fn a_run_of_denials_takes_the_lists_of_their_violations() {
    let mut gateway = Gateway::new();
    let mut count = Count::default();
    for _ in 0..RUNS {
        for n in 0..RUN {
            let (agent, id) = hold(gateway.placed + n);
            count.add(|| gateway.ask(&authorize(agent, id, AMOUNT_DENIED)));
        }
        gateway.end_run(&mut count);
    }
    count.assert_at_most(1);
}
