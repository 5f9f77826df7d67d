//! From what an operator wrote to a [`Circumstance`].

use super::{
    Circumstance, Condition,
    clock::{Date, Span},
    comparison::Comparison,
    composite,
    condition::fold,
};
use crate::kernel::{
    Fact, Name, Timestamp, Zone,
    counterparty::{Standing, Standings},
    facts::SCORE_MAX,
    policy::{
        NameSet, PolicyError, RuleKind,
        operator::{Meaning, Operator},
        value::{Members, Value},
    },
};

/// The most windows of one blackout.
pub const BLACKOUT_WINDOWS_MAX: usize = 64;

const DAYS: [(&str, &str); 7] = [
    ("MON", "MONDAY"),
    ("TUE", "TUESDAY"),
    ("WED", "WEDNESDAY"),
    ("THU", "THURSDAY"),
    ("FRI", "FRIDAY"),
    ("SAT", "SATURDAY"),
    ("SUN", "SUNDAY"),
];

/// The rule of type `kind` that says this. Of a type that looks at more than the payment, `None`.
pub(in crate::kernel::policy) fn read(
    kind: RuleKind,
    operator: Operator,
    meaning: Meaning,
    value: &Value<'_>,
) -> Result<Option<Circumstance>, PolicyError> {
    let text = |fact| texts(fact, value).map(|names| Condition::Text(fact, names));
    let listed = meaning != Meaning::NoneOf;
    let (must_hold, condition) = match kind {
        RuleKind::TimeWindow => (true, time_window(value)?),
        RuleKind::DayOfWeek => (listed, days(value)?),
        RuleKind::DateRange => (true, date_range(value)?),
        RuleKind::BlackoutPeriod => (false, blackout(value)?),
        RuleKind::Expiration => (true, expiration(value)?),
        RuleKind::AllowedCategories => (true, text(Fact::Category)?),
        RuleKind::BlockedCategories => (false, text(Fact::Category)?),
        RuleKind::GeographicRestriction => (listed, text(Fact::Country)?),
        RuleKind::TrustScore => (true, floor(Fact::TrustScore, meaning, value)?),
        RuleKind::CounterpartyStatus => (listed, standings(value)?),
        RuleKind::FairscaleMinScore => (true, floor(Fact::FairscaleScore, meaning, value)?),
        RuleKind::ContractAllowlist => (true, contracts(value)?),
        RuleKind::MppBlockSessionIntent => (false, text(Fact::SessionIntent)?),
        RuleKind::MppAllowedMethods => (true, text(Fact::Method)?),
        RuleKind::CardAllowedMccs => (true, text(Fact::MerchantCategoryCode)?),
        RuleKind::CardBlockedMccs => (false, text(Fact::MerchantCategoryCode)?),
        RuleKind::CardAllowedMerchants => (true, Condition::Merchant(texts(Fact::Merchant, value)?)),
        RuleKind::CardBlockedMerchants => (false, Condition::Merchant(texts(Fact::Merchant, value)?)),
        RuleKind::Composite => (listed, composite::read(operator, value)?),
        RuleKind::MaxAmount
        | RuleKind::X402MaxPerRequest
        | RuleKind::MppMaxPerRequest
        | RuleKind::X402PriceCeiling
        | RuleKind::MppPriceCeiling
        | RuleKind::CardMaxAmount
        | RuleKind::AllowedCounterparties
        | RuleKind::BlockedCounterparties
        | RuleKind::X402AllowedServices
        | RuleKind::MppAllowedServices
        | RuleKind::X402BlockedServices
        | RuleKind::MppBlockedServices
        | RuleKind::X402SessionBudget
        | RuleKind::MppSessionBudget
        | RuleKind::MppMaxSessionDeposit
        | RuleKind::MppMaxConcurrentSessions
        | RuleKind::MppMaxSessionDuration
        | RuleKind::DailyLimit
        | RuleKind::WeeklyLimit
        | RuleKind::MonthlyLimit
        | RuleKind::RollingLimit
        | RuleKind::BudgetCap
        | RuleKind::X402MaxPerService
        | RuleKind::MppMaxPerService
        | RuleKind::X402MaxPerEndpoint
        | RuleKind::MppMaxPerEndpoint
        | RuleKind::VelocityLimit
        | RuleKind::X402VelocityPerEndpoint
        | RuleKind::MppVelocityPerEndpoint
        | RuleKind::RequireApprovalAbove => return Ok(None),
    };
    Ok(Some(Circumstance { kind, must_hold, condition }))
}

