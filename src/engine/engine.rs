//! The engine as those who ask it see it.

use std::{
    fmt, io,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam::{
    channel::{Receiver, Sender, bounded},
    sync::Parker,
};

use super::{
    answer::{Answer, EngineError, Replies, Ticket},
    clock::Clock,
    committer::Committer,
    directory::{AgentHandle, Directory, shard_of},
    feed::{Feed, FeedRunner, FollowError, Follower},
    lane::Lane,
    mailbox::Batch,
    observer::Observer,
    options::EngineOptions,
    recovery::{HOME, OpenError, Recovered, recover},
    shared::{Shared, Standing},
    snapshot::{SNAPSHOTS_WAITING_MAX, Snapshotter},
    status::{EngineStatus, ShardGauges, ShardStatus, WorkerStatus},
    worker::{Worker, WorkerId},
};
use crate::{
    journal::{Sequence, Store},
    kernel::{
        Actor, AgentId, CounterpartyId, Failure, Outcome, PolicyId, Request, ShardId, State,
        counterparty::Counterparty,
        policy::PolicySource,
        sanctions::{SanctionsList, SanctionsSummary},
    },
};

/// How long [`Engine::shut_down`] waits for the workers to let their shards go.
pub const SHUT_DOWN_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often a policy change asks an overloaded shard again, 10 milliseconds apart.
pub const CALL_RETRIES_MAX: u32 = 200;
const CALL_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// Decides and makes durable: the shards of one store, their workers, and the committer.
///
/// Clones are the same engine. When the last one is dropped without [`shut_down`](Self::shut_down), it is as if the process
/// had died: nothing that was acknowledged is lost, but the next start assumes the worst about what was approved ahead of the disk.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    feed: OnceLock<Feed>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// One change of the catalogue at a time, so that every shard sees them in the order of their revisions.
    catalogue: Mutex<()>,
}

