//! The engine inside this process: no network between, so that it shows what the network costs. Requests cross to the workers' threads
//! in batches, as they do for a program that embeds the engine.

use std::{
    collections::HashMap,
    num::NonZeroU16,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use holdfast::{
    engine::{
        Answer as EngineAnswer, Batch, Engine, EngineError, EngineOptions, EngineThreads, NoObserver, Replies,
        SystemClock, Ticket, WorkerId,
    },
    journal::{SledOptions, SledStore, Survives, sled::CACHE_BYTES_DEFAULT},
    kernel::{
        AgentIndex, AuthorizationId, OperationId, Outcome, Protocol, Request, ShardId,
        request::{AgentStatus, Authorize, Capture, CloseSession, CreateAgent, Intent, Query, WalletSource},
    },
    wire::{Handle, Reply},
};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::{Answer, Ask, Broken, Errand, Link, Payment, RESOURCE, Reader, SERVICE, Subject, Writer, quic};
use crate::{
    balance::Balance,
    error::LoadError,
    fleet::{LanePlan, divide},
    record::{self, GatewayCounts, SubjectKind, Transport},
    scenario::Scenario,
    setup::{agent_id, policy_source, wallet_address},
};

/// The most requests of one lane that wait for their answers.
const IN_FLIGHT_MAX: u32 = 65_536;
/// Requests that are asked at one time where nobody measures.
const CHUNK: usize = 1024;

/// An engine of our own, in a temporary directory.
pub(crate) struct InProcess {
    engine: Engine,
    threads: Option<EngineThreads>,
    handles: Vec<Handle>,
    hot_share: Option<f64>,
    rails: Vec<Protocol>,
    _directory: TempDir,
}

impl InProcess {
    /// Opens an engine, and makes the agents of the scenario.
    pub(crate) fn start(scenario: &Scenario) -> Result<InProcess, LoadError> {
        let directory = tempfile::Builder::new().prefix("holdfast-loadtest-").tempdir()?;
        let mut options = EngineOptions::new(policy_source(scenario.daily_limit));
        // The threads that generate the load need processors, too.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = cores.saturating_sub(scenario.threads.into()).max(1);
        options.workers = u16::try_from(workers).unwrap_or(u16::MAX).min(options.shards);
        let store = SledOptions {
            create_with: NonZeroU16::new(options.shards),
            survives: Survives::Process,
            cache_bytes: CACHE_BYTES_DEFAULT,
        };
        let store = SledStore::open(directory.path(), &store).map_err(embedding)?;
        let clock = Arc::new(SystemClock::new());
        let (engine, workers) =
            Engine::open(options, Arc::new(store), clock, Arc::new(NoObserver)).map_err(embedding)?;
        let threads = Some(EngineThreads::spawn(workers)?);
        let mut this = InProcess {
            engine,
            threads,
            handles: Vec::new(),
            hot_share: scenario.hot_share,
            rails: scenario.rails(),
            _directory: directory,
        };
        this.make_agents(scenario.agents)?;
        Ok(this)
    }

    fn make_agents(&mut self, agents: u32) -> Result<(), LoadError> {
        let numbers: Vec<u32> = (0..agents).collect();
        for numbers in numbers.chunks(CHUNK) {
            let names: Vec<String> = numbers.iter().map(|number| format!("load test {number}")).collect();
            let create = |(number, name): (&u32, &'_ String)| {
                let id = agent_id(*number);
                (self.engine.shard_of(id), id, name.clone())
            };
            let asked: Vec<_> = numbers.iter().zip(&names).map(create).collect();
            let requests = asked.iter().map(|(shard, id, name)| {
                let (id, status) = (*id, AgentStatus::Active);
                (*shard, Request::CreateAgent(CreateAgent { id, name, agent_type: "CUSTOM", status, lease: None }))
            });
            let answers = self.ask_all(&requests.collect::<Vec<_>>())?;
            for (answer, (shard, ..)) in answers.into_iter().zip(&asked) {
                match answer {
                    Ok(Outcome::AgentCreated(index)) => self.handles.push(Handle { shard: *shard, index }),
                    other => return Err(refused("make an agent", &other)),
                }
            }
            let made = &self.handles[self.handles.len() - numbers.len()..];
            let requests: Vec<_> = made
                .iter()
                .zip(numbers)
                .map(|(handle, number)| (handle.shard, wallet(handle.index, *number)))
                .collect();
            let answers = self.ask_all(&requests)?;
            if let Some(wrong) = answers.iter().find(|answer| answer.is_err()) {
                return Err(refused("link a wallet", wrong));
            }
        }
        Ok(())
    }

    /// Asks many things, and waits for all answers, which come in the order of the requests.
    fn ask_all(&self, requests: &[(ShardId, Request<'_>)]) -> Result<Vec<EngineAnswer>, LoadError> {
        let (sender, answers) = mpsc::channel();
        let collector: Arc<dyn Replies> = Arc::new(Collector(sender));
        let mut batches: HashMap<WorkerId, Batch> = HashMap::new();
        for (number, (shard, request)) in requests.iter().enumerate() {
            let batch =
                batches.entry(self.engine.worker_of(*shard)).or_insert_with(|| Batch::new(Arc::clone(&collector)));
            batch.push(*shard, Ticket(number as u64), request);
        }
        drop(collector);
        for (worker, batch) in batches {
            self.engine.submit(worker, batch).map_err(|_| embedding(EngineError::Overloaded))?;
        }
        // The channel closes when every batch is answered or gone.
        let mut sorted: Vec<(u64, EngineAnswer)> = answers.iter().collect();
        sorted.sort_by_key(|(number, _)| *number);
        Ok(sorted.into_iter().map(|(_, answer)| answer).collect())
    }

    fn worker_of(&self, handle: Handle) -> usize {
        usize::from(self.engine.worker_of(handle.shard).0)
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.engine.shut_down();
        if let Some(threads) = self.threads.take() {
            threads.join();
        }
    }
}

fn embedding(error: impl std::fmt::Display) -> LoadError {
    LoadError::Embedded(error.to_string())
}

fn refused(what: &'static str, answer: &EngineAnswer) -> LoadError {
    LoadError::Refused { what, reply: format!("{answer:?}") }
}

fn wallet(agent: AgentIndex, number: u32) -> Request<'static> {
    Request::PutWallet(
        agent,
        WalletSource {
            id: "main".to_owned(),
            address: wallet_address(number),
            chain_id: "8453".to_owned(),
            custody: "EXTERNAL".to_owned(),
            frozen: false,
            balance: Some(holdfast::kernel::Amount::from_units(1_000_000_000)),
            limit_per_payment: None,
            limit_per_day: None,
            limit_per_week: None,
            limit_per_month: None,
            allowed_hours: None,
            allowed_days: 0,
        },
    )
}

struct Collector(mpsc::Sender<(u64, EngineAnswer)>);

impl Replies for Collector {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, EngineAnswer)>) {
        for (ticket, answer) in replies {
            // Whoever asked may have gone.
            let _ = self.0.send((ticket.0, answer));
        }
    }
}

