//! The seconds of a run as an HdrHistogram interval log, version 1.3, which HdrHistogram's own tools read and plot.

use std::fmt::{self, Write};

use crate::record::RunRecord;

/// Greatest values are written in milliseconds, as the format's own writers do; the histograms are of nanoseconds.
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// One interval for each measured second in which an authorization was due. Times count from the start of the load.
pub(crate) fn hlog(record: &RunRecord) -> String {
    let mut log = String::new();
    write_log(record, &mut log).expect("writing to a text cannot fail");
    log
}

fn write_log(record: &RunRecord, out: &mut String) -> fmt::Result {
    let (start, date) = (record.started_at.seconds(), record.started_at);
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(out, "#[StartTime: {start:.3} (seconds since epoch), {date}]")?;
    writeln!(out, "#[BaseTime: {start:.3} (seconds since epoch)]")?;
    writeln!(out, r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#)?;
    for second in record.series.iter().filter(|second| !second.warm_up) {
        if let Some(interval) = &second.interval {
            let max = interval.histogram().max() as f64 / NANOSECONDS_PER_MILLISECOND;
            writeln!(out, "{}.000,1.000,{max:.3},{}", second.second, interval.text())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::record::{StoredHistogram, tests::SAMPLE};

    #[test]
    fn the_log_is_read_back_as_the_seconds_of_the_measurement() {
        let record = RunRecord::parse(SAMPLE).unwrap();
        let log = hlog(&record);
        let mut entries = IntervalLogIterator::new(log.as_bytes()).map(Result::unwrap);
        let start = Duration::from_secs_f64(record.started_at.seconds());
        assert_eq!(entries.next(), Some(LogEntry::StartTime(start)));
        assert_eq!(entries.next(), Some(LogEntry::BaseTime(start)));
        let mut whole = record.latencies.authorize.unwrap().histogram.histogram().clone();
        whole.clear();
        for (entry, second) in entries.zip(1..) {
            let LogEntry::Interval(interval) = entry else { panic!("{entry:?} is no interval") };
            assert_eq!(interval.start_timestamp(), Duration::from_secs(second));
            assert_eq!(interval.duration(), Duration::from_secs(1));
            let stored = StoredHistogram::try_from(interval.encoded_histogram().to_owned()).unwrap();
            assert!((interval.max() - stored.histogram().max() as f64 / 1e6).abs() < 0.001);
            whole.add(stored.histogram()).unwrap();
        }
        assert_eq!(whole.len(), 500_000);
    }
}
