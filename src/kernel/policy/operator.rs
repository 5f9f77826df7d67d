//! Which operator says what with which action, for which rule.

use super::RuleKind;

/// What an operator and an action say together.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Cap,
    AllowList,
    BlockList,
}

impl Shape {
    /// The shape of a rule type.
    pub(super) const fn of(kind: RuleKind) -> Shape {
        match kind {
            RuleKind::AllowedCounterparties | RuleKind::X402AllowedServices | RuleKind::MppAllowedServices => {
                Shape::AllowList
            }
            RuleKind::BlockedCounterparties | RuleKind::X402BlockedServices | RuleKind::MppBlockedServices => {
                Shape::BlockList
            }
            RuleKind::MaxAmount
            | RuleKind::X402MaxPerRequest
            | RuleKind::MppMaxPerRequest
            | RuleKind::X402PriceCeiling
            | RuleKind::MppPriceCeiling
            | RuleKind::X402SessionBudget
            | RuleKind::MppSessionBudget
            | RuleKind::MppMaxConcurrentSessions
            | RuleKind::MppMaxSessionDuration
            | RuleKind::DailyLimit
            | RuleKind::WeeklyLimit
            | RuleKind::MonthlyLimit
            | RuleKind::X402MaxPerService
            | RuleKind::VelocityLimit => Shape::Cap,
        }
    }

    /// Whether the combination has one clear meaning. "Deny what is greater" is the cap written the other way round, and
    /// so is "deny what is not in the list" for a list of what is allowed. `LESS_THAN` is used for the same caps as `LTE`.
    pub(super) fn understands(self, operator: Operator, action: Action) -> bool {
        match (self, operator, action) {
            (Shape::Cap, Operator::LessOrEqual | Operator::Less, Action::Allow | Action::Deny)
            | (Shape::Cap, Operator::Greater, Action::Deny)
            | (Shape::AllowList | Shape::BlockList, Operator::InList, Action::Allow | Action::Deny)
            | (Shape::AllowList, Operator::NotInList, Action::Deny)
            | (Shape::BlockList, Operator::NotInList, Action::Allow) => true,
            (Shape::Cap | Shape::AllowList | Shape::BlockList, _, _) => false,
        }
    }

    /// Completes "expected …".
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Shape::Cap => "`LTE` with `ALLOW` or `DENY`, or `GT` with `DENY`",
            Shape::AllowList => "`IN_LIST` with `ALLOW` or `DENY`, or `NOT_IN_LIST` with `DENY`",
            Shape::BlockList => "`IN_LIST` with `ALLOW` or `DENY`, or `NOT_IN_LIST` with `ALLOW`",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Action {
    Allow,
    Deny,
}

impl Action {
    pub(super) fn parse(word: &str) -> Option<Action> {
        match word.trim() {
            "ALLOW" => Some(Action::Allow),
            "DENY" => Some(Action::Deny),
            _ => None,
        }
    }
}

/// All comparisons of the language, so that one which does not fit a rule is told apart from one that does not exist.
#[derive(Clone, Copy)]
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
}

const OPERATOR_WORDS: [(&str, Operator); 19] = [
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
    ("IN_LIST", Operator::InList),
    ("IN", Operator::InList),
    ("NOT_IN_LIST", Operator::NotInList),
    ("NOT_IN", Operator::NotInList),
    ("BETWEEN", Operator::Between),
    ("EQUALS", Operator::Equal),
    ("EQ", Operator::Equal),
    ("NOT_EQUALS", Operator::NotEqual),
    ("NEQ", Operator::NotEqual),
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
