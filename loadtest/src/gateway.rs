//! The gateway that is put under load: one that runs already, or one of our own in a temporary directory.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use holdfast::client::{ClientOptions, Fingerprint, Trust};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    arguments::{GatewayArguments, RunArguments},
    error::LoadError,
    operator::Operator,
    setup::PARALLEL,
};

/// The operator's key of a gateway that is started only for a load test, on the loopback interface.
const OWN_OPERATOR_KEY: &str = "loadtest-operator-key-of-a-temporary-gateway";

/// Where a gateway is, and how it is recognised.
pub(crate) struct Gateway {
    pub(crate) addr: SocketAddr,
    url: String,
    fingerprint: Fingerprint,
    operator_key: OperatorKey,
    /// Present where the gateway is ours.
    own: Option<OwnGateway>,
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
    pub(crate) fn start(arguments: &RunArguments) -> Result<Gateway, LoadError> {
        let program = match &arguments.gateway_program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("holdfast"),
        };
        let (own, welcome) = OwnGateway::start(&program, arguments.gateway_config.as_deref())?;
        let field = |name: &str| welcome.get(name).and_then(Value::as_str);
        let told = (
            field("quicAddr").and_then(|text| text.parse().ok()),
            field("fingerprint").and_then(|text| text.parse().ok()),
            field("httpAddr"),
        );
        let (Some(addr), Some(fingerprint), Some(http_addr)) = told else {
            return Err(LoadError::Start { program, reason: format!("it said {welcome}") });
        };
        Ok(Gateway {
            addr,
            url: format!("http://{http_addr}"),
            fingerprint,
            operator_key: OperatorKey::Known(OWN_OPERATOR_KEY.to_owned()),
            own: Some(own),
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
        self.own.as_ref().map(|own| own.child.id())
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::File { path: path.to_owned(), source })
}

fn read_fingerprint(path: &Path) -> Result<Fingerprint, LoadError> {
    read(path)?.trim().parse().map_err(|source| LoadError::Fingerprint { path: path.to_owned(), source })
}

/// A gateway that ends with this value, and its data with it.
struct OwnGateway {
    child: Child,
    _directory: TempDir,
}

impl OwnGateway {
    /// Returns once it serves, with what it says about itself.
    fn start(program: &Path, config: Option<&Path>) -> Result<(OwnGateway, Value), LoadError> {
        let directory = tempfile::Builder::new().prefix("holdfast-loadtest-").tempdir()?;
        let failed = |reason: String| LoadError::Start { program: program.to_owned(), reason };
        let mut command = Command::new(program);
        command.args(["--json", "serve", "--quic-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"]);
        command.arg(directory.path().join("data"));
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        command.env("HOLDFAST_OPERATOR_KEY", OWN_OPERATOR_KEY).env("HOLDFAST_LOG__FILTER", "warn");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut own = OwnGateway { child: child.map_err(|error| failed(error.to_string()))?, _directory: directory };
        let mut line = String::new();
        if let Some(output) = own.child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let welcome = serde_json::from_str(&line).map_err(|_| failed(format!("it said `{}`", line.trim_end())))?;
        Ok((own, welcome))
    }
}

impl Drop for OwnGateway {
    fn drop(&mut self) {
        // Its data is thrown away, so nothing is lost by not letting it finish. It fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
