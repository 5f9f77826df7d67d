//! The figures of the page as tables.

use maud::{Markup, html};

use crate::{
    record::{Capacity, Ceiling, Counts, Noise, Percentiles, RunRecord},
    report::{
        figures::{Better, FIGURES, Figure, p999_less_stalls, ratio_to_echo},
        numbers::{bytes, count, measured, multiple, percent, plain, rate},
        text, words,
    },
};

/// A difference of less than this share is not called better or worse.
const NOTABLE: f64 = 0.05;

/// Every figure of every run, and how it stands to the first run's.
pub(super) fn comparison(records: &[RunRecord]) -> Markup {
    let shown = FIGURES.iter().filter(|figure| records.iter().any(|record| (figure.of)(record).is_some()));
    html! {
        table.wide {
            thead { tr { th {} @for (name, record) in words::names(records).into_iter().zip(records) { th { (name) " " (badge(record)) } } } }
            tbody { @for figure in shown { tr { th { (figure.label) } @for record in records { (cell(figure, record, records)) } } } }
        }
    }
}

/// Whether all was right, for the eye.
pub(super) fn badge(record: &RunRecord) -> Markup {
    let verdict = words::verdict(&record.check);
    html! { span.badge.(verdict) { (verdict) } }
}

fn cell(figure: &Figure, record: &RunRecord, records: &[RunRecord]) -> Markup {
    let first = records.first().filter(|first| !std::ptr::eq(*first, record));
    let ratio = first.and_then(|first| figure.ratio(record, first));
    html! {
        td {
            (figure.text(record).unwrap_or_else(|| "-".to_owned()))
            @if let Some(ratio) = ratio { small.(judgement(figure.better, ratio)) { "x " (multiple(ratio)) } }
        }
    }
}

fn judgement(better: Better, ratio: f64) -> &'static str {
    let gain = match better {
        Better::Higher => ratio - 1.0,
        Better::Lower => 1.0 - ratio,
    };
    match gain {
        gain if gain > NOTABLE => "better",
        gain if gain < -NOTABLE => "worse",
        _ => "same",
    }
}

/// All that one run has shown beside its plots.
pub(super) fn of_run(record: &RunRecord) -> Markup {
    html! {
        (latencies(record))
        div.tables {
            (answers(record))
            @if record.ceiling.is_some() || record.noise.is_some() { (bounds(record)) }
            (server(record))
            @if let Some(capacity) = &record.capacity { (probes(capacity)) }
            @if let Some(crash) = &record.crash { section { h3 { "Crash" } p { (text::survived(crash)) "." } } }
            (check(record))
        }
    }
}

