//! What notices say, as JSON. The names of the members, amounts and ids are those of the API.

use serde::Serialize;

use crate::wire::json::Money;

/// A hold that was placed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    pub(super) payment_id: String,
    pub(super) authorization_id: String,
    pub(super) amount: Money,
    pub(super) protocol: &'static str,
    pub(super) recipient_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_number: Option<u32>,
    /// Whether it is the deposit of its session.
    pub(super) deposit: bool,
    pub(super) expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining: Option<Money>,
    pub(super) policy_revision: u32,
}

/// A hold that people are asked about.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked<'a> {
    pub(super) approval_request_id: String,
    pub(super) payment_id: String,
    pub(super) authorization_id: String,
    pub(super) amount: Money,
    pub(super) protocol: &'static str,
    pub(super) recipient_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_domain: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) resource_url: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) purpose: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) category: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) chain_id: &'a str,
    pub(super) required_approvals: u16,
    /// Those who may decide; empty for every operator.
    pub(super) specific_approvers: Vec<String>,
    /// Why people are asked.
    pub(super) reasons: Vec<String>,
    /// Until then it must be decided.
    pub(super) expires_at: String,
}

/// What people said of a payment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decided<'a> {
    pub(super) approval_request_id: String,
    pub(super) payment_id: String,
    pub(super) authorization_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decided_by: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) comment: &'a str,
    /// Until then it may be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Denied {
    pub(super) violation_type: &'static str,
    /// How many payments.
    pub(super) count: u32,
    /// All of them together.
    pub(super) amount: Money,
}

/// Money that moved, there or back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Moved<'a> {
    pub(super) payment_id: String,
    pub(super) authorization_id: String,
    pub(super) transaction_id: String,
    pub(super) operation_id: String,
    pub(super) amount: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#final: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transaction_hash: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recorded {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authorization_id: Option<String>,
    pub(super) transaction_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation_id: Option<String>,
    pub(super) amount: Money,
    pub(super) protocol: &'static str,
    pub(super) recipient_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_domain: Option<String>,
    pub(super) booking: &'static str,
    pub(super) calls: u32,
}

/// What became of a hold.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HoldChanged {
    pub(super) payment_id: String,
    pub(super) authorization_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) increased_by: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining: Option<Money>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session<'a> {
    /// Which of its agent's.
    pub(super) session_number: u32,
    /// The client's name for it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deposit_authorization_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Budget<'a> {
    pub(super) budget_request_id: String,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) approved_amount: Option<Money>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) purpose: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) category: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) comment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agent_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
    /// The alert that says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alert_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trigger: Option<&'static str>,
    /// Whether its open holds are voided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) voids_holds: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wallet<'a> {
    pub(super) wallet_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert<'a> {
    pub(super) alert_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<&'static str>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) froze_agent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recipient_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_domain: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) reason: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counterparty<'a> {
    pub(super) counterparty_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trust_level: Option<&'static str>,
    pub(super) policy_revision: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sanctions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) addresses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) countries: Option<u32>,
    pub(super) policy_revision: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policy<'a> {
    pub(super) policy_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_active: Option<bool>,
    pub(super) policy_revision: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key<'a> {
    pub(super) key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub(super) incarnation: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export<'a> {
    pub(super) exported: &'a str,
}

/// Nothing but what every notice says.
#[derive(Serialize)]
pub(super) struct Nothing {}
