//! How do the words of the domain look in the OpenAPI document? Each is described once, by its type, so that whoever describes a body names
//! the types of its members. Bodies are described beside their readers and printers.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, SchemaType, Type},
    },
};

use crate::{
    kernel::anomaly::{Group, Threshold, Unit},
    kernel::{
        AgentId, AlertId, Amount, ApprovalRequestId, AuthorizationId, BudgetRequestId, CounterpartyId, KeyId, PolicyId,
        Timestamp, WebhookId,
    },
    wire::ErrorCode,
};

use super::{
    Money,
    authorize::MeasureBody,
    watching::{AlertConfig, FreezeConfig, number_of},
};

/// Digits, a point, and at most six digits more.
const DECIMAL_PATTERN: &str = r"^[0-9]{1,12}(\.[0-9]{1,6})?$";

macro_rules! described {
    ($($of:ty, $name:literal, $schema:expr;)*) => {
        $(
            impl PartialSchema for $of {
                fn schema() -> RefOr<Schema> {
                    $schema
                }
            }

            impl ToSchema for $of {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }
            }
        )*
    };
}

described! {
    Amount, "Amount", amount();
    Money, "Money", number("An amount in whole currency units, printed exactly; at most 6 digits after the point.");
    Timestamp, "Timestamp", timestamp();
    AgentId, "AgentId", id("An agent's id.", "agt_", 32);
    AuthorizationId, "AuthorizationId", id("A hold's id.", "auth_", 32);
    ApprovalRequestId, "ApprovalRequestId", id("What people are asked about a payment.", "apr_", 32);
    BudgetRequestId, "BudgetRequestId", id("A budget request's id.", "bud_", 32);
    AlertId, "AlertId", id("An alert's id.", "alt_", 32);
    FreezeConfig, "FreezeConfig", thresholds(Group::Freeze, "What freezes an agent whose `autoFreezeEnabled` is set.");
    AlertConfig, "AlertConfig", thresholds(Group::Alert, "What is worth an alert.");
    CounterpartyId, "CounterpartyId", id("A counterparty's id.", "cp_", 32);
    PolicyId, "PolicyId", id("A policy's id.", "pol_", 32);
    WebhookId, "WebhookId", id("A webhook's id.", "whk_", 32);
    KeyId, "KeyId", id("A key's id, which says nothing about its secret.", "key_", 16);
    MeasureBody, "Measure", measure();
    ErrorCode, "ErrorCode", error_code();
    Anything, "Anything", RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()));
}

/// Any JSON value.
#[derive(Clone, Copy, Debug)]
pub struct Anything;

/// An amount that is read: a number or its decimal text, both exactly.
fn amount() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(DECIMAL_PATTERN));
    let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0));
    let either = OneOfBuilder::new().item(number).item(text);
    let description =
        "An amount in whole currency units: a number, or its decimal text; at most 6 digits after the point.";
    RefOr::T(Schema::OneOf(either.description(Some(description)).examples([json!(0.05), json!("0.05")]).build()))
}

fn number(description: &str) -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0));
    RefOr::T(Schema::Object(number.description(Some(description)).build()))
}

fn measure() -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Number, Type::Null])).minimum(Some(0));
    let description = "Money as a decimal, counts and seconds as whole numbers; `null` for what has no number.";
    RefOr::T(Schema::Object(number.description(Some(description)).build()))
}

fn timestamp() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let text = text.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    RefOr::T(Schema::Object(text.description(Some("An instant in UTC.")).build()))
}

fn id(description: &str, prefix: &str, digits: usize) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let example = Value::from(format!("{prefix}{:0digits$x}", 0x19a_b3c4_d5e6_u64));
    RefOr::T(Schema::Object(text.pattern(Some(format!("^{prefix}[0-9a-f]{{{digits}}}$"))).examples([example]).build()))
}

/// A number for each threshold of a group; 0 switches its detector off.
fn thresholds(group: Group, description: &str) -> RefOr<Schema> {
    let of_group = Threshold::ALL.into_iter().filter(|threshold| threshold.group() == group);
    let object = of_group.fold(ObjectBuilder::new().schema_type(Type::Object), |object, threshold| {
        let kind = if matches!(threshold.unit(), Unit::Count | Unit::Percent | Unit::Seconds) {
            Type::Integer
        } else {
            Type::Number
        };
        let decimal = |value| serde_json::from_str::<serde_json::Number>(&number_of(threshold, value)).ok();
        let number = ObjectBuilder::new()
            .schema_type(kind)
            .minimum(Some(0))
            .default(decimal(threshold.default_value()).map(Value::Number));
        let number = match decimal(threshold.maximum()) {
            Some(maximum) => number.maximum(maximum.as_f64()),
            None => number,
        };
        object.property(threshold.word(), number)
    });
    RefOr::T(Schema::Object(object.description(Some(format!("{description} 0 switches a detector off."))).build()))
}

fn error_code() -> RefOr<Schema> {
    let words = ErrorCode::ALL.iter().map(|code| code.text());
    let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    RefOr::T(Schema::Object(text.description(Some("Why a request was not carried out.")).build()))
}
