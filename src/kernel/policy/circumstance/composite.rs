//! Conditions that operators put together: all of these, or one of these. In a condition an operator means exactly what it says.

use super::{
    Condition,
    comparison::Comparison,
    read::{date_range, days, score, standings, texts, time_window},
};
use crate::kernel::{
    Fact, Protocol,
    policy::{PolicyError, RuleKind, operator::Operator, value::Value},
};

/// How deep conditions may stand within one another.
pub const COMPOSITE_DEPTH_MAX: usize = 4;
/// The most conditions of one rule, those that hold others together included.
pub const COMPOSITE_CONDITIONS_MAX: usize = 64;

const EXPECTED: &str = r#"`{"field":"amount","operator":"GT","value":"100"}`, or `{"operator":"OR","conditions":[…]}`"#;

/// What a condition looks at.
#[derive(Clone, Copy)]
enum Field {
    Amount,
    Protocol,
    Recipient,
    Service,
    Score(Fact),
    Text(Fact),
    Status,
    Merchant,
    Time,
    DayOfWeek,
    Date,
}

const FIELDS: [(&str, Field); 18] = [
    ("amount", Field::Amount),
    ("protocol", Field::Protocol),
    ("recipient", Field::Recipient),
    ("service", Field::Service),
    ("category", Field::Text(Fact::Category)),
    ("country", Field::Text(Fact::Country)),
    ("trustScore", Field::Score(Fact::TrustScore)),
    ("fairscaleScore", Field::Score(Fact::FairscaleScore)),
    ("counterpartyStatus", Field::Status),
    ("contractProtocol", Field::Text(Fact::ContractProtocol)),
    ("method", Field::Text(Fact::Method)),
    ("sessionIntent", Field::Text(Fact::SessionIntent)),
    ("merchantCategory", Field::Text(Fact::MerchantCategoryCode)),
    ("mcc", Field::Text(Fact::MerchantCategoryCode)),
    ("merchant", Field::Merchant),
    ("time", Field::Time),
    ("dayOfWeek", Field::DayOfWeek),
    ("date", Field::Date),
];

