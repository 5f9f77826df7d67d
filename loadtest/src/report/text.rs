//! The summary of a run, for a terminal.

use std::fmt::{self, Write};

use super::{
    figures::{p999_less_stalls, ratio_to_echo},
    numbers::{count, measured, of, percent, plain, rate},
    words,
};
use crate::record::{Capacity, Crash, GatewayCounts, Latency, RunRecord};

/// What a person wants to know after a run.
pub(crate) fn text(record: &RunRecord) -> String {
    let mut text = String::new();
    summary(record, &mut text).expect("writing to a text cannot fail");
    text
}

fn summary(record: &RunRecord, out: &mut String) -> fmt::Result {
    writeln!(out, "run         {}, {}: {}", record.scenario.name, record.started_at, record.scenario.description)?;
    writeln!(out, "subject     {}", words::subject(&record.subject))?;
    writeln!(out, "machine     {}", words::machine(&record.machine))?;
    writeln!(out, "load        {}", words::load(&record.load))?;
    answers(record, out)?;
    latencies(record, out)?;
    bounds(record, out)?;
    let busy = |processors: Option<f64>| processors.map_or_else(|| "unknown".to_owned(), |busy| format!("{busy:.2}"));
    let (load, gateway) = (busy(record.processors.load), busy(record.processors.gateway));
    writeln!(out, "processors  {load} busy with the load, {gateway} with serving it")?;
    if let Some(gateway) = &record.gateway {
        journal(gateway, out)?;
    }
    if let Some(capacity) = &record.capacity {
        writeln!(out, "capacity    {}", found(capacity))?;
    }
    if let Some(crash) = &record.crash {
        writeln!(out, "crash       {}", survived(crash))?;
    }
    writeln!(out, "check       {}: {}", words::verdict(&record.check), words::check(&record.check))?;
    let problems = record.check.problems.iter().cloned().chain(words::more_problems(&record.check));
    problems.into_iter().try_for_each(|problem| writeln!(out, "            {problem}"))
}

fn answers(record: &RunRecord, out: &mut String) -> fmt::Result {
    let (measured, totals) = (&record.measured, &record.totals);
    let frames =
        record.requests_per_frame.map_or_else(String::new, |requests| format!("; {requests:.1} requests a frame"));
    let (approved, denied) = (count(measured.approved), count(measured.denied));
    let decisions = rate(record.decisions_per_second);
    writeln!(out, "decisions   {decisions}/s: {approved} approved, {denied} denied{frames}")?;
    if totals.captured > 0 {
        writeln!(out, "captures    {}/s, each answered when durable", rate(record.captures_per_second))?;
    }
    writeln!(out, "errors      {}; {} without an answer", count(totals.errors), count(totals.unanswered))?;
    let codes: Vec<String> = record.codes.iter().map(|(code, times)| format!("{} {code}", count(*times))).collect();
    if codes.is_empty() { Ok(()) } else { writeln!(out, "codes       {}", codes.join(", ")) }
}

fn latencies(record: &RunRecord, out: &mut String) -> fmt::Result {
    let all = [("authorize", &record.latencies.authorize), ("capture", &record.latencies.capture)];
    let shown: Vec<(&str, &Latency)> =
        all.into_iter().filter_map(|(name, latency)| Some((name, latency.as_ref()?))).collect();
    let Some((_, first)) = shown.first() else { return Ok(()) };
    let from = words::origin(first.from);
    let labels = ["p50", "p90", "p99", "p99.9", "p99.99", "longest"].map(|label| format!("{label:>8}")).concat();
    writeln!(out, "latency     {labels}  ms from {from}")?;
    for (name, latency) in shown {
        let at = &latency.percentiles;
        let values = [at.p50, at.p90, at.p99, at.p999, at.p9999, at.max];
        writeln!(out, "  {name:<10}{}", values.map(|value| format!("{:>8}", measured(value))).concat())?;
    }
    Ok(())
}

