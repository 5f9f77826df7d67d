//! How an agent is watched, and how it is frozen: `autoFreezeEnabled`, `freezeConfig` and `alertConfig`, with the names and units of the
//! kernel's table of thresholds.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::kernel::{
    Amount,
    anomaly::{Group, Threshold, Thresholds, Unit, WatchingChange},
    request::Freeze,
};

use super::{Object, Refusal};

/// The longest reason of a freeze, in bytes.
const REASON_BYTES_MAX: usize = 256;
/// Micro-units in a hundredth, of which factors and money are counted.
const HUNDREDTH: u64 = 10_000;
/// Micro-units in a ten-thousandth, of which shares are counted.
const TEN_THOUSANDTH: u64 = 100;

/// The thresholds that freeze an agent.
#[derive(Clone, Debug)]
pub struct FreezeConfig(pub Thresholds);

/// The thresholds that are worth an alert alone.
#[derive(Clone, Debug)]
pub struct AlertConfig(pub Thresholds);

impl Serialize for FreezeConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(&self.0, Group::Freeze, serializer)
    }
}

impl Serialize for AlertConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(&self.0, Group::Alert, serializer)
    }
}

fn write<S: Serializer>(thresholds: &Thresholds, group: Group, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for threshold in Threshold::ALL.into_iter().filter(|threshold| threshold.group() == group) {
        let number = RawValue::from_string(number_of(threshold, thresholds.of(threshold)));
        map.serialize_entry(threshold.word(), &number.map_err(serde::ser::Error::custom)?)?;
    }
    map.end()
}

/// The value of a threshold as people write it.
pub(super) fn number_of(threshold: Threshold, value: u32) -> String {
    match threshold.unit() {
        Unit::Count | Unit::Percent | Unit::Seconds => value.to_string(),
        Unit::Times | Unit::Cents => Amount::from_micros(u64::from(value) * HUNDREDTH).to_string(),
        Unit::Share => Amount::from_micros(u64::from(value) * TEN_THOUSANDTH).to_string(),
    }
}

/// Reads `{autoFreezeEnabled?, freezeConfig?, alertConfig?}`; nothing where none of them is there.
///
/// # Errors
/// A [`Refusal`] that names the first field that is wrong: a threshold that is not known, too, since somebody relies on it.
pub(super) fn watching(object: &Object<'_>) -> Result<Option<Box<WatchingChange>>, Refusal> {
    let auto_freeze = object.flag("autoFreezeEnabled")?;
    let mut thresholds = Vec::new();
    for (name, group) in [("freezeConfig", Group::Freeze), ("alertConfig", Group::Alert)] {
        if let Some(config) = object.object(name)? {
            read(&config, group, &mut thresholds)?;
        }
    }
    let is_change = auto_freeze.is_some() || !thresholds.is_empty();
    Ok(is_change.then(|| Box::new(WatchingChange { auto_freeze, thresholds })))
}

fn read(config: &Object<'_>, group: Group, thresholds: &mut Vec<(Threshold, u32)>) -> Result<(), Refusal> {
    let of_group = || Threshold::ALL.into_iter().filter(|threshold| threshold.group() == group);
    if let Some(unknown) = config.names().find(|name| !of_group().any(|threshold| threshold.word() == *name)) {
        let words: Vec<String> = of_group().map(|threshold| format!("`{}`", threshold.word())).collect();
        return Err(Refusal::invalid(config.place(unknown), "is not known", words.join(", ")));
    }
    for threshold in of_group() {
        if let Some(value) = value(config, threshold)? {
            thresholds.push((threshold, value));
        }
    }
    Ok(())
}

fn value(config: &Object<'_>, threshold: Threshold) -> Result<Option<u32>, Refusal> {
    let name = threshold.word();
    let (places, step) = match threshold.unit() {
        Unit::Count | Unit::Percent | Unit::Seconds => ("a whole number", 1),
        Unit::Times | Unit::Cents => ("a number with at most 2 digits after the point", HUNDREDTH),
        Unit::Share => ("a number with at most 4 digits after the point", TEN_THOUSANDTH),
    };
    let expected = format!("{places}, from 0 to {}", number_of(threshold, threshold.maximum()));
    let raw = if step == 1 { config.whole(name, &expected)? } else { config.amount(name)?.map(Amount::micros) };
    let Some(raw) = raw else { return Ok(None) };
    let value = raw.is_multiple_of(step).then(|| u32::try_from(raw / step).ok()).flatten();
    let value = value.filter(|value| *value <= threshold.maximum());
    value.map(Some).ok_or_else(|| Refusal::invalid(config.place(name), "is out of range", expected))
}