impl Engine {
    /// Recovers every shard of the store, and makes the workers that run them. No worker runs until somebody turns it, on
    /// [`EngineThreads`](super::EngineThreads) or inside a loop of its own.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is served then.
    pub fn open(
        options: EngineOptions,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<(Engine, Vec<Worker>), OpenError> {
        let assembly = Assembly::open(options, store, clock, observer)?;
        let threads = vec![
            spawn("holdfast-commit", move || assembly.committer.run())?,
            spawn("holdfast-snapshot", move || assembly.snapshotter.run())?,
        ];
        Ok((Engine::new(assembly.shared, assembly.store, threads), assembly.workers))
    }

    /// Like [`open`](Self::open), without a thread: a simulation commits when it wants to.
    ///
    /// # Errors
    /// [`OpenError`].
    #[cfg(any(test, feature = "testing"))]
    pub fn open_unthreaded(
        options: EngineOptions,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<Unthreaded, OpenError> {
        let Assembly { shared, store, workers, committer, snapshotter } =
            Assembly::open(options, store, clock, observer)?;
        let engine = Engine::new(shared, store, Vec::new());
        Ok(Unthreaded { engine, workers, committer, snapshotter, feed: None })
    }

    fn new(shared: Arc<Shared>, store: Arc<dyn Store>, threads: Vec<JoinHandle<()>>) -> Engine {
        let (feed, threads, catalogue) = (OnceLock::new(), Mutex::new(threads), Mutex::new(()));
        Engine { inner: Arc::new(Inner { shared, store, feed, threads, catalogue }) }
    }

    /// Has every durable event handed to these followers, on a thread of their own, from the oldest that the journal has. An engine
    /// that nobody follows has no such thread.
    ///
    /// # Errors
    /// [`FollowError`]; an engine is followed once.
    pub fn follow(&self, followers: Vec<Box<dyn Follower>>) -> Result<Feed, FollowError> {
        let runner = self.runner(followers)?;
        let (feed, parker) = (runner.feed(), Parker::new());
        let unparker = parker.unparker().clone();
        let thread = spawn("holdfast-feed", move || runner.run(&parker))?;
        // Where the bell is set already another engine's followers are not: `runner` has seen to that.
        let _ = self.shared().feed_bell.set(unparker);
        self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(feed)
    }

    /// What the followers are handed, for readers; nothing where nobody follows.
    #[must_use]
    pub fn feed(&self) -> Option<&Feed> {
        self.inner.feed.get()
    }

    fn runner(&self, followers: Vec<Box<dyn Follower>>) -> Result<FeedRunner, FollowError> {
        let runner = FeedRunner::new(&self.inner.shared, &self.inner.store, followers)?;
        self.inner.feed.set(runner.feed()).map_err(|_| FollowError::AlreadyFollowed)?;
        Ok(runner)
    }

    /// Hands a batch to a worker's mailbox. The batch comes back at once when the mailbox is full, the batch has more requests than
    /// [`batch_requests_max`](EngineOptions::batch_requests_max), or the engine no longer serves.
    ///
    /// # Errors
    /// The batch.
    pub fn submit(&self, worker: WorkerId, batch: Batch) -> Result<(), Batch> {
        let shared = self.shared();
        let is_known = usize::from(worker.0) < shared.lanes.len();
        if !is_known || batch.len() > shared.options.batch_requests_max || shared.standing() != Standing::Open {
            return Err(batch);
        }
        shared.lane(worker).post(batch)
    }

    /// Asks one shard and waits for the answer, which is durable where it must be. For embedders and tools: it blocks the
    /// calling thread, which must not be the one that turns the shard's worker.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn call(&self, shard: ShardId, request: &Request<'_>) -> Answer {
        self.ask(shard, request)?.recv().unwrap_or(Err(EngineError::Unavailable))
    }

    /// Writes a policy in every shard; returns when it is durable in all of them. A crash on the way is made good by the next
    /// start, which brings every shard up to the catalogue. The home's journal says who asked, the others follow it. Blocks like
    /// [`call`](Self::call).
    ///
    /// # Errors
    /// [`EngineError`]. After any other than [`EngineError::Failure`] some shards may have it; asking again is safe.
    pub fn put_policy(&self, source: PolicySource, actor: Option<&Actor>) -> Answer {
        self.change_catalogue(actor, |revision| Request::PutPolicy(source.clone(), revision))
    }

    /// Takes a policy out of force in every shard, as [`put_policy`](Self::put_policy) writes one.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy).
    pub fn remove_policy(&self, id: PolicyId, actor: Option<&Actor>) -> Answer {
        self.change_catalogue(actor, |revision| Request::RemovePolicy(id, revision))
    }

    /// Lets a policy decide in shadow in every shard, as [`put_policy`](Self::put_policy) writes one. It sees, and changes, nothing of
    /// what is decided.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy).
    pub fn put_shadow(&self, source: PolicySource, actor: Option<&Actor>) -> Answer {
        self.change_catalogue(actor, |revision| Request::PutShadow(source.clone(), revision))
    }

    /// Takes a policy out of shadow in every shard.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy).
    pub fn remove_shadow(&self, id: PolicyId, actor: Option<&Actor>) -> Answer {
        self.change_catalogue(actor, |revision| Request::RemoveShadow(id, revision))
    }

    /// Describes a payee in every shard, as [`put_policy`](Self::put_policy) writes a policy.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy).
    pub fn put_counterparty(&self, counterparty: Counterparty, actor: Option<&Actor>) -> Answer {
        let put = |revision| Request::PutCounterparty(Box::new(counterparty.clone()), revision);
        self.change_catalogue(actor, put)
    }

    /// Forgets a payee in every shard.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy).
    pub fn remove_counterparty(&self, id: CounterpartyId, actor: Option<&Actor>) -> Answer {
        self.change_catalogue(actor, |revision| Request::RemoveCounterparty(id, revision))
    }

    /// Puts a list of sanctions in force in every shard, all of it at once: first it is brought to each in parts, then it is switched over,
    /// as [`put_policy`](Self::put_policy) writes a policy. Until then, and after a crash before, the list before is in force.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy); [`Failure::Invalid`] where another list comes in between.
    pub fn put_sanctions(&self, list: &SanctionsList, summary: &SanctionsSummary, actor: Option<&Actor>) -> Answer {
        for part in list.parts(summary.digest) {
            let stage = Request::StageSanctions(Box::new(part));
            let asked: Vec<_> =
                (0..self.shard_count()).map(|shard| (ShardId(shard), self.ask(ShardId(shard), &stage))).collect();
            for (shard, asked) in asked {
                self.insist(shard, asked, &stage)?;
            }
        }
        self.change_catalogue(actor, |revision| Request::SwitchSanctions(Some(Box::new(summary.clone())), revision))
    }

    /// Takes the list of sanctions out of force in every shard: payments are checked against none.
    ///
    /// # Errors
    /// As for [`put_policy`](Self::put_policy); [`Failure::NoSanctions`] where none is in force.
    pub fn remove_sanctions(&self, actor: Option<&Actor>) -> Answer {
        self.change_catalogue(actor, |revision| Request::SwitchSanctions(None, revision))
    }

    /// Refuses new requests, makes everything durable, and lets every shard go, so that the next start need not assume a crash.
    /// Blocks until that is done, at most [`SHUT_DOWN_WAIT_MAX`]; the workers must be turned meanwhile.
    pub fn shut_down(&self) {
        let shared = self.shared();
        shared.end(Standing::Stopping);
        if !shared.wait_for_workers(Instant::now() + SHUT_DOWN_WAIT_MAX) {
            shared.end(Standing::Failed);
        }
        shared.close();
        self.inner.join();
    }

    /// How it does, as of now.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let shared = self.shared();
        let standing = shared.standing();
        EngineStatus {
            shards: (0..)
                .zip(&shared.shards)
                .map(|(shard, gauges)| self.shard_status(ShardId(shard), gauges))
                .collect(),
            workers: (0..).zip(&shared.lanes).map(|(worker, lane)| worker_status(WorkerId(worker), lane)).collect(),
            commits: shared.commits.read(shared.backlog_bytes()),
            failed: standing == Standing::Failed,
            failure: shared.failure.get().cloned(),
            stopping: standing == Standing::Stopping,
            clock_steps: shared.clock.steps(),
            feed: self.feed().map(Feed::status),
        }
    }

