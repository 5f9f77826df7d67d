//! The verbs of a hold, and a session's end: what is asked, what is answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentIndex, Amount, ApprovalRequestId, AuthorizationId, Duration, OperationId, Request, Timestamp,
    outcome::{ApprovalStatus, AuthorizationView, Captured, HoldStatus, Recorded},
    request::{Capture, CaptureTo, Extend},
};

use crate::wire::ErrorCode;

use super::{
    Decision, Money, Object, Refusal,
    authorize::hold_seconds,
    record::booking_word,
    refusal::{RefusalBody, RefusalDetail},
};

/// A `capture` that was read: what was paid, and whether it is the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureBody {
    amount: Amount,
    last: bool,
    recipient: Option<String>,
}

/// What was paid of a hold.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 0.04, "final": true}))]
#[expect(dead_code, reason = "describes what `CaptureBody::read` accepts")]
pub struct CaptureRequest {
    /// What was paid. Zero where nothing was paid after all; more than the hold is booked as overage.
    amount: Amount,
    /// Whether this is the last report, so that the rest of the hold is released. `true` unless said otherwise.
    r#final: Option<bool>,
    /// Who was paid. Where it is not whom the hold is for, the capture is refused and the payment booked as unauthorized spend.
    #[schema(min_length = 1, max_length = 256)]
    recipient_address: Option<String>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

impl CaptureBody {
    /// Reads `{amount, final?, recipientAddress?}`. Zero is allowed: nothing was paid after all.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<CaptureBody, Refusal> {
        let amount = object.amount("amount")?;
        let amount = object.required("amount", amount, "what was paid, such as 0.05")?;
        let recipient = object.text("recipientAddress")?;
        Ok(CaptureBody { amount, last: object.flag("final")?.unwrap_or(true), recipient })
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self, agent: AgentIndex, id: AuthorizationId, operation: OperationId) -> Request<'_> {
        let capture = Capture { id, operation, amount: self.amount, last: self.last };
        match &self.recipient {
            Some(recipient) => Request::CaptureTo(agent, CaptureTo { capture, recipient }),
            None => Request::Capture(agent, capture),
        }
    }
}

/// An `extend` that was read: from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendBody(Duration);

/// How long a hold shall last from now on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"holdSeconds": 300}))]
#[expect(dead_code, reason = "describes what `ExtendBody::read` accepts")]
pub struct ExtendRequest {
    /// Seconds from now. Required unless it is called `expiresInSeconds`.
    hold_seconds: Option<u64>,
    /// The same as `holdSeconds`.
    expires_in_seconds: Option<u64>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

impl ExtendBody {
    /// Reads `{holdSeconds}`, which may also be called `expiresInSeconds`.
    ///
    /// # Errors
    /// A [`Refusal`] where it is missing or no whole number.
    pub fn read(object: &Object<'_>) -> Result<ExtendBody, Refusal> {
        let by = hold_seconds(object)?;
        object.required("holdSeconds", by, "a whole number of seconds from now").map(ExtendBody)
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(self, id: AuthorizationId, operation: OperationId) -> Extend {
        Extend { id, operation, by: self.0 }
    }
}

/// By how much.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 0.01}))]
#[expect(dead_code, reason = "describes what `amount_of` accepts")]
pub struct AmountRequest {
    /// Above zero.
    amount: Amount,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

/// Reads the `amount` of an `increment` or a `refund`.
///
/// # Errors
/// A [`Refusal`] where it is missing or not above zero.
pub fn amount_of(object: &Object<'_>) -> Result<Amount, Refusal> {
    let amount = object.positive_amount("amount")?;
    object.required("amount", amount, "an amount above zero, such as 0.05")
}

/// A `sessions/close` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseSessionBody {
    /// The client's name for the session; empty for the implicit one.
    pub session: String,
}

/// The session to close.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"sessionId": "mpp_session_xyz"}))]
#[expect(dead_code, reason = "describes what `CloseSessionBody::read` accepts")]
pub struct CloseSessionRequest {
    /// The client's name for it; without one, the session that the gateway keeps for payments that name none.
    session_id: Option<String>,
}

impl CloseSessionBody {
    /// Reads `{sessionId}`.
    ///
    /// # Errors
    /// A [`Refusal`] where it is no text.
    pub fn read(object: &Object<'_>) -> Result<CloseSessionBody, Refusal> {
        Ok(CloseSessionBody { session: object.text("sessionId")?.unwrap_or_default() })
    }
}

/// The answer to a `capture`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapturedBody {
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    captured: Money,
    overage: Money,
    held: Money,
    late: bool,
}

impl CapturedBody {
    /// What was booked for `id`.
    #[must_use]
    pub fn of(id: AuthorizationId, captured: Captured) -> CapturedBody {
        CapturedBody {
            authorization_id: id.to_string(),
            captured: Money(captured.captured),
            overage: Money(captured.overage),
            held: Money(captured.held),
            late: captured.late,
        }
    }
}

/// The answer to a `capture` that says that somebody else was paid: a refusal, and what was booked all the same.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MisdirectedBody {
    error: RefusalDetail<'static>,
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    /// `misdirected`.
    booking: &'static str,
    /// What counts as unauthorized spend.
    overage: Money,
}

