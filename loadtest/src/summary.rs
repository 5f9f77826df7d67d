//! The record of a run, made of what was measured and of what both sides have booked.

use std::time::SystemTime;

use crate::{
    balance::Balance,
    check::{Terms, Verdict},
    load::Measured,
    pace::Schedule,
    plan::second_of,
    record::{
        Counts, Crash, GatewayCounts, Latencies, Latency, Load, Loop, Machine, Origin, Percentiles, Processors,
        RunRecord, Second, Step, Subject, Version,
    },
    scenario::{Scenario, ScenarioPace},
    settings, tally,
};

/// Errors that a gateway may answer under any load: a prompt refusal that names its reason.
const REFUSALS: [&str; 1] = ["OVERLOADED"];
/// The longest time that a refusal may take, in nanoseconds: longer is no refusal but a hang.
const REFUSAL_NS_MAX: u64 = 5_000_000_000;

/// Everything that is known after a run.
pub(crate) struct Played<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) started_at: SystemTime,
    pub(crate) machine: Machine,
    pub(crate) subject: Subject,
    /// The books before and after.
    pub(crate) before: Vec<Balance>,
    pub(crate) after: Vec<Balance>,
    /// What the subject itself has counted meanwhile.
    pub(crate) counts: Option<GatewayCounts>,
    /// How often it was killed, and how long it took to come back.
    pub(crate) crashes: (u32, Vec<f64>),
    pub(crate) measured: Measured,
}

/// The record, with the verdict.
pub(crate) fn record(played: Played<'_>) -> RunRecord {
    let verdict = verdict(&played);
    let Played { scenario, measured, crashes: (kills, restarts_ms), .. } = &played;
    let tally = &measured.tally;
    let seconds = measured.plan.measured_seconds();
    let answers = tally.measured();
    let origin = if scenario.is_open() { Origin::Due } else { Origin::Sent };
    let crash = (*kills > 0).then(|| Crash {
        kills: *kills,
        restarts_ms: restarts_ms.clone(),
        lost_captures: verdict.lost_captures,
        overspent_agents: verdict.overspent_agents,
    });
    RunRecord {
        version: Version,
        started_at: played.started_at.into(),
        command: command(),
        scenario: scenario.described(),
        machine: played.machine.clone(),
        subject: played.subject.clone(),
        load: load(scenario, seconds),
        totals: tally.total,
        measured: answers,
        codes: tally.codes.clone(),
        decisions_per_second: answers.decided() as f64 / seconds,
        captures_per_second: answers.captured as f64 / seconds,
        requests_per_frame: (tally.frames > 0).then(|| tally.asked as f64 / tally.frames as f64),
        latencies: Latencies {
            authorize: Latency::of(&tally.latencies(|second| &second.authorize), origin),
            capture: Latency::of(&tally.latencies(|second| &second.capture), origin),
        },
        series: series(scenario, measured),
        processors: Processors { load: measured.cpu_load, gateway: measured.cpu_gateway },
        gateway: played.counts,
        ceiling: None,
        noise: None,
        check: verdict.check(),
        crash,
        capacity: None,
    }
}

/// As it was typed, apart from what is secret.
fn command() -> String {
    let mut words = vec!["loadtest".to_owned()];
    let mut secret = false;
    for word in std::env::args().skip(1) {
        words.push(if secret { "…".to_owned() } else { word.clone() });
        secret = matches!(word.as_str(), "--key" | "--operator-key");
    }
    words.join(" ")
}

fn verdict(played: &Played<'_>) -> Verdict {
    let Played { scenario, measured, .. } = played;
    let crashed = scenario.kills > 0;
    // Somebody else's load on the same agents may have spent before.
    let is_new = played.before.iter().all(|balance| balance.used() == 0);
    let daily_limit = scenario.daily_limit.filter(|_| is_new);
    let terms = Terms { amount: scenario.amount, daily_limit, crashed };
    let mut verdict = Verdict::of(&measured.payers, &played.before, &played.after, terms);
    measured.broken.iter().for_each(|broken| verdict.add_problem(broken.clone()));
    if let Some(counts) = &played.counts {
        verdict.compare_counts(counts, &measured.tally.total);
    }
    if !crashed {
        look_at_refusals(measured, &mut verdict);
    }
    verdict
}

/// Whatever is refused must be refused at once and by name, and nothing may hang.
fn look_at_refusals(measured: &Measured, verdict: &mut Verdict) {
    let (tally, Counts { errors, unanswered, .. }) = (&measured.tally, measured.tally.total);
    let refused: u64 = REFUSALS.iter().filter_map(|code| tally.codes.get(*code)).sum();
    if errors > refused {
        verdict.add_problem(format!("{} requests were answered with an error", errors - refused));
    }
    if unanswered > 0 {
        verdict.add_problem(format!("{unanswered} requests were never answered"));
    }
    if tally.slowest_error > REFUSAL_NS_MAX {
        verdict.add_problem(format!("a refusal took {:.1} s", tally.slowest_error as f64 / 1e9));
    }
}

fn load(scenario: &Scenario, seconds: f64) -> Load {
    let (pace, per_frame) = match &scenario.pace {
        ScenarioPace::Closed { outstanding, per_frame } => (Loop::Closed { outstanding: *outstanding }, *per_frame),
        ScenarioPace::Climbing { first, last } => {
            let rate_last = (first != last).then(|| f64::from(*last));
            (Loop::Open { rate: f64::from(*first), rate_last, steps: Vec::new() }, None)
        }
        ScenarioPace::Stepping(steps) => {
            let rate = steps.first().map_or(0.0, |step| f64::from(step.rate));
            let step = |step: &settings::Step| Step { rate: f64::from(step.rate), seconds: step.seconds as f64 };
            (Loop::Open { rate, rate_last: None, steps: steps.iter().map(step).collect() }, None)
        }
    };
    Load {
        pace,
        agents: scenario.agents,
        connections: scenario.connections.into(),
        threads: scenario.threads.min(scenario.connections).into(),
        per_frame,
        captures_share: scenario.captures,
        capture_batch: scenario.capture_batch,
        amount_micros: scenario.amount.micros(),
        warm_up_seconds: scenario.warm_up_seconds as f64,
        seconds,
    }
}

/// One entry for each second in which requests were sent.
fn series(scenario: &Scenario, measured: &Measured) -> Vec<Second> {
    let schedule = Schedule::of(scenario);
    let measured_from = second_of(measured.plan.measured_from);
    let seconds = measured.tally.seconds.iter().take(measured.plan.seconds()).enumerate();
    let entry = |(number, second): (usize, &tally::Second)| {
        let times = (!second.authorize.is_empty()).then(|| Percentiles::of(&second.authorize));
        let due = |second: usize| schedule.as_ref().map(|schedule| schedule.due(second as f64));
        Second {
            second: u32::try_from(number).unwrap_or(u32::MAX),
            warm_up: number < measured_from,
            decisions: second.counts.decided(),
            captures: second.counts.captured,
            denied: second.counts.denied,
            errors: second.counts.errors,
            in_flight: measured.in_flight.get(number).copied().unwrap_or(0),
            due_rate: due(number + 1).zip(due(number)).map(|(after, before)| after - before),
            p50: times.map(|times| times.p50),
            p99: times.map(|times| times.p99),
            max: times.map(|times| times.max),
            interval: times.map(|_| second.authorize.clone().into()),
        }
    };
    seconds.map(entry).collect()
}
