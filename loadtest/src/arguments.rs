//! What may be typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use holdfast::{client::Fingerprint, kernel::Amount};

use crate::settings::Settings;

/// Load generator for Holdfast
///
/// Asks a gateway for payments, measures how long each answer takes, and checks afterwards that gateway and clients agree
/// on every one of them. Exit code 0: all is right. 1: a limit was exceeded, or the books differ. 2: it could not be carried out.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a scenario, measure, and check
    Run(Box<RunArguments>),
    /// Search the highest rate that keeps a percentile of the waits
    FindCapacity(Box<CapacityArguments>),
    /// List the scenarios
    Scenarios,
    /// Show one run again, or several side by side
    #[command(visible_alias = "report")]
    Compare(CompareArguments),
    /// Put tables of runs into documents, between `<!-- performance: begin -->` or `<!-- targets: begin -->` and the same with `end`
    Document(DocumentArguments),
    /// Make agents with a wallet each, a policy with every rule, and a platform's key that acts for all of them
    Setup(SetupArguments),
    /// Carry the same frames as a gateway and decide nothing, until standard input ends; `run` starts it by itself
    #[command(hide = true)]
    Echo(EchoArguments),
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) play: PlayArguments,
    #[command(flatten)]
    pub(crate) outputs: OutputArguments,
    /// Only the load itself, without the echo of the same frames and the machine's own stalls, which take some seconds more
    #[arg(long)]
    pub(crate) bare: bool,
    /// Show the run beside those whose records are in these files, in the summary and in the HTML report
    #[arg(long, value_name = "RECORD", num_args = 1..)]
    pub(crate) compare: Vec<PathBuf>,
}

/// What is played, and with whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlayArguments {
    /// The name of a scenario (see `loadtest scenarios`), or a file
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: Option<String>,
    /// Play it at a size that ends within seconds
    #[arg(long, requires = "scenario")]
    pub(crate) small: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) own: OwnGatewayArguments,
    /// Set up a gateway that runs already, and use it
    #[arg(long)]
    pub(crate) setup: bool,
    /// Use a gateway that runs already, with the platform's key that `loadtest setup` printed
    #[arg(long, value_name = "KEY", conflicts_with = "setup")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
}

/// The gateway that is started for the load.
#[derive(Args, Clone, Debug)]
pub(crate) struct OwnGatewayArguments {
    /// Start the built gateway with a temporary data directory, and stop it in the end [default: unless --setup or --key]
    #[arg(long, conflicts_with_all = ["setup", "key", "addr", "data_dir", "fingerprint"])]
    pub(crate) start_gateway: bool,
    /// The program to start [default: `holdfast` beside this program]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["setup", "key"])]
    pub(crate) gateway_program: Option<PathBuf>,
    /// A configuration file for the gateway that is started
    #[arg(long, value_name = "FILE", conflicts_with_all = ["setup", "key"])]
    pub(crate) gateway_config: Option<PathBuf>,
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

/// Where the result goes besides the summary.
#[derive(Args, Clone, Debug)]
pub(crate) struct OutputArguments {
    /// Write the record of the run, from which every report is made
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a report with plots that opens in any browser, offline
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the percentiles of the authorizations (of the captures, where nothing else was asked) in milliseconds, as HdrHistogram's plotters read them
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Write the histogram of each second as an HdrHistogram interval log
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct CapacityArguments {
    /// The longest wait, such as `1ms` or `500us`, that 99 of 100 authorizations may reach
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = milliseconds)]
    pub(crate) p99: f64,
    #[command(flatten)]
    pub(crate) play: PlayArguments,
    #[command(flatten)]
    pub(crate) outputs: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct CompareArguments {
    /// Records that `loadtest run --json` wrote; the first is what the others are compared with
    #[arg(value_name = "RECORD", required = true, num_args = 1..)]
    pub(crate) records: Vec<PathBuf>,
    /// Write a report with all of them in one page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct DocumentArguments {
    /// Records that `loadtest run --json` wrote; of several of one command, the one in the middle is shown
    #[arg(value_name = "RECORD", required = true, num_args = 1..)]
    pub(crate) records: Vec<PathBuf>,
    /// A document to update
    #[arg(long, value_name = "DOCUMENT", required = true)]
    pub(crate) into: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct SetupArguments {
    /// How many agents pay
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub(crate) agents: u32,
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
}

#[derive(Args, Debug)]
pub(crate) struct EchoArguments {
    /// Threads with an endpoint each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: u16,
    /// What each capture is said to have been of
    #[arg(long, value_name = "AMOUNT", value_parser = Amount::parse)]
    pub(crate) amount: Amount,
}

/// A length of time in milliseconds.
fn milliseconds(text: &str) -> Result<f64, String> {
    let split = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        _ => return Err("expected a time such as `1ms`, `500us` or `1s`".to_owned()),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number * factor),
        Ok(_) | Err(_) => Err("expected a time above zero such as `1ms`".to_owned()),
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
        for line in [
            "loadtest run",
            "loadtest run --start-gateway --agents 10000 --connections 4 --outstanding 256 --seconds 8",
            "loadtest run steady --small --html report.html",
            "loadtest run --setup --rate 50000",
            "loadtest run --key abc --captures 0.2 --per-frame 16",
            "loadtest run steady --compare a.json b.json",
            "loadtest find-capacity steady --p99 500us",
            "loadtest compare a.json b.json --html c.html",
            "loadtest report a.json",
            "loadtest document a.json b.json --into README.md --into docs/PERFORMANCE.md",
        ] {
            assert!(accepted(line), "{line}");
        }
        for line in [
            "loadtest run --key abc --setup",
            "loadtest run --small",
            "loadtest run --start-gateway --addr 127.0.0.1:1",
            "loadtest run --rate 5 --outstanding 5",
            "loadtest run --captures 1.5",
            "loadtest run --captures NaN",
            "loadtest run --seconds 241",
            "loadtest run --amount 0.0000001",
            "loadtest run --setup --gateway-program x",
            "loadtest find-capacity --p99 1",
            "loadtest find-capacity --p99 -1ms",
            "loadtest compare",
            "loadtest document a.json",
        ] {
            assert!(!accepted(line), "{line}");
        }
    }

    #[test]
    fn times_are_read_in_their_unit() {
        for (text, expected) in [("1ms", 1.0), ("500us", 0.5), ("1.5s", 1500.0)] {
            assert_eq!(milliseconds(text), Ok(expected));
        }
    }
}
