//! Answers and refusals as HTTP responses.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    engine::EngineError,
    kernel::Outcome,
    server::{identity::AuthError, submit::AskError},
    wire::{
        ErrorCode,
        json::{Refusal, print},
    },
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A body that was printed.
#[derive(Debug)]
pub(super) struct Printed {
    status: StatusCode,
    body: String,
    repeated: bool,
}

impl Printed {
    pub(super) fn ok(body: &impl Serialize) -> Printed {
        Printed::of_text(print(body))
    }

    /// JSON that was printed before.
    pub(super) fn of_text(body: String) -> Printed {
        Printed { status: StatusCode::OK, body, repeated: false }
    }

    pub(super) fn created(body: &impl Serialize) -> Printed {
        Printed { status: StatusCode::CREATED, ..Printed::ok(body) }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Printed {
        Printed { status, ..self }
    }

    /// Says in a header whether the answer was given before; the body is the same.
    pub(super) fn repeated(self, repeated: bool) -> Printed {
        Printed { repeated, ..self }
    }
}

impl IntoResponse for Printed {
    fn into_response(self) -> Response {
        let mut response = json(self.status, self.body);
        if self.repeated {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// A request that was not carried out.
#[derive(Debug)]
pub(super) struct Rejection {
    refusal: Refusal,
    status: Option<StatusCode>,
}

impl Rejection {
    /// A refusal that HTTP has a status of its own for.
    pub(super) fn with_status(status: StatusCode, refusal: Refusal) -> Rejection {
        Rejection { refusal, status: Some(status) }
    }

    pub(super) fn not_found(what: &str) -> Rejection {
        Rejection::from(Refusal::new(ErrorCode::NotFound, what))
    }

    /// The engine answered another question than was asked: a mistake of ours.
    pub(super) fn unexpected(outcome: &Outcome) -> Rejection {
        tracing::error!(?outcome, "an outcome does not fit its request");
        Rejection::from(Refusal::new(ErrorCode::InternalError, "the gateway made a mistake; it is logged"))
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Rejection {
        Rejection { refusal, status: None }
    }
}

impl From<AuthError> for Rejection {
    fn from(error: AuthError) -> Rejection {
        Rejection::from(Refusal::new(error.code(), error.to_string()))
    }
}

impl From<AskError> for Rejection {
    fn from(error: AskError) -> Rejection {
        Rejection::from(refusal(error))
    }
}

impl From<EngineError> for Rejection {
    fn from(error: EngineError) -> Rejection {
        Rejection::from(AskError::Engine(error))
    }
}

/// What the engine's refusals look like from outside.
pub(super) fn refusal(error: AskError) -> Refusal {
    let message = error.to_string();
    match error {
        AskError::Engine(EngineError::Failure(failure)) => Refusal::from(failure),
        AskError::Engine(EngineError::Overloaded) => Refusal::new(ErrorCode::Overloaded, message),
        AskError::Engine(EngineError::Unavailable) | AskError::OutcomeUnknown => {
            Refusal::new(ErrorCode::Unavailable, message)
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let code = self.refusal.code();
        let of_code = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let status = self.status.unwrap_or(of_code);
        let mut response = json(status, print(&self.refusal.body()));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait_ms) = code.retry_after_ms() {
            // The header counts whole seconds.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000)));
        }
        response
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Refusal {
        rejection.refusal
    }
}
