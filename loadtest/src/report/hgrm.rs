//! The table that every HdrHistogram prints and its plotters read.

use std::fmt::{self, Write};

use hdrhistogram::Histogram;

use crate::record::Latency;

/// Lines of the table between two halvings of what is left to 100 %.
const TICKS_PER_HALF: u32 = 5;
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// The percentiles in milliseconds.
pub(crate) fn hgrm(latency: &Latency) -> String {
    percentile_table(latency.histogram.histogram())
}

/// The percentiles of nanoseconds in milliseconds.
pub(super) fn percentile_table(histogram: &Histogram<u64>) -> String {
    let mut table = String::new();
    write_table(histogram, &mut table).expect("writing to a text cannot fail");
    table
}

fn write_table(histogram: &Histogram<u64>, out: &mut String) -> fmt::Result {
    let milliseconds = |nanoseconds: u64| nanoseconds as f64 / NANOSECONDS_PER_MILLISECOND;
    writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut below = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        below += step.count_since_last_iteration();
        let (value, quantile) = (milliseconds(step.value_iterated_to()), step.quantile_iterated_to());
        write!(out, "{value:>12.3} {quantile:>2.12} {below:>10}")?;
        if quantile < 1.0 {
            write!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(out)?;
    }
    let (mean, deviation) =
        (histogram.mean() / NANOSECONDS_PER_MILLISECOND, histogram.stdev() / NANOSECONDS_PER_MILLISECOND);
    let (max, count) = (milliseconds(histogram.max()), histogram.len());
    let (buckets, cells) = (histogram.buckets(), histogram.distinct_values());
    writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
    writeln!(out, "#[Max     = {max:>12.3}, Total count    = {count:>12}]")?;
    writeln!(out, "#[Buckets = {buckets:>12}, SubBuckets     = {cells:>12}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Origin;

    #[test]
    fn the_percentile_table_ends_at_the_largest_value_and_counts_all() {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        (1..=1000).for_each(|microseconds| histogram.record(microseconds * 1000).unwrap());
        let table = hgrm(&Latency::of(&histogram, Origin::Due).unwrap());
        let rows: Vec<Vec<f64>> = table
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_ascii_whitespace().map(|field| field.parse().unwrap()).collect())
            .collect();
        assert!(rows.len() > 20);
        assert!(rows.is_sorted_by(|one, other| one[0] <= other[0] && one[1] <= other[1] && one[2] <= other[2]));
        let last = rows.last().unwrap();
        assert!((last[0] - 1.0).abs() < 0.001 && last[1] == 1.0 && last[2] == 1000.0, "{last:?}");
        assert!(table.contains("Total count    =         1000"));
    }
}
