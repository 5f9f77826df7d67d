//! A worker: some of the shards, and the turn in which they are served.
//!
//! It is passive. Whoever owns its thread calls [`Worker::turn`] when it was woken or something is due, and may ask for a decision
//! at once with [`Worker::decide`].

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::{
    answer::{Answer, EngineError, Replies, Ticket},
    clock::Clock,
    lane::Lane,
    options::{HELD_REPLIES_MAX, TURN_BYTES_MAX},
    outbox::Outbox,
    shard::{Held, Shard},
    shared::{Shared, Standing},
    status::WorkerCounters,
    turn::{TurnNumber, TurnRecord},
};
use crate::kernel::{Outcome, Request, ShardId, State, Timestamp};

/// How many requests of the mailbox are served in one turn; what waits beyond them waits for the next turn.
const TURN_REQUESTS_MAX: usize = 8192;
/// More shards than any worker has.
const NOT_MINE: u16 = u16::MAX;

/// The number of a worker; dense from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

/// What a turn leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the worker must be turned again at the latest; never where absent, unless it is woken.
    pub next: Option<Timestamp>,
    /// Whether more waits in the mailbox already.
    pub more: bool,
    /// Whether the worker has let its shards go and need not be turned again.
    pub over: bool,
}

/// Owns some of the shards.
pub struct Worker {
    id: WorkerId,
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    /// Where each shard of the engine stands in `shards`.
    slots: Vec<u16>,
    /// The turn that is being filled.
    turn: TurnNumber,
    record: TurnRecord,
    /// About how many bytes the shards have kept for this turn.
    gathered_bytes: usize,
    /// Turns that the committer had no room for. The backlog bounds them.
    waiting: VecDeque<TurnRecord>,
    durable: TurnNumber,
    held_count: usize,
    outbox: Outbox,
    counters: WorkerCounters,
    life: Life,
}

/// How far a worker's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Serving,
    /// The last events are on their way.
    LettingGo,
    Over,
}

impl Worker {
    pub(super) fn new(id: WorkerId, shared: Arc<Shared>, states: Vec<(ShardId, State)>) -> Worker {
        let mut slots = vec![NOT_MINE; shared.shards.len()];
        for (slot, (shard, _)) in states.iter().enumerate() {
            slots[usize::from(shard.0)] = u16::try_from(slot).expect("fewer shards than shard numbers");
        }
        Worker {
            id,
            record: shared.lane(id).empty_turn(),
            shared,
            shards: states.into_iter().map(|(shard, state)| Shard::new(shard, state)).collect(),
            slots,
            turn: TurnNumber::NONE.next(),
            gathered_bytes: 0,
            waiting: VecDeque::new(),
            durable: TurnNumber::NONE,
            held_count: 0,
            outbox: Outbox::default(),
            counters: WorkerCounters::default(),
            life: Life::Serving,
        }
    }

    /// Releases what has become durable, serves the mailbox, lets happen what is due, and hands everything that happened to
    /// the committer.
    pub fn turn(&mut self, now: Timestamp) -> Turn {
        self.lane().waker().answer();
        self.learn();
        self.serve_mailbox(now);
        self.fire_due(now);
        self.end_if_asked(now);
        self.finish();
        self.outbox.deliver();
        self.notice_end();
        let next = self.shards.iter().filter_map(Shard::next_deadline).min();
        Turn { next, more: self.lane().mailbox_batches() > 0, over: self.life == Life::Over }
    }

    /// Decides at once, on the caller's thread, for a shard of this worker. `Some` is the answer to send now: an approval under the
    /// lease, a denial, an error, or what rests on durable facts alone. Otherwise the answer goes to `replies` when it is
    /// durable. After a run of decisions call [`finish`](Self::finish).
    pub fn decide(
        &mut self,
        now: Timestamp,
        shard: ShardId,
        request: &Request<'_>,
        ticket: Ticket,
        replies: &Arc<dyn Replies>,
    ) -> Option<Answer> {
        let slot = match self.admit(shard) {
            Ok(slot) => slot,
            Err(refusal) => return Some(Err(refusal)),
        };
        let Some((answer, wait)) = self.serve(slot, now, request) else {
            return Some(Err(EngineError::Unavailable));
        };
        self.count(&answer, wait);
        if wait <= self.durable {
            return Some(answer);
        }
        self.shards[slot].hold(Held { turn: wait, ticket, replies: Arc::clone(replies), answer });
        self.held_count += 1;
        None
    }

    /// Ends a run of decisions: hands what happened to the committer as one turn, and makes the counters say so before anybody is
    /// answered.
    pub fn finish(&mut self) {
        self.hand_over();
        self.lane().counters.publish(&self.counters);
    }

