//! Would a broken kernel be noticed? A kernel, and mistakes that can be planted between what it decides and what it applies.

use crate::kernel::{Event, Failure, Outcome, Request, State, Timestamp, anomaly::AlertKind, counterparty::Standing};

/// A mistake that the kernel might make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The kernel as it is.
    None,
    /// The last capture does not release the rest of its hold.
    CaptureKeepsRest,
    /// Holds never expire.
    ExpiryIgnored,
    /// A void releases nothing.
    VoidIgnored,
    /// No midnight ever passes.
    WindowNotRolled,
    /// A refund comes back twice over.
    RefundDoubled,
    /// Payments without a hold are not counted.
    UnauthorizedUncounted,
    /// An enlarged hold is not enlarged.
    IncrementIgnored,
    /// A closed session stays open.
    CloseIgnored,
    /// A crash leaves no unknown hold.
    CrashForgotten,
    /// A denied request does not count as a request in its session.
    DenialIgnored,
    /// What is dangerous freezes nobody.
    FreezeIgnored,
    /// Nobody is blocked.
    BlockIgnored,
    /// No list of sanctions is in force.
    SanctionsIgnored,
}

impl Mistake {
    /// All mistakes.
    pub const ALL: [Mistake; 13] = [
        Mistake::CaptureKeepsRest,
        Mistake::ExpiryIgnored,
        Mistake::VoidIgnored,
        Mistake::WindowNotRolled,
        Mistake::RefundDoubled,
        Mistake::UnauthorizedUncounted,
        Mistake::IncrementIgnored,
        Mistake::CloseIgnored,
        Mistake::CrashForgotten,
        Mistake::DenialIgnored,
        Mistake::FreezeIgnored,
        Mistake::BlockIgnored,
        Mistake::SanctionsIgnored,
    ];

    /// The event as a kernel with this mistake would take it.
    fn taken(self, event: Event) -> Option<Event> {
        match (self, event) {
            (Mistake::CaptureKeepsRest, Event::Captured(mut booked)) => {
                booked.last = false;
                Some(Event::Captured(booked))
            }
            (Mistake::RefundDoubled, Event::Refunded(mut booked)) => {
                booked.amount = booked.amount.saturating_add(booked.amount);
                Some(Event::Refunded(booked))
            }
            (Mistake::BlockIgnored, Event::CounterpartyPut(mut entry, revision)) => {
                entry.standing = entry.standing.filter(|standing| *standing != Standing::Blocked);
                Some(Event::CounterpartyPut(entry, revision))
            }
            (Mistake::SanctionsIgnored, Event::SanctionsSwitched(_, revision)) => {
                Some(Event::SanctionsSwitched(None, revision))
            }
            (Mistake::ExpiryIgnored, Event::Expired(..))
            | (Mistake::VoidIgnored, Event::Voided(..))
            | (Mistake::IncrementIgnored, Event::Increased(_))
            | (Mistake::CloseIgnored, Event::SessionClosed(..))
            | (Mistake::FreezeIgnored, Event::AgentFrozen(_))
            | (Mistake::DenialIgnored, Event::Denied(_)) => None,
            (Mistake::UnauthorizedUncounted, Event::Recorded(booked)) if booked.authorization.is_none() => None,
            (_, event) => Some(event),
        }
    }
}

/// A kernel that keeps a journal and has perhaps a mistake.
pub(super) struct Mistaken {
    state: State,
    empty: State,
    mistake: Mistake,
    journal: Vec<(Timestamp, Event)>,
    first_midnight: Option<Timestamp>,
    /// How often an agent was frozen by itself.
    pub(super) freezes: u64,
}

impl Mistaken {
    pub(super) fn new(state: State, mistake: Mistake) -> Mistaken {
        let empty = State::from_image(&state.image()).expect("the image of an empty shard can be read");
        Mistaken { state, empty, mistake, journal: Vec::new(), first_midnight: None, freezes: 0 }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn decide(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Outcome, Failure> {
        let now = self.clock(now);
        self.advance(now);
        let mut events = Vec::new();
        let answer = self.state.decide(now, request, &mut events);
        self.apply(now, events);
        answer
    }

    /// Another process takes the shard over.
    pub(super) fn start(&mut self, now: Timestamp, incarnation: u32) {
        if self.mistake == Mistake::CrashForgotten {
            self.stop(now);
        }
        let now = self.clock(now);
        self.advance(now);
        self.apply(now, vec![Event::Started { incarnation }]);
    }

    /// The process lets the shard go in good order.
    pub(super) fn stop(&mut self, now: Timestamp) {
        let now = self.clock(now);
        self.advance(now);
        self.apply(now, vec![Event::Stopped]);
    }

    /// The state comes back from its image, and goes on with it.
    pub(super) fn same_from_image(&mut self) -> Result<(), String> {
        let copy =
            State::from_image(&self.state.image()).map_err(|error| format!("the image cannot be read: {error}"))?;
        if copy.digest() != self.state.digest() {
            return Err("the state from the image has another digest".to_owned());
        }
        self.state = copy;
        Ok(())
    }

    /// The events from the beginning lead to the same state.
    pub(super) fn same_from_events(&self) -> Result<(), String> {
        let mut replayed = State::from_image(&self.empty.image()).map_err(|error| error.to_string())?;
        for (now, event) in &self.journal {
            replayed.apply(*now, event);
        }
        if replayed.digest() == self.state.digest() { Ok(()) } else { Err("the replay has another digest".to_owned()) }
    }

    fn clock(&mut self, now: Timestamp) -> Timestamp {
        const DAY: u64 = 86_400_000_000;
        let midnight = Timestamp::from_micros((now.micros() / DAY + 1) * DAY - 1);
        let first = *self.first_midnight.get_or_insert(midnight);
        if self.mistake == Mistake::WindowNotRolled { now.min(first) } else { now }
    }

    fn advance(&mut self, now: Timestamp) {
        loop {
            let mut events = Vec::new();
            self.state.advance(now, &mut events);
            if !self.apply(now, events) {
                break;
            }
        }
    }

    /// Applies what the mistake leaves of the events; tells whether that was anything.
    fn apply(&mut self, now: Timestamp, events: Vec<Event>) -> bool {
        let mut any = false;
        for event in events.into_iter().filter_map(|event| self.mistake.taken(event)) {
            self.state.apply(now, &event);
            let is_freeze = matches!(&event, Event::AgentFrozen(frozen) if frozen.trigger != AlertKind::Manual);
            self.freezes += u64::from(is_freeze);
            self.journal.push((now, event));
            any = true;
        }
        any
    }
}
