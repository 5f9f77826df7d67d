//! `policies/backtest`: which policy and time, and what it would have decided.

use jiff::Timestamp as Moment;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    backtest::{Example, Money as Judged, Progress, Report, Share},
    kernel::{AgentId, AuthorizationId, Duration, PolicyId, Timestamp, outcome::Violation},
};

use super::{Money, Object, PolicyRequest, Refusal, TriedPolicy, authorize::ViolationBody};

/// The most agents, and the most services, that a report prints: those that would have been denied most.
const ROWS_MAX: usize = 100;
const SINCE_EXPECTED: &str = "how long ago, such as `7d`, `12h` or `30m`, or a moment such as `2026-11-01T00:00:00Z`";

/// A policy, and a time whose payments are judged by it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"policy": {"name": "draft", "rules": [{"ruleType": "DAILY_LIMIT", "operator": "LTE", "value": "5", "action": "DENY"}]}, "since": "7d"}))]
#[expect(dead_code, reason = "describes what `BacktestBody::read` accepts")]
pub struct BacktestRequest {
    /// A draft; it takes the place of the policy that has its `id` during the whole time.
    policy: Option<PolicyRequest>,
    /// In place of `policy`: a stored one, taken as active.
    policy_id: Option<PolicyId>,
    /// How long ago the time begins, such as `7d`, `12h` or `30m`, or the moment. Everything is judged where it is absent.
    #[schema(example = "7d")]
    since: Option<String>,
}

/// A `policies/backtest` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacktestBody {
    /// What they are judged by.
    pub policy: TriedPolicy,
    /// Payments before this moment are taken as they were decided.
    pub since: Timestamp,
}

impl BacktestBody {
    /// Reads `{policy | policyId, since?}`; without `since`, everything is judged. `draft` is the id of a draft that has none.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>, draft: PolicyId, now: Timestamp) -> Result<BacktestBody, Refusal> {
        let policy = TriedPolicy::read(object, draft)?;
        let policy =
            policy.ok_or_else(|| Refusal::invalid(object.place("policy"), "is missing", "`policy` or `policyId`"))?;
        let told = object.text("since")?;
        let since = match &told {
            Some(text) => {
                since(text, now).ok_or_else(|| Refusal::invalid(object.place("since"), "is no time", SINCE_EXPECTED))?
            }
            None => Timestamp::ZERO,
        };
        Ok(BacktestBody { policy, since })
    }
}

/// The moment that a text means: `7d`, `12h`, `30m` or `45s` before `now`, or a moment in RFC 3339. `None` for anything else.
#[must_use]
pub fn since(text: &str, now: Timestamp) -> Option<Timestamp> {
    let ago = text.char_indices().next_back().and_then(|(end, unit)| {
        let seconds = match unit {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let count: u64 = text[..end].parse().ok()?;
        count.checked_mul(seconds)
    });
    match ago {
        Some(seconds) => {
            let micros = Duration::from_secs(seconds).micros();
            Some(Timestamp::from_micros(now.micros().saturating_sub(micros)))
        }
        None => {
            let moment: Moment = text.parse().ok()?;
            u64::try_from(moment.as_microsecond()).ok().map(Timestamp::from_micros)
        }
    }
}

/// One line of the answer: how far it is, and at last what was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum BacktestLine<'a> {
    /// How far it is.
    Progress(BacktestProgress),
    /// What was found; nothing follows.
    Report(Box<BacktestReport>),
    /// Why nothing was found; nothing follows.
    Error(super::refusal::RefusalDetail<'a>),
}

impl BacktestLine<'_> {
    /// How far it is.
    #[must_use]
    pub fn progress(progress: Progress) -> Self {
        BacktestLine::Progress(BacktestProgress {
            records_done: progress.records_done,
            records: progress.records,
            decisions: progress.decisions,
        })
    }

    /// What was found for `policy`.
    #[must_use]
    pub fn report(policy: PolicyId, report: &Report) -> Self {
        BacktestLine::Report(Box::new(BacktestReport::of(policy, report)))
    }
}

/// How far a backtest is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BacktestProgress {
    records_done: u64,
    records: u64,
    decisions: u64,
}

/// What a policy would have decided.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BacktestReport {
    #[schema(value_type = PolicyId)]
    policy_id: String,
    /// When the first payment was decided that was judged.
    #[schema(value_type = Option<Timestamp>)]
    from: Option<String>,
    /// When the last one was.
    #[schema(value_type = Option<Timestamp>)]
    to: Option<String>,
    decisions: BacktestSum,
    /// Would have been denied.
    denied: BacktestSum,
    /// What was really paid of those.
    spent: Money,
    /// Cannot be told.
    unknown: BacktestSum,
    /// Were denied at the time, and are not judged.
    denied_before: BacktestSum,
    by_rule: Vec<BacktestRow>,
    by_agent: Vec<BacktestRow>,
    by_service: Vec<BacktestRow>,
    examples: Vec<BacktestExample>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BacktestSum {
    count: u64,
    amount: Money,
}

