//! The page as a whole: what was run and whether it was right, its key figures, plots, tables.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    latency,
    plot::Plot,
    tables::{self, badge},
    time,
};
use crate::{
    record::RunRecord,
    report::{figures::FIGURES, words},
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("hover.js");
/// The figures that are shown large, by label.
const KEY_FIGURES: [&str; 7] =
    ["decisions", "p50", "p99", "p99.9", "captures", "ratio to the echo", "waited for the disk"];

/// One run as a report, several as a comparison with the first.
pub(crate) fn html(records: &[RunRecord]) -> String {
    let title = match records {
        [record] => format!("Load test: {}", record.scenario.name),
        records => format!("Load tests compared: {}", words::names(records).join(" / ")),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    @match records {
                        [record] => { (report(record)) }
                        records => { (comparison(records)) }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn report(record: &RunRecord) -> Markup {
    html! {
        header {
            h1 { (record.scenario.name) " " (badge(record)) }
            p { (record.scenario.description) }
        }
        (tiles(record))
        (plots(std::slice::from_ref(record)))
        (tables::of_run(record))
        (origin(record))
    }
}

fn comparison(records: &[RunRecord]) -> Markup {
    html! {
        header { h1 { "Side by side" } p { "Multiples are of the first run's figures." } }
        (tables::comparison(records))
        (plots(records))
        @for (name, record) in words::names(records).into_iter().zip(records) {
            section.run {
                h2 { (name) " " (badge(record)) }
                p { (record.scenario.name) ": " (record.scenario.description) }
                (tables::of_run(record))
                (origin(record))
            }
        }
    }
}

fn tiles(record: &RunRecord) -> Markup {
    let key = KEY_FIGURES.iter().filter_map(|label| FIGURES.iter().find(|figure| figure.label == *label));
    html! {
        div.tiles {
            @for (label, value) in key.filter_map(|figure| Some((figure.label, figure.text(record)?))) {
                div.tile { strong { (value) } span { (label) } }
            }
        }
    }
}

fn plots(records: &[RunRecord]) -> Markup {
    let probes = match records {
        [record] => record.capacity.as_ref().and_then(time::probes),
        _ => None,
    };
    let plots = [latency::plot(records), time::rates(records), time::latencies(records), probes];
    html! { div.plots { @for plot in plots.iter().flatten() { (Plot::draw(plot)) } } }
}

/// How the same can be measured again.
fn origin(record: &RunRecord) -> Markup {
    html! {
        section.card {
            h3 { "Where this comes from" }
            dl {
                dt { "command" } dd { code { (record.command) } }
                dt { "load" } dd { (words::load(&record.load)) }
                dt { "subject" } dd { (words::subject(&record.subject)) }
                dt { "machine" } dd { (words::machine(&record.machine)) }
                dt { "began" } dd { (record.started_at) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
