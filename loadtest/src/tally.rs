//! What is counted while the load runs, and how long each answer took: second by second, of all lanes of one thread together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use hdrhistogram::Histogram;

use crate::{
    plan::{Plan, second_of},
    record::Counts,
};

/// Longer waits count as this long.
const LATENCY_NS_MAX: u64 = 300_000_000_000;
/// Times are kept to one in a thousand.
const SIGNIFICANT_DIGITS: u8 = 3;
/// Answers that come so many seconds after the last request still have a second of their own.
const SECONDS_AFTER_END: usize = 8;

/// One second of the load.
#[derive(Debug)]
pub(crate) struct Second {
    /// Answers that came in it.
    pub(crate) counts: Counts,
    /// How long authorizations took that were due in it, in nanoseconds.
    pub(crate) authorize: Histogram<u64>,
    /// Likewise, captures.
    pub(crate) capture: Histogram<u64>,
}

/// Everything that one thread counts.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) plan: Plan,
    /// From the first to the last answer.
    pub(crate) total: Counts,
    /// By second since the start.
    pub(crate) seconds: Vec<Second>,
    /// How often each code was given, of errors and of the first violation of denials.
    pub(crate) codes: BTreeMap<String, u64>,
    /// Requests that were sent, and the frames that held them.
    pub(crate) asked: u64,
    pub(crate) frames: u64,
    /// The longest wait for an error, from the moment its request was sent, in nanoseconds.
    pub(crate) slowest_error: u64,
    last_second: Arc<LastSecond>,
    current: usize,
}

/// How long authorizations took that were due in the last full second, for others to look at.
pub(crate) type LastSecond = Mutex<Histogram<u64>>;

/// Where nobody has looked yet.
pub(crate) fn last_second() -> Arc<LastSecond> {
    Arc::new(Mutex::new(histogram()))
}

/// What kind of request was answered, for the histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Authorize,
    Capture,
    /// What is asked besides; it is not timed.
    Other,
}

impl Tally {
    pub(crate) fn new(plan: Plan, last_second: Arc<LastSecond>) -> Tally {
        let second = |_| Second { counts: Counts::default(), authorize: histogram(), capture: histogram() };
        Tally {
            plan,
            total: Counts::default(),
            seconds: (0..plan.seconds() + SECONDS_AFTER_END).map(second).collect(),
            codes: BTreeMap::new(),
            asked: 0,
            frames: 0,
            slowest_error: 0,
            last_second,
            current: 0,
        }
    }

    /// Books an answer that came at `now` to a request that was due at `due`.
    pub(crate) fn answered(&mut self, kind: Kind, counts: &Counts, due: u64, now: u64) {
        add(&mut self.total, counts);
        if second_of(now) > self.current {
            self.publish();
            self.current = second_of(now);
        }
        if let Some(second) = self.seconds.get_mut(second_of(now)) {
            add(&mut second.counts, counts);
        }
        if let Some(second) = self.seconds.get_mut(second_of(due)) {
            let wait = now.saturating_sub(due).clamp(1, LATENCY_NS_MAX);
            // It fails only where a histogram cannot grow, and these can.
            let _ = match kind {
                Kind::Authorize => second.authorize.record(wait),
                Kind::Capture => second.capture.record(wait),
                Kind::Other => Ok(()),
            };
        }
    }

    /// Shows others the second that is over.
    fn publish(&self) {
        if let Some(second) = self.seconds.get(self.current) {
            *self.last_second.lock().unwrap_or_else(PoisonError::into_inner) = second.authorize.clone();
        }
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        add(&mut self.total, &other.total);
        for (mine, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            add(&mut mine.counts, &theirs.counts);
            merge(&mut mine.authorize, &theirs.authorize);
            merge(&mut mine.capture, &theirs.capture);
        }
        for (code, count) in &other.codes {
            self.count_code(code, *count);
        }
        self.asked += other.asked;
        self.frames += other.frames;
        self.slowest_error = self.slowest_error.max(other.slowest_error);
    }

    pub(crate) fn count_code(&mut self, code: &str, count: u64) {
        match self.codes.get_mut(code) {
            Some(known) => *known += count,
            None => {
                self.codes.insert(code.to_owned(), count);
            }
        }
    }

    /// Answers that came while the measurement ran.
    pub(crate) fn measured(&self) -> Counts {
        let mut sum = Counts::default();
        self.measured_seconds().for_each(|second| add(&mut sum, &second.counts));
        sum
    }

    /// All times of requests that were due while the measurement ran.
    pub(crate) fn latencies(&self, of: impl Fn(&Second) -> &Histogram<u64>) -> Histogram<u64> {
        let mut sum = histogram();
        self.measured_seconds().for_each(|second| merge(&mut sum, of(second)));
        sum
    }

    fn measured_seconds(&self) -> impl Iterator<Item = &Second> {
        let (from, end) = (second_of(self.plan.measured_from), self.plan.seconds());
        self.seconds.iter().take(end).skip(from)
    }
}

/// Of nanoseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new(SIGNIFICANT_DIGITS).expect("the digits are those of a histogram")
}

pub(crate) fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("a histogram that can grow takes every other");
}

fn add(sum: &mut Counts, counts: &Counts) {
    sum.approved += counts.approved;
    sum.denied += counts.denied;
    sum.captured += counts.captured;
    sum.errors += counts.errors;
    sum.unanswered += counts.unanswered;
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn tally() -> Tally {
        Tally::new(Plan { start: Instant::now(), measured_from: SECOND, end: 3 * SECOND }, last_second())
    }

    #[test]
    fn an_answer_counts_when_it_came_and_its_wait_when_it_was_due() {
        let mut tally = tally();
        let approved = Counts { approved: 1, ..Counts::default() };
        // Due in the warm-up and answered in the measurement; then the other way round at its end.
        tally.answered(Kind::Authorize, &approved, SECOND - 1, SECOND + 1);
        tally.answered(Kind::Authorize, &approved, SECOND, 2 * SECOND);
        tally.answered(Kind::Authorize, &approved, 3 * SECOND - 1, 5 * SECOND);
        assert_eq!((tally.total.approved, tally.measured().approved), (3, 2));
        let times = tally.latencies(|second| &second.authorize);
        assert_eq!(times.len(), 2);
        assert!(times.max() > SECOND && tally.latencies(|second| &second.capture).is_empty());
    }

    #[test]
    fn a_second_is_shown_to_others_when_it_is_over() {
        let mut tally = tally();
        let approved = Counts { approved: 1, ..Counts::default() };
        let shown = Arc::clone(&tally.last_second);
        for (now, expected) in [(SECOND / 2, 0), (SECOND - 1, 0), (SECOND + 1, 2), (SECOND + 2, 2), (2 * SECOND, 2)] {
            tally.answered(Kind::Authorize, &approved, now - 1, now);
            assert_eq!(shown.lock().unwrap().len(), expected, "{now}");
        }
    }

    #[test]
    fn nothing_is_lost_when_threads_are_added() {
        let (mut one, mut other) = (tally(), tally());
        let denied = Counts { denied: 1, ..Counts::default() };
        one.answered(Kind::Authorize, &denied, SECOND, SECOND + 5);
        other.answered(Kind::Capture, &denied, 2 * SECOND, 100 * SECOND);
        other.count_code("DAILY_LIMIT", 3);
        one.add(&other);
        assert_eq!((one.total.denied, one.measured().denied, one.codes["DAILY_LIMIT"]), (2, 1, 3));
        assert_eq!(one.latencies(|second| &second.capture).max() / SECOND, 98);
    }
}
