//! Alerts: agents look at their own, operators at all of them, and say what has become of each.

use std::str::FromStr;

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::AgentHandle,
    kernel::{
        AlertId, Outcome, Request, ShardId, Timestamp,
        anomaly::{AlertNumber, AlertStatus},
        outcome::{AlertView, View},
        request::{AlertQuery, Query},
    },
    server::{
        identity::Need,
        submit::{self, AskError},
    },
    wire::json::{
        AlertBody, AlertPage, AlertUpdateRequest, Refusal, alert_kind, alert_status, read_alert_change, severity,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::{Body, Parameters},
    caller::Caller,
    ids::Id,
};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list_own))
        .routes(routes!(list))
        .routes(routes!(show, update))
        .routes(routes!(acknowledge, acknowledge_again))
        .routes(routes!(resolve, resolve_again))
}

/// Lists the agent's own alerts, the latest first.
#[utoipa::path(
    get,
    path = "/api/sdk/alerts",
    tag = "alerts",
    security(("key" = ["alerts:read"])),
    params(
        ("status" = Option<String>, Query, pattern = "^(ACTIVE|ACKNOWLEDGED|RESOLVED)$", description = "Only those in this status."),
        ("severity" = Option<String>, Query, pattern = "^(INFO|WARNING|CRITICAL)$", description = "Only those that matter so much."),
        ("type" = Option<String>, Query, example = "PRICE_SPIKE", description = "Only those of this type."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 999, description = "The most alerts of a page; 100 unless said otherwise."),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before.")
    ),
    responses((status = 200, description = "Some alerts.", body = AlertPage))
)]
async fn list_own(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::ALERTS)?;
    page(&state, Some(agent), &parameters).await
}

/// Lists the alerts of all agents, the latest first.
#[utoipa::path(
    get,
    path = "/api/alerts",
    tag = "alerts",
    security(("key" = ["alerts:read"])),
    params(
        ("status" = Option<String>, Query, pattern = "^(ACTIVE|ACKNOWLEDGED|RESOLVED)$", description = "Only those in this status."),
        ("severity" = Option<String>, Query, pattern = "^(INFO|WARNING|CRITICAL)$", description = "Only those that matter so much."),
        ("type" = Option<String>, Query, example = "PRICE_SPIKE", description = "Only those of this type."),
        ("agentId" = Option<crate::kernel::AgentId>, Query, description = "Only those of this agent."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 999, description = "The most alerts of a page; 100 unless said otherwise."),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before.")
    ),
    responses((status = 200, description = "Some alerts.", body = AlertPage))
)]
async fn list(State(state): State<RestState>, caller: Caller, parameters: Parameters) -> Result<Printed, Rejection> {
    caller.allow(Need::ALERT_LISTS)?;
    let agent = caller.named().map(|id| caller.about(&state, Need::ALERT_LISTS, id)).transpose()?;
    page(&state, agent, &parameters).await
}

/// Shows an alert.
#[utoipa::path(
    get,
    path = "/api/alerts/{id}",
    tag = "alerts",
    security(("key" = ["alerts:read"])),
    params(("id" = AlertId, Path, description = "The alert.")),
    responses((status = 200, description = "The alert as of now.", body = AlertBody))
)]
async fn show(State(state): State<RestState>, caller: Caller, Id(id): Id<AlertId>) -> Result<Printed, Rejection> {
    caller.allow(Need::ALERT_LISTS)?;
    let (shard, number) = place(&state, id)?;
    let view = one(state.ask(shard, &Request::Read(Query::Alert(number))).await)?;
    Ok(Printed::ok(&AlertBody::of(shard, &view)))
}

/// Says what has become of an alert.
#[utoipa::path(
    patch,
    path = "/api/alerts/{id}",
    tag = "alerts",
    security(("key" = ["alerts:write"])),
    params(("id" = AlertId, Path, description = "The alert.")),
    request_body = AlertUpdateRequest,
    responses((status = 200, description = "The alert as it is now.", body = AlertBody))
)]
async fn update(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AlertId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::ALERT_CHANGES)?;
    let status = read_alert_change(&body.object()?)?;
    change(&state, &caller, id, status).await
}

