//! When requests are due.

use std::{sync::Arc, thread, time::Duration};

use tokio::sync::Notify;

use crate::plan::Plan;

/// How often lanes of an open loop look whether something is due. The runtime's own timers are ten times coarser.
const TICK: Duration = Duration::from_micros(100);

/// When the requests of one lane are due, in nanoseconds since the start of the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As soon as an earlier one is answered.
    Closed,
    /// At equal distances, whether or not earlier ones are answered.
    Open {
        /// Requests a second.
        rate: f64,
        /// The moment of the first.
        offset: f64,
    },
}

impl Pace {
    /// The pace of lane number `lane` of `lanes` that together ask `rate` times a second; their requests take turns.
    pub(crate) fn open(rate: u32, lane: usize, lanes: usize) -> Pace {
        let rate = f64::from(rate) / lanes as f64;
        Pace::Open { rate, offset: 1e9 / rate * lane as f64 / lanes as f64 }
    }

    /// How many requests are due by `now`; `None` where only answers decide.
    pub(crate) fn due(&self, now: u64) -> Option<u64> {
        match *self {
            Pace::Closed => None,
            Pace::Open { .. } if (now as f64) < self.offset() => Some(0),
            Pace::Open { rate, offset } => Some(((now as f64 - offset) * rate / 1e9) as u64 + 1),
        }
    }

    /// When the request of this number is due.
    pub(crate) fn moment(&self, number: u64) -> Option<u64> {
        match *self {
            Pace::Closed => None,
            Pace::Open { rate, offset } => Some((number as f64 * 1e9 / rate + offset) as u64),
        }
    }

    fn offset(&self) -> f64 {
        match *self {
            Pace::Closed => 0.0,
            Pace::Open { offset, .. } => offset,
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

    #[test]
    fn every_request_is_due_at_its_moment_and_not_before() {
        for lane in 0..4 {
            let pace = Pace::open(300_000, lane, 4);
            for number in [0, 1, 2, 99, 1_000_000] {
                let moment = pace.moment(number).unwrap();
                assert_eq!(pace.due(moment + 1), Some(number + 1), "{lane} {number}");
                let before = moment.checked_sub(2).map_or(0, |before| pace.due(before).unwrap());
                assert!(before <= number, "{lane} {number}");
            }
        }
    }

    #[test]
    fn lanes_together_ask_as_often_as_they_should() {
        let due: u64 = (0..3).map(|lane| Pace::open(1000, lane, 3).due(10_000_000_000).unwrap()).sum();
        assert!((10_000..=10_003).contains(&due), "{due}");
    }
}
