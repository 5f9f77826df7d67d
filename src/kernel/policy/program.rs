//! Third stage: what is run. All rules of all policies of an agent in one order, shared by the agents that have the same policies.

use std::{cmp::Reverse, sync::Arc};

use bincode::{Decode, Encode};

use super::{ApprovalTerms, Caps, CheckedPolicy, CountedSet, Rule, Whose};
use crate::kernel::{Amount, Duration, Period, PolicyId, Protocol};

/// The rules that an agent's requests must pass, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    rules: Box<[Rule]>,
    asking: Box<[Asking]>,
    policies: Box<[(PolicyId, u32)]>,
    denies_all: bool,
    /// By protocol.
    caps: [Caps; Protocol::ALL.len()],
    velocity_periods: PeriodSet,
    asks_about_payees: bool,
    counted: CountedSet,
    smallest_amount_limit: Option<Amount>,
    smallest_count_limit: Option<u32>,
    session_duration_max: Option<Duration>,
}

/// A rule whose breach asks a human, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The rule.
    pub rule: Rule,
    /// Where its policy stands among the active ones: 0 for the highest priority.
    pub rank: usize,
    /// What its policy says about approval; shared by the rules of a policy.
    pub terms: Option<Arc<ApprovalTerms>>,
    /// Whether an earlier one has the same rule, so that its violation is told already.
    pub repeats: bool,
}

/// Joins policies, each with its version, into one program. Policies that are not active contribute nothing.
///
/// Rules are ordered by [`RuleKind`](super::RuleKind), then by the priority of their policy (higher first), then by the
/// policy's id, then as written; the order in which the policies are passed does not matter. Of rules that are equal in
/// every respect the first is kept: they would cause equal violations, and to say the same thing twice tells nobody more.
/// A rule that is merely weaker than another stays, since its violation is one more fact. Rules that ask a human are all kept, in the same
/// order, since each asks on the terms of its policy.
pub fn compile<'a>(policies: impl IntoIterator<Item = (&'a CheckedPolicy, u32)>) -> Program {
    let mut active: Vec<_> = policies.into_iter().filter(|(policy, _)| policy.is_active()).collect();
    active.sort_by_key(|(policy, version)| (Reverse(policy.priority()), policy.id(), *version));
    let mut rules: Vec<&Rule> = active.iter().flat_map(|(policy, _)| policy.rules()).collect();
    rules.sort_by_key(|rule| rule.kind());
    let mut asking: Vec<Asking> =
        active.iter().enumerate().flat_map(|(rank, (policy, _))| asked(rank, policy)).collect();
    asking.sort_by_key(|asking| asking.rule.kind());
    for later in 1..asking.len() {
        let (earlier, rest) = asking.split_at_mut(later);
        if let Some(asking) = rest.first_mut() {
            let run = earlier.iter().rev().take_while(|earlier| earlier.rule.kind() == asking.rule.kind());
            asking.repeats = run.into_iter().any(|earlier| earlier.rule == asking.rule);
        }
    }
    let policies = active.iter().map(|(policy, version)| (policy.id(), *version)).collect();
    Program::new(without_repeats(&rules), asking.into(), policies)
}

impl Program {
    fn new(rules: Box<[Rule]>, asking: Box<[Asking]>, policies: Box<[(PolicyId, u32)]>) -> Program {
        let all = || rules.iter().chain(asking.iter().map(|asking| &asking.rule));
        Program {
            denies_all: false,
            caps: Protocol::ALL.map(|protocol| Caps::new(all(), protocol)),
            asks_about_payees: all().any(Rule::asks_about_payee),
            velocity_periods: all().filter_map(velocity_period).collect(),
            counted: all().filter_map(|rule| rule.counted(Whose::Agent)).collect(),
            smallest_amount_limit: all().filter_map(Rule::cumulative_cap).min(),
            smallest_count_limit: all().filter_map(Rule::cumulative_count).min(),
            session_duration_max: rules.iter().filter_map(session_duration).min(),
            rules,
            asking,
            policies,
        }
    }

