//! Time: microseconds since the Unix epoch, and the calendar periods that limits count over. Always passed in, never fetched.

use std::fmt;

use bincode::{Decode, Encode};

/// Microseconds in a second.
const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Timestamp(u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// A duration of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Duration {
        Duration(micros)
    }

    /// A duration of `seconds` seconds; more than fits becomes the longest duration.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Duration {
        Duration(seconds.saturating_mul(SECOND))
    }

    /// Microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / SECOND
    }
}

impl Timestamp {
    /// The beginning of the epoch.
    pub const ZERO: Timestamp = Timestamp(0);
    /// Later than everything.
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Timestamp {
        Timestamp(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// This moment and `duration` after it; what does not fit becomes [`Timestamp::MAX`].
    #[must_use]
    pub const fn after(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(duration.0))
    }

    /// The time from `earlier` to this moment, or zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// Days since the epoch in UTC.
    #[must_use]
    pub const fn day(self) -> u32 {
        (self.0 / DAY) as u32
    }

    /// Microseconds since midnight UTC.
    #[must_use]
    pub const fn time_of_day(self) -> Duration {
        Duration(self.0 % DAY)
    }

    /// The day of the week in UTC, Monday = 0.
    #[must_use]
    pub const fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        ((self.day() + 3) % 7) as u8
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.day());
        let rest = self.0 % DAY;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            rest / HOUR,
            rest % HOUR / MINUTE,
            rest % MINUTE / SECOND,
            rest % SECOND / 1000
        )
    }
}

/// A span that limits count over. Spend limits use calendar days, weeks (from Monday) and months in UTC;
/// velocity uses the rolling length of the period (a month is 30 days).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Period {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// Midnight to midnight; 24 hours when rolling.
    Day,
    /// Monday to Sunday; 7 days when rolling.
    Week,
    /// The first to the last of a month; 30 days when rolling.
    Month,
}

impl Period {
    /// All periods, shortest first.
    pub const ALL: [Period; 5] = [Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month];

    /// The rolling length.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration(match self {
            Period::Minute => MINUTE,
            Period::Hour => HOUR,
            Period::Day => DAY,
            Period::Week => 7 * DAY,
            Period::Month => 30 * DAY,
        })
    }

    /// The word for it in configuration and messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        }
    }
}

/// The number of the calendar week that `day` (since the epoch) belongs to; weeks start on Monday.
#[must_use]
pub const fn week_of(day: u32) -> u32 {
    (day + 3) / 7
}

/// The number of the calendar month that `day` (since the epoch) belongs to: 12 × year + month.
#[must_use]
pub const fn month_of(day: u32) -> u32 {
    let (year, month, _) = civil(day);
    year * 12 + month
}

/// The Monday of the week that `day` (since the epoch) belongs to; the epoch itself in its first week.
#[must_use]
pub const fn week_begins(day: u32) -> u32 {
    day.saturating_sub((day + 3) % 7)
}

/// The first day of the month that `day` (since the epoch) belongs to.
#[must_use]
pub const fn month_begins(day: u32) -> u32 {
    let (_, _, day_of_month) = civil(day);
    day - (day_of_month - 1)
}

/// Year, month (1-12) and day of the month (1-31) of a day since the epoch.
/// The algorithm is `civil_from_days` of Howard Hinnant's "chrono-compatible low-level date algorithms".
const fn civil(day: u32) -> (u32, u32, u32) {
    let z = day as u64 + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    (year as u32, month as u32, (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_of_known_days() {
        // (days since the epoch, date, Monday = 0)
        for (day, date, weekday) in [
            (0, "1970-01-01", 3),
            (4, "1970-01-05", 0),
            (11_016, "2000-02-29", 1),
            (11_017, "2000-03-01", 2),
            (19_782, "2024-02-29", 3),
            (20_777, "2026-11-20", 4),
        ] {
            let moment = Timestamp::from_micros(day * DAY);
            assert_eq!(moment.to_string(), format!("{date}T00:00:00.000Z"));
            assert_eq!(moment.weekday(), weekday, "{date}");
        }
    }

    #[test]
    fn weeks_turn_on_monday_and_months_on_the_first() {
        let monday = 20_773; // 2026-11-16
        assert_ne!(week_of(monday - 1), week_of(monday));
        assert_eq!(week_of(monday), week_of(monday + 6));
        assert_ne!(month_of(20_757), month_of(20_758)); // 2026-10-31, 2026-11-01
        assert_eq!(month_of(20_758), month_of(20_787));
        assert_eq!([monday, monday + 6].map(week_begins), [monday; 2]);
        assert_eq!([20_757, 20_758, 20_787].map(month_begins), [20_727, 20_758, 20_758]);
        assert_eq!([0, 3, 4].map(week_begins), [0, 0, 4]);
    }
}
