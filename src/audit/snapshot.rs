//! States before and after a change, as JSON. No secret is among them, nor the hash of one.

use serde::Serialize;

use super::canonical::members;
use super::{
    change::alert_status,
    detail::{Status, Watched},
};
use crate::{
    kernel::{
        Amount, Former, Options,
        counterparty::Counterparty,
        policy::PolicySource,
        request::{AgentStatus, KeySource, WalletSource},
        sanctions::SanctionsSummary,
        webhook::WebhookSource,
    },
    wire::json::{CounterpartyBody, KeyBody, Money, PolicyBody, agent_status_word, print},
};

/// An agent, as far as operators change it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AgentSnapshot<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agent_type: Option<&'a str>,
    pub(super) lease: Option<Money>,
}

impl<'a> AgentSnapshot<'a> {
    /// What is absent is not known.
    pub(super) fn of(name: Option<&'a str>, status: Option<AgentStatus>, lease: Option<Amount>) -> AgentSnapshot<'a> {
        AgentSnapshot { name, status: status.map(agent_status_word), agent_type: None, lease: lease.map(Money) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WalletSnapshot<'a> {
    wallet_id: &'a str,
    address: &'a str,
    chain_id: &'a str,
    custody_type: &'a str,
    status: &'static str,
    balance: Option<Money>,
    spend_limit_per_tx: Option<Money>,
    spend_limit_daily: Option<Money>,
    spend_limit_weekly: Option<Money>,
    spend_limit_monthly: Option<Money>,
    allowed_hours_start: Option<u8>,
    allowed_hours_end: Option<u8>,
    /// Bit 0 is Monday; 0 means every day.
    allowed_days: u8,
}

pub(super) fn wallet(source: &WalletSource) -> String {
    print(&WalletSnapshot {
        wallet_id: &source.id,
        address: &source.address,
        chain_id: &source.chain_id,
        custody_type: &source.custody,
        status: if source.frozen { "FROZEN" } else { "ACTIVE" },
        balance: source.balance.map(Money),
        spend_limit_per_tx: source.limit_per_payment.map(Money),
        spend_limit_daily: source.limit_per_day.map(Money),
        spend_limit_weekly: source.limit_per_week.map(Money),
        spend_limit_monthly: source.limit_per_month.map(Money),
        allowed_hours_start: source.allowed_hours.map(|(start, _)| start),
        allowed_hours_end: source.allowed_hours.map(|(_, end)| end),
        allowed_days: source.allowed_days,
    })
}

pub(super) fn key(source: &KeySource) -> String {
    print(&KeyBody::of(source, source.scopes.is_empty()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookSnapshot<'a> {
    id: String,
    url: &'a str,
    description: &'a str,
    events: &'a [String],
    agent_ids: Vec<String>,
    is_active: bool,
    /// Tells one secret from another without saying anything about it.
    secret_fingerprint: String,
}

pub(super) fn webhook(source: &WebhookSource) -> String {
    let digest = super::EntryHash::of_content(source.secret.expose()).to_string();
    print(&WebhookSnapshot {
        id: source.id.to_string(),
        url: &source.url,
        description: &source.description,
        events: &source.events,
        agent_ids: source.agents.iter().map(ToString::to_string).collect(),
        is_active: source.active,
        secret_fingerprint: digest.chars().take(8).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OptionsSnapshot {
    hold_default_seconds: u64,
    hold_max_seconds: u64,
    grace_seconds: u64,
    session_idle_seconds: u64,
    session_default_seconds: u64,
    session_kept_seconds: u64,
    history_kept_seconds: u64,
    require_wallet: bool,
    lease_share_percent: u8,
    lease_floor: Money,
    lease_ceiling: Money,
    lease_count_max: u32,
    lease_hold_max_seconds: u64,
    default_policy: String,
    /// Of all of them in the journal's form, the ones that are not shown here included.
    fingerprint: String,
}

pub(super) fn options(options: &Options) -> String {
    let bytes = bincode::encode_to_vec(options, bincode::config::standard()).expect("memory takes options");
    print(&OptionsSnapshot {
        hold_default_seconds: options.hold_default.as_secs(),
        hold_max_seconds: options.hold_max.as_secs(),
        grace_seconds: options.grace.as_secs(),
        session_idle_seconds: options.session_idle.as_secs(),
        session_default_seconds: options.session_default.as_secs(),
        session_kept_seconds: options.session_kept.as_secs(),
        history_kept_seconds: options.history_kept.as_secs(),
        require_wallet: options.require_wallet,
        lease_share_percent: options.lease.share_percent,
        lease_floor: Money(options.lease.floor),
        lease_ceiling: Money(options.lease.ceiling),
        lease_count_max: options.lease.count_max,
        lease_hold_max_seconds: options.lease.hold_max.as_secs(),
        default_policy: options.default_policy.name.clone(),
        fingerprint: blake3::hash(&bytes).to_hex().chars().take(16).collect(),
    })
}

/// A policy without its revision.
pub(super) fn policy(source: &PolicySource) -> String {
    without_revision(&print(&PolicyBody::of(source, 0)))
}

/// A payee without its revision.
pub(super) fn counterparty(counterparty: &Counterparty) -> String {
    without_revision(&print(&CounterpartyBody::of(counterparty, 0)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SanctionsSnapshot<'a> {
    digest: String,
    addresses: u32,
    countries: u32,
    source: &'a str,
    loaded_by: &'a str,
}

pub(super) fn sanctions(summary: &SanctionsSummary) -> String {
    print(&SanctionsSnapshot {
        digest: blake3::Hash::from(summary.digest).to_hex().to_string(),
        addresses: summary.addresses,
        countries: summary.countries,
        source: &summary.source,
        loaded_by: &summary.loaded_by,
    })
}

/// The state before does not know the revision; the metadata tells it.
fn without_revision(text: &str) -> String {
    let mut all = members(text).unwrap_or_default();
    all.remove("revision");
    print(&all)
}

/// What was there before.
pub(super) fn former(former: &Former) -> String {
    match former {
        Former::Agent(_, status, name, lease) => print(&AgentSnapshot::of(Some(name), Some(*status), *lease)),
        Former::Wallet(_, source) => wallet(source),
        Former::Key(source) => key(source),
        Former::Policy(source) | Former::Shadow(source) => policy(source),
        Former::Watching(_, before) => print(&Watched::of(before)),
        Former::Options(source) => options(source),
        Former::Webhook(source) => webhook(source),
        Former::Counterparty(source) => counterparty(source),
        Former::Sanctions(summary) => sanctions(summary),
        Former::Alert(_, status) => print(&Status { status: alert_status(*status) }),
    }
}
