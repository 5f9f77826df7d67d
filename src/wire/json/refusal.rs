//! The one shape of every refusal: `{"error": {"code", "message", "field"?, "expected"?, "retryable"}}`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{Failure, policy::PolicyError},
    wire::ErrorCode,
};

/// Why a request was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    message: String,
    field: Option<String>,
    expected: Option<String>,
}

impl Refusal {
    /// A refusal of the request as a whole.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), field: None, expected: None }
    }

    /// A field that is not what was `expected`; `found` completes "`field` …".
    #[must_use]
    pub fn of_field(code: ErrorCode, field: impl Into<String>, found: &str, expected: impl Into<String>) -> Refusal {
        let (field, expected) = (field.into(), expected.into());
        let message = format!("`{field}` {found}; expected {expected}");
        Refusal { code, message, field: Some(field), expected: Some(expected) }
    }

    /// A field of the wrong shape.
    #[must_use]
    pub fn invalid(field: impl Into<String>, found: &str, expected: impl Into<String>) -> Refusal {
        Refusal::of_field(ErrorCode::ValidationError, field, found, expected)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The field that is wrong, where it is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What was expected of the field.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// What to tell a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The object inside `error`.
    #[must_use]
    pub fn detail(&self) -> RefusalDetail<'_> {
        RefusalDetail {
            code: self.code.text(),
            message: &self.message,
            field: self.field.as_deref(),
            expected: self.expected.as_deref(),
            retryable: self.code.retry_after_ms().is_some(),
        }
    }

    /// The whole body.
    #[must_use]
    pub fn body(&self) -> RefusalBody<'_> {
        RefusalBody { error: self.detail() }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        let code = ErrorCode::from(&failure);
        let message = failure.to_string();
        match failure {
            Failure::Invalid { field, expected } => {
                Refusal { code, message, field: Some(field.to_owned()), expected: Some(expected.to_owned()) }
            }
            Failure::Policy(error) => of_policy(code, &message, &error),
            Failure::UnknownAgent
            | Failure::UnknownAuthorization
            | Failure::UnknownSession
            | Failure::UnknownKey
            | Failure::UnknownAlert
            | Failure::UnknownCounterparty
            | Failure::NoSanctions
            | Failure::UnknownPolicy
            | Failure::UnknownWebhook
            | Failure::UnknownBudgetRequest
            | Failure::UnknownApprovalRequest
            | Failure::NotAnApprover
            | Failure::ApprovalRequestOver(_)
            | Failure::AgentStopped
            | Failure::PayeeStopped
            | Failure::AwaitsApproval
            | Failure::BudgetRequestExists
            | Failure::BudgetRequestOver(_)
            | Failure::IdReused
            | Failure::AuthorizationOver(_)
            | Failure::Capacity { .. } => Refusal::new(code, message),
        }
    }
}

/// Policies in files and in JSON have the same fields in two spellings; whoever sent JSON is told the JSON one.
fn of_policy(code: ErrorCode, message: &str, error: &PolicyError) -> Refusal {
    let field = camel_case(error.place());
    let expected = match error {
        PolicyError::Unsupported { expected, .. } | PolicyError::Invalid { expected, .. } => expected.clone(),
        PolicyError::TooMuch { max, unit, .. } => format!("at most {max} {unit}"),
    };
    let message = message.replace(error.place(), &field);
    Refusal { code, message, field: Some(field), expected: Some(expected) }
}

fn camel_case(place: &str) -> String {
    let mut words = place.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        text + &initial.into_iter().chain(letters).collect::<String>()
    })
}

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalBody<'a> {
    error: RefusalDetail<'a>,
}

/// What a refusal says.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalDetail<'a> {
    #[schema(value_type = ErrorCode)]
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    retryable: bool,
}

impl<'a> RefusalDetail<'a> {
    /// A refusal with nothing to say of a field.
    pub(super) fn of_code(code: ErrorCode, message: &'a str) -> RefusalDetail<'a> {
        let retryable = code.retry_after_ms().is_some();
        RefusalDetail { code: code.text(), message, field: None, expected: None, retryable }
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::json::print;

    use super::*;

    #[test]
    fn a_refusal_prints_in_its_one_shape() {
        let refusal = Refusal::invalid("amount", "is a list", "a number");
        let expected = r#"{"error":{"code":"VALIDATION_ERROR","message":"`amount` is a list; expected a number","field":"amount","expected":"a number","retryable":false}}"#;
        assert_eq!(print(&refusal.body()), expected);
        let overloaded = print(&Refusal::new(ErrorCode::Overloaded, "later").body());
        assert_eq!(overloaded, r#"{"error":{"code":"OVERLOADED","message":"later","retryable":true}}"#);
    }

    #[test]
    fn fields_of_policies_are_spelled_as_in_json() {
        for (place, expected) in
            [("rules[2].rule_type", "rules[2].ruleType"), ("policy", "policy"), ("rules[0].value", "rules[0].value")]
        {
            assert_eq!(camel_case(place), expected);
        }
    }
}
