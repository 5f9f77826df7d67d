//! What a backtest found.

use std::collections::BTreeMap;

use crate::kernel::{AgentId, Amount, AuthorizationId, Timestamp, outcome::Violation};

/// The most agents that are told apart; the others are one.
pub const AGENTS_MAX: usize = 100_000;
/// The most services that are told apart; the others are one.
pub const SERVICES_MAX: usize = 10_000;
/// The most payments that are shown one by one.
pub const EXAMPLES_MAX: usize = 100;

/// What a policy would have decided about the payments of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The first and the last moment at which anything was decided; absent where nothing was.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Payments that were approved, and asked for once more.
    pub decisions: Money,
    /// Those of them that the policy would have denied.
    pub denied: Money,
    /// What was really paid of the holds that would have been denied.
    pub spent: Amount,
    /// Those of the decisions that cannot be told, since they failed for another reason than a limit.
    pub unknown: Money,
    /// Payments that were denied at the time. What the policy would have made of them is not known.
    pub denied_before: Money,
    /// By the code of a violation. A payment that breaks several limits counts under each.
    pub by_rule: BTreeMap<&'static str, Money>,
    /// By agent, at most [`AGENTS_MAX`].
    pub by_agent: Share<AgentId>,
    /// By service, at most [`SERVICES_MAX`]; the empty one is none.
    pub by_service: Share<String>,
    /// The first payments that would have been denied, at most [`EXAMPLES_MAX`], in the order of their time.
    pub examples: Vec<Example>,
}

/// Payments and what they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Money {
    /// How many.
    pub count: u64,
    /// All of them together, as they were asked for.
    pub amount: Amount,
}

/// Payments that would have been denied, by something of which there may be very many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share<K: Ord> {
    /// Those that are told apart.
    pub named: BTreeMap<K, Money>,
    /// All others together.
    pub others: Money,
}

/// One payment that would have been denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// When it was asked for.
    pub at: Timestamp,
    /// By whom.
    pub agent: AgentId,
    /// Its hold.
    pub authorization: AuthorizationId,
    /// What it was to cost.
    pub amount: Amount,
    /// Who was to be paid.
    pub recipient: String,
    /// For which service; empty for none.
    pub service: String,
    /// Every limit that it would have broken.
    pub violations: Vec<Violation>,
}

impl Money {
    pub(super) fn add(&mut self, count: u64, amount: Amount) {
        self.count += count;
        self.amount = self.amount.saturating_add(amount);
    }

    fn join(&mut self, other: Money) {
        self.add(other.count, other.amount);
    }
}

impl<K: Ord> Default for Share<K> {
    fn default() -> Self {
        Share { named: BTreeMap::new(), others: Money::default() }
    }
}

impl<K: Ord> Share<K> {
    fn add(&mut self, key: K, money: Money, maximum: usize) {
        let full = self.named.len() >= maximum;
        match self.named.get_mut(&key) {
            Some(known) => known.join(money),
            None if full => self.others.join(money),
            None => {
                self.named.insert(key, money);
            }
        }
    }

    fn join(&mut self, other: Share<K>, maximum: usize) {
        self.others.join(other.others);
        other.named.into_iter().for_each(|(key, money)| self.add(key, money, maximum));
    }
}

impl Report {
    /// A payment of the past was decided once more.
    pub(super) fn count(&mut self, at: Timestamp, amount: Amount) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
        self.decisions.add(1, amount);
    }

    /// It would have been denied.
    pub(super) fn deny(&mut self, example: Example) {
        let money = Money { count: 1, amount: example.amount };
        self.denied.join(money);
        let mut codes: Vec<_> = example.violations.iter().map(|violation| violation.kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.into_iter().for_each(|code| self.by_rule.entry(code).or_default().join(money));
        self.by_agent.add(example.agent, money, AGENTS_MAX);
        self.by_service.add(example.service.clone(), money, SERVICES_MAX);
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }

    /// Takes in what was found in another shard.
    pub(super) fn join(&mut self, other: Report) {
        let spans = [self.span, other.span].into_iter().flatten();
        self.span = spans.reduce(|one, another| (one.0.min(another.0), one.1.max(another.1)));
        self.decisions.join(other.decisions);
        self.denied.join(other.denied);
        self.spent = self.spent.saturating_add(other.spent);
        self.unknown.join(other.unknown);
        self.denied_before.join(other.denied_before);
        other.by_rule.into_iter().for_each(|(code, money)| self.by_rule.entry(code).or_default().join(money));
        self.by_agent.join(other.by_agent, AGENTS_MAX);
        self.by_service.join(other.by_service, SERVICES_MAX);
        self.examples.extend(other.examples);
        self.examples.sort_by_key(|example| (example.at, example.agent, example.authorization));
        self.examples.truncate(EXAMPLES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        outcome::{Measure, ViolationKind},
        policy::RuleKind,
    };

    fn example(at: u64, agent: u128) -> Example {
        let violation = |kind| Violation { kind, limit: Measure::None, current: Measure::None };
        let kinds = [RuleKind::MaxAmount, RuleKind::DailyLimit, RuleKind::MaxAmount];
        Example {
            at: Timestamp::from_micros(at),
            agent: AgentId(agent),
            authorization: AuthorizationId(at.into()),
            amount: Amount::from_units(2),
            recipient: "0xaa".to_owned(),
            service: String::new(),
            violations: kinds.map(|kind| violation(ViolationKind::Rule(kind))).to_vec(),
        }
    }

    #[test]
    fn a_payment_counts_once_under_each_code() {
        let mut report = Report::default();
        report.deny(example(1, 7));
        report.deny(example(2, 7));
        let twice = Money { count: 2, amount: Amount::from_units(4) };
        assert_eq!(report.by_rule, BTreeMap::from([("DAILY_LIMIT", twice), ("PER_TX_LIMIT", twice)]));
        assert_eq!(report.by_agent.named, BTreeMap::from([(AgentId(7), twice)]));
        assert_eq!(report.denied, twice);
    }

    #[test]
    fn what_is_too_much_to_be_told_apart_is_counted_together() {
        let mut share = Share::default();
        let once = Money { count: 1, amount: Amount::from_units(1) };
        for key in [1, 2, 3, 2, 3] {
            share.add(key, once, 2);
        }
        let twice = Money { count: 2, amount: Amount::from_units(2) };
        assert_eq!(share, Share { named: BTreeMap::from([(1, once), (2, twice)]), others: twice });
    }

    #[test]
    fn the_shards_of_a_gateway_are_one_report_whose_examples_are_in_order() {
        let (mut one, mut other) = (Report::default(), Report::default());
        for at in 0..EXAMPLES_MAX as u64 {
            one.deny(example(2 * at, 1));
            other.deny(example(2 * at + 1, 2));
        }
        (one.span, other.span) = (None, Some((Timestamp::from_micros(1), Timestamp::from_micros(9))));
        one.join(other);
        assert_eq!(one.denied.count, 2 * EXAMPLES_MAX as u64);
        assert_eq!(one.span, Some((Timestamp::from_micros(1), Timestamp::from_micros(9))));
        let times: Vec<u64> = one.examples.iter().map(|example| example.at.micros()).collect();
        assert_eq!(times, (0..EXAMPLES_MAX as u64).collect::<Vec<_>>());
    }
}
