//! Sessions begin, take a name, and close.

use super::{
    Model,
    agent::{Agent, Hold, Place, Session, SessionSort},
    sum::{Scope, amount, left},
};
use crate::kernel::{Amount, Failure, Outcome, Protocol, Timestamp, outcome::HoldStatus, request::CloseSession};

impl Model {
    pub(super) fn close_session(&mut self, agent: usize, request: &CloseSession<'_>) -> Result<Outcome, Failure> {
        let now = self.now;
        let agent = &mut self.agents[agent];
        let number = match (request.protocol, request.session) {
            (Protocol::X402, "") => agent.implicit(),
            (protocol, name) => agent.session_named(protocol, name),
        };
        let number = number.ok_or(Failure::UnknownSession)?;
        let (spent, released) = agent.close(number, HoldStatus::Voided, now);
        Ok(Outcome::SessionClosed { spent, released })
    }

    pub(super) fn begin_session(
        &mut self,
        agent: usize,
        protocol: Protocol,
        sort: SessionSort,
        name: &str,
        payee: (&str, &str),
    ) -> u32 {
        let envelope = matches!(sort, SessionSort::Envelope { .. });
        let (recipient, service) = if envelope { payee } else { ("", "") };
        let agent = &mut self.agents[agent];
        if sort == SessionSort::Implicit
            && let Some(previous) = agent.implicit().and_then(|number| agent.session_mut(number))
        {
            previous.closed = true;
        }
        agent.sessions.push(Session {
            protocol,
            sort,
            name: name.to_owned(),
            recipient: recipient.to_owned(),
            service: service.to_owned(),
            opened_at: self.now,
            last_at: self.now,
            closed: false,
            released: Amount::ZERO,
            deposit_ends_as: HoldStatus::Voided,
            forgotten: false,
        });
        agent.sessions.len() as u32
    }
}

impl Agent {
    pub(super) fn name_session(&mut self, number: u32, name: &str) {
        if let Some(session) = self.session_mut(number) {
            name.clone_into(&mut session.name);
        }
    }

    /// Closes a session and tells what is spent in it by now, and what the first closing released.
    /// A deposit whose charges are all over is over with it, as `end`.
    pub(super) fn close(&mut self, number: u32, end: HoldStatus, now: Timestamp) -> (Amount, Amount) {
        let deposit = self.deposit(number).map(|position| &self.holds[position]);
        // What time releases was not released by a closing.
        let deposit = deposit.filter(|_| end != HoldStatus::Expired);
        let released = deposit.map_or(Amount::ZERO, |deposit| left(self.free_of_deposit(deposit)));
        let session = self.session_mut(number).expect("the caller has found it");
        if !session.closed {
            session.closed = true;
            session.released = released;
            session.deposit_ends_as = end;
        }
        let released = session.released;
        self.end_deposit(number, now);

        (amount(self.spent_in_session(number)), released)
    }

    /// What is captured in a session; of an envelope as long as its deposit is remembered.
    pub(super) fn spent_in_session(&self, number: u32) -> i128 {
        let forgotten = |hold: &&Hold| hold.session == number && hold.place == Place::Deposit && hold.forgotten;
        let of_forgotten: i128 = self.holds.iter().filter(forgotten).map(|hold| self.weight(hold).spent).sum();
        self.total(Scope::Session(number)).spent - of_forgotten
    }

    /// A hold is over.
    pub(super) fn end_hold(&mut self, position: usize, status: HoldStatus, at: Timestamp) {
        let (place, session) = (self.holds[position].place, self.holds[position].session);
        match place {
            Place::Own => self.set_over(position, status, at),
            Place::Envelope => {
                self.set_over(position, status, at);
                self.end_deposit(session, at);
            }
            Place::Deposit => {
                self.close(session, status, at);
                if status == HoldStatus::Expired {
                    self.set_over(position, status, at);
                }
            }
        }
    }

    /// The deposit of a closed session is over as soon as nothing is held in it any more.
    pub(super) fn end_deposit(&mut self, number: u32, at: Timestamp) {
        let Some(position) = self.deposit(number).filter(|position| self.holds[*position].is_open()) else { return };
        let session = self.session(number).expect("a deposit has a session");
        if session.closed && !self.has_open_charges(number) {
            let status = session.deposit_ends_as;
            self.set_over(position, status, at);
        }
    }

    /// Whether a charge inside the envelope is open.
    fn has_open_charges(&self, number: u32) -> bool {
        self.holds.iter().any(|hold| hold.session == number && hold.place == Place::Envelope && hold.is_open())
    }

    fn set_over(&mut self, position: usize, status: HoldStatus, at: Timestamp) {
        let hold = &mut self.holds[position];
        hold.stop_waiting(status, at);
        hold.status = status;
        hold.ended_at = at;
    }
}
