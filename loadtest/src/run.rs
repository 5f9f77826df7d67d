//! `loadtest run`: set-up, load, check, and the record of it all.

use std::time::{Duration, SystemTime};

use crate::{
    arguments::{PlayArguments, RunArguments},
    crash::Crashes,
    error::LoadError,
    fleet::Fleet,
    gateway::{self, Gateway},
    load, machine, outputs,
    record::RunRecord,
    rivals::{self, Noise, Redis},
    scenario::Scenario,
    settings, setup,
    summary::{self, Played},
    transport::{InProcess, QuicGateway, RestGateway, Subject},
};

/// The longest time that the machine is watched for its own stalls, before and after each load.
const NOISE_MAX: Duration = Duration::from_secs(1);

/// Runs everything, writes what is asked for, and says whether all was right.
pub(crate) fn command(arguments: &RunArguments) -> Result<bool, LoadError> {
    // What cannot be read is better known before the load than after it.
    let compare = arguments.compare.iter().map(|path| outputs::read(path)).collect::<Result<Vec<_>, _>>()?;
    let play = &arguments.play;
    let scenario = Scenario::load(play.scenario.as_deref(), play.small, play.settings.clone())?;
    let record = if arguments.bare { once(play, &scenario)? } else { surrounded(play, &scenario)? };
    let right = record.check.right;
    outputs::write(record, &arguments.outputs, compare)?;
    Ok(right)
}

fn once(arguments: &PlayArguments, scenario: &Scenario) -> Result<RunRecord, LoadError> {
    Stage::prepare(arguments, scenario)?.play(scenario, true)
}

/// The same with what it is measured against: the machine's own stalls before and after, when nothing else runs, and the echo.
fn surrounded(arguments: &PlayArguments, scenario: &Scenario) -> Result<RunRecord, LoadError> {
    let time = NOISE_MAX.min(Duration::from_secs(scenario.seconds) / 10);
    let noise = Noise::measure(time)?;
    let mut record = once(arguments, scenario)?;
    record.noise = Some(noise.and(&Noise::measure(time)?).recorded());
    let workers = record.subject.workers.and_then(|workers| u16::try_from(workers).ok());
    if let (settings::Transport::Quic, Some(workers)) = (scenario.transport, workers) {
        record.ceiling = Some(rivals::ceiling(scenario, &record, workers)?);
    }
    Ok(record)
}

/// What is ready for loads.
pub(crate) enum Stage {
    /// A gateway, and the agents in it.
    Gateway(Box<(Gateway, Fleet)>),
    /// An engine in this process.
    InProcess(Box<InProcess>),
    /// A Redis server with the scripts.
    Redis(Box<Redis>),
}

impl Stage {
    /// Starts what is put under load or finds it, and sets it up where that is asked for.
    pub(crate) fn prepare(play: &PlayArguments, scenario: &Scenario) -> Result<Stage, LoadError> {
        let is_ours = !play.setup && play.key.is_none();
        if scenario.transport == settings::Transport::InProcess {
            return match (is_ours, scenario.kills) {
                (true, 0) => Ok(Stage::InProcess(Box::new(InProcess::start(scenario)?))),
                (_, _) => Err(LoadError::InProcessOnly),
            };
        }
        if scenario.transport == settings::Transport::Redis {
            return Ok(Stage::Redis(Box::new(Redis::start(scenario.clone())?)));
        }
        if scenario.kills > 0 && !is_ours {
            return Err(LoadError::NotOurs);
        }
        let gateway = if is_ours { Gateway::start(&play.own)? } else { Gateway::running(&play.gateway)? };
        let key = match &play.key {
            Some(key) => key.clone(),
            None => setup::set_up(&gateway.operator()?, scenario.agents, scenario.daily_limit)?,
        };
        let fleet = Fleet::muster(&gateway, &key, scenario)?;
        Ok(Stage::Gateway(Box::new((gateway, fleet))))
    }

    /// Plays the scenario once.
    pub(crate) fn play(&self, scenario: &Scenario, progress: bool) -> Result<RunRecord, LoadError> {
        let (gateway, fleet) = match self {
            Stage::InProcess(subject) => return play(&**subject, scenario, &Crashes::none(), progress),
            Stage::Redis(subject) => return play(&**subject, scenario, &Crashes::none(), progress),
            Stage::Gateway(both) => (&both.0, &both.1),
        };
        let crashes = if scenario.kills > 0 { Crashes::of(gateway, scenario.kills) } else { Crashes::none() };
        match scenario.transport {
            settings::Transport::Rest => play(&RestGateway { gateway, fleet }, scenario, &crashes, progress),
            settings::Transport::Quic | settings::Transport::InProcess | settings::Transport::Redis => play(
                &QuicGateway { gateway, fleet, capture_batch: scenario.capture_batch },
                scenario,
                &crashes,
                progress,
            ),
        }
    }
}

/// Puts the subject under the scenario's load, and compares the books.
pub(crate) fn play<S: Subject>(
    subject: &S,
    scenario: &Scenario,
    crashes: &Crashes<'_>,
    progress: bool,
) -> Result<RunRecord, LoadError> {
    let (started_at, machine) = (SystemTime::now(), machine::described());
    let before = (subject.balances()?, subject.counts()?);
    let measured = load::run(subject, scenario, crashes, progress)?;
    let after = (subject.balances()?, subject.counts()?);
    // A gateway that was killed has forgotten what it had counted.
    let counts =
        before.1.zip(after.1).filter(|_| scenario.kills == 0).map(|(before, after)| gateway::since(&after, &before));
    Ok(summary::record(Played {
        scenario,
        started_at,
        machine,
        subject: subject.described(),
        before: before.0,
        after: after.0,
        counts,
        crashes: crashes.told(),
        measured,
    }))
}
