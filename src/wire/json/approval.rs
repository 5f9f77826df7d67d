//! Payments that people are asked about: what they decide, and how a request is shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AuthorizationId, KeyId,
    outcome::{ApprovalAnswerView, ApprovalRequestView, ApprovalStatus, Violation},
    request::DecideApproval,
};

use super::{Money, Object, Refusal, authorize::ViolationBody};

const DECISION_EXPECTED: &str = "`APPROVED` or `REJECTED`";

/// A decision about a payment that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalDecisionBody {
    approves: bool,
    comment: String,
}

/// A decision about a payment.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"decision": "APPROVED", "comment": "agreed with finance"}))]
#[expect(dead_code, reason = "describes what `ApprovalDecisionBody::read` accepts")]
pub struct ApprovalDecisionRequest {
    /// Where the path does not say it.
    #[schema(pattern = "^(APPROVED|REJECTED|APPROVE|REJECT)$", example = "APPROVED")]
    decision: Option<String>,
    /// Why, for the agent and the audit.
    #[schema(max_length = 1024)]
    comment: Option<String>,
}

impl ApprovalDecisionBody {
    /// Reads the body of a decision that says itself what is decided.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<ApprovalDecisionBody, Refusal> {
        let decision = object.text("decision")?;
        let approves = match object.required("decision", decision, DECISION_EXPECTED)?.as_str() {
            "APPROVED" | "APPROVE" => true,
            "REJECTED" | "REJECT" => false,
            _ => return Err(Refusal::invalid(object.place("decision"), "is not known", DECISION_EXPECTED)),
        };
        ApprovalDecisionBody::of(object, approves)
    }

    /// Reads what else there is to say about an approval or a rejection.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn of(object: &Object<'_>, approves: bool) -> Result<ApprovalDecisionBody, Refusal> {
        let comment = object.text_of(&["comment", "reason"])?.unwrap_or_default();
        Ok(ApprovalDecisionBody { approves, comment })
    }

    /// The request to the engine, by the holder of a credential about a hold.
    #[must_use]
    pub fn request(&self, id: AuthorizationId, approver: KeyId) -> DecideApproval<'_> {
        DecideApproval { id, approver, approves: self.approves, comment: &self.comment }
    }
}

/// The status that a query asks for.
///
/// # Errors
/// A [`Refusal`] for a word that is none.
pub fn approval_status(word: &str) -> Result<ApprovalStatus, Refusal> {
    let known = ApprovalStatus::ALL.into_iter().find(|status| status.word() == word);
    let expected = "`PENDING`, `APPROVED`, `REJECTED`, `EXPIRED`, `WITHDRAWN` or `BYPASSED`";
    known.ok_or_else(|| Refusal::invalid("status", "is not known", expected))
}

/// A payment that people are asked about, as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequestBody {
    #[schema(value_type = crate::kernel::ApprovalRequestId)]
    id: String,
    /// The same as `id`.
    #[schema(value_type = crate::kernel::ApprovalRequestId)]
    approval_request_id: String,
    /// The hold; the same as `authorizationId`.
    #[schema(value_type = AuthorizationId)]
    payment_request_id: String,
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(pattern = "^(PENDING|APPROVED|REJECTED|EXPIRED|WITHDRAWN|BYPASSED)$", example = "PENDING")]
    status: &'static str,
    #[schema(value_type = crate::kernel::AgentId)]
    agent_id: String,
    agent_name: String,
    /// What is held.
    amount: Money,
    protocol: &'static str,
    /// `session` for the deposit of a session, else `charge`.
    intent: &'static str,
    recipient_address: String,
    service_domain: Option<String>,
    session_id: Option<String>,
    resource_url: Option<String>,
    /// Why, in the agent's words.
    purpose: Option<String>,
    category: Option<String>,
    chain_id: Option<String>,
    /// What the policies ask about, in words.
    reasons: Vec<String>,
    /// The same for programs.
    violations: Vec<ViolationBody>,
    required_approvals: u16,
    given_approvals: usize,
    /// The keys of those who may decide; empty for every operator.
    #[schema(value_type = Vec<KeyId>)]
    specific_approvers: Vec<String>,
    decisions: Vec<ApprovalAnswerBody>,
    #[schema(value_type = crate::kernel::Timestamp)]
    created_at: String,
    /// When it is declined unless it is decided.
    #[schema(value_type = crate::kernel::Timestamp)]
    expires_at: String,
    #[schema(value_type = Option<crate::kernel::Timestamp>)]
    decided_at: Option<String>,
    /// Until when the caller may pay; `null` unless it was approved.
    #[schema(value_type = Option<crate::kernel::Timestamp>)]
    payable_until: Option<String>,
}

/// What one person said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApprovalAnswerBody {
    #[schema(value_type = KeyId)]
    approver: String,
    #[schema(pattern = "^(APPROVED|REJECTED)$", example = "APPROVED")]
    decision: &'static str,
    #[schema(value_type = crate::kernel::Timestamp)]
    at: String,
    comment: Option<String>,
}

impl ApprovalAnswerBody {
    fn of(view: &ApprovalAnswerView) -> ApprovalAnswerBody {
        ApprovalAnswerBody {
            approver: view.approver.to_string(),
            decision: if view.approves { "APPROVED" } else { "REJECTED" },
            at: view.at.to_string(),
            comment: said(&view.comment),
        }
    }
}

impl ApprovalRequestBody {
    /// What `view` shows.
    #[must_use]
    pub fn of(view: &ApprovalRequestView) -> ApprovalRequestBody {
        ApprovalRequestBody {
            id: view.id.to_string(),
            approval_request_id: view.id.to_string(),
            payment_request_id: view.authorization.to_string(),
            authorization_id: view.authorization.to_string(),
            kind: "payment",
            status: view.status.word(),
            agent_id: view.agent.to_string(),
            agent_name: view.agent_name.clone(),
            amount: Money(view.amount),
            protocol: view.protocol.word(),
            intent: if view.deposit { "session" } else { "charge" },
            recipient_address: view.recipient.clone(),
            service_domain: said(&view.service),
            session_id: said(&view.session),
            resource_url: said(&view.resource),
            purpose: said(&view.purpose),
            category: said(&view.category),
            chain_id: said(&view.chain),
            reasons: view.about.iter().map(Violation::message).collect(),
            violations: view.about.iter().map(ViolationBody::of).collect(),
            required_approvals: view.required,
            given_approvals: view.answers.iter().filter(|answer| answer.approves).count(),
            specific_approvers: view.approvers.iter().map(KeyId::to_string).collect(),
            decisions: view.answers.iter().map(ApprovalAnswerBody::of).collect(),
            created_at: view.created_at.to_string(),
            expires_at: view.decide_by.to_string(),
            decided_at: view.decided_at.map(|at| at.to_string()),
            payable_until: view.expires_at.map(|at| at.to_string()),
        }
    }
}

fn said(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Payments that people are asked about, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalPage {
    approval_requests: Vec<ApprovalRequestBody>,
}

impl ApprovalPage {
    /// What `views` show.
    #[must_use]
    pub fn of(views: &[ApprovalRequestView]) -> ApprovalPage {
        ApprovalPage { approval_requests: views.iter().map(ApprovalRequestBody::of).collect() }
    }
}
