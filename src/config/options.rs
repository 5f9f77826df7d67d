//! The checked options: what the program uses, in its own types, every value within its range.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use axum::http::uri::Authority;
use figment::Figment;

use super::{
    ConfigError,
    load::{origin_of, read},
    policy_file,
    raw::{RawAgents, RawConfig, RawData, RawEngine, RawLog, RawMaxima, RawMcp, RawRetention, RawServer, RawTls},
};
use crate::{
    engine::{CommitOptions, EngineOptions, RetentionOptions, SnapshotOptions},
    journal::GROUP_BYTES_MAX,
    kernel::{
        Amount, Duration, Options,
        options::{LeaseOptions, Maxima},
        policy::PolicySource,
    },
    telemetry::LogFormat,
};

/// What an agent without any policy gets, unless a file is named.
const DEFAULT_POLICY: &str = include_str!("../../config/policies/default.toml");
const YEAR_S: u64 = 365 * 24 * 3600;
const DAY_S: u64 = 24 * 3600;

/// A whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where and how is served.
    pub server: ServerOptions,
    /// How language models reach it.
    pub mcp: McpOptions,
    /// Where and how the journal is kept.
    pub data: DataOptions,
    /// The engine's and the kernel's options.
    pub engine: EngineOptions,
    /// Where webhooks may be.
    pub webhooks: WebhookOptions,
    /// The certificate from files; self-signed where absent.
    pub tls: Option<TlsFiles>,
    /// The list of sanctions that is loaded at a start; none where absent.
    pub sanctions_file: Option<PathBuf>,
    /// What is logged.
    pub log: LogOptions,
}

/// Where and how is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// UDP address of the first worker's QUIC endpoint.
    pub quic_addr: SocketAddr,
    /// TCP address of the REST façade.
    pub http_addr: SocketAddr,
    /// How long requests in flight may take after the order to stop.
    pub drain: std::time::Duration,
}

/// How language models reach the gateway over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpOptions {
    /// The names under which it answers, beside those of the loopback address and the one of `http_addr`; each may have a port.
    pub hosts: Vec<String>,
}

/// Where webhooks may be, beside public addresses over HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Also at addresses that are not public.
    pub allow_private_addresses: bool,
    /// Also over plain HTTP.
    pub allow_http: bool,
}

/// Where and how the journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// Which store.
    pub store: StoreKind,
    /// What an acknowledged write survives.
    pub durability: Durability,
}

/// Which store keeps the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// On disk.
    Sled,
    /// Nowhere: forgotten at the end.
    Memory,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process, `kill -9` included.
    Process,
    /// A power cut as well.
    Power,
}

/// A certificate chain and its key as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// In the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// For whom.
    pub format: LogFormat,
}

/// Turns what was written into what is used.
pub(super) fn check(raw: &RawConfig, figment: &Figment) -> Result<Config, ConfigError> {
    let checker = Checker { figment };
    let default_policy = checker.default_policy(&raw.agents)?;
    Ok(Config {
        server: checker.server(&raw.server)?,
        mcp: checker.mcp(&raw.mcp)?,
        data: checker.data(&raw.data)?,
        engine: EngineOptions {
            retention: checker.retention(&raw.retention)?,
            ..checker.engine(&raw.engine, checker.kernel(raw, default_policy)?)?
        },
        webhooks: WebhookOptions {
            allow_private_addresses: raw.webhooks.allow_private_addresses,
            allow_http: raw.webhooks.allow_http,
        },
        tls: checker.tls(&raw.tls)?,
        sanctions_file: (!raw.sanctions.file.is_empty()).then(|| PathBuf::from(&raw.sanctions.file)),
        log: checker.log(&raw.log)?,
    })
}

/// Knows where each value was written, for the messages.
struct Checker<'a> {
    figment: &'a Figment,
}

