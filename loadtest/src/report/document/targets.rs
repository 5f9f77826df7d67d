//! The table of targets, in Markdown: what must be reached, what is aimed for, and what was measured with which command.

use std::fmt::{self, Write};

use super::{
    medians::{Median, medians},
    performance::origin,
};
use crate::{
    record::{Loop, Percentiles, RunRecord, SubjectKind, Transport},
    report::{
        figures::{Better, p999_less_stalls, ratio_to_echo},
        numbers::{measured, percent, rate},
    },
};

/// Requests a second of the open loop that has targets.
const OPEN_LOOP_RATE: f64 = 200_000.0;
/// Connections of the run over REST that has a target.
const REST_CONNECTIONS: u32 = 64;

/// One figure to be reached.
struct Target {
    what: &'static str,
    must: f64,
    aim: f64,
    better: Better,
    text: fn(f64) -> String,
    /// Absent where a run is not the one that the target is about.
    of: fn(&RunRecord) -> Option<f64>,
}

/// How far a target was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Aim,
    Must,
    Nothing,
}

const TARGETS: [Target; 9] = [
    target("decisions/s over QUIC, closed loop", [1e6, 2e6], Better::Higher, rate, |run| {
        is_closed_loop(run).then_some(run.decisions_per_second)
    }),
    target("the same as a ratio to the echo in the same run", [0.30, 0.50], Better::Higher, ratio, |run| {
        ratio_to_echo(run).filter(|_| is_closed_loop(run))
    }),
    target("in-process engine decisions/s, one worker", [2e6, 5e6], Better::Higher, rate, |run| {
        let is_it = run.subject.transport == Transport::InProcess && run.subject.workers == Some(1);
        is_it.then_some(run.decisions_per_second)
    }),
    target("open loop of 200,000/s: p50", [0.3, 0.2], Better::Lower, milliseconds, |run| {
        open_loop(run, |times| times.p50)
    }),
    target("open loop of 200,000/s: p99", [1.0, 0.5], Better::Lower, milliseconds, |run| {
        open_loop(run, |times| times.p99)
    }),
    target(
        "its p99.9, less the machine's own stalls of the same run",
        [1.0, 0.7],
        Better::Lower,
        milliseconds,
        |run| open_loop(run, |times| times.p999).and_then(|_| p999_less_stalls(run)),
    ),
    target("durable captures/s in batches", [500_000.0, 1.5e6], Better::Higher, rate, |run| {
        run.load.capture_batch.filter(|_| is_holdfast_over(run, Transport::Quic)).map(|_| run.captures_per_second)
    }),
    target("REST pre-authorize/s (keep-alive, 64 connections)", [20_000.0, 60_000.0], Better::Higher, rate, |run| {
        let is_it = is_holdfast_over(run, Transport::Rest) && run.load.connections == REST_CONNECTIONS;
        is_it.then_some(run.decisions_per_second)
    }),
    target("share of approvals that waited for the disk in `steady`", [0.01, 0.001], Better::Lower, percent, |run| {
        // The open loops that have targets of their own play the same scenario without captures.
        let is_it = run.scenario.name == "steady" && run.load.captures_share > 0.0;
        let is_it = is_it && is_holdfast_over(run, Transport::Quic);
        run.gateway.filter(|_| is_it).map(|gateway| gateway.waited_share)
    }),
];

const fn target(
    what: &'static str,
    [must, aim]: [f64; 2],
    better: Better,
    text: fn(f64) -> String,
    of: fn(&RunRecord) -> Option<f64>,
) -> Target {
    Target { what, must, aim, better, text, of }
}

fn is_holdfast_over(run: &RunRecord, transport: Transport) -> bool {
    run.subject.what == SubjectKind::Holdfast && run.subject.transport == transport
}

fn is_closed_loop(run: &RunRecord) -> bool {
    let is_closed = matches!(run.load.pace, Loop::Closed { .. });
    // Several requests a frame are another discipline, and captures take the place of decisions.
    let is_plain = run.load.per_frame.is_none() && run.load.captures_share == 0.0;
    is_holdfast_over(run, Transport::Quic) && is_closed && is_plain
}

