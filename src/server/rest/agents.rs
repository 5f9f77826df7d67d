//! Agents, as operators keep them.

use std::str::FromStr;

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::AgentHandle,
    kernel::{
        AgentId, AgentIndex, Outcome, Request, ShardId,
        outcome::{AgentView, View},
        request::Query,
    },
    server::{
        identity::Need,
        submit::{self, AskError},
    },
    wire::json::{
        AgentBody, AgentPage, AgentRequest, AgentUpdateRequest, FreezeBody, FreezeRequest, NewAgent, Refusal,
        UpdateAgentBody,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::{Body, Parameters},
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, update))
        .routes(routes!(freeze))
        .routes(routes!(unfreeze))
}

/// Creates an agent.
#[utoipa::path(
    post,
    path = "/api/agents",
    tag = "agents",
    security(("key" = ["agents:write"])),
    params(KeyHeader),
    request_body = AgentRequest,
    responses((status = 201, description = "The agent.", body = AgentBody))
)]
pub(super) async fn create(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::AGENT_CHANGES)?;
    let object = body.object()?;
    let new = NewAgent::read(&object)?;
    let key = key.or_in(&object)?;
    let id = new.id.unwrap_or_else(|| ids::agent(key.as_deref()));
    let shard = state.engine.shard_of(id);
    match caller.change(&state, shard, Request::CreateAgent(new.request(id))).await? {
        Outcome::AgentCreated(index) => {
            let view = look(&state, AgentHandle { shard, index }).await?;
            Ok(Printed::created(&AgentBody::of(&view)))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Shows an agent.
#[utoipa::path(
    get,
    path = "/api/agents/{id}",
    tag = "agents",
    security(("key" = ["agents:read"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    responses((status = 200, description = "The agent as of now.", body = AgentBody))
)]
pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT, id)?;
    Ok(Printed::ok(&AgentBody::of(&look(&state, agent).await?)))
}

/// Changes an agent: its name, its status, its lease, how it is watched.
#[utoipa::path(
    patch,
    path = "/api/agents/{id}",
    tag = "agents",
    security(("key" = ["agents:write"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    request_body = AgentUpdateRequest,
    responses((status = 200, description = "The agent as it is now.", body = AgentBody))
)]
pub(super) async fn update(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT_CHANGES, id)?;
    let asked = UpdateAgentBody::read(&body.object()?)?;
    let view = change(&state, &caller, agent, Request::UpdateAgent(agent.index, asked.request())).await?;
    Ok(Printed::ok(&AgentBody::of(&view)))
}

/// Freezes an agent: it is suspended, and pays nothing until it is unfrozen.
#[utoipa::path(
    post,
    path = "/api/agents/{id}/freeze",
    tag = "agents",
    security(("key" = ["agents:write"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    request_body = Option<FreezeRequest>,
    responses((status = 200, description = "The agent as it is now.", body = AgentBody))
)]
async fn freeze(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT_CHANGES, id)?;
    let asked = FreezeBody::read(&body.optional_object()?)?;
    let view = change(&state, &caller, agent, Request::Freeze(agent.index, asked.request())).await?;
    Ok(Printed::ok(&AgentBody::of(&view)))
}

/// Lets a frozen agent pay again; it is watched anew.
#[utoipa::path(
    post,
    path = "/api/agents/{id}/unfreeze",
    tag = "agents",
    security(("key" = ["agents:write"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    responses((status = 200, description = "The agent as it is now.", body = AgentBody))
)]
async fn unfreeze(State(state): State<RestState>, caller: Caller, Id(id): Id<AgentId>) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT_CHANGES, id)?;
    let view = change(&state, &caller, agent, Request::Unfreeze(agent.index)).await?;
    Ok(Printed::ok(&AgentBody::of(&view)))
}

/// The agent, as of now.
pub(super) async fn look(state: &RestState, agent: AgentHandle) -> Result<AgentView, Rejection> {
    view(state.ask(agent.shard, &Request::Read(Query::Agent(agent.index))).await)
}

