//! When requests are due.

use std::{sync::Arc, thread, time::Duration};

use tokio::sync::Notify;

use crate::{
    plan::Plan,
    scenario::{Scenario, ScenarioPace},
};

/// How often lanes of an open loop look whether something is due. The runtime's own timers are ten times coarser.
const TICK: Duration = Duration::from_micros(100);

/// The requests of all lanes together: how many are due by when.
#[derive(Debug)]
pub(crate) struct Schedule {
    stretches: Vec<Stretch>,
}

/// A stretch in which the rate changes evenly. Times are seconds since the start, rates are requests a second.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: f64,
    seconds: f64,
    first: f64,
    last: f64,
    /// Requests that were due before it.
    before: f64,
}

impl Schedule {
    /// The schedule of an open loop; `None` where only answers decide.
    pub(crate) fn of(scenario: &Scenario) -> Option<Schedule> {
        let warm_up = scenario.warm_up_seconds as f64;
        match &scenario.pace {
            ScenarioPace::Closed { .. } => None,
            ScenarioPace::Climbing { first, last } => {
                let (first, last) = (f64::from(*first), f64::from(*last));
                Some(Schedule::new(&[(warm_up, first, first), (scenario.seconds as f64, first, last)]))
            }
            ScenarioPace::Stepping(steps) => {
                let first = steps.first().map_or(1.0, |step| f64::from(step.rate));
                let steps = steps.iter().map(|step| (step.seconds as f64, f64::from(step.rate), f64::from(step.rate)));
                Some(Schedule::new(&[(warm_up, first, first)].into_iter().chain(steps).collect::<Vec<_>>()))
            }
        }
    }

    /// Of stretches of (seconds, first rate, last rate), one after the other.
    fn new(parts: &[(f64, f64, f64)]) -> Schedule {
        let (mut start, mut before) = (0.0, 0.0);
        let mut stretches = Vec::with_capacity(parts.len());
        for (seconds, first, last) in parts.iter().copied().filter(|(seconds, ..)| *seconds > 0.0) {
            stretches.push(Stretch { start, seconds, first, last, before });
            start += seconds;
            before += seconds * (first + last) / 2.0;
        }
        Schedule { stretches }
    }

    /// How many requests are due `seconds` after the start.
    pub(crate) fn due(&self, seconds: f64) -> f64 {
        let part = self.stretches.iter().rev().find(|stretch| stretch.start <= seconds);
        part.map_or(0.0, |stretch| {
            let inside = (seconds - stretch.start).min(stretch.seconds);
            stretch.before + inside * (stretch.first + stretch.slope() * inside / 2.0)
        })
    }

    /// The moment, in seconds after the start, by which `count` requests are due.
    fn moment(&self, count: f64) -> f64 {
        let part = self.stretches.iter().rev().find(|stretch| stretch.before <= count);
        part.map_or(0.0, |stretch| stretch.start + stretch.after(count - stretch.before))
    }
}

impl Stretch {
    fn slope(&self) -> f64 {
        (self.last - self.first) / self.seconds
    }

    /// How long it takes until `count` requests are due: the root of `first * t + slope / 2 * t²  = count`, in the form that keeps
    /// its digits where the slope is small.
    fn after(&self, count: f64) -> f64 {
        let slope = self.slope();
        if slope == 0.0 {
            return count / self.first;
        }
        let root = (self.first * self.first + 2.0 * slope * count).max(0.0).sqrt();
        2.0 * count / (self.first + root)
    }
}

/// When the requests of one lane are due, in nanoseconds since the start of the plan.
#[derive(Clone, Debug)]
pub(crate) enum Pace {
    /// As soon as an earlier one is answered.
    Closed,
    /// As the schedule of all lanes says, whether or not earlier ones are answered.
    Open {
        schedule: Arc<Schedule>,
        /// This lane's part of all requests, above 0, at most 1.
        share: f64,
        /// Where between two requests of this lane its first one lies, 0 to 1, so that lanes take turns.
        phase: f64,
    },
}

impl Pace {
    /// How many requests are due by `now`; `None` where only answers decide.
    pub(crate) fn due(&self, now: u64) -> Option<u64> {
        match self {
            Pace::Closed => None,
            Pace::Open { schedule, share, phase } => {
                let due = schedule.due(now as f64 / 1e9) * share - phase;
                Some(if due < 0.0 { 0 } else { due as u64 + 1 })
            }
        }
    }

    /// When the request of this number is due.
    pub(crate) fn moment(&self, number: u64) -> Option<u64> {
        match self {
            Pace::Closed => None,
            Pace::Open { schedule, share, phase } => {
                Some((schedule.moment((number as f64 + phase) / share) * 1e9) as u64)
            }
        }
    }
}

/// Wakes lanes until the plan is over. Blocks its thread.
pub(crate) fn beat(plan: Plan, lanes: &[Arc<Notify>]) {
    while plan.now() < plan.end {
        lanes.iter().for_each(|lane| lane.notify_one());
        thread::sleep(TICK);
    }
    // So that each sees that it is over.
    lanes.iter().for_each(|lane| lane.notify_one());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(schedule: &Arc<Schedule>, lane: usize, lanes: usize) -> Pace {
        Pace::Open { schedule: Arc::clone(schedule), share: 1.0 / lanes as f64, phase: lane as f64 / lanes as f64 }
    }

    #[test]
    fn every_request_is_due_at_its_moment_and_not_before() {
        for parts in [
            vec![(10.0, 300_000.0, 300_000.0)],
            vec![(2.0, 1000.0, 1000.0), (5.0, 1000.0, 400_000.0)],
            vec![(1.0, 1000.0, 1000.0), (1.0, 500_000.0, 500_000.0), (2.0, 100.0, 100.0)],
            vec![(3.0, 200_000.0, 1000.0)],
        ] {
            let schedule = Arc::new(Schedule::new(&parts));
            for number in [0, 1, 2, 99, 499, 5000, 70_000] {
                let pace = lane(&schedule, 1, 4);
                let moment = pace.moment(number).unwrap();
                assert_eq!(pace.due(moment + 2), Some(number + 1), "{parts:?} {number}");
                let before = moment.checked_sub(2000).map_or(0, |before| pace.due(before).unwrap());
                assert!(before <= number, "{parts:?} {number}");
            }
        }
    }

    #[test]
    fn lanes_together_ask_as_often_as_they_should() {
        let schedule = Arc::new(Schedule::new(&[(5.0, 1000.0, 1000.0), (10.0, 0.0, 2000.0)]));
        for (seconds, expected) in [(0, 0), (5, 5000), (10, 7500), (15, 15_000), (20, 15_000)] {
            let due: u64 = (0..3).map(|number| lane(&schedule, number, 3).due(seconds * 1_000_000_000).unwrap()).sum();
            assert!((expected..=expected + 3).contains(&due), "{seconds}: {due}");
        }
    }
}
