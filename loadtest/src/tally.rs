//! What is counted while the load runs, and how long each answer took.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// The longest time that is told apart from longer ones.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Times are kept to one in a thousand.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Answers by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) approved: u64,
    pub(crate) denied: u64,
    pub(crate) captured: u64,
    pub(crate) errors: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Counts) {
        self.approved += other.approved;
        self.denied += other.denied;
        self.captured += other.captured;
        self.errors += other.errors;
    }

    /// Authorizations that were decided.
    pub(crate) fn decided(&self) -> u64 {
        self.approved + self.denied
    }
}

/// Everything one lane counts.
pub(crate) struct Tally {
    /// From the first to the last answer.
    pub(crate) total: Counts,
    /// Answers that arrived while the measurement ran.
    pub(crate) measured: Counts,
    /// Requests that were never answered.
    pub(crate) unanswered: u64,
    /// Of authorizations due while the measurement ran, in nanoseconds.
    pub(crate) authorize: Histogram<u64>,
    /// Of captures, likewise.
    pub(crate) capture: Histogram<u64>,
    /// How often each code was given, of errors and of the first violation of denials.
    pub(crate) codes: BTreeMap<String, u64>,
    /// Frames of requests.
    pub(crate) frames: u64,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        let histogram = || {
            Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
                .expect("the bounds are those of a histogram")
        };
        Tally {
            total: Counts::default(),
            measured: Counts::default(),
            unanswered: 0,
            authorize: histogram(),
            capture: histogram(),
            codes: BTreeMap::new(),
            frames: 0,
        }
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.total.add(&other.total);
        self.measured.add(&other.measured);
        self.unanswered += other.unanswered;
        self.authorize.add(&other.authorize).expect("all histograms have the same bounds");
        self.capture.add(&other.capture).expect("all histograms have the same bounds");
        for (code, count) in &other.codes {
            self.count_code(code, *count);
        }
        self.frames += other.frames;
    }

    pub(crate) fn count_code(&mut self, code: &str, count: u64) {
        match self.codes.get_mut(code) {
            Some(known) => *known += count,
            None => {
                self.codes.insert(code.to_owned(), count);
            }
        }
    }
}
