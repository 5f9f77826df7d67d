//! Budgets that agents ask for. What counts in one is taken from the lists between the places at which it began and ended.

use super::{
    Model,
    agent::{Agent, Place},
    place::{check, check_amount},
    sum::{Sum, amount, micros},
};
use crate::kernel::{
    Amount, BudgetRequestId, Failure, Outcome, Timestamp,
    outcome::{BudgetRequestView, BudgetStatus},
    request::{BudgetVerdict, DecideBudget, RequestBudget},
    state::budget::{APPROVED_FOR_DEFAULT, APPROVED_FOR_MAX, BUDGET_REQUESTS_MAX, PENDING_FOR},
};

#[derive(Clone, Debug)]
pub(super) struct Budget {
    pub(super) id: BudgetRequestId,
    pub(super) status: BudgetStatus,
    requested: Amount,
    pub(super) approved: Amount,
    texts: [String; 3],
    comment: String,
    pub(super) created_at: Timestamp,
    decided_at: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
    /// Since when it counts.
    begins: Option<Mark>,
    /// Until when.
    ends: Option<Mark>,
    pub(super) forgotten: bool,
}

/// A place in everything that happened.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Holds placed, over all agents.
    holds: u64,
    payments: usize,
    growths: usize,
}

impl Budget {
    pub(super) fn is_in_force(&self) -> bool {
        self.begins.is_some() && self.ends.is_none()
    }

    fn is_active(&self) -> bool {
        matches!(self.status, BudgetStatus::Pending | BudgetStatus::Approved)
    }

    /// Whether time will end it.
    pub(super) fn runs(&self) -> bool {
        !self.forgotten && (self.status == BudgetStatus::Pending || self.is_in_force())
    }

    /// Whether the hold that was placed as this one over all agents counts.
    pub(super) fn counts(&self, placed_as: u64) -> bool {
        let began = self.begins.is_some_and(|mark| placed_as > mark.holds);
        began && self.ends.is_none_or(|mark| placed_as <= mark.holds)
    }
}

impl Model {
    pub(super) fn request_budget(&mut self, agent: usize, request: &RequestBudget<'_>) -> Result<Outcome, Failure> {
        let texts = [request.purpose, request.category, request.metadata].map(str::to_owned);
        if let Some(known) = self.agents[agent].budget(request.id) {
            let same = known.requested == request.amount && known.texts == texts;
            return if same { Ok(self.told(agent, request.id)) } else { Err(Failure::IdReused) };
        }
        check_amount(request.amount)?;
        check(!request.purpose.trim().is_empty() && request.purpose.len() <= 1024, "purpose")?;
        check(request.category.len() <= 128 && request.metadata.len() <= 4096, "texts")?;
        let budgets = &mut self.agents[agent].budgets;
        if budgets.iter().any(Budget::is_active) {
            return Err(Failure::BudgetRequestExists);
        }
        if budgets.iter().filter(|budget| !budget.forgotten).count() == BUDGET_REQUESTS_MAX
            && let Some(oldest) = budgets.iter_mut().find(|budget| !budget.forgotten && !budget.is_in_force())
        {
            oldest.forgotten = true;
        }
        budgets.push(Budget {
            id: request.id,
            status: BudgetStatus::Pending,
            requested: request.amount,
            approved: Amount::ZERO,
            texts,
            comment: String::new(),
            created_at: self.now,
            decided_at: None,
            expires_at: self.now.after(PENDING_FOR),
            begins: None,
            ends: None,
            forgotten: false,
        });
        Ok(self.told(agent, request.id))
    }

    pub(super) fn decide_budget(&mut self, agent: usize, request: &DecideBudget<'_>) -> Result<Outcome, Failure> {
        let now = self.now;
        let known = self.agents[agent].budget(request.id).ok_or(Failure::UnknownBudgetRequest)?;
        check(request.comment.len() <= 1024, "comment")?;
        match request.verdict {
            BudgetVerdict::Approve { amount, lasts } => {
                let amount = amount.unwrap_or(known.requested);
                let lasts = lasts.unwrap_or(APPROVED_FOR_DEFAULT);
                check_amount(amount)?;
                check(lasts.micros() > 0 && lasts <= APPROVED_FOR_MAX, "lasts")?;
                if known.status != BudgetStatus::Pending {
                    let until = known.decided_at.map(|at| at.after(lasts));
                    let same = known.begins.is_some() && known.approved == amount && Some(known.expires_at) == until;
                    let over = Failure::BudgetRequestOver(known.status);
                    return if same { Ok(self.told(agent, request.id)) } else { Err(over) };
                }
                self.end_budgets(agent, |budget| budget.is_in_force());
                let mark = self.mark(agent);
                let budget = self.agents[agent].budget_mut(request.id);
                (budget.status, budget.approved, budget.begins) = (BudgetStatus::Approved, amount, Some(mark));
                (budget.decided_at, budget.expires_at) = (Some(now), now.after(lasts));
                budget.comment = request.comment.to_owned();
                self.agents[agent].armed = None;
            }
            BudgetVerdict::Reject if known.status == BudgetStatus::Rejected => {}
            BudgetVerdict::Reject if known.status != BudgetStatus::Pending => {
                return Err(Failure::BudgetRequestOver(known.status));
            }
            BudgetVerdict::Reject => {
                let budget = self.agents[agent].budget_mut(request.id);
                (budget.status, budget.decided_at) = (BudgetStatus::Rejected, Some(now));
                budget.comment = request.comment.to_owned();
            }
        }
        Ok(self.told(agent, request.id))
    }

