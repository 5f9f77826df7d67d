//! Was every answer right? The gateway's books are compared with what the load test was told, agent by agent.

use std::{collections::BTreeMap, ops::RangeInclusive};

use holdfast::kernel::Amount;

use crate::{
    balance::Balance,
    book::{Book, Payer},
    record::{Check, Counts, GatewayCounts},
    setup::agent_id,
};

/// Problems beyond so many are counted, not described.
const DESCRIBED_MAX: usize = 10;

/// What the books are compared under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// What each payment was.
    pub(crate) amount: Amount,
    /// What each agent may spend a day, where the scenario says so.
    pub(crate) daily_limit: Option<Amount>,
    /// The gateway was killed in between: approvals that it gave ahead of the disk may be gone, as long as what may be gone counts
    /// against the limits.
    pub(crate) crashed: bool,
}

/// The result of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    check: Check,
    /// Agents with captures that were told and are not booked; how many captures are gone.
    pub(crate) lost_captures: u64,
    /// Agents that were told of more than they may spend, or that count for more.
    pub(crate) overspent_agents: u64,
}

impl Verdict {
    /// Compares the balance of each agent before and after the run with its book; `before` is empty for a gateway that was new.
    pub(crate) fn of(payers: &[Payer], before: &[Balance], after: &[Balance], terms: Terms) -> Verdict {
        let mut verdict = Verdict::default();
        let new = Balance::default();
        for (number, book) in books(payers) {
            verdict.check.agents += 1;
            let before = before.get(number as usize).unwrap_or(&new);
            match after.get(number as usize) {
                Some(after) => verdict.compare(number, &book, before, after, terms),
                None => verdict.problem(number, "is missing".to_owned()),
            }
        }
        verdict
    }

    /// Compares what the gateway itself has counted with what was told.
    pub(crate) fn compare_counts(&mut self, gateway: &GatewayCounts, told: &Counts) {
        for (what, counted, told_count) in
            [("approvals", gateway.approvals, told.approved), ("denials", gateway.denials, told.denied)]
        {
            // An answer that was not clear was counted as an error.
            if !(told_count..=told_count + told.unanswered + told.errors).contains(&counted) {
                self.add_problem(format!("{told_count} {what} were told, the gateway has counted {counted}"));
            }
        }
    }

    /// Says that something is wrong that is no single agent's matter.
    pub(crate) fn add_problem(&mut self, problem: String) {
        self.check.problem_count += 1;
        if self.check.problems.len() < DESCRIBED_MAX {
            self.check.problems.push(problem);
        }
    }

    /// As the record keeps it.
    pub(crate) fn check(self) -> Check {
        Check { right: self.check.problem_count == 0, ..self.check }
    }

    fn problem(&mut self, number: u32, problem: String) {
        self.add_problem(format!("{}: {problem}", agent_id(number)));
    }

    fn compare(&mut self, number: u32, book: &Book, before: &Balance, after: &Balance, terms: Terms) {
        let each = terms.amount.micros();
        self.check.limits += u64::from(after.limits);
        after.exceeded.iter().for_each(|problem| self.problem(number, problem.clone()));
        let overspent = terms.daily_limit.is_some_and(|limit| *book.used(terms.amount).start() > limit.micros());
        if overspent {
            self.problem(number, format!("was told of {} approvals, more than its limit", book.approved.count));
        }
        self.overspent_agents += u64::from(overspent || !after.exceeded.is_empty());
        self.check.approvals += after.calls.saturating_sub(before.calls);
        if terms.crashed {
            self.compare_after_crash(number, book, before, after, terms.amount);
            return;
        }
        let spent = after.spent.saturating_sub(before.spent);
        self.expect_captures(number, book, spent, each);
        self.expect(number, "approvals", book.approved.range(), after.calls.saturating_sub(before.calls));
        // What an earlier run still held may have expired in the meantime.
        if before.held == 0 {
            let used = after.used().saturating_sub(before.used());
            self.expect(number, "approvals of micro-units", book.used(terms.amount), used);
        }
    }

    /// What was approved ahead of the disk and lost is in the unknown hold, and what was captured of it belongs to no service.
    fn compare_after_crash(&mut self, number: u32, book: &Book, before: &Balance, after: &Balance, amount: Amount) {
        let spent = |balance: &Balance| balance.used_in_month.saturating_sub(balance.held);
        self.expect_captures(number, book, spent(after).saturating_sub(spent(before)), amount.micros());
        let counted = (after.used_in_month + after.unknown).saturating_sub(before.used_in_month);
        self.expect(number, "approvals of micro-units", *book.used(amount).start()..=u64::MAX, counted);
    }

    fn expect_captures(&mut self, number: u32, book: &Book, spent: u64, each: u64) {
        let captured = book.captured.range();
        self.lost_captures += captured.start().saturating_sub(spent / each.max(1));
        self.expect(number, "captures of micro-units", times(&captured, each), spent);
    }

