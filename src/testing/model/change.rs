//! Void, extend, increment, refund.

use super::{
    Model,
    agent::{Agent, Growth, Hold, OperationContent, Place, Session},
    budget::Budget,
    examine::{Ask, Question},
    place::{check, check_amount, is_allowed},
    sum::{amount, micros},
};
use crate::kernel::{
    AuthorizationId, Failure, Outcome,
    outcome::{Denial, HoldStatus},
    policy::{Counted, Whose},
    request::{Extend, Increment, Refund},
};

impl Model {
    pub(super) fn void(&mut self, agent: usize, id: AuthorizationId) -> Result<Outcome, Failure> {
        let (now, index) = (self.now, agent);
        let agent = &mut self.agents[agent];
        let position = agent.hold(id).ok_or(Failure::UnknownAuthorization)?;
        let hold = &agent.holds[position];
        let session = agent.session(hold.session);
        let by_closing = || session.map(|session| session.released);
        let of_closed = session.filter(|session| hold.place == Place::Deposit && session.closed);
        match hold.status {
            // Its last capture is behind it, and only the charges that are still open keep it.
            HoldStatus::Open if of_closed.is_some_and(|session| session.deposit_ends_as == HoldStatus::Captured) => {
                return Err(Failure::AuthorizationOver(HoldStatus::Captured));
            }
            // What its session released is told again.
            HoldStatus::Open if of_closed.is_some() => {
                return Ok(Outcome::Voided { released: by_closing().unwrap_or_default() });
            }
            HoldStatus::Open if hold.released.is_none() => {}
            HoldStatus::Open | HoldStatus::Voided => {
                let released = hold.released.or_else(by_closing).unwrap_or_default();
                return Ok(Outcome::Voided { released });
            }
            over @ (HoldStatus::Captured | HoldStatus::Expired) => return Err(Failure::AuthorizationOver(over)),
        }
        let released = amount(match hold.place {
            Place::Own | Place::Envelope => hold.reserved(),
            Place::Deposit => agent.free_of_deposit(hold),
        });
        agent.holds[position].released = Some(released);
        let was_waiting = agent.holds[position].is_waiting();
        agent.end_hold(position, HoldStatus::Voided, now);
        let hold = &agent.holds[position];
        if !was_waiting && hold.place != Place::Deposit && hold.captured == 0 {
            self.watch_failure(index);
        }
        Ok(Outcome::Voided { released })
    }

    pub(super) fn extend(&mut self, agent: usize, request: &Extend) -> Result<Outcome, Failure> {
        let content = OperationContent::Extend(request.id, request.by);
        if let Some(answer) = self.agents[agent].repeated(request.operation, &content) {
            return answer;
        }
        check(is_allowed(&self.options, request.by), "by")?;
        let now = self.now;
        let agent = &mut self.agents[agent];
        let position = agent.changeable(request.id)?;
        let end = agent.session(agent.holds[position].session).and_then(Session::ends_at);
        let asked = now.after(request.by).min(end.unwrap_or(crate::kernel::Timestamp::MAX));
        let hold = &mut agent.holds[position];
        hold.expires_at = hold.expires_at.max(asked);
        let answer = Outcome::Extended { expires_at: hold.expires_at };
        agent.remember(request.operation, content, &answer, now);
        Ok(answer)
    }

