//! How long answers took, by percentile: the plot that HdrHistogram's own plotters draw.

use super::{
    plot::{Axis, Curve, Plot, Stroke},
    scale::Scale,
};
use crate::{
    record::{Latency, Percentiles, RunRecord},
    report::{
        numbers::{measured, plain},
        words,
    },
};

/// Points of a curve between two powers of ten of what is left to 100 %.
const POINTS_PER_POWER: i32 = 20;

/// The percentiles of all runs; absent where no run has any.
pub(super) fn plot(records: &[RunRecord]) -> Option<Plot> {
    let mut curves = match records {
        [record] => of_one(record),
        records => of_several(records),
    };
    curves.retain(|curve| !curve.points.is_empty());
    let first = records.iter().find_map(|record| record.latencies.authorize.as_ref())?;
    let points = || curves.iter().flat_map(|curve| curve.points.iter());
    let to = points().map(|(x, _)| *x).fold(10.0, f64::max);
    Some(Plot {
        title: "Latency by percentile",
        note: format!("From {} to its answer.", words::origin(first.from)),
        x: Axis { title: "percentile", scale: Scale::Log { from: 1.0, to }, mark, value: percentile },
        y: Axis {
            title: "milliseconds",
            scale: Scale::log(points().map(|(_, y)| *y)),
            mark: plain,
            value: milliseconds,
        },
        curves,
        warm_up_to: 0.0,
    })
}

fn of_one(record: &RunRecord) -> Vec<Curve> {
    let latencies = &record.latencies;
    let mut curves = Vec::new();
    for (colour, (name, latency)) in
        [("authorize", &latencies.authorize), ("capture", &latencies.capture)].into_iter().enumerate()
    {
        curves.extend(latency.as_ref().map(|latency| Curve {
            name: name.to_owned(),
            colour,
            stroke: Stroke::Solid,
            points: points(latency),
        }));
    }
    curves.extend(record.ceiling.and_then(|ceiling| ceiling.percentiles).map(|echo| Curve {
        name: "an echo under the same load".to_owned(),
        colour: 0,
        stroke: Stroke::Faint,
        points: known(&echo),
    }));
    curves
}

fn of_several(records: &[RunRecord]) -> Vec<Curve> {
    let named = words::names(records).into_iter().zip(records).enumerate();
    let curve = |(colour, (name, record)): (usize, (String, &RunRecord))| {
        let latency = record.latencies.authorize.as_ref()?;
        Some(Curve { name, colour, stroke: Stroke::Solid, points: points(latency) })
    };
    named.filter_map(curve).collect()
}

/// `1/(1-p)` and milliseconds, up to the one longest answer.
fn points(latency: &Latency) -> Vec<(f64, f64)> {
    let histogram = latency.histogram.histogram();
    let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    let count = histogram.len() as f64;
    let steps = (0..).map(|step| 10_f64.powf(f64::from(step) / f64::from(POINTS_PER_POWER)));
    let within = steps.take_while(|inverse| *inverse < count);
    let mut points: Vec<(f64, f64)> =
        within.map(|inverse| (inverse, milliseconds(histogram.value_at_quantile(1.0 - 1.0 / inverse)))).collect();
    points.push((count, milliseconds(histogram.max())));
    points
}

/// The percentiles that are kept without a histogram.
fn known(percentiles: &Percentiles) -> Vec<(f64, f64)> {
    let Percentiles { p50, p90, p99, p999, p9999, max: _, mean: _ } = *percentiles;
    vec![(2.0, p50), (10.0, p90), (100.0, p99), (1000.0, p999), (10_000.0, p9999)]
}

/// `99.9 %` at 1000.
fn mark(inverse: f64) -> String {
    percent(inverse, 0)
}

/// `99.90 %` at 1000.
fn percentile(inverse: f64) -> String {
    percent(inverse, 1)
}

/// With as many digits as differ from 100 %, and `more`; cut off and not rounded, for there is more to come.
fn percent(inverse: f64, more: i32) -> String {
    let digits = (inverse.log10() + 1e-9).floor().clamp(2.0, 8.0) as i32 - 2 + more;
    let factor = 10_f64.powi(digits);
    let percent = (100.0 * (1.0 - 1.0 / inverse) * factor + 1e-6).floor() / factor;
    format!("{percent:.*} %", digits as usize)
}

fn milliseconds(value: f64) -> String {
    format!("{} ms", measured(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::SAMPLE;

    #[test]
    fn percentiles_have_as_many_digits_as_matter() {
        for (inverse, expected) in [
            (1.0, "0 %"),
            (2.0, "50 %"),
            (10.0, "90 %"),
            (100.0, "99 %"),
            (999.0, "99 %"),
            (1000.0, "99.9 %"),
            (2000.0, "99.9 %"),
            (1e6, "99.9999 %"),
        ] {
            assert_eq!(mark(inverse), expected);
        }
    }

    #[test]
    fn the_pointer_shows_a_digit_more() {
        assert_eq!([1.1, 1000.0, 4466.0].map(percentile), ["9.0 %", "99.90 %", "99.97 %"]);
    }

    #[test]
    fn a_curve_climbs_from_the_shortest_to_the_longest_answer() {
        let latency = RunRecord::parse(SAMPLE).unwrap().latencies.authorize.unwrap();
        let points = points(&latency);
        assert!(points.is_sorted_by(|one, other| one.0 < other.0 && one.1 <= other.1), "{points:?}");
        assert!(points.first().is_some_and(|(x, _)| *x == 1.0));
        assert!(points.last().is_some_and(|(x, y)| *x == 500_000.0 && (*y - latency.percentiles.max).abs() < 0.05));
    }
}
