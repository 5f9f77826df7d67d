//! What may be typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use holdfast::{client::Fingerprint, kernel::Amount};

/// The longest measurement: with the warm-up it must end before the first hold expires (5 minutes), or the books of both
/// sides could not be compared to the last micro-unit.
const SECONDS_MAX: u64 = 240;

/// Load generator for Holdfast
///
/// Asks a gateway for payments over QUIC, measures how long each answer takes, and checks afterwards that gateway and clients agree
/// on every one of them. Exit code 0: all is right. 1: a limit was exceeded, or the books differ. 2: it could not be carried out.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make agents with a wallet each, a policy with every rule, and a platform's key that acts for all of them
    Setup(SetupArguments),
    /// Ask for payments, measure, and check
    Run(RunArguments),
}

#[derive(Args, Debug)]
pub(crate) struct SetupArguments {
    #[command(flatten)]
    pub(crate) agents: AgentArguments,
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
}

#[derive(Args, Debug)]
pub(crate) struct AgentArguments {
    /// How many agents pay
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub(crate) agents: u32,
}

/// Where a gateway is that runs already.
#[derive(Args, Clone, Debug)]
pub(crate) struct GatewayArguments {
    /// Where it serves QUIC
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4402")]
    pub(crate) addr: SocketAddr,
    /// Where it serves REST
    #[arg(long, value_name = "URL", env = "HOLDFAST_URL", default_value = "http://127.0.0.1:8402")]
    pub(crate) url: String,
    /// Its data directory, where the operator's key and the certificate's fingerprint are read
    #[arg(long, value_name = "DIR", default_value = "holdfast-data")]
    pub(crate) data_dir: PathBuf,
    /// The operator's key [default: from the data directory]
    #[arg(long, value_name = "KEY", env = "HOLDFAST_KEY", hide_env_values = true)]
    pub(crate) operator_key: Option<String>,
    /// The SHA-256 of its certificate [default: from the data directory]
    #[arg(long, value_name = "SHA256")]
    pub(crate) fingerprint: Option<Fingerprint>,
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) agents: AgentArguments,
    /// Start the built gateway with a temporary data directory, set it up, and stop it in the end
    #[arg(long, conflicts_with_all = ["setup", "key", "addr", "data_dir", "fingerprint"])]
    pub(crate) start_gateway: bool,
    /// The program to start [default: `holdfast` beside this program]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["setup", "key"])]
    pub(crate) gateway_program: Option<PathBuf>,
    /// A configuration file for the gateway that is started
    #[arg(long, value_name = "FILE", conflicts_with_all = ["setup", "key"])]
    pub(crate) gateway_config: Option<PathBuf>,
    /// Set the gateway up first
    #[arg(long)]
    pub(crate) setup: bool,
    /// The platform's key that `loadtest setup` printed; needed without --setup
    #[arg(long, value_name = "KEY", conflicts_with = "setup",
          required_unless_present_any = ["setup", "start_gateway"])]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the percentiles of the authorizations in milliseconds to a file that HdrHistogram plotters read
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
}

/// How much is asked, and for how long.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LoadArguments {
    /// QUIC connections, divided evenly among the gateway's workers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: u16,
    /// Threads that generate the load
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Closed loop: requests that wait for an answer on each connection; an answer is followed by the next request
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) outstanding: u32,
    /// Open loop: requests a second on all connections together, sent when they are due whether or not earlier ones are answered
    #[arg(long, value_name = "N", conflicts_with = "outstanding", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) rate: Option<u32>,
    /// Requests in a frame: a frame is sent when it has so many [default: all that may be sent at the time]
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) per_frame: Option<u32>,
    /// Share of the approvals that are captured in full, 0 to 1; a capture takes the place of a request
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) captures: f64,
    /// What each payment costs
    #[arg(long, value_name = "AMOUNT", default_value = "0.0001", value_parser = Amount::parse)]
    pub(crate) amount: Amount,
    /// Seconds before the measurement begins
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=30))]
    pub(crate) warm_up: u64,
    /// Seconds that are measured
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    pub(crate) seconds: u64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("expected a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let accepted = |line: &str| Arguments::try_parse_from(line.split(' ')).is_ok();
        assert!(accepted("loadtest run --start-gateway"));
        assert!(accepted("loadtest run --setup --rate 50000"));
        assert!(accepted("loadtest run --key abc --captures 0.2 --per-frame 16"));
        for line in [
            "loadtest run",
            "loadtest run --key abc --setup",
            "loadtest run --start-gateway --addr 127.0.0.1:1",
            "loadtest run --setup --rate 5 --outstanding 5",
            "loadtest run --setup --captures 1.5",
            "loadtest run --setup --captures NaN",
            "loadtest run --setup --seconds 241",
            "loadtest run --setup --amount 0.0000001",
            "loadtest run --setup --gateway-program x",
        ] {
            assert!(!accepted(line), "{line}");
        }
    }
}
