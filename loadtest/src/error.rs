//! Why a load test could not be carried out. A wrong answer of the gateway is not in here: it is a result.

use std::{io, path::PathBuf};

use holdfast::{
    client::{ConnectError, FingerprintError, StreamError},
    server::quic::QuicError,
};
use thiserror::Error;

use crate::{record::RecordError, report::DocumentError, scenario::ScenarioError};

/// Completes "loadtest: …".
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    /// A file cannot be read or written.
    #[error("failed to use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No runtime, no thread, no temporary directory.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
    /// The gateway did not start.
    #[error("the gateway `{}` did not start: {reason}; build it with `cargo build --release`", program.display())]
    Start {
        /// What was started.
        program: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The REST façade is not there.
    #[error("failed to reach the gateway's REST façade at {url}: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The REST façade refused, or answered something else.
    #[error("the gateway answered {method} {path} with {status}: {body}")]
    Rest {
        /// The request.
        method: &'static str,
        /// Its path.
        path: String,
        /// The status of the response.
        status: u16,
        /// The body of the response.
        body: String,
    },
    /// The file in the data directory is not a fingerprint.
    #[error("{} holds no fingerprint: {source}", path.display())]
    Fingerprint {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: FingerprintError,
    },
    /// No connection.
    #[error("failed to connect to the gateway: {0}")]
    Connect(#[from] ConnectError),
    /// The connection broke.
    #[error("the connection to the gateway broke: {0}")]
    Stream(#[from] StreamError),
    /// The gateway refused what the load test needs.
    #[error("the gateway refused to {what}: {reply}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The answer.
        reply: String,
    },
    /// No such scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A file that should be a record is none.
    #[error("{} is {source}", path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: RecordError,
    },
    /// A document has no place for a table.
    #[error("failed to update {}: {source}", path.display())]
    Document {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: DocumentError,
    },
    /// Somebody else's gateway is not ours to kill.
    #[error("only a gateway that the load test has started can be killed; leave out --setup and --key")]
    NotOurs,
    /// There is no Redis to compare with.
    #[error(
        "there is no `redis-server` to compare with; install it (Debian: `apt-get install redis-server`) or leave this comparison out"
    )]
    NoRedis,
    /// Redis did not start, or answered something else than was asked.
    #[error("redis-server: {0}")]
    Redis(String),
    /// The scripts for Redis are for some scenarios only.
    #[error(
        "Redis is asked for x402 payments and captures only, and is not killed; choose a scenario without MPP and crashes"
    )]
    NotForRedis,
    /// The echo server cannot listen.
    #[error("the echo server: {0}")]
    Echo(QuicError),
    /// The echo server did not start.
    #[error("the echo server did not start: it said `{0}`")]
    EchoStart(String),
    /// The engine in this process is always a new one, and cannot be killed alone.
    #[error("an engine in this process is new and lives as long as it; leave out --setup, --key and kills")]
    InProcessOnly,
    /// The engine in this process did not start.
    #[error("the engine in this process failed: {0}")]
    Embedded(String),
    /// A thread of the load test broke an assertion.
    #[error("a thread of the load test failed; this is a bug in the load test")]
    Panicked,
}