/// The conditions of a rule: a list, with the rule's operator saying how they are joined; or an object that says so itself.
pub(super) fn read(operator: Operator, value: &Value<'_>) -> Result<Condition, PolicyError> {
    let mut count = 0;
    if !value.is_object() {
        return joined(operator, value, 1, &mut count);
    }
    let mut members = value.object(r#"a list of conditions, or `{"operator":"AND","conditions":[…]}`"#)?;
    let conditions = members.required("conditions")?;
    let operator = match members.optional("operator") {
        Some(written) => {
            let stated = join_word(&written)?;
            if operator != Operator::Equal && operator != stated {
                return Err(written.invalid("the operator of the rule"));
            }
            stated
        }
        None => operator,
    };
    members.finish()?;
    joined(operator, &conditions, 1, &mut count)
}

fn joined(operator: Operator, list: &Value<'_>, depth: usize, count: &mut usize) -> Result<Condition, PolicyError> {
    if depth > COMPOSITE_DEPTH_MAX {
        return Err(list.invalid(&format!("conditions that stand at most {COMPOSITE_DEPTH_MAX} deep")));
    }
    let items = list.items("a list of conditions, not empty", COMPOSITE_CONDITIONS_MAX)?;
    *count += 1 + items.len();
    PolicyError::at_most(list.place(), *count, COMPOSITE_CONDITIONS_MAX, "conditions")?;
    let conditions = items.iter().map(|item| condition(item, depth, count));
    let conditions: Box<[Condition]> = conditions.collect::<Result<_, _>>()?;
    match (operator, conditions.is_empty()) {
        (Operator::And, false) => Ok(Condition::All(conditions)),
        (Operator::Or, false) => Ok(Condition::Any(conditions)),
        (_, true) => Err(list.invalid("a list of conditions, not empty")),
        (_, false) => Err(list.invalid("`AND` or `OR` as the operator that joins the conditions")),
    }
}

fn condition(value: &Value<'_>, depth: usize, count: &mut usize) -> Result<Condition, PolicyError> {
    let mut members = value.object(EXPECTED)?;
    let operator = members.required("operator")?;
    if let Some(conditions) = members.optional("conditions") {
        members.finish()?;
        return joined(join_word(&operator)?, &conditions, depth + 1, count);
    }
    let field = match (members.optional("field"), members.optional("ruleType")) {
        (Some(field), None) => named(&field)?,
        (None, Some(rule_type)) => of_rule_type(&rule_type)?,
        (Some(_), Some(_)) | (None, None) => return Err(value.invalid(EXPECTED)),
    };
    let operand = members.required("value")?;
    members.finish()?;
    let word = operator.plain_text("an operator such as `GT`")?;
    let parsed = Operator::parse(&word);
    let parsed = parsed.ok_or_else(|| operator.unsupported(&word, "an operator such as `GT`", Operator::words()))?;
    leaf(field, parsed, &operand).unwrap_or_else(|| Err(operator.invalid(expected_operators(field))))
}

fn join_word(value: &Value<'_>) -> Result<Operator, PolicyError> {
    const EXPECTED: &str = "`AND` or `OR`";
    let operator = Operator::parse(&value.plain_text(EXPECTED)?);
    operator.filter(|word| matches!(word, Operator::And | Operator::Or)).ok_or_else(|| value.invalid(EXPECTED))
}

fn named(value: &Value<'_>) -> Result<Field, PolicyError> {
    let word = value.plain_text("a field such as `amount`")?;
    let known = FIELDS.iter().find(|(name, _)| *name == word).map(|(_, field)| *field);
    known.ok_or_else(|| value.unsupported(&word, "a field such as `amount`", FIELDS.iter().map(|(name, _)| *name)))
}

/// What a rule type looks at. Only that is taken of it: whether the rule type allows or blocks says the rule around the condition.
fn of_rule_type(value: &Value<'_>) -> Result<Field, PolicyError> {
    const EXPECTED: &str = "a rule type that looks at the payment by itself, such as `MAX_AMOUNT`";
    let word = value.plain_text(EXPECTED)?;
    let field = match RuleKind::from_rule_type(word.trim()) {
        Some(RuleKind::MaxAmount) => Some(Field::Amount),
        Some(RuleKind::AllowedCounterparties | RuleKind::BlockedCounterparties) => Some(Field::Recipient),
        Some(
            RuleKind::X402AllowedServices
            | RuleKind::X402BlockedServices
            | RuleKind::MppAllowedServices
            | RuleKind::MppBlockedServices,
        ) => Some(Field::Service),
        Some(RuleKind::AllowedCategories | RuleKind::BlockedCategories) => Some(Field::Text(Fact::Category)),
        Some(RuleKind::GeographicRestriction) => Some(Field::Text(Fact::Country)),
        Some(RuleKind::TrustScore) => Some(Field::Score(Fact::TrustScore)),
        Some(RuleKind::FairscaleMinScore) => Some(Field::Score(Fact::FairscaleScore)),
        Some(RuleKind::CounterpartyStatus) => Some(Field::Status),
        Some(RuleKind::MppAllowedMethods) => Some(Field::Text(Fact::Method)),
        Some(RuleKind::MppBlockSessionIntent) => Some(Field::Text(Fact::SessionIntent)),
        Some(RuleKind::CardAllowedMccs | RuleKind::CardBlockedMccs) => Some(Field::Text(Fact::MerchantCategoryCode)),
        Some(RuleKind::CardAllowedMerchants | RuleKind::CardBlockedMerchants) => Some(Field::Merchant),
        Some(RuleKind::TimeWindow) => Some(Field::Time),
        Some(RuleKind::DayOfWeek) => Some(Field::DayOfWeek),
        Some(RuleKind::DateRange) => Some(Field::Date),
        Some(_) | None => None,
    };
    field.ok_or_else(|| value.invalid(EXPECTED))
}

/// `None` where the operator says nothing about such a field.
fn leaf(field: Field, operator: Operator, operand: &Value<'_>) -> Option<Result<Condition, PolicyError>> {
    match field {
        Field::Amount => comparison(operator, operand, |value| value.amount()).map(|read| read.map(Condition::Amount)),
        Field::Score(fact) => comparison(operator, operand, |value| score(fact, value))
            .map(|read| read.map(|comparison| Condition::Score(fact, comparison))),
        Field::Time | Field::Date => (operator == Operator::Between).then(|| match field {
            Field::Time => time_window(operand),
            _ => date_range(operand),
        }),
        Field::Protocol
        | Field::Recipient
        | Field::Service
        | Field::Text(_)
        | Field::Status
        | Field::Merchant
        | Field::DayOfWeek => {
            let listed = match operator {
                Operator::InList | Operator::Equal => true,
                Operator::NotInList | Operator::NotEqual => false,
                Operator::Greater
                | Operator::GreaterOrEqual
                | Operator::Less
                | Operator::LessOrEqual
                | Operator::Between
                | Operator::And
                | Operator::Or => return None,
            };
            let negated = |condition: Condition| if listed { condition } else { Condition::Not(Box::new(condition)) };
            Some(list(field, operand).map(negated))
        }
    }
}

fn list(field: Field, operand: &Value<'_>) -> Result<Condition, PolicyError> {
    match field {
        Field::Recipient => operand.recipients().map(Condition::Recipient),
        Field::Service => operand.services().map(Condition::Service),
        Field::Text(fact) => texts(fact, operand).map(|names| Condition::Text(fact, names)),
        Field::Status => standings(operand),
        Field::Merchant => texts(Fact::Merchant, operand).map(Condition::Merchant),
        Field::DayOfWeek => days(operand),
        Field::Protocol | Field::Amount | Field::Score(_) | Field::Time | Field::Date => {
            let protocols: Vec<Condition> = operand.collect(protocol)?;
            Ok(Condition::Any(protocols.into()))
        }
    }
}

fn protocol(entry: &str) -> Result<Condition, String> {
    let protocol = match entry.trim().to_ascii_lowercase().as_str() {
        "payment" => Some(Protocol::Payment),
        "x402" => Some(Protocol::X402),
        "mpp" => Some(Protocol::Mpp),
        "card" => Some(Protocol::Card),
        _ => None,
    };
    protocol.map(Condition::Protocol).ok_or_else(|| "`payment`, `x402`, `mpp` or `card`".to_owned())
}

fn comparison<T>(
    operator: Operator,
    operand: &Value<'_>,
    read: impl Fn(&Value<'_>) -> Result<T, PolicyError>,
) -> Option<Result<Comparison<T>, PolicyError>> {
    let one = |make: fn(T) -> Comparison<T>| Some(read(operand).map(make));
    match operator {
        Operator::Equal => one(Comparison::Equal),
        Operator::NotEqual => one(Comparison::NotEqual),
        Operator::Greater => one(Comparison::Greater),
        Operator::GreaterOrEqual => one(Comparison::GreaterOrEqual),
        Operator::Less => one(Comparison::Less),
        Operator::LessOrEqual => one(Comparison::LessOrEqual),
        Operator::Between => Some(operand.items(r#"two values such as `["10","20"]`"#, 2).and_then(|items| {
            let [least, most] = items.as_slice() else {
                return Err(operand.invalid(r#"two values such as `["10","20"]`"#));
            };
            Ok(Comparison::Between(read(least)?, read(most)?))
        })),
        Operator::InList | Operator::NotInList | Operator::And | Operator::Or => None,
    }
}

fn expected_operators(field: Field) -> &'static str {
    match field {
        Field::Amount | Field::Score(_) => "`EQ`, `NEQ`, `GT`, `GTE`, `LT`, `LTE` or `BETWEEN`",
        Field::Time | Field::Date => "`BETWEEN`",
        Field::Protocol
        | Field::Recipient
        | Field::Service
        | Field::Text(_)
        | Field::Status
        | Field::Merchant
        | Field::DayOfWeek => "`IN_LIST`, `NOT_IN_LIST`, `EQ` or `NEQ`",
    }
}