/// Takes care of an alert.
#[utoipa::path(
    post,
    path = "/api/alerts/{id}/acknowledge",
    tag = "alerts",
    security(("key" = ["alerts:write"])),
    params(("id" = AlertId, Path, description = "The alert.")),
    responses((status = 200, description = "The alert as it is now.", body = AlertBody))
)]
async fn acknowledge(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AlertId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::ALERT_CHANGES)?;
    change(&state, &caller, id, AlertStatus::Acknowledged).await
}

/// Takes care of an alert.
#[utoipa::path(
    patch,
    path = "/api/alerts/{id}/acknowledge",
    tag = "alerts",
    security(("key" = ["alerts:write"])),
    params(("id" = AlertId, Path, description = "The alert.")),
    responses((status = 200, description = "The alert as it is now.", body = AlertBody))
)]
async fn acknowledge_again(state: State<RestState>, caller: Caller, id: Id<AlertId>) -> Result<Printed, Rejection> {
    acknowledge(state, caller, id).await
}

/// Is done with an alert.
#[utoipa::path(
    post,
    path = "/api/alerts/{id}/resolve",
    tag = "alerts",
    security(("key" = ["alerts:write"])),
    params(("id" = AlertId, Path, description = "The alert.")),
    responses((status = 200, description = "The alert as it is now.", body = AlertBody))
)]
async fn resolve(State(state): State<RestState>, caller: Caller, Id(id): Id<AlertId>) -> Result<Printed, Rejection> {
    caller.allow(Need::ALERT_CHANGES)?;
    change(&state, &caller, id, AlertStatus::Resolved).await
}

/// Is done with an alert.
#[utoipa::path(
    patch,
    path = "/api/alerts/{id}/resolve",
    tag = "alerts",
    security(("key" = ["alerts:write"])),
    params(("id" = AlertId, Path, description = "The alert.")),
    responses((status = 200, description = "The alert as it is now.", body = AlertBody))
)]
async fn resolve_again(state: State<RestState>, caller: Caller, id: Id<AlertId>) -> Result<Printed, Rejection> {
    resolve(state, caller, id).await
}

