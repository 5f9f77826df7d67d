//! How much was used in the current day, week and month of a time zone.

use bincode::{Decode, Encode};

use super::{
    past::Past,
    window::{Calendar, Windows, replace},
};
use crate::kernel::{Amount, Timestamp, Zone, zone::Bounds};

/// Calendar windows of one scope in one zone. The bounds of the zone's current day are kept, so that only the first booking of a day
/// asks what day it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Zoned {
    zone: Zone,
    bounds: Bounds,
    used: [Amount; 3],
}

impl Zoned {
    /// Counters that begin at `now` with the most that can have been used before in their windows, for all that is known of their scope.
    #[must_use]
    pub fn begin(zone: &Zone, windows: &Windows, past: &Past, now: Timestamp) -> Zoned {
        let bounds = zone.bounds(now);
        let used = bounds.starts.map(|start| past.bound(windows, start, now));
        Zoned { zone: zone.clone(), bounds, used }
    }

    /// The same for counters that could have begun at `since`, and have counted nothing from then until `now`.
    #[must_use]
    pub fn begin_late(zone: &Zone, windows: &Windows, past: &Past, since: Timestamp, now: Timestamp) -> Zoned {
        let mut zoned = Zoned::begin(zone, windows, past, since);
        zoned.roll(now);
        zoned
    }

    /// Books that what weighed `before` weighs `after`, for a hold placed at `placed`, as of `now`: as
    /// [`Windows::book`](super::window::Windows::book) does in UTC.
    pub fn book(&mut self, placed: Timestamp, now: Timestamp, before: Amount, after: Amount) {
        self.roll(now);
        for (used, start) in self.used.iter_mut().zip(self.bounds.starts) {
            *used = if placed >= start {
                replace(*used, before, after)
            } else {
                used.saturating_add(after.saturating_sub(before))
            };
        }
    }

    /// What counts in the window that `now` belongs to.
    #[must_use]
    pub fn used(&self, calendar: Calendar, now: Timestamp) -> Amount {
        let at = calendar as usize;
        if now < self.bounds.day_ends || self.zone.bounds(now).starts[at] == self.bounds.starts[at] {
            self.used[at]
        } else {
            Amount::ZERO
        }
    }

    fn roll(&mut self, now: Timestamp) {
        if now < self.bounds.day_ends {
            return;
        }
        let bounds = self.zone.bounds(now);
        for (used, (was, is)) in self.used.iter_mut().zip(self.bounds.starts.into_iter().zip(bounds.starts)) {
            if was != is {
                *used = Amount::ZERO;
            }
        }
        self.bounds = bounds;
    }
}
