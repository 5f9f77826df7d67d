//! How time passes between turns: mostly little, often to the microsecond of a deadline, sometimes to another month.

use super::Workload;
use crate::kernel::{Duration, Timestamp};

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

impl Workload {
    /// The moment of the next turn, never before the last.
    pub(super) fn later(&mut self, deadline: Option<Timestamp>) -> Timestamp {
        let now = self.now;
        let after = |micros| now.after(Duration::from_micros(micros));
        let next = match self.random.below(1000) {
            0..400 => now,
            400..750 => after(self.random.below(SECOND)),
            750..880 => after(self.random.below(10 * SECOND)),
            880..960 => self.around_deadline(deadline),
            960..984 => after(self.random.below(5 * 60 * SECOND)),
            984..988 => after(self.random.below(HOUR)),
            988..994 => self.around(midnight_after(now)),
            994..996 => after(self.random.below(26 * HOUR)),
            996 => after(self.random.below(8 * DAY)),
            997..999 => self.around(now.after(Duration::from_secs(1800))),
            _ => after(self.random.below(32 * DAY)),
        };
        next.max(now)
    }

    /// Near deadlines mostly, since far ones take everything else with them.
    fn around_deadline(&mut self, deadline: Option<Timestamp>) -> Timestamp {
        let deadline = deadline.unwrap_or(self.now);
        let is_near = deadline.since(self.now) < Duration::from_micros(10 * 60 * SECOND);
        if is_near || self.random.chance(10) { self.around(deadline) } else { self.now }
    }

    /// A moment, or the microsecond before or after it.
    fn around(&mut self, moment: Timestamp) -> Timestamp {
        Timestamp::from_micros(moment.micros() - 1 + self.random.below(3))
    }
}

fn midnight_after(now: Timestamp) -> Timestamp {
    Timestamp::from_micros((now.micros() / DAY + 1) * DAY)
}