/// What a `capture` is forbidden with.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum CaptureForbidden {
    /// Somebody else was paid.
    Misdirected(MisdirectedBody),
    /// The key may not do this.
    Refused(RefusalBody<'static>),
}

impl MisdirectedBody {
    /// What was booked beside `id`.
    #[must_use]
    pub fn of(id: AuthorizationId, recorded: Recorded) -> MisdirectedBody {
        let message = "the authorization is for another recipient: the payment is booked as unauthorized spend, and the authorization \
            holds what it held; void it if it will not be paid";
        MisdirectedBody {
            error: RefusalDetail::of_code(ErrorCode::RecipientMismatch, message),
            authorization_id: id.to_string(),
            booking: booking_word(recorded.booking),
            overage: Money(recorded.overage),
        }
    }
}

/// The answer to a `void`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoidedBody {
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    released: Money,
}

impl VoidedBody {
    /// What `id` still held.
    #[must_use]
    pub fn of(id: AuthorizationId, released: Amount) -> VoidedBody {
        VoidedBody { authorization_id: id.to_string(), released: Money(released) }
    }
}

/// The answer to an `extend`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtendedBody {
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    #[schema(value_type = Timestamp)]
    expires_at: String,
}

impl ExtendedBody {
    /// Until when `id` may be paid.
    #[must_use]
    pub fn of(id: AuthorizationId, expires_at: Timestamp) -> ExtendedBody {
        ExtendedBody { authorization_id: id.to_string(), expires_at: expires_at.to_string() }
    }
}

/// The answer to an `increment` that was approved; a denial is printed as a [`Decision`].
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncrementedBody {
    authorized: bool,
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    amount: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<Money>,
    reasons: Vec<String>,
}

impl IncrementedBody {
    /// The whole hold now.
    #[must_use]
    pub fn of(id: AuthorizationId, amount: Amount, remaining: Option<Amount>) -> IncrementedBody {
        IncrementedBody {
            authorized: true,
            authorization_id: id.to_string(),
            amount: Money(amount),
            remaining: remaining.map(Money),
            reasons: Vec::new(),
        }
    }
}

/// What an `increment` is answered.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "it describes, and is never made")]
pub enum IncrementDecision {
    /// The hold is larger.
    Approved(IncrementedBody),
    /// The hold is as it was.
    Denied(Decision),
}

/// The answer to a `refund`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundedBody {
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    refunded: Money,
}