/// What the machine and the network would allow.
fn bounds(record: &RunRecord, out: &mut String) -> fmt::Result {
    if let Some(ceiling) = &record.ceiling {
        let (echo, at) = (rate(ceiling.decisions_per_second), ceiling.percentiles.unwrap_or_default());
        match ratio_to_echo(record) {
            Some(ratio) => {
                writeln!(out, "ceiling     {ratio:.2} of an echo of the same frames ({echo}/s) in the same run")?
            }
            None => writeln!(out, "ceiling     an echo of the same frames reaches {echo}/s in the same run")?,
        }
        if ceiling.percentiles.is_some() {
            let [p50, p99, p999] = [at.p50, at.p99, at.p999].map(measured);
            writeln!(out, "            under the same load its p50 is {p50}, its p99 {p99}, its p99.9 {p999} ms")?;
        }
    }
    let Some(noise) = &record.noise else { return Ok(()) };
    let (longest, share) = (measured(noise.max_ms), plain(noise.stall_share_percent));
    writeln!(out, "noise       the idle machine stood still for up to {longest} ms, {share} % of the time")?;
    let parts = record.latencies.authorize.as_ref().zip(p999_less_stalls(record));
    parts.into_iter().try_for_each(|(latency, left)| {
        let (whole, stalls) = (measured(latency.percentiles.p999), measured(noise.p999_ms));
        writeln!(out, "            p99.9 less its stalls: {whole} - {stalls} = {} ms", measured(left))
    })
}

fn journal(gateway: &GatewayCounts, out: &mut String) -> fmt::Result {
    let (commits, waited) = (count(gateway.commits), percent(gateway.waited_share));
    let megabytes = rate(gateway.commit_bytes as f64 / 1e6);
    writeln!(out, "journal     {commits} commits, {megabytes} MB; {waited} of the approvals waited for the disk")
}

/// The result of a search for the highest rate.
pub(crate) fn found(capacity: &Capacity) -> String {
    let (percentile, target) = (plain(capacity.target.percentile), plain(capacity.target.ms));
    let probes = of(capacity.probes.len() as u64, "probe");
    match capacity.found {
        Some(found) => format!("{}/s keep p{percentile} within {target} ms ({probes})", rate(found)),
        None => format!("no rate that was tried keeps p{percentile} within {target} ms ({probes})"),
    }
}

/// What a crash has cost.
pub(crate) fn survived(crash: &Crash) -> String {
    let restarts: Vec<String> = crash.restarts_ms.iter().map(|restart| measured(*restart)).collect();
    format!(
        "{}, answers again after {} ms; {} lost, {} past a limit",
        of(crash.kills.into(), "kill"),
        restarts.join(", "),
        of(crash.lost_captures, "acknowledged capture"),
        of(crash.overspent_agents, "agent"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Loop, tests::SAMPLE};

    #[test]
    fn the_summary_says_what_the_record_holds() {
        let record = RunRecord::parse(SAMPLE).unwrap();
        assert_eq!(text(&record), include_str!("golden/summary.txt"));
    }

    #[test]
    fn what_was_not_measured_is_not_mentioned() {
        let mut record = RunRecord::parse(SAMPLE).unwrap();
        (record.gateway, record.ceiling, record.noise) = (None, None, None);
        (record.crash, record.capacity, record.latencies) = (None, None, Default::default());
        let text = text(&record);
        for absent in ["journal", "ceiling", "noise", "crash", "capacity", "latency", "NaN"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }

    #[test]
    fn only_a_load_that_goes_as_fast_as_it_can_is_a_part_of_the_echo() {
        let mut record = RunRecord::parse(SAMPLE).unwrap();
        assert!(!text(&record).contains("0.40 of an echo"));
        record.load.pace = Loop::Closed { outstanding: 256 };
        assert!(text(&record).contains("0.40 of an echo of the same frames (250,000/s)"));
    }

    #[test]
    fn what_is_wrong_is_said_in_full() {
        let mut record = RunRecord::parse(SAMPLE).unwrap();
        record.check.right = false;
        record.check.problem_count = 12;
        record.check.problems = vec!["agent 7: DAILY_LIMIT is exceeded".to_owned()];
        let text = text(&record);
        let expected = "WRONG: 12 problems: 10,000 agents, 90,000 limits, 558,800 approvals
            agent 7: DAILY_LIMIT is exceeded
            and 11 more
";
        assert!(text.ends_with(expected), "{text}");
    }
}
