//! Budget requests: what agents ask for, what people decide, and how a request is shown.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::kernel::{
    Amount, BudgetRequestId, Duration,
    outcome::{BudgetRequestView, BudgetStatus},
    request::{BudgetVerdict, DecideBudget, RequestBudget},
};

use super::{Anything, Money, Object, Refusal};

const HOURS_EXPECTED: &str = "a number of hours above zero, such as 24";
const DECISION_EXPECTED: &str = "`APPROVED` or `REJECTED`";

/// A budget request that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBudgetRequest {
    amount: Amount,
    purpose: String,
    category: String,
    metadata: String,
}

/// A budget that an agent asks for.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 50, "purpose": "Research reports for the board", "category": "API_PROVIDER"}))]
#[expect(dead_code, reason = "describes what `NewBudgetRequest::read` accepts")]
pub struct BudgetRequestRequest {
    /// How much.
    amount: Amount,
    /// What for; shown to whoever decides.
    #[schema(min_length = 1, max_length = 1024)]
    purpose: String,
    /// What kind of spend.
    #[schema(max_length = 128, example = "API_PROVIDER")]
    category: Option<String>,
    /// What else there is to say; an object of at most 4096 bytes.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Anything>,
    /// The client's name for the request, so that a retry asks once.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

impl NewBudgetRequest {
    /// Reads the body of a budget request.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<NewBudgetRequest, Refusal> {
        let amount = object.positive_amount("amount")?;
        let purpose = object.text("purpose")?;
        // Only an object is metadata; its text is kept as it came.
        object.object("metadata")?;
        Ok(NewBudgetRequest {
            amount: object.required("amount", amount, "an amount above zero, such as 50")?,
            purpose: object.required("purpose", purpose, "what the budget is for")?,
            category: object.text("category")?.unwrap_or_default(),
            metadata: object.raw("metadata").unwrap_or_default().to_owned(),
        })
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self, id: BudgetRequestId) -> RequestBudget<'_> {
        let NewBudgetRequest { amount, purpose, category, metadata } = self;
        RequestBudget { id, amount: *amount, purpose, category, metadata }
    }
}

/// A decision about a budget request that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetDecisionBody {
    verdict: BudgetVerdict,
    comment: String,
}

/// A decision about a budget request.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"decision": "APPROVED", "approvedAmount": 40, "expiresInHours": 12, "comment": "for this week"}))]
#[expect(dead_code, reason = "describes what `BudgetDecisionBody::read` accepts")]
pub struct BudgetDecisionRequest {
    /// Where the path does not say it.
    #[schema(pattern = "^(APPROVED|REJECTED|APPROVE|REJECT)$", example = "APPROVED")]
    decision: Option<String>,
    /// How much may be spent; what was asked for unless said otherwise.
    approved_amount: Option<Amount>,
    /// How long the budget lasts from now on; 24 unless said otherwise, at most 8784.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 8784)]
    expires_in_hours: Option<f64>,
    /// Why, for the agent and the audit.
    #[schema(max_length = 1024)]
    comment: Option<String>,
}

impl BudgetDecisionBody {
    /// Reads the body of a decision that says itself what is decided.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<BudgetDecisionBody, Refusal> {
        let decision = object.text("decision")?;
        let approves = match object.required("decision", decision, DECISION_EXPECTED)?.as_str() {
            "APPROVED" | "APPROVE" => true,
            "REJECTED" | "REJECT" => false,
            _ => return Err(Refusal::invalid(object.place("decision"), "is not known", DECISION_EXPECTED)),
        };
        BudgetDecisionBody::of(object, approves)
    }

    /// Reads what else there is to say about an approval or a rejection.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn of(object: &Object<'_>, approves: bool) -> Result<BudgetDecisionBody, Refusal> {
        let approve =
            BudgetVerdict::Approve { amount: object.positive_amount("approvedAmount")?, lasts: hours(object)? };
        let verdict = if approves { approve } else { BudgetVerdict::Reject };
        Ok(BudgetDecisionBody { verdict, comment: object.text_of(&["comment", "reason"])?.unwrap_or_default() })
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self, id: BudgetRequestId) -> DecideBudget<'_> {
        DecideBudget { id, verdict: self.verdict, comment: &self.comment }
    }
}

/// Hours are read like amounts, digit by digit.
fn hours(object: &Object<'_>) -> Result<Option<Duration>, Refusal> {
    let invalid = || Refusal::invalid(object.place("expiresInHours"), "is no number of hours", HOURS_EXPECTED);
    let Some(hours) = object.positive_amount("expiresInHours").map_err(|_| invalid())? else { return Ok(None) };
    let micros = hours.micros().checked_mul(3600).ok_or_else(invalid)?;
    Ok(Some(Duration::from_micros(micros)))
}

/// The status that a query asks for.
///
/// # Errors
/// A [`Refusal`] for a word that is none.
pub fn budget_status(word: &str) -> Result<BudgetStatus, Refusal> {
    let known = BudgetStatus::ALL.into_iter().find(|status| status.word() == word);
    let expected = "`PENDING`, `APPROVED`, `REJECTED`, `EXPIRED` or `EXHAUSTED`";
    known.ok_or_else(|| Refusal::invalid("status", "is not known", expected))
}