fn latencies(record: &RunRecord) -> Markup {
    let row = |name: &str, count: Option<u64>, at: &Percentiles| Row {
        name: name.to_owned(),
        cells: [at.p50, at.p90, at.p99, at.p999, at.p9999, at.max, at.mean].map(measured).to_vec(),
        count,
    };
    let latencies = &record.latencies;
    let known = [("authorize", &latencies.authorize), ("capture", &latencies.capture)].into_iter();
    let mut rows: Vec<Row> = known
        .filter_map(|(name, latency)| {
            latency.as_ref().map(|latency| row(name, Some(latency.count), &latency.percentiles))
        })
        .collect();
    rows.extend(record.ceiling.and_then(|ceiling| ceiling.percentiles).map(|at| row("echo", None, &at)));
    html! {
        @if !rows.is_empty() {
            section.card {
                h3 { "Latency in milliseconds" }
                table {
                    thead { tr { @for name in ["", "p50", "p90", "p99", "p99.9", "p99.99", "longest", "mean", "answers"] { th { (name) } } } }
                    tbody {
                        @for row in rows {
                            tr { th { (row.name) } @for cell in row.cells { td { (cell) } } td { (row.count.map_or_else(String::new, count)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A line of the table of latencies.
struct Row {
    name: String,
    cells: Vec<String>,
    count: Option<u64>,
}

fn answers(record: &RunRecord) -> Markup {
    type Part = (&'static str, fn(&Counts) -> u64);
    let parts: [Part; 5] = [
        ("approved", |counts| counts.approved),
        ("denied", |counts| counts.denied),
        ("captured", |counts| counts.captured),
        ("errors", |counts| counts.errors),
        ("without an answer", |counts| counts.unanswered),
    ];
    html! {
        section {
            h3 { "Answers" }
            table {
                thead { tr { th {} th { "measured" } th { "with warm-up" } } }
                tbody { @for (name, of) in parts { tr { th { (name) } td { (count(of(&record.measured))) } td { (count(of(&record.totals))) } } } }
            }
            @if !record.codes.is_empty() {
                table {
                    thead { tr { th { "code" } th { "times" } } }
                    tbody { @for (code, times) in &record.codes { tr { th { (code) } td { (count(*times)) } } } }
                }
            }
        }
    }
}

/// A table of names and values.
fn facts(title: &str, facts: &[(&str, Option<String>)]) -> Markup {
    html! {
        section {
            h3 { (title) }
            table {
                tbody { @for (name, value) in facts { @if let Some(value) = value { tr { th { (name) } td { (value) } } } } }
            }
        }
    }
}

fn bounds(record: &RunRecord) -> Markup {
    let ceiling = |of: fn(&Ceiling) -> String| record.ceiling.as_ref().map(of);
    let noise = |of: fn(&Noise) -> String| record.noise.as_ref().map(of);
    let gaps = |noise: &Noise| noise.longest_gaps_ms.iter().map(|gap| measured(*gap)).collect::<Vec<_>>().join(", ");
    facts(
        "What the machine and the network allow",
        &[
            ("an echo of the same frames", ceiling(|ceiling| format!("{}/s", rate(ceiling.decisions_per_second)))),
            ("ratio to it", ratio_to_echo(record).map(|ratio| format!("{ratio:.2}"))),
            ("the echo was measured for", ceiling(|ceiling| format!("{} s", plain(ceiling.seconds)))),
            ("longest stalls of the idle machine", noise(gaps).map(|gaps| format!("{gaps} ms"))),
            ("stalled", noise(|noise| format!("{} % of the time", plain(noise.stall_share_percent)))),
            ("p99 of waiting for the machine alone", noise(|noise| format!("{} ms", measured(noise.p99_ms)))),
            ("p99.9 of it", noise(|noise| format!("{} ms", measured(noise.p999_ms)))),
            ("p99.9 less that (an estimate)", p999_less_stalls(record).map(|left| format!("{} ms", measured(left)))),
        ],
    )
}

fn server(record: &RunRecord) -> Markup {
    let gateway = record.gateway.as_ref();
    let busy = |processors: Option<f64>| processors.map(|busy| format!("{busy:.2} busy"));
    facts(
        "Processors and journal",
        &[
            ("processors of the load", busy(record.processors.load)),
            ("processors of the server", busy(record.processors.gateway)),
            ("requests a frame", record.requests_per_frame.map(|requests| format!("{requests:.1}"))),
            ("approvals it counted", gateway.map(|gateway| count(gateway.approvals))),
            ("denials it counted", gateway.map(|gateway| count(gateway.denials))),
            ("answered ahead of the disk", gateway.map(|gateway| count(gateway.leased))),
            ("waited for the disk", gateway.map(|gateway| percent(gateway.waited_share))),
            ("commits", gateway.map(|gateway| count(gateway.commits))),
            ("committed", gateway.map(|gateway| bytes(gateway.commit_bytes))),
        ],
    )
}

fn probes(capacity: &Capacity) -> Markup {
    html! {
        section {
            h3 { "Capacity" }
            p { (text::found(capacity)) "." }
            table {
                thead { tr { th { "rate" } th { "p50" } th { "p99" } th {} } }
                tbody {
                    @for probe in &capacity.probes {
                        tr {
                            th { (rate(probe.rate)) "/s" }
                            td { (measured(probe.p50)) " ms" }
                            td { (measured(probe.p99)) " ms" }
                            td { (if probe.kept { "kept" } else { "missed" }) }
                        }
                    }
                }
            }
        }
    }
}

fn check(record: &RunRecord) -> Markup {
    let problems = record.check.problems.iter().cloned().chain(words::more_problems(&record.check));
    html! {
        section {
            h3 { "Check" }
            p { (words::check(&record.check)) "." }
            @if !record.check.right { ul.problems { @for problem in problems { li { (problem) } } } }
        }
    }
}