    /// Called from other threads when a batch arrives in the mailbox or a commit ends; the owner then calls [`turn`](Self::turn).
    pub fn set_waker(&mut self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.lane().waker().set(wake);
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Whether a shard is one of its own.
    #[must_use]
    pub fn owns(&self, shard: ShardId) -> bool {
        self.slots.get(usize::from(shard.0)).is_some_and(|slot| *slot != NOT_MINE)
    }

    /// The engine's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    fn lane(&self) -> &Lane {
        self.shared.lane(self.id)
    }

    /// Refuses what cannot be served, before anything is decided.
    fn admit(&mut self, shard: ShardId) -> Result<usize, EngineError> {
        let slot = match self.slots.get(usize::from(shard.0)) {
            Some(&slot) if slot != NOT_MINE => usize::from(slot),
            Some(_) | None => return Err(self.refuse_unavailable()),
        };
        if self.shared.standing() != Standing::Open || self.shards[slot].is_poisoned() {
            return Err(self.refuse_unavailable());
        }
        let is_behind = self.shared.backlog_bytes() > self.shared.options.commit.backlog_bytes_max;
        if is_behind || self.held_count >= HELD_REPLIES_MAX {
            self.counters.overloaded += 1;
            return Err(EngineError::Overloaded);
        }
        Ok(slot)
    }

    fn refuse_unavailable(&mut self) -> EngineError {
        self.counters.unavailable += 1;
        EngineError::Unavailable
    }

    /// `None` where the shard is poisoned by it.
    fn serve(&mut self, slot: usize, now: Timestamp, request: &Request<'_>) -> Option<(Answer, TurnNumber)> {
        self.go_on_to(slot, now)?;
        let (turn, durable) = (self.turn, self.durable);
        self.guard(slot, |shard| shard.serve(request, turn, durable))
    }

    /// Makes sure that everything that is due at `now` has happened.
    fn go_on_to(&mut self, slot: usize, now: Timestamp) -> Option<()> {
        if self.shards[slot].is_at(now) {
            return Some(());
        }
        self.shards[slot].close_section(&mut self.record);
        let turn = self.turn;
        self.guard(slot, |shard| shard.go_on_to(now, turn))?;
        loop {
            let turn = self.turn;
            if !self.guard(slot, |shard| shard.fire(turn))? {
                return Some(());
            }
        }
    }

    /// Works on a shard. A panic is a bug there: it poisons that shard and no other.
    fn guard<T>(&mut self, slot: usize, work: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        let shard = &mut self.shards[slot];
        let bytes_before = shard.kept_bytes();
        let done = catch_unwind(AssertUnwindSafe(|| work(shard)));
        self.gathered_bytes += shard.kept_bytes() - bytes_before;
        let Ok(done) = done else {
            self.poison(slot);
            return None;
        };
        if self.gathered_bytes >= TURN_BYTES_MAX {
            self.hand_over();
        }
        Some(done)
    }

    fn poison(&mut self, slot: usize) {
        let shard = &mut self.shards[slot];
        self.shared.gauges(shard.id()).is_poisoned.store(true, Ordering::Release);
        self.held_count -= shard.poison(&mut self.outbox);
    }

    /// Closes the turn, if anything happened in it, and gives the committer what it has room for.
    fn hand_over(&mut self) {
        for shard in &mut self.shards {
            shard.close_section(&mut self.record);
            let tally = shard.take_tally();
            self.counters.alerts += tally.alerts;
            self.counters.freezes += tally.freezes;
        }
        self.gathered_bytes = 0;
        let bytes = self.record.bytes();
        if bytes > 0 {
            self.shared.add_backlog(bytes);
            self.record.number = self.turn;
            self.record.handed_over_at = Instant::now();
            let empty = self.lane().empty_turn();
            self.waiting.push_back(std::mem::replace(&mut self.record, empty));
            self.turn = self.turn.next();
        }
        self.push_waiting();
    }

    fn push_waiting(&mut self) {
        let mut is_pushed = false;
        while let Some(record) = self.waiting.pop_front() {
            if let Err(record) = self.shared.lane(self.id).hand_over(record) {
                self.waiting.push_front(record);
                break;
            }
            is_pushed = true;
        }
        if is_pushed {
            self.shared.ring();
        }
    }

    /// Takes note of what the committer did since the last turn.
    fn learn(&mut self) {
        let durable = self.lane().durable();
        if durable > self.durable {
            self.durable = durable;
            for shard in &mut self.shards {
                self.held_count -= shard.release(durable, &self.shared, &mut self.outbox);
                let agents = &self.shared.gauges(shard.id()).agents;
                agents.store(u64::from(shard.agents()), Ordering::Relaxed);
            }
        }
        if self.shared.standing() == Standing::Failed && self.life != Life::Over {
            (0..self.shards.len()).for_each(|slot| self.poison(slot));
            self.waiting.clear();
        }
    }

