//! Sessions begin, take a name, end and are forgotten.

use crate::kernel::{
    AgentIndex, Event, Failure, Outcome, Protocol, SessionNumber, Timestamp,
    event::{SessionKind, SessionOpened},
    request::CloseSession,
    state::{
        State,
        deadline::{Deadline, Due},
        session::{Session, SessionEnd},
    },
};

impl State {
    pub(crate) fn close_session(
        &self,
        index: AgentIndex,
        asked: &CloseSession<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let session = match (asked.protocol, asked.session) {
            (Protocol::X402, "") => agent.implicit_session(),
            (protocol, name) => agent.session_named(protocol, name),
        };
        let session = session.ok_or(Failure::UnknownSession)?;
        let deposit = self.deposit_hold(index, session);
        let spent = deposit.map_or(session.weight.spent, |hold| hold.captured().saturating_sub(hold.refunded()));
        let released = match deposit {
            Some(deposit) if session.is_open() => deposit.headroom().saturating_sub(session.inside),
            Some(_) | None => session.released,
        };
        if session.is_open() {
            events.push(Event::SessionClosed(index, session.number));
        }
        Ok(Outcome::SessionClosed { spent, released })
    }

    pub(crate) fn session_opened(&mut self, now: Timestamp, event: &SessionOpened) {
        let kept = self.options.session_kept;
        let agent = self.agent_mut(event.agent);
        assert_eq!(
            event.number.0,
            agent.sessions_opened + 1,
            "INVARIANT: sessions are numbered in the order of opening"
        );
        agent.sessions_opened = event.number.0;
        let session = Session::opened(event, now);
        if matches!(event.kind, SessionKind::Implicit)
            && let Some(previous) = agent.sessions_mut().iter_mut().rev().find(|session| session.is_implicit())
        {
            previous.end = SessionEnd::Closed;
        }
        let due = session.forgotten_at(kept);
        agent.activity_mut().sessions.push(session);
        self.deadlines.push(Deadline { due, what: Due::Session(event.agent, event.number) });
    }

    /// An envelope ends at another moment, which may be sooner: then the deadline of before would forget it too late.
    pub(crate) fn session_ends_at(&mut self, agent: AgentIndex, number: SessionNumber, ends_at: Timestamp) {
        let kept = self.options.session_kept;
        let Some(session) = self.agent_mut(agent).session_mut(number) else { return };
        session.end_at(ends_at);
        let due = session.forgotten_at(kept);
        self.deadlines.push(Deadline { due, what: Due::Session(agent, number) });
    }

    pub(crate) fn session_named(&mut self, agent: AgentIndex, number: SessionNumber, name: &str) {
        if let Some(session) = self.agent_mut(agent).session_mut(number) {
            session.name = name.into();
        }
    }

    pub(crate) fn session_closed(&mut self, now: Timestamp, agent: AgentIndex, number: SessionNumber, end: SessionEnd) {
        let Some(session) = self.agent_mut(agent).session_mut(number) else { return };
        let (was_open, inside) = (session.is_open(), session.inside);
        if was_open {
            session.end = end;
        }
        let session = self.agents.get(agent).and_then(|agent| agent.session(number));
        let deposit = session.and_then(|session| self.deposit_in(agent, session));
        if let (true, Some(slot)) = (was_open, deposit) {
            let deposit = self.holds.at_mut(slot);
            let released = deposit.headroom().saturating_sub(inside);
            deposit.keep_released(released);
            if let Some(session) = self.agent_mut(agent).session_mut(number) {
                session.released = released;
            }
        }
        self.settle(now, agent, number);
    }

    pub(crate) fn session_forgotten(&mut self, agent: AgentIndex, number: SessionNumber) {
        self.agent_mut(agent).activity_mut().sessions.retain(|session| session.number != number);
    }
}
