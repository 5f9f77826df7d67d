//! What happens by itself: processes take shards over and let them go, and time passes.

use crate::kernel::{
    AgentIndex, Event, Timestamp,
    state::{
        State,
        activity::UnknownHold,
        deadline::{Deadline, Due},
    },
};

/// An agent has at most this many unknown holds; further ones join the latest.
const UNKNOWN_HOLDS_MAX: usize = 8;

impl State {
    /// Says in `events` what is the next thing that is due at or before `now`; nothing where nothing is.
    ///
    /// Whoever keeps the state applies it and asks again, until there is nothing: only then may anything be decided at `now`. What was
    /// said is not said again, so an event that is not applied is lost.
    pub fn advance(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let now = now.max(self.moment);
        if self.has_findings() {
            return self.say_finding(events);
        }
        while let Some(deadline) = self.deadlines.pop_due(now, &self.holds) {
            if let Due::Voids(agent) = deadline.what {
                if self.voids_at(agent) == Some(deadline.due) {
                    return self.void_next(agent, now, events);
                }
                continue;
            }
            if let Some(event) = self.due_event(&deadline) {
                events.push(event);
                return;
            }
        }
        let (holds, operations) = self.history.outlived(now, self.options.history_kept);
        if holds > 0 || operations > 0 {
            events.push(Event::HistoryForgotten { holds, operations });
        }
    }

    /// What a deadline brings about, if it still stands.
    fn due_event(&mut self, deadline: &Deadline) -> Option<Event> {
        match deadline.what {
            Due::Hold { serial, slot } => {
                let hold = self.holds.expiring(serial, slot, deadline.due)?;
                let (agent, id) = (hold.agent, hold.id);
                Some(if hold.is_waiting() { Event::ApprovalExpired(agent, id) } else { Event::Expired(agent, id) })
            }
            Due::Voids(_) => None,
            Due::Unknown(agent) => {
                let unknown = self.agents.get(agent)?.unknown();
                unknown.iter().any(|unknown| unknown.until <= deadline.due).then_some(Event::UnknownExpired(agent))
            }
            Due::Budget(agent, number) => {
                let request = self.agents.get(agent)?.budgets()?.numbered(number)?;
                let ended = Event::BudgetExpired(agent, request.id, request.status_once_over());
                request.expires_by(deadline.due).then_some(ended)
            }
            Due::Session(agent, number) => {
                let session = self.agents.get_mut(agent)?.session_mut(number)?;
                let due = session.forgotten_at(self.options.session_kept);
                if due > deadline.due {
                    self.deadlines.push(Deadline { due, ..*deadline });
                    None
                } else {
                    // Where a hold keeps it, the last one to go sets the deadline anew.
                    session.awaits_deadline.0 = false;
                    (session.kept_by == 0).then_some(Event::SessionForgotten(agent, number))
                }
            }
        }
    }

    pub(crate) fn unknown_expired(&mut self, now: Timestamp, agent: AgentIndex) {
        self.agent_mut(agent).activity_mut().lost_mut().unknown.retain(|unknown| unknown.until > now);
    }

    pub(crate) fn history_forgotten(&mut self, now: Timestamp, holds: u32, operations: u32) {
        for _ in 0..holds {
            self.forget_hold(now);
        }
        for _ in 0..operations {
            self.history.forget_operation();
        }
    }

    pub(crate) fn started(&mut self, now: Timestamp, incarnation: u32) {
        assert!(incarnation > self.incarnation, "INVARIANT: starts are counted upwards");
        if !self.clean {
            let until = now.after(self.options.lease.hold_max).after(self.options.grace);
            for index in 0..self.agents.len() {
                self.assume_lost(now, AgentIndex(index as u32), until);
            }
        }
        self.sanctions.abandon();
        self.incarnation = incarnation;
        self.clean = false;
    }

    pub(crate) fn stopped(&mut self) {
        self.clean = true;
    }

    /// The process before may have told callers of approvals, up to the agent's lease, that never became durable.
    fn assume_lost(&mut self, now: Timestamp, index: AgentIndex, until: Timestamp) {
        let before = self.incarnation;
        let agent = self.agent_mut(index);
        if agent.armed_in != before || before == 0 {
            return;
        }
        let (amount, count) = (agent.lease_amount, agent.lease_count);
        let unknown = &mut agent.activity_mut().lost_mut().unknown;
        let full = unknown.len() >= UNKNOWN_HOLDS_MAX;
        match unknown.last_mut() {
            Some(last) if full => {
                last.amount = last.amount.saturating_add(amount);
                last.until = last.until.max(until);
            }
            _ => unknown.push(UnknownHold { amount, until }),
        }
        agent.count_calls(now, count);
        agent.activity_mut().count_lost_calls(now, count);
        self.deadlines.push(Deadline { due: until, what: Due::Unknown(index) });
    }
}
