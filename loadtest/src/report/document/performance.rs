//! The table of all runs, in Markdown.

use std::fmt::{self, Write};

use super::medians::{Median, medians};
use crate::{
    record::{Latency, Percentiles, RunRecord},
    report::{
        figures::{p999_less_stalls, ratio_to_echo},
        numbers::{measured, percent, rate},
        words,
    },
};

/// Where they were measured, what can be said of all of them, and a line a command.
pub(super) fn table(records: &[RunRecord]) -> String {
    let mut text = String::new();
    write_table(&medians(records), records, &mut text).expect("writing to a text cannot fail");
    text
}

fn write_table(medians: &[Median<'_>], records: &[RunRecord], out: &mut String) -> fmt::Result {
    writeln!(out, "{}{}{}\n", origin(records), repeated(medians), checked(records))?;
    writeln!(out, "| | decisions/s | captures/s | p50 | p99 | p99.9 | less stalls | of the echo | waited |")?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    medians.iter().try_for_each(|median| line(median, out))?;
    writeln!(
        out,
        "\nMilliseconds; in open loops from the moment each request was due. *Less stalls* is the p99.9 less the p99.9 of waiting for the idle \
         machine alone, *of the echo* the share, in closed loops, of what a server reaches that carries the same frames and decides nothing, *waited* \
         the share of the approvals that waited for the disk."
    )
}

/// The machines, and the days.
pub(super) fn origin(records: &[RunRecord]) -> String {
    let machine = |record: &RunRecord| {
        let mut machine = record.machine.clone();
        machine.load_average = None;
        words::machine(&machine)
    };
    let day = |record: &RunRecord| record.started_at.to_string().chars().take("2026-11-20".len()).collect::<String>();
    let listed = |of: &dyn Fn(&RunRecord) -> String| {
        let mut texts: Vec<String> = records.iter().map(of).collect();
        texts.sort();
        texts.dedup();
        texts.join("; ")
    };
    format!("Measured on {}, on {}; load and server shared the machine.", listed(&machine), listed(&day))
}

fn repeated(medians: &[Median<'_>]) -> String {
    match medians.iter().map(|median| median.runs).min() {
        Some(runs) if runs > 1 => format!(" Each line is the median of {runs} runs."),
        _ => String::new(),
    }
}

fn checked(records: &[RunRecord]) -> &'static str {
    if records.iter().all(|record| record.check.right) {
        " After each run the books of every agent were compared: nobody was past a limit, and both sides had counted the same."
    } else {
        ""
    }
}

fn line(median: &Median<'_>, out: &mut String) -> fmt::Result {
    let (record, command) = (median.record, &median.command);
    let wrong = if record.check.right { "" } else { " **WRONG**" };
    let what = match &record.subject.durability {
        Some(durability) => format!("{} ({durability})", words::subject_and_transport(&record.subject)),
        None => words::subject_and_transport(&record.subject),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let at = |of: fn(&Percentiles) -> f64| or_dash(times(record).map(|latency| measured(of(&latency.percentiles))));
    let cells = [
        format!("{what}{wrong}<br>`{command}`"),
        or_dash(some_rate(record.decisions_per_second)),
        or_dash(some_rate(record.captures_per_second)),
        at(|times| times.p50),
        at(|times| times.p99),
        at(|times| times.p999),
        or_dash(p999_less_stalls(record).map(measured)),
        or_dash(ratio_to_echo(record).map(|ratio| format!("{ratio:.2}"))),
        or_dash(record.gateway.map(|gateway| percent(gateway.waited_share))),
    ];
    writeln!(out, "| {} |", cells.join(" | "))
}

/// Of authorizations; of captures where only those were measured.
fn times(record: &RunRecord) -> Option<&Latency> {
    record.latencies.authorize.as_ref().or(record.latencies.capture.as_ref())
}

fn some_rate(per_second: f64) -> Option<String> {
    (per_second > 0.0).then(|| rate(per_second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{SubjectKind, Transport, tests::SAMPLE};

    #[test]
    fn every_command_has_its_line() {
        let first = RunRecord::parse(SAMPLE).unwrap();
        let mut redis = first.clone();
        redis.command = "loadtest run steady --transport redis".to_owned();
        (redis.subject.what, redis.subject.transport) = (SubjectKind::Redis, Transport::Redis);
        redis.subject.durability = Some("appendfsync always".to_owned());
        (redis.gateway, redis.ceiling, redis.noise) = (None, None, None);
        redis.captures_per_second = 0.0;
        assert_eq!(table(&[first, redis]), include_str!("../golden/performance.md"));
    }

    #[test]
    fn a_wrong_run_is_marked_and_no_general_praise_is_given() {
        let mut record = RunRecord::parse(SAMPLE).unwrap();
        record.check.right = false;
        let table = table(&[record]);
        assert!(table.contains("**WRONG**") && !table.contains("nobody was past a limit"), "{table}");
    }
}