/// Changes the agent in the caller's name, and looks at it in the same turn.
pub(super) async fn change(
    state: &RestState,
    caller: &Caller,
    agent: AgentHandle,
    request: Request<'_>,
) -> Result<AgentView, Rejection> {
    let (change, read) = (caller.asks(request), Request::Read(Query::Agent(agent.index)));
    let mut answers = submit::ask_all(&state.engine, &[(agent.shard, &change), (agent.shard, &read)]).await.into_iter();
    match answers.next().unwrap_or(Err(AskError::OutcomeUnknown))? {
        Outcome::Done => view(answers.next().unwrap_or(Err(AskError::OutcomeUnknown))),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn view(answer: Result<Outcome, AskError>) -> Result<AgentView, Rejection> {
    match answer? {
        Outcome::View(View::Agent(view)) => Ok(*view),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Lists agents, a page at a time.
#[utoipa::path(
    get,
    path = "/api/agents",
    tag = "agents",
    security(("key" = ["agents:read"])),
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 999, description = "The most agents of a page; 100 unless said otherwise."), ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before.")),
    responses((status = 200, description = "Some agents, and where the next page begins.", body = AgentPage))
)]
pub(super) async fn list(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    caller.allow(Need::AGENT_LISTS)?;
    let (agents, next_cursor) = some(&state, &parameters).await?;
    Ok(Printed::ok(&AgentPage { agents: agents.iter().map(AgentBody::of).collect(), next_cursor }))
}

/// The agents of a page, and where the next one begins: `limit` and `cursor` are read from the parameters.
pub(super) async fn some(
    state: &RestState,
    parameters: &Parameters,
) -> Result<(Vec<AgentView>, Option<String>), Rejection> {
    let limit = page_size(parameters)?;
    let mut cursor = parameters.text("cursor").map_or(Ok(Cursor::START), str::parse)?;
    let mut agents = Vec::new();
    // One more than the page holds says whether there is another page, and where it begins.
    while cursor.shard.0 < state.engine.shard_count() && agents.len() <= limit {
        let wanted = limit + 1 - agents.len();
        let found = page(state, cursor, wanted).await?;
        agents.extend(found.into_iter().map(|view| (cursor.shard, view)));
        cursor = Cursor { shard: ShardId(cursor.shard.0 + 1), from: AgentIndex(0) };
    }
    let rest = agents.get(limit).map(|(shard, view)| Cursor { shard: *shard, from: view.index }.to_string());
    Ok((agents.into_iter().take(limit).map(|(_, view)| view).collect(), rest))
}

async fn page(state: &RestState, cursor: Cursor, wanted: usize) -> Result<Vec<AgentView>, Rejection> {
    let count = u32::try_from(wanted).unwrap_or(u32::MAX);
    match state.ask(cursor.shard, &Request::Read(Query::Agents { from: cursor.from, count })).await? {
        Outcome::View(View::Agents(views)) => Ok(views),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn page_size(parameters: &Parameters) -> Result<usize, Refusal> {
    let Some(text) = parameters.text("limit") else { return Ok(PAGE_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..PAGE_MAX).contains(limit));
    let expected = format!("a whole number, 1 to {}", PAGE_MAX - 1);
    limit.ok_or_else(|| Refusal::invalid("limit", "is out of range", expected))
}

/// Where a page begins: a shard, and a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    shard: ShardId,
    from: AgentIndex,
}

impl Cursor {
    const START: Cursor = Cursor { shard: ShardId(0), from: AgentIndex(0) };
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.shard.0, self.from.0)
    }
}

impl FromStr for Cursor {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Cursor, Refusal> {
        let parts = text.split_once('-').and_then(|(shard, from)| Some((shard.parse().ok()?, from.parse().ok()?)));
        let (shard, from) = parts
            .ok_or_else(|| Refusal::invalid("cursor", "is not one of ours", "the `nextCursor` of the page before"))?;
        Ok(Cursor { shard: ShardId(shard), from: AgentIndex(from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_print_and_read_back() {
        let cursor = Cursor { shard: ShardId(3), from: AgentIndex(120) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "3", "3-", "-1-2", "99999-1", "3-x"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