    /// How many shards there are.
    #[must_use]
    pub fn shard_count(&self) -> u16 {
        u16::try_from(self.shared().shards.len()).expect("shards have numbers of 16 bits")
    }

    /// How many workers run them.
    #[must_use]
    pub fn worker_count(&self) -> u16 {
        u16::try_from(self.shared().lanes.len()).expect("workers have numbers of 16 bits")
    }

    /// Who runs a shard.
    #[must_use]
    pub fn worker_of(&self, shard: ShardId) -> WorkerId {
        self.shared().worker_of(shard)
    }

    /// The shard in which an agent lives, or would live.
    #[must_use]
    pub fn shard_of(&self, agent: AgentId) -> ShardId {
        shard_of(agent, self.shard_count())
    }

    /// Where a durable agent lives.
    #[must_use]
    pub fn agent(&self, agent: AgentId) -> Option<AgentHandle> {
        self.shared().directory.find(agent)
    }

    /// The shard that keeps the policy catalogue and the keys of operators and platforms.
    #[must_use]
    pub fn home(&self) -> ShardId {
        HOME
    }

    /// Keeps history from being cut, so that whoever replays the journal finds it whole to the end.
    #[must_use]
    pub fn keep_history(&self) -> HistoryKept {
        self.shared().history.lock().unwrap_or_else(PoisonError::into_inner).readers += 1;
        HistoryKept { shared: Arc::clone(&self.inner.shared) }
    }

