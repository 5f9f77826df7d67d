//! The one table of error codes: what each is called, how HTTP says it, whose fault it is, and whether asking again helps.
//! A denial is not in it: a denial is an answer.

use std::fmt;

use crate::{
    engine::{EngineError, Fault},
    kernel::{
        Failure,
        outcome::{ApprovalStatus, BudgetStatus, HoldStatus},
    },
};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $http_status:literal, $fault:ident, $retry_after_ms:expr;)*) => {
        /// Why a request was not carried out. Nothing was changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// The code as every façade writes it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(ErrorCode::$name => $text,)* }
            }

            /// The status of an HTTP response with this code.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(ErrorCode::$name => $http_status,)* }
            }

            /// Who has to change something.
            #[must_use]
            pub const fn fault(self) -> Fault {
                match self { $(ErrorCode::$name => Fault::$fault,)* }
            }

            /// After how many milliseconds the same request, unchanged, may well succeed; absent where it will not.
            #[must_use]
            pub const fn retry_after_ms(self) -> Option<u32> {
                match self { $(ErrorCode::$name => $retry_after_ms,)* }
            }
        }
    };
}

error_codes! {
    /// No credential, or one that is not known.
    AuthFailed = "AUTH_FAILED", 401, Caller, None;
    /// The credential is past its end.
    ExpiredKey = "EXPIRED_KEY", 401, Caller, None;
    /// The credential may not do this, or not for this agent.
    InsufficientScope = "INSUFFICIENT_SCOPE", 403, Caller, None;
    /// A field is missing or not valid; the message names it.
    ValidationError = "VALIDATION_ERROR", 400, Caller, None;
    /// An amount is not valid.
    InvalidAmount = "INVALID_AMOUNT", 400, Caller, None;
    /// An address is not one of its chain.
    InvalidAddress = "INVALID_ADDRESS", 400, Caller, None;
    /// There is no such thing.
    NotFound = "NOT_FOUND", 404, Caller, None;
    /// The id was used before with other content.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT", 409, Caller, None;
    /// The agent has a budget request that is waiting or approved.
    BudgetRequestExists = "BUDGET_REQUEST_EXISTS", 409, Caller, None;
    /// The hold is over (captured or voided), or the budget request is decided.
    InvalidStatus = "INVALID_STATUS", 400, Caller, None;
    /// The hold or the budget request has expired.
    Expired = "EXPIRED", 400, Caller, None;
    /// What followed the offset is no longer kept; the message names the first offset that is.
    OffsetGone = "OFFSET_GONE", 410, Caller, None;
    /// Somebody else was paid than the hold is for. The hold is as it was; the payment is booked as unauthorized spend, since the money has
    /// moved.
    RecipientMismatch = "RECIPIENT_MISMATCH", 403, Caller, None;
    /// A payment was denied; the answer names every limit against it.
    PaymentDenied = "PAYMENT_DENIED", 403, Caller, None;
    /// A payment was denied for want of money in its wallet.
    InsufficientBalance = "INSUFFICIENT_BALANCE", 400, Caller, None;
    /// A payment was denied by a limit on the day.
    DailyLimitExceeded = "DAILY_LIMIT_EXCEEDED", 400, Caller, None;
    /// A payment was denied by a limit on one payment.
    PerTxLimitExceeded = "PER_TX_LIMIT_EXCEEDED", 400, Caller, None;
    /// A payment was denied since the agent has no wallet, or not the one that was named.
    NoWallet = "NO_WALLET", 400, Caller, None;
    /// Too many requests of one caller.
    RateLimited = "RATE_LIMITED", 429, Caller, Some(1000);
    /// Too many requests of all callers; nothing was decided.
    Overloaded = "OVERLOADED", 503, Gateway, Some(50);
    /// The part of the gateway that keeps the agent is not available now.
    Unavailable = "UNAVAILABLE", 503, Gateway, Some(500);
    /// A named maximum is reached; close what is no longer needed.
    CapacityExceeded = "CAPACITY_EXCEEDED", 429, Caller, Some(10_000);
    /// The bytes do not follow the protocol.
    ProtocolError = "PROTOCOL_ERROR", 400, Caller, None;
    /// The kind of message is not known in this version.
    UnknownMessage = "UNKNOWN_MESSAGE", 400, Caller, None;
    /// A frame, or a body, is longer than allowed.
    FrameTooLarge = "FRAME_TOO_LARGE", 413, Caller, None;
    /// More requests in a frame, or items in a batch, than allowed.
    BatchTooLarge = "BATCH_TOO_LARGE", 413, Caller, None;
    /// The gateway made a mistake.
    InternalError = "INTERNAL_ERROR", 500, Gateway, None;
}

