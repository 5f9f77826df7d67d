//! What was really paid against a hold, and what was paid against none.

use super::{
    Model,
    agent::{Agent, Growth, Operation, OperationContent, Payment, Place},
    sum::{amount, micros},
};
use crate::kernel::{
    Amount, Failure, OperationId, Outcome, Timestamp,
    outcome::{Captured, HoldStatus},
    request::Capture,
};

impl Model {
    pub(super) fn capture(&mut self, agent: usize, request: &Capture) -> Result<Outcome, Failure> {
        let content = OperationContent::Capture(request.id, request.amount);
        if let Some(answer) = self.agents[agent].repeated(request.operation, &content) {
            return answer;
        }
        let paid = micros(request.amount);
        let now = self.now;
        let position = self.agents[agent].hold(request.id);
        let captured = match position {
            Some(position) => self.agents[agent].capture(position, paid, request.last, now),
            None if self.agents[agent].unknown_holds.is_empty() => return Err(Failure::UnknownAuthorization),
            None => self.agents[agent].capture_unknown(paid, now),
        };
        self.watch_capture(agent, position, paid, request.last, captured);
        self.exhaust(agent);
        let answer = Outcome::Captured(captured);
        self.agents[agent].remember(request.operation, content, &answer, now);
        Ok(answer)
    }
}

impl Model {
    /// Any money ends a row of failures; nothing of a whole charge goes on with it.
    pub(super) fn watch_capture(
        &mut self,
        agent: usize,
        position: Option<usize>,
        paid: i128,
        last: bool,
        captured: Captured,
    ) {
        let is_charge = position.is_some_and(|position| self.agents[agent].holds[position].place != Place::Deposit);
        if paid > 0 {
            self.watch_success(agent);
        } else if is_charge && last && !captured.late && captured.captured.is_zero() {
            self.watch_failure(agent);
        }
    }
}

impl Agent {
    /// The first answer to an operation that was done before, or that it was another one.
    pub(super) fn repeated(&self, id: OperationId, content: &OperationContent) -> Option<Result<Outcome, Failure>> {
        let operation = self.operation(id)?;
        Some(if operation.content == *content { Ok(operation.answer.clone()) } else { Err(Failure::IdReused) })
    }

    pub(super) fn remember(&mut self, id: OperationId, content: OperationContent, answer: &Outcome, at: Timestamp) {
        self.operations.push(Operation { id, content, answer: answer.clone(), at, forgotten: false });
    }

    /// Books what was paid against a hold, open or over.
    pub(super) fn capture(&mut self, position: usize, paid: i128, last: bool, now: Timestamp) -> Captured {
        let late = !self.holds[position].is_open();
        let told_late = late || self.holds[position].is_waiting();
        let bearer = self.bearer(position);
        let before = self.weight(&self.holds[bearer]).used;
        self.holds[position].captured += paid;
        if bearer != position {
            self.holds[bearer].captured += paid;
        }
        // What the bearer grew by is over it, whether its rest is then released or not. A charge that ends with this
        // capture first gives its own rest back, out of which nothing was paid.
        let overage = self.weight(&self.holds[bearer]).used - before;
        self.growths.push(Growth { at: now, hold: bearer, from: before, amount: overage });
        if last && !late {
            self.end_hold(position, HoldStatus::Captured, now);
        }
        if bearer != position {
            self.end_deposit(self.holds[position].session, now);
        }
        let hold = &self.holds[position];
        let held = if hold.place == Place::Envelope { hold.reserved() } else { self.weight(hold).held() };
        Captured { captured: amount(hold.captured), overage: amount(overage), held: amount(held), late: told_late }
    }

    /// The hold on whose weight a capture counts: the deposit for a charge inside an envelope.
    fn bearer(&self, position: usize) -> usize {
        match self.holds[position].place {
            Place::Own | Place::Deposit => position,
            Place::Envelope => self.deposit(self.holds[position].session).expect("an envelope has a deposit"),
        }
    }

    /// Books what was paid against a hold that a crash has lost, from any of the wallets.
    fn capture_unknown(&mut self, paid: i128, now: Timestamp) -> Captured {
        let overage = paid - self.draw_unknown(paid);
        self.unattributed += paid;
        let wallets = (0..self.wallets.len()).collect();
        let service = String::new();
        let (protocol, endpoint) = (None, None);
        self.payments.push(Payment { at: now, amount: paid, protocol, service, session: 0, wallets, endpoint });
        Captured { captured: amount(paid), overage: amount(overage), held: Amount::ZERO, late: true }
    }

    /// Draws the unknown holds down, the oldest first, as far as they go; returns how far.
    pub(super) fn draw_unknown(&mut self, paid: i128) -> i128 {
        let mut open = paid;
        for unknown in &mut self.unknown_holds {
            let taken = open.min(unknown.amount);
            unknown.amount -= taken;
            open -= taken;
        }
        paid - open
    }
}
