//! Spans of time as people write them: hours of the day, days of the week, dates, moments. Hours, days and dates are those that clock and
//! calendar on the wall show: an hour that clocks skip never comes, one that comes twice counts both times.

use crate::kernel::{Timestamp, zone::Local};

/// A date: year, month (1-12), day of the month (1-31).
pub type Date = (i16, u8, u8);

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Between two times of the day, in seconds since midnight; over midnight where the first is later. The end is no part of it.
    Hours {
        /// The first second.
        from: u32,
        /// The first second after it.
        to: u32,
    },
    /// Days of the week: bit 0 is Monday.
    Days(u8),
    /// Between two dates, both included.
    Dates {
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
    },
    /// Between two moments. The end is no part of it.
    Moments {
        /// The first moment.
        from: Timestamp,
        /// The first moment after it.
        to: Timestamp,
    },
}

impl Span {
    /// Whether `now` lies in the span; `None` where that depends on a calendar which has no such day.
    #[must_use]
    pub fn contains(self, now: Timestamp, local: impl FnOnce() -> Option<Local>) -> Option<bool> {
        if let Span::Moments { from, to } = self {
            return Some(from <= now && now < to);
        }
        let local = local()?;
        Some(match self {
            Span::Hours { from, to } => {
                let second = local.time_of_day.as_secs();
                let (from, to) = (u64::from(from), u64::from(to));
                if from <= to { from <= second && second < to } else { second >= from || second < to }
            }
            Span::Days(days) => days & (1 << local.weekday) != 0,
            Span::Dates { from, to } => from <= local.date && local.date <= to,
            Span::Moments { from, to } => from <= now && now < to,
        })
    }
}