    /// Time has come for a budget request.
    pub(super) fn expire_budget(&mut self, agent: usize, position: usize) {
        let id = self.agents[agent].budgets[position].id;
        self.end_budgets(agent, |budget| budget.id == id && !budget.forgotten);
    }

    fn end_budgets(&mut self, agent: usize, concerned: impl Fn(&Budget) -> bool) {
        let mark = self.mark(agent);
        let agent = &mut self.agents[agent];
        for budget in agent.budgets.iter_mut().filter(|budget| concerned(budget)) {
            if budget.is_in_force() {
                budget.ends = Some(mark);
                agent.armed = None;
            }
            if budget.is_active() {
                budget.status = BudgetStatus::Expired;
            }
        }
    }

    /// Something was paid: a budget that is spent by now is exhausted.
    pub(super) fn exhaust(&mut self, agent: usize) {
        let agent = &mut self.agents[agent];
        let Some(budget) = agent.budget_in_force() else { return };
        if budget.status == BudgetStatus::Approved && agent.total_of_budget(budget).spent >= micros(budget.approved) {
            let id = budget.id;
            agent.budget_mut(id).status = BudgetStatus::Exhausted;
        }
    }

    fn mark(&self, agent: usize) -> Mark {
        let agent = &self.agents[agent];
        Mark { holds: self.holds_placed, payments: agent.payments.len(), growths: agent.growths.len() }
    }

    fn told(&self, agent: usize, id: BudgetRequestId) -> Outcome {
        let agent = &self.agents[agent];
        Outcome::BudgetRequest(Box::new(agent.view_of_budget(agent.budget(id).expect("it is there"))))
    }

    /// All budget requests, newest first.
    pub(super) fn latest_budgets(&self, status: Option<BudgetStatus>, count: u32) -> Vec<BudgetRequestView> {
        let mut found: Vec<(Timestamp, usize, usize, BudgetRequestView)> = Vec::new();
        for (index, agent) in self.agents.iter().enumerate() {
            for (place, budget) in agent.budgets.iter().enumerate().filter(|(_, budget)| !budget.forgotten) {
                if status.is_none_or(|status| budget.status == status) {
                    found.push((budget.created_at, index, place, agent.view_of_budget(budget)));
                }
            }
        }
        found.sort_by_key(|(at, index, place, _)| std::cmp::Reverse((*at, *index, *place)));
        found.into_iter().map(|(.., view)| view).take(count as usize).collect()
    }
}

impl Agent {
    pub(super) fn budget(&self, id: BudgetRequestId) -> Option<&Budget> {
        self.budgets.iter().find(|budget| budget.id == id && !budget.forgotten)
    }

    fn budget_mut(&mut self, id: BudgetRequestId) -> &mut Budget {
        self.budgets.iter_mut().find(|budget| budget.id == id && !budget.forgotten).expect("it is there")
    }

    pub(super) fn budget_in_force(&self) -> Option<&Budget> {
        self.budgets.iter().find(|budget| budget.is_in_force())
    }

    /// What counts in a budget: the holds of its time, what was paid then beyond other holds, and what was paid then without one.
    pub(super) fn total_of_budget(&self, budget: &Budget) -> Sum {
        let Some(begins) = budget.begins else { return Sum::default() };
        let ends =
            budget.ends.unwrap_or(Mark { holds: u64::MAX, payments: self.payments.len(), growths: self.growths.len() });
        let own = self.holds.iter().filter(|hold| hold.place != Place::Envelope && budget.counts(hold.placed_as));
        let mut sum = Sum::default();
        for weight in own.map(|hold| self.weight(hold)) {
            sum.used += weight.used;
            sum.spent += weight.spent;
        }
        let growths = &self.growths[begins.growths..ends.growths];
        let beyond = growths.iter().filter(|growth| !budget.counts(self.holds[growth.hold].placed_as));
        let payments = self.payments[begins.payments..ends.payments].iter().map(|payment| payment.amount);
        let more: i128 = beyond.map(|growth| growth.amount).chain(payments).sum();
        Sum { used: sum.used + more, spent: sum.spent + more }
    }

    pub(super) fn view_of_budget(&self, budget: &Budget) -> BudgetRequestView {
        let sum = self.total_of_budget(budget);
        let [purpose, category, metadata] = budget.texts.clone();
        BudgetRequestView {
            id: budget.id,
            agent: self.id,
            agent_name: self.name.clone(),
            status: budget.status,
            requested: budget.requested,
            approved: budget.begins.map(|_| budget.approved),
            spent: amount(sum.spent),
            held: amount(sum.held()),
            purpose,
            category,
            metadata,
            comment: budget.comment.clone(),
            created_at: budget.created_at,
            decided_at: budget.decided_at,
            expires_at: budget.expires_at,
        }
    }

    /// The budget requests that are remembered, newest first.
    pub(super) fn budgets_view(
        &self,
        id: Option<BudgetRequestId>,
        status: Option<BudgetStatus>,
    ) -> Vec<BudgetRequestView> {
        let fits = |budget: &&Budget| {
            let wanted = id.is_none_or(|id| budget.id == id) && status.is_none_or(|status| budget.status == status);
            wanted && !budget.forgotten
        };
        self.budgets.iter().rev().filter(fits).map(|budget| self.view_of_budget(budget)).collect()
    }
}
