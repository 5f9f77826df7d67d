//! Report what was paid against a hold, and to whom. Another recipient was never authorized: the hold stays, and the payment counts as
//! unauthorized spend.

use super::authorize::Payee;
use crate::kernel::{
    AgentIndex, Amount, Event, Failure, Outcome, Timestamp,
    outcome::{Booking, Recorded},
    request::{CaptureTo, Record},
    state::{
        State,
        agent::Agent,
        history::{Answered, Asked},
        hold::Hold,
    },
};

impl State {
    pub(crate) fn capture_to(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &CaptureTo<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let Some(slot) = self.holds.find(index, asked.capture.id) else {
            return self.capture(index, &asked.capture, events);
        };
        let hold = self.holds.at(slot);
        let service = hold.service().map_or("", |service| self.names.text(service));
        let payee = self.payee(hold.protocol, asked.recipient, service)?;
        if payee.recipient_id == Some(hold.recipient) {
            return self.capture(index, &asked.capture, events);
        }
        self.misdirected(now, index, agent, hold, asked, &payee, events)
    }

    /// Books a payment to somebody else under the operation of the capture, as a report of it would be booked.
    #[expect(clippy::too_many_arguments, reason = "the hold, and all that is known of the payment")]
    fn misdirected(
        &self,
        now: Timestamp,
        index: AgentIndex,
        agent: &Agent,
        hold: &Hold,
        asked: &CaptureTo<'_>,
        payee: &Payee<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let (amount, operation) = (asked.capture.amount, asked.capture.operation);
        if amount.is_zero() || amount > Amount::MAX {
            let expected = "more than zero and at most 1000000000000: somebody else was paid";
            return Err(Failure::Invalid { field: "amount", expected });
        }
        let content = Asked::Record(amount, self.hash_of_reported(payee));
        if let Some(Answered::Recorded(first)) = self.repeated(index, operation, content)? {
            return Ok(Outcome::Recorded(first));
        }
        let wallet = hold.wallet.and_then(|position| agent.wallets.get(usize::from(position)));
        let report = Record {
            authorization: Some(hold.id),
            amount,
            protocol: hold.protocol,
            recipient: asked.recipient,
            service: payee.service.as_ref().map_or("", |service| service.text()),
            resource: "",
            session: agent.session(hold.session).map_or("", |session| &session.name),
            wallet: wallet.map_or("", |wallet| wallet.id()),
            payment_id: "",
            transaction: "",
            calls: 1,
        };
        let mut booked = self.against_nothing(now, index, agent, &report, Some(operation), payee, events);
        booked.booking = Booking::Misdirected;
        booked.authorization = Some(hold.id);
        events.push(Event::Recorded(Box::new(booked)));
        self.spend_budget(index, None, amount, false, events);
        Ok(Outcome::Recorded(Recorded { booking: Booking::Misdirected, authorization: Some(hold.id), overage: amount }))
    }
}
