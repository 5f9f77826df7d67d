//! How long does the machine stand still by itself?
//!
//! A thread for each core does nothing but read the clock. Where two readings lie far apart, the thread was not running: the
//! hypervisor, the kernel or another program had its core. This is measured while there is no load, before and after it, so it says
//! what the machine does to a thread that wants to run, and nothing about the gateway.
//!
//! **The floor under a percentile.** A request that is due at a random moment finds its core standing still for what is left of the
//! gap around that moment, or not at all. So over `T` of watched time with gaps `g`, the share of requests that wait longer than `w`
//! for the machine alone is `sum(max(0, g - w)) / T`. The percentiles of [`Noise`] are those of that wait, on one core.
//!
//! "p99.9 less the machine's own stalls" is the measured p99.9 less the p99.9 of this wait. It claims little: a request crosses a thread
//! of the client and one of the gateway, and either may be held up; and a core that is loaded is stalled at least as often as one that
//! is not. It is an estimate all the same, for a difference of percentiles is not the percentile of a difference, so whoever
//! shows it shows both parts, and subtracts nothing where so much time was lost that something else must have run. The latency of an echo under the same load is *not* subtracted: most of it is not the machine's fault.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{error::LoadError, record};

/// Readings further apart than this are a gap. Two readings in a row take a twentieth of a microsecond; the timer's own interrupt takes a few.
const GAP_MIN: Duration = Duration::from_micros(10);
/// So many of the longest gaps are told.
const LONGEST: usize = 10;

/// The gaps that were seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noise {
    /// In nanoseconds, the longest first.
    gaps: Vec<u64>,
    /// Time that was watched, over all cores, in nanoseconds.
    watched: u64,
    /// How long it took.
    seconds: f64,
}

impl Noise {
    /// Watches every core for `time`. Nothing else should run.
    pub(crate) fn measure(time: Duration) -> Result<Noise, LoadError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let start = Instant::now();
        let clock = || nanoseconds(start.elapsed());
        let mut noise = Noise { seconds: time.as_secs_f64(), ..Noise::default() };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| watch(clock, nanoseconds(time)))).collect();
            for thread in threads {
                let (gaps, watched) = thread.join().map_err(|_| LoadError::Panicked)?;
                noise.gaps.extend(gaps);
                noise.watched += watched;
            }
            Ok(noise.sorted())
        })
    }

    /// This and what was seen at another time.
    pub(crate) fn and(mut self, other: &Noise) -> Noise {
        self.gaps.extend(&other.gaps);
        self.watched += other.watched;
        self.seconds += other.seconds;
        self.sorted()
    }

    /// As a record keeps it. Its percentiles are those of the wait, its maximum is the longest gap.
    pub(crate) fn recorded(&self) -> record::Noise {
        record::Noise {
            seconds: self.seconds,
            longest_gaps_ms: self.longest_ms(),
            p99_ms: self.wait_ms(0.99),
            p999_ms: self.wait_ms(0.999),
            max_ms: self.wait_ms(1.0),
            stall_share_percent: self.stalled_percent(),
        }
    }

    /// The longest gaps in milliseconds, the longest first.
    fn longest_ms(&self) -> Vec<f64> {
        self.gaps.iter().take(LONGEST).map(|gap| milliseconds(*gap as f64)).collect()
    }

    /// How long a request waits for the machine alone, in milliseconds: of requests due at random moments, a share of `quantile`
    /// (0 to 1) waits no longer.
    fn wait_ms(&self, quantile: f64) -> f64 {
        let left = self.watched as f64 * (1.0 - quantile);
        let mut sum = 0.0;
        for (index, gap) in self.gaps.iter().enumerate() {
            // What the gaps so far exceed the next one by is the time in which a request would have waited longer than that.
            sum += *gap as f64;
            let count = (index + 1) as f64;
            let next = self.gaps.get(index + 1).map_or(0.0, |gap| *gap as f64);
            if sum - count * next >= left {
                return milliseconds((sum - left) / count);
            }
        }
        0.0
    }

    /// The share of time that was lost in gaps, in percent.
    fn stalled_percent(&self) -> f64 {
        let lost: u64 = self.gaps.iter().sum();
        100.0 * lost as f64 / self.watched.max(1) as f64
    }

    fn sorted(mut self) -> Noise {
        self.gaps.sort_unstable_by(|one, other| other.cmp(one));
        self
    }
}

