//! An engine without a thread: a test asks, turns, commits and crashes it step by step.

use std::{
    num::NonZeroU16,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{Fault, FaultyStore, VirtualClock};
use crate::{
    engine::{
        Answer, Batch, Clock, Engine, EngineOptions, Feed, Follower, NoObserver, Observer, OpenError, Replies, Ticket,
        Unthreaded, Worker,
    },
    journal::MemoryStore,
    kernel::{
        AgentId, Outcome, Request, ShardId, Timestamp,
        request::{AgentStatus, CreateAgent},
    },
};

/// See the module. Dropping it is a crash: what was not committed is gone, and [`disk`](Self::disk) has the rest.
pub struct HandDriven {
    parts: Unthreaded,
    clock: Arc<VirtualClock>,
    store: Arc<FaultyStore>,
    inbox: Arc<Inbox>,
}

/// Where the answers that wait go.
#[derive(Default)]
struct Inbox {
    answers: Mutex<Vec<(Ticket, Answer)>>,
}

impl Replies for Inbox {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).extend(replies);
    }
}

impl HandDriven {
    /// An engine over a new disk in memory.
    ///
    /// # Panics
    /// When it does not open.
    #[must_use]
    pub fn new(options: &EngineOptions, now: Timestamp) -> HandDriven {
        let shards = NonZeroU16::new(options.shards).expect("there is at least one shard");
        let clock = Arc::new(VirtualClock::new(now));
        HandDriven::open(options, Arc::new(MemoryStore::new(shards)), clock, None, Arc::new(NoObserver))
            .expect("an empty store opens")
    }

    /// Takes a disk over, which may fail as told.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        options: &EngineOptions,
        disk: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        fault: Option<Fault>,
        observer: Arc<dyn Observer>,
    ) -> Result<HandDriven, OpenError> {
        let store = Arc::new(FaultyStore::new(disk, fault));
        let parts = Engine::open_unthreaded(
            options.clone(),
            Arc::<FaultyStore>::clone(&store),
            Arc::<VirtualClock>::clone(&clock),
            observer,
        )?;
        Ok(HandDriven { parts, clock, store, inbox: Arc::default() })
    }

    /// Crashes, and takes the same disk over again.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn restart(self, options: &EngineOptions, fault: Option<Fault>) -> Result<HandDriven, OpenError> {
        let (disk, clock) = (Arc::clone(self.disk()), Arc::clone(&self.clock));
        drop(self);
        HandDriven::open(options, disk, clock, fault, Arc::new(NoObserver))
    }

    /// Asks for a decision. What waits comes out of [`answers`](Self::answers) later.
    pub fn ask(&mut self, shard: ShardId, ticket: Ticket, request: &Request<'_>) -> Option<Answer> {
        let now = self.clock.now();
        let replies: Arc<dyn Replies> = Arc::<Inbox>::clone(&self.inbox);
        let worker = usize::from(self.parts.engine.worker_of(shard).0);
        self.parts.workers[worker].decide(now, shard, request, ticket, &replies)
    }

    /// Asks, makes everything durable, and gives the answer.
    ///
    /// # Errors
    /// Those of the answer.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn ask_durably(&mut self, shard: ShardId, request: &Request<'_>) -> Answer {
        const TICKET: Ticket = Ticket(u64::MAX);
        self.ask(shard, TICKET, request).unwrap_or_else(|| {
            self.settle();
            let mut answers = self.inbox.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let place = answers.iter().position(|(ticket, _)| *ticket == TICKET).expect("what is durable is answered");
            answers.remove(place).1
        })
    }

    /// A batch whose answers come out of [`answers`](Self::answers).
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch::new(Arc::<Inbox>::clone(&self.inbox))
    }

    /// Ends the run of decisions of every worker, as a façade does before it answers.
    pub fn finish(&mut self) {
        self.parts.workers.iter_mut().for_each(Worker::finish);
    }

    /// Turns every worker; says whether all are over.
    pub fn turn(&mut self) -> bool {
        let now = self.clock.now();
        let turned: Vec<bool> = self.parts.workers.iter_mut().map(|worker| worker.turn(now).over).collect();
        turned.into_iter().all(|is_over| is_over)
    }

    /// Makes everything durable that was handed over. Workers learn it in their next turn.
    pub fn commit(&mut self) {
        self.parts.commit();
    }

    /// Turns, commits, and turns again, so that everything is durable and answered.
    pub fn settle(&mut self) {
        self.turn();
        self.commit();
        self.turn();
        // Turns that the committer had no room for are handed over when the workers learn of the commit.
        self.commit();
        self.turn();
    }

    /// Shuts the engine down in good order.
    pub fn shut_down(&mut self) {
        let engine = self.parts.engine.clone();
        thread::scope(|scope| {
            let asked = scope.spawn(move || engine.shut_down());
            while !self.turn() {
                self.commit();
                thread::yield_now();
            }
            asked.join().expect("a shutdown does not panic");
        });
        if !self.engine().status().failed {
            self.parts.anchor();
        }
    }

    /// Cuts the history that there is too much of.
    pub fn retain(&self) {
        self.parts.retain();
    }

    /// Has the process die after so many writes to the disk from now on, appends not counted.
    pub fn crash_after(&self, writes: u64) {
        self.store.crash_after(writes);
    }

    /// Writes the snapshots that are due.
    pub fn write_snapshots(&self) {
        self.parts.write_snapshots();
    }

    /// Has followers, who are handed events by [`feed`](Self::feed).
    ///
    /// # Panics
    /// When it has some already.
    pub fn follow(&mut self, followers: Vec<Box<dyn Follower>>) -> Feed {
        self.parts.follow(followers).expect("it has no followers yet")
    }

    /// Hands everything that is durable to the followers.
    ///
    /// # Panics
    /// When the journal cannot be read.
    pub fn feed(&mut self) {
        while self.parts.feed(usize::MAX).expect("the journal is sound") {}
    }

    /// Hands the next group of events to the followers, or a few; says whether some are left.
    ///
    /// # Panics
    /// When the journal cannot be read.
    pub fn feed_a_little(&mut self) -> bool {
        self.parts.feed(1).expect("the journal is sound")
    }

    /// Takes the answers that arrived.
    #[must_use]
    pub fn answers(&self) -> Vec<(Ticket, Answer)> {
        std::mem::take(&mut *self.inbox.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Creates an agent durably.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn create_agent(&mut self, id: AgentId) {
        let shard = self.engine().shard_of(id);
        let create = CreateAgent { id, name: "", agent_type: "", status: AgentStatus::Active, lease: None };
        let answer = self.ask_durably(shard, &Request::CreateAgent(create));
        assert!(matches!(answer, Ok(Outcome::AgentCreated(_))), "{answer:?}");
    }

    #[cfg(test)]
    pub(crate) fn worker_mut(&mut self, worker: usize) -> &mut crate::engine::Worker {
        &mut self.parts.workers[worker]
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.parts.engine
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// Whether the store has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.store.has_failed()
    }

    /// What survives a crash.
    #[must_use]
    pub fn disk(&self) -> &Arc<MemoryStore> {
        self.store.disk()
    }
}
