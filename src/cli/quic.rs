//! Payment commands ask the gateway over QUIC.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{CliError, exit::USAGE, key_file};
use crate::{
    client::{Client, ClientError, ClientOptions, ConnectError, Fingerprint, Trust},
    kernel::AgentId,
    server::data_dir::DataDir,
    wire::Handle,
};

/// Which gateway, and on whose behalf.
#[derive(Args, Clone, Debug)]
pub(super) struct PayerArgs {
    /// Where the gateway serves QUIC
    #[arg(long, env = "HOLDFAST_ADDR", default_value = "127.0.0.1:4402")]
    addr: SocketAddr,
    /// The agent's key [default: read from <data-dir>/demo.key]
    #[arg(long, env = "HOLDFAST_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The agent to act for, where the key is a platform's
    #[arg(long)]
    agent: Option<AgentId>,
    /// The SHA-256 of the gateway's certificate [default: read from <data-dir>/tls/fingerprint]
    #[arg(long, env = "HOLDFAST_FINGERPRINT")]
    fingerprint: Option<Fingerprint>,
    /// The gateway's data directory, where it runs on this machine
    #[arg(long, env = "HOLDFAST_DATA__DIR", default_value = "holdfast-data")]
    data_dir: PathBuf,
}

impl PayerArgs {
    /// Connects, and asks.
    pub(super) fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Client, Handle) -> Result<T, ClientError>,
    ) -> Result<T, CliError> {
        let options = self.options()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::new(format!("failed to start: {error}")))?;
        runtime.block_on(async {
            let client = Client::connect(options).await.map_err(|error| self.not_connected(&error))?;
            let handle = match (self.agent, client.agent()) {
                (Some(agent), _) => client.resolve(agent).await.map_err(unanswered)?,
                (None, Some(handle)) => handle,
                (None, None) => {
                    return Err(CliError::new("the key is not one agent's")
                        .help("name the agent with --agent")
                        .exit(USAGE));
                }
            };
            question(&client, handle).await.map_err(unanswered)
        })
    }

    fn options(&self) -> Result<ClientOptions, CliError> {
        let data = DataDir::new(&self.data_dir);
        let key = match &self.key {
            Some(key) => key.clone(),
            None => key_file::read("an agent's key", &data.demo_key())?,
        };
        let fingerprint = match self.fingerprint {
            Some(fingerprint) => fingerprint,
            None => key_file::read("the gateway's fingerprint", &data.fingerprint())?
                .parse()
                .map_err(|error| CliError::new(format!("`{}`: {error}", data.fingerprint().display())).exit(USAGE))?,
        };
        Ok(ClientOptions::new(self.addr, Trust::Fingerprint(fingerprint), key))
    }

    fn not_connected(&self, error: &ConnectError) -> CliError {
        let failed = CliError::new(format!("failed to connect to the gateway at {}: {error}", self.addr));
        match error {
            ConnectError::Refused(_) => failed.help("pass a live agent's key with --key or HOLDFAST_KEY"),
            ConnectError::Tls(_) | ConnectError::Connection(_) => failed.help(
                "is it running, and is the fingerprint its own? it prints both at the start; see --addr and --fingerprint",
            ),
            ConnectError::Socket(_)
            | ConnectError::Address(_)
            | ConnectError::Stream(_)
            | ConnectError::Lost(_)
            | ConnectError::TimedOut => failed.help("is it running? start it with `holdfast serve`, or name another with --addr"),
        }
    }
}

fn unanswered(error: ClientError) -> CliError {
    CliError::new(error)
}
