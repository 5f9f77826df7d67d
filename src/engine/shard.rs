//! One shard's part of a turn: fire what is due, decide, apply, and gather the events and the answers that wait for them.

use std::{collections::VecDeque, sync::Arc};

use super::{
    answer::{Answer, EngineError, Replies, Ticket},
    denials::Denials,
    directory::AgentHandle,
    lease::{LeaseBook, Rider},
    observer::is_observed,
    options::{REQUEST_EVENTS_BYTES_MAX, TURN_BYTES_MAX},
    outbox::Outbox,
    shared::Shared,
    turn::{TurnNumber, TurnRecord},
};
use crate::{
    journal::codec::Section,
    kernel::{AgentIndex, Event, Failure, Outcome, Request, ShardId, State, Timestamp, outcome::View},
};

/// A shard in the hands of its worker.
pub(super) struct Shard {
    id: ShardId,
    state: State,
    /// The moment at which things happen; everything that was due by then has happened.
    moment: Timestamp,
    /// What happened at that moment and was not handed over yet.
    section: Section,
    /// The events of the request at hand.
    events: Vec<Event>,
    /// The newest turn in which anything happened here.
    newest: TurnNumber,
    leases: LeaseBook,
    denials: Denials,
    held: VecDeque<Held>,
    observed: VecDeque<Observed>,
    agents: u32,
    is_poisoned: bool,
    tally: Tally,
}

/// What is counted of what happened, until the worker takes it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub alerts: u64,
    pub freezes: u64,
}

/// An answer that waits until a turn is durable.
pub(super) struct Held {
    pub turn: TurnNumber,
    pub ticket: Ticket,
    pub replies: Arc<dyn Replies>,
    pub answer: Answer,
}

/// A rare fact that observers are told of when its turn is durable.
struct Observed {
    turn: TurnNumber,
    event: Event,
    /// Where a created agent lives.
    index: AgentIndex,
}

impl Shard {
    pub(super) fn new(id: ShardId, state: State) -> Shard {
        let agents = u32::try_from(state.agents().count()).expect("agents have an index of 32 bits");
        Shard {
            id,
            moment: state.moment(),
            state,
            section: Section::default(),
            events: Vec::new(),
            newest: TurnNumber::NONE,
            leases: LeaseBook::default(),
            denials: Denials::default(),
            held: VecDeque::new(),
            observed: VecDeque::new(),
            agents,
            is_poisoned: false,
            tally: Tally::default(),
        }
    }

    /// Whether everything that is due at `now` has happened. A clock that was set back changes nothing: time stands still.
    pub(super) fn is_at(&self, now: Timestamp) -> bool {
        now <= self.moment
    }

    /// Goes on to a later moment, at which what is due must [happen](Self::fire) first. The section of the moment before must be
    /// closed.
    pub(super) fn go_on_to(&mut self, now: Timestamp, turn: TurnNumber) {
        assert!(self.section.is_empty(), "the events of a section share its moment");
        self.moment = now;
        self.denials.flush_due(self.moment, &mut self.events);
        self.keep(turn);
    }

    /// Lets happen what is due, as much as a turn carries; says whether there may be more. Nothing may be decided before.
    pub(super) fn fire(&mut self, turn: TurnNumber) -> bool {
        while self.section.kept_bytes() < TURN_BYTES_MAX {
            self.state.advance(self.moment, &mut self.events);
            if self.events.is_empty() {
                return false;
            }
            self.keep(turn);
        }
        true
    }

    /// Decides and applies. The answer may leave when the turn that comes with it is durable.
    pub(super) fn serve(
        &mut self,
        request: &Request<'_>,
        turn: TurnNumber,
        durable: TurnNumber,
    ) -> (Answer, TurnNumber) {
        let outcome = match self.state.decide(self.moment, request, &mut self.events) {
            Ok(outcome) => outcome,
            Err(failure) => {
                assert!(self.events.is_empty(), "a failure changes nothing");
                return (Err(EngineError::Failure(failure)), TurnNumber::NONE);
            }
        };
        if let Outcome::Denied(_) = outcome {
            // A denial that rests on what is not durable yet harms nobody.
            self.gather_denials(turn);
            return (Ok(outcome), TurnNumber::NONE);
        }
        if let Outcome::View(View::Wallets(_) | View::BudgetInForce(_)) = outcome {
            // What an approval says anyhow must not make it wait.
            return (Ok(outcome), TurnNumber::NONE);
        }
        if !self.write_events() {
            let failure = Failure::Capacity { what: "bytes of one change", maximum: REQUEST_EVENTS_BYTES_MAX as u64 };
            return (Err(EngineError::Failure(failure)), TurnNumber::NONE);
        }
        // What changed nothing, a repeated answer or a look, rests on everything that happened before it.
        let wait = match self.apply_events(turn) {
            Some(rider) if self.rides(rider, durable) => TurnNumber::NONE,
            Some(_) | None => self.newest,
        };
        (Ok(outcome), wait)
    }

    /// Closes the books of a clean shutdown: with everything durable, no lease is armed any more.
    pub(super) fn let_go(&mut self, turn: TurnNumber) {
        self.denials.flush(&mut self.events);
        self.keep(turn);
        self.events.push(Event::Checkpoint(self.state.digest()));
        self.events.push(Event::Stopped);
        self.keep(turn);
    }

