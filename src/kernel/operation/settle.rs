//! Take the rest of a hold for paid, in one step that ends it: before paying, or after.

use crate::kernel::{
    AgentIndex, Amount, Event, Failure, OperationId, Outcome, Timestamp,
    event::{CaptureBooked, SettlementBooked},
    operation::authorize::LABEL_BYTES_MAX,
    outcome::{Captured, HoldStatus, Settled},
    request::{Capture, Settle},
    state::{
        State,
        history::{Answered, Asked, Deed, Operation},
        hold::Hold,
    },
};

impl State {
    pub(crate) fn settle_hold(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Settle<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        self.agent(index)?;
        let operation = OperationId::of_settled(asked.id, asked.paid);
        check_fields(asked)?;
        let Some(slot) = self.holds.find(index, asked.id) else {
            // A crash may have lost the approval, but not the payment.
            return match asked.amount.filter(|_| asked.paid.is_some()) {
                Some(amount) => self.settle_lost(index, asked, operation, amount, events),
                None => Err(Failure::UnknownAuthorization),
            };
        };
        let hold = self.holds.at(slot);
        let amount = asked.amount.unwrap_or_else(|| self.settled_before(index, hold, operation));
        let settled = |captured: Captured, repeated| {
            let over = Some(hold.status).filter(|status| captured.late && *status != HoldStatus::Open);
            Outcome::Settled(Settled { operation, amount, captured, over, repeated })
        };
        if let Some(Answered::Captured(first)) =
            self.repeated(index, operation, Asked::Capture(asked.id, amount, true))?
        {
            return Ok(settled(first, true));
        }
        may_settle(hold, now, asked.paid.is_some())?;
        let captured = self.capture_effect(slot, amount, true);
        events.push(Event::Settled(Box::new(SettlementBooked {
            agent: index,
            id: asked.id,
            operation,
            amount,
            transaction: asked.paid.map(Into::into),
        })));
        self.spend_budget(index, Some(slot), amount, true, events);
        Ok(settled(captured, false))
    }

    /// What the same settlement took before, else what is left of the hold.
    fn settled_before(&self, index: AgentIndex, hold: &Hold, operation: OperationId) -> Amount {
        match self.history.operation(index, operation).map(|operation| operation.deed) {
            Some(Deed::Captured { of, amount, .. }) if of == hold.id => amount,
            _ => hold.headroom(),
        }
    }

    fn settle_lost(
        &self,
        index: AgentIndex,
        asked: &Settle<'_>,
        operation: OperationId,
        amount: Amount,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let place = events.len();
        let capture = Capture { id: asked.id, operation, amount, last: true };
        match self.capture(index, &capture, events)? {
            Outcome::Captured(captured) => {
                let repeated = events.len() == place;
                Ok(Outcome::Settled(Settled { operation, amount, captured, over: None, repeated }))
            }
            other => Ok(other),
        }
    }

    pub(crate) fn settled(&mut self, now: Timestamp, event: &SettlementBooked) {
        let slot = self.holds.find(event.agent, event.id).expect("INVARIANT: events speak of holds that exist");
        let answer = self.capture_effect(slot, event.amount, true);
        if let Some(transaction) = &event.transaction {
            self.holds.at_mut(slot).paid_by(transaction);
        }
        self.book_capture(now, slot, event.amount, true);
        let SettlementBooked { agent, id, operation, amount, .. } = *event;
        self.watch_captured(now, &CaptureBooked { agent, id, operation, amount, last: true }, answer);
        let deed = Deed::Captured { of: event.id, amount: event.amount, last: true, answer };
        self.remember(now, Operation { agent: event.agent, id: event.operation, deed });
    }
}

/// Whether the hold can end so. What was captured for the last time is settled; what expired or was voided may have been paid all the same.
fn may_settle(hold: &Hold, now: Timestamp, is_paid: bool) -> Result<(), Failure> {
    match hold.status {
        _ if hold.deposit => {
            Err(Failure::Invalid { field: "authorization", expected: "no deposit; capture it or close its session" })
        }
        HoldStatus::Open if !is_paid && hold.is_waiting() => Err(Failure::AwaitsApproval),
        HoldStatus::Open if !is_paid && now > hold.expires_at() => Err(Failure::AuthorizationOver(HoldStatus::Expired)),
        HoldStatus::Open => Ok(()),
        HoldStatus::Voided | HoldStatus::Expired if is_paid => Ok(()),
        over @ (HoldStatus::Captured | HoldStatus::Voided | HoldStatus::Expired) => {
            Err(Failure::AuthorizationOver(over))
        }
    }
}

fn check_fields(asked: &Settle<'_>) -> Result<(), Failure> {
    if asked.amount.is_some_and(|amount| amount > Amount::MAX) {
        return Err(Failure::Invalid { field: "amount", expected: "at most 1000000000000" });
    }
    if asked.paid.is_some_and(|transaction| transaction.len() > LABEL_BYTES_MAX) {
        return Err(Failure::Invalid { field: "txHash", expected: "at most 128 bytes" });
    }
    Ok(())
}
