//! Give captured spend back to the windows that it came from.

use crate::kernel::{
    AgentIndex, Amount, Event, Failure, Outcome, Timestamp,
    event::RefundBooked,
    request::Refund,
    state::{
        State,
        history::{Answered, Asked, Deed, Operation},
        hold::Hold,
    },
};

impl State {
    pub(crate) fn refund(
        &self,
        index: AgentIndex,
        asked: &Refund,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        self.agent(index)?;
        let content = Asked::Refund(asked.id, asked.amount);
        if let Some(Answered::Refunded { refunded }) = self.repeated(index, asked.operation, content)? {
            return Ok(Outcome::Refunded { refunded });
        }
        let slot = self.holds.find(index, asked.id).ok_or(Failure::UnknownAuthorization)?;
        let hold = self.holds.at(slot);
        if asked.amount.is_zero() || asked.amount > self.refundable(hold) {
            return Err(Failure::Invalid {
                field: "amount",
                expected: "more than zero and at most what was captured and not yet refunded",
            });
        }
        events.push(Event::Refunded(RefundBooked {
            agent: index,
            id: asked.id,
            operation: asked.operation,
            amount: asked.amount,
        }));
        self.refund_budget(index, slot, asked.amount, events);
        Ok(Outcome::Refunded { refunded: hold.refunded().saturating_add(asked.amount) })
    }

    pub(crate) fn refunded(&mut self, now: Timestamp, event: &RefundBooked) {
        let slot = self.holds.find(event.agent, event.id).expect("INVARIANT: events speak of holds that exist");
        let session = self.holds.at(slot).session;
        let deposit = self.deposit_of(self.holds.at(slot));
        self.change(now, slot, |hold| hold.refund(event.amount));
        let refunded = self.holds.at(slot).refunded();
        if let Some(deposit) = deposit {
            self.change(now, deposit, |hold| {
                if hold.is_open() {
                    hold.uncapture(event.amount);
                } else {
                    hold.refund(event.amount);
                }
            });
            self.settle(now, event.agent, session);
        }
        let deed = Deed::Refunded { of: event.id, amount: event.amount, refunded };
        self.remember(now, Operation { agent: event.agent, id: event.operation, deed });
    }

    /// What may come back of a hold; of a charge inside an envelope, no more than its deposit has to give.
    fn refundable(&self, hold: &Hold) -> Amount {
        let own = hold.captured().saturating_sub(hold.refunded());
        match self.deposit_of(hold) {
            Some(deposit) => {
                let deposit = self.holds.at(deposit);
                own.min(deposit.captured().saturating_sub(deposit.refunded()))
            }
            None => own,
        }
    }
}
