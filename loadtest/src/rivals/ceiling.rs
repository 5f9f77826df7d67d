//! What could the best gateway have reached, in the same run? The same load, asked of the echo server.
//!
//! A closed loop is repeated as it was, but shorter, and the ratio is that of the rates. An open loop asks for a rate of its own. There
//! the echo is asked twice: with full pipelines for its capacity, of which the ratio is then the part that the load asked for; and
//! at the load's own rate, for how long answers take where nobody decides. Captures that the load sends by the thousand in a message are
//! asked of the echo one by one: it reads nothing of a message, so it does not know how many there are.

use crate::{
    crash::Crashes,
    error::LoadError,
    load,
    record::{Ceiling, Percentiles, RunRecord},
    rivals::Echo,
    scenario::{Scenario, ScenarioPace},
};

/// Seconds that the echo is measured, at most.
const SECONDS_MAX: u64 = 3;
/// Seconds before it, at most.
const WARM_UP_SECONDS_MAX: u64 = 1;
/// Requests under way on each connection that show the capacity where the load is an open loop.
const FULL: ScenarioPace = ScenarioPace::Closed { outstanding: 256, per_frame: None };

/// Asks an echo server with so many workers what `record` shows of a gateway.
pub(crate) fn ceiling(scenario: &Scenario, record: &RunRecord, workers: u16) -> Result<Ceiling, LoadError> {
    let shorter = Scenario {
        seconds: scenario.seconds.min(SECONDS_MAX),
        warm_up_seconds: scenario.warm_up_seconds.min(WARM_UP_SECONDS_MAX),
        kills: 0,
        capture_batch: None,
        ..scenario.clone()
    };
    let full = Scenario { pace: FULL, ..shorter.clone() };
    let echo = Echo::start(workers, shorter.clone())?;
    let (requests_per_second, percentiles) = match scenario.pace {
        ScenarioPace::Closed { .. } => ask(&echo, &shorter)?,
        ScenarioPace::Climbing { .. } => (ask(&echo, &full)?.0, ask(&echo, &shorter)?.1),
        // Rates that jump cannot be shortened.
        ScenarioPace::Stepping(_) => (ask(&echo, &full)?.0, None),
    };
    let reached = record.decisions_per_second + record.captures_per_second;
    Ok(Ceiling {
        decisions_per_second: requests_per_second,
        ratio: if requests_per_second > 0.0 { reached / requests_per_second } else { 0.0 },
        seconds: shorter.seconds as f64,
        percentiles,
    })
}

/// Requests that were answered a second, and how long payments took.
fn ask(echo: &Echo, scenario: &Scenario) -> Result<(f64, Option<Percentiles>), LoadError> {
    let measured = load::run(echo, scenario, &Crashes::none(), false)?;
    let answers = measured.tally.measured();
    let rate = (answers.decided() + answers.captured) as f64 / measured.plan.measured_seconds();
    let times = measured.tally.latencies(|second| &second.authorize);
    Ok((rate, (!times.is_empty()).then(|| Percentiles::of(&times))))
}