fn open_loop(run: &RunRecord, of: fn(&Percentiles) -> f64) -> Option<f64> {
    let steady = match &run.load.pace {
        Loop::Open { rate, rate_last: None, steps } => *rate == OPEN_LOOP_RATE && steps.is_empty(),
        Loop::Open { rate_last: Some(_), .. } | Loop::Closed { .. } => false,
    };
    let latency = run.latencies.authorize.as_ref().filter(|_| steady && is_holdfast_over(run, Transport::Quic));
    latency.map(|latency| of(&latency.percentiles))
}

fn milliseconds(value: f64) -> String {
    format!("{} ms", measured(value))
}

fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// Every target, with what the first run shows that it is about.
pub(super) fn table(records: &[RunRecord]) -> String {
    let mut text = String::new();
    write_table(&medians(records), records, &mut text).expect("writing to a text cannot fail");
    text
}

fn write_table(medians: &[Median<'_>], records: &[RunRecord], out: &mut String) -> fmt::Result {
    writeln!(out, "{}\n", origin(records))?;
    writeln!(out, "| what | must | aim | measured | reached | command |\n|---|---|---|---|---|---|")?;
    for Target { what, must, aim, better, text, of } in &TARGETS {
        let found = medians.iter().find_map(|median| Some((median, of(median.record)?)));
        let (value, reached, command) = match found {
            Some((median, value)) => {
                (text(value), mark(reached(*better, [*must, *aim], value)), format!("`{}`", median.command))
            }
            None => ("-".to_owned(), "not measured", String::new()),
        };
        writeln!(out, "| {what} | {} | {} | {value} | {reached} | {command} |", text(*must), text(*aim))?;
    }
    Ok(())
}

fn reached(better: Better, [must, aim]: [f64; 2], value: f64) -> Reached {
    let reaches = |bound: f64| match better {
        Better::Higher => value >= bound,
        Better::Lower => value <= bound,
    };
    match (reaches(aim), reaches(must)) {
        (true, _) => Reached::Aim,
        (false, true) => Reached::Must,
        (false, false) => Reached::Nothing,
    }
}

fn mark(reached: Reached) -> &'static str {
    match reached {
        Reached::Aim => "aim",
        Reached::Must => "must",
        Reached::Nothing => "**no**",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::SAMPLE;

    fn sample() -> RunRecord {
        RunRecord::parse(SAMPLE).unwrap()
    }

    #[test]
    fn each_target_is_held_against_the_run_that_it_is_about() {
        let mut closed = sample();
        closed.command = "loadtest run throughput".to_owned();
        closed.load.pace = Loop::Closed { outstanding: 256 };
        (closed.load.captures_share, closed.decisions_per_second) = (0.0, 1_200_000.0);
        let mut open = sample();
        open.command = "loadtest run steady --rate 200000".to_owned();
        open.load.pace = Loop::Open { rate: 200_000.0, rate_last: None, steps: Vec::new() };
        let text = table(&[closed, open]);
        for line in [
            "| decisions/s over QUIC, closed loop | 1,000,000 | 2,000,000 | 1,200,000 | must | `loadtest run throughput` |",
            "| the same as a ratio to the echo in the same run | 0.30 | 0.50 | 0.40 | must | `loadtest run throughput` |",
            "| open loop of 200,000/s: p50 | 0.300 ms | 0.200 ms | 0.200 ms | must | `loadtest run steady --rate 200000` |",
            "| open loop of 200,000/s: p99 | 1.00 ms | 0.500 ms | 1.20 ms | **no** | `loadtest run steady --rate 200000` |",
            "| durable captures/s in batches | 500,000 | 1,500,000 | - | not measured |  |",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_bound_that_is_met_exactly_is_reached() {
        for (better, value, expected) in [
            (Better::Higher, 1.0, Reached::Must),
            (Better::Higher, 2.0, Reached::Aim),
            (Better::Higher, 0.9, Reached::Nothing),
        ] {
            assert_eq!(reached(better, [1.0, 2.0], value), expected);
        }
        for (value, expected) in [(2.0, Reached::Must), (1.0, Reached::Aim), (2.1, Reached::Nothing)] {
            assert_eq!(reached(Better::Lower, [2.0, 1.0], value), expected);
        }
    }
}