/// Reads `clock` until it has passed `time`; returns the gaps, and how long it watched. Both in nanoseconds.
fn watch(mut clock: impl FnMut() -> u64, time: u64) -> (Vec<u64>, u64) {
    let gap_min = nanoseconds(GAP_MIN);
    // Gaps of the least length, one after the other, would be so many.
    let mut gaps = Vec::with_capacity((time / gap_min).min(1 << 16) as usize);
    let start = clock();
    let mut before = start;
    while before < start + time {
        let now = clock();
        if now - before > gap_min {
            gaps.push(now - before);
        }
        before = now;
    }
    (gaps, before - start)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn milliseconds(nanoseconds: f64) -> f64 {
    nanoseconds / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that takes 50 ns a reading, and stands still for so long at each of these moments.
    fn clock_with(stalls: &[(u64, u64)]) -> impl FnMut() -> u64 {
        let mut stalls = stalls.to_vec();
        let mut now = 0;
        move || {
            now += 50;
            if stalls.first().is_some_and(|(moment, _)| now >= *moment) {
                now += stalls.remove(0).1;
            }
            now
        }
    }

    fn seen(stalls: &[(u64, u64)], time: u64) -> Noise {
        let (gaps, watched) = watch(clock_with(stalls), time);
        Noise { gaps, watched, seconds: 0.0 }.sorted()
    }

    #[test]
    fn a_stall_is_seen_and_a_reading_is_none() {
        let noise = seen(&[(1_000_000, 2_000_000), (5_000_000, 9_000), (6_000_000, 30_000)], 10_000_000);
        assert_eq!(noise.gaps, [2_000_050, 30_050]);
        assert_eq!(noise.longest_ms(), [2.000_05, 0.030_05]);
        assert!((noise.stalled_percent() - 20.3).abs() < 0.01, "{}", noise.stalled_percent());
    }

    #[test]
    fn a_quiet_machine_makes_nobody_wait() {
        let noise = seen(&[], 1_000_000);
        assert_eq!((noise.wait_ms(0.999), noise.stalled_percent()), (0.0, 0.0));
        assert!(noise.longest_ms().is_empty());
    }

    #[test]
    fn the_wait_is_what_is_left_of_a_gap_at_a_random_moment() {
        fn check(gaps: &[u64], watched: u64, quantile: f64, expected_ms: f64) {
            let noise = Noise { gaps: gaps.to_vec(), watched, seconds: 0.0 }.sorted();
            let wait = noise.wait_ms(quantile);
            assert!((wait - expected_ms).abs() < 1e-6, "{gaps:?} {quantile}: {wait}, not {expected_ms}");
        }
        const MS: u64 = 1_000_000;
        // One gap of 4 ms in a second: in 1 ms of the second, a request waits for more than 3 ms.
        check(&[4 * MS], 1000 * MS, 0.999, 3.0);
        check(&[4 * MS], 1000 * MS, 0.99, 0.0);
        check(&[4 * MS], 1000 * MS, 1.0, 4.0);
        // Two gaps of 4 ms share the millisecond.
        check(&[4 * MS, 4 * MS], 1000 * MS, 0.999, 3.5);
        // The second gap begins to count where the first is longer by less than the millisecond.
        check(&[4 * MS, 3 * MS], 1000 * MS, 0.999, 3.0);
        check(&[4 * MS, 2 * MS], 1000 * MS, 0.999, 3.0);
        check(&[MS, MS, MS], 1000 * MS, 0.999, 2.0 / 3.0);
    }

    #[test]
    fn two_measurements_are_one_longer_one() {
        let both = seen(&[(1_000_000, 50_000)], 5_000_000).and(&seen(&[(1_000_000, 80_000)], 5_000_000));
        assert_eq!(both.gaps, [80_050, 50_050]);
        assert!(both.watched >= 10_000_000);
    }

    #[test]
    fn every_core_is_watched() {
        let noise = Noise::measure(Duration::from_millis(2)).unwrap();
        let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
        assert!(noise.watched >= cores * 2_000_000);
        assert!(noise.wait_ms(0.5) <= noise.wait_ms(1.0));
    }
}
