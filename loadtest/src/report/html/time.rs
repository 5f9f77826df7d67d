//! How a run went second by second, and what a search for the highest rate has tried.

use super::{
    plot::{Axis, Curve, Plot, Stroke},
    scale::Scale,
};
use crate::{
    record::{Capacity, RunRecord, Second},
    report::{
        numbers::{measured, plain, rate},
        words,
    },
};

/// A curve needs two points.
const POINTS_MIN: usize = 2;

/// What a curve shows of a second.
type Part = fn(&Second) -> Option<f64>;

/// Answers a second over time; absent where the run is too short to have a course.
pub(super) fn rates(records: &[RunRecord]) -> Option<Plot> {
    let curves = match records {
        [record] => {
            let parts: [(&str, Stroke, Part); 5] = [
                ("decisions", Stroke::Solid, |second| Some(second.decisions as f64)),
                ("captures", Stroke::Solid, |second| Some(second.captures as f64)),
                ("denials", Stroke::Solid, |second| Some(second.denied as f64)),
                ("errors", Stroke::Solid, |second| Some(second.errors as f64)),
                ("due", Stroke::Faint, |second| second.due_rate),
            ];
            of_one(record, &parts)
        }
        records => of_several(records, |second| Some(second.decisions as f64)),
    };
    let scale = Scale::linear(values(&curves));
    let y = Axis { title: "a second", scale, mark: short, value: rate };
    over_time("Answers a second over time", String::new(), records, y, curves)
}

/// Latencies over time.
pub(super) fn latencies(records: &[RunRecord]) -> Option<Plot> {
    let (title, curves) = match records {
        [record] => {
            let parts: [(&str, Stroke, Part); 3] = [
                ("p50", Stroke::Solid, |second| second.p50),
                ("p99", Stroke::Solid, |second| second.p99),
                ("longest", Stroke::Solid, |second| second.max),
            ];
            ("Latency over time", of_one(record, &parts))
        }
        records => ("p99 over time", of_several(records, |second| second.p99)),
    };
    let scale = Scale::log(values(&curves));
    let y = Axis { title: "milliseconds", scale, mark: plain, value: milliseconds };
    over_time(title, "Of the authorizations that were due in each second.".to_owned(), records, y, curves)
}

/// Latency by rate, as far as a search has tried.
pub(super) fn probes(capacity: &Capacity) -> Option<Plot> {
    let mut probes = capacity.probes.clone();
    probes.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    if probes.len() < POINTS_MIN {
        return None;
    }
    let target = |rate: f64| (rate, capacity.target.ms);
    let rates: Vec<f64> = probes.iter().map(|probe| probe.rate).collect();
    let curve = |name: String, colour, stroke, points| Curve { name, colour, stroke, points };
    let curves = vec![
        curve("p50".to_owned(), 0, Stroke::Solid, probes.iter().map(|probe| (probe.rate, probe.p50)).collect()),
        curve("p99".to_owned(), 1, Stroke::Solid, probes.iter().map(|probe| (probe.rate, probe.p99)).collect()),
        curve(
            format!("target of p{}", plain(capacity.target.percentile)),
            0,
            Stroke::Faint,
            rates.iter().copied().map(target).collect(),
        ),
    ];
    let per_second: fn(f64) -> String = |value| format!("{}/s", rate(value));
    Some(Plot {
        title: "Latency by rate",
        note: String::new(),
        x: Axis { title: "requests a second", scale: Scale::linear(rates.into_iter()), mark: short, value: per_second },
        y: Axis { title: "milliseconds", scale: Scale::log(values(&curves)), mark: plain, value: milliseconds },
        curves,
        warm_up_to: 0.0,
    })
}

fn over_time(title: &'static str, note: String, records: &[RunRecord], y: Axis, curves: Vec<Curve>) -> Option<Plot> {
    if !curves.iter().any(|curve| curve.points.len() >= POINTS_MIN) {
        return None;
    }
    let seconds = records.iter().map(|record| record.series.len()).max().unwrap_or(0);
    let warm_up = |record: &RunRecord| record.series.iter().filter(|second| second.warm_up).count();
    let warm_up_to = records.iter().map(warm_up).min().unwrap_or(0);
    let second: fn(f64) -> String = |middle| format!("second {}", plain(middle - 0.5));
    Some(Plot {
        title,
        note,
        x: Axis { title: "seconds", scale: Scale::linear_to(seconds as f64), mark: plain, value: second },
        y,
        curves,
        warm_up_to: warm_up_to as f64,
    })
}

/// The parts of one run that are not nothing all the time.
fn of_one(record: &RunRecord, parts: &[(&str, Stroke, Part)]) -> Vec<Curve> {
    let curves = parts.iter().enumerate().map(|(colour, (name, stroke, part))| Curve {
        name: (*name).to_owned(),
        colour,
        stroke: *stroke,
        points: points(record, *part),
    });
    curves.filter(|curve| curve.points.iter().any(|(_, value)| *value > 0.0)).collect()
}

fn of_several(records: &[RunRecord], part: Part) -> Vec<Curve> {
    let named = words::names(records).into_iter().zip(records).enumerate();
    named
        .map(|(colour, (name, record))| Curve { name, colour, stroke: Stroke::Solid, points: points(record, part) })
        .collect()
}

/// A point in the middle of each second.
fn points(record: &RunRecord, part: Part) -> Vec<(f64, f64)> {
    let point = |second: &Second| Some((f64::from(second.second) + 0.5, part(second)?));
    record.series.iter().filter_map(point).collect()
}

fn values(curves: &[Curve]) -> impl Iterator<Item = f64> {
    curves.iter().flat_map(|curve| curve.points.iter().map(|(_, value)| *value))
}

fn milliseconds(value: f64) -> String {
    format!("{} ms", measured(value))
}

/// `500`, `20 k`, `1.5 M`.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", plain(value / 1e6)),
        value if value >= 1e3 => format!("{} k", plain(value / 1e3)),
        value => plain(value),
    }
}
