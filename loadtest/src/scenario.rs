//! What is played: a scenario of this program or of a file, with what the command line says instead.

use std::{fs, path::Path};

use holdfast::kernel::{Amount, Protocol};
use thiserror::Error;

use crate::{
    record,
    rivals::Fsync,
    settings::{Mix, Settings, Step, Transport},
};

/// The scenarios of this program, in the order in which they are listed.
pub(crate) const SCENARIOS: [(&str, &str); 11] = [
    ("steady", include_str!("../scenarios/steady.toml")),
    ("throughput", include_str!("../scenarios/throughput.toml")),
    ("hot-agent", include_str!("../scenarios/hot-agent.toml")),
    ("burst", include_str!("../scenarios/burst.toml")),
    ("ramp", include_str!("../scenarios/ramp.toml")),
    ("ingest", include_str!("../scenarios/ingest.toml")),
    ("overload", include_str!("../scenarios/overload.toml")),
    ("mixed", include_str!("../scenarios/mixed.toml")),
    ("denial-heavy", include_str!("../scenarios/denial-heavy.toml")),
    ("million-agents", include_str!("../scenarios/million-agents.toml")),
    ("crash", include_str!("../scenarios/crash.toml")),
];

/// The longest load: with the warm-up it must end before the first hold expires.
const SECONDS_MAX: u64 = 270;
/// The most stretches of a rate.
const STEPS_MAX: usize = 64;

/// Why there is no such scenario.
#[derive(Debug, Error)]
pub(crate) enum ScenarioError {
    /// Neither a name nor a file.
    #[error("no scenario is called `{0}`, and there is no such file; `loadtest scenarios` lists them")]
    Unknown(String),
    /// The file cannot be read.
    #[error("the scenario {name} cannot be read: {source}")]
    File {
        /// Which.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It says what is not known, or in the wrong form.
    #[error("the scenario {name} is not understood: {source}")]
    Syntax {
        /// Which.
        name: String,
        /// Where, and what.
        source: Box<toml::de::Error>,
    },
    /// It says what cannot be played.
    #[error("the scenario {name} cannot be played: {problem}")]
    Meaning {
        /// Which.
        name: String,
        /// What contradicts what.
        problem: &'static str,
    },
}

/// A load that can be played.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) transport: Transport,
    /// What an answer of Redis survives.
    pub(crate) fsync: Fsync,
    pub(crate) agents: u32,
    pub(crate) connections: u16,
    pub(crate) threads: u16,
    pub(crate) pace: ScenarioPace,
    pub(crate) captures: f64,
    /// Captures in one message.
    pub(crate) capture_batch: Option<u32>,
    /// Payments are asked for in the warm-up, and nothing but captures after it.
    pub(crate) captures_only: bool,
    pub(crate) amount: Amount,
    pub(crate) daily_limit: Option<Amount>,
    pub(crate) hot_share: Option<f64>,
    pub(crate) mix: Mix,
    pub(crate) kills: u32,
    pub(crate) warm_up_seconds: u64,
    pub(crate) seconds: u64,
}

/// What lets the next request go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ScenarioPace {
    /// An answer.
    Closed {
        /// Requests that wait for one on each connection.
        outstanding: u32,
        /// Requests that a frame waits for.
        per_frame: Option<u32>,
    },
    /// The clock, at a rate that climbs evenly from one number of requests a second to another.
    Climbing { first: u32, last: u32 },
    /// The clock, at one rate after another.
    Stepping(Vec<Step>),
}

