//! Of several runs of one command, the one in the middle: this kind of machine differs from itself by a tenth and more.

use super::command;
use crate::record::{Loop, RunRecord};

/// The run that stands for all runs of its command.
pub(super) struct Median<'a> {
    pub(super) record: &'a RunRecord,
    /// As it is shown.
    pub(super) command: String,
    /// How many runs it stands for.
    pub(super) runs: usize,
}

/// One for each command, in the order in which they first occur.
pub(super) fn medians(records: &[RunRecord]) -> Vec<Median<'_>> {
    let mut groups: Vec<(String, Vec<&RunRecord>)> = Vec::new();
    for record in records {
        let command = command::shown(&record.command);
        match groups.iter_mut().find(|(known, _)| *known == command) {
            Some((_, group)) => group.push(record),
            None => groups.push((command, vec![record])),
        }
    }
    groups.into_iter().filter_map(|(command, group)| median(command, group)).collect()
}

fn median(command: String, mut group: Vec<&RunRecord>) -> Option<Median<'_>> {
    group.sort_by(|one, other| merit(one).total_cmp(&merit(other)));
    let record = group.get(group.len() / 2)?;
    Some(Median { record, command, runs: group.len() })
}

/// What runs of one command are put in order by: how many were answered or, where the clock asks, how fast.
fn merit(record: &RunRecord) -> f64 {
    match record.load.pace {
        Loop::Closed { .. } => record.decisions_per_second + record.captures_per_second,
        Loop::Open { .. } => record.latencies.authorize.as_ref().map_or(0.0, |latency| -latency.percentiles.p99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::SAMPLE;

    #[test]
    fn the_run_in_the_middle_stands_for_its_command() {
        let run = |command: &str, p99: f64| {
            let mut record = RunRecord::parse(SAMPLE).unwrap();
            record.command = command.to_owned();
            record.latencies.authorize.as_mut().unwrap().percentiles.p99 = p99;
            record
        };
        let records = [run("a --json 1", 3.0), run("b", 1.0), run("a --json 2", 9.0), run("a", 4.0)];
        let medians = medians(&records);
        let shown: Vec<_> = medians
            .iter()
            .map(|median| {
                (
                    median.command.as_str(),
                    median.runs,
                    median.record.latencies.authorize.as_ref().unwrap().percentiles.p99,
                )
            })
            .collect();
        assert_eq!(shown, [("a", 3, 4.0), ("b", 1, 1.0)]);
    }
}
