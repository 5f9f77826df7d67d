use std::collections::BTreeSet;

use super::*;
use crate::record::{Check, SubjectKind, Transport, tests::SAMPLE};

/// Elements that have no end tag.
const VOID: [&str; 2] = ["meta", "!DOCTYPE"];

fn sample() -> RunRecord {
    RunRecord::parse(SAMPLE).unwrap()
}

fn redis() -> RunRecord {
    let mut record = sample();
    (record.subject.what, record.subject.transport) = (SubjectKind::Redis, Transport::Redis);
    record.decisions_per_second = 25_000.0;
    record.gateway = None;
    record
}

fn pages() -> [String; 2] {
    [html(&[sample()]), html(&[sample(), redis()])]
}

/// The names of a page's tags and the text behind each.
fn tags(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split('<').skip(1).map(|tag| {
        let (inside, behind) = tag.split_once('>').unwrap();
        (inside.split(' ').next().unwrap(), behind)
    })
}

fn without_script_and_style(page: &str) -> String {
    page.replace(STYLE, "").replace(SCRIPT, "")
}

#[test]
fn every_element_ends_where_it_should() {
    for page in pages() {
        let page = without_script_and_style(&page);
        let mut open = Vec::new();
        for (name, _) in tags(&page) {
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if VOID.contains(&name) => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    for page in pages() {
        for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch("] {
            assert!(!page.contains(reference), "{reference}");
        }
    }
}

#[test]
fn what_a_record_says_is_text_and_never_markup() {
    let mut record = sample();
    record.command = "loadtest run '<script>alert(1)</script>'".to_owned();
    record.scenario.name = "</title><b>".to_owned();
    record.check = Check { problems: vec!["<i>".to_owned()], problem_count: 1, ..Check::default() };
    let page = html(&[record]);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for markup in ["<script>alert", "</title><b>", "<i>"] {
        assert!(!page.contains(markup), "{markup}");
    }
}

/// The numbers in a text: digits with what groups and divides them.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split(|sign: char| !(sign.is_ascii_digit() || ".,".contains(sign)));
    pieces.map(|piece| piece.trim_matches(['.', ','])).filter(|piece| !piece.is_empty())
}

#[test]
fn every_number_of_the_report_comes_from_the_record() {
    let record = sample();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let shown = [
        crate::report::text(&record),
        record.machine.processor.clone().unwrap_or_default(),
        record.command.clone(),
        // Measured figures that the summary leaves out.
        "0.277 4.25 0.120 0.110 0.300 4.00 1.50 3.00 500,000 56,000 250,000 2 2.50 1.25 558,241 0.0200 39.1 50,000"
            .to_owned(),
        "100,000 0.500 200,000 0.400 2.50 150,000 0.300 0.900 558,800".to_owned(),
    ];
    shown.iter().for_each(|text| known.extend(numbers(text).map(str::to_owned)));
    let page = without_script_and_style(&html(&[record]));
    let mut in_drawing = false;
    for (name, behind) in tags(&page) {
        // The marks of the axes are round numbers of their own.
        in_drawing = (in_drawing || name == "svg") && name != "/svg";
        let unknown: Vec<&str> = numbers(behind).filter(|number| !in_drawing && !known.contains(*number)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{behind}");
    }
}

#[test]
fn a_comparison_says_what_is_better_and_what_is_worse() {
    let page = html(&[sample(), redis()]);
    assert!(page.contains(r#"<td>25,000/s<small class="worse">x 0.25</small></td>"#), "{page}");
    assert!(page.contains("holdfast over QUIC") && page.contains("redis"));
    let better = html(&[redis(), sample()]);
    assert!(better.contains(r#"<small class="better">x 4.00</small>"#));
}

#[test]
fn a_run_that_showed_almost_nothing_has_a_report() {
    let mut record = sample();
    (record.gateway, record.ceiling, record.noise, record.crash, record.capacity) = (None, None, None, None, None);
    (record.latencies, record.series) = (Default::default(), Vec::new());
    for page in [html(&[record.clone()]), html(&[record.clone(), record])] {
        assert!(!page.contains("NaN") && !page.contains("inf"));
        assert!(!page.contains("<svg"));
    }
}
