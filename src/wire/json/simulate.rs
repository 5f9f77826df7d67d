//! `policies/simulate`: what is asked about, and what would be decided.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentId, AuthorizationId, Failure, Outcome, PolicyId, Protocol,
    outcome::{SimulationView, Violation},
    request::{Authorize, SIMULATED_PAYMENTS_MAX},
};

use super::{
    AuthorizeBody, AuthorizeRequest, Money, Object, PolicyRequest, Refusal, TriedPolicy, authorize::ViolationBody,
};

/// Payments, and a policy that they are tried under.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"policy": {"name": "draft", "rules": [{"ruleType": "MAX_AMOUNT", "operator": "LTE", "value": "0.04", "action": "DENY"}]}, "requests": [{"amount": 0.05, "recipientAddress": "0xFacilitatorAddress", "resourceUrl": "https://api.example.com/data"}]}))]
#[expect(dead_code, reason = "describes what `SimulateBody::read` accepts")]
pub struct SimulateRequest {
    /// The agent that would pay; an agent's own key needs none.
    agent_id: Option<AgentId>,
    /// A draft; it takes the place of the policy in force that has its `id`. With neither this nor `policyId`, the policies in force decide.
    policy: Option<PolicyRequest>,
    /// A stored policy, taken as active.
    policy_id: Option<PolicyId>,
    /// The rail of the payments that name none: `x402` unless said otherwise, or `mpp`, `payment`, `card`.
    #[schema(example = "x402")]
    protocol: Option<String>,
    /// The payments, each decided by itself.
    #[schema(max_items = 1000)]
    requests: Option<Vec<AuthorizeRequest>>,
    /// In place of `requests`: one payment.
    request: Option<AuthorizeRequest>,
}

/// A `policies/simulate` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulateBody {
    /// Which policy would decide; `None` where those in force would.
    pub policy: Option<TriedPolicy>,
    payments: Vec<(Protocol, AuthorizeBody)>,
}

impl SimulateBody {
    /// Reads `{policy | policyId, protocol?, requests: [...] | request: {...}}`. `draft` is the id of a draft that has none.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>, draft: PolicyId) -> Result<SimulateBody, Refusal> {
        let protocol = protocol(object)?.unwrap_or(Protocol::X402);
        let payment = |payment: &Object<'_>| -> Result<_, Refusal> {
            let protocol = self::protocol(payment)?.unwrap_or(protocol);
            let body = match protocol {
                Protocol::X402 | Protocol::Mpp => AuthorizeBody::read(payment, protocol)?,
                Protocol::Payment | Protocol::Card => AuthorizeBody::read_outside_services(payment)?,
            };
            Ok((protocol, body))
        };
        let single = object.object("request")?;
        let many = object.objects("requests", SIMULATED_PAYMENTS_MAX)?;
        let payments = match (single, many) {
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(object.place("requests"), "stands beside `request`", "one of the two"));
            }
            (Some(single), None) => vec![payment(&single)?],
            (None, Some(many)) => many.iter().map(payment).collect::<Result<_, _>>()?,
            (None, None) => {
                return Err(Refusal::invalid(
                    object.place("requests"),
                    "is missing",
                    "a list of `pre-authorize` bodies",
                ));
            }
        };
        Ok(SimulateBody { policy: TriedPolicy::read(object, draft)?, payments })
    }

    /// The payments that are asked about, with ids that no hold has.
    pub fn payments(&self, id: impl Fn(usize) -> AuthorizationId) -> Vec<Authorize<'_>> {
        let numbered = self.payments.iter().enumerate();
        numbered.map(|(index, (protocol, payment))| payment.request(id(index), *protocol)).collect()
    }
}

fn protocol(object: &Object<'_>) -> Result<Option<Protocol>, Refusal> {
    let Some(word) = object.text("protocol")? else { return Ok(None) };
    let known = Protocol::ALL.into_iter().find(|protocol| protocol.word() == word);
    let expected = "`x402`, `mpp`, `payment` or `card`";
    known.map(Some).ok_or_else(|| Refusal::invalid(object.place("protocol"), "is not known", expected))
}

/// What would be decided.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatedBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PolicyId>)]
    policy_id: Option<String>,
    /// Whether the policy would be among those of the agent.
    applies: bool,
    results: Vec<SimulatedResult>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SimulatedResult {
    authorized: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<Money>,
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<SimulatedError>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SimulatedError {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl SimulatedBody {
    /// The answers, in the order of the payments of `asked`.
    #[must_use]
    pub fn of(asked: &SimulateBody, policy: Option<PolicyId>, view: SimulationView) -> SimulatedBody {
        let protocols = asked.payments.iter().map(|(protocol, _)| *protocol);
        SimulatedBody {
            policy_id: policy.map(|policy| policy.to_string()),
            applies: view.applies,
            results: protocols.zip(view.answers).map(|(rail, answer)| SimulatedResult::of(rail, answer)).collect(),
        }
    }
}

impl SimulatedResult {
    fn of(protocol: Protocol, answer: Result<Outcome, Failure>) -> SimulatedResult {
        let nothing = SimulatedResult {
            authorized: false,
            status: "INVALID",
            remaining: None,
            reasons: Vec::new(),
            violations: Vec::new(),
            error: None,
        };
        match answer {
            Ok(Outcome::Approved(approval)) => SimulatedResult {
                authorized: true,
                status: "APPROVED",
                remaining: approval.remaining.map(Money),
                reasons: approval.reasons.texts(protocol),
                ..nothing
            },
            Ok(Outcome::Denied(denial)) => SimulatedResult {
                status: "DENIED",
                reasons: denial.violations.iter().map(Violation::message).collect(),
                violations: denial.violations.iter().map(ViolationBody::of).collect(),
                ..nothing
            },
            Ok(Outcome::ApprovalRequired(required)) => SimulatedResult {
                status: "REQUIRES_APPROVAL",
                reasons: required.about.iter().map(Violation::message).collect(),
                violations: required.about.iter().map(ViolationBody::of).collect(),
                ..nothing
            },
            // No other outcome answers a request for a hold.
            Ok(_) => nothing,
            Err(failure) => SimulatedResult { error: Some(SimulatedError::of(&Refusal::from(failure))), ..nothing },
        }
    }
}

impl SimulatedError {
    fn of(refusal: &Refusal) -> SimulatedError {
        SimulatedError {
            code: refusal.code().text(),
            message: refusal.message().to_owned(),
            field: refusal.field().map(str::to_owned),
        }
    }
}
