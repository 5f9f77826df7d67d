//! Lengthen a hold.

use crate::kernel::{
    AgentIndex, Duration, Event, Failure, Outcome, Timestamp,
    event::Extended,
    request::Extend,
    state::{
        State,
        history::{Answered, Asked, Deed, Operation},
        session::Session,
    },
};

impl State {
    pub(crate) fn extend(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Extend,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let content = Asked::Extend(asked.id, asked.by);
        if let Some(Answered::Extended { expires_at }) = self.repeated(index, asked.operation, content)? {
            return Ok(Outcome::Extended { expires_at });
        }
        if asked.by == Duration::ZERO || asked.by > self.options.hold_max {
            return Err(Failure::Invalid {
                field: "seconds",
                expected: "more than zero and at most the configured maximum",
            });
        }
        let hold = self.open_charge(index, asked.id)?;
        let wanted = hold.expires_at().max(now.after(asked.by));
        let end = agent.session(hold.session).filter(|_| hold.from_deposit).and_then(Session::envelope);
        let expires_at = end.map_or(wanted, |envelope| wanted.min(envelope.ends_at).max(hold.expires_at()));
        events.push(Event::Extended(Extended {
            agent: index,
            id: asked.id,
            operation: asked.operation,
            by: asked.by,
            expires_at,
        }));
        Ok(Outcome::Extended { expires_at })
    }

    pub(crate) fn extended(&mut self, now: Timestamp, event: &Extended) {
        let slot = self.holds.find(event.agent, event.id).expect("INVARIANT: events speak of holds that exist");
        let hold = self.holds.at_mut(slot);
        let before = hold.due();
        hold.extend(event.expires_at, self.options.grace);
        if hold.due() != before {
            self.deadlines.outdate_hold(before, &self.holds);
            self.deadlines.push_hold(slot, self.holds.at(slot));
        }
        let deed = Deed::Extended { of: event.id, by: event.by, expires_at: event.expires_at };
        self.remember(now, Operation { agent: event.agent, id: event.operation, deed });
    }
}