/// Texts of a fact, each checked to be one that the fact can have: an entry that nothing can match would block nothing.
pub(super) fn texts(fact: Fact, value: &Value<'_>) -> Result<NameSet, PolicyError> {
    let expected = match fact {
        Fact::Country => "a country of two letters, ISO 3166-1 alpha-2, such as `DE`",
        Fact::MerchantCategoryCode => "a merchant category code of four digits, such as `5411`",
        Fact::Category
        | Fact::Contract
        | Fact::ContractProtocol
        | Fact::Method
        | Fact::SessionIntent
        | Fact::Merchant
        | Fact::MerchantId
        | Fact::TrustScore
        | Fact::FairscaleScore
        | Fact::CounterpartyStatus
        | Fact::Service
        | Fact::Date => "a text of 1 to 256 bytes without control characters and wildcards",
    };
    let plain = |text: &str| {
        (1..=256).contains(&text.len()) && !text.contains('*') && !text.bytes().any(|byte| byte.is_ascii_control())
    };
    let is_one = |text: &str| match fact {
        Fact::Country => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        Fact::MerchantCategoryCode => text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()),
        Fact::Category
        | Fact::Contract
        | Fact::ContractProtocol
        | Fact::Method
        | Fact::SessionIntent
        | Fact::Merchant
        | Fact::MerchantId
        | Fact::TrustScore
        | Fact::FairscaleScore
        | Fact::CounterpartyStatus
        | Fact::Service
        | Fact::Date => plain(text),
    };
    value.names(|entry| {
        let folded = fold(entry);
        if is_one(&folded) { Ok(Name::canonical(folded.into())) } else { Err(expected.to_owned()) }
    })
}

/// `["TRUSTED","VERIFIED"]`, or `{"status":"TRUSTED"}`.
pub(super) fn standings(value: &Value<'_>) -> Result<Condition, PolicyError> {
    const EXPECTED: &str = "`TRUSTED`, `VERIFIED`, `UNKNOWN` or `BLOCKED`";
    let parse = |entry: &str| Standing::parse(entry.trim()).ok_or_else(|| EXPECTED.to_owned());
    let standings: Standings = if value.is_object() {
        let expected = r#"a list such as `["TRUSTED","VERIFIED"]`, or `{"status":"TRUSTED"}`"#;
        let mut members = value.object(expected)?;
        let status = members.required("status")?;
        members.finish()?;
        status.collect(parse)?
    } else {
        value.collect(parse)?
    };
    Ok(Condition::Standing(standings))
}

