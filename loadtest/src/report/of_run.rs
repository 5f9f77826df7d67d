//! What came out, for people, for programs, and for plotters.

use std::{fmt::Write, fs, path::Path};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::hgrm::percentile_table;
use crate::{
    arguments::{LoadArguments, RunArguments},
    check::Verdict,
    error::LoadError,
    machine,
    tally::Tally,
};

/// Percentiles of the summary.
const PERCENTILES: [(f64, &str); 6] =
    [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9"), (99.99, "p99.99"), (100.0, "max")];

/// All that a run has shown.
pub(crate) struct Report<'a> {
    pub(crate) arguments: &'a RunArguments,
    pub(crate) workers: usize,
    pub(crate) load_average: Option<f64>,
    pub(crate) seconds: f64,
    pub(crate) tally: &'a Tally,
    pub(crate) cpu_client: Option<f64>,
    pub(crate) cpu_gateway: Option<f64>,
    pub(crate) server: Option<ServerCounts>,
    pub(crate) verdict: &'a Verdict,
}

/// What the gateway counted, over all its workers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServerCounts {
    approvals: u64,
    denials: u64,
    /// Approvals that did not wait for the disk.
    leased: u64,
    commits: u64,
    commit_bytes: u64,
}

impl ServerCounts {
    pub(crate) fn of(status: &Value) -> ServerCounts {
        let sum = |name: &str| {
            let workers = status["workers"].as_array().into_iter().flatten();
            workers.filter_map(|worker| worker[name].as_u64()).sum()
        };
        ServerCounts {
            approvals: sum("approvals"),
            denials: sum("denials"),
            leased: sum("leased"),
            commits: status["commits"]["commits"].as_u64().unwrap_or(0),
            commit_bytes: status["commits"]["bytes"].as_u64().unwrap_or(0),
        }
    }

    pub(crate) fn since(&self, before: &ServerCounts) -> ServerCounts {
        ServerCounts {
            approvals: self.approvals.saturating_sub(before.approvals),
            denials: self.denials.saturating_sub(before.denials),
            leased: self.leased.saturating_sub(before.leased),
            commits: self.commits.saturating_sub(before.commits),
            commit_bytes: self.commit_bytes.saturating_sub(before.commit_bytes),
        }
    }

    /// The gateway's own counters must say the same, where nobody else uses it.
    pub(crate) fn compare(&self, tally: &Tally, verdict: &mut Verdict) {
        for (what, counted, told) in
            [("approvals", self.approvals, tally.total.approved), ("denials", self.denials, tally.total.denied)]
        {
            if !(told..=told + tally.unanswered).contains(&counted) {
                verdict.add_problem(format!("{told} {what} were told, the gateway has counted {counted}"));
            }
        }
    }
}

