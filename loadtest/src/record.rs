//! Everything that a run has shown, as one value that can be kept: every report, plot and comparison is made of it, and of nothing else.
//!
//! It is a JSON object with names in camel case. What was not measured is absent; nothing is invented in its place. Amounts are integer
//! micro-units; rates, shares and milliseconds are measurements and may be fractions.

mod histogram;
mod moment;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use self::{histogram::StoredHistogram, moment::Moment};

/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// One run of one load on one subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunRecord {
    pub(crate) version: Version,
    /// When the load began.
    pub(crate) started_at: Moment,
    /// As it was typed.
    pub(crate) command: String,
    pub(crate) scenario: Scenario,
    pub(crate) machine: Machine,
    pub(crate) subject: Subject,
    pub(crate) load: Load,
    /// From the first to the last answer, warm-up included.
    pub(crate) totals: Counts,
    /// Answers that came while the measurement ran.
    pub(crate) measured: Counts,
    /// How often each code was given: of errors, and of the first violation of denials.
    pub(crate) codes: BTreeMap<String, u64>,
    /// Authorizations that were decided, by second of the measurement.
    pub(crate) decisions_per_second: f64,
    pub(crate) captures_per_second: f64,
    pub(crate) requests_per_frame: Option<f64>,
    pub(crate) latencies: Latencies,
    /// One entry a second, warm-up included, in order.
    pub(crate) series: Vec<Second>,
    pub(crate) processors: Processors,
    pub(crate) gateway: Option<GatewayCounts>,
    pub(crate) ceiling: Option<Ceiling>,
    pub(crate) noise: Option<Noise>,
    pub(crate) check: Check,
    pub(crate) crash: Option<Crash>,
    pub(crate) capacity: Option<Capacity>,
}

impl RunRecord {
    /// Reads what [`RunRecord::json`] has written.
    ///
    /// # Errors
    /// [`RecordError`] where the text is no record of this version.
    pub(crate) fn parse(text: &str) -> Result<RunRecord, RecordError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The record as JSON, a field a line, with a line break at the end.
    pub(crate) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a record has only text keys");
        text.push('\n');
        text
    }
}

/// A text that is no record of a run.
#[derive(Debug, Error)]
#[error("no record of a run, as `loadtest run --json FILE` writes it: {0}")]
pub(crate) struct RecordError(#[from] serde_json::Error);

/// The version of the record's format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(crate) struct Version;

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Version, String> {
        if version == VERSION {
            return Ok(Version);
        }
        Err(format!("it has version {version}, and this program reads version {VERSION}; use the one that wrote it"))
    }
}

impl From<Version> for u32 {
    fn from(Version: Version) -> u32 {
        VERSION
    }
}

/// What was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// A sentence or two.
    pub(crate) description: String,
}

/// What it was measured on; absent where the system does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) processor: Option<String>,
    pub(crate) cores: u32,
    pub(crate) memory_bytes: Option<u64>,
    /// Name and version of the operating system's kernel.
    pub(crate) kernel: Option<String>,
    /// Processes that ran or wanted to over the minute before the load.
    pub(crate) load_average: Option<f64>,
}

/// What was put under load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subject {
    pub(crate) what: SubjectKind,
    pub(crate) version: Option<String>,
    pub(crate) transport: Transport,
    /// What an acknowledgement outlives, and how long it may wait for the disk: "sled, process, 3 ms".
    pub(crate) durability: Option<String>,
    pub(crate) workers: Option<u32>,
    pub(crate) shards: Option<u32>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SubjectKind {
    /// The gateway.
    Holdfast,
    /// A script with the same limits in a Redis server.
    Redis,
    /// A server that carries the same frames and decides nothing.
    Echo,
}

/// How the requests travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Transport {
    Quic,
    Rest,
    InProcess,
    Redis,
    Echo,
}

/// How much was asked, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Load {
    #[serde(rename = "loop")]
    pub(crate) pace: Loop,
    pub(crate) agents: u32,
    pub(crate) connections: u32,
    /// Threads that generated the load.
    pub(crate) threads: u32,
    /// Requests that each frame waited for; absent where a frame took what was ready.
    pub(crate) per_frame: Option<u32>,
    /// Share of the approvals that were captured, 0 to 1.
    pub(crate) captures_share: f64,
    /// Captures in one message; absent where each had its own.
    pub(crate) capture_batch: Option<u32>,
    /// What each payment cost.
    pub(crate) amount_micros: u64,
    pub(crate) warm_up_seconds: f64,
    /// Length of the measurement.
    pub(crate) seconds: f64,
}

/// What let the next request go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Loop {
    /// An answer to an earlier one.
    Closed {
        /// Requests that waited for an answer on each connection.
        outstanding: u32,
    },
    /// The clock.
    Open {
        /// Requests a second, at first.
        rate: f64,
        /// Requests a second in the end, where the rate climbed.
        rate_last: Option<f64>,
        /// Stretches of a rate of their own, in order, where the rate jumped.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<Step>,
    },
}

/// A stretch of one rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
}

/// Answers by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) approved: u64,
    pub(crate) denied: u64,
    pub(crate) captured: u64,
    pub(crate) errors: u64,
    /// Requests that never got one.
    pub(crate) unanswered: u64,
}

impl Counts {
    /// Authorizations that were decided.
    pub(crate) fn decided(&self) -> u64 {
        self.approved + self.denied
    }
}

/// How long answers took, of requests that were due while the measurement ran; absent where nothing of the kind was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latencies {
    pub(crate) authorize: Option<Latency>,
    pub(crate) capture: Option<Latency>,
}

