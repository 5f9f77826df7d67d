//! A moment as people and programs write it: RFC 3339 in UTC with milliseconds.

use std::{fmt, str::FromStr, time::SystemTime};

use holdfast::kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// `2026-11-20T19:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Moment(Timestamp);

impl Moment {
    /// Seconds since 1970.
    pub(crate) fn seconds(self) -> f64 {
        self.0.micros() as f64 / 1e6
    }
}

impl From<SystemTime> for Moment {
    /// Moments before 1970 become 1970; what is finer than a millisecond is cut off.
    fn from(time: SystemTime) -> Moment {
        let millis = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Moment(Timestamp::from_micros(u64::try_from(millis).unwrap_or(0) * 1000))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.to_string()
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Moment, String> {
        text.parse()
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let moment = micros(text).map(|micros| Moment(Timestamp::from_micros(micros)));
        // Printing it again shows days and hours that do not exist.
        let same = moment.filter(|moment| moment.to_string() == text);
        same.ok_or_else(|| format!("`{text}` is no moment like `2026-11-20T19:30:00.000Z`"))
    }
}

/// Microseconds since 1970.
fn micros(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let days = days_since_1970(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let minutes = (days * 24 + number(11, 13)?) * 60 + number(14, 16)?;
    let millis = (minutes * 60 + number(17, 19)?) * 1000 + number(20, 23)?;
    Some(millis * 1000)
}

/// Days from 1 January 1970 to a day of the Gregorian calendar. The year begins in March here, so that the leap day is its last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    const DAYS_TO_1970: u64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    days.checked_sub(DAYS_TO_1970 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for text in ["1970-01-01T00:00:00.000Z", "2000-02-29T23:59:59.999Z", "2026-11-20T19:30:00.001Z"] {
            assert_eq!(text.parse::<Moment>().map(|moment| moment.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("2026-11-20T00:00:00.250Z".parse::<Moment>().map(Moment::seconds), Ok(1_795_132_800.25));
        for text in [
            "",
            "2026-11-20",
            "2026-02-29T00:00:00.000Z",
            "2026-11-20T24:00:00.000Z",
            "1969-12-31T00:00:00.000Z",
            "2026-11-20T00:00:00.000+01:00",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
