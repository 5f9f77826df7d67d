//! The policy of the load test as constants of the script: what a gateway compiles, a user of Redis writes into the script.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use holdfast::kernel::{Amount, policy::RuleKind};
use serde_json::Value;

use crate::error::LoadError;

/// As in the gateway: an implicit session is over after so long without a request,
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// and a hold is kept so long after its end.
const GRACE: Duration = Duration::from_secs(30);

/// Caps on sums and counts, in the order of the policy's rules.
const CAPS: [(RuleKind, &str); 9] = [
    (RuleKind::MaxAmount, "max_amount"),
    (RuleKind::X402MaxPerRequest, "max_per_request"),
    (RuleKind::X402PriceCeiling, "price_ceiling"),
    (RuleKind::X402SessionBudget, "session_budget"),
    (RuleKind::DailyLimit, "daily"),
    (RuleKind::WeeklyLimit, "weekly"),
    (RuleKind::MonthlyLimit, "monthly"),
    (RuleKind::X402MaxPerService, "service_daily"),
    (RuleKind::VelocityLimit, "calls_hourly"),
];
/// Lists of names.
const LISTS: [(RuleKind, &str); 4] = [
    (RuleKind::AllowedCounterparties, "allowed"),
    (RuleKind::BlockedCounterparties, "blocked"),
    (RuleKind::X402AllowedServices, "allowed_services"),
    (RuleKind::X402BlockedServices, "blocked_services"),
];

/// The rules that concern payments over x402; the scripts are asked for no others.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// By the names of the script.
    pub(super) numbers: BTreeMap<&'static str, u64>,
    lists: BTreeMap<&'static str, Vec<String>>,
}

impl Policy {
    /// The rules of a policy as it is written for a gateway. All that the script looks at must be there.
    pub(super) fn read(policy: &Value) -> Result<Policy, LoadError> {
        let rule = |kind: RuleKind| {
            let mut rules = policy["rules"].as_array().into_iter().flatten();
            rules.find(|rule| rule["ruleType"] == kind.rule_type()).map(|rule| &rule["value"])
        };
        let mut numbers =
            BTreeMap::from([("session_idle", milliseconds(SESSION_IDLE)), ("grace", milliseconds(GRACE))]);
        for (kind, name) in CAPS {
            numbers.insert(name, rule(kind).and_then(cap).ok_or_else(|| unusable(kind))?);
        }
        let mut lists = BTreeMap::new();
        for (kind, name) in LISTS {
            lists.insert(name, rule(kind).and_then(names).ok_or_else(|| unusable(kind))?);
        }
        Ok(Policy { numbers, lists })
    }

    /// `script` with the constants before it.
    pub(super) fn and(&self, script: &str) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        for (name, number) in &self.numbers {
            let _ = writeln!(text, "local {name} = {number}");
        }
        for (name, list) in &self.lists {
            let entries: Vec<String> = list.iter().map(|entry| format!("['{entry}'] = true")).collect();
            let _ = writeln!(text, "local {name} = {{ {} }}", entries.join(", "));
        }
        text + script
    }
}

/// Money in micro-units, or a count.
fn cap(value: &Value) -> Option<u64> {
    match value {
        Value::Object(fields) => match fields.get("maxCount") {
            Some(count) => count.as_u64(),
            None => cap(fields.get("amount")?),
        },
        Value::String(text) => Some(Amount::parse(text).ok()?.micros()),
        Value::Number(number) => Some(Amount::parse(&number.to_string()).ok()?.micros()),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// Names that mean themselves in a script, too.
fn names(value: &Value) -> Option<Vec<String>> {
    let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:/".contains(c));
    value.as_array()?.iter().map(|name| name.as_str().filter(plain).map(str::to_owned)).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unusable(kind: RuleKind) -> LoadError {
    LoadError::Redis(format!("the policy has no rule {} that its script understands", kind.rule_type()))
}
