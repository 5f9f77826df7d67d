//! Freeze an agent, and let it pay again.

use crate::kernel::{
    AgentIndex, Duration, Event, Failure, Outcome, Timestamp,
    anomaly::{AlertKind, Finding, Severity, Watch},
    event::{AlertRaised, Frozen},
    outcome::Measure,
    request::{AgentStatus, Freeze},
    state::{
        State,
        agent::Agent,
        deadline::{Deadline, Due},
        session::Session,
    },
};

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 256;
/// How many holds are voided before other requests of the shard are served.
const VOIDS_AT_ONCE_MAX: usize = 256;
/// How long other requests are served before the next ones are voided.
const VOIDS_PAUSE: Duration = Duration::from_micros(1000);

impl State {
    pub(crate) fn freeze(
        &self,
        index: AgentIndex,
        asked: &Freeze<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        if asked.reason.len() > REASON_BYTES_MAX {
            return Err(Failure::Invalid { field: "reason", expected: "at most 256 bytes" });
        }
        match agent.status {
            AgentStatus::Revoked => {
                return Err(Failure::Invalid { field: "status", expected: "an agent that is not `REVOKED`" });
            }
            AgentStatus::Suspended if !asked.void_holds => return Ok(Outcome::Done),
            AgentStatus::Suspended | AgentStatus::Active | AgentStatus::Paused => {}
        }
        let number = self.alerts.next_number();
        events.push(Event::Alerted(Box::new(AlertRaised {
            number,
            agent: index,
            finding: Finding::new(AlertKind::Manual, Measure::None, Measure::None),
            severity: Severity::Critical,
            froze: true,
            reason: asked.reason.into(),
        })));
        events.push(Event::AgentFrozen(Box::new(Frozen {
            agent: index,
            alert: number,
            trigger: AlertKind::Manual,
            voids: asked.void_holds,
        })));
        Ok(Outcome::Done)
    }

    pub(crate) fn frozen(&mut self, now: Timestamp, event: &Frozen) {
        let agent = self.agent_mut(event.agent);
        agent.status = AgentStatus::Suspended;
        if event.voids {
            self.holds_voided_until(event.agent, Some(now));
        }
    }

    pub(crate) fn unfreeze(&self, index: AgentIndex, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        match self.agent(index)?.status {
            AgentStatus::Active => Ok(Outcome::Done),
            AgentStatus::Suspended => {
                events.push(Event::AgentUnfrozen(index));
                Ok(Outcome::Done)
            }
            AgentStatus::Paused | AgentStatus::Revoked => {
                Err(Failure::Invalid { field: "status", expected: "an agent that is `SUSPENDED`" })
            }
        }
    }

    pub(crate) fn unfrozen(&mut self, index: AgentIndex) {
        thaw(self.agent_mut(index));
    }

    /// Says which open holds of a frozen agent are voided next, the oldest first. Charges come before deposits, which are over with
    /// the last charge inside them.
    pub(crate) fn void_next(&self, index: AgentIndex, now: Timestamp, events: &mut Vec<Event>) {
        let Some(agent) = self.agents.get(index) else { return };
        let open = || self.holds.open_of(&agent.open_holds.0).map(|(_, hold)| hold);
        let charges = open().filter(|hold| !hold.deposit).map(|hold| Event::Voided(index, hold.id));
        let is_open = |session| agent.session(session).is_some_and(Session::is_open);
        let deposits = open().filter(|hold| hold.deposit && is_open(hold.session));
        let closed = deposits.map(|hold| Event::SessionClosed(index, hold.session));
        let count_before = events.len();
        events.extend(charges.chain(closed).take(VOIDS_AT_ONCE_MAX));
        let is_last = events.len() - count_before < VOIDS_AT_ONCE_MAX;
        events.push(Event::HoldsVoided(index, (!is_last).then(|| now.after(VOIDS_PAUSE))));
    }

    /// Open holds of a frozen agent go on being voided at a moment, or no more.
    pub(crate) fn holds_voided_until(&mut self, index: AgentIndex, next: Option<Timestamp>) {
        let watch = self.agent_mut(index).activity_mut().watch_mut();
        watch.voids_at = next;
        if let Some(due) = next {
            self.deadlines.push(Deadline { due, what: Due::Voids(index) });
        }
    }

    /// Whether open holds of an agent are to be voided at a moment.
    pub(crate) fn voids_at(&self, index: AgentIndex) -> Option<Timestamp> {
        let watch: Option<&Watch> = self.agents.get(index)?.activity().watch.as_deref();
        watch?.voids_at
    }
}

/// The agent may pay again, and is watched anew: it is not frozen at once for what it was frozen for.
pub(crate) fn thaw(agent: &mut Agent) {
    agent.status = AgentStatus::Active;
    if agent.activity().watch.is_some() {
        agent.activity_mut().watch_mut().begin_anew();
    }
}
