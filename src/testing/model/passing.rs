//! What happens by itself as time passes.

use super::{
    Model,
    agent::{Agent, Hold, Place},
};
use crate::kernel::{Duration, Options, Timestamp, outcome::HoldStatus};

/// Something that is due, named by its place in the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The place of the hold over all agents comes first, so that it decides the order.
    Expiry {
        placed_as: u64,
        agent: usize,
        hold: usize,
    },
    Unknown {
        agent: usize,
        unknown: usize,
    },
    Session {
        agent: usize,
        session: usize,
    },
    Budget {
        agent: usize,
        budget: usize,
    },
    Hold {
        agent: usize,
        hold: usize,
    },
    Operation {
        agent: usize,
        operation: usize,
    },
}

impl Model {
    /// Lets everything happen that is due at or before `now`. Time never runs backwards.
    pub fn pass(&mut self, now: Timestamp) {
        let now = self.now.max(now);
        if now.day() != self.now.day() {
            let was = self.now;
            self.agents.iter_mut().for_each(|agent| agent.turn(was, now));
        }
        self.now = now;
        while let Some((_, due)) = self.next_due().filter(|(moment, _)| *moment <= self.now) {
            self.happen(due);
        }
    }

    /// When something happens by itself next.
    #[must_use]
    pub fn next_moment(&self) -> Option<Timestamp> {
        self.next_due().map(|(moment, _)| moment)
    }

    fn next_due(&self) -> Option<(Timestamp, Due)> {
        let agents = self.agents.iter().enumerate();
        agents.flat_map(|(index, agent)| due_of_agent(&self.options, index, agent)).min()
    }

    /// Whatever is due happens at the moment of the turn.
    fn happen(&mut self, due: Due) {
        match due {
            Due::Expiry { agent, hold, .. } => self.expire(agent, hold),
            Due::Unknown { agent, unknown } => {
                self.agents[agent].unknown_holds.remove(unknown);
            }
            Due::Session { agent, session } => self.agents[agent].sessions[session].forgotten = true,
            Due::Budget { agent, budget } => self.expire_budget(agent, budget),
            Due::Hold { agent, hold } => self.agents[agent].holds[hold].forgotten = true,
            Due::Operation { agent, operation } => self.agents[agent].operations[operation].forgotten = true,
        }
    }
}

impl Model {
    fn expire(&mut self, agent: usize, hold: usize) {
        let was_waiting = self.agents[agent].holds[hold].is_waiting();
        self.agents[agent].end_hold(hold, HoldStatus::Expired, self.now);
        let hold = &self.agents[agent].holds[hold];
        if !was_waiting && hold.place != Place::Deposit && hold.captured == 0 {
            self.watch_failure(agent);
        }
    }
}

fn due_of_agent(options: &Options, index: usize, agent: &Agent) -> Vec<(Timestamp, Due)> {
    let mut due = Vec::new();
    for (place, hold) in agent.holds.iter().enumerate().filter(|(_, hold)| !hold.forgotten) {
        due.push(if hold.is_open() {
            let expiry = Due::Expiry { placed_as: hold.placed_as, agent: index, hold: place };
            let grace = if hold.is_waiting() { Duration::ZERO } else { options.grace };
            (hold.expires_at.after(grace), expiry)
        } else {
            (hold.ended_at.after(options.history_kept), Due::Hold { agent: index, hold: place })
        });
    }
    for (place, unknown) in agent.unknown_holds.iter().enumerate() {
        due.push((unknown.until, Due::Unknown { agent: index, unknown: place }));
    }
    for (place, session) in agent.sessions.iter().enumerate().filter(|(_, session)| !session.forgotten) {
        let number = place as u32 + 1;
        let keeps = |hold: &Hold| if session.is_envelope() { !hold.forgotten } else { hold.is_open() };
        if !agent.holds.iter().any(|hold| hold.session == number && keeps(hold)) {
            let last = session.last_at.max(session.ends_at().unwrap_or_default());
            due.push((last.after(options.session_kept), Due::Session { agent: index, session: place }));
        }
    }
    for (place, budget) in agent.budgets.iter().enumerate().filter(|(_, budget)| budget.runs()) {
        due.push((budget.expires_at, Due::Budget { agent: index, budget: place }));
    }
    for (place, operation) in agent.operations.iter().enumerate().filter(|(_, operation)| !operation.forgotten) {
        let forgotten = Due::Operation { agent: index, operation: place };
        due.push((operation.at.after(options.history_kept), forgotten));
    }
    due
}
