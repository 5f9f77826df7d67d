//! Ask for a budget, approve it, reject it; it is spent, exhausted, and ends.

use crate::kernel::{
    AgentIndex, Amount, BudgetRequestId, Event, Failure, Outcome, Timestamp,
    event::{BudgetApproved, BudgetRejected, BudgetRequested},
    outcome::BudgetStatus,
    request::{BudgetVerdict, DecideBudget, RequestBudget},
    state::{
        State,
        agent::Agent,
        budget::{APPROVED_FOR_DEFAULT, APPROVED_FOR_MAX, BudgetRequest},
        deadline::{Deadline, Due},
        slots::Slot,
    },
};

/// The longest purpose and comment, in bytes.
const PURPOSE_BYTES_MAX: usize = 1024;
/// The longest category, in bytes.
const CATEGORY_BYTES_MAX: usize = 128;
/// The longest metadata, in bytes.
const METADATA_BYTES_MAX: usize = 4096;

impl State {
    pub(crate) fn request_budget(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &RequestBudget<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        if let Some(known) = agent.budgets().and_then(|budgets| budgets.get(asked.id)) {
            return if repeats(known, asked) { Ok(told(known, agent)) } else { Err(Failure::IdReused) };
        }
        check_fields(asked)?;
        if agent.budgets().is_some_and(|budgets| budgets.iter().any(BudgetRequest::is_active)) {
            return Err(Failure::BudgetRequestExists);
        }
        let event = BudgetRequested {
            agent: index,
            id: asked.id,
            amount: asked.amount,
            purpose: asked.purpose.into(),
            category: asked.category.into(),
            metadata: asked.metadata.into(),
        };
        let number = agent.budgets().map_or(1, |budgets| budgets.next_number());
        let answer = told(&BudgetRequest::asked(&event, number, now), agent);
        events.push(Event::BudgetRequested(Box::new(event)));
        Ok(answer)
    }

    pub(crate) fn budget_requested(&mut self, now: Timestamp, event: &BudgetRequested) {
        let budgets = self.agent_mut(event.agent).activity_mut().budgets_mut();
        let number = budgets.next_number();
        let request = BudgetRequest::asked(event, number, now);
        let due = request.expires_at;
        if let Some(forgotten) = budgets.add(request) {
            self.budget_index.remove(&(forgotten.created_at, event.agent, forgotten.number));
            self.budget_ids.remove(&(forgotten.id, event.agent));
        }
        self.budget_index.insert((now, event.agent, number));
        self.budget_ids.insert((event.id, event.agent));
        self.deadlines.push(Deadline { due, what: Due::Budget(event.agent, number) });
    }

    pub(crate) fn decide_budget(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &DecideBudget<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let known = agent.budgets().and_then(|budgets| budgets.get(asked.id)).ok_or(Failure::UnknownBudgetRequest)?;
        if asked.comment.len() > PURPOSE_BYTES_MAX {
            return Err(Failure::Invalid { field: "comment", expected: "at most 1024 bytes" });
        }
        let mut decided = known.clone();
        let event = match asked.verdict {
            BudgetVerdict::Approve { amount, lasts } => {
                let (amount, lasts) = (amount.unwrap_or(known.requested), lasts.unwrap_or(APPROVED_FOR_DEFAULT));
                check_amount(amount, "approvedAmount")?;
                if lasts.micros() == 0 || lasts > APPROVED_FOR_MAX {
                    let expected = "more than zero and at most 8784 hours";
                    return Err(Failure::Invalid { field: "expiresInHours", expected });
                }
                if known.status != BudgetStatus::Pending {
                    let expires_at = known.decided_at.map(|decided_at| decided_at.after(lasts));
                    let same = known.status != BudgetStatus::Rejected
                        && (known.approved, Some(known.expires_at)) == (amount, expires_at);
                    return if same { Ok(told(known, agent)) } else { Err(Failure::BudgetRequestOver(known.status)) };
                }
                let (expires_at, comment) = (now.after(lasts), asked.comment.into());
                decided.approve(amount, expires_at, asked.comment, now, self.serial);
                Event::BudgetApproved(Box::new(BudgetApproved {
                    agent: index,
                    id: asked.id,
                    amount,
                    expires_at,
                    comment,
                }))
            }
            BudgetVerdict::Reject => {
                match known.status {
                    BudgetStatus::Pending => {}
                    BudgetStatus::Rejected => return Ok(told(known, agent)),
                    status @ (BudgetStatus::Approved | BudgetStatus::Expired | BudgetStatus::Exhausted) => {
                        return Err(Failure::BudgetRequestOver(status));
                    }
                }
                decided.reject(asked.comment, now);
                let comment = asked.comment.into();
                Event::BudgetRejected(Box::new(BudgetRejected { agent: index, id: asked.id, comment }))
            }
        };
        events.push(event);
        Ok(told(&decided, agent))
    }

    pub(crate) fn budget_approved(&mut self, now: Timestamp, event: &BudgetApproved) {
        let serial = self.serial;
        let agent = self.agent_mut(event.agent);
        let budgets = agent.activity_mut().budgets_mut();
        budgets.end_in_force(serial);
        let request = budgets.get_mut(event.id).expect("INVARIANT: events speak of budget requests that exist");
        request.approve(event.amount, event.expires_at, &event.comment, now, serial);
        let number = request.number;
        self.deadlines.push(Deadline { due: event.expires_at, what: Due::Budget(event.agent, number) });
        self.change_limits(event.agent);
    }

