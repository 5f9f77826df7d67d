//! The requests that events of the past came from, as far as the journal tells.

use hashbrown::HashMap;

use crate::kernel::{
    AgentIndex, Duration, Event, NameId, Protocol, SessionNumber,
    event::{Approved, Increased, RecordBooked, RefundBooked, SessionKind, SessionOpened, SettlementBooked},
    request::{Authorize, Capture, Extend, Increment, Intent, Record, Refund, Settle},
    state::State,
};

/// What sessions were called, by their numbers at the time.
#[derive(Debug, Default)]
pub(super) struct SessionNames(HashMap<(AgentIndex, SessionNumber), (Protocol, Box<str>)>);

impl SessionNames {
    /// Everything that is known of an agent's sessions, whose numbers are still those of the past.
    pub(super) fn learn(&mut self, state: &State, agent: AgentIndex) {
        let Some(agent_now) = state.agents.get(agent) else { return };
        for session in agent_now.sessions() {
            self.0.insert((agent, session.number), (session.protocol, session.name.clone()));
        }
    }

    pub(super) fn opened(&mut self, event: &SessionOpened) {
        let name = match event.kind {
            SessionKind::Implicit => "",
            SessionKind::Run | SessionKind::Envelope { .. } => &event.name,
        };
        self.0.insert((event.agent, event.number), (event.protocol, name.into()));
    }

    pub(super) fn named(&mut self, agent: AgentIndex, number: SessionNumber, name: &str) {
        if let Some((_, known)) = self.0.get_mut(&(agent, number)) {
            *known = name.into();
        }
    }

    pub(super) fn of(&self, agent: AgentIndex, number: SessionNumber) -> Option<(Protocol, &str)> {
        self.0.get(&(agent, number)).map(|(protocol, name)| (*protocol, &**name))
    }
}

/// The request that an approval answered. `begun` is what happened to its session along with it, `facts` what was told of it.
pub(super) fn authorize<'s>(
    state: &'s State,
    sessions: &'s SessionNames,
    approved: &Approved,
    begun: &'s [Event],
    facts: &'s [u8],
) -> Authorize<'s> {
    let session = match begun.last() {
        Some(Event::SessionOpened(opened)) if !matches!(opened.kind, SessionKind::Implicit) => &opened.name,
        Some(Event::SessionNamed(_, _, name)) => name,
        Some(_) => "",
        None => session_name(state, sessions, approved.agent, approved.session),
    };
    let intent = match approved.deposit {
        true => Intent::Session { duration: duration(state, approved) },
        false => Intent::Charge,
    };
    Authorize {
        id: approved.id,
        amount: approved.amount,
        protocol: approved.protocol,
        intent,
        recipient: state.names.text(approved.recipient),
        service: text(state, approved.service),
        resource: "",
        session,
        wallet: wallet(state, approved.agent, approved.wallet),
        hold_for: (!approved.deposit).then_some(approved.expires_after),
        // Facts that this version cannot read are as good as none: rules that need them deny.
        facts: bincode::borrow_decode_from_slice(facts, bincode::config::standard()).ok().map(|(facts, _)| facts),
    }
}

/// How long a session was asked to last. Whether anybody asked is not in the journal: what the policies give to those who do not is taken as
/// not asked for.
fn duration(state: &State, approved: &Approved) -> Option<Duration> {
    let by_policy = state.agents.get(approved.agent).and_then(|agent| state.program(agent).session_duration_max());
    let unasked = by_policy.unwrap_or(state.options.session_default).min(state.options.hold_max);
    (approved.expires_after != unasked).then_some(approved.expires_after)
}

/// The report that was booked, without its id: a report that was repeated is in the journal once.
pub(super) fn record<'s>(state: &'s State, sessions: &'s SessionNames, booked: &RecordBooked) -> Record<'s> {
    Record {
        authorization: booked.authorization,
        amount: booked.amount,
        protocol: booked.protocol,
        recipient: state.names.text(booked.recipient),
        service: text(state, booked.service),
        resource: "",
        session: session_name(state, sessions, booked.agent, booked.session),
        wallet: wallet(state, booked.agent, booked.wallet),
        payment_id: "",
        transaction: "",
        calls: booked.calls,
    }
}

pub(super) fn capture(booked: &crate::kernel::event::CaptureBooked) -> Capture {
    Capture { id: booked.id, operation: booked.operation, amount: booked.amount, last: booked.last }
}

pub(super) fn settle(booked: &SettlementBooked) -> Settle<'_> {
    Settle { id: booked.id, amount: Some(booked.amount), paid: booked.transaction.as_deref() }
}

pub(super) fn extend(extended: &crate::kernel::event::Extended) -> Extend {
    Extend { id: extended.id, operation: extended.operation, by: extended.by }
}

pub(super) fn increment(increased: &Increased) -> Increment {
    Increment { id: increased.id, operation: increased.operation, amount: increased.by }
}

pub(super) fn refund(booked: &RefundBooked) -> Refund {
    Refund { id: booked.id, operation: booked.operation, amount: booked.amount }
}

/// What the client called a session: as it is now, unless the agent's sessions are numbered otherwise than they were.
fn session_name<'s>(state: &'s State, sessions: &'s SessionNames, agent: AgentIndex, number: SessionNumber) -> &'s str {
    match sessions.of(agent, number) {
        Some((_, name)) => name,
        None => state.agents.get(agent).and_then(|agent| agent.session(number)).map_or("", |session| &session.name),
    }
}

fn text(state: &State, name: Option<NameId>) -> &str {
    name.map_or("", |name| state.names.text(name))
}

fn wallet(state: &State, agent: AgentIndex, position: Option<u8>) -> &str {
    let wallet = |position: u8| state.agents.get(agent)?.wallets.get(usize::from(position));
    position.and_then(wallet).map_or("", |wallet| wallet.id())
}