/// A budget request as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetRequestBody {
    #[schema(value_type = BudgetRequestId)]
    id: String,
    #[schema(value_type = crate::kernel::AgentId)]
    agent_id: String,
    agent_name: String,
    #[schema(pattern = "^(PENDING|APPROVED|REJECTED|EXPIRED|EXHAUSTED)$", example = "APPROVED")]
    status: &'static str,
    /// What was asked for.
    requested_amount: Money,
    /// What was approved; `null` unless it was.
    approved_amount: Option<Money>,
    /// Whether another amount was approved than was asked for.
    adjusted: bool,
    /// What was paid of it.
    current_spend: Money,
    /// What is held of it.
    held: Money,
    /// What may still be held of it; `null` unless it was approved.
    remaining: Option<Money>,
    purpose: String,
    category: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// What its approver said.
    comment: Option<String>,
    #[schema(value_type = crate::kernel::Timestamp)]
    created_at: String,
    #[schema(value_type = Option<crate::kernel::Timestamp>)]
    decided_at: Option<String>,
    /// When it expires unless it is decided, or when the budget ends.
    #[schema(value_type = crate::kernel::Timestamp)]
    expires_at: String,
}

impl BudgetRequestBody {
    /// What `view` shows.
    #[must_use]
    pub fn of(view: BudgetRequestView) -> BudgetRequestBody {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        BudgetRequestBody {
            id: view.id.to_string(),
            agent_id: view.agent.to_string(),
            status: view.status.word(),
            requested_amount: Money(view.requested),
            approved_amount: view.approved.map(Money),
            adjusted: view.approved.is_some_and(|approved| approved != view.requested),
            current_spend: Money(view.spent),
            held: Money(view.held),
            remaining: view.remaining().map(Money),
            agent_name: view.agent_name,
            purpose: view.purpose,
            category: said(view.category),
            metadata: said(view.metadata).and_then(|text| RawValue::from_string(text).ok()),
            comment: said(view.comment),
            created_at: view.created_at.to_string(),
            decided_at: view.decided_at.map(|at| at.to_string()),
            expires_at: view.expires_at.to_string(),
        }
    }
}

/// Budget requests, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetPage {
    budget_requests: Vec<BudgetRequestBody>,
}

impl BudgetPage {
    /// What `views` show.
    #[must_use]
    pub fn of(views: Vec<BudgetRequestView>) -> BudgetPage {
        BudgetPage { budget_requests: views.into_iter().map(BudgetRequestBody::of).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(body: &str) -> Result<BudgetDecisionBody, Option<String>> {
        let object = Object::read(body.as_bytes()).unwrap();
        BudgetDecisionBody::read(&object).map_err(|refusal| refusal.field().map(str::to_owned))
    }

    #[test]
    fn decisions_are_read() {
        let approve = |amount: Option<u64>, seconds: Option<u64>| BudgetVerdict::Approve {
            amount: amount.map(Amount::from_micros),
            lasts: seconds.map(Duration::from_secs),
        };
        for (body, verdict) in [
            (r#"{"decision":"APPROVED"}"#, approve(None, None)),
            (r#"{"decision":"APPROVE","approvedAmount":"40.5"}"#, approve(Some(40_500_000), None)),
            (r#"{"decision":"APPROVED","expiresInHours":12}"#, approve(None, Some(12 * 3600))),
            (r#"{"decision":"APPROVED","expiresInHours":0.5}"#, approve(None, Some(1800))),
            (r#"{"decision":"REJECTED","comment":"no"}"#, BudgetVerdict::Reject),
        ] {
            assert_eq!(decision(body).unwrap().verdict, verdict, "{body}");
        }
        for (body, field) in [
            ("{}", "decision"),
            (r#"{"decision":"MAYBE"}"#, "decision"),
            (r#"{"decision":1}"#, "decision"),
            (r#"{"decision":"APPROVED","approvedAmount":0}"#, "approvedAmount"),
            (r#"{"decision":"APPROVED","expiresInHours":0}"#, "expiresInHours"),
            (r#"{"decision":"APPROVED","expiresInHours":-1}"#, "expiresInHours"),
            (r#"{"decision":"APPROVED","expiresInHours":"soon"}"#, "expiresInHours"),
            (r#"{"decision":"APPROVED","expiresInHours":999999999999}"#, "expiresInHours"),
            (r#"{"decision":"APPROVED","comment":1}"#, "comment"),
        ] {
            assert_eq!(decision(body), Err(Some(field.to_owned())), "{body}");
        }
    }

    #[test]
    fn only_an_object_is_metadata() {
        let read = |metadata: &str| {
            let body = format!(r#"{{"amount":1,"purpose":"p","metadata":{metadata}}}"#);
            let read = NewBudgetRequest::read(&Object::read(body.as_bytes()).unwrap());
            read.map(|request| request.metadata).map_err(|refusal| refusal.field().map(str::to_owned))
        };
        assert_eq!(read(r#"{"a": [1]}"#), Ok(r#"{"a": [1]}"#.to_owned()));
        assert_eq!(read("null"), Ok(String::new()));
        assert_eq!(read("[1]"), Err(Some("metadata".to_owned())));
    }
}
