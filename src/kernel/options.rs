//! What an operator may set about decisions. Journalled, so that a replay decides as the live shard did.

use bincode::{Decode, Encode};

use super::{Amount, Duration, policy::PolicySource};

/// The options that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Options {
    /// What an agent without any policy gets.
    pub default_policy: PolicySource,
    /// How long a caller may pay where the request does not say.
    pub hold_default: Duration,
    /// The longest that a request may ask for.
    pub hold_max: Duration,
    /// How much longer than the caller may pay the gateway keeps a hold, for the report.
    pub grace: Duration,
    /// The implicit x402 session ends after so long without a request.
    pub session_idle: Duration,
    /// How long a session with a deposit lasts where neither request nor policy says.
    pub session_default: Duration,
    /// How long a session without a request, or closed, is remembered.
    pub session_kept: Duration,
    /// Whether an agent without a wallet is refused.
    pub require_wallet: bool,
    /// Whether detectors watch how agents pay.
    pub detectors: bool,
    /// What may be approved ahead of the disk.
    pub lease: LeaseOptions,
    /// How long holds that are over, and operations, are remembered.
    pub history_kept: Duration,
    /// Named maxima.
    pub maxima: Maxima,
}

/// The rule that gives each agent its lease: a share of its smallest cumulative limit, within bounds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LeaseOptions {
    /// Percent of the smallest cumulative limit, 0-100.
    pub share_percent: u8,
    /// At least this much, where there is any lease.
    pub floor: Amount,
    /// At most this much; zero switches leases off.
    pub ceiling: Amount,
    /// At most this many approvals.
    pub count_max: u32,
    /// Only holds that last at most this long ride on the lease.
    pub hold_max: Duration,
}

/// How much of each thing there may be.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Maxima {
    /// Agents a shard.
    pub agents: u32,
    /// Distinct recipients and services a shard.
    pub names: u32,
    /// Open holds a shard.
    pub open_holds: u32,
    /// Open holds an agent.
    pub open_holds_per_agent: u32,
    /// Holds that are over and still remembered, a shard.
    pub finished_holds: u32,
    /// Operations remembered, a shard.
    pub operations: u32,
    /// Services an agent.
    pub services_per_agent: u32,
    /// Endpoints an agent, where a policy limits endpoints.
    pub endpoints_per_agent: u32,
    /// Sessions an agent.
    pub sessions_per_agent: u32,
    /// Wallets an agent.
    pub wallets_per_agent: u32,
    /// Policies in force.
    pub policies: u32,
    /// Payees of the directory.
    pub counterparties: u32,
    /// Credentials a shard.
    pub keys: u32,
    /// Webhooks.
    pub webhooks: u32,
}

impl Options {
    /// The documented defaults around `default_policy`.
    #[must_use]
    pub fn new(default_policy: PolicySource) -> Options {
        Options {
            default_policy,
            hold_default: Duration::from_secs(5 * 60),
            hold_max: Duration::from_secs(7 * 24 * 3600),
            grace: Duration::from_secs(30),
            session_idle: Duration::from_secs(30 * 60),
            session_default: Duration::from_secs(3600),
            session_kept: Duration::from_secs(24 * 3600),
            require_wallet: true,
            detectors: true,
            lease: LeaseOptions::default(),
            history_kept: Duration::from_secs(24 * 3600),
            maxima: Maxima::default(),
        }
    }
}

impl Default for LeaseOptions {
    fn default() -> Self {
        LeaseOptions {
            share_percent: 10,
            floor: Amount::ZERO,
            ceiling: Amount::from_units(1000),
            count_max: 10_000,
            hold_max: Duration::from_secs(600),
        }
    }
}

impl Default for Maxima {
    fn default() -> Self {
        Maxima {
            agents: 1 << 22,
            names: 1 << 22,
            open_holds: 1 << 21,
            open_holds_per_agent: 1 << 20,
            finished_holds: 1 << 20,
            operations: 1 << 20,
            services_per_agent: 1024,
            endpoints_per_agent: 1024,
            sessions_per_agent: 256,
            wallets_per_agent: 16,
            policies: 1024,
            counterparties: 100_000,
            keys: 1 << 20,
            webhooks: 64,
        }
    }
}