impl Scenario {
    /// The scenario of this name or file, or no particular one; small where that is asked for; with `changes` over it.
    pub(crate) fn load(name: Option<&str>, small: bool, changes: Settings) -> Result<Scenario, ScenarioError> {
        let mut settings = match name {
            Some(name) => read(name)?,
            None => Settings { description: Some("As the command line says.".to_owned()), ..Settings::default() },
        };
        if let Some(part) = settings.small.take().filter(|_| small) {
            settings = settings.overlaid_by(*part);
        }
        let name =
            name.map_or("custom", |name| Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name));
        Scenario::new(name, settings.overlaid_by(changes))
            .map_err(|problem| ScenarioError::Meaning { name: name.to_owned(), problem })
    }

    fn new(name: &str, settings: Settings) -> Result<Scenario, &'static str> {
        let mix = settings.mix.unwrap_or_default();
        check_mix(&mix)?;
        check_shares(&[settings.captures, settings.hot_share])?;
        let (pace, pace_seconds) = pace(&settings)?;
        let captures_only = settings.captures_only.unwrap_or(false);
        let scenario = Scenario {
            name: name.to_owned(),
            description: settings.description.unwrap_or_default(),
            transport: settings.transport.unwrap_or(Transport::Quic),
            fsync: settings.fsync.unwrap_or_default(),
            agents: settings.agents.unwrap_or(10_000),
            connections: settings.connections.unwrap_or(4),
            threads: settings.threads.unwrap_or(1),
            pace,
            captures: settings.captures.unwrap_or(if captures_only { 1.0 } else { 0.0 }),
            capture_batch: settings.capture_batch,
            captures_only,
            amount: settings.amount.unwrap_or(Amount::from_micros(100)),
            daily_limit: settings.daily_limit,
            hot_share: settings.hot_share,
            mix,
            kills: settings.kills.unwrap_or(0),
            warm_up_seconds: settings.warm_up.unwrap_or(2),
            seconds: pace_seconds.or(settings.seconds).unwrap_or(10),
        };
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), &'static str> {
        let seconds = self.warm_up_seconds.saturating_add(self.seconds);
        let wrong = [
            (self.agents == 0 || self.agents > 4_000_000, "there must be 1 to 4,000,000 agents"),
            (self.connections == 0 || self.connections > 1024, "there must be 1 to 1024 connections"),
            (self.threads == 0 || self.threads > 64, "there must be 1 to 64 threads"),
            (
                self.capture_batch.is_some_and(|batch| batch == 0 || batch > 10_000),
                "a message must have 1 to 10,000 captures",
            ),
            (
                self.capture_batch.is_some() && self.transport != Transport::Quic,
                "captures go in batches over QUIC only: leave out `capture-batch`",
            ),
            (
                self.captures_only && self.warm_up_seconds == 0,
                "there must be a warm-up, in which the payments are made that are captured",
            ),
            (self.amount.is_zero(), "a payment must cost something"),
            (
                self.seconds == 0 || seconds > SECONDS_MAX,
                "it must take 1 to 270 seconds, so that no hold expires in it",
            ),
        ];
        wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, problem)| Err(problem))
    }

    /// As the record describes it.
    pub(crate) fn described(&self) -> record::Scenario {
        record::Scenario { name: self.name.clone(), description: self.description.clone() }
    }

    /// The rails that agents pay on.
    pub(crate) fn rails(&self) -> Vec<Protocol> {
        if self.mix.mpp + self.mix.sessions > 0.0 { vec![Protocol::X402, Protocol::Mpp] } else { vec![Protocol::X402] }
    }

    pub(crate) fn is_open(&self) -> bool {
        match self.pace {
            ScenarioPace::Closed { .. } => false,
            ScenarioPace::Climbing { .. } | ScenarioPace::Stepping(_) => true,
        }
    }
}

/// The settings of a scenario of this program, or of a file.
fn read(name: &str) -> Result<Settings, ScenarioError> {
    let known = SCENARIOS.iter().find(|(known, _)| *known == name);
    let text = match known {
        Some((_, text)) => (*text).to_owned(),
        None if !Path::new(name).exists() => return Err(ScenarioError::Unknown(name.to_owned())),
        None => fs::read_to_string(name).map_err(|source| ScenarioError::File { name: name.to_owned(), source })?,
    };
    toml::from_str(&text).map_err(|source| ScenarioError::Syntax { name: name.to_owned(), source: Box::new(source) })
}

