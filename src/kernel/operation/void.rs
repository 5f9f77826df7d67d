//! Release a hold: by its caller, or by time.

use crate::kernel::{
    AgentIndex, AuthorizationId, Event, Failure, Outcome, Timestamp,
    outcome::HoldStatus,
    state::{State, session::SessionEnd, slots::Slot},
};

impl State {
    pub(crate) fn void(
        &self,
        index: AgentIndex,
        id: AuthorizationId,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let slot = self.holds.find(index, id).ok_or(Failure::UnknownAuthorization)?;
        let hold = self.holds.at(slot);
        let end = agent.session(hold.session).filter(|_| hold.deposit).map_or(SessionEnd::Open, |session| session.end);
        match hold.status {
            HoldStatus::Open if end == SessionEnd::Captured => Err(Failure::AuthorizationOver(HoldStatus::Captured)),
            HoldStatus::Open if end == SessionEnd::Closed => Ok(Outcome::Voided { released: hold.released() }),
            HoldStatus::Voided => Ok(Outcome::Voided { released: hold.released() }),
            HoldStatus::Captured | HoldStatus::Expired => Err(Failure::AuthorizationOver(hold.status)),
            HoldStatus::Open if hold.deposit => {
                let released = hold.headroom().saturating_sub(self.inside(hold));
                events.push(Event::SessionClosed(index, hold.session));
                Ok(Outcome::Voided { released })
            }
            HoldStatus::Open => {
                events.push(Event::Voided(index, id));
                Ok(Outcome::Voided { released: hold.headroom() })
            }
        }
    }

    pub(crate) fn voided(&mut self, now: Timestamp, agent: AgentIndex, id: AuthorizationId) {
        let slot = self.holds.find(agent, id).expect("INVARIANT: events speak of holds that exist");
        self.watch_released(now, slot);
        self.release(now, slot, HoldStatus::Voided);
    }

    pub(crate) fn expired(&mut self, now: Timestamp, agent: AgentIndex, id: AuthorizationId) {
        let slot = self.holds.find(agent, id).expect("INVARIANT: events speak of holds that exist");
        let hold = self.holds.at(slot);
        if hold.deposit {
            let session = hold.session;
            if let Some(session) = self.agent_mut(agent).session_mut(session) {
                session.end = SessionEnd::Closed;
            }
        }
        self.watch_released(now, slot);
        self.release(now, slot, HoldStatus::Expired);
    }

    /// What is not captured of an open hold is free again.
    pub(crate) fn release(&mut self, now: Timestamp, slot: Slot, status: HoldStatus) {
        let hold = self.holds.at(slot);
        let rest = hold.headroom();
        let (agent, session) = (hold.agent, hold.session);
        if let Some(deposit) = self.deposit_of(self.holds.at(slot)) {
            self.change_inside(now, deposit, |inside| inside.saturating_sub(rest));
        }
        self.finish(now, slot, status);
        self.settle(now, agent, session);
    }
}
