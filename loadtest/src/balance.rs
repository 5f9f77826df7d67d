//! What the gateway says about one agent's money: its half of the comparison after the run.

use holdfast::{
    kernel::Amount,
    wire::reply::{Budget, Limit, Measure},
};

/// One agent as the gateway sees it; money in micro-units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Payments, deposits of sessions left out.
    pub(crate) calls: u64,
    /// Captured.
    pub(crate) spent: u64,
    /// In open holds.
    pub(crate) held: u64,
    /// Captured and in open holds in this calendar month, and, other than above, what was captured of holds that a crash lost.
    pub(crate) used_in_month: u64,
    /// What may have been approved before a crash and was lost in it: it counts against every limit.
    pub(crate) unknown: u64,
    /// Limits that were looked at.
    pub(crate) limits: u32,
    /// Those that are exceeded, as sentences.
    pub(crate) exceeded: Vec<String>,
}

impl Balance {
    /// Adds what a rail's budget says.
    pub(crate) fn add_rail(&mut self, budget: &Budget) {
        self.calls += budget.calls;
        self.spent += budget.spent.micros();
        // Holds are those of all rails already.
        self.held = budget.held.micros();
        self.used_in_month = budget.used[2].micros();
        let unknown = unknown(budget);
        self.unknown = unknown.micros();
        for limit in &budget.limits {
            self.limits += 1;
            if is_exceeded(limit, unknown) {
                self.exceeded.push(format!("{} is exceeded: {:?} of {:?}", limit.code, limit.used, limit.limit));
            }
        }
    }

    /// Captured and in open holds.
    pub(crate) fn used(&self) -> u64 {
        self.spent + self.held
    }
}

/// What the limit of a day counts beyond what was captured and is held.
fn unknown(budget: &Budget) -> Amount {
    let daily = budget.limits.iter().find(|limit| limit.code == "DAILY_LIMIT");
    match daily.map(|limit| limit.used) {
        Some(Measure::Money(counted)) => counted.saturating_sub(budget.used[0]),
        Some(Measure::None | Measure::Count(_) | Measure::Time(_) | Measure::Score(_)) | None => Amount::ZERO,
    }
}

/// What a crash may have lost is assumed, not spent: it blocks what comes, and may go beyond a limit that was reached before.
fn is_exceeded(limit: &Limit, unknown: Amount) -> bool {
    match (limit.used, limit.limit) {
        (Measure::Money(used), Measure::Money(cap)) => used.saturating_sub(unknown) > cap,
        (Measure::Count(used), Measure::Count(cap)) => used > cap,
        (Measure::Time(used), Measure::Time(cap)) => used > cap,
        (Measure::None | Measure::Money(_) | Measure::Count(_) | Measure::Time(_) | Measure::Score(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(spent: u64, held: u64, counted: u64) -> Budget {
        let money = |micros| Measure::Money(Amount::from_micros(micros));
        let daily = Limit { code: "DAILY_LIMIT".to_owned(), limit: money(1000), used: money(counted) };
        Budget {
            limits: vec![daily],
            remaining: None,
            spent: Amount::from_micros(spent),
            calls: 1,
            held: Amount::from_micros(held),
            used: [Amount::from_micros(spent + held); 3],
            session: None,
        }
    }

    #[test]
    fn rails_are_added_and_holds_counted_once() {
        let mut balance = Balance::default();
        balance.add_rail(&budget(100, 50, 150));
        balance.add_rail(&budget(30, 50, 80));
        assert_eq!((balance.calls, balance.spent, balance.used(), balance.limits), (2, 130, 180, 2));
    }

    #[test]
    fn a_limit_may_be_reached_and_not_exceeded() {
        // A thousand may be spent. What counts without being spent or held was lost in a crash: it exceeds nothing.
        for (spent, held, counted, exceeded) in
            [(700, 300, 1000, 0), (701, 300, 1001, 1), (700, 300, 1100, 0), (701, 300, 1101, 1)]
        {
            let mut balance = Balance::default();
            balance.add_rail(&budget(spent, held, counted));
            assert_eq!(
                (balance.exceeded.len(), balance.unknown),
                (exceeded, counted - spent - held),
                "{spent} {held} {counted}"
            );
        }
    }
}
