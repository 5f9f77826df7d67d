//! The figures that runs are judged and compared by, in the order in which they are shown.

use super::numbers::{measured, percent, rate};
use crate::record::{Latency, Loop, Percentiles, RunRecord};

/// One number of a record.
pub(crate) struct Figure {
    pub(crate) label: &'static str,
    pub(crate) unit: Unit,
    pub(crate) better: Better,
    /// Absent where the run did not show it.
    pub(crate) of: fn(&RunRecord) -> Option<f64>,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    /// Of 0 to 1, shown in percent.
    Share,
    /// Whole.
    Count,
    /// With two decimals.
    Number,
}

/// Which of two figures one would rather have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

impl Figure {
    /// The figure of a run with its unit.
    pub(crate) fn text(&self, record: &RunRecord) -> Option<String> {
        let value = (self.of)(record)?;
        Some(match self.unit {
            Unit::PerSecond => format!("{}/s", rate(value)),
            Unit::Milliseconds => format!("{} ms", measured(value)),
            Unit::Share => percent(value),
            Unit::Count => rate(value),
            Unit::Number => format!("{value:.2}"),
        })
    }

    /// A run's figure as a multiple of another's; absent where that is nothing.
    pub(crate) fn ratio(&self, record: &RunRecord, first: &RunRecord) -> Option<f64> {
        let (value, first) = ((self.of)(record)?, (self.of)(first)?);
        (first > 0.0).then(|| value / first)
    }
}

/// All figures.
pub(crate) const FIGURES: [Figure; 19] = [
    figure("decisions", Unit::PerSecond, Better::Higher, |run| Some(run.decisions_per_second)),
    figure("captures", Unit::PerSecond, Better::Higher, |run| some(run.captures_per_second)),
    figure("p50", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.p50)),
    figure("p90", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.p90)),
    figure("p99", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.p99)),
    figure("p99.9", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.p999)),
    figure("p99.99", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.p9999)),
    figure("longest", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.max)),
    figure("mean", Unit::Milliseconds, Better::Lower, |run| authorize(run, |times| times.mean)),
    figure("p99.9 less the machine's stalls", Unit::Milliseconds, Better::Lower, p999_less_stalls),
    figure("p50 of captures", Unit::Milliseconds, Better::Lower, |run| capture(run, |times| times.p50)),
    figure("p99 of captures", Unit::Milliseconds, Better::Lower, |run| capture(run, |times| times.p99)),
    figure("ratio to the echo", Unit::Number, Better::Higher, ratio_to_echo),
    figure("waited for the disk", Unit::Share, Better::Lower, |run| run.gateway.map(|gateway| gateway.waited_share)),
    figure("highest rate in the target", Unit::PerSecond, Better::Higher, |run| run.capacity.as_ref()?.found),
    figure("processors of the load", Unit::Number, Better::Lower, |run| run.processors.load),
    figure("processors of the server", Unit::Number, Better::Lower, |run| run.processors.gateway),
    figure("errors", Unit::Count, Better::Lower, |run| Some(run.totals.errors as f64)),
    figure("without an answer", Unit::Count, Better::Lower, |run| Some(run.totals.unanswered as f64)),
];

const fn figure(label: &'static str, unit: Unit, better: Better, of: fn(&RunRecord) -> Option<f64>) -> Figure {
    Figure { label, unit, better, of }
}

fn some(value: f64) -> Option<f64> {
    (value > 0.0).then_some(value)
}

fn authorize(run: &RunRecord, of: fn(&Percentiles) -> f64) -> Option<f64> {
    run.latencies.authorize.as_ref().map(|latency: &Latency| of(&latency.percentiles))
}

fn capture(run: &RunRecord, of: fn(&Percentiles) -> f64) -> Option<f64> {
    run.latencies.capture.as_ref().map(|latency| of(&latency.percentiles))
}

/// Which part of the echo's rate was reached; absent where the clock set the rate, for then it is no achievement.
pub(crate) fn ratio_to_echo(run: &RunRecord) -> Option<f64> {
    match run.load.pace {
        Loop::Closed { .. } => run.ceiling.map(|ceiling| ceiling.ratio),
        Loop::Open { .. } => None,
    }
}

/// The largest share of the time that a machine may stand still while it has nothing to do.
const STALL_SHARE_MAX_PERCENT: f64 = 5.0;

/// What is left of the p99.9 when as many requests are taken to have waited for nothing but the machine. An estimate: a difference of
/// percentiles is not the percentile of a difference.
///
/// A machine that stands still for longer than [`STALL_SHARE_MAX_PERCENT`] is busy with something else, and what it does to a figure
/// cannot be subtracted from it: then there is none.
pub(crate) fn p999_less_stalls(run: &RunRecord) -> Option<f64> {
    let noise = run.noise.as_ref().filter(|noise| noise.stall_share_percent <= STALL_SHARE_MAX_PERCENT)?;
    Some((authorize(run, |times| times.p999)? - noise.p999_ms).max(0.0))
}
