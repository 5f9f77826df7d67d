//! What is the date somewhere? Time zones by their IANA names, from the database that is part of the program: the same moment gives the
//! same date on every machine.

use std::{cmp::Ordering, fmt};

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use jiff::{Timestamp as Instant, civil::Date, tz::TimeZone};
use xxhash_rust::xxh3::xxh3_64;

use super::{Duration, Timestamp};

/// The names that mean UTC, which needs no calendar of its own.
const UTC: [&str; 6] = ["UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu"];

/// A time zone.
#[derive(Clone)]
pub struct Zone {
    zone: TimeZone,
    /// A hash of its name, which no two zones share: they are compared with every payment.
    key: u64,
}

/// Where a moment lies in the calendar of a zone. The moments are those of the zone's midnights: a day on which clocks are changed has 23
/// or 25 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bounds {
    /// The beginnings of the day, of the week (from Monday) and of the month.
    pub starts: [Timestamp; 3],
    /// The beginning of the next day.
    pub day_ends: Timestamp,
}

/// What a clock and a calendar on the wall show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Year, month (1-12) and day of the month (1-31).
    pub date: (i16, u8, u8),
    /// Monday = 0.
    pub weekday: u8,
    /// What the clock shows; it is no measure of what has passed since midnight.
    pub time_of_day: Duration,
}

impl Bounds {
    /// One day without end: for moments that no calendar has. Whatever counts, counts for ever.
    const ENDLESS: Bounds = Bounds { starts: [Timestamp::ZERO; 3], day_ends: Timestamp::MAX };
}

impl Zone {
    /// The zone of an IANA name such as `Europe/Berlin`, in any case; `None` where there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(Zone::of)
    }

    /// The zone without offset.
    #[must_use]
    pub fn utc() -> Zone {
        Zone::of(TimeZone::UTC)
    }

    fn of(zone: TimeZone) -> Zone {
        let key = xxh3_64(name_of(&zone).as_bytes());
        Zone { zone, key }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        name_of(&self.zone)
    }

    /// Whether it is UTC under one of its names.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        UTC.contains(&self.name())
    }

    /// Where `now` lies in the zone's calendar.
    #[must_use]
    pub fn bounds(&self, now: Timestamp) -> Bounds {
        self.checked_bounds(now).unwrap_or(Bounds::ENDLESS)
    }

    /// What clock and calendar show at `now`; `None` beyond the year 9999.
    #[must_use]
    pub fn local(&self, now: Timestamp) -> Option<Local> {
        let local = self.zone.to_datetime(instant(now)?);
        let (date, since_midnight) = (local.date(), local.time().duration_since(jiff::civil::Time::midnight()));
        Some(Local {
            date: (date.year(), date.month().unsigned_abs(), date.day().unsigned_abs()),
            weekday: date.weekday().to_monday_zero_offset().unsigned_abs(),
            time_of_day: Duration::from_micros(u64::try_from(since_midnight.as_micros()).ok()?),
        })
    }

    fn checked_bounds(&self, now: Timestamp) -> Option<Bounds> {
        let mut today = self.zone.to_datetime(instant(now)?).date();
        let mut day_ends = self.beginning(today.tomorrow().ok()?)?;
        // Where clocks are set back over midnight, a day that has begun is not undone: windows turn once.
        while day_ends <= now {
            today = today.tomorrow().ok()?;
            day_ends = self.beginning(today.tomorrow().ok()?)?;
        }
        let since_monday = jiff::Span::new().days(i64::from(today.weekday().to_monday_zero_offset()));
        let days = [today, today.checked_sub(since_monday).ok()?, today.first_of_month()];
        let [day, week, month] = days.map(|day| self.beginning(day));
        Some(Bounds { starts: [day?, week?, month?].map(|start| start.min(now)), day_ends })
    }

    /// The first moment of a day: its midnight, or what comes next where clocks are set forward over midnight. A day before the epoch
    /// begins with it.
    fn beginning(&self, day: Date) -> Option<Timestamp> {
        let midnight = self.zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()?;
        Some(Timestamp::from_micros(u64::try_from(midnight.as_microsecond()).unwrap_or(0)))
    }
}

fn name_of(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

fn instant(moment: Timestamp) -> Option<Instant> {
    Instant::from_microsecond(i64::try_from(moment.micros()).ok()?).ok()
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.key == other.key
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Zone) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Zone) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Encode for Zone {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.name().encode(encoder)
    }
}

