//! How much can have been spent since some moment? Windows in UTC know their own sum only. A counter that begins later than the time it
//! counts over (a day of another zone, a rolling hour) must not forget what came before it, so it begins with the most that can be.

use bincode::{Decode, Encode};

use super::window::{Calendar, Windows};
use crate::kernel::{
    Amount, Timestamp,
    time::{month_begins, month_of, week_begins, week_of},
};

/// What an agent used before its windows turned last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Past {
    /// In the window before the current one, in the order of [`Calendar::ALL`].
    previous: [Amount; 3],
    /// On the last day of that window.
    eve: [Amount; 3],
}

impl Past {
    /// Nothing was used.
    pub const EMPTY: Past = Past { previous: [Amount::ZERO; 3], eve: [Amount::ZERO; 3] };

    /// Remembers what `windows` are about to forget when they turn from their day to `today`.
    pub fn turn(&mut self, windows: &Windows, today: u32) {
        let (day, used) = (windows.day(), windows.used_then());
        for calendar in Calendar::ALL {
            let (was, is) = (number(calendar, day), number(calendar, today));
            if was != is {
                let at = calendar as usize;
                let keep = |wanted, amount| if wanted { amount } else { Amount::ZERO };
                self.previous[at] = keep(was + 1 == is, used[at]);
                self.eve[at] = keep(day + 1 == begins(calendar, today), used[Calendar::Day as usize]);
            }
        }
    }

    /// The same for the agent whose windows these are, as of `now`.
    #[must_use]
    pub fn as_of(mut self, windows: &Windows, now: Timestamp) -> Past {
        if now.day() != windows.day() {
            self.turn(windows, now.day());
        }
        self
    }

    /// The most that can have been used from `from` until `at` and still weigh, in a scope with these windows. The past is its agent's,
    /// as of `at`.
    #[must_use]
    pub fn bound(&self, windows: &Windows, from: Timestamp, at: Timestamp) -> Amount {
        let (today, used) = (at.day(), windows.all_used(at));
        let within = |calendar: Calendar| {
            let begins = begins(calendar, today);
            let used = used[calendar as usize];
            let from = from.day();
            if from >= begins {
                Some(used)
            } else if from + 1 >= begins {
                Some(used.saturating_add(self.eve[calendar as usize]))
            } else if number(calendar, from) + 1 >= number(calendar, today) {
                Some(used.saturating_add(self.previous[calendar as usize]))
            } else {
                None
            }
        };
        let tightest = Calendar::ALL.into_iter().filter_map(within).min();
        tightest.map_or(windows.total().used, |used| used.min(windows.total().used))
    }
}

/// Which window a day belongs to.
fn number(calendar: Calendar, day: u32) -> u32 {
    match calendar {
        Calendar::Day => day,
        Calendar::Week => week_of(day),
        Calendar::Month => month_of(day),
    }
}

/// The first day of the window that `day` belongs to.
fn begins(calendar: Calendar, day: u32) -> u32 {
    match calendar {
        Calendar::Day => day,
        Calendar::Week => week_begins(day),
        Calendar::Month => month_begins(day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Duration, state::window::Weight};

    const MONDAY: u32 = 20_773; // 2026-11-16

    fn at(day: u32, hour: u64) -> Timestamp {
        Timestamp::ZERO.after(Duration::from_secs(u64::from(day) * 86_400 + hour * 3600))
    }

    #[test]
    fn the_bound_is_the_tightest_sum_that_surely_holds_all_of_it() {
        let (mut windows, mut past) = (Windows::EMPTY, Past::EMPTY);
        // One on 2026-10-30, two on the last of October, four on the first of November, ...
        for (day, used) in [(20_756, 1), (20_757, 2), (20_758, 4), (MONDAY - 2, 8), (MONDAY - 1, 16), (MONDAY, 32)] {
            let now = at(day, 12);
            past = past.as_of(&windows, now);
            let weight = Weight { used: Amount::from_micros(used), spent: Amount::ZERO };
            windows.book(now, now, Weight::default(), weight);
        }
        let check = |from: Timestamp, now: Timestamp, expected: u64| {
            let past = past.as_of(&windows, now);
            assert_eq!(past.bound(&windows, from, now).micros(), expected, "{from} {now}");
        };
        let now = at(MONDAY, 13);
        check(at(MONDAY, 0), now, 32);
        check(at(MONDAY - 1, 23), now, 32 + 16);
        check(at(MONDAY - 2, 23), now, 32 + 8 + 16);
        // The week before is known, and so is the month so far; October's last day is, too, but not by itself what came before it.
        check(at(MONDAY - 7, 0), now, 32 + 24);
        check(at(20_758, 0), now, 60);
        check(at(20_757, 23), now, 60 + 2);
        check(at(20_756, 23), now, 60 + 3);
        check(Timestamp::ZERO, now, 63);
        // When everything has turned, what was current is the past.
        check(at(MONDAY, 23), at(MONDAY + 1, 1), 32);
        check(at(MONDAY + 6, 23), at(MONDAY + 7, 1), 0);
        check(at(MONDAY, 0), at(MONDAY + 7, 1), 32);
    }
}