/// `["0x…"]`, or `{"contracts":["0x…"],"protocols":["uniswap"]}`.
fn contracts(value: &Value<'_>) -> Result<Condition, PolicyError> {
    if !value.is_object() {
        return Ok(Condition::Contract(value.recipients()?, NameSet::default()));
    }
    let mut members = value.object(r#"a list of contracts, or `{"contracts":["0x…"],"protocols":["uniswap"]}`"#)?;
    let (contracts, protocols) = (members.optional("contracts"), members.optional("protocols"));
    members.finish()?;
    if contracts.is_none() && protocols.is_none() {
        return Err(value.invalid("`contracts`, `protocols` or both"));
    }
    let contracts = contracts.map_or(Ok(NameSet::default()), |contracts| contracts.recipients())?;
    let protocols = protocols.map_or(Ok(NameSet::default()), |protocols| texts(Fact::ContractProtocol, &protocols))?;
    Ok(Condition::Contract(contracts, protocols))
}

fn floor(fact: Fact, meaning: Meaning, value: &Value<'_>) -> Result<Condition, PolicyError> {
    let least = score(fact, value)?;
    let least = if meaning == Meaning::Beyond { least + 1 } else { least };
    Ok(Condition::Score(fact, Comparison::GreaterOrEqual(least)))
}

/// `70` of 100; of a trust score also `0.5` of 1.
pub(super) fn score(fact: Fact, value: &Value<'_>) -> Result<u32, PolicyError> {
    const UNIT: u64 = 1_000_000;
    let expected = "a score from 0 to 100 with at most two digits after the point, or from 0 to 1 with at most four";
    let micros = value.amount()?.micros();
    let of_one = fact == Fact::TrustScore && micros <= UNIT;
    let step = if of_one { UNIT / u64::from(SCORE_MAX) } else { 100 * UNIT / u64::from(SCORE_MAX) };
    let score = u32::try_from(micros / step).ok().filter(|score| *score <= SCORE_MAX && micros % step == 0);
    score.ok_or_else(|| value.invalid(expected))
}

/// `{"start":"09:00","end":"18:00"}`, with a `timezone` where it is not UTC.
pub(super) fn time_window(value: &Value<'_>) -> Result<Condition, PolicyError> {
    let expected =
        r#"`{"start":"09:00","end":"18:00"}`, with a `timezone` such as `Europe/Berlin` where it is not UTC"#;
    let mut members = value.object(expected)?;
    let (start, end) = (members.required("start")?, members.required("end")?);
    let zone = zone(&mut members)?;
    members.finish()?;
    Ok(Condition::Clock(zone, hours(&start, &end)?))
}

/// `["Mon","Tue"]`, or `{"days":["Mon","Tue"],"timezone":"Europe/Berlin"}`.
pub(super) fn days(value: &Value<'_>) -> Result<Condition, PolicyError> {
    let (zone, days): (Zone, Vec<u8>) = if value.is_object() {
        let expected = r#"a list such as `["Mon","Fri"]`, or `{"days":["Mon","Fri"],"timezone":"Europe/Berlin"}`"#;
        let mut members = value.object(expected)?;
        let days = members.required("days")?;
        let zone = zone(&mut members)?;
        members.finish()?;
        (zone, days.collect(day)?)
    } else {
        (value.policy_zone(), value.collect(day)?)
    };
    let bits = days.into_iter().fold(0, |bits: u8, day| bits | 1 << day);
    Ok(Condition::Clock(zone, Span::Days(bits)))
}

fn day(entry: &str) -> Result<u8, String> {
    let word = fold(entry);
    let position = DAYS.iter().position(|(short, long)| word == *short || word == *long);
    let position = position.and_then(|position| u8::try_from(position).ok());
    position.ok_or_else(|| "a day from `Mon` to `Sun`".to_owned())
}

/// `{"start":"2026-07-01","end":"2026-09-30"}`: dates, both included, or moments.
pub(super) fn date_range(value: &Value<'_>) -> Result<Condition, PolicyError> {
    let expected =
        r#"`{"start":"2026-07-01","end":"2026-09-30"}`, with a `timezone` such as `Europe/Berlin` where it is not UTC"#;
    let mut members = value.object(expected)?;
    let (start, end) = (members.required("start")?, members.required("end")?);
    let zone = zone(&mut members)?;
    members.finish()?;
    Ok(Condition::Clock(zone, dates(&start, &end)?))
}

/// `{"start":"2026-04-01","end":"2026-04-02"}`, or `{"windows":[{"start":"02:00","end":"06:00","reason":"backup"}]}`; each with times of the day,
/// dates or moments.
fn blackout(value: &Value<'_>) -> Result<Condition, PolicyError> {
    let expected = r#"`{"windows":[{"start":"02:00","end":"06:00"}]}`, or `{"start":"2026-04-01","end":"2026-04-02"}`"#;
    let mut members = value.object(expected)?;
    let zone = zone(&mut members)?;
    let Some(windows) = members.optional("windows") else {
        let span = gap(&mut members)?;
        members.finish()?;
        return Ok(Condition::Clock(zone, span));
    };
    members.finish()?;
    let windows = windows.items("a list of windows", BLACKOUT_WINDOWS_MAX)?;
    let spans = windows.iter().map(|window| {
        let mut members = window.object(r#"`{"start":"02:00","end":"06:00"}`"#)?;
        let span = gap(&mut members)?;
        members.finish()?;
        Ok(Condition::Clock(zone.clone(), span))
    });
    Ok(Condition::Any(spans.collect::<Result<_, _>>()?))
}

/// One window of a blackout. Its reason is for people.
fn gap(members: &mut Members<'_>) -> Result<Span, PolicyError> {
    let (start, end) = (members.required("start")?, members.required("end")?);
    if let Some(reason) = members.optional("reason") {
        reason.plain_text("a text")?;
    }
    if start.plain_text("a time or a date")?.contains('-') { dates(&start, &end) } else { hours(&start, &end) }
}

/// `"2026-12-31"`: the last day; `"2026-12-31T12:00:00Z"`: the first moment after the permission; or either as `date` with a `timezone`.
fn expiration(value: &Value<'_>) -> Result<Condition, PolicyError> {
    let epoch = (1970, 1, 1);
    let until = |zone: Zone, end: &Value<'_>| {
        let text = end.plain_text(DATE_EXPECTED)?;
        let span = match moment(&text) {
            Some(to) => Span::Moments { from: Timestamp::ZERO, to },
            None => Span::Dates { from: epoch, to: date(end)? },
        };
        Ok(Condition::Clock(zone, span))
    };
    if !value.is_object() {
        return until(value.policy_zone(), value);
    }
    let mut members =
        value.object(r#"a date such as `2026-12-31`, or `{"date":"2026-12-31","timezone":"Europe/Berlin"}`"#)?;
    let end = members.required("date")?;
    let zone = zone(&mut members)?;
    members.finish()?;
    until(zone, &end)
}

fn zone(members: &mut Members<'_>) -> Result<Zone, PolicyError> {
    Ok(members.zone()?.unwrap_or_else(Zone::utc))
}

fn hours(start: &Value<'_>, end: &Value<'_>) -> Result<Span, PolicyError> {
    let (from, to) = (second(start)?, second(end)?);
    if from == to {
        return Err(end.invalid("another time than `start`: all day is no restriction, and no time is `DAILY_LIMIT` 0"));
    }
    Ok(Span::Hours { from, to })
}

/// Seconds since midnight: `09:00`, `09:00:30`, `24:00`.
fn second(value: &Value<'_>) -> Result<u32, PolicyError> {
    const EXPECTED: &str = "a time from `00:00` to `24:00`";
    let text = value.plain_text(EXPECTED)?;
    let mut parts = text.split(':').map(|part| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| digits)
    });
    let mut next = |most: u32, absent: Option<u32>| match parts.next() {
        Some(part) => part.filter(|part| *part <= most),
        None => absent,
    };
    let time = (|| Some((next(24, None)?, next(59, None)?, next(59, Some(0))?)))();
    let second =
        time.map(|(hour, minute, second)| hour * 3600 + minute * 60 + second).filter(|second| *second <= 86_400);
    second.filter(|_| text.len() <= "00:00:00".len()).ok_or_else(|| value.invalid(EXPECTED))
}

