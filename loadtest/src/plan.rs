//! When what happens: one plan for all lanes, made before the first request.

use std::time::{Duration, Instant};

use crate::scenario::Scenario;

/// How long answers may take to come after the last request.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Lanes begin together, so long after the plan is made.
const LEAD: Duration = Duration::from_millis(50);

/// Moments are nanoseconds since `start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) start: Instant,
    /// From here on counts.
    pub(crate) measured_from: u64,
    /// No request is sent from here on.
    pub(crate) end: u64,
}

impl Plan {
    pub(crate) fn new(scenario: &Scenario) -> Plan {
        let measured_from = nanoseconds(Duration::from_secs(scenario.warm_up_seconds));
        Plan {
            start: Instant::now() + LEAD,
            measured_from,
            end: measured_from + nanoseconds(Duration::from_secs(scenario.seconds)),
        }
    }

    /// Now; zero before the start.
    pub(crate) fn now(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    pub(crate) fn last_answers(&self) -> Instant {
        self.start + Duration::from_nanos(self.end) + DRAIN_MAX
    }

    pub(crate) fn measured_seconds(&self) -> f64 {
        (self.end - self.measured_from) as f64 / 1e9
    }

    /// Seconds in which requests are sent, the warm-up included.
    pub(crate) fn seconds(&self) -> usize {
        second_of(self.end)
    }
}

/// The second, counted from zero, in which a moment lies.
pub(crate) fn second_of(moment: u64) -> usize {
    usize::try_from(moment / 1_000_000_000).unwrap_or(usize::MAX)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