/// A freeze that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeBody {
    reason: String,
    void_holds: bool,
}

/// Freezes an agent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"reason": "paid a stranger", "voidHolds": true}))]
#[expect(dead_code, reason = "describes what `FreezeBody::read` accepts")]
pub struct FreezeRequest {
    /// Why, for people.
    #[schema(max_length = 256)]
    reason: Option<String>,
    /// Whether its open holds are voided.
    void_holds: Option<bool>,
}

impl FreezeBody {
    /// Reads `{reason?, voidHolds?}`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<FreezeBody, Refusal> {
        let reason = object.text("reason")?.unwrap_or_default();
        if reason.len() > REASON_BYTES_MAX {
            let expected = format!("at most {REASON_BYTES_MAX} bytes");
            return Err(Refusal::invalid(object.place("reason"), "is too long", expected));
        }
        Ok(FreezeBody { reason, void_holds: object.flag("voidHolds")?.unwrap_or(false) })
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self) -> Freeze<'_> {
        Freeze { reason: &self.reason, void_holds: self.void_holds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::print;

    fn change(body: &str) -> Result<Option<Box<WatchingChange>>, Refusal> {
        watching(&Object::read(body.as_bytes()).unwrap())
    }

    #[test]
    fn thresholds_are_read_in_their_units() {
        let read = change(
            r#"{"autoFreezeEnabled":true,"freezeConfig":{"maxConsecutiveViolations":3,"spendVelocityMultiplier":2.5,
            "trustScoreThreshold":"0.3"},"alertConfig":{"duplicateMinAmount":0.5,"failedStreak":0}}"#,
        );
        let expected = vec![
            (Threshold::MaxConsecutiveViolations, 3),
            (Threshold::SpendVelocityMultiplier, 250),
            (Threshold::TrustScoreThreshold, 3000),
            (Threshold::DuplicateMinAmount, 50),
            (Threshold::FailedStreak, 0),
        ];
        assert_eq!(read, Ok(Some(Box::new(WatchingChange { auto_freeze: Some(true), thresholds: expected }))));
        assert_eq!(change("{}"), Ok(None));
        assert_eq!(change(r#"{"freezeConfig":{}}"#), Ok(None));
    }

    #[test]
    fn what_is_no_threshold_is_refused() {
        for (body, field) in [
            (r#"{"autoFreezeEnabled":1}"#, "autoFreezeEnabled"),
            (r#"{"freezeConfig":[]}"#, "freezeConfig"),
            (r#"{"freezeConfig":{"failedStreak":1}}"#, "freezeConfig.failedStreak"),
            (r#"{"alertConfig":{"unknown":1}}"#, "alertConfig.unknown"),
            (r#"{"freezeConfig":{"maxConsecutiveFailures":-1}}"#, "freezeConfig.maxConsecutiveFailures"),
            (r#"{"freezeConfig":{"maxConsecutiveFailures":2.5}}"#, "freezeConfig.maxConsecutiveFailures"),
            (r#"{"freezeConfig":{"maxConsecutiveFailures":60001}}"#, "freezeConfig.maxConsecutiveFailures"),
            (r#"{"freezeConfig":{"spendVelocityMultiplier":2.505}}"#, "freezeConfig.spendVelocityMultiplier"),
            (r#"{"freezeConfig":{"trustScoreThreshold":1.0001}}"#, "freezeConfig.trustScoreThreshold"),
            (r#"{"freezeConfig":{"maxDistinctRecipientsPerHour":17}}"#, "freezeConfig.maxDistinctRecipientsPerHour"),
        ] {
            assert_eq!(change(body).unwrap_err().field(), Some(field), "{body}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let printed = format!(
            r#"{{"freezeConfig":{},"alertConfig":{}}}"#,
            print(&FreezeConfig(Thresholds::DEFAULT)),
            print(&AlertConfig(Thresholds::DEFAULT))
        );
        assert!(printed.contains(r#""spendVelocityMultiplier":3.00"#), "{printed}");
        let read = change(&printed).unwrap().unwrap();
        let expected: Vec<_> = Threshold::ALL.into_iter().map(|each| (each, each.default_value())).collect();
        assert_eq!(read.thresholds.len(), expected.len());
        assert!(expected.iter().all(|each| read.thresholds.contains(each)));
    }
}