    pub(crate) fn budget_rejected(&mut self, now: Timestamp, event: &BudgetRejected) {
        let budgets = self.agent_mut(event.agent).activity_mut().budgets_mut();
        let request = budgets.get_mut(event.id).expect("INVARIANT: events speak of budget requests that exist");
        request.reject(&event.comment, now);
    }

    pub(crate) fn budget_exhausted(&mut self, index: AgentIndex, id: BudgetRequestId) {
        if let Some(request) = self.agent_mut(index).activity_mut().budgets_mut().get_mut(id) {
            request.status = BudgetStatus::Exhausted;
        }
    }

    pub(crate) fn budget_expired(&mut self, index: AgentIndex, id: BudgetRequestId) {
        let serial = self.serial;
        let budgets = self.agent_mut(index).activity_mut().budgets_mut();
        let Some(request) = budgets.get_mut(id) else { return };
        let was_in_force = request.is_in_force();
        request.end(serial);
        if was_in_force {
            self.change_limits(index);
        }
    }

    /// A limit came or went with an event that may be lost in a crash: what is approved under it must wait until it is durable, so
    /// the lease is armed anew.
    fn change_limits(&mut self, index: AgentIndex) {
        self.agent_mut(index).armed_in = 0;
        self.refresh(index);
    }

    /// Says what a capture does to the budget in force, if there is one. `slot` is the hold that is captured; without one, nothing was
    /// held for the payment.
    pub(crate) fn spend_budget(
        &self,
        index: AgentIndex,
        slot: Option<Slot>,
        amount: Amount,
        last: bool,
        events: &mut Vec<Event>,
    ) {
        let Some(budget) = self.budget_in_force(index) else { return };
        let by = match slot {
            None => amount,
            Some(slot) => {
                let hold = self.holds.at(slot);
                let bearer = self.deposit_of(hold).map_or(hold, |deposit| self.holds.at(deposit));
                if budget.counts(bearer.serial) { amount } else { self.growth(slot, amount, last) }
            }
        };
        let spent = budget.weight.spent.saturating_add(by);
        if !by.is_zero() {
            events.push(Event::BudgetSpent(index, budget.id, spent));
        }
        if budget.status == BudgetStatus::Approved && spent >= budget.approved {
            events.push(Event::BudgetExhausted(index, budget.id));
        }
    }

    /// Says what a refund does to the budget in force. What came back of an exhausted budget is told, and does not revive it.
    pub(crate) fn refund_budget(&self, index: AgentIndex, slot: Slot, amount: Amount, events: &mut Vec<Event>) {
        let Some(budget) = self.budget_in_force(index) else { return };
        let hold = self.holds.at(slot);
        let bearer =
            self.deposit_of(hold).map(|deposit| self.holds.at(deposit)).or(Some(hold).filter(|h| !h.from_deposit));
        if bearer.is_some_and(|bearer| budget.counts(bearer.serial)) {
            events.push(Event::BudgetSpent(index, budget.id, budget.weight.spent.saturating_sub(amount)));
        }
    }

    pub(crate) fn budget_spent(&self, index: AgentIndex, id: BudgetRequestId, spent: Amount) {
        let request = self.agents.get(index).and_then(Agent::budgets).and_then(|budgets| budgets.get(id));
        debug_assert_eq!(request.map(|request| request.weight.spent), Some(spent), "what was told is what was booked");
    }

    fn budget_in_force(&self, index: AgentIndex) -> Option<&BudgetRequest> {
        self.agents.get(index)?.budgets()?.in_force()
    }

    /// What a hold, or the deposit that it draws from, weighs more once so much of it is captured.
    fn growth(&self, slot: Slot, amount: Amount, last: bool) -> Amount {
        let hold = self.holds.at(slot);
        if !hold.from_deposit {
            return self.capture_effect(slot, amount, last).overage;
        }
        // Without its deposit it weighs on the agent itself.
        let Some(deposit) = self.deposit_of(hold) else { return amount };
        let deposit = self.holds.at(deposit);
        let inside = self.inside(deposit);
        let headroom = if hold.is_open() { hold.headroom() } else { Amount::ZERO };
        let kept = if hold.is_open() && !last { headroom.saturating_sub(amount) } else { Amount::ZERO };
        let after = deposit
            .weight_at(deposit.captured().saturating_add(amount), inside.saturating_sub(headroom).saturating_add(kept));
        after.used.saturating_sub(deposit.weight(inside).used)
    }
}

fn told(request: &BudgetRequest, agent: &Agent) -> Outcome {
    Outcome::BudgetRequest(Box::new(request.view(agent)))
}

fn repeats(known: &BudgetRequest, asked: &RequestBudget<'_>) -> bool {
    (known.requested, &*known.purpose, &*known.category, &*known.metadata)
        == (asked.amount, asked.purpose, asked.category, asked.metadata)
}

fn check_amount(amount: Amount, field: &'static str) -> Result<(), Failure> {
    if amount.is_zero() || amount > Amount::MAX {
        return Err(Failure::Invalid { field, expected: "more than zero and at most 1000000000000" });
    }
    Ok(())
}

fn check_fields(asked: &RequestBudget<'_>) -> Result<(), Failure> {
    let invalid = |field, expected| Err(Failure::Invalid { field, expected });
    check_amount(asked.amount, "amount")?;
    if asked.purpose.trim().is_empty() || asked.purpose.len() > PURPOSE_BYTES_MAX {
        return invalid("purpose", "what the budget is for, in 1 to 1024 bytes");
    }
    if asked.category.len() > CATEGORY_BYTES_MAX {
        return invalid("category", "at most 128 bytes");
    }
    if asked.metadata.len() > METADATA_BYTES_MAX {
        return invalid("metadata", "an object of at most 4096 bytes");
    }
    Ok(())
}
