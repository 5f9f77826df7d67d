//! Who was paid, and holds that are settled in one step.

use super::{
    Model,
    agent::{OperationContent, Place},
    place::{check, check_amount, payee},
    sum::{amount, micros},
};
use crate::kernel::{
    Amount, Failure, OperationId, Outcome,
    outcome::{HoldStatus, Settled},
    request::{Capture, CaptureTo, Record, Settle},
};

impl Model {
    pub(super) fn capture_to(&mut self, agent: usize, request: &CaptureTo<'_>) -> Result<Outcome, Failure> {
        let Some(position) = self.agents[agent].hold(request.capture.id) else {
            return self.capture(agent, &request.capture);
        };
        let hold = self.agents[agent].holds[position].clone();
        let (recipient, _) = payee(hold.protocol, request.recipient, &hold.service)?;
        if recipient == hold.recipient {
            return self.capture(agent, &request.capture);
        }
        check_amount(request.capture.amount)?;
        let (operation, now) = (request.capture.operation, self.now);
        let content = OperationContent::Record(recipient, request.capture.amount);
        if let Some(answer) = self.agents[agent].repeated(operation, &content) {
            return answer;
        }
        let session = self.agents[agent].remembered_name(hold.session);
        let wallet =
            hold.wallet.map_or_else(String::new, |wallet| self.agents[agent].wallets[wallet].source.id.clone());
        let report = Record {
            authorization: Some(hold.id),
            amount: request.capture.amount,
            protocol: hold.protocol,
            recipient: request.recipient,
            service: &hold.service,
            resource: "",
            session: &session,
            wallet: &wallet,
            payment_id: "",
            transaction: "",
            calls: 1,
        };
        let answer = self.record(agent, &report)?;
        self.agents[agent].remember(operation, content, &answer, now);
        Ok(answer)
    }

    pub(super) fn settle(&mut self, agent: usize, request: &Settle<'_>) -> Result<Outcome, Failure> {
        let now = self.now;
        let operation = OperationId::of_settled(request.id, request.paid);
        check(request.amount.is_none_or(|amount| amount <= Amount::MAX), "amount")?;
        check(request.paid.is_none_or(|transaction| transaction.len() <= 128), "txHash")?;
        let Some(position) = self.agents[agent].hold(request.id) else {
            return self.settle_lost(agent, request, operation);
        };
        let hold = &self.agents[agent].holds[position];
        let (status, is_deposit, expires_at) = (hold.status, hold.place == Place::Deposit, hold.expires_at);
        let rest = amount((hold.amount - hold.captured).max(0));
        let done = self.agents[agent].operation(operation).map(|known| known.content.clone());
        let before = match done {
            Some(OperationContent::Capture(id, amount)) if id == request.id => Some(amount),
            _ => None,
        };
        let amount = request.amount.or(before).unwrap_or(rest);
        let content = OperationContent::Capture(request.id, amount);
        let answer = |captured: crate::kernel::outcome::Captured, repeated| {
            let over = Some(status).filter(|status| captured.late && *status != HoldStatus::Open);
            Ok(Outcome::Settled(Settled { operation, amount, captured, over, repeated }))
        };
        if let Some(known) = self.agents[agent].repeated(operation, &content) {
            return known.and_then(|known| match known {
                Outcome::Captured(captured) => answer(captured, true),
                other => Ok(other),
            });
        }
        check(!is_deposit, "authorization")?;
        if self.agents[agent].holds[position].is_waiting() && request.paid.is_none() {
            return Err(Failure::AwaitsApproval);
        }
        let is_open = status == HoldStatus::Open && (request.paid.is_some() || now <= expires_at);
        let was_paid = request.paid.is_some() && matches!(status, HoldStatus::Voided | HoldStatus::Expired);
        if !is_open && !was_paid {
            let status = if status == HoldStatus::Open { HoldStatus::Expired } else { status };
            return Err(Failure::AuthorizationOver(status));
        }
        if let Some(transaction) = request.paid {
            self.agents[agent].holds[position].transaction = Some(transaction.to_owned());
        }
        let captured = self.agents[agent].capture(position, micros(amount), true, now);
        self.watch_capture(agent, Some(position), micros(amount), true, captured);
        self.agents[agent].remember(operation, content, &Outcome::Captured(captured), now);
        self.exhaust(agent);
        answer(captured, false)
    }

    fn settle_lost(&mut self, agent: usize, request: &Settle<'_>, operation: OperationId) -> Result<Outcome, Failure> {
        let Some(amount) = request.amount.filter(|_| request.paid.is_some()) else {
            return Err(Failure::UnknownAuthorization);
        };
        let repeated = self.agents[agent].operation(operation).is_some();
        let capture = Capture { id: request.id, operation, amount, last: true };
        match self.capture(agent, &capture)? {
            Outcome::Captured(captured) => {
                Ok(Outcome::Settled(Settled { operation, amount, captured, over: None, repeated }))
            }
            other => Ok(other),
        }
    }
}
