//! `loadtest find-capacity`: the highest rate that keeps a percentile of the waits, found by trying.

use crate::{
    arguments::CapacityArguments,
    error::LoadError,
    outputs,
    record::{Capacity, Probe, RunRecord, Target},
    run::Stage,
    scenario::{Scenario, ScenarioPace},
};

/// What is tried first where the scenario has no rate of its own, in requests a second.
const RATE_FIRST: u32 = 20_000;
const RATE_MAX: u32 = 100_000_000;
/// The most rates that are tried.
const PROBES_MAX: usize = 16;
/// The search ends when the highest rate that kept the target and the lowest that did not are so close.
const CLOSE_ENOUGH: f64 = 1.08;
/// The percentile that is to be kept.
const PERCENTILE: f64 = 99.0;
/// Less than this share of what was due was answered while it ran: the queue grew.
const ANSWERED_SHARE_MIN: f64 = 0.98;
/// Nobody waits longer than this for one probe; scenarios may be longer.
const PROBE_SECONDS: u64 = 5;
const PROBE_WARM_UP_SECONDS: u64 = 1;

/// Searches, shows each probe, and writes what is asked for; says whether all books were right.
pub(crate) fn command(arguments: &CapacityArguments) -> Result<bool, LoadError> {
    let play = &arguments.play;
    let mut scenario = Scenario::load(play.scenario.as_deref(), play.small, play.settings.clone())?;
    scenario.kills = 0;
    scenario.warm_up_seconds = play.settings.warm_up.unwrap_or(PROBE_WARM_UP_SECONDS);
    scenario.seconds = play.settings.seconds.unwrap_or(PROBE_SECONDS);
    let target = Target { percentile: PERCENTILE, ms: arguments.p99 };
    let stage = Stage::prepare(play, &scenario)?;
    let mut search = Search::from(first_rate(&scenario));
    let mut probes = Vec::new();
    let mut best: Option<RunRecord> = None;
    while let Some(rate) = search.next().filter(|_| probes.len() < PROBES_MAX) {
        scenario.pace = ScenarioPace::Climbing { first: rate, last: rate };
        let record = stage.play(&scenario, false)?;
        let probe = probe(&record, rate, target);
        eprintln!("{}", line(&probe, &record));
        search.tried(rate, probe.kept);
        probes.push(probe);
        if !record.check.right {
            best = Some(record);
            break;
        }
        // Where no rate keeps the target, the last one that was tried says why.
        if probe.kept || search.best.is_none() {
            best = Some(record);
        }
    }
    let Some(mut record) = best else { return Ok(false) };
    let right = record.check.right;
    record.capacity = Some(Capacity { target, probes, found: search.best.map(f64::from) });
    outputs::write(record, &arguments.outputs, Vec::new())?;
    Ok(right)
}

fn first_rate(scenario: &Scenario) -> u32 {
    match &scenario.pace {
        ScenarioPace::Closed { .. } => RATE_FIRST,
        ScenarioPace::Climbing { first, .. } => *first,
        ScenarioPace::Stepping(steps) => steps.first().map_or(RATE_FIRST, |step| step.rate),
    }
}

fn probe(record: &RunRecord, rate: u32, target: Target) -> Probe {
    let times = record.latencies.authorize.as_ref().map(|latency| latency.percentiles).unwrap_or_default();
    let answered = record.measured.decided() + record.measured.captured + record.measured.errors;
    let due = f64::from(rate) * record.load.seconds;
    let kept = times.p99 <= target.ms
        && record.measured.errors == 0
        && record.totals.unanswered == 0
        && answered as f64 >= due * ANSWERED_SHARE_MIN;
    Probe { rate: rate.into(), p50: times.p50, p99: times.p99, kept }
}

fn line(probe: &Probe, record: &RunRecord) -> String {
    let Probe { rate, p50, p99, kept } = probe;
    let verdict = if *kept { "kept" } else { "not kept" };
    let errors = record.measured.errors;
    format!("{rate:>10.0} requests/s   p50 {p50:>8.3} ms   p99 {p99:>8.3} ms   {errors:>6} errors   {verdict}")
}

/// A search that doubles or halves until it knows a rate on either side, and then goes between them.
#[derive(Debug)]
struct Search {
    next: Option<u32>,
    /// The highest rate that kept the target, and the lowest that did not.
    best: Option<u32>,
    worst: Option<u32>,
}

impl Search {
    fn from(rate: u32) -> Search {
        Search { next: Some(rate), best: None, worst: None }
    }

    /// What to try next; nothing where the answer is known closely enough.
    fn next(&self) -> Option<u32> {
        self.next
    }

    fn tried(&mut self, rate: u32, kept: bool) {
        if kept {
            self.best = Some(self.best.map_or(rate, |best| best.max(rate)));
        } else {
            self.worst = Some(self.worst.map_or(rate, |worst| worst.min(rate)));
        }
        self.next = match (self.best, self.worst) {
            (Some(best), None) => (best < RATE_MAX).then(|| best.saturating_mul(2).min(RATE_MAX)),
            (None, Some(worst)) => (worst > 1).then_some(worst / 2),
            (Some(best), Some(worst)) if f64::from(worst) <= f64::from(best) * CLOSE_ENOUGH => None,
            (Some(best), Some(worst)) => Some(best + worst.saturating_sub(best) / 2),
            (None, None) => Some(rate),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(first: u32, capacity: u32) -> (Option<u32>, usize) {
        let mut search = Search::from(first);
        let mut probes = 0;
        while let Some(rate) = search.next().filter(|_| probes < PROBES_MAX) {
            search.tried(rate, rate <= capacity);
            probes += 1;
        }
        (search.best, probes)
    }

    #[test]
    fn the_search_finds_the_capacity_from_either_side() {
        for (first, capacity) in [(20_000, 300_000), (20_000, 20_000), (50_000, 3000), (1000, 999), (100, 150)] {
            let (best, probes) = found(first, capacity);
            let best = best.unwrap();
            assert!(best <= capacity && f64::from(best) * 1.1 >= f64::from(capacity), "{first} {capacity}: {best}");
            assert!(probes <= PROBES_MAX, "{probes}");
        }
    }

    #[test]
    fn a_search_without_an_answer_ends() {
        assert_eq!(found(20_000, 0).0, None);
        assert!(found(1, u32::MAX).1 <= PROBES_MAX);
    }
}
