//! The gateway that is put under load: one that runs already, or one of our own in a temporary directory.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use holdfast::client::{ClientOptions, Fingerprint, Trust};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    arguments::{GatewayArguments, OwnGatewayArguments},
    error::LoadError,
    fleet::Fleet,
    operator::Operator,
    record::{self, GatewayCounts, SubjectKind, Transport},
    setup::PARALLEL,
};

/// What a gateway runs with that is told nothing else.
const DEFAULT_CONFIG: &str = include_str!("../../config/holdfast.toml");

/// The operator's key of a gateway that is started only for a load test, on the loopback interface.
const OWN_OPERATOR_KEY: &str = "loadtest-operator-key-of-a-temporary-gateway";

/// Where a gateway is, and how it is recognised.
pub(crate) struct Gateway {
    pub(crate) addr: SocketAddr,
    pub(crate) url: String,
    fingerprint: Fingerprint,
    operator_key: OperatorKey,
    /// Present where the gateway is ours.
    own: Option<Mutex<OwnGateway>>,
}

/// The operator's key, which only some commands need.
enum OperatorKey {
    Known(String),
    InFile(PathBuf),
}

impl Gateway {
    /// A gateway that somebody else has started.
    pub(crate) fn running(arguments: &GatewayArguments) -> Result<Gateway, LoadError> {
        let in_data_dir = |name: &str| arguments.data_dir.join(name);
        Ok(Gateway {
            addr: arguments.addr,
            url: arguments.url.clone(),
            fingerprint: match arguments.fingerprint {
                Some(fingerprint) => fingerprint,
                None => read_fingerprint(&in_data_dir("tls/fingerprint"))?,
            },
            operator_key: match &arguments.operator_key {
                Some(key) => OperatorKey::Known(key.clone()),
                None => OperatorKey::InFile(in_data_dir("operator.key")),
            },
            own: None,
        })
    }

    /// Starts a gateway in a temporary directory, on ports that the system chooses.
    pub(crate) fn start(arguments: &OwnGatewayArguments) -> Result<Gateway, LoadError> {
        let program = match &arguments.gateway_program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("holdfast"),
        };
        let (mut own, welcome) = OwnGateway::start(program.clone(), arguments.gateway_config.clone())?;
        let field = |name: &str| welcome.get(name).and_then(Value::as_str);
        let told = (
            field("quicAddr").and_then(|text| text.parse::<SocketAddr>().ok()),
            field("fingerprint").and_then(|text| text.parse().ok()),
            field("httpAddr"),
        );
        let (Some(addr), Some(fingerprint), Some(http_addr)) = told else {
            return Err(LoadError::Start { program, reason: format!("it said {welcome}") });
        };
        // Whatever comes after it is found where it was.
        (own.quic_addr, own.http_addr) = (addr.to_string(), http_addr.to_owned());
        Ok(Gateway {
            addr,
            url: format!("http://{http_addr}"),
            fingerprint,
            operator_key: OperatorKey::Known(OWN_OPERATOR_KEY.to_owned()),
            own: Some(Mutex::new(own)),
        })
    }

    pub(crate) fn operator(&self) -> Result<Operator, LoadError> {
        let key = match &self.operator_key {
            OperatorKey::Known(key) => key.clone(),
            OperatorKey::InFile(path) => read(path)?.trim().to_owned(),
        };
        Ok(Operator::new(&self.url, &key, PARALLEL))
    }

    pub(crate) fn client_options(&self, key: &str) -> ClientOptions {
        ClientOptions {
            client_name: concat!("loadtest/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..ClientOptions::new(self.addr, Trust::Fingerprint(self.fingerprint), key)
        }
    }

    /// The process, where it is ours.
    pub(crate) fn process(&self) -> Option<u32> {
        self.own.as_ref().map(|own| lock(own).child.id())
    }

    /// Ends the process as `kill -9` does, where it is ours.
    pub(crate) fn kill(&self) {
        if let Some(own) = &self.own {
            lock(own).kill();
        }
    }

    /// Starts it again on its data and its ports, where it is ours; returns once it serves.
    pub(crate) fn restart(&self) -> Result<(), LoadError> {
        let Some(own) = &self.own else { return Ok(()) };
        lock(own).spawn().map(|_| ())
    }

    /// As the record describes it.
    pub(crate) fn described(&self, transport: Transport, fleet: &Fleet) -> record::Subject {
        let own = self.own.as_ref().map(lock);
        record::Subject {
            what: SubjectKind::Holdfast,
            version: own.as_ref().and_then(|own| own.version.clone()),
            transport,
            durability: own.and_then(|own| durability(own.config.as_deref())),
            workers: u32::try_from(fleet.workers()).ok(),
            shards: u32::try_from(fleet.shards()).ok(),
        }
    }

    /// What it has counted since it started, where it is ours.
    pub(crate) fn counts(&self) -> Result<Option<GatewayCounts>, LoadError> {
        let Some(_) = self.own else { return Ok(None) };
        Ok(Some(counts_of(&self.operator()?.get("/api/status")?)))
    }
}

fn lock(own: &Mutex<OwnGateway>) -> MutexGuard<'_, OwnGateway> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an acknowledgement survives, as the configuration says: the default one, with the lines of a file over it.
fn durability(config: Option<&Path>) -> Option<String> {
    let default: toml::Table = toml::from_str(DEFAULT_CONFIG).ok()?;
    let file = config.map(fs::read_to_string).transpose().ok()?.unwrap_or_default();
    let file: toml::Table = toml::from_str(&file).ok()?;
    let key = |section: &str, key: &str| {
        let of = |table: &toml::Table| table.get(section)?.get(key).cloned();
        of(&file).or_else(|| of(&default))
    };
    let interval_us = key("engine", "commit_interval_us")?.as_integer()?;
    let (store, durability) = (key("data", "store")?, key("data", "durability")?);
    Some(format!("{}, {}, {} ms", store.as_str()?, durability.as_str()?, interval_us as f64 / 1e3))
}

