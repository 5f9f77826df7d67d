//! How much was used in the current calendar day, week and month, and ever.

use bincode::{Decode, Encode};

use crate::kernel::{
    Amount, Timestamp,
    time::{month_of, week_of},
};

/// What a hold, or a set of holds, weighs on a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Weight {
    /// Counts against limits: what is held and what was spent.
    pub used: Amount,
    /// The part of it that was spent.
    pub spent: Amount,
}

/// The end of the range of a sum.
const FULL: Amount = Amount::from_micros(u64::MAX);

/// A calendar window in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// Midnight to midnight.
    Day,
    /// Monday to Sunday.
    Week,
    /// The first to the last of a month.
    Month,
}

impl Calendar {
    /// All of them, in the order in which [`Windows`] keeps them.
    pub const ALL: [Calendar; 3] = [Calendar::Day, Calendar::Week, Calendar::Month];

    /// Whether two days (since the epoch) fall in one window.
    fn same(self, one: u32, other: u32) -> bool {
        match self {
            Calendar::Day => one == other,
            Calendar::Week => week_of(one) == week_of(other),
            Calendar::Month => month_of(one) == month_of(other),
        }
    }
}

/// The counters of one scope (an agent, a service of it, a wallet).
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Windows {
    /// The day of the last booking; the windows are those that it belongs to.
    day: u32,
    used: [Amount; 3],
    total: Weight,
}

impl Windows {
    /// Nothing was ever used.
    pub const EMPTY: Windows =
        Windows { day: 0, used: [Amount::ZERO; 3], total: Weight { used: Amount::ZERO, spent: Amount::ZERO } };

    /// Books that what weighed `before` weighs `after`, for a hold placed at `placed`, as of `now`.
    ///
    /// Requires that `now` is not before any earlier booking. In a window that `placed` does not share with `now`, only what the hold
    /// weighs more counts: that was spent beyond the hold, and now. What it weighs less is taken out of a window that is over.
    pub fn book(&mut self, placed: Timestamp, now: Timestamp, before: Weight, after: Weight) {
        let (today, placed) = (now.day(), placed.day());
        if today != self.day {
            self.roll(today);
        }
        for calendar in Calendar::ALL {
            let used = &mut self.used[calendar as usize];
            *used = if placed == today || calendar.same(placed, today) {
                replace(*used, before.used, after.used)
            } else {
                used.saturating_add(after.used.saturating_sub(before.used))
            };
        }
        self.total.used = replace(self.total.used, before.used, after.used);
        self.total.spent = replace(self.total.spent, before.spent, after.spent);
    }

    /// What counts in the window that `now` belongs to.
    #[must_use]
    pub fn used(&self, calendar: Calendar, now: Timestamp) -> Amount {
        let today = now.day();
        if today == self.day || calendar.same(today, self.day) { self.used[calendar as usize] } else { Amount::ZERO }
    }

    /// [`Windows::used`] for day, week and month.
    #[must_use]
    #[inline]
    pub fn all_used(&self, now: Timestamp) -> [Amount; 3] {
        if now.day() == self.day {
            return self.used;
        }
        Calendar::ALL.map(|calendar| self.used(calendar, now))
    }

    /// The day of the last booking, since the epoch.
    #[must_use]
    pub fn day(&self) -> u32 {
        self.day
    }

    /// What counted after the last booking.
    #[must_use]
    pub fn used_then(&self) -> [Amount; 3] {
        self.used
    }

    /// What counts since ever.
    #[must_use]
    pub fn total(&self) -> Weight {
        self.total
    }

    /// Held at present.
    #[must_use]
    pub fn held(&self) -> Amount {
        self.total.used.saturating_sub(self.total.spent)
    }

    fn roll(&mut self, today: u32) {
        for calendar in Calendar::ALL {
            if !calendar.same(self.day, today) {
                self.used[calendar as usize] = Amount::ZERO;
            }
        }
        self.day = today;
    }
}

/// `sum − before + after`. A sum that has met the end of the range stays there, since nobody knows what it has lost: it blocks, and
/// never permits.
pub(crate) fn replace(sum: Amount, before: Amount, after: Amount) -> Amount {
    if sum == FULL {
        return FULL;
    }
    debug_assert!(before <= sum, "what is taken out was put in");
    sum.saturating_sub(before).saturating_add(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Duration;

    fn day(number: u64) -> Timestamp {
        Timestamp::ZERO.after(Duration::from_secs(number * 86_400))
    }

    fn weight(used: u64) -> Weight {
        Weight { used: Amount::from_micros(used), spent: Amount::ZERO }
    }

    #[test]
    fn a_booking_counts_in_the_windows_of_its_placement_while_they_last() {
        let mut windows = Windows::default();
        let sunday = 20_772; // 2026-11-15
        windows.book(day(sunday), day(sunday), weight(0), weight(10));
        assert_eq!(windows.all_used(day(sunday)), [10, 10, 10].map(Amount::from_micros));
        assert_eq!(windows.all_used(day(sunday + 1)), [0, 0, 10].map(Amount::from_micros));
        // Released on Monday: only the month still remembers it.
        windows.book(day(sunday + 1), day(sunday + 1), weight(0), weight(7));
        windows.book(day(sunday), day(sunday + 1), weight(10), weight(4));
        assert_eq!(windows.all_used(day(sunday + 1)), [7, 7, 11].map(Amount::from_micros));
        assert_eq!(windows.total().used, Amount::from_micros(11));
        assert_eq!(windows.all_used(day(sunday + 40)), [Amount::ZERO; 3]);
    }
}