impl RefundedBody {
    /// All refunds of `id` together.
    #[must_use]
    pub fn of(id: AuthorizationId, refunded: Amount) -> RefundedBody {
        RefundedBody { authorization_id: id.to_string(), refunded: Money(refunded) }
    }
}

/// The answer to a `sessions/close`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionClosedBody {
    session_id: String,
    spent: Money,
    released: Money,
}

impl SessionClosedBody {
    /// What was captured in the session and what of it was released.
    #[must_use]
    pub fn of(session: &str, spent: Amount, released: Amount) -> SessionClosedBody {
        SessionClosedBody { session_id: session.to_owned(), spent: Money(spent), released: Money(released) }
    }
}

fn status_word(hold: HoldStatus, approval: Option<ApprovalStatus>) -> String {
    match (hold, approval) {
        (HoldStatus::Open, Some(ApprovalStatus::Waiting)) => "PENDING_APPROVAL".to_owned(),
        (_, Some(ApprovalStatus::Rejected | ApprovalStatus::Expired)) => "DECLINED".to_owned(),
        (status, _) => status.to_string().to_ascii_uppercase(),
    }
}

/// One hold, as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationBody {
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    /// `PENDING_APPROVAL` while people decide, `DECLINED` where they did not approve; else what has become of the hold.
    status: String,
    /// What people were asked, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ApprovalRequestId>)]
    approval_request_id: Option<String>,
    /// How they stand to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_status: Option<&'static str>,
    protocol: &'static str,
    amount: Money,
    captured: Money,
    refunded: Money,
    recipient_address: String,
    service_domain: String,
    session_id: Option<String>,
    #[schema(value_type = Timestamp)]
    created_at: String,
    #[schema(value_type = Timestamp)]
    expires_at: String,
    /// The transaction that paid it, where it was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_hash: Option<String>,
}

impl AuthorizationBody {
    /// What `view` shows.
    #[must_use]
    pub fn of(view: AuthorizationView) -> AuthorizationBody {
        AuthorizationBody {
            authorization_id: view.id.to_string(),
            status: status_word(view.status, view.approval.map(|(_, status)| status)),
            approval_request_id: view.approval.map(|(id, _)| id.to_string()),
            approval_status: view.approval.map(|(_, status)| status.word()),
            protocol: view.protocol.word(),
            amount: Money(view.amount),
            captured: Money(view.captured),
            refunded: Money(view.refunded),
            recipient_address: view.recipient,
            service_domain: view.service,
            session_id: Some(view.session).filter(|session| !session.is_empty()),
            created_at: view.placed_at.to_string(),
            expires_at: view.expires_at.to_string(),
            tx_hash: view.transaction.filter(|transaction| !transaction.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_may_be_nothing_and_are_the_last_unless_they_say_otherwise() {
        let read = |body: &str| CaptureBody::read(&Object::read(body.as_bytes()).unwrap());
        for (body, micros, last) in [
            (r#"{"amount":0}"#, 0, true),
            (r#"{"amount":"0.03","final":false}"#, 30_000, false),
            (r#"{"amount":1,"final":true}"#, 1_000_000, true),
        ] {
            let expected = CaptureBody { amount: Amount::from_micros(micros), last, recipient: None };
            assert_eq!(read(body), Ok(expected), "{body}");
        }
        for (body, field) in
            [("{}", "amount"), (r#"{"amount":-1}"#, "amount"), (r#"{"amount":1,"final":"no"}"#, "final")]
        {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }

    #[test]
    fn an_extension_has_two_names() {
        for body in [r#"{"holdSeconds":60}"#, r#"{"expiresInSeconds":60}"#] {
            let read = ExtendBody::read(&Object::read(body.as_bytes()).unwrap());
            assert_eq!(read, Ok(ExtendBody(Duration::from_secs(60))), "{body}");
        }
        assert_eq!(ExtendBody::read(&Object::read(b"{}").unwrap()).unwrap_err().field(), Some("holdSeconds"));
    }
}
