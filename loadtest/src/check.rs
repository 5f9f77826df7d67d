//! Was every answer right? The gateway's books are compared with what the load test was told, agent by agent.

use holdfast::{
    kernel::Amount,
    wire::reply::{Budget, Measure},
};
use serde_json::{Value, json};

use crate::{lane::Payer, setup::agent_id};

/// Problems beyond so many are counted, not described.
const DESCRIBED_MAX: usize = 10;

/// The result of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) agents: usize,
    /// Approvals that the gateway has booked since the beginning, and what they hold and have spent.
    pub(crate) approvals: u64,
    pub(crate) used: u64,
    /// Limits that were looked at, over all agents.
    pub(crate) limits: usize,
    problems: Vec<String>,
    problem_count: usize,
}

impl Verdict {
    /// Compares the budgets of each payer before and after the run with its book. Each payment was of `amount`.
    pub(crate) fn of(payers: &[Payer], before: &[Budget], after: &[Budget], amount: Amount) -> Verdict {
        let mut verdict = Verdict { agents: payers.len(), ..Verdict::default() };
        for payer in payers {
            let number = payer.number as usize;
            match (before.get(number), after.get(number)) {
                (Some(before), Some(after)) => verdict.compare(payer, before, after, amount),
                (_, _) => verdict.problem(payer, "is missing".to_owned()),
            }
        }
        verdict
    }

    pub(crate) fn is_right(&self) -> bool {
        self.problem_count == 0
    }

    /// Says that something is wrong that is no single agent's matter.
    pub(crate) fn add_problem(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < DESCRIBED_MAX {
            self.problems.push(problem);
        }
    }

    fn problem(&mut self, payer: &Payer, problem: String) {
        self.add_problem(format!("{}: {problem}", agent_id(payer.number)));
    }

    fn compare(&mut self, payer: &Payer, before: &Budget, after: &Budget, amount: Amount) {
        self.look_at_limits(payer, after);
        let grown = |after: u64, before: u64| after.saturating_sub(before);
        let calls = grown(after.calls, before.calls);
        let spent = grown(after.spent.micros(), before.spent.micros());
        let used = |budget: &Budget| budget.spent.micros() + budget.held.micros();
        let (approved, captured) = (payer.book.approved, payer.book.captured);
        self.approvals += calls;
        self.used += grown(used(after), used(before));
        if !approved.includes(calls) {
            self.problem(payer, format!("{} approvals were told, the gateway has booked {calls}", approved.count));
        }
        if !captured.includes_sum(amount, spent) {
            let told = captured.count * amount.micros();
            self.problem(payer, format!("captures of {told} micro-units were told, the gateway has booked {spent}"));
        }
        // What an earlier run still held may have expired in the meantime.
        let is_alone = before.held.is_zero();
        if is_alone && !approved.includes_sum(amount, grown(used(after), used(before))) {
            let (told, booked) = (approved.count * amount.micros(), grown(used(after), used(before)));
            self.problem(payer, format!("approvals of {told} micro-units were told, the gateway has booked {booked}"));
        }
    }

    fn look_at_limits(&mut self, payer: &Payer, budget: &Budget) {
        for limit in &budget.limits {
            self.limits += 1;
            let exceeded = match (limit.used, limit.limit) {
                (Measure::Money(used), Measure::Money(cap)) => used > cap,
                (Measure::Count(used), Measure::Count(cap)) => used > cap,
                (Measure::Time(used), Measure::Time(cap)) => used > cap,
                (Measure::None | Measure::Money(_) | Measure::Count(_) | Measure::Time(_), _) => false,
            };
            if exceeded {
                self.problem(payer, format!("{} is exceeded: {:?} of {:?}", limit.code, limit.used, limit.limit));
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} agents, {} limits, {} approvals in the gateway's books",
            if self.is_right() { "right" } else { "WRONG" },
            self.agents,
            self.limits,
            self.approvals,
        );
        for problem in &self.problems {
            text += &format!("\n           {problem}");
        }
        if self.problem_count > self.problems.len() {
            text += &format!("\n           and {} more", self.problem_count - self.problems.len());
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "right": self.is_right(),
            "agents": self.agents,
            "limits": self.limits,
            "approvals": self.approvals,
            "usedMicros": self.used,
            "problems": self.problem_count,
            "examples": self.problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use holdfast::{
        kernel::{AgentIndex, ShardId},
        wire::{Handle, reply::Limit},
    };

    use super::*;
    use crate::book::{Book, Told};

    const AMOUNT: Amount = Amount::from_micros(100);

    fn budget(calls: u64, held: u64, spent: u64) -> Budget {
        let daily = Limit {
            code: "DAILY_LIMIT".to_owned(),
            limit: Measure::Money(Amount::from_micros(1000)),
            used: Measure::Money(Amount::from_micros(held + spent)),
        };
        Budget {
            limits: vec![daily],
            remaining: None,
            spent: Amount::from_micros(spent),
            calls,
            held: Amount::from_micros(held),
            used: [Amount::ZERO; 3],
            session: None,
        }
    }

    fn problems(approved: u64, captured: u64, unanswered: u64, after: Budget) -> usize {
        let told = |count, unanswered| Told { count, unanswered };
        let book = Book { approved: told(approved, unanswered), captured: told(captured, 0) };
        let handle = Handle { shard: ShardId(0), index: AgentIndex(0) };
        let payers = [Payer { number: 0, handle, book }];
        let verdict = Verdict::of(&payers, &[budget(0, 0, 0)], &[after], AMOUNT);
        assert_eq!(verdict.is_right(), verdict.problem_count == 0);
        verdict.problem_count
    }

    #[test]
    fn both_sides_must_agree() {
        assert_eq!(problems(3, 1, 0, budget(3, 200, 100)), 0);
        assert_eq!(problems(3, 1, 1, budget(4, 300, 100)), 0);
        // An approval that the gateway has lost, and one that nobody was told of: count and sum differ.
        assert_eq!(problems(3, 1, 0, budget(2, 100, 100)), 2);
        assert_eq!(problems(3, 1, 0, budget(4, 300, 100)), 2);
        // A capture that the gateway has lost.
        assert_eq!(problems(3, 1, 0, budget(3, 300, 0)), 1);
    }

    #[test]
    fn a_limit_may_be_reached_and_not_exceeded() {
        assert_eq!(problems(10, 0, 0, budget(10, 1000, 0)), 0);
        assert_eq!(problems(11, 0, 0, budget(11, 1100, 0)), 1);
    }
}
