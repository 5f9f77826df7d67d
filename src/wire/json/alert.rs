//! Alerts as they are shown, asked for and changed.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentId, AlertId, Amount, ShardId, Timestamp,
    anomaly::{AlertKind, AlertStatus, Severity},
    outcome::{AlertView, Measure},
};

use super::{Money, Object, Refusal, authorize::MeasureBody};

const STATUS_WORDS: [(&str, AlertStatus); 3] =
    [("ACTIVE", AlertStatus::Active), ("ACKNOWLEDGED", AlertStatus::Acknowledged), ("RESOLVED", AlertStatus::Resolved)];
const SEVERITY_WORDS: [(&str, Severity); 3] =
    [("INFO", Severity::Info), ("WARNING", Severity::Warning), ("CRITICAL", Severity::Critical)];

/// The word for a status.
#[must_use]
pub fn alert_status_word(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Active => "ACTIVE",
        AlertStatus::Acknowledged => "ACKNOWLEDGED",
        AlertStatus::Resolved => "RESOLVED",
    }
}

/// The word for a severity.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFO",
        Severity::Warning => "WARNING",
        Severity::Critical => "CRITICAL",
    }
}

/// The status of this word.
///
/// # Errors
/// A [`Refusal`] where there is none.
pub fn alert_status(word: &str) -> Result<AlertStatus, Refusal> {
    of_word("status", word, &STATUS_WORDS, "`ACTIVE`, `ACKNOWLEDGED` or `RESOLVED`")
}

/// The severity of this word.
///
/// # Errors
/// A [`Refusal`] where there is none.
pub fn severity(word: &str) -> Result<Severity, Refusal> {
    of_word("severity", word, &SEVERITY_WORDS, "`INFO`, `WARNING` or `CRITICAL`")
}

/// The kind of this word.
///
/// # Errors
/// A [`Refusal`] where there is none.
pub fn alert_kind(word: &str) -> Result<AlertKind, Refusal> {
    let expected = "a type of alert, such as `PRICE_SPIKE`";
    AlertKind::parse(word).ok_or_else(|| Refusal::invalid("type", "is not known", expected))
}

fn of_word<T: Copy>(field: &str, word: &str, words: &[(&str, T)], expected: &str) -> Result<T, Refusal> {
    let known = words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
    known.ok_or_else(|| Refusal::invalid(field, "is not known", expected))
}

/// What people make of an alert.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"status": "ACKNOWLEDGED"}))]
#[expect(dead_code, reason = "describes what `read_alert_change` accepts")]
pub struct AlertUpdateRequest {
    /// What it becomes.
    #[schema(pattern = "^(ACTIVE|ACKNOWLEDGED|RESOLVED)$")]
    status: String,
}

/// Reads `{status}`.
///
/// # Errors
/// A [`Refusal`] where it is missing or not known.
pub fn read_alert_change(object: &Object<'_>) -> Result<AlertStatus, Refusal> {
    let expected = "`ACTIVE`, `ACKNOWLEDGED` or `RESOLVED`";
    alert_status(&object.required("status", object.text("status")?, expected)?)
}

/// An alert, as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertBody {
    #[schema(value_type = AlertId)]
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    message: String,
    severity: &'static str,
    status: &'static str,
    #[schema(value_type = AgentId)]
    agent_id: String,
    agent: AlertAgent,
    wallet_id: Option<String>,
    wallet: Option<AlertWallet>,
    recipient_address: Option<String>,
    service_domain: Option<String>,
    /// The limit that it is about, in the words of violations.
    limit_type: Option<&'static str>,
    /// Why, in an operator's words.
    reason: Option<String>,
    froze_agent: bool,
    /// How often it was found.
    count: u32,
    #[schema(value_type = Timestamp)]
    created_at: String,
    #[schema(value_type = Timestamp)]
    last_seen_at: String,
    #[schema(value_type = Timestamp)]
    updated_at: String,
    metadata: AlertMetadata,
}

/// Whose alert it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertAgent {
    #[schema(value_type = AgentId)]
    id: String,
    name: String,
}

/// From which wallet was to be paid.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertWallet {
    id: String,
}

/// What was measured, and what it is too much for. The first four are money, of alerts about money.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertMetadata {
    current_spend: Option<Money>,
    limit: Option<Money>,
    /// Whole percent of the limit.
    percentage: Option<u64>,
    remaining_budget: Option<Money>,
    #[schema(value_type = Option<f64>)]
    current: Option<MeasureBody>,
    #[schema(value_type = Option<f64>)]
    threshold: Option<MeasureBody>,
}

/// Some alerts, and where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertPage {
    /// The latest first.
    pub alerts: Vec<AlertBody>,
    /// What to send as `cursor` for the rest; `null` at the end.
    pub next_cursor: Option<String>,
}

