//! Which operator says what with which action, for which rule.

use super::RuleKind;

/// What an operator and an action say together.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// No more than this.
    Cap,
    /// At least this.
    Floor,
    /// Only these.
    AllowList,
    /// None of these.
    BlockList,
    /// A list of which the action says what it is for.
    Listed,
    /// Only within this.
    Range,
    /// Not within this.
    Gap,
    /// What is put together of conditions.
    Conditions,
    /// More than this needs a human.
    Threshold,
}

impl Shape {
    /// The shape of a rule type.
    pub(super) const fn of(kind: RuleKind) -> Shape {
        match kind {
            RuleKind::AllowedCounterparties
            | RuleKind::X402AllowedServices
            | RuleKind::MppAllowedServices
            | RuleKind::AllowedCategories
            | RuleKind::ContractAllowlist
            | RuleKind::MppAllowedMethods
            | RuleKind::CardAllowedMccs
            | RuleKind::CardAllowedMerchants => Shape::AllowList,
            RuleKind::BlockedCounterparties
            | RuleKind::X402BlockedServices
            | RuleKind::MppBlockedServices
            | RuleKind::BlockedCategories
            | RuleKind::MppBlockSessionIntent
            | RuleKind::CardBlockedMccs
            | RuleKind::CardBlockedMerchants => Shape::BlockList,
            RuleKind::GeographicRestriction | RuleKind::CounterpartyStatus | RuleKind::DayOfWeek => Shape::Listed,
            RuleKind::TimeWindow | RuleKind::DateRange => Shape::Range,
            RuleKind::BlackoutPeriod => Shape::Gap,
            RuleKind::TrustScore | RuleKind::FairscaleMinScore => Shape::Floor,
            RuleKind::Composite => Shape::Conditions,
            RuleKind::RequireApprovalAbove => Shape::Threshold,
            RuleKind::MaxAmount
            | RuleKind::X402MaxPerRequest
            | RuleKind::MppMaxPerRequest
            | RuleKind::X402PriceCeiling
            | RuleKind::MppPriceCeiling
            | RuleKind::CardMaxAmount
            | RuleKind::Expiration
            | RuleKind::X402SessionBudget
            | RuleKind::MppSessionBudget
            | RuleKind::MppMaxSessionDeposit
            | RuleKind::MppMaxConcurrentSessions
            | RuleKind::MppMaxSessionDuration
            | RuleKind::DailyLimit
            | RuleKind::WeeklyLimit
            | RuleKind::MonthlyLimit
            | RuleKind::RollingLimit
            | RuleKind::BudgetCap
            | RuleKind::X402MaxPerService
            | RuleKind::MppMaxPerService
            | RuleKind::X402MaxPerEndpoint
            | RuleKind::MppMaxPerEndpoint
            | RuleKind::VelocityLimit
            | RuleKind::X402VelocityPerEndpoint
            | RuleKind::MppVelocityPerEndpoint => Shape::Cap,
        }
    }

    /// What the combination says, where it has one clear meaning. "Deny what is greater" is the cap written the other way round, and
    /// so is "deny what is not in the list" for a list of what is allowed. `LESS_THAN` is used for the same caps as `LTE`.
    pub(super) fn meaning(self, operator: Operator, action: Action) -> Option<Meaning> {
        use Operator::{Between, Equal, Greater, GreaterOrEqual, InList, Less, LessOrEqual, NotEqual, NotInList};
        let forbids = action != Action::Allow;
        match (self, operator) {
            (Shape::Cap, LessOrEqual | Less) | (Shape::Floor, GreaterOrEqual) => Some(Meaning::AsNamed),
            (Shape::Cap, Greater) | (Shape::Floor, Less) if forbids => Some(Meaning::AsNamed),
            (Shape::Floor, Greater) if !forbids => Some(Meaning::Beyond),
            (Shape::Floor, LessOrEqual) if forbids => Some(Meaning::Beyond),
            (Shape::AllowList | Shape::BlockList, InList | Equal) => Some(Meaning::AsNamed),
            (Shape::AllowList, NotInList | NotEqual) if forbids => Some(Meaning::AsNamed),
            (Shape::BlockList, NotInList | NotEqual) if !forbids => Some(Meaning::AsNamed),
            (Shape::Listed, InList | Equal) => Some(if forbids { Meaning::NoneOf } else { Meaning::OnlyThese }),
            (Shape::Listed, NotInList | NotEqual) => Some(if forbids { Meaning::OnlyThese } else { Meaning::NoneOf }),
            (Shape::Range, Between) if action != Action::Deny => Some(Meaning::AsNamed),
            (Shape::Gap, Between | InList) => Some(Meaning::AsNamed),
            (Shape::Conditions, Operator::And | Operator::Or | Equal) => {
                Some(if forbids { Meaning::NoneOf } else { Meaning::OnlyThese })
            }
            (Shape::Threshold, Greater) if action == Action::RequireApproval => Some(Meaning::AsNamed),
            (
                Shape::Cap
                | Shape::Floor
                | Shape::AllowList
                | Shape::BlockList
                | Shape::Listed
                | Shape::Range
                | Shape::Gap
                | Shape::Conditions
                | Shape::Threshold,
                _,
            ) => None,
        }
    }

