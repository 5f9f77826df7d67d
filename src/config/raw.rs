//! The shape of a configuration as people write it: the sections and keys of `config/holdfast.toml`, nothing checked but the types.

use serde::Deserialize;

/// A whole configuration. Without serde defaults, so that the embedded file must name every key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) mcp: RawMcp,
    pub(super) data: RawData,
    pub(super) engine: RawEngine,
    pub(super) retention: RawRetention,
    pub(super) holds: RawHolds,
    pub(super) sessions: RawSessions,
    pub(super) agents: RawAgents,
    pub(super) alerts: RawAlerts,
    pub(super) sanctions: RawSanctions,
    pub(super) webhooks: RawWebhooks,
    pub(super) lease: RawLease,
    pub(super) maxima: RawMaxima,
    pub(super) tls: RawTls,
    pub(super) log: RawLog,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    pub(super) quic_addr: String,
    pub(super) http_addr: String,
    pub(super) allow_plain_http: bool,
    pub(super) drain_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMcp {
    pub(super) hosts: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawData {
    pub(super) dir: String,
    pub(super) store: String,
    pub(super) durability: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEngine {
    pub(super) workers: u64,
    pub(super) shards: u64,
    pub(super) commit_interval_us: u64,
    pub(super) commit_bytes: u64,
    pub(super) commit_backlog_bytes_max: u64,
    pub(super) mailbox_batches_max: u64,
    pub(super) batch_requests_max: u64,
    pub(super) snapshot_journal_bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetention {
    pub(super) max_age_s: u64,
    pub(super) max_bytes: u64,
    pub(super) export_dir: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHolds {
    pub(super) default_s: u64,
    pub(super) max_s: u64,
    pub(super) grace_s: u64,
    pub(super) history_kept_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSessions {
    pub(super) x402_idle_s: u64,
    pub(super) mpp_default_s: u64,
    pub(super) kept_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAgents {
    pub(super) require_wallet: bool,
    pub(super) default_policy_file: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSanctions {
    pub(super) file: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlerts {
    pub(super) detectors: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebhooks {
    pub(super) allow_private_addresses: bool,
    pub(super) allow_http: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLease {
    pub(super) share_percent: u64,
    pub(super) floor: String,
    pub(super) ceiling: String,
    pub(super) count_max: u64,
    pub(super) hold_max_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMaxima {
    pub(super) agents: u64,
    pub(super) names: u64,
    pub(super) open_holds: u64,
    pub(super) finished_holds: u64,
    pub(super) operations: u64,
    pub(super) keys: u64,
    pub(super) webhooks: u64,
    pub(super) open_holds_per_agent: u64,
    pub(super) services_per_agent: u64,
    pub(super) endpoints_per_agent: u64,
    pub(super) sessions_per_agent: u64,
    pub(super) wallets_per_agent: u64,
    pub(super) policies: u64,
    pub(super) counterparties: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) certificate_file: String,
    pub(super) key_file: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) filter: String,
    pub(super) format: String,
}
