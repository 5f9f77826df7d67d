//! What can be said about a load: in a scenario's file, in its part for a small run, and on the command line, each over the one before.

use clap::{Args, ValueEnum};
use holdfast::kernel::Amount;
use serde::{Deserialize, Deserializer, de::Error};

use crate::rivals::Fsync;

/// The longest measurement: with the warm-up it must end before the first hold expires (5 minutes), or the books of both
/// sides could not be compared to the last micro-unit.
const SECONDS_MAX: u64 = 240;

/// Settings, of which any may be left to a lower layer.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// A sentence for the list of scenarios.
    #[arg(skip)]
    pub(crate) description: Option<String>,
    /// How the requests travel [default: quic]
    #[arg(long, value_name = "HOW")]
    pub(crate) transport: Option<Transport>,
    /// What an answer of Redis survives [default: everysec]
    #[arg(long, value_name = "WHEN")]
    pub(crate) fsync: Option<Fsync>,
    /// How many agents pay [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub(crate) agents: Option<u32>,
    /// Connections, divided evenly among the gateway's workers [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: Option<u16>,
    /// Threads that generate the load [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: Option<u16>,
    /// Closed loop: requests that wait for an answer on each connection; an answer is followed by the next request [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) outstanding: Option<u32>,
    /// Open loop: requests a second on all connections together, sent when they are due whether or not earlier ones are answered
    #[arg(long, value_name = "N", conflicts_with = "outstanding", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) rate: Option<u32>,
    /// Open loop: the rate climbs evenly to this one
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) rate_last: Option<u32>,
    /// Open loop with a rate that jumps; only in files.
    #[arg(skip)]
    pub(crate) steps: Option<Vec<Step>>,
    /// Requests in a frame: a frame is sent when it has so many [default: all that may be sent at the time]
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "rate_last"], value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) per_frame: Option<u32>,
    /// Share of the payments that are captured in full, 0 to 1; a capture takes the place of a request [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) captures: Option<f64>,
    /// Captures in one message, which is answered when all are durable; over QUIC [default: each has its own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) capture_batch: Option<u32>,
    /// Ask for payments in the warm-up only, and after it for nothing but their captures
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) captures_only: Option<bool>,
    /// What each payment costs [default: 0.0001]
    #[arg(long, value_name = "AMOUNT", value_parser = Amount::parse)]
    #[serde(default, deserialize_with = "amount")]
    pub(crate) amount: Option<Amount>,
    /// What each agent may spend a day [default: more than any load asks for]
    #[arg(long, value_name = "AMOUNT", value_parser = Amount::parse)]
    #[serde(default, deserialize_with = "amount")]
    pub(crate) daily_limit: Option<Amount>,
    /// Share of all requests that are one agent's, 0 to 1 [default: as many as any other's]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) hot_share: Option<f64>,
    /// Shares of the payments that are no x402 payments; only in files.
    #[arg(skip)]
    pub(crate) mix: Option<Mix>,
    /// How often the gateway is killed in the middle and started again [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=20))]
    pub(crate) kills: Option<u32>,
    /// Seconds before the measurement begins [default: 2]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(0..=30))]
    pub(crate) warm_up: Option<u64>,
    /// Seconds that are measured [default: 10]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    pub(crate) seconds: Option<u64>,
    /// What a small run, which ends within seconds, has otherwise; only in files.
    #[arg(skip)]
    pub(crate) small: Option<Box<Settings>>,
}

/// How the requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// The gateway's own protocol
    Quic,
    /// JSON over HTTP with connections that stay open; one request at a time on each
    Rest,
    /// No network: the engine in this program
    InProcess,
    /// No gateway, but the same decision as a script in a Redis server that is started for it
    Redis,
}

/// A stretch of one rate.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) seconds: u64,
}

/// Shares of the payments, each 0 to 1; what is left are x402 payments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mix {
    /// MPP payments.
    pub(crate) mpp: f64,
    /// MPP sessions, each with a deposit, and closed as soon as it is open.
    pub(crate) sessions: f64,
    /// x402 payments to a blocked address.
    pub(crate) blocked: f64,
}

impl Settings {
    /// These settings, with `other`'s in place of those that it has. A pace replaces a pace as a whole.
    pub(crate) fn overlaid_by(self, other: Settings) -> Settings {
        let paced = other.outstanding.is_some() || other.rate.is_some() || other.steps.is_some();
        let (outstanding, rate, rate_last, steps) = if paced {
            (other.outstanding, other.rate, other.rate_last, other.steps)
        } else {
            (self.outstanding, self.rate, self.rate_last, self.steps)
        };
        Settings {
            description: other.description.or(self.description),
            transport: other.transport.or(self.transport),
            fsync: other.fsync.or(self.fsync),
            agents: other.agents.or(self.agents),
            connections: other.connections.or(self.connections),
            threads: other.threads.or(self.threads),
            outstanding,
            rate,
            rate_last,
            steps,
            per_frame: other.per_frame.or(self.per_frame),
            captures: other.captures.or(self.captures),
            capture_batch: other.capture_batch.or(self.capture_batch),
            captures_only: other.captures_only.or(self.captures_only),
            amount: other.amount.or(self.amount),
            daily_limit: other.daily_limit.or(self.daily_limit),
            hot_share: other.hot_share.or(self.hot_share),
            mix: other.mix.or(self.mix),
            kills: other.kills.or(self.kills),
            warm_up: other.warm_up.or(self.warm_up),
            seconds: other.seconds.or(self.seconds),
            small: other.small.or(self.small),
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// Money is a text, so that it is read exactly.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Amount::parse(&text).map(Some).map_err(D::Error::custom)
}
