//! What the value of a rule says. A value is plain text (`500`), or JSON when it has parts; numbers are read from their
//! digits, never through a floating-point number.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use super::{CalendarWindow, NameSet, PolicyError, ServiceSet, ServiceWindow, SpendWindow, service::domain_of_entry};
use crate::kernel::{Amount, Duration, Name, NameError, Period, Zone};

/// The most entries of a list.
pub const LIST_ENTRIES_MAX: usize = 10_000;
/// The longest span that a rolling limit counts over: 366 days.
pub const ROLLING_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The largest count of payments, sessions or seconds.
pub const COUNT_MAX: u32 = 1_000_000_000;

/// Completes "expected …".
pub(super) const ZONE_EXPECTED: &str = "a time zone of the IANA database, such as `Europe/Berlin`";

/// A value as written, with the place to name when it is refused.
pub(super) struct Value<'a> {
    place: String,
    text: &'a str,
    /// Of the policy, for a rule that names none.
    zone: Option<&'a Zone>,
}

impl<'a> Value<'a> {
    pub(super) fn new(place: String, text: &'a str, zone: Option<&'a Zone>) -> Value<'a> {
        Value { place, text: text.trim(), zone }
    }

    /// `500`, `"0.50"`.
    pub(super) fn amount(&self) -> Result<Amount, PolicyError> {
        const EXPECTED: &str = "a decimal amount such as `0.05`";
        let text = self.scalar(EXPECTED)?;
        Amount::parse(&text).map_err(|error| self.invalid(&format!("{EXPECTED}, but {error}")))
    }

    /// An amount, or `{"amount":500}`.
    pub(super) fn single_amount(&self) -> Result<Amount, PolicyError> {
        if !self.text.starts_with('{') {
            return self.amount();
        }
        let [amount] = self.members(["amount"], r#"a decimal amount such as `0.05`, or `{"amount":500}`"#)?;
        self.part(".amount", &amount).amount()
    }

    /// `3`, `"3"`.
    pub(super) fn count(&self) -> Result<u32, PolicyError> {
        let expected = format!("a whole number from 0 to {COUNT_MAX}");
        let text = self.scalar(&expected)?;
        let digits = Some(&*text).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        let count = digits.and_then(|digits| digits.parse().ok()).filter(|count| *count <= COUNT_MAX);
        count.ok_or_else(|| self.invalid(&expected))
    }

    /// Whole seconds: `3600`, `"3600"`.
    pub(super) fn seconds(&self) -> Result<Duration, PolicyError> {
        self.count().map(|seconds| Duration::from_secs(u64::from(seconds)))
    }

    /// `{"maxCount":10,"period":"HOUR"}`.
    pub(super) fn velocity(&self) -> Result<(Period, u32), PolicyError> {
        let [max_count, period] = self.members(["maxCount", "period"], r#"`{"maxCount":10,"period":"HOUR"}`"#)?;
        let (max_count, period) = (self.part(".maxCount", &max_count), self.part(".period", &period));
        Ok((period.period()?, max_count.count()?))
    }

    /// `500`, or `{"amount":500,"timezone":"Europe/Berlin"}`.
    pub(super) fn window_limit(&self, period: SpendWindow) -> Result<(CalendarWindow, Amount), PolicyError> {
        if !self.has_parts() {
            return Ok((CalendarWindow::new(period, self.zone), self.amount()?));
        }
        let mut members = self.object(r#"an amount such as `500`, or `{"amount":500,"timezone":"Europe/Berlin"}`"#)?;
        let (amount, zone) = (members.required("amount")?, members.zone()?);
        members.finish()?;
        Ok((CalendarWindow::new(period, zone.as_ref()), amount.amount()?))
    }

    /// `{"amount":50000,"period":"MONTHLY"}`, and the time zone if need be.
    pub(super) fn budget(&self) -> Result<(CalendarWindow, Amount), PolicyError> {
        self.amount_of_period(r#"`{"amount":50000,"period":"MONTHLY"}`"#)
    }

    /// `50` for a total without end, or `{"amount":50,"period":"DAILY"}`, and the time zone if need be.
    pub(super) fn total(&self) -> Result<(ServiceWindow, Amount), PolicyError> {
        if !self.has_parts() {
            return Ok((ServiceWindow::Lifetime, self.amount()?));
        }
        let (window, cap) = self.amount_of_period(r#"an amount such as `50`, or `{"amount":50,"period":"DAILY"}`"#)?;
        Ok((ServiceWindow::Calendar(window), cap))
    }

    /// `{"amount":50,"seconds":3600}`, or `{"amount":50,"period":"HOUR"}`.
    pub(super) fn rolling(&self) -> Result<(Duration, Amount), PolicyError> {
        let mut members = self.object(r#"`{"amount":50,"seconds":3600}` or `{"amount":50,"period":"HOUR"}`"#)?;
        let (amount, period) = (members.required("amount")?, members.optional("period"));
        let length = match period {
            Some(period) => period.period()?.length(),
            None => members.required("seconds")?.span()?,
        };
        members.finish()?;
        Ok((length, amount.amount()?))
    }

    fn span(&self) -> Result<Duration, PolicyError> {
        let length = self.seconds()?;
        if length == Duration::ZERO || length > ROLLING_MAX {
            return Err(self.invalid(&format!("a number of seconds from 1 to {}", ROLLING_MAX.as_secs())));
        }
        Ok(length)
    }

    fn amount_of_period(&self, expected: &str) -> Result<(CalendarWindow, Amount), PolicyError> {
        let mut members = self.object(expected)?;
        let (amount, period) = (members.required("amount")?, members.required("period")?);
        let zone = members.zone()?;
        members.finish()?;
        Ok((CalendarWindow::new(period.calendar_period()?, zone.as_ref()), amount.amount()?))
    }

    /// The time zone of the policy; UTC where it names none.
    pub(super) fn policy_zone(&self) -> Zone {
        self.zone.cloned().unwrap_or_else(Zone::utc)
    }

    fn has_parts(&self) -> bool {
        self.text.starts_with(['{', '['])
    }

    /// Recipients, as [`Value::entries`] reads them.
    pub(super) fn recipients(&self) -> Result<NameSet, PolicyError> {
        self.names(|entry| {
            if entry.contains('*') {
                return Err("a whole address; only services can be named by a wildcard".to_owned());
            }
            Name::recipient(entry).map_err(|error| not_a_name("a recipient's address", error))
        })
    }

    /// Services, as [`Value::entries`] reads them, by domain, by URL or by `*.` and the domain above.
    pub(super) fn services(&self) -> Result<ServiceSet, PolicyError> {
        self.names(|entry| {
            let domain = domain_of_entry(entry)?;
            Name::service(domain).map_err(|error| not_a_name("a service's domain", error))
        })
    }

    /// A list of names, each read by `name`, whose error completes "expected …".
    pub(super) fn names<Set: for<'n> FromIterator<Name<'n>>>(
        &self,
        name: impl for<'n> Fn(&'n str) -> Result<Name<'n>, String>,
    ) -> Result<Set, PolicyError> {
        let entries = self.entries()?;
        let refused = |(index, entry): (usize, &str), expected: String| {
            PolicyError::invalid(format!("{}[{index}]", self.place), entry, expected)
        };
        let read = |(index, entry)| name(entry).map_err(|expected| refused((index, entry), expected));
        entries.iter().map(String::as_str).enumerate().map(read).collect()
    }

    /// A list of anything, each read by `parse`, whose error completes "expected …".
    pub(super) fn collect<T, List: FromIterator<T>>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<List, PolicyError> {
        let entries = self.entries()?;
        let read = |(index, entry): (usize, &String)| {
            parse(entry).map_err(|expected| PolicyError::invalid(format!("{}[{index}]", self.place), entry, expected))
        };
        entries.iter().enumerate().map(read).collect()
    }

    /// The items of a JSON list, whatever they are.
    pub(super) fn items(&self, expected: &str, max: usize) -> Result<Vec<Value<'a>>, PolicyError> {
        let parts: Vec<&'a RawValue> = serde_json::from_str(self.text).map_err(|_| self.invalid(expected))?;
        PolicyError::at_most(&self.place, parts.len(), max, "entries")?;
        Ok(parts.into_iter().enumerate().map(|(index, part)| self.part(&format!("[{index}]"), part)).collect())
    }

    /// Whether it is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        self.text.starts_with('{')
    }

    /// The members of a JSON object, each there once.
    pub(super) fn object(&self, expected: &str) -> Result<Members<'a>, PolicyError> {
        let members: BTreeMap<String, &'a RawValue> =
            serde_json::from_str(self.text).map_err(|_| self.invalid(expected))?;
        if members.len() != member_count(self.text) {
            return Err(self.invalid(&format!("{expected} with each member once")));
        }
        let (place, expected) = (self.place.clone(), expected.to_owned());
        Ok(Members { place, text: self.text, zone: self.zone, expected, members })
    }

    /// A text without parts, without the quotes that JSON puts around it.
    pub(super) fn plain_text(&self, expected: &str) -> Result<Cow<'a, str>, PolicyError> {
        self.scalar(expected)
    }

    /// Where it stands.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// `["a","b"]`, or a plain `a,b` or `a`.
    fn entries(&self) -> Result<Vec<String>, PolicyError> {
        const EXPECTED: &str = r#"a list such as `["a","b"]` (`[]` for an empty one)"#;
        let entries: Vec<String> = if self.text.starts_with('[') {
            let parts: Vec<Box<RawValue>> = serde_json::from_str(self.text).map_err(|_| self.invalid(EXPECTED))?;
            let texts = parts.iter().enumerate().map(|(index, part)| self.part(&format!("[{index}]"), part).text());
            texts.collect::<Result<_, _>>()?
        } else {
            let text = self.scalar(EXPECTED)?;
            if text.is_empty() {
                return Err(self.invalid(EXPECTED));
            }
            text.split(',').map(|entry| entry.trim().to_owned()).collect()
        };
        PolicyError::at_most(&self.place, entries.len(), LIST_ENTRIES_MAX, "entries")?;
        Ok(entries)
    }

    /// An entry of a JSON list.
    fn text(&self) -> Result<String, PolicyError> {
        serde_json::from_str(self.text).map_err(|_| self.invalid("a text in double quotes"))
    }

    fn period(&self) -> Result<Period, PolicyError> {
        const EXPECTED: &str = "`MINUTE`, `HOUR`, `DAY`, `WEEK` or `MONTH`";
        match self.word(EXPECTED)?.as_str() {
            "MINUTE" => Ok(Period::Minute),
            "HOUR" => Ok(Period::Hour),
            "DAY" | "DAILY" => Ok(Period::Day),
            "WEEK" | "WEEKLY" => Ok(Period::Week),
            "MONTH" | "MONTHLY" => Ok(Period::Month),
            _ => Err(self.invalid(EXPECTED)),
        }
    }

    fn calendar_period(&self) -> Result<SpendWindow, PolicyError> {
        const EXPECTED: &str = "`DAY`, `WEEK` or `MONTH`";
        match self.word(EXPECTED)?.as_str() {
            "DAY" | "DAILY" => Ok(SpendWindow::Day),
            "WEEK" | "WEEKLY" => Ok(SpendWindow::Week),
            "MONTH" | "MONTHLY" => Ok(SpendWindow::Month),
            _ => Err(self.invalid(EXPECTED)),
        }
    }

    fn word(&self, expected: &str) -> Result<String, PolicyError> {
        Ok(self.scalar(expected)?.to_ascii_uppercase())
    }

    /// The text without the quotes that JSON puts around it; what has parts is refused.
    fn scalar(&self, expected: &str) -> Result<Cow<'a, str>, PolicyError> {
        match self.text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(self.text).map(Cow::Owned).map_err(|_| self.invalid(expected)),
            Some(b'{' | b'[') => Err(self.invalid(expected)),
            Some(_) | None => Ok(Cow::Borrowed(self.text)),
        }
    }

    /// The members of a JSON object that has exactly these, each once: a member that is not understood, or said twice, is
    /// refused, since the operator meant something by it.
    fn members<const N: usize>(&self, keys: [&str; N], expected: &str) -> Result<[Box<RawValue>; N], PolicyError> {
        let mut members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(self.text).map_err(|_| self.invalid(expected))?;
        if members.len() != member_count(self.text) {
            return Err(self.invalid(&format!("{expected} with each member once")));
        }
        if let Some(unknown) = members.keys().find(|key| !keys.contains(&key.as_str())) {
            return Err(PolicyError::invalid(&self.place, unknown, format!("{expected} without other members")));
        }
        let members: Option<Vec<_>> = keys.into_iter().map(|key| members.remove(key)).collect();
        members.and_then(|members| members.try_into().ok()).ok_or_else(|| self.invalid(expected))
    }

    fn part<'p>(&self, within: &str, part: &'p RawValue) -> Value<'p>
    where
        'a: 'p,
    {
        Value::new(format!("{}{within}", self.place), part.get(), self.zone)
    }

    pub(super) fn invalid(&self, expected: &str) -> PolicyError {
        PolicyError::invalid(&self.place, self.text, expected)
    }

    pub(super) fn unsupported(
        &self,
        word: &str,
        expected: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> PolicyError {
        PolicyError::unsupported(&self.place, word, expected, known)
    }
}