    /// Moves what happened since the last time over to the worker's turn.
    pub(super) fn close_section(&mut self, record: &mut TurnRecord) {
        record.take_section(self.id, self.moment, &mut self.section);
    }

    /// What was counted since the last time.
    pub(super) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Holds an answer back. Turns of held answers ascend, since `newest` does.
    pub(super) fn hold(&mut self, held: Held) {
        debug_assert!(self.held.back().is_none_or(|last| last.turn <= held.turn), "held answers are in order");
        self.held.push_back(held);
    }

    /// A turn is durable: observers are told, answers leave, and leases are free again. Says how many answers left.
    pub(super) fn release(&mut self, durable: TurnNumber, shared: &Shared, outbox: &mut Outbox) -> usize {
        self.leases.free(durable);
        let facts = self.observed.partition_point(|observed| observed.turn <= durable);
        for observed in self.observed.drain(..facts) {
            observe(self.id, &observed, shared);
        }
        let answers = self.held.partition_point(|held| held.turn <= durable);
        for Held { ticket, replies, answer, .. } in self.held.drain(..answers) {
            outbox.push(&replies, ticket, answer);
        }
        answers
    }

    /// The shard serves no more. What it kept was told, so it is still handed over; what was only written is gone. Says how
    /// many held answers became `unavailable`.
    pub(super) fn poison(&mut self, outbox: &mut Outbox) -> usize {
        self.is_poisoned = true;
        self.section.take_back();
        self.events.clear();
        let held = self.held.len();
        for Held { ticket, replies, .. } in self.held.drain(..) {
            outbox.push(&replies, ticket, Err(EngineError::Unavailable));
        }
        held
    }

    /// Writes an event without keeping it, as a bug in the midst of a request would leave it.
    #[cfg(test)]
    pub(super) fn write_loose(&mut self, event: &Event) {
        self.section.write(event);
    }

    pub(super) fn id(&self) -> ShardId {
        self.id
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.section.kept_bytes()
    }

    pub(super) fn agents(&self) -> u32 {
        self.agents
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_poisoned {
            return None;
        }
        [self.state.next_deadline(), self.denials.next_deadline()].into_iter().flatten().min()
    }

    fn gather_denials(&mut self, turn: TurnNumber) {
        let (denials, moment) = (&mut self.denials, self.moment);
        let mut passed = true;
        self.events.retain(|event| match event {
            Event::Denied(denied) => {
                passed = denials.pass(moment, denied);
                passed
            }
            // Of a flood, only what is journalled by itself is compared.
            Event::ShadowDiffered(_) => passed,
            _ => true,
        });
        denials.flush_due(moment, &mut self.events);
        self.keep(turn);
    }

    fn rides(&self, rider: Rider, durable: TurnNumber) -> bool {
        let hold_max = self.state.options().lease.hold_max;
        self.leases.covers(rider, self.state.lease(rider.agent), hold_max, durable)
    }

    /// Keeps events that nobody can refuse.
    fn keep(&mut self, turn: TurnNumber) {
        self.events.iter().for_each(|event| self.section.write(event));
        self.apply_events(turn);
    }

    /// Writes the events of a request, unless they are more than a turn can carry.
    fn write_events(&mut self) -> bool {
        self.events.iter().for_each(|event| self.section.write(event));
        let fits = self.section.loose_bytes() <= REQUEST_EVENTS_BYTES_MAX;
        if !fits {
            self.section.take_back();
            self.events.clear();
        }
        fits
    }

    /// Applies events that are written. A panic on the way leaves them loose, so that they are taken back.
    fn apply_events(&mut self, turn: TurnNumber) -> Option<Rider> {
        let mut rider = None;
        let mut events = std::mem::take(&mut self.events);
        if !events.is_empty() {
            self.newest = turn;
        }
        for event in &events {
            rider = self.note(turn, event).or(rider);
            self.state.apply(self.moment, event);
        }
        self.section.keep();
        events.clear();
        self.events = events;
        self.follow(turn);
        rider
    }

    /// What was found in what happened is kept at once, before anything else is decided.
    fn follow(&mut self, turn: TurnNumber) {
        if self.state.has_findings() {
            self.state.advance(self.moment, &mut self.events);
            self.keep(turn);
        }
    }

    fn note(&mut self, turn: TurnNumber, event: &Event) -> Option<Rider> {
        if let Event::Approved(approved) = event {
            return Some(self.leases.count(turn, approved));
        }
        self.tally.alerts += u64::from(matches!(event, Event::Alerted(_)));
        self.tally.freezes += u64::from(matches!(event, Event::AgentFrozen(_)));
        if is_observed(event) {
            let index = AgentIndex(self.agents);
            self.agents += u32::from(matches!(event, Event::AgentCreated(_)));
            self.observed.push_back(Observed { turn, event: event.clone(), index });
        }
        None
    }
}

fn observe(shard: ShardId, observed: &Observed, shared: &Shared) {
    if let Event::AgentCreated(created) = &observed.event {
        shared.directory.insert(created.id, AgentHandle { shard, index: observed.index });
    }
    shared.observer.observe(shard, &observed.event);
}
