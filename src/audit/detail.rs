//! What entries say of states and circumstances, as JSON. The names of the members are those of the API.

use serde::Serialize;

use crate::{kernel::anomaly::WatchingChange, wire::json::Money};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) authorization_id: String,
    pub(super) required: u16,
}

#[derive(Serialize)]
pub(super) struct Status {
    pub(super) status: &'static str,
}

#[derive(Serialize)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct Note<'a> {
    pub(super) note: &'a str,
}

#[derive(Serialize)]
pub(super) struct Revision {
    pub(super) revision: u32,
}

#[derive(Serialize)]
pub(super) struct Start {
    pub(super) incarnation: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    pub(super) operation_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Booked {
    pub(super) captured: Money,
    pub(super) is_final: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lengthened {
    pub(super) expires_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Enlarged {
    pub(super) increased_by: Money,
    pub(super) remaining: Option<Money>,
}

#[derive(Serialize)]
pub(super) struct Returned {
    pub(super) refunded: Money,
}

#[derive(Serialize)]
pub(super) struct Refused {
    pub(super) violation: &'static str,
    pub(super) count: u32,
    pub(super) amount: Money,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    pub(super) status: &'static str,
    pub(super) amount: Money,
    pub(super) protocol: &'static str,
    pub(super) recipient_address: String,
    pub(super) service_domain: Option<String>,
    pub(super) session_number: Option<u32>,
    pub(super) wallet: Option<u8>,
    pub(super) valid_for_seconds: u64,
    pub(super) remaining: Option<Money>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reported {
    pub(super) amount: Money,
    pub(super) protocol: &'static str,
    pub(super) recipient_address: String,
    pub(super) service_domain: Option<String>,
    pub(super) booking: &'static str,
    pub(super) calls: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened<'a> {
    pub(super) name: &'a str,
    pub(super) protocol: &'static str,
    pub(super) kind: &'static str,
    pub(super) deposit: Option<String>,
    pub(super) ends_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Buried<'a> {
    pub(super) event_id: String,
    pub(super) event: &'a str,
    pub(super) attempts: u32,
    pub(super) reason: &'a str,
}

#[derive(Serialize)]
pub(super) struct Revived {
    pub(super) redelivered: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted<'a> {
    pub(super) status: &'static str,
    pub(super) amount: Money,
    pub(super) purpose: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) category: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Granted {
    pub(super) status: &'static str,
    pub(super) approved_amount: Money,
    pub(super) expires_at: String,
}

#[derive(Serialize)]
pub(super) struct Comment<'a> {
    pub(super) comment: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpentSoFar {
    pub(super) current_spend: Money,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaidBy<'a> {
    pub(super) operation_id: String,
    pub(super) transaction_hash: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Raised<'a> {
    pub(super) status: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) froze: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) reason: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrozenFor {
    pub(super) alert: String,
    pub(super) trigger: &'static str,
    pub(super) voids_holds: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Watched {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auto_freeze_enabled: Option<bool>,
    pub(super) thresholds: std::collections::BTreeMap<&'static str, u32>,
}

impl Watched {
    pub(super) fn of(change: &WatchingChange) -> Watched {
        Watched {
            auto_freeze_enabled: change.auto_freeze,
            thresholds: change.thresholds.iter().map(|(threshold, value)| (threshold.word(), *value)).collect(),
        }
    }
}