    fn serve_mailbox(&mut self, now: Timestamp) {
        let mut served = 0;
        while served < TURN_REQUESTS_MAX
            && let Some(batch) = self.lane().take_batch()
        {
            served += batch.len();
            for (shard, ticket, request) in batch.requests() {
                if let Some(answer) = self.decide(now, shard, &request, ticket, batch.replies()) {
                    self.outbox.push(batch.replies(), ticket, answer);
                }
            }
        }
    }

    fn fire_due(&mut self, now: Timestamp) {
        for slot in 0..self.shards.len() {
            if self.shards[slot].next_deadline().is_some_and(|deadline| deadline <= now) {
                // A shard that is poisoned by it has told everybody who waits.
                let _ = self.go_on_to(slot, now);
            }
        }
    }

    fn end_if_asked(&mut self, now: Timestamp) {
        if self.shared.standing() != Standing::Stopping || self.life != Life::Serving {
            return;
        }
        self.life = Life::LettingGo;
        for slot in 0..self.shards.len() {
            if !self.shards[slot].is_poisoned() && self.go_on_to(slot, now).is_some() {
                let turn = self.turn;
                self.guard(slot, |shard| shard.let_go(turn));
            }
        }
    }

    /// The worker is over when everything it handed over is durable, or never will be.
    fn notice_end(&mut self) {
        let is_over = match self.life {
            Life::Serving | Life::LettingGo if self.shared.standing() == Standing::Failed => true,
            Life::LettingGo => self.waiting.is_empty() && self.durable.next() == self.turn,
            Life::Serving | Life::Over => false,
        };
        if is_over {
            self.life = Life::Over;
            self.shared.worker_over();
        }
    }

    fn count(&mut self, answer: &Answer, wait: TurnNumber) {
        let counters = &mut self.counters;
        counters.decisions += 1;
        counters.waited += u64::from(wait > self.durable);
        match answer {
            Ok(Outcome::Approved(approval)) => {
                counters.approvals += 1;
                counters.leased += u64::from(wait == TurnNumber::NONE && !approval.repeated);
            }
            Ok(Outcome::Denied(_)) => counters.denials += 1,
            Ok(_) => {}
            Err(_) => counters.failures += 1,
        }
    }
}

impl Drop for Worker {
    /// Whoever waits for this worker learns that it is gone.
    fn drop(&mut self) {
        self.lane().abandon();
        (0..self.shards.len()).for_each(|slot| self.poison(slot));
        self.outbox.deliver();
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("id", &self.id).field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::EngineOptions,
        kernel::{
            AgentId, AgentIndex, PolicyId,
            policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource},
            request::{AgentStatus, CreateAgent, Query},
        },
        testing::HandDriven,
    };

    fn options() -> EngineOptions {
        let policy = PolicySource {
            id: PolicyId(1),
            name: "test".to_owned(),
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
        };
        EngineOptions { shards: 2, workers: 1, ..EngineOptions::new(policy) }
    }

    fn create(id: u128) -> Request<'static> {
        let create =
            CreateAgent { id: AgentId(id), name: "", agent_type: "", status: AgentStatus::Active, lease: None };
        Request::CreateAgent(create)
    }

    #[test]
    fn a_bug_in_a_shard_stops_that_shard_alone_and_loses_nothing_that_happened_before() {
        let mut gateway = HandDriven::new(&options(), Timestamp::from_micros(1));
        let (bad, good) = (ShardId(0), ShardId(1));
        assert_eq!(gateway.ask(bad, Ticket(1), &create(1)), None);
        let worker = gateway.worker_mut(0);
        let slot = usize::from(worker.slots[0]);
        let done = worker.guard(slot, |shard| {
            shard.write_loose(&crate::kernel::Event::Stopped);
            panic!("a bug, as planned");
        });
        assert_eq!(done, None::<()>);
        gateway.settle();
        assert_eq!(gateway.answers(), vec![(Ticket(1), Err(EngineError::Unavailable))]);
        let look = Request::Read(Query::Agent(AgentIndex(0)));
        assert_eq!(gateway.ask(bad, Ticket(2), &look), Some(Err(EngineError::Unavailable)));
        assert!(gateway.ask_durably(good, &create(2)).is_ok());
        let status = gateway.engine().status();
        assert_eq!(status.shards.iter().map(|shard| shard.poisoned).collect::<Vec<_>>(), [true, false]);
        let mut gateway = gateway.restart(&options(), None).unwrap();
        assert!(gateway.ask_durably(bad, &look).is_ok(), "the agent was created before the bug");
    }
}