impl Report<'_> {
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.seconds
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = self.write(&mut text);
        text.truncate(text.trim_end().len());
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let load = &self.arguments.load;
        let (total, measured) = (&self.tally.total, &self.tally.measured);
        writeln!(out, "machine    {}, load average {}", machine::description(), shown(self.load_average, ""))?;
        writeln!(out, "load       {}", description(load, self.arguments.agents.agents))?;
        writeln!(
            out,
            "decisions  {:.0}/s: {} approved, {} denied in {} s; {:.1} requests a frame",
            self.per_second(measured.decided()),
            measured.approved,
            measured.denied,
            self.seconds,
            (total.decided() + total.captured + total.errors) as f64 / self.tally.frames.max(1) as f64,
        )?;
        if total.captured > 0 {
            writeln!(out, "captures   {:.0}/s, each answered when durable", self.per_second(measured.captured))?;
        }
        writeln!(out, "errors     {} and {} without an answer", total.errors, self.tally.unanswered)?;
        for (code, count) in &self.tally.codes {
            writeln!(out, "           {count} {code}")?;
        }
        writeln!(
            out,
            "processors {} busy with the load, {} with the gateway and its {} workers",
            shown(self.cpu_client, ""),
            shown(self.cpu_gateway, ""),
            self.workers
        )?;
        if let Some(server) = &self.server {
            writeln!(
                out,
                "journal    {} commits, {:.0} MB; {:.2} % of the approvals were answered ahead of the disk",
                server.commits,
                server.commit_bytes as f64 / 1e6,
                100.0 * server.leased as f64 / server.approvals.max(1) as f64
            )?;
        }
        writeln!(out, "check      {}", self.verdict.text())?;
        for (name, histogram) in self.latencies() {
            writeln!(out, "\n{name}, milliseconds from {}", origin(load))?;
            for (percentile, label) in PERCENTILES {
                writeln!(out, "  {label:>7} {:>10.3}", milliseconds(histogram.value_at_percentile(percentile)))?;
            }
            writeln!(out)?;
            out.push_str(&percentile_table(histogram));
        }
        Ok(())
    }

    /// The histograms that hold anything.
    fn latencies(&self) -> impl Iterator<Item = (&'static str, &Histogram<u64>)> {
        let all = [("authorize", &self.tally.authorize), ("capture", &self.tally.capture)];
        all.into_iter().filter(|(_, histogram)| !histogram.is_empty())
    }

    pub(crate) fn json(&self) -> String {
        let load = &self.arguments.load;
        let counts = |counts: &crate::tally::Counts| {
            json!({
                "approved": counts.approved,
                "denied": counts.denied,
                "captured": counts.captured,
                "errors": counts.errors,
            })
        };
        let latencies: serde_json::Map<String, Value> =
            self.latencies().map(|(name, histogram)| (name.to_owned(), latency_json(histogram))).collect();
        json!({
            "machine": machine::description(),
            "loadAverage": self.load_average,
            "agents": self.arguments.agents.agents,
            "connections": load.connections,
            "threads": load.threads,
            "outstanding": if load.rate.is_none() { Some(load.outstanding) } else { None },
            "rate": load.rate,
            "perFrame": load.per_frame,
            "captures": load.captures,
            "amountMicros": load.amount.micros(),
            "warmUpSeconds": load.warm_up,
            "seconds": self.seconds,
            "workers": self.workers,
            "decisionsPerSecond": self.per_second(self.tally.measured.decided()).round(),
            "capturesPerSecond": self.per_second(self.tally.measured.captured).round(),
            "measured": counts(&self.tally.measured),
            "total": counts(&self.tally.total),
            "unanswered": self.tally.unanswered,
            "codes": self.tally.codes,
            "frames": self.tally.frames,
            "processorsClient": self.cpu_client,
            "processorsGateway": self.cpu_gateway,
            "gateway": self.server.map(|server| json!({
                "approvals": server.approvals,
                "denials": server.denials,
                "leased": server.leased,
                "commits": server.commits,
                "commitBytes": server.commit_bytes,
            })),
            "latencyMilliseconds": latencies,
            "check": self.verdict.json(),
        })
        .to_string()
    }

    pub(crate) fn write_hgrm(&self, path: &Path) -> Result<(), LoadError> {
        let table = percentile_table(&self.tally.authorize);
        fs::write(path, table).map_err(|source| LoadError::File { path: path.to_owned(), source })
    }
}

fn description(load: &LoadArguments, agents: u32) -> String {
    let kind = match (load.rate, load.per_frame) {
        (Some(rate), _) => format!("open loop, {rate} requests/s over {} connections", load.connections),
        (None, frame) => {
            let frame = frame.map_or_else(String::new, |frame| format!(", {frame} a frame"));
            format!("closed loop, {} connections x {} outstanding{frame}", load.connections, load.outstanding)
        }
    };
    format!("{kind}, {agents} agents, every rule, {:.0} % captured, {} threads", load.captures * 100.0, load.threads)
}

/// Where the time of an answer begins.
fn origin(load: &LoadArguments) -> &'static str {
    if load.rate.is_some() { "the moment the request was due" } else { "the moment the request was sent" }
}

fn shown(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.2}{unit}"))
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

fn latency_json(histogram: &Histogram<u64>) -> Value {
    let mut values: serde_json::Map<String, Value> = PERCENTILES
        .into_iter()
        .map(|(percentile, label)| (label.to_owned(), milliseconds(histogram.value_at_percentile(percentile)).into()))
        .collect();
    values.insert("mean".to_owned(), (histogram.mean() / 1e6).into());
    values.insert("count".to_owned(), histogram.len().into());
    Value::Object(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_workers_are_added() {
        let status = json!({
            "workers": [{ "approvals": 3, "denials": 1, "leased": 2 }, { "approvals": 4, "denials": 0, "leased": 4 }],
            "commits": { "commits": 5, "bytes": 600 },
        });
        let counts = ServerCounts::of(&status);
        assert_eq!((counts.approvals, counts.denials, counts.leased), (7, 1, 6));
        assert_eq!((counts.commits, counts.commit_bytes), (5, 600));
    }
}