impl AlertBody {
    /// What `view` shows of an alert of a shard.
    #[must_use]
    pub fn of(shard: ShardId, view: &AlertView) -> AlertBody {
        let alert = &view.alert;
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AlertBody {
            id: AlertId::new(shard, alert.number).to_string(),
            kind: alert.finding.kind.word(),
            title: title(alert.finding.kind),
            message: message(view),
            severity: severity_word(alert.severity),
            status: alert_status_word(alert.status),
            agent_id: view.agent.to_string(),
            agent: AlertAgent { id: view.agent.to_string(), name: view.agent_name.clone() },
            wallet_id: view.wallet.clone(),
            wallet: view.wallet.clone().map(|id| AlertWallet { id }),
            recipient_address: present(&view.recipient),
            service_domain: present(&view.service),
            limit_type: alert.finding.about.map(|kind| kind.code()),
            reason: present(&alert.reason),
            froze_agent: alert.froze,
            count: alert.finding.count,
            created_at: alert.raised_at.to_string(),
            last_seen_at: alert.last_at.to_string(),
            updated_at: alert.changed_at.max(alert.last_at).to_string(),
            metadata: AlertMetadata::of(view),
        }
    }
}

impl AlertMetadata {
    fn of(view: &AlertView) -> AlertMetadata {
        let (current, limit) = measures(view);
        let shown = |measure| (measure != Measure::None).then(|| MeasureBody::of(measure));
        let both = AlertMetadata { current: shown(current), threshold: shown(limit), ..AlertMetadata::default() };
        let is_trust = measures_trust(view.alert.finding.kind);
        match (current, limit) {
            (Measure::Money(current), Measure::Money(limit)) if !is_trust => AlertMetadata {
                current_spend: Some(Money(current)),
                limit: Some(Money(limit)),
                percentage: percentage(current, limit),
                remaining_budget: Some(Money(limit.saturating_sub(current))),
                ..both
            },
            (Measure::Money(current), _) if !is_trust => AlertMetadata { current_spend: Some(Money(current)), ..both },
            _ => both,
        }
    }
}

/// Whole percent of the limit; nothing of a limit of nothing.
fn percentage(current: Amount, limit: Amount) -> Option<u64> {
    let percent = (u128::from(current.micros()) * 100).checked_div(u128::from(limit.micros()))?;
    Some(u64::try_from(percent).unwrap_or(u64::MAX))
}

fn measures_trust(kind: AlertKind) -> bool {
    matches!(kind, AlertKind::TrustScoreBelowThreshold | AlertKind::TrustScoreDrop)
}

/// What was measured and what it is too much for. A trust is kept in ten-thousandths and shown as a share of one.
fn measures(view: &AlertView) -> (Measure, Measure) {
    let finding = &view.alert.finding;
    let share = |measure| match measure {
        Measure::Count(count) => Measure::Money(Amount::from_micros(count.saturating_mul(100))),
        Measure::Money(_) | Measure::Time(_) | Measure::Score(_) | Measure::Missing(_) | Measure::None => measure,
    };
    if measures_trust(finding.kind) {
        (share(finding.measured), share(finding.limit))
    } else {
        (finding.measured, finding.limit)
    }
}

fn title(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::PriceSpike => "Price spike",
        AlertKind::HighFrequency => "High frequency of calls",
        AlertKind::NewService => "New service",
        AlertKind::SpendLimitWarning => "Spend limit nearly used",
        AlertKind::SpendLimitExceeded => "Spend limit exceeded",
        AlertKind::DuplicatePayment => "Duplicate payment",
        AlertKind::FailedStreak => "Failed payments in a row",
        AlertKind::ConsecutiveViolations => "Policy violations in a row",
        AlertKind::ConsecutiveFailures => "Failed payments in a row",
        AlertKind::SpendVelocity => "Unusual spend in an hour",
        AlertKind::LargeTransactionAnomaly => "Unusually large transaction",
        AlertKind::TrustScoreBelowThreshold => "Low trust in counterparties",
        AlertKind::TrustScoreDrop => "Drop of trust in counterparties",
        AlertKind::RapidCounterpartySwitching => "Many recipients in an hour",
        AlertKind::Manual => "Frozen by an operator",
        AlertKind::UnauthorizedSpend => "Unauthorized spend",
        AlertKind::Overage => "More paid than held",
    }
}

