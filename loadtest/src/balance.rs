//! What the gateway says about one agent's money: its half of the comparison after the run.

use holdfast::wire::reply::{Budget, Limit, Measure};

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
        for limit in &budget.limits {
            self.limits += 1;
            if is_exceeded(limit) {
                self.exceeded.push(format!("{} is exceeded: {:?} of {:?}", limit.code, limit.used, limit.limit));
            }
            if let ("DAILY_LIMIT", Measure::Money(counted)) = (limit.code.as_str(), limit.used) {
                self.unknown = counted.saturating_sub(budget.used[0]).micros();
            }
        }
    }

    /// Captured and in open holds.
    pub(crate) fn used(&self) -> u64 {
        self.spent + self.held
    }
}

fn is_exceeded(limit: &Limit) -> bool {
    match (limit.used, limit.limit) {
        (Measure::Money(used), Measure::Money(cap)) => used > cap,
        (Measure::Count(used), Measure::Count(cap)) => used > cap,
        (Measure::Time(used), Measure::Time(cap)) => used > cap,
        (Measure::None | Measure::Money(_) | Measure::Count(_) | Measure::Time(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use holdfast::kernel::Amount;

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
        for (counted, exceeded) in [(1000, 0), (1001, 1)] {
            let mut balance = Balance::default();
            balance.add_rail(&budget(600, 300, counted));
            assert_eq!((balance.exceeded.len(), balance.unknown), (exceeded, counted - 900));
        }
    }
}