/// Changes an alert in the caller's name, and looks at it in the same turn.
async fn change(state: &RestState, caller: &Caller, id: AlertId, status: AlertStatus) -> Result<Printed, Rejection> {
    let (shard, number) = place(state, id)?;
    let change = caller.asks(Request::ChangeAlert(number, status));
    let read = Request::Read(Query::Alert(number));
    let mut answers = submit::ask_all(&state.engine, &[(shard, &change), (shard, &read)]).await.into_iter();
    match answers.next().unwrap_or(Err(AskError::OutcomeUnknown))? {
        Outcome::Done => {
            let view = one(answers.next().unwrap_or(Err(AskError::OutcomeUnknown)))?;
            Ok(Printed::ok(&AlertBody::of(shard, &view)))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

/// A page of the alerts of one agent, or of all.
async fn page(state: &RestState, agent: Option<AgentHandle>, parameters: &Parameters) -> Result<Printed, Rejection> {
    let limit = page_size(parameters)?;
    let cursor = parameters.text("cursor").map(str::parse::<Cursor>).transpose()?;
    let query = AlertQuery {
        status: parameters.text("status").map(alert_status).transpose()?,
        severity: parameters.text("severity").map(severity).transpose()?,
        kind: parameters.text("type").map(alert_kind).transpose()?,
        // One more than the page holds says whether there is another page, and where it begins.
        ..AlertQuery::latest(agent.map(|agent| agent.index), u32::try_from(limit + 1).unwrap_or(u32::MAX))
    };
    let shards: Vec<ShardId> = match agent {
        Some(agent) => vec![agent.shard],
        None => (0..state.engine.shard_count()).map(ShardId).collect(),
    };
    let mut found = everywhere(state, &shards, &query, cursor).await?;
    found.sort_by_key(|(shard, view)| std::cmp::Reverse(Cursor::of(*shard, view)));
    let is_last = found.len() <= limit;
    found.truncate(limit);
    let last = found.last().map(|(shard, view)| Cursor::of(*shard, view).to_string());
    let alerts = found.iter().map(|(shard, view)| AlertBody::of(*shard, view)).collect();
    Ok(Printed::ok(&AlertPage { alerts, next_cursor: last.filter(|_| !is_last) }))
}

/// What the shards have of what is asked for, before the cursor.
async fn everywhere(
    state: &RestState,
    shards: &[ShardId],
    query: &AlertQuery,
    cursor: Option<Cursor>,
) -> Result<Vec<(ShardId, AlertView)>, Rejection> {
    let of_shard = |shard: &ShardId| {
        let before = cursor.map_or(query.before, |cursor| cursor.before_in(*shard));
        Request::Read(Query::Alerts(AlertQuery { before, ..query.clone() }))
    };
    let requests: Vec<Request<'_>> = shards.iter().map(of_shard).collect();
    let asked: Vec<_> = shards.iter().copied().zip(&requests).collect();
    let mut all = Vec::new();
    for (shard, answer) in shards.iter().zip(submit::ask_all(&state.engine, &asked).await) {
        match answer? {
            Outcome::View(View::Alerts(views)) => all.extend(views.into_iter().map(|view| (*shard, view))),
            other => return Err(Rejection::unexpected(&other)),
        }
    }
    Ok(all)
}

/// The shard that keeps an alert.
fn place(state: &RestState, id: AlertId) -> Result<(ShardId, AlertNumber), Rejection> {
    let known = id.place().filter(|(shard, _)| shard.0 < state.engine.shard_count());
    known.ok_or_else(|| Rejection::not_found("no alert has this id"))
}

fn one(answer: Result<Outcome, AskError>) -> Result<AlertView, Rejection> {
    match answer? {
        Outcome::View(View::Alert(view)) => Ok(*view),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn page_size(parameters: &Parameters) -> Result<usize, Refusal> {
    let Some(text) = parameters.text("limit") else { return Ok(PAGE_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..PAGE_MAX).contains(limit));
    let expected = format!("a whole number, 1 to {}", PAGE_MAX - 1);
    limit.ok_or_else(|| Refusal::invalid("limit", "is out of range", expected))
}

/// Where a page ends: the next one has what was raised before, and at the same moment in a lower shard or with a lower number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    raised_at: Timestamp,
    shard: ShardId,
    number: AlertNumber,
}

impl Cursor {
    fn of(shard: ShardId, view: &AlertView) -> Cursor {
        Cursor { raised_at: view.alert.raised_at, shard, number: view.alert.number }
    }

    /// What it means in a shard.
    fn before_in(self, shard: ShardId) -> (Timestamp, AlertNumber) {
        let number = match shard.cmp(&self.shard) {
            std::cmp::Ordering::Less => AlertNumber(u32::MAX),
            std::cmp::Ordering::Equal => self.number,
            std::cmp::Ordering::Greater => AlertNumber(0),
        };
        (self.raised_at, number)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.raised_at.micros(), self.shard.0, self.number.0)
    }
}

impl FromStr for Cursor {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Cursor, Refusal> {
        let read = || {
            let (raised_at, rest) = text.split_once('-')?;
            let (shard, number) = rest.split_once('-')?;
            let (raised_at, shard) = (Timestamp::from_micros(raised_at.parse().ok()?), ShardId(shard.parse().ok()?));
            Some(Cursor { raised_at, shard, number: AlertNumber(number.parse().ok()?) })
        };
        read().ok_or_else(|| Refusal::invalid("cursor", "is not one of ours", "the `nextCursor` of the page before"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_print_and_read_back_and_say_what_is_before_them() {
        let cursor = Cursor { raised_at: Timestamp::from_micros(70), shard: ShardId(3), number: AlertNumber(12) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "70", "70-3", "70-3-", "-1-3-2", "70-99999-1", "70-3-x"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
        for (shard, number) in [(2, u32::MAX), (3, 12), (4, 0)] {
            assert_eq!(cursor.before_in(ShardId(shard)), (Timestamp::from_micros(70), AlertNumber(number)));
        }
    }
}