    /// The program that approves nothing: for policies that this version cannot read (fail closed).
    #[must_use]
    pub fn deny_all() -> Program {
        Program { denies_all: true, ..Program::new(Box::new([]), Box::new([]), Box::new([])) }
    }

    /// Whether this is [`Program::deny_all`].
    #[must_use]
    pub fn denies_all(&self) -> bool {
        self.denies_all
    }

    /// The rules whose breach denies, in the order in which they run and their violations are listed.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules whose breach asks a human, in the same order.
    #[must_use]
    pub fn asking(&self) -> &[Asking] {
        &self.asking
    }

    /// All rules, those whose breach denies first.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain(self.asking.iter().map(|asking| &asking.rule))
    }

    /// What the rules come to for ordinary charges over a rail.
    #[must_use]
    pub fn caps(&self, protocol: Protocol) -> &Caps {
        &self.caps[protocol as usize]
    }

    /// The active policies and their versions, highest priority first. Empty where no policy applies.
    #[must_use]
    pub fn policies(&self) -> &[(PolicyId, u32)] {
        &self.policies
    }

    /// Whether some rule asks for what the directory says of a payee.
    #[must_use]
    pub fn asks_about_payees(&self) -> bool {
        self.asks_about_payees
    }

    /// The rolling periods over which payments must be counted.
    #[must_use]
    pub fn velocity_periods(&self) -> PeriodSet {
        self.velocity_periods
    }

    /// What must be counted beyond what is counted for everybody.
    #[must_use]
    pub fn counted(&self) -> &CountedSet {
        &self.counted
    }

    /// Asks for these to be counted, too.
    pub fn count_also(&mut self, counted: &CountedSet) {
        self.counted = self.counted.as_slice().iter().chain(counted.as_slice()).cloned().collect();
    }

    /// The smallest limit that adds up over several payments: windows, sessions and service totals.
    #[must_use]
    pub fn smallest_amount_limit(&self) -> Option<Amount> {
        self.smallest_amount_limit
    }

    /// The smallest number of payments that a velocity rule permits.
    #[must_use]
    pub fn smallest_count_limit(&self) -> Option<u32> {
        self.smallest_count_limit
    }

    /// The shortest of the longest durations of an MPP session.
    #[must_use]
    pub fn session_duration_max(&self) -> Option<Duration> {
        self.session_duration_max
    }
}

fn asked(rank: usize, policy: &CheckedPolicy) -> impl Iterator<Item = Asking> {
    let terms = policy.approval().cloned().map(Arc::new);
    policy.asking().iter().map(move |rule| Asking { rule: rule.clone(), rank, terms: terms.clone(), repeats: false })
}

/// Equal rules have one kind, and `sorted` has each kind in one run, so only the run's rules are compared.
fn without_repeats(sorted: &[&Rule]) -> Box<[Rule]> {
    let mut kept: Vec<Rule> = Vec::with_capacity(sorted.len());
    for &rule in sorted {
        let mut run = kept.iter().rev().take_while(|earlier| earlier.kind() == rule.kind());
        if !run.any(|earlier| earlier == rule) {
            kept.push(rule.clone());
        }
    }
    kept.into()
}

fn velocity_period(rule: &Rule) -> Option<Period> {
    if let Rule::Velocity { period, .. } = rule { Some(*period) } else { None }
}

fn session_duration(rule: &Rule) -> Option<Duration> {
    match rule {
        Rule::SessionDuration { max } => Some(*max),
        Rule::OnWallets { rule, .. } => session_duration(rule),
        _ => None,
    }
}

/// A set of periods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PeriodSet(u8);

impl PeriodSet {
    /// Whether `period` is in the set.
    #[must_use]
    pub const fn contains(self, period: Period) -> bool {
        self.0 & bit(period) != 0
    }

    /// Whether no period is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many periods are in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The periods in either set.
    #[must_use]
    pub const fn union(self, other: PeriodSet) -> PeriodSet {
        PeriodSet(self.0 | other.0)
    }