impl<C> Decode<C> for Zone {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let name = String::decode(decoder)?;
        Zone::named(&name).ok_or_else(|| DecodeError::OtherString(format!("no time zone has the name `{name}`")))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Zone {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Zone::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_zones_have_one_key() {
        let zones = jiff::tz::db().available();
        let zones: Vec<Zone> = zones.filter_map(|name| Zone::named(name.as_str())).collect();
        assert!(zones.len() > 400, "{}", zones.len());
        let names: std::collections::BTreeSet<&str> = zones.iter().map(Zone::name).collect();
        let keys: std::collections::BTreeSet<u64> = zones.iter().map(|zone| zone.key).collect();
        assert_eq!(names.len(), keys.len());
    }

    fn moment(text: &str) -> Timestamp {
        let instant: Instant = text.parse().unwrap();
        Timestamp::from_micros(instant.as_microsecond().unsigned_abs())
    }

    /// The beginnings of day, week and month, and the end of the day.
    fn check(zone: &str, now: &str, expected: [&str; 4]) {
        let Bounds { starts: [day, week, month], day_ends } = Zone::named(zone).unwrap().bounds(moment(now));
        assert_eq!([day, week, month, day_ends], expected.map(moment), "{zone} {now}");
    }

    #[test]
    fn a_day_has_the_hours_that_its_clocks_give_it() {
        let berlin = |now, expected| check("Europe/Berlin", now, expected);
        let (first, monday) = ("2026-02-28T23:00Z", "2026-03-22T23:00Z");
        // Clocks are set forward at 2026-03-29T01:00Z.
        berlin("2026-03-28T22:59:59Z", ["2026-03-27T23:00Z", monday, first, "2026-03-28T23:00Z"]);
        berlin("2026-03-28T23:00Z", ["2026-03-28T23:00Z", monday, first, "2026-03-29T22:00Z"]);
        berlin("2026-03-29T21:59:59Z", ["2026-03-28T23:00Z", monday, first, "2026-03-29T22:00Z"]);
        berlin("2026-03-29T22:00Z", ["2026-03-29T22:00Z", "2026-03-29T22:00Z", first, "2026-03-30T22:00Z"]);
        // They are set back at 2026-10-25T01:00Z.
        let (first, monday) = ("2026-09-30T22:00Z", "2026-10-18T22:00Z");
        berlin("2026-10-24T22:00Z", ["2026-10-24T22:00Z", monday, first, "2026-10-25T23:00Z"]);
        berlin("2026-10-25T22:59:59Z", ["2026-10-24T22:00Z", monday, first, "2026-10-25T23:00Z"]);
    }

    #[test]
    fn far_zones_turn_before_and_after_utc() {
        check(
            "Pacific/Kiritimati",
            "2026-11-30T10:00Z",
            ["2026-11-30T10:00Z", "2026-11-29T10:00Z", "2026-11-30T10:00Z", "2026-12-01T10:00Z"],
        );
        check(
            "America/Los_Angeles",
            "2026-12-01T07:59:59Z",
            ["2026-11-30T08:00Z", "2026-11-30T08:00Z", "2026-11-01T07:00Z", "2026-12-01T08:00Z"],
        );
    }

    #[test]
    fn midnights_that_do_not_exist_or_come_twice_turn_a_day_once() {
        // Clocks went from 24:00 to 01:00.
        check(
            "America/Sao_Paulo",
            "2018-11-04T03:00Z",
            ["2018-11-04T03:00Z", "2018-10-29T03:00Z", "2018-11-01T03:00Z", "2018-11-05T02:00Z"],
        );
        // A day was left out.
        check(
            "Pacific/Apia",
            "2011-12-30T10:00Z",
            ["2011-12-30T10:00Z", "2011-12-26T10:00Z", "2011-12-01T10:00Z", "2011-12-31T10:00Z"],
        );
        // Clocks went from 00:01 to 23:01 of the day before, in 2006.
        check(
            "America/St_Johns",
            "2006-10-29T02:45Z",
            ["2006-10-29T02:30Z", "2006-10-23T02:30Z", "2006-10-01T02:30Z", "2006-10-30T03:30Z"],
        );
    }

    #[test]
    fn every_moment_lies_in_its_bounds_and_days_follow_each_other() {
        for name in ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"] {
            let zone = Zone::named(name).unwrap();
            let mut now = moment("2005-01-01T00:00Z");
            let mut bounds = zone.bounds(now);
            for _ in 0..4000 {
                assert!(bounds.starts.iter().all(|start| *start <= now) && now < bounds.day_ends, "{name} {now}");
                let last = Timestamp::from_micros(bounds.day_ends.micros() - 1);
                assert_eq!(zone.bounds(last), bounds, "{name} {last}");
                now = bounds.day_ends;
                let next = zone.bounds(now);
                assert_eq!(next.starts[0], now, "{name}");
                bounds = next;
            }
        }
    }

    #[test]
    fn names_are_those_of_the_database() {
        assert_eq!(Zone::named("europe/berlin"), Zone::named("Europe/Berlin"));
        assert!(["", "Berlin", "Europe/Bärlin", "+01:00", "EST5EDT4"].iter().all(|name| Zone::named(name).is_none()));
        assert!(Zone::named("Etc/UTC").unwrap().is_utc() && !Zone::named("Europe/London").unwrap().is_utc());
    }

    #[test]
    fn moments_that_no_calendar_has_count_for_ever() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(zone.bounds(Timestamp::MAX), Bounds::ENDLESS);
        assert_eq!(zone.local(Timestamp::MAX), None);
        assert_eq!(zone.bounds(Timestamp::ZERO).starts, [Timestamp::ZERO; 3]);
    }

    #[test]
    fn clock_and_calendar_show_local_time() {
        let shown = Zone::named("Asia/Kolkata").unwrap().local(moment("2026-11-22T20:00Z")).unwrap();
        let expected = Local { date: (2026, 11, 23), weekday: 0, time_of_day: Duration::from_secs(5400) };
        assert_eq!(shown, expected);
    }
}
