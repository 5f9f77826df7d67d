//! Budgets that agents ask for, and what operators say to that.

use super::{Workload, operator::PAYMENT_MICROS};
use crate::kernel::{
    AgentIndex, Amount, BudgetRequestId, Duration, Request,
    request::{BudgetVerdict, DecideBudget, RequestBudget},
};

pub(super) fn request(workload: &mut Workload) -> Request<'static> {
    if workload.budgets.is_empty() || workload.random.chance(35) { ask(workload) } else { decide(workload) }
}

fn ask(workload: &mut Workload) -> Request<'static> {
    let (agent, id) = (workload.agent(), BudgetRequestId(workload.next_id()));
    workload.budgets.push((agent, id));
    let amount = Amount::from_micros(workload.random.between(0, 8 * PAYMENT_MICROS));
    let purpose = workload.random.pick(&["research", "research", "compute", " "]);
    Request::RequestBudget(agent, RequestBudget { id, amount, purpose, category: "API_PROVIDER", metadata: "{}" })
}

fn decide(workload: &mut Workload) -> Request<'static> {
    let random = &mut workload.random;
    let back = random.below(4);
    let position = workload.budgets.len().saturating_sub(back as usize + 1);
    let (agent, id) = workload.budgets.get(position).copied().unwrap_or((AgentIndex(0), BudgetRequestId(0)));
    let amount = random.chance(40).then(|| Amount::from_micros(random.between(0, 12 * PAYMENT_MICROS)));
    let lasts = random.chance(70).then(|| Duration::from_secs(random.between(0, 3 * 3600)));
    let verdict = if random.chance(80) { BudgetVerdict::Approve { amount, lasts } } else { BudgetVerdict::Reject };
    Request::DecideBudget(agent, DecideBudget { id, verdict, comment: "as discussed" })
}