/// How long answers of one kind took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) from: Origin,
    pub(crate) percentiles: Percentiles,
    pub(crate) count: u64,
    pub(crate) histogram: StoredHistogram,
}

impl Latency {
    /// Of nanoseconds; absent where there are none.
    pub(crate) fn of(histogram: &Histogram<u64>, from: Origin) -> Option<Latency> {
        if histogram.is_empty() {
            return None;
        }
        Some(Latency {
            from,
            percentiles: Percentiles::of(histogram),
            count: histogram.len(),
            histogram: StoredHistogram::from(histogram.clone()),
        })
    }
}

/// Where the time of an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Origin {
    /// When the schedule said so, whether or not the request could be sent then.
    Due,
    /// When it was sent.
    Sent,
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    /// 99.9 %.
    pub(crate) p999: f64,
    /// 99.99 %.
    pub(crate) p9999: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

impl Percentiles {
    /// Of nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Percentiles {
        let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: histogram.max() as f64 / 1e6,
            mean: histogram.mean() / 1e6,
        }
    }
}

/// One second of the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Second {
    /// From the start of the load, counted from 0.
    pub(crate) second: u32,
    /// It lies before the measurement.
    pub(crate) warm_up: bool,
    /// Authorizations that were decided in this second, denials included.
    pub(crate) decisions: u64,
    pub(crate) captures: u64,
    pub(crate) denied: u64,
    pub(crate) errors: u64,
    /// Requests that waited for an answer at its end.
    pub(crate) in_flight: u64,
    /// Requests that were due in it; absent in a closed loop.
    pub(crate) due_rate: Option<f64>,
    /// Milliseconds of the authorizations of the interval; absent where there are none.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) max: Option<f64>,
    /// How long the authorizations took that were due in this second, in nanoseconds.
    pub(crate) interval: Option<StoredHistogram>,
}

/// Processors that were busy on average while the load ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Processors {
    /// With generating it.
    pub(crate) load: Option<f64>,
    /// With serving it, where that is a process of its own that this program started.
    pub(crate) gateway: Option<f64>,
}

/// What the gateway itself counted while the load ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayCounts {
    pub(crate) approvals: u64,
    pub(crate) denials: u64,
    /// Approvals that were answered ahead of the disk.
    pub(crate) leased: u64,
    pub(crate) commits: u64,
    pub(crate) commit_bytes: u64,
    /// Share of the approvals that waited for the disk, 0 to 1.
    pub(crate) waited_share: f64,
}

/// What an echo server of the same frames reached in the same run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ceiling {
    pub(crate) decisions_per_second: f64,
    /// What was put under load reached this part of it.
    pub(crate) ratio: f64,
    /// How long the echo server was measured.
    pub(crate) seconds: f64,
    /// How long its answers took under the same load.
    pub(crate) percentiles: Option<Percentiles>,
}

/// How long the machine stopped a thread that only looks at the clock, while nothing else ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Noise {
    pub(crate) seconds: f64,
    /// The longest first.
    pub(crate) longest_gaps_ms: Vec<f64>,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// Of the time, 0 to 100.
    pub(crate) stall_share_percent: f64,
}

/// Whether the books of both sides agree and no limit was exceeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    pub(crate) right: bool,
    /// The first of them, as sentences.
    pub(crate) problems: Vec<String>,
    /// All of them.
    pub(crate) problem_count: u64,
    /// Agents whose books were compared.
    pub(crate) agents: u64,
    /// Limits that were looked at, over all agents.
    pub(crate) limits: u64,
    /// Approvals in the books.
    pub(crate) approvals: u64,
}

/// What `kill -9` in the middle of the load did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Crash {
    pub(crate) kills: u32,
    /// From each kill to the first answer after it.
    pub(crate) restarts_ms: Vec<f64>,
    /// Captures that were acknowledged and are gone.
    pub(crate) lost_captures: u64,
    pub(crate) overspent_agents: u64,
}

/// A search for the highest rate that keeps a percentile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Capacity {
    pub(crate) target: Target,
    /// In the order in which they were tried.
    pub(crate) probes: Vec<Probe>,
    /// Requests a second; absent where no rate that was tried kept the target.
    pub(crate) found: Option<f64>,
}

/// What has to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// 0 to 100.
    pub(crate) percentile: f64,
    pub(crate) ms: f64,
}

/// One rate that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Probe {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) kept: bool,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record with every part, of round figures.
    pub(crate) const SAMPLE: &str = include_str!("record/sample.json");

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let record = RunRecord::parse(SAMPLE).unwrap();
        assert_eq!(record.json(), SAMPLE);
        assert_eq!(RunRecord::parse(&record.json()).unwrap(), record);
    }

    #[test]
    fn what_was_not_measured_may_be_absent() {
        let mut value: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
        for part in ["gateway", "ceiling", "noise", "crash", "capacity"] {
            value.as_object_mut().unwrap().remove(part);
        }
        let record = RunRecord::parse(&value.to_string()).unwrap();
        assert_eq!((record.gateway, record.ceiling, record.noise), (None, None, None));
    }

    #[test]
    fn what_is_no_record_is_refused_with_a_reason() {
        let newer = SAMPLE.replace("\"version\": 1,", "\"version\": 2,");
        let broken = SAMPLE.replace("\"histogram\": \"", "\"histogram\": \"AAAA");
        for (text, reason) in [
            ("{}", "missing field `version`"),
            (newer.as_str(), "it has version 2, and this program reads version 1"),
            (broken.as_str(), "a histogram cannot be read"),
            ("no JSON", "expected"),
        ] {
            let error = RunRecord::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