#[derive(Debug, Serialize, ToSchema)]
struct BacktestRow {
    /// The code, the agent or the service; `null` for all others together.
    name: Option<String>,
    count: u64,
    amount: Money,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BacktestExample {
    #[schema(value_type = Timestamp)]
    at: String,
    #[schema(value_type = AgentId)]
    agent_id: String,
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    amount: Money,
    recipient_address: String,
    service_domain: String,
    violations: Vec<ViolationBody>,
}

impl BacktestReport {
    fn of(policy: PolicyId, report: &Report) -> BacktestReport {
        let by_rule = report.by_rule.iter().map(|(code, money)| (Some((*code).to_owned()), *money)).collect();
        BacktestReport {
            policy_id: policy.to_string(),
            from: report.span.map(|(from, _)| from.to_string()),
            to: report.span.map(|(_, to)| to.to_string()),
            decisions: BacktestSum::of(report.decisions),
            denied: BacktestSum::of(report.denied),
            spent: Money(report.spent),
            unknown: BacktestSum::of(report.unknown),
            denied_before: BacktestSum::of(report.denied_before),
            by_rule: rows(by_rule, Judged::default()),
            by_agent: share(&report.by_agent),
            by_service: share(&report.by_service),
            examples: report.examples.iter().map(BacktestExample::of).collect(),
        }
    }
}

impl BacktestSum {
    fn of(judged: Judged) -> BacktestSum {
        BacktestSum { count: judged.count, amount: Money(judged.amount) }
    }
}

fn share<K: Ord + ToString>(share: &Share<K>) -> Vec<BacktestRow> {
    rows(share.named.iter().map(|(key, money)| (Some(key.to_string()), *money)).collect(), share.others)
}

/// The largest amounts first; what does not fit is counted with the others.
fn rows(mut all: Vec<(Option<String>, Judged)>, mut others: Judged) -> Vec<BacktestRow> {
    all.sort_by(|one, other| other.1.amount.cmp(&one.1.amount).then_with(|| one.0.cmp(&other.0)));
    for (_, money) in all.drain(ROWS_MAX.min(all.len())..) {
        others.count += money.count;
        others.amount = others.amount.saturating_add(money.amount);
    }
    let rest = (others.count > 0).then_some((None, others));
    let row =
        |(name, money): (Option<String>, Judged)| BacktestRow { name, count: money.count, amount: Money(money.amount) };
    all.into_iter().chain(rest).map(row).collect()
}

impl BacktestExample {
    fn of(example: &Example) -> BacktestExample {
        BacktestExample {
            at: example.at.to_string(),
            agent_id: example.agent.to_string(),
            authorization_id: example.authorization.to_string(),
            amount: Money(example.amount),
            recipient_address: example.recipient.clone(),
            service_domain: example.service.clone(),
            violations: example.violations.iter().map(|violation: &Violation| ViolationBody::of(violation)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_age_or_a_moment() {
        let now = Timestamp::from_micros(1_794_819_600_000_000);
        let ago = |seconds: u64| Some(Timestamp::from_micros(now.micros() - seconds * 1_000_000));
        for (text, expected) in [
            ("7d", ago(7 * 86_400)),
            ("12h", ago(12 * 3600)),
            ("30m", ago(1800)),
            ("45s", ago(45)),
            ("0s", Some(now)),
            ("99999999d", Some(Timestamp::ZERO)),
            ("2026-11-16T09:00:00Z", Some(now)),
            ("2026-11-16T10:00:00+01:00", Some(now)),
            ("1969-01-01T00:00:00Z", None),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("1.5h", None),
            ("1w", None),
            ("99999999999999999999d", None),
            ("é", None),
            ("yesterday", None),
        ] {
            assert_eq!(since(text, now), expected, "{text}");
        }
    }

    #[test]
    fn the_rows_that_are_too_many_are_told_together() {
        let judged = |count: u64| Judged { count, amount: crate::kernel::Amount::from_micros(count) };
        let all = (1..=ROWS_MAX as u64 + 2).map(|count| (Some(count.to_string()), judged(count))).collect();
        let rows = rows(all, judged(5));
        assert_eq!(rows.len(), ROWS_MAX + 1);
        assert_eq!((rows[0].name.as_deref(), rows[0].count), (Some("102"), 102));
        assert_eq!((rows[ROWS_MAX].name.as_deref(), rows[ROWS_MAX].count), (None, 5 + 1 + 2));
    }
}