impl ErrorCode {
    /// The code that is written `text`, where it is known.
    #[must_use]
    pub fn from_text(text: &str) -> Option<ErrorCode> {
        ErrorCode::ALL.iter().copied().find(|code| code.text() == text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<&Failure> for ErrorCode {
    fn from(failure: &Failure) -> ErrorCode {
        match failure {
            Failure::UnknownAgent
            | Failure::UnknownAuthorization
            | Failure::UnknownSession
            | Failure::UnknownKey
            | Failure::UnknownPolicy
            | Failure::UnknownCounterparty
            | Failure::NoSanctions
            | Failure::UnknownAlert
            | Failure::UnknownWebhook
            | Failure::UnknownApprovalRequest
            | Failure::UnknownBudgetRequest => ErrorCode::NotFound,
            Failure::NotAnApprover => ErrorCode::InsufficientScope,
            Failure::ApprovalRequestOver(ApprovalStatus::Expired) => ErrorCode::Expired,
            Failure::ApprovalRequestOver(_)
            | Failure::AgentStopped
            | Failure::PayeeStopped
            | Failure::AwaitsApproval => ErrorCode::InvalidStatus,
            Failure::BudgetRequestExists => ErrorCode::BudgetRequestExists,
            Failure::BudgetRequestOver(BudgetStatus::Expired) => ErrorCode::Expired,
            Failure::BudgetRequestOver(_) => ErrorCode::InvalidStatus,
            Failure::IdReused => ErrorCode::IdempotencyConflict,
            Failure::AuthorizationOver(HoldStatus::Expired) => ErrorCode::Expired,
            Failure::AuthorizationOver(HoldStatus::Open | HoldStatus::Captured | HoldStatus::Voided) => {
                ErrorCode::InvalidStatus
            }
            Failure::Invalid { field: "amount", .. } => ErrorCode::InvalidAmount,
            Failure::Invalid { .. } | Failure::Policy(_) => ErrorCode::ValidationError,
            Failure::Capacity { .. } => ErrorCode::CapacityExceeded,
        }
    }
}

impl From<&EngineError> for ErrorCode {
    fn from(error: &EngineError) -> ErrorCode {
        match error {
            EngineError::Failure(failure) => ErrorCode::from(failure),
            EngineError::Overloaded => ErrorCode::Overloaded,
            EngineError::Unavailable => ErrorCode::Unavailable,
        }
    }
}

/// A request that was not carried out: the code for programs and the message for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// From the table.
    pub code: ErrorCode,
    /// What was wrong and what to do; names the field where one is wrong.
    pub message: String,
}

impl Refusal {
    /// Refuses with `code`, saying `message`.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Refusal {
        Refusal::new(ErrorCode::from(failure), failure.to_string())
    }
}

impl From<&EngineError> for Refusal {
    fn from(error: &EngineError) -> Refusal {
        Refusal::new(ErrorCode::from(error), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_from_its_text_and_only_retries_where_time_helps() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_text(code.text()), Some(code));
            let retried = matches!(code.http_status(), 429 | 503);
            assert_eq!(code.retry_after_ms().is_some(), retried, "{code}");
            assert_eq!(code.fault() == Fault::Gateway, code.http_status() >= 500, "{code}");
        }
        assert_eq!(ErrorCode::from_text("NO_SUCH_CODE"), None);
    }

    #[test]
    fn failures_have_the_code_of_what_the_caller_can_do() {
        let invalid = |field| Failure::Invalid { field, expected: "anything else" };
        for (failure, code) in [
            (Failure::UnknownAuthorization, "NOT_FOUND"),
            (Failure::IdReused, "IDEMPOTENCY_CONFLICT"),
            (Failure::AuthorizationOver(HoldStatus::Expired), "EXPIRED"),
            (Failure::AuthorizationOver(HoldStatus::Voided), "INVALID_STATUS"),
            (invalid("amount"), "INVALID_AMOUNT"),
            (invalid("recipient"), "VALIDATION_ERROR"),
            (Failure::Capacity { what: "open holds", maximum: 1 }, "CAPACITY_EXCEEDED"),
        ] {
            assert_eq!(ErrorCode::from(&failure).text(), code, "{failure}");
        }
        assert!(Refusal::from(&invalid("recipient")).message.contains("`recipient`"));
    }

    /// The engine called a maximum that is reached its own fault, and the table the caller's.
    #[test]
    fn embedders_and_clients_are_told_the_same_of_fault_and_retry() {
        for error in [
            EngineError::Failure(Failure::Capacity { what: "open holds", maximum: 1 }),
            EngineError::Failure(Failure::UnknownAgent),
            EngineError::Failure(Failure::IdReused),
            EngineError::Overloaded,
            EngineError::Unavailable,
        ] {
            let code = ErrorCode::from(&error);
            assert_eq!(code.fault(), error.fault(), "{error}");
            assert_eq!(code.retry_after_ms().is_some(), error.retry(), "{error}");
        }
    }
}