    /// Where its journal is. It is for reading: whoever writes takes the journal from the engine.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// What it runs with.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.shared().options
    }

    fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    fn ask(&self, shard: ShardId, request: &Request<'_>) -> Result<Receiver<Answer>, EngineError> {
        let (sender, answer) = bounded(1);
        let mut batch = Batch::new(Arc::new(OneReply(sender)));
        batch.push(shard, Ticket(0), request);
        match self.submit(self.worker_of(shard), batch) {
            Ok(()) => Ok(answer),
            Err(_) if self.shared().standing() == Standing::Open => Err(EngineError::Overloaded),
            Err(_) => Err(EngineError::Unavailable),
        }
    }

    /// The home first, which gives the revision; then the others.
    fn change_catalogue<'r>(&self, actor: Option<&Actor>, request: impl Fn(Option<u32>) -> Request<'r>) -> Answer {
        let _alone = self.inner.catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match actor {
            Some(actor) => Request::By(Box::new(actor.clone()), Box::new(request(None))),
            None => request(None),
        };
        let changed = self.call(HOME, &first)?;
        let Outcome::PolicyChanged { revision } = changed else {
            unreachable!("a policy change answers with its revision, not {changed:?}")
        };
        let others = 1..self.shard_count();
        let told = request(Some(revision));
        let asked: Vec<_> = others.map(|shard| (ShardId(shard), self.ask(ShardId(shard), &told))).collect();
        // Every shard is waited for, even after an error, so that as many as possible have the change.
        let answers: Vec<Answer> = asked.into_iter().map(|(shard, asked)| self.insist(shard, asked, &told)).collect();
        answers.into_iter().find_map(Result::err).map_or(Ok(changed), Err)
    }

    /// Waits for an answer, and asks again while the shard is overloaded.
    fn insist(&self, shard: ShardId, asked: Result<Receiver<Answer>, EngineError>, request: &Request<'_>) -> Answer {
        let mut answer = asked.and_then(|asked| asked.recv().unwrap_or(Err(EngineError::Unavailable)));
        for _ in 0..CALL_RETRIES_MAX {
            match answer {
                Err(EngineError::Overloaded) => {
                    thread::sleep(CALL_RETRY_INTERVAL);
                    answer = self.call(shard, request);
                }
                // The shard never had it, which is what was asked for.
                Err(EngineError::Failure(Failure::UnknownPolicy)) => return Ok(Outcome::Done),
                Ok(_) | Err(EngineError::Failure(_) | EngineError::Unavailable) => break,
            }
        }
        answer
    }

    fn shard_status(&self, shard: ShardId, gauges: &ShardGauges) -> ShardStatus {
        ShardStatus {
            shard,
            worker: self.worker_of(shard),
            durable: Sequence(gauges.durable.load(Ordering::Relaxed)),
            snapshot: Sequence(gauges.snapshot.load(Ordering::Relaxed)),
            base: Sequence(gauges.base.load(Ordering::Relaxed)),
            agents: gauges.agents.load(Ordering::Relaxed),
            poisoned: gauges.is_poisoned.load(Ordering::Relaxed),
        }
    }
}

fn worker_status(worker: WorkerId, lane: &Lane) -> WorkerStatus {
    WorkerStatus { worker, counters: lane.counters.read(), mailbox_batches: lane.mailbox_batches() }
}

/// History is not cut while this is there.
pub struct HistoryKept {
    shared: Arc<Shared>,
}

impl Drop for HistoryKept {
    fn drop(&mut self) {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).readers -= 1;
    }
}

impl fmt::Debug for HistoryKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryKept").finish_non_exhaustive()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("shards", &self.shard_count()).finish_non_exhaustive()
    }
}

impl Inner {
    fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has said so, and has ended the engine.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.shared.is_closed() {
            self.shared.end(Standing::Failed);
            self.shared.close();
        }
        self.join();
    }
}

/// The parts of an engine before anything runs.
struct Assembly {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    workers: Vec<Worker>,
    committer: Committer,
    snapshotter: Snapshotter,
}