    fn expect(&mut self, number: u32, what: &str, told: RangeInclusive<u64>, booked: u64) {
        if !told.contains(&booked) {
            self.problem(number, format!("{} {what} were told, the gateway has booked {booked}", told.start()));
        }
    }
}

/// The book of each agent, over all connections that it paid on.
fn books(payers: &[Payer]) -> BTreeMap<u32, Book> {
    let mut books = BTreeMap::new();
    for payer in payers {
        books.entry(payer.number).or_insert_with(Book::default).add(&payer.book);
    }
    books
}

fn times(range: &RangeInclusive<u64>, each: u64) -> RangeInclusive<u64> {
    range.start().saturating_mul(each)..=range.end().saturating_mul(each)
}

#[cfg(test)]
mod tests {
    use holdfast::{
        kernel::{AgentIndex, ShardId},
        wire::Handle,
    };

    use super::*;
    use crate::book::Told;

    const TERMS: Terms = Terms { amount: Amount::from_micros(100), daily_limit: None, crashed: false };
    const CRASHED: Terms = Terms { crashed: true, ..TERMS };

    fn balance(calls: u64, held: u64, spent: u64) -> Balance {
        Balance { calls, held, spent, used_in_month: held + spent, ..Balance::default() }
    }

    fn verdict(terms: Terms, approved: (u64, u64), captured: (u64, u64), after: Balance) -> Verdict {
        let told = |(count, unanswered)| Told { count, unanswered };
        let book = Book { approved: told(approved), captured: told(captured), ..Book::default() };
        let handle = Handle { shard: ShardId(0), index: AgentIndex(0) };
        Verdict::of(&[Payer { number: 0, handle, book }], &[], &[after], terms)
    }

    fn problems(terms: Terms, approved: (u64, u64), captured: (u64, u64), after: Balance) -> u64 {
        let check = verdict(terms, approved, captured, after).check();
        assert_eq!(check.right, check.problem_count == 0);
        check.problem_count
    }

    #[test]
    fn both_sides_must_agree() {
        assert_eq!(problems(TERMS, (3, 0), (1, 0), balance(3, 200, 100)), 0);
        assert_eq!(problems(TERMS, (3, 1), (1, 0), balance(4, 300, 100)), 0);
        // An approval that the gateway has lost, and one that nobody was told of: count and sum differ.
        assert_eq!(problems(TERMS, (3, 0), (1, 0), balance(2, 100, 100)), 2);
        assert_eq!(problems(TERMS, (3, 0), (1, 0), balance(4, 300, 100)), 2);
        // A capture that the gateway has lost.
        assert_eq!(problems(TERMS, (3, 0), (1, 0), balance(3, 300, 0)), 1);
    }

    #[test]
    fn an_agent_that_pays_over_two_connections_has_one_book() {
        let told = Told { count: 2, unanswered: 0 };
        let book = Book { approved: told, ..Book::default() };
        let handle = Handle { shard: ShardId(0), index: AgentIndex(0) };
        let payers = [Payer { number: 0, handle, book }; 2];
        let check = Verdict::of(&payers, &[], &[balance(4, 400, 0)], TERMS).check();
        assert!(check.right && check.agents == 1, "{check:?}");
    }

    #[test]
    fn after_a_crash_what_was_told_must_still_count() {
        let lost = |unknown| Balance { unknown, ..balance(1, 100, 0) };
        assert_eq!(problems(CRASHED, (3, 0), (0, 0), lost(200)), 0);
        assert_eq!(problems(CRASHED, (3, 0), (0, 0), lost(100)), 1);
        // An acknowledged capture never goes; one that was not answered may.
        assert_eq!(problems(CRASHED, (3, 0), (2, 1), Balance { unknown: 0, ..balance(1, 0, 300) }), 0);
        let verdict = verdict(CRASHED, (3, 0), (2, 1), Balance { unknown: 300, ..balance(1, 0, 100) });
        assert_eq!((verdict.lost_captures, verdict.check().problem_count), (1, 1));
    }

    #[test]
    fn nobody_may_be_told_of_more_than_the_limit() {
        let limited = Terms { daily_limit: Some(Amount::from_micros(300)), ..TERMS };
        assert_eq!(verdict(limited, (3, 0), (0, 0), balance(3, 300, 0)).overspent_agents, 0);
        assert_eq!(verdict(limited, (4, 0), (0, 0), balance(4, 400, 0)).overspent_agents, 1);
        let exceeded = Balance { exceeded: vec!["DAILY_LIMIT is exceeded".to_owned()], ..balance(3, 300, 0) };
        assert_eq!(verdict(TERMS, (3, 0), (0, 0), exceeded).overspent_agents, 1);
    }
}
