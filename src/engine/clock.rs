//! The wall clock that never jumps.
//!
//! Holds expire and windows turn by it, so a step of the system's clock (an operator's mistake, a resumed virtual machine) must
//! not expire everything or open yesterday's window again. The clock is set by the system's at the start and then runs
//! by the monotonic one; it follows the system's clock only as slowly as a disciplined clock drifts.

use std::{
    sync::{Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crate::kernel::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment; never before one that was told earlier.
    fn now(&self) -> Timestamp;

    /// How often the system's clock was set while this one ran, and was not followed.
    fn steps(&self) -> u64 {
        0
    }
}

/// How often the system's clock is looked at, in microseconds.
const CHECK_INTERVAL_US: u64 = 1_000_000;
/// A difference of more than this since the last look, in microseconds, is a step.
const STEP_MIN_US: i64 = 500_000;
/// How many microseconds a second the clock leaves the monotonic one by at most: what time daemons slew by.
const SLEW_MAX_US: i64 = 500;

/// The wall clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    course: Mutex<Course>,
}

impl SystemClock {
    /// A clock that agrees with the system's now.
    #[must_use]
    pub fn new() -> SystemClock {
        SystemClock { started: Instant::now(), course: Mutex::new(Course::new(system_us())) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        // The monotonic clock is read under the lock, so that the course never sees it run backwards.
        let monotonic_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(course.at(monotonic_us, system_us))
    }

    fn steps(&self) -> u64 {
        self.course.lock().unwrap_or_else(PoisonError::into_inner).steps
    }
}

fn system_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Wall time as a function of monotonic time: a straight line from the last look at the system's clock on.
#[derive(Debug)]
struct Course {
    from_monotonic_us: u64,
    from_wall_us: u64,
    /// How much the clock gains in the interval after the last look.
    gain_us: i64,
    /// How far the system's clock was set away from this one, all steps together.
    ignored_us: i64,
    steps: u64,
}

impl Course {
    fn new(system_us: u64) -> Course {
        Course { from_monotonic_us: 0, from_wall_us: system_us, gain_us: 0, ignored_us: 0, steps: 0 }
    }

    fn at(&mut self, monotonic_us: u64, system_us: impl FnOnce() -> u64) -> u64 {
        let elapsed_us = monotonic_us.saturating_sub(self.from_monotonic_us);
        let wall_us = self.wall_after(elapsed_us);
        if elapsed_us >= CHECK_INTERVAL_US {
            self.look(monotonic_us, wall_us, system_us());
        }
        wall_us
    }

    /// The gain is spread over one interval; it is far smaller than the interval, so time always advances.
    fn wall_after(&self, elapsed_us: u64) -> u64 {
        let within_us = elapsed_us.min(CHECK_INTERVAL_US) as i64;
        let gained_us = self.gain_us * within_us / CHECK_INTERVAL_US as i64;
        self.from_wall_us.saturating_add(elapsed_us).saturating_add_signed(gained_us)
    }

    fn look(&mut self, monotonic_us: u64, wall_us: u64, system_us: u64) {
        let away_us = system_us.wrapping_sub(wall_us) as i64;
        let drift_us = away_us.saturating_sub(self.ignored_us);
        if drift_us.saturating_abs() >= STEP_MIN_US {
            self.steps += 1;
            self.ignored_us = away_us;
            self.gain_us = 0;
        } else {
            self.gain_us = drift_us.clamp(-SLEW_MAX_US, SLEW_MAX_US);
        }
        (self.from_monotonic_us, self.from_wall_us) = (monotonic_us, wall_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000_000;

    /// Runs a clock for `seconds`, with the system's clock at the monotonic one plus `away`, which depends on the second.
    fn run(seconds: u64, away: impl Fn(u64) -> i64) -> (Course, i64) {
        let mut course = Course::new(START);
        let mut last = START;
        for tick in 1..=seconds * 10 {
            let monotonic_us = tick * 100_000;
            let wall = course.at(monotonic_us, || (START + monotonic_us).wrapping_add_signed(away(tick / 10)));
            assert!(wall > last, "time stood still or ran back at tick {tick}");
            last = wall;
        }
        let off_us = last as i64 - (START + seconds * 1_000_000) as i64;
        (course, off_us)
    }

    #[test]
    fn drift_is_followed_gently() {
        let (course, off_us) = run(1000, |second| second as i64 * 100);
        assert_eq!(course.steps, 0);
        assert!((off_us - 100_000).abs() < 500, "{off_us}");
        let (course, off_us) = run(1000, |second| second as i64 * -100);
        assert_eq!(course.steps, 0);
        assert!((off_us + 100_000).abs() < 500, "{off_us}");
    }

    #[test]
    fn a_step_is_counted_once_and_not_followed() {
        for step in [3_600_000_000, -3_600_000_000, 600_000, -600_000] {
            let (course, off_us) = run(1000, |second| if second < 500 { 0 } else { step });
            assert_eq!((course.steps, off_us), (1, 0), "{step}");
        }
    }

    #[test]
    fn two_steps_are_counted_and_drift_between_them_is_followed() {
        let (course, off_us) = run(900, |second| match second {
            0..300 => 0,
            300..600 => 10_000_000 + (second as i64 - 300) * 10,
            _ => 3_000,
        });
        assert_eq!(course.steps, 2);
        assert!((off_us - 3_000).abs() < 500, "{off_us}");
    }

    #[test]
    fn the_system_clock_runs() {
        let clock = SystemClock::new();
        let first = clock.now();
        assert!(clock.now() >= first);
        assert_eq!(clock.steps(), 0);
    }
}