impl Assembly {
    fn open(
        options: EngineOptions,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<Assembly, OpenError> {
        let recovered = recover(&store, &options.kernel, clock.now())?;
        let directory = Directory::default();
        for (shard, state) in numbered(&recovered.states) {
            let agents = state.agents();
            agents.for_each(|(index, agent)| directory.insert(agent, AgentHandle { shard, index }));
            observer.recovered(shard, state);
        }
        let parker = Parker::new();
        let workers = options.workers.clamp(1, store.shards().get());
        let lanes = (0..workers).map(|_| Lane::new(options.mailbox_batches_max)).collect();
        let gauges = numbered(&recovered.states).map(|(shard, state)| gauges(&recovered, shard, state)).collect();
        let unparker = parker.unparker().clone();
        let shared = Arc::new(Shared::new(options, clock, observer, directory, lanes, gauges, unparker));
        let (asks, asked) = bounded(SNAPSHOTS_WAITING_MAX);
        let Recovered { journal, states, grown_bytes } = recovered;
        Ok(Assembly {
            workers: assign(&shared, states),
            committer: Committer::new(Arc::clone(&shared), journal, parker, grown_bytes, asks),
            snapshotter: Snapshotter::new(Arc::clone(&shared), Arc::clone(&store), asked),
            store,
            shared,
        })
    }
}

fn numbered(states: &[State]) -> impl Iterator<Item = (ShardId, &State)> {
    (0..).map(ShardId).zip(states)
}

fn gauges(recovered: &Recovered, shard: ShardId, state: &State) -> ShardGauges {
    let gauges = ShardGauges::default();
    let durable = recovered.journal.durable(shard).map_or(Sequence::NONE, |position| position.sequence);
    gauges.durable.store(durable.0, Ordering::Relaxed);
    gauges.agents.store(state.agents().count() as u64, Ordering::Relaxed);
    gauges.handed_out.store(u64::MAX, Ordering::Relaxed);
    gauges
}

/// Gives every shard to its worker.
fn assign(shared: &Arc<Shared>, states: Vec<State>) -> Vec<Worker> {
    let mut shares: Vec<Vec<(ShardId, State)>> = shared.lanes.iter().map(|_| Vec::new()).collect();
    for (shard, state) in (0..).map(ShardId).zip(states) {
        shares[usize::from(shared.worker_of(shard).0)].push((shard, state));
    }
    let workers = (0..).map(WorkerId).zip(shares);
    workers.map(|(id, states)| Worker::new(id, Arc::clone(shared), states)).collect()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// One answer for one thread that waits for it.
struct OneReply(Sender<Answer>);

impl Replies for OneReply {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        for (_, answer) in replies {
            // Whoever asked may have gone.
            let _ = self.0.try_send(answer);
        }
    }
}

/// An engine whose parts a simulation turns by hand. Dropping it is a crash.
#[cfg(any(test, feature = "testing"))]
pub struct Unthreaded {
    /// The engine.
    pub engine: Engine,
    /// Its workers.
    pub workers: Vec<Worker>,
    committer: Committer,
    snapshotter: Snapshotter,
    feed: Option<FeedRunner>,
}

#[cfg(any(test, feature = "testing"))]
impl Unthreaded {
    /// Has followers, who are handed events by [`feed`](Self::feed).
    ///
    /// # Errors
    /// [`FollowError`].
    pub fn follow(&mut self, followers: Vec<Box<dyn Follower>>) -> Result<Feed, FollowError> {
        let mut runner = self.engine.runner(followers)?;
        let feed = runner.feed();
        runner.begin().map_err(|error| FollowError::Journal(error.to_string()))?;
        self.feed = Some(runner);
        Ok(feed)
    }

    /// Hands durable events to the followers, in stretches of so many groups; says whether some are left.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn feed(&mut self, groups_max: usize) -> Result<bool, super::feed::FeedError> {
        let mut groups = 0;
        let mut is_tired = || {
            groups += 1;
            groups > groups_max
        };
        self.feed.as_mut().map_or(Ok(false), |feed| feed.turn(&mut is_tired))
    }

    /// Makes everything durable that the workers handed over; they see it in their next turn.
    pub fn commit(&mut self) {
        loop {
            self.committer.gather();
            if !self.committer.has_gathered() || self.engine.status().failed {
                return;
            }
            self.committer.commit();
        }
    }

    /// Ends the committer of an engine that was shut down in good order.
    pub fn anchor(&self) {
        self.committer.anchor();
    }

    /// Cuts what there is too much of.
    pub fn retain(&self) {
        self.snapshotter.retain_all();
    }

    /// Writes the snapshots that are due.
    pub fn write_snapshots(&self) {
        self.snapshotter.write_asked();
    }
}

#[cfg(any(test, feature = "testing"))]
impl fmt::Debug for Unthreaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(f)
    }
}