/// The counts of all workers together.
fn counts_of(status: &Value) -> GatewayCounts {
    let sum = |name: &str| -> u64 {
        let workers = status["workers"].as_array().into_iter().flatten();
        workers.filter_map(|worker| worker[name].as_u64()).sum()
    };
    let (approvals, leased) = (sum("approvals"), sum("leased"));
    GatewayCounts {
        approvals,
        denials: sum("denials"),
        leased,
        commits: status["commits"]["commits"].as_u64().unwrap_or(0),
        commit_bytes: status["commits"]["bytes"].as_u64().unwrap_or(0),
        waited_share: waited_share(approvals, leased),
    }
}

/// What it has counted since `before`.
pub(crate) fn since(after: &GatewayCounts, before: &GatewayCounts) -> GatewayCounts {
    let (approvals, leased) =
        (after.approvals.saturating_sub(before.approvals), after.leased.saturating_sub(before.leased));
    GatewayCounts {
        approvals,
        denials: after.denials.saturating_sub(before.denials),
        leased,
        commits: after.commits.saturating_sub(before.commits),
        commit_bytes: after.commit_bytes.saturating_sub(before.commit_bytes),
        waited_share: waited_share(approvals, leased),
    }
}

fn waited_share(approvals: u64, leased: u64) -> f64 {
    approvals.saturating_sub(leased) as f64 / approvals.max(1) as f64
}

fn read(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::File { path: path.to_owned(), source })
}

fn read_fingerprint(path: &Path) -> Result<Fingerprint, LoadError> {
    read(path)?.trim().parse().map_err(|source| LoadError::Fingerprint { path: path.to_owned(), source })
}

/// A gateway that ends with this value, and its data with it.
#[derive(Debug)]
struct OwnGateway {
    child: Child,
    program: PathBuf,
    config: Option<PathBuf>,
    quic_addr: String,
    http_addr: String,
    version: Option<String>,
    directory: TempDir,
}

impl OwnGateway {
    /// Returns once it serves, with what it says about itself.
    fn start(program: PathBuf, config: Option<PathBuf>) -> Result<(OwnGateway, Value), LoadError> {
        let directory = tempfile::Builder::new().prefix("holdfast-loadtest-").tempdir()?;
        let any = "127.0.0.1:0".to_owned();
        let (child, welcome) = spawn(&program, config.as_deref(), directory.path(), &any, &any)?;
        let version = welcome.get("version").and_then(Value::as_str).map(str::to_owned);
        Ok((OwnGateway { child, program, config, quic_addr: any.clone(), http_addr: any, version, directory }, welcome))
    }

    /// Starts it on the data that is there.
    fn spawn(&mut self) -> Result<Value, LoadError> {
        let (program, config) = (&self.program, self.config.as_deref());
        let (child, welcome) = spawn(program, config, self.directory.path(), &self.quic_addr, &self.http_addr)?;
        self.child = child;
        Ok(welcome)
    }

    fn kill(&mut self) {
        // It fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns once it serves, with what it says about itself.
fn spawn(
    program: &Path,
    config: Option<&Path>,
    directory: &Path,
    quic_addr: &str,
    http_addr: &str,
) -> Result<(Child, Value), LoadError> {
    let failed = |reason: String| LoadError::Start { program: program.to_owned(), reason };
    let mut command = Command::new(program);
    command.args(["--json", "serve", "--quic-addr", quic_addr, "--http-addr", http_addr, "--data-dir"]);
    command.arg(directory.join("data"));
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.env("HOLDFAST_OPERATOR_KEY", OWN_OPERATOR_KEY).env("HOLDFAST_LOG__FILTER", "warn");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| failed(error.to_string()))?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    match serde_json::from_str(&line) {
        Ok(welcome) => Ok((child, welcome)),
        Err(_) => {
            // What does not say where it serves is of no use.
            let _ = child.kill();
            let _ = child.wait();
            Err(failed(format!("it said `{}`", line.trim_end())))
        }
    }
}

impl Drop for OwnGateway {
    fn drop(&mut self) {
        // Its data is thrown away, so nothing is lost by not letting it finish.
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_counts_of_all_workers_are_added() {
        let status = json!({
            "workers": [{ "approvals": 3, "denials": 1, "leased": 2 }, { "approvals": 5, "denials": 0, "leased": 4 }],
            "commits": { "commits": 5, "bytes": 600 },
        });
        let counts = counts_of(&status);
        assert_eq!((counts.approvals, counts.denials, counts.leased), (8, 1, 6));
        assert_eq!((counts.commits, counts.commit_bytes, counts.waited_share), (5, 600, 0.25));
        assert_eq!(since(&counts, &counts), GatewayCounts::default());
    }

    #[test]
    fn durability_is_the_default_unless_a_file_says_otherwise() {
        let default = durability(None).unwrap();
        assert!(default.starts_with("sled, process, "), "{default}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("holdfast.toml");
        fs::write(&file, "[data]\ndurability = \"power\"\n[engine]\ncommit_interval_us = 1500\n").unwrap();
        assert_eq!(durability(Some(&file)).unwrap(), "sled, power, 1.5 ms");
    }
}
