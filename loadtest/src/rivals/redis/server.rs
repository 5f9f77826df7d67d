//! A `redis-server` of our own: a fresh directory, a socket in it, the durability that was asked for, and nothing in the background.

use std::{
    fs,
    io::ErrorKind,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use serde::Deserialize;
use tempfile::TempDir;

use crate::error::LoadError;

const PROGRAM: &str = "redis-server";
/// How long it may take to serve; an empty one takes milliseconds.
const START_MAX: Duration = Duration::from_secs(10);
/// How often is looked whether it serves.
const START_TICK: Duration = Duration::from_millis(5);

/// What an answer of Redis survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fsync {
    /// A power cut: the log is synced before any answer of a turn leaves
    Always,
    /// The end of the process, as with the gateway's default; a power cut takes up to a second of answers
    #[default]
    Everysec,
}

impl Fsync {
    fn text(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::Everysec => "everysec",
        }
    }
}

/// A server that ends with this value, and its data with it.
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Child,
    directory: TempDir,
    fsync: Fsync,
    version: String,
}

impl RedisServer {
    /// Returns once it serves.
    pub(crate) fn start(fsync: Fsync) -> Result<RedisServer, LoadError> {
        let directory = tempfile::Builder::new().prefix("loadtest-redis-").tempdir()?;
        let version = version()?;
        let mut command = Command::new(PROGRAM);
        command.arg("--dir").arg(directory.path()).arg("--unixsocket").arg(directory.path().join("socket"));
        command.args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", fsync.text()]);
        // Nothing rewrites the log in the background of a measurement.
        command.args(["--auto-aof-rewrite-percentage", "0", "--daemonize", "no", "--logfile"]);
        command.arg(directory.path().join("log"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut server = RedisServer { child: child.map_err(missing)?, directory, fsync, version };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// The process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Such as `7.0.15`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// What its answers survive, and what it is not spared, in words.
    pub(crate) fn durability(&self) -> String {
        format!("append-only file, fsync {}; one thread, no replica", self.fsync.text())
    }

    fn wait_until_ready(&mut self) -> Result<(), LoadError> {
        let end = Instant::now() + START_MAX;
        while UnixStream::connect(self.socket()).is_err() {
            if self.child.try_wait()?.is_some() || Instant::now() > end {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                return Err(LoadError::Redis(format!("it did not start: {}", log.lines().last().unwrap_or_default())));
            }
            thread::sleep(START_TICK);
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Its data is thrown away. It fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn version() -> Result<String, LoadError> {
    let output = Command::new(PROGRAM).arg("--version").output().map_err(missing)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(version.unwrap_or("unknown").to_owned())
}

fn missing(error: std::io::Error) -> LoadError {
    match error.kind() {
        ErrorKind::NotFound => LoadError::NoRedis,
        _ => LoadError::System(error),
    }
}
