//! What an empty data directory gets: a demo agent to try things with, and the operator's key.
//!
//! The operator's key comes last and tells that the first start is complete; whatever a crash interrupts is done again, and doing it
//! again changes nothing. It is also what a gateway gets whose operators revoked all their keys.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    data_dir::{self, DataDir},
    identity::{Identity, KeyKind, ScopeSet, Secret, SecretError},
};
use crate::{
    config::{PolicyFileError, policy_file},
    engine::{Engine, EngineError},
    kernel::{
        AgentId, Amount, Duration, Outcome, Request, Timestamp,
        policy::{PolicyScope, PolicySource},
        request::{AgentStatus, CreateAgent, Principal, WalletSource},
    },
};

/// The demo agent's id.
pub const DEMO_AGENT: AgentId = AgentId(0xde30);
/// The demo agent's policy: every rule of machine payments, with generous limits.
const DEMO_POLICY: &str = include_str!("../../config/policies/machine-payments.toml");
/// How long the demo agent's key lives, as keys of agents do where nothing else is said.
const DEMO_KEY_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// The operator's key ends by being revoked; this is for ever in practice, and still a date that people can read.
const OPERATOR_KEY_LIFETIME: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What the first start made.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FirstStart {
    /// The demo agent's key.
    pub demo_key: Option<PathBuf>,
    /// The operator's key, unless it was chosen.
    pub operator_key: Option<PathBuf>,
}

/// Why the first start failed.
#[derive(Debug, Error)]
pub enum FirstStartError {
    /// The engine did not do it.
    #[error("failed to set up the data directory: {0}")]
    Engine(#[from] EngineError),
    /// The operator's key cannot be used.
    #[error("failed to set the operator's key: {0}")]
    Secret(#[from] SecretError),
    /// A key cannot be written.
    #[error("failed to write `{}`: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The embedded policy cannot be read.
    #[error("failed to read the demo agent's policy: {0}")]
    Policy(#[from] PolicyFileError),
}

/// Prepares a gateway that knows no operator's key; does nothing to any other. Blocks, while the workers are turned elsewhere.
///
/// # Errors
/// [`FirstStartError`]; starting again is safe.
pub fn prepare(
    engine: &Engine,
    identity: &Identity,
    data: &DataDir,
    chosen_key: Option<&str>,
    now: Timestamp,
) -> Result<FirstStart, FirstStartError> {
    if !identity.credentials(KeyKind::Operator).is_empty() {
        return Ok(FirstStart::default());
    }
    let is_empty = engine.status().shards.iter().map(|shard| shard.agents).sum::<u64>() == 0;
    let setup = Setup { engine, data };
    let demo_key = if is_empty || engine.agent(DEMO_AGENT).is_some() { Some(setup.demo(now)?) } else { None };
    Ok(FirstStart { demo_key, operator_key: setup.operator(chosen_key, now)? })
}

struct Setup<'a> {
    engine: &'a Engine,
    data: &'a DataDir,
}

impl Setup<'_> {
    fn demo(&self, now: Timestamp) -> Result<PathBuf, FirstStartError> {
        let shard = self.engine.shard_of(DEMO_AGENT);
        let agent = CreateAgent {
            id: DEMO_AGENT,
            name: "demo",
            agent_type: "CUSTOM",
            status: AgentStatus::Active,
            lease: None,
        };
        if let Outcome::AgentCreated(index) = self.engine.call(shard, &Request::CreateAgent(agent))? {
            self.engine.call(shard, &Request::PutWallet(index, demo_wallet()))?;
        }
        self.engine.put_policy(demo_policy()?, None)?;
        let secret = Secret::random(KeyKind::Agent)?;
        let path = self.data.demo_key();
        self.write(&path, &secret)?;
        let expires_at = now.after(DEMO_KEY_LIFETIME);
        let key = secret.source(Principal::Agent(DEMO_AGENT), "demo", ScopeSet::STANDARD, expires_at);
        self.engine.call(shard, &Request::IssueKey(key))?;
        Ok(path)
    }

    fn operator(&self, chosen: Option<&str>, now: Timestamp) -> Result<Option<PathBuf>, FirstStartError> {
        let (secret, path) = match chosen {
            Some(text) => (Secret::chosen(text)?, None),
            None => (Secret::random(KeyKind::Operator)?, Some(self.data.operator_key())),
        };
        if let Some(path) = &path {
            self.write(path, &secret)?;
        }
        let expires_at = now.after(OPERATOR_KEY_LIFETIME);
        let key = secret.source(Principal::Operator, "first", ScopeSet::ALL, expires_at);
        self.engine.call(self.engine.home(), &Request::IssueKey(key))?;
        Ok(path)
    }

    fn write(&self, path: &Path, secret: &Secret) -> Result<(), FirstStartError> {
        data_dir::write_secret(path, &format!("{}\n", secret.text()))
            .map_err(|source| FirstStartError::Unwritable { path: path.to_owned(), source })
    }
}

fn demo_policy() -> Result<PolicySource, PolicyFileError> {
    let policy = policy_file::parse(DEMO_POLICY)?;
    Ok(PolicySource { scope: PolicyScope::Assigned, agents: vec![DEMO_AGENT], ..policy })
}

fn demo_wallet() -> WalletSource {
    WalletSource {
        id: "wal_123".to_owned(),
        address: "0xAgentWallet".to_owned(),
        chain_id: "8453".to_owned(),
        custody: "EXTERNAL".to_owned(),
        frozen: false,
        balance: Some(Amount::from_units(500)),
        limit_per_payment: None,
        limit_per_day: None,
        limit_per_week: None,
        limit_per_month: None,
        allowed_hours: None,
        allowed_days: 0,
    }
}