    /// The periods in the set, shortest first.
    pub fn iter(self) -> impl Iterator<Item = Period> {
        Period::ALL.into_iter().filter(move |period| self.contains(*period))
    }
}

impl FromIterator<Period> for PeriodSet {
    fn from_iter<I: IntoIterator<Item = Period>>(periods: I) -> PeriodSet {
        PeriodSet(periods.into_iter().fold(0, |bits, period| bits | bit(period)))
    }
}

const fn bit(period: Period) -> u8 {
    1 << period as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::policy::{PolicyScope, PolicySource, RuleKind, RuleSource, check};

    fn policy(id: u128, priority: u8, active: bool, rules: &[(&str, &str)]) -> CheckedPolicy {
        let rule = |(rule_type, value): &(&str, &str)| {
            let kind = RuleKind::from_rule_type(rule_type).unwrap();
            let (operator, action) = spelling(kind);
            let [rule_type, operator, value, action] = [*rule_type, operator, *value, action].map(str::to_owned);
            RuleSource { rule_type, operator, value, action }
        };
        let source = PolicySource {
            id: PolicyId(id),
            name: format!("policy {id}"),
            description: String::new(),
            policy_type: "COMPOSITE".to_owned(),
            priority,
            active,
            scope: PolicyScope::Assigned,
            agents: Vec::new(),
            rules: rules.iter().map(rule).collect(),
            approval: None,
            wallets: Vec::new(),
            timezone: None,
        };
        check(&source).unwrap()
    }

    /// An operator and an action that every rule type understands.
    fn spelling(kind: RuleKind) -> (&'static str, &'static str) {
        match kind {
            RuleKind::RequireApprovalAbove => ("GT", "REQUIRE_APPROVAL"),
            RuleKind::TimeWindow | RuleKind::DateRange | RuleKind::BlackoutPeriod => ("BETWEEN", "ALLOW"),
            RuleKind::TrustScore | RuleKind::FairscaleMinScore => ("GTE", "DENY"),
            RuleKind::Composite => ("AND", "DENY"),
            _ if value(kind).starts_with('[') => ("IN_LIST", "DENY"),
            _ => ("LTE", "DENY"),
        }
    }

    /// A value that the rule type understands.
    fn value(kind: RuleKind) -> &'static str {
        match kind {
            RuleKind::VelocityLimit | RuleKind::X402VelocityPerEndpoint | RuleKind::MppVelocityPerEndpoint => {
                r#"{"maxCount":10,"period":"HOUR"}"#
            }
            RuleKind::BudgetCap => r#"{"amount":7,"period":"MONTHLY"}"#,
            RuleKind::RollingLimit => r#"{"amount":7,"seconds":3600}"#,
            RuleKind::TimeWindow => r#"{"start":"09:00","end":"18:00"}"#,
            RuleKind::DateRange | RuleKind::BlackoutPeriod => r#"{"start":"2026-01-01","end":"2026-12-31"}"#,
            RuleKind::Expiration => "2026-12-31",
            RuleKind::DayOfWeek => r#"["Mon"]"#,
            RuleKind::GeographicRestriction => r#"["DE"]"#,
            RuleKind::CounterpartyStatus => r#"["TRUSTED"]"#,
            RuleKind::CardAllowedMccs | RuleKind::CardBlockedMccs => r#"["5411"]"#,
            RuleKind::Composite => r#"[{"field":"amount","operator":"GT","value":"7"}]"#,
            RuleKind::AllowedCounterparties
            | RuleKind::BlockedCounterparties
            | RuleKind::X402AllowedServices
            | RuleKind::MppAllowedServices
            | RuleKind::X402BlockedServices
            | RuleKind::MppBlockedServices
            | RuleKind::AllowedCategories
            | RuleKind::BlockedCategories
            | RuleKind::ContractAllowlist
            | RuleKind::MppBlockSessionIntent
            | RuleKind::MppAllowedMethods
            | RuleKind::CardAllowedMerchants
            | RuleKind::CardBlockedMerchants => r#"["a"]"#,
            _ => "7",
        }
    }

    /// Every rule type once, in the reverse of the order in which they run.
    fn one_of_each() -> Vec<(&'static str, &'static str)> {
        RuleKind::ALL.iter().rev().map(|kind| (kind.rule_type(), value(*kind))).collect()
    }

    fn caps(program: &Program) -> Vec<u64> {
        let cap = |rule: &Rule| if let Rule::MaxAmount { cap } = rule { cap.micros() / 1_000_000 } else { 0 };
        program.rules().iter().map(cap).collect()
    }

    #[test]
    fn rules_stand_in_the_order_of_their_kinds_and_of_the_enum() {
        let program = compile([(&policy(1, 50, true, &one_of_each()), 1)]);
        let kinds: Vec<RuleKind> = program.all_rules().map(Rule::kind).collect();
        assert!(RuleKind::ALL.iter().eq(&kinds), "{kinds:?}");
        let variants: Vec<usize> = program.all_rules().map(variant).collect();
        assert!(variants.is_sorted(), "{variants:?}");
    }

    fn variant(rule: &Rule) -> usize {
        match rule {
            Rule::MaxAmount { .. } => 0,
            Rule::MaxPerRequest { .. } => 1,
            Rule::PriceCeiling { .. } => 2,
            Rule::CardMaxAmount { .. } => 3,
            Rule::AllowedCounterparties(_) => 4,
            Rule::BlockedCounterparties(_) => 5,
            Rule::AllowedServices { .. } => 6,
            Rule::BlockedServices { .. } => 7,
            Rule::Circumstance(_) => 8,
            Rule::SessionBudget { .. } => 9,
            Rule::SessionDeposit { .. } => 10,
            Rule::ConcurrentSessions { .. } => 11,
            Rule::SessionDuration { .. } => 12,
            Rule::WindowLimit { .. } => 13,
            Rule::RollingLimit { .. } => 14,
            Rule::BudgetCap { .. } => 15,
            Rule::MaxPerService { .. } => 16,
            Rule::MaxPerEndpoint { .. } => 17,
            Rule::Velocity { .. } => 18,
            Rule::VelocityPerEndpoint { .. } => 19,
            Rule::OnWallets { .. } => 20,
            Rule::ApprovalAbove { .. } => 21,
        }
    }

    #[test]
    fn higher_priority_comes_first_then_the_id_then_the_order_as_written() {
        let low = policy(1, 10, true, &[("MAX_AMOUNT", "1")]);
        let second = policy(3, 90, true, &[("MAX_AMOUNT", "5"), ("MAX_AMOUNT", "4")]);
        let first = policy(2, 90, true, &[("MAX_AMOUNT", "3"), ("MAX_AMOUNT", "2")]);
        let inputs = [(&low, 7), (&second, 8), (&first, 9)];
        let expected = compile(inputs);
        assert_eq!(caps(&expected), [3, 2, 5, 4, 1]);
        assert_eq!(expected.policies(), [(PolicyId(2), 9), (PolicyId(3), 8), (PolicyId(1), 7)]);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(compile(order.map(|index| inputs[index])), expected);
        }
    }

    #[test]
    fn only_rules_that_are_equal_in_every_respect_are_merged() {
        let check = |rules: &[(&str, &str)], expected: usize| {
            let program = compile([(&policy(1, 50, true, rules), 1)]);
            assert_eq!(program.rules().len(), expected, "{rules:?}");
            let (first, second) = rules.split_at(1);
            let apart = [policy(1, 50, true, first), policy(2, 60, true, second)];
            assert_eq!(compile(apart.iter().map(|policy| (policy, 1))).rules().len(), expected, "{rules:?}");
        };
        check(&[("DAILY_LIMIT", "500"), ("DAILY_LIMIT", "500.00")], 1);
        check(&[("DAILY_LIMIT", "500"), ("DAILY_LIMIT", "300"), ("DAILY_LIMIT", "500")], 2);
        check(&[("DAILY_LIMIT", "500"), ("WEEKLY_LIMIT", "500")], 2);
        check(&[("X402_MAX_PER_REQUEST", "1"), ("X402_PRICE_CEILING", "1")], 2);
        check(&[("X402_PRICE_CEILING", "1"), ("MPP_PRICE_CEILING", "1")], 2);
        check(&[("BLOCKED_COUNTERPARTIES", "a,b"), ("BLOCKED_COUNTERPARTIES", r#"["b","a"]"#)], 1);
        check(&[("BLOCKED_COUNTERPARTIES", "a,b"), ("BLOCKED_COUNTERPARTIES", "a")], 2);
        check(&[("X402_MAX_PER_SERVICE", "1"), ("X402_MAX_PER_SERVICE", r#"{"amount":1,"period":"DAY"}"#)], 2);
    }

    #[test]
    fn policies_that_are_not_active_contribute_nothing() {
        let inactive = policy(1, 90, false, &one_of_each());
        assert_eq!(compile([(&inactive, 1)]), compile([]));
        assert!(!compile([]).denies_all());
        assert!(compile([]).policies().is_empty());
    }

    #[test]
    fn denying_all_is_not_the_same_as_having_no_rules() {
        assert!(Program::deny_all().denies_all());
        assert_ne!(Program::deny_all(), compile([]));
    }

    #[test]
    fn the_smallest_limits_are_known() {
        let check = |rules: &[(&str, &str)], amount: Option<u32>, count: Option<u32>, seconds: Option<u64>| {
            let program = compile([(&policy(1, 50, true, rules), 1)]);
            assert_eq!(program.smallest_amount_limit(), amount.map(Amount::from_units), "{rules:?}");
            assert_eq!(program.smallest_count_limit(), count, "{rules:?}");
            assert_eq!(program.session_duration_max(), seconds.map(Duration::from_secs), "{rules:?}");
        };
        let hourly = r#"{"maxCount":9,"period":"HOUR"}"#;
        let daily = r#"{"maxCount":5,"period":"DAY"}"#;
        check(&[], None, None, None);
        check(&[("MAX_AMOUNT", "1"), ("X402_PRICE_CEILING", "1"), ("MPP_MAX_PER_REQUEST", "1")], None, None, None);
        check(&[("MPP_MAX_CONCURRENT_SESSIONS", "1")], None, None, None);
        check(&[("DAILY_LIMIT", "9"), ("MONTHLY_LIMIT", "4")], Some(4), None, None);
        check(&[("DAILY_LIMIT", "9"), ("X402_SESSION_BUDGET", "3")], Some(3), None, None);
        check(&[("WEEKLY_LIMIT", "9"), ("MPP_SESSION_BUDGET", "0")], Some(0), None, None);
        check(&[("DAILY_LIMIT", "9"), ("X402_MAX_PER_SERVICE", "2")], Some(2), None, None);
        check(&[("VELOCITY_LIMIT", hourly), ("VELOCITY_LIMIT", daily)], None, Some(5), None);
        check(&[("MPP_MAX_SESSION_DURATION", "60"), ("MPP_MAX_SESSION_DURATION", "50")], None, None, Some(50));
    }

    #[test]
    fn the_periods_of_velocity_rules_are_known() {
        let rules = [
            ("VELOCITY_LIMIT", r#"{"maxCount":9,"period":"MONTH"}"#),
            ("VELOCITY_LIMIT", r#"{"maxCount":1,"period":"MINUTE"}"#),
        ];
        let periods = compile([(&policy(1, 50, true, &rules), 1)]).velocity_periods();
        assert_eq!(periods.iter().collect::<Vec<_>>(), [Period::Minute, Period::Month]);
        assert!(periods.contains(Period::Month));
        assert!(!periods.contains(Period::Hour));
        assert!(!periods.is_empty());
        assert!(compile([]).velocity_periods().is_empty());
    }
}