impl Checker<'_> {
    fn server(&self, raw: &RawServer) -> Result<ServerOptions, ConfigError> {
        let http_addr: SocketAddr = self.address("server.http_addr", &raw.http_addr)?;
        if !http_addr.ip().is_loopback() && !raw.allow_plain_http {
            let expected = "a loopback address such as 127.0.0.1:8402, because keys would cross the network in the clear; \
                set `allow_plain_http = true` under [server] if something in front of it encrypts";
            return Err(self.invalid("server.http_addr", &raw.http_addr, expected));
        }
        Ok(ServerOptions {
            quic_addr: self.address("server.quic_addr", &raw.quic_addr)?,
            http_addr,
            drain: std::time::Duration::from_millis(self.number("server.drain_ms", raw.drain_ms, 0..=600_000)?),
        })
    }

    fn mcp(&self, raw: &RawMcp) -> Result<McpOptions, ConfigError> {
        let hosts = raw.hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        let hosts: Vec<String> = hosts.map(str::to_owned).collect();
        let is_host = |host: &String| {
            host.parse::<Authority>().is_ok_and(|parsed| !host.contains('@') && !parsed.host().is_empty())
        };
        if hosts.iter().all(is_host) {
            Ok(McpOptions { hosts })
        } else {
            Err(self.invalid("mcp.hosts", &raw.hosts, "names such as \"pay.example.com, pay.example.com:8443\""))
        }
    }

    fn data(&self, raw: &RawData) -> Result<DataOptions, ConfigError> {
        if raw.dir.is_empty() {
            return Err(self.invalid("data.dir", &raw.dir, "a directory"));
        }
        let stores = [("sled", StoreKind::Sled), ("memory", StoreKind::Memory)];
        let levels = [("process", Durability::Process), ("power", Durability::Power)];
        Ok(DataOptions {
            dir: PathBuf::from(&raw.dir),
            store: self.choice("data.store", &raw.store, &stores)?,
            durability: self.choice("data.durability", &raw.durability, &levels)?,
        })
    }

    fn engine(&self, raw: &RawEngine, kernel: Options) -> Result<EngineOptions, ConfigError> {
        let commit_bytes = self.number("engine.commit_bytes", raw.commit_bytes, 4096..=GROUP_BYTES_MAX as u64)?;
        let backlog = commit_bytes as u64..=1 << 40;
        Ok(EngineOptions {
            shards: self.number("engine.shards", raw.shards, 1..=1024)?,
            workers: self.number("engine.workers", raw.workers, 1..=64)?,
            kernel,
            commit: CommitOptions {
                interval_us: self.number("engine.commit_interval_us", raw.commit_interval_us, 0..=1_000_000)?,
                bytes_max: commit_bytes,
                backlog_bytes_max: self.number(
                    "engine.commit_backlog_bytes_max",
                    raw.commit_backlog_bytes_max,
                    backlog,
                )?,
            },
            mailbox_batches_max: self.number("engine.mailbox_batches_max", raw.mailbox_batches_max, 1..=1_048_576)?,
            batch_requests_max: self.number("engine.batch_requests_max", raw.batch_requests_max, 1..=65_536)?,
            snapshot: SnapshotOptions {
                journal_bytes: self.number(
                    "engine.snapshot_journal_bytes",
                    raw.snapshot_journal_bytes,
                    65_536..=1 << 50,
                )?,
            },
            retention: RetentionOptions::default(),
        })
    }

    /// Zero stands for no limit, and no text for no directory.
    fn retention(&self, raw: &RawRetention) -> Result<RetentionOptions, ConfigError> {
        let age = |max_age_s| self.seconds("retention.max_age_s", max_age_s, 3600..=100 * YEAR_S);
        let bytes = |max_bytes| self.number("retention.max_bytes", max_bytes, 1 << 20..=1 << 50);
        let given = |value: u64| Some(value).filter(|value| *value > 0);
        Ok(RetentionOptions {
            age_max: given(raw.max_age_s).map(age).transpose()?,
            bytes_max: given(raw.max_bytes).map(bytes).transpose()?,
            export_dir: Some(&raw.export_dir).filter(|directory| !directory.is_empty()).map(PathBuf::from),
        })
    }

    fn kernel(&self, raw: &RawConfig, default_policy: PolicySource) -> Result<Options, ConfigError> {
        let (holds, sessions) = (&raw.holds, &raw.sessions);
        Ok(Options {
            default_policy,
            hold_max: self.seconds("holds.max_s", holds.max_s, 1..=YEAR_S)?,
            hold_default: self.seconds("holds.default_s", holds.default_s, 1..=holds.max_s)?,
            grace: self.seconds("holds.grace_s", holds.grace_s, 0..=DAY_S)?,
            session_idle: self.seconds("sessions.x402_idle_s", sessions.x402_idle_s, 1..=YEAR_S)?,
            session_default: self.seconds("sessions.mpp_default_s", sessions.mpp_default_s, 1..=holds.max_s)?,
            session_kept: self.seconds("sessions.kept_s", sessions.kept_s, 60..=YEAR_S)?,
            require_wallet: raw.agents.require_wallet,
            detectors: raw.alerts.detectors,
            lease: self.lease(raw)?,
            history_kept: self.seconds("holds.history_kept_s", holds.history_kept_s, 60..=YEAR_S)?,
            maxima: self.maxima(&raw.maxima)?,
        })
    }

    fn lease(&self, raw: &RawConfig) -> Result<LeaseOptions, ConfigError> {
        let lease = &raw.lease;
        let (floor, ceiling) = (self.money("lease.floor", &lease.floor)?, self.money("lease.ceiling", &lease.ceiling)?);
        if floor > ceiling {
            let expected = format!("at most `lease.ceiling`, which is \"{ceiling}\"");
            return Err(self.invalid("lease.floor", &lease.floor, &expected));
        }
        Ok(LeaseOptions {
            share_percent: self.number("lease.share_percent", lease.share_percent, 0..=100)?,
            floor,
            ceiling,
            count_max: self.number("lease.count_max", lease.count_max, 1..=u64::from(u32::MAX))?,
            hold_max: self.seconds("lease.hold_max_s", lease.hold_max_s, 1..=DAY_S)?,
        })
    }

    fn maxima(&self, raw: &RawMaxima) -> Result<Maxima, ConfigError> {
        let count = |key, value| self.number::<u32>(key, value, 1..=u64::from(u32::MAX));
        Ok(Maxima {
            agents: count("maxima.agents", raw.agents)?,
            names: count("maxima.names", raw.names)?,
            open_holds: count("maxima.open_holds", raw.open_holds)?,
            open_holds_per_agent: count("maxima.open_holds_per_agent", raw.open_holds_per_agent)?,
            finished_holds: count("maxima.finished_holds", raw.finished_holds)?,
            operations: count("maxima.operations", raw.operations)?,
            services_per_agent: count("maxima.services_per_agent", raw.services_per_agent)?,
            endpoints_per_agent: count("maxima.endpoints_per_agent", raw.endpoints_per_agent)?,
            sessions_per_agent: count("maxima.sessions_per_agent", raw.sessions_per_agent)?,
            wallets_per_agent: count("maxima.wallets_per_agent", raw.wallets_per_agent)?,
            policies: count("maxima.policies", raw.policies)?,
            counterparties: count("maxima.counterparties", raw.counterparties)?,
            keys: count("maxima.keys", raw.keys)?,
            webhooks: count("maxima.webhooks", raw.webhooks)?,
        })
    }

    fn default_policy(&self, raw: &RawAgents) -> Result<PolicySource, ConfigError> {
        let path = PathBuf::from(&raw.default_policy_file);
        let (origin, text) = if raw.default_policy_file.is_empty() {
            ("config/policies/default.toml".to_owned(), DEFAULT_POLICY.to_owned())
        } else {
            (raw.default_policy_file.clone(), read("the default policy", &path)?)
        };
        policy_file::parse(&text).map_err(|error| ConfigError::DefaultPolicy { origin, message: error.to_string() })
    }

    fn tls(&self, raw: &RawTls) -> Result<Option<TlsFiles>, ConfigError> {
        match (raw.certificate_file.is_empty(), raw.key_file.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => {
                Ok(Some(TlsFiles { certificate: (&raw.certificate_file).into(), key: (&raw.key_file).into() }))
            }
            (true, false) => Err(self.invalid("tls.key_file", &raw.key_file, "tls.certificate_file beside it")),
            (false, true) => Err(self.invalid("tls.certificate_file", &raw.certificate_file, "tls.key_file beside it")),
        }
    }

    fn log(&self, raw: &RawLog) -> Result<LogOptions, ConfigError> {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&raw.filter) {
            return Err(self.invalid("log.filter", &raw.filter, &format!("a log filter such as \"info\" ({error})")));
        }
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        Ok(LogOptions { filter: raw.filter.clone(), format: self.choice("log.format", &raw.format, &formats)? })
    }

    fn address(&self, key: &str, value: &str) -> Result<SocketAddr, ConfigError> {
        SocketAddr::from_str(value)
            .map_err(|_| self.invalid(key, value, "an IP address and a port, such as \"127.0.0.1:4402\""))
    }

    fn money(&self, key: &str, value: &str) -> Result<Amount, ConfigError> {
        Amount::parse(value).map_err(|error| self.invalid(key, value, &format!("an amount such as \"0.05\"; {error}")))
    }

    fn seconds(&self, key: &str, value: u64, range: RangeInclusive<u64>) -> Result<Duration, ConfigError> {
        self.number(key, value, range).map(Duration::from_secs)
    }

    fn number<N: TryFrom<u64>>(&self, key: &str, value: u64, range: RangeInclusive<u64>) -> Result<N, ConfigError> {
        let fits = range.contains(&value).then(|| N::try_from(value).ok()).flatten();
        fits.ok_or_else(|| {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.invalid_number(key, value, &expected)
        })
    }

    fn choice<T: Copy>(&self, key: &str, value: &str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        choices.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.invalid(key, value, &words.join(" or "))
        })
    }

    fn invalid(&self, key: &str, value: &str, expected: &str) -> ConfigError {
        self.refuse(key, format!("\"{value}\""), expected)
    }

    fn invalid_number(&self, key: &str, value: u64, expected: &str) -> ConfigError {
        self.refuse(key, value.to_string(), expected)
    }

    fn refuse(&self, key: &str, value: String, expected: &str) -> ConfigError {
        ConfigError::Invalid {
            key: key.to_owned(),
            value,
            origin: origin_of(key, self.figment),
            expected: expected.to_owned(),
        }
    }
}
