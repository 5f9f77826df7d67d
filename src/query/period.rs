//! Over which span of time something is asked.

use crate::kernel::{Duration, Timestamp};

/// A span that ends now. It begins with a whole hour, so it is up to an hour longer than its name says and never shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    #[default]
    Month,
    /// Since ever.
    All,
}

const MICROS_PER_HOUR: u64 = 3_600_000_000;

/// Hours since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour(pub(super) u32);

impl Hour {
    pub(super) const DAY: u32 = 24;

    pub(super) const fn of(moment: Timestamp) -> Hour {
        Hour((moment.micros() / MICROS_PER_HOUR) as u32)
    }

    pub(super) const fn begins_at(self) -> Timestamp {
        Timestamp::from_micros(self.0 as u64 * MICROS_PER_HOUR)
    }

    /// The first hour of its day.
    pub(super) const fn day(self) -> Hour {
        Hour(self.0 - self.0 % Hour::DAY)
    }
}

impl Span {
    /// All of them.
    pub const ALL: [Span; 4] = [Span::Day, Span::Week, Span::Month, Span::All];

    /// The word for it in requests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Span::Day => "24h",
            Span::Week => "7d",
            Span::Month => "30d",
            Span::All => "all",
        }
    }

    /// When it begins; nothing where it has no beginning.
    #[must_use]
    pub fn begins_at(self, now: Timestamp) -> Option<Timestamp> {
        self.first_hour(now).map(Hour::begins_at)
    }

    /// How long it is, up to `now`.
    #[must_use]
    pub fn length(self, now: Timestamp) -> Option<Duration> {
        self.begins_at(now).map(|begins_at| now.since(begins_at))
    }

    pub(super) fn first_hour(self, now: Timestamp) -> Option<Hour> {
        let days = match self {
            Span::Day => 1,
            Span::Week => 7,
            Span::Month => 30,
            Span::All => return None,
        };
        Some(Hour(Hour::of(now).0.saturating_sub(days * Hour::DAY)))
    }
}