fn pace(settings: &Settings) -> Result<(ScenarioPace, Option<u64>), &'static str> {
    match (settings.outstanding, settings.rate, &settings.steps) {
        (outstanding, None, None) => {
            let outstanding = outstanding.unwrap_or(256);
            if settings.rate_last.is_some() {
                return Err("a last rate needs a first one: `rate`");
            }
            if !(1..=65_536).contains(&outstanding) {
                return Err("1 to 65,536 requests may be outstanding");
            }
            Ok((ScenarioPace::Closed { outstanding, per_frame: settings.per_frame }, None))
        }
        (None, Some(_), _) | (None, _, Some(_)) if settings.per_frame.is_some() => {
            Err("a frame cannot wait for requests that are sent when they are due: leave out `per-frame`")
        }
        (None, Some(first), None) => {
            let last = settings.rate_last.unwrap_or(first);
            if first == 0 || last == 0 {
                return Err("a rate must be above zero");
            }
            Ok((ScenarioPace::Climbing { first, last }, None))
        }
        (None, None, Some(steps)) => {
            if steps.is_empty()
                || steps.len() > STEPS_MAX
                || steps.iter().any(|step| step.rate == 0 || step.seconds == 0)
            {
                return Err("there must be 1 to 64 steps, with a rate and seconds above zero");
            }
            let seconds = steps.iter().fold(0u64, |sum, step| sum.saturating_add(step.seconds));
            Ok((ScenarioPace::Stepping(steps.clone()), Some(seconds)))
        }
        (_, _, _) => Err("it has more than one pace; expected `outstanding`, `rate` or `steps`"),
    }
}

fn check_mix(mix: &Mix) -> Result<(), &'static str> {
    check_shares(&[Some(mix.mpp), Some(mix.sessions), Some(mix.blocked)])?;
    if mix.mpp + mix.sessions + mix.blocked > 1.0 {
        return Err("the shares of the mix must not exceed 1 together");
    }
    Ok(())
}

fn check_shares(shares: &[Option<f64>]) -> Result<(), &'static str> {
    if shares.iter().flatten().all(|share| (0.0..=1.0).contains(share)) {
        return Ok(());
    }
    Err("a share must be a number from 0 to 1")
}

/// `loadtest scenarios`: what there is, a line each.
pub(crate) fn list() -> String {
    let line = |(name, text): &(&str, &str)| {
        let settings: Settings = toml::from_str(text).expect("a test reads every scenario");
        format!("{name:<15} {}", settings.description.unwrap_or_default())
    };
    SCENARIOS.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_played_in_both_sizes() {
        for (name, _) in SCENARIOS {
            for small in [false, true] {
                let scenario = Scenario::load(Some(name), small, Settings::default()).unwrap();
                assert!(!scenario.description.is_empty(), "{name}");
                assert!(!small || scenario.warm_up_seconds + scenario.seconds <= 4, "{name}");
            }
        }
        assert_eq!(list().lines().count(), SCENARIOS.len());
    }

    #[test]
    fn flags_go_over_the_small_part_and_that_over_the_file() {
        let flags = Settings { agents: Some(7), ..Settings::default() };
        let scenario = Scenario::load(Some("steady"), true, flags).unwrap();
        assert_eq!((scenario.agents, scenario.connections, scenario.seconds), (7, 4, 2));
        assert_eq!(scenario.pace, ScenarioPace::Climbing { first: 2000, last: 2000 });
        let flags = Settings { outstanding: Some(8), ..Settings::default() };
        let scenario = Scenario::load(Some("burst"), false, flags).unwrap();
        assert_eq!(scenario.pace, ScenarioPace::Closed { outstanding: 8, per_frame: None });
        assert_eq!(scenario.seconds, 10);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("agent = 5", "unknown field `agent`"),
            ("agents = \"5\"", "invalid type"),
            ("amount = 0.1", "invalid type"),
            ("amount = \"-1\"", "not understood"),
            ("rate = 5\noutstanding = 5", "more than one pace"),
            ("rate = 5\nper-frame = 5", "per-frame"),
            ("rate = 0", "above zero"),
            ("steps = []", "1 to 64 steps"),
            ("captures = 1.5", "from 0 to 1"),
            ("[mix]\nmpp = 0.6\nblocked = 0.6", "together"),
            ("seconds = 300", "270 seconds"),
            ("transport = \"carrier-pigeon\"", "unknown variant"),
            ("transport = \"rest\"\ncapture-batch = 5", "over QUIC only"),
            ("captures-only = true\nwarm-up = 0", "warm-up"),
        ] {
            let file = directory.path().join("bad.toml");
            fs::write(&file, text).unwrap();
            let error = Scenario::load(file.to_str(), false, Settings::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let unknown = Scenario::load(Some("no-such"), false, Settings::default()).unwrap_err().to_string();
        assert!(unknown.contains("loadtest scenarios"), "{unknown}");
    }
}