impl Subject for InProcess {
    type Writer = InProcessWriter;
    type Reader = InProcessReader;

    fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        let worker_of = |handle| self.worker_of(handle);
        divide(&self.handles, worker_of, self.engine.worker_count().into(), connections, self.hot_share)
    }

    fn in_flight_max(&self) -> u32 {
        IN_FLIGHT_MAX
    }

    fn described(&self) -> record::Subject {
        let interval_us = self.engine.options().commit.interval_us;
        record::Subject {
            what: SubjectKind::Holdfast,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            transport: Transport::InProcess,
            durability: Some(format!("sled, process, {} ms", f64::from(interval_us) / 1e3)),
            workers: Some(self.engine.worker_count().into()),
            shards: Some(self.engine.shard_count().into()),
        }
    }

    fn balances(&self) -> Result<Vec<Balance>, LoadError> {
        let mut balances = Vec::with_capacity(self.handles.len());
        for handles in self.handles.chunks(CHUNK) {
            let budget = |handle: &Handle, rail| (handle.shard, Request::Read(Query::Budget(handle.index, rail, "")));
            let requests = handles.iter().flat_map(|handle| self.rails.iter().map(|rail| budget(handle, *rail)));
            let answers = self.ask_all(&requests.collect::<Vec<_>>())?;
            for answers in answers.chunks(self.rails.len()) {
                let mut balance = Balance::default();
                for answer in answers {
                    match Reply::from(answer.clone()) {
                        Reply::Budget(budget) => balance.add_rail(&budget),
                        other => return Err(refused_reply("show the budget of an agent", &other)),
                    }
                }
                balances.push(balance);
            }
        }
        Ok(balances)
    }

    fn counts(&self) -> Result<Option<GatewayCounts>, LoadError> {
        let status = self.engine.status();
        let mut counts = GatewayCounts::default();
        for worker in &status.workers {
            counts.approvals += worker.counters.approvals;
            counts.denials += worker.counters.denials;
            counts.leased += worker.counters.leased;
        }
        Ok(Some(GatewayCounts { commits: status.commits.commits, commit_bytes: status.commits.bytes, ..counts }))
    }

    fn process(&self) -> Option<u32> {
        None
    }

    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<InProcessWriter, InProcessReader>>, LoadError> {
        let link = |lane: &LanePlan| {
            let inbox = Arc::new(Inbox::default());
            let writer = InProcessWriter {
                engine: self.engine.clone(),
                worker: WorkerId(u16::try_from(lane.worker).unwrap_or(u16::MAX)),
                inbox: Arc::clone(&inbox),
                batch: Batch::new(Arc::clone(&inbox) as Arc<dyn Replies>),
            };
            Link { writer, reader: InProcessReader { inbox, taken: Vec::new() } }
        };
        Ok(lanes.iter().map(link).collect())
    }
}