/// The members of a JSON object that nobody has taken yet. All must be: an operator means something by each of them.
pub(super) struct Members<'a> {
    place: String,
    text: &'a str,
    zone: Option<&'a Zone>,
    expected: String,
    members: BTreeMap<String, &'a RawValue>,
}

impl<'a> Members<'a> {
    /// Takes a member that need not be there.
    pub(super) fn optional(&mut self, key: &str) -> Option<Value<'a>> {
        let part = self.members.remove(key)?;
        Some(Value::new(format!("{}.{key}", self.place), part.get(), self.zone))
    }

    /// Takes the time zone; that of the policy where there is none.
    pub(super) fn zone(&mut self) -> Result<Option<Zone>, PolicyError> {
        let Some(name) = self.optional("timezone").or_else(|| self.optional("timeZone")) else {
            return Ok(self.zone.cloned());
        };
        Zone::named(&name.plain_text(ZONE_EXPECTED)?).map(Some).ok_or_else(|| name.invalid(ZONE_EXPECTED))
    }

    /// Takes a member that must be there.
    pub(super) fn required(&mut self, key: &str) -> Result<Value<'a>, PolicyError> {
        self.optional(key).ok_or_else(|| PolicyError::invalid(&self.place, self.text, &*self.expected))
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), PolicyError> {
        match self.members.keys().next() {
            Some(unknown) => {
                Err(PolicyError::invalid(&self.place, unknown, format!("{} without other members", self.expected)))
            }
            None => Ok(()),
        }
    }
}

fn not_a_name(expected: &str, error: NameError) -> String {
    format!("{expected}, but {error}")
}

/// How many members the outermost object of a valid JSON text has, repeated keys included: each has one colon.
fn member_count(json: &str) -> usize {
    let (mut count, mut depth, mut in_text, mut escaped) = (0, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => count += 1,
            _ => {}
        }
    }
    count
}