const DATE_EXPECTED: &str = "a date such as `2026-12-31`, or a moment such as `2026-12-31T12:00:00Z`";

fn dates(start: &Value<'_>, end: &Value<'_>) -> Result<Span, PolicyError> {
    let (first, last) = (start.plain_text(DATE_EXPECTED)?, end.plain_text(DATE_EXPECTED)?);
    let span = match (moment(&first), moment(&last)) {
        (Some(from), Some(to)) => (from < to).then_some(Span::Moments { from, to }),
        (Some(_), None) => return Err(end.invalid("a moment, as `start` is one")),
        (None, Some(_)) => return Err(start.invalid("a moment, as `end` is one")),
        (None, None) => {
            let (from, to) = (date(start)?, date(end)?);
            (from <= to).then_some(Span::Dates { from, to })
        }
    };
    span.ok_or_else(|| end.invalid("what comes after `start`"))
}

fn date(value: &Value<'_>) -> Result<Date, PolicyError> {
    let text = value.plain_text(DATE_EXPECTED)?;
    let date = Some(&*text).filter(|text| text.len() == "2026-12-31".len());
    let date = date.and_then(|text| jiff::civil::Date::strptime("%Y-%m-%d", text).ok());
    let date = date.ok_or_else(|| value.invalid(DATE_EXPECTED))?;
    Ok((date.year(), date.month().unsigned_abs(), date.day().unsigned_abs()))
}

/// A moment with its offset from UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_microsecond()).ok().map(Timestamp::from_micros)
}