fn refused_reply(what: &'static str, reply: &Reply) -> LoadError {
    LoadError::Refused { what, reply: format!("{reply:?}") }
}

/// Answers that nobody has read yet. There are no more than requests are in flight.
#[derive(Default)]
struct Inbox {
    replies: Mutex<Vec<(u32, Reply)>>,
    arrived: Notify,
}

impl Inbox {
    fn replies(&self) -> MutexGuard<'_, Vec<(u32, Reply)>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replies for Inbox {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, EngineAnswer)>) {
        // A ticket is a tag, which has 32 bits.
        self.replies().extend(replies.map(|(ticket, answer)| (ticket.0 as u32, Reply::from(answer))));
        self.arrived.notify_one();
    }
}

/// Requests to one worker.
pub(crate) struct InProcessWriter {
    engine: Engine,
    worker: WorkerId,
    inbox: Arc<Inbox>,
    batch: Batch,
}

impl Writer for InProcessWriter {
    fn push(&mut self, tag: u32, ask: &Ask) {
        let (shard, agent, ticket) = (ask.handle.shard, ask.handle.index, Ticket(tag.into()));
        match ask.errand {
            Errand::Pay(Payment::Session) => {
                let session = ask.session();
                self.batch.push(shard, ticket, &Request::Authorize(agent, authorize(ask, Payment::Session, &session)));
            }
            Errand::Pay(payment) => {
                self.batch.push(shard, ticket, &Request::Authorize(agent, authorize(ask, payment, "")));
            }
            Errand::Capture => {
                let (id, operation) = (AuthorizationId(ask.id), OperationId(ask.id));
                let capture = Capture { id, operation, amount: ask.amount, last: true };
                self.batch.push(shard, ticket, &Request::Capture(agent, capture));
            }
            Errand::Close => {
                let session = ask.session();
                let close = CloseSession { protocol: Protocol::Mpp, session: &session };
                self.batch.push(shard, ticket, &Request::CloseSession(agent, close));
            }
        }
        if self.batch.len() >= self.engine.options().batch_requests_max {
            self.submit();
        }
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        if !self.batch.is_empty() {
            self.submit();
        }
        Ok(())
    }
}

impl InProcessWriter {
    fn submit(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Batch::new(Arc::clone(&self.inbox) as Arc<dyn Replies>));
        if let Err(refused) = self.engine.submit(self.worker, batch) {
            self.inbox.deliver(&mut refused.tickets().map(|ticket| (ticket, Err(EngineError::Overloaded))));
        }
    }
}

fn authorize<'a>(ask: &Ask, payment: Payment, session: &'a str) -> Authorize<'a> {
    Authorize {
        id: AuthorizationId(ask.id),
        amount: ask.amount,
        protocol: payment.protocol(),
        intent: match payment {
            Payment::X402 | Payment::Mpp | Payment::Blocked => Intent::Charge,
            Payment::Session => Intent::Session { duration: None },
        },
        recipient: payment.recipient(),
        service: SERVICE,
        resource: RESOURCE,
        session,
        wallet: "",
        hold_for: None,
        facts: None,
    }
}

/// Answers to one lane.
pub(crate) struct InProcessReader {
    inbox: Arc<Inbox>,
    /// Emptied and used again, so that nothing is allocated for each read.
    taken: Vec<(u32, Reply)>,
}

impl Reader for InProcessReader {
    async fn read(&mut self, mut on_answer: impl FnMut(u32, Answer<'_>)) -> Result<(), Broken> {
        while self.taken.is_empty() {
            std::mem::swap(&mut *self.inbox.replies(), &mut self.taken);
            if self.taken.is_empty() {
                self.inbox.arrived.notified().await;
            }
        }
        for (tag, reply) in self.taken.drain(..) {
            on_answer(tag, quic::answer(&reply));
        }
        Ok(())
    }
}
