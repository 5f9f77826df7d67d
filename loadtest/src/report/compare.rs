//! Several runs side by side, for a terminal: each figure of each run, and how it stands to the first run's.

use std::fmt::{self, Write};

use super::{figures::FIGURES, numbers::multiple, words};
use crate::record::RunRecord;

/// Columns between two runs.
const GAP: usize = 2;

/// A table of the figures that any of the runs has shown, with multiples of the first run's.
pub(crate) fn compare_text(records: &[RunRecord]) -> String {
    let mut text = String::new();
    write_comparison(records, &mut text).expect("writing to a text cannot fail");
    text
}

fn write_comparison(records: &[RunRecord], out: &mut String) -> fmt::Result {
    for (number, (name, record)) in (1..).zip(words::names(records).iter().zip(records)) {
        writeln!(out, "({number}) {name}\n    {}", words::load(&record.load))?;
        writeln!(out, "    {}", words::machine(&record.machine))?;
        writeln!(out, "    {}: {}", words::verdict(&record.check), words::check(&record.check))?;
    }
    writeln!(out)?;
    let mut rows = vec![heading(records.len())];
    rows.extend(FIGURES.iter().filter_map(|figure| {
        let texts: Vec<Option<String>> = records.iter().map(|record| figure.text(record)).collect();
        let first = records.first().filter(|_| texts.iter().any(Option::is_some))?;
        let mut row = vec![figure.label.to_owned()];
        for (index, (record, text)) in records.iter().zip(texts).enumerate() {
            row.push(text.unwrap_or_else(|| "-".to_owned()));
            if index > 0 {
                row.push(
                    figure.ratio(record, first).map_or_else(String::new, |ratio| format!("x {}", multiple(ratio))),
                );
            }
        }
        Some(row)
    }));
    write_rows(&rows, out)
}

/// A column for each run, and one for the multiple of each but the first.
fn heading(runs: usize) -> Vec<String> {
    let columns = (1..=runs).flat_map(|number| {
        let name = Some(format!("({number})"));
        name.into_iter().chain((number > 1).then(String::new))
    });
    std::iter::once(String::new()).chain(columns).collect()
}

fn write_rows(rows: &[Vec<String>], out: &mut String) -> fmt::Result {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            if column == 0 {
                write!(line, "{cell:<width$}")?;
            } else {
                write!(line, "{:GAP$}{cell:>width$}", "")?;
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{SubjectKind, Transport, tests::SAMPLE};

    #[test]
    fn two_runs_stand_side_by_side() {
        let first = RunRecord::parse(SAMPLE).unwrap();
        let mut second = first.clone();
        second.subject.what = SubjectKind::Redis;
        second.subject.transport = Transport::Redis;
        second.decisions_per_second = 25_000.0;
        second.gateway = None;
        second.latencies.authorize.as_mut().unwrap().percentiles.p50 = 12.0;
        assert_eq!(compare_text(&[first, second]), include_str!("golden/comparison.txt"));
    }

    #[test]
    fn nothing_is_a_multiple_of_nothing() {
        let mut record = RunRecord::parse(SAMPLE).unwrap();
        record.totals.errors = 0;
        let text = compare_text(&[record.clone(), record]);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