/// What was found, in a sentence.
fn message(view: &AlertView) -> String {
    let text = |measure| match measure {
        Measure::Money(amount) => amount.to_string(),
        Measure::Count(count) => count.to_string(),
        Measure::Time(duration) => format!("{} s", duration.as_secs()),
        Measure::Score(score) => Amount::from_micros(u64::from(score).saturating_mul(10_000)).to_string(),
        Measure::Missing(fact) => fact.field().to_owned(),
        Measure::None => String::new(),
    };
    let (measured, limit) = measures(view);
    let (current, limit) = (text(measured), text(limit));
    let about = view.alert.finding.about.map_or("", |kind| kind.code());
    let service = if view.service.is_empty() { "no service" } else { &view.service };
    let recipient = &view.recipient;
    match view.alert.finding.kind {
        AlertKind::PriceSpike => format!("A call of {service} costs {current}; up to {limit} is usual"),
        AlertKind::HighFrequency => format!("{current} calls in a minute; up to {limit} are usual"),
        AlertKind::NewService => format!("The first payment for {service}"),
        AlertKind::SpendLimitWarning => format!("{current} of {limit} are used of {about}"),
        AlertKind::SpendLimitExceeded => format!("Payments exceed {about}: {current} of {limit} are used"),
        AlertKind::DuplicatePayment => format!("{current} to {recipient} was paid twice in a short time"),
        AlertKind::FailedStreak | AlertKind::ConsecutiveFailures => {
            format!("Nothing came of {current} payments in a row")
        }
        AlertKind::ConsecutiveViolations => format!("{current} payments in a row were denied"),
        AlertKind::SpendVelocity => format!("{current} in an hour; up to {limit} is usual"),
        AlertKind::LargeTransactionAnomaly => format!("A payment of {current}; up to {limit} is usual"),
        AlertKind::TrustScoreBelowThreshold => format!("The mean trust in payees is {current}, below {limit}"),
        AlertKind::TrustScoreDrop => format!("The mean trust in payees of a day is {current}; it was {limit}"),
        AlertKind::RapidCounterpartySwitching => format!("{current} different recipients were paid in an hour"),
        AlertKind::Manual if view.alert.reason.is_empty() => "An operator froze the agent".to_owned(),
        AlertKind::Manual => format!("An operator froze the agent: {}", view.alert.reason),
        AlertKind::UnauthorizedSpend => format!("{current} was paid to {recipient}, which nobody approved"),
        AlertKind::Overage => {
            format!("{current} more was paid than the {limit} that were held, or after the hold was over")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::{
            AgentIndex,
            anomaly::{Alert, AlertNumber, Finding},
            outcome::ViolationKind,
        },
        wire::json::print,
    };

    fn view(kind: AlertKind, measured: Measure, limit: Measure) -> AlertView {
        let finding = Finding { about: Some(ViolationKind::WalletPerDay), ..Finding::new(kind, measured, limit) };
        AlertView {
            alert: Alert {
                number: AlertNumber(7),
                agent: AgentIndex(0),
                finding,
                severity: kind.severity(),
                status: AlertStatus::Active,
                froze: false,
                reason: "".into(),
                raised_at: Timestamp::ZERO,
                last_at: Timestamp::ZERO,
                changed_at: Timestamp::ZERO,
            },
            agent: AgentId(1),
            agent_name: "shopper".to_owned(),
            wallet: Some("wal_1".to_owned()),
            recipient: "0xaa".to_owned(),
            service: "api.example.com".to_owned(),
        }
    }

    #[test]
    fn a_limit_says_how_much_of_it_is_left() {
        let money = |micros| Measure::Money(Amount::from_micros(micros));
        let printed =
            print(&AlertBody::of(ShardId(2), &view(AlertKind::SpendLimitWarning, money(850_000), money(1_000_000))));
        for part in [
            r#""id":"alt_00000000000000000000000200000007""#,
            r#""type":"SPEND_LIMIT_WARNING""#,
            r#""limitType":"DAILY_LIMIT""#,
            r#""metadata":{"currentSpend":0.85,"limit":1.00,"percentage":85,"remainingBudget":0.15,"#,
            r#""message":"0.85 of 1.00 are used of DAILY_LIMIT""#,
            r#""agent":{"id":"agt_00000000000000000000000000000001","name":"shopper"}"#,
        ] {
            assert!(printed.contains(part), "{part} is not in {printed}");
        }
    }

    #[test]
    fn trust_is_shown_as_a_share_and_a_limit_of_nothing_has_no_percentage() {
        let trust = view(AlertKind::TrustScoreBelowThreshold, Measure::Count(1999), Measure::Count(2000));
        let printed = print(&AlertBody::of(ShardId(0), &trust));
        assert!(printed.contains(r#""currentSpend":null"#) && printed.contains(r#""current":0.1999"#), "{printed}");
        let zero = Measure::Money(Amount::ZERO);
        let printed = print(&AlertBody::of(ShardId(0), &view(AlertKind::SpendLimitExceeded, zero, zero)));
        assert!(printed.contains(r#""percentage":null"#), "{printed}");
    }

    #[test]
    fn every_kind_has_words() {
        for &kind in AlertKind::ALL {
            let view = view(kind, Measure::Count(2), Measure::Count(1));
            assert!(!title(kind).is_empty() && !message(&view).is_empty(), "{kind:?}");
        }
        for (word, status) in STATUS_WORDS {
            assert_eq!((alert_status_word(status), alert_status(word)), (word, Ok(status)));
        }
        for (word, known) in SEVERITY_WORDS {
            assert_eq!((severity_word(known), severity(word)), (word, Ok(known)));
        }
        let id = AlertId::new(ShardId(3), AlertNumber(9));
        assert_eq!(id.to_string().parse::<AlertId>().unwrap().place(), Some((ShardId(3), AlertNumber(9))));
        assert_eq!(AlertId(1 << 100).place(), None);
    }
}