    pub(super) fn increment(&mut self, agent: usize, request: &Increment) -> Result<Outcome, Failure> {
        let content = OperationContent::Increment(request.id, request.amount);
        if let Some(answer) = self.agents[agent].repeated(request.operation, &content) {
            return answer;
        }
        check_amount(request.amount)?;
        let position = self.agents[agent].changeable(request.id)?;
        let hold = &self.agents[agent].holds[position];
        let (session, whole) = (hold.session, hold.amount + micros(request.amount));
        check(hold.placed_at.day() == self.now.day(), "authorization")?;
        let budget = self.agents[agent].budget_in_force();
        let within = |budget: &Budget| hold.place == Place::Envelope || budget.counts(hold.placed_as);
        check(budget.is_none_or(within), "authorization")?;
        let limits_endpoints = |counted: &Counted| counted.whose == Whose::Endpoint(hold.protocol);
        let forgot_endpoint = hold.endpoint.is_none() && self.asked(agent).as_slice().iter().any(limits_endpoints);
        check(!forgot_endpoint, "authorization")?;
        let verdict = self.examine(agent, &self.question_of_increment(agent, hold, micros(request.amount)));
        let now = self.now;
        self.agents[agent].touch(session, now);
        if !verdict.violations.is_empty() {
            self.watch_denial(agent, &verdict.violations);
            let denial = Denial { violations: verdict.violations, policy_revision: self.revision };
            return Ok(Outcome::Denied(denial));
        }
        if self.agents[agent].holds[position].place != Place::Envelope {
            self.watch_payment(agent, micros(request.amount), true, None);
        }
        let agent = &mut self.agents[agent];
        let from = agent.weight(&agent.holds[position]).used;
        agent.holds[position].amount = whole;
        let grown = agent.weight(&agent.holds[position]).used - from;
        agent.growths.push(Growth { at: now, hold: position, from, amount: grown });
        let answer = Outcome::Increased { amount: amount(whole), remaining: verdict.remaining };
        agent.remember(request.operation, content, &answer, now);
        Ok(answer)
    }

    fn question_of_increment<'a>(&'a self, agent: usize, hold: &'a Hold, more: i128) -> Question<'a> {
        Question {
            agent: &self.agents[agent],
            now: self.now,
            protocol: hold.protocol,
            recipient: &hold.recipient,
            service: &hold.service,
            session: Some(hold.session).filter(|session| *session != 0),
            in_session: hold.session != 0,
            wallet_missing: hold.wallet.is_none() && self.options.require_wallet,
            wallet: hold.wallet,
            payer: self.agents[agent].payer(hold),
            endpoint: hold.endpoint.clone(),
            whole: hold.amount + more,
            more,
            ask: Ask::Increment,
            judged: hold.approval.policy_revision == self.revision,
            facts: None,
            directory: &self.counterparties,
            sanctions: &self.sanctions,
        }
    }

    pub(super) fn refund(&mut self, agent: usize, request: &Refund) -> Result<Outcome, Failure> {
        let content = OperationContent::Refund(request.id, request.amount);
        if let Some(answer) = self.agents[agent].repeated(request.operation, &content) {
            return answer;
        }
        check_amount(request.amount)?;
        let now = self.now;
        let agent = &mut self.agents[agent];
        let position = agent.hold(request.id).ok_or(Failure::UnknownAuthorization)?;
        let back = micros(request.amount);
        check(back <= agent.holds[position].captured - agent.holds[position].refunded, "amount")?;
        agent.holds[position].refunded += back;
        if agent.holds[position].place == Place::Envelope {
            agent.refund_deposit(position, back);
        }
        let answer = Outcome::Refunded { refunded: amount(agent.holds[position].refunded) };
        agent.remember(request.operation, content, &answer, now);
        Ok(answer)
    }
}

impl Agent {
    /// The position of an open hold that is no deposit.
    fn changeable(&self, id: AuthorizationId) -> Result<usize, Failure> {
        let position = self.hold(id).ok_or(Failure::UnknownAuthorization)?;
        let hold = &self.holds[position];
        check(hold.place != Place::Deposit, "authorization")?;
        if hold.is_waiting() {
            return Err(Failure::AwaitsApproval);
        }
        if hold.is_open() { Ok(position) } else { Err(Failure::AuthorizationOver(hold.status)) }
    }

    /// What comes back of a charge can be spent again while its envelope is open.
    fn refund_deposit(&mut self, charge: usize, back: i128) {
        let deposit = self.deposit(self.holds[charge].session).expect("an envelope has a deposit");
        let deposit = &mut self.holds[deposit];
        if deposit.is_open() {
            deposit.captured -= back;
        } else {
            deposit.refunded += back;
        }
    }
}