    /// Completes "expected …".
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Shape::Cap => "`LTE` with any action, or `GT` with `DENY` or `REQUIRE_APPROVAL`",
            Shape::Floor => "`GTE` with any action, or `LT` with `DENY` or `REQUIRE_APPROVAL`",
            Shape::AllowList => "`IN_LIST` with any action, or `NOT_IN_LIST` with `DENY` or `REQUIRE_APPROVAL`",
            Shape::BlockList => "`IN_LIST` with any action, or `NOT_IN_LIST` with `ALLOW`",
            Shape::Listed => "`IN_LIST` or `NOT_IN_LIST` with any action",
            Shape::Range => {
                "`BETWEEN` with `ALLOW` or `REQUIRE_APPROVAL`; what must not happen at a time is a `BLACKOUT_PERIOD`"
            }
            Shape::Gap => "`BETWEEN` with any action",
            Shape::Conditions => "`AND`, `OR` or `EQUALS` with any action",
            Shape::Threshold => "`GT` with `REQUIRE_APPROVAL`",
        }
    }
}

/// What a rule's operator and action make of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What the name of the rule type says.
    AsNamed,
    /// More than the value, not the value itself.
    Beyond,
    /// Only what the value describes passes.
    OnlyThese,
    /// What the value describes does not pass.
    NoneOf,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Let pass what the rule describes, and nothing else.
    Allow,
    /// Deny what breaks the rule.
    Deny,
    /// Ask a human about what breaks the rule.
    RequireApproval,
}

impl Action {
    pub(super) fn parse(word: &str) -> Option<Action> {
        match word.trim() {
            "ALLOW" => Some(Action::Allow),
            "DENY" => Some(Action::Deny),
            "REQUIRE_APPROVAL" => Some(Action::RequireApproval),
            _ => None,
        }
    }
}

/// All comparisons of the language, so that one which does not fit a rule is told apart from one that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    InList,
    NotInList,
    Between,
    And,
    Or,
}

const OPERATOR_WORDS: [(&str, Operator); 29] = [
    ("LTE", Operator::LessOrEqual),
    ("<=", Operator::LessOrEqual),
    ("LT", Operator::Less),
    ("<", Operator::Less),
    ("LESS_THAN", Operator::Less),
    ("GT", Operator::Greater),
    (">", Operator::Greater),
    ("GREATER_THAN", Operator::Greater),
    ("GTE", Operator::GreaterOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("GREATER_THAN_OR_EQUAL", Operator::GreaterOrEqual),
    ("LESS_THAN_OR_EQUAL", Operator::LessOrEqual),
    ("IN_LIST", Operator::InList),
    ("IN", Operator::InList),
    ("NOT_IN_LIST", Operator::NotInList),
    ("NOT_IN", Operator::NotInList),
    ("BETWEEN", Operator::Between),
    ("EQUALS", Operator::Equal),
    ("EQ", Operator::Equal),
    ("NOT_EQUALS", Operator::NotEqual),
    ("NEQ", Operator::NotEqual),
    ("EQUAL", Operator::Equal),
    ("==", Operator::Equal),
    ("=", Operator::Equal),
    ("NE", Operator::NotEqual),
    ("!=", Operator::NotEqual),
    ("NOT_EQUAL", Operator::NotEqual),
    ("AND", Operator::And),
    ("OR", Operator::Or),
];

impl Operator {
    /// Reads `IN_LIST` and `in list` alike.
    pub(super) fn parse(text: &str) -> Option<Operator> {
        let word = text.trim().to_ascii_uppercase().replace(' ', "_");
        OPERATOR_WORDS.iter().find(|(known, _)| *known == word).map(|(_, operator)| *operator)
    }

    /// Every word for an operator.
    pub(super) fn words() -> impl Iterator<Item = &'static str> {
        OPERATOR_WORDS.iter().map(|(word, _)| *word)
    }
}
