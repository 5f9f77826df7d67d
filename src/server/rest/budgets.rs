//! Budget requests: agents ask and look, operators decide.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::AgentHandle,
    kernel::{
        BudgetRequestId, Outcome, Request,
        outcome::{BudgetRequestView, View},
        request::{DecideBudget, Query},
    },
    server::{identity::Need, submit::AskError},
    wire::json::{
        BudgetDecisionBody, BudgetDecisionRequest, BudgetPage, BudgetRequestBody, BudgetRequestRequest,
        NewBudgetRequest, Refusal, budget_status,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::{Body, Parameters},
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

const PAGE_DEFAULT: usize = 50;
/// The most requests that a page reaches back, its offset included.
const REACH_MAX: usize = 1000;

/// What agents ask, below either path.
pub(super) fn routes_of_agents() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(create, list_own)).routes(routes!(show_own))
}

/// What operators ask, below their path.
pub(super) fn routes_of_operators() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, decide, decide_again))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// Asks for a budget that a person must approve.
///
/// One request of an agent may be waiting or approved at a time.
#[utoipa::path(
    post,
    path = "/",
    tag = "budgets",
    security(("key" = ["payments:request"])),
    params(KeyHeader),
    request_body = BudgetRequestRequest,
    responses((status = 201, description = "The request.", body = BudgetRequestBody))
)]
async fn create(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::BUDGET_REQUESTS)?;
    let object = body.object()?;
    let new = NewBudgetRequest::read(&object)?;
    let key = key.or_in(&object)?;
    let id = ids::budget_request(caller.agent_id()?, key.as_deref());
    let asked = caller.asks_for_agent(Request::RequestBudget(agent.index, new.request(id)));
    told(state.ask(agent.shard, &asked).await).map(|body| Printed::created(&body))
}

/// Shows the agent's budget requests, newest first.
#[utoipa::path(
    get,
    path = "/",
    tag = "budgets",
    security(("key" = ["policies:read"])),
    params(
        ("id" = Option<BudgetRequestId>, Query, description = "Only this one."),
        ("status" = Option<String>, Query, pattern = "^(PENDING|APPROVED|REJECTED|EXPIRED|EXHAUSTED)$", description = "Only those in this status.")
    ),
    responses((status = 200, description = "The latest requests.", body = BudgetPage))
)]
async fn list_own(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::BUDGET)?;
    let id = parameters.text("id").map(parse_id).transpose()?;
    let status = parameters.text("status").map(budget_status).transpose()?;
    let query = Query::BudgetRequests(agent.index, id, status);
    Ok(Printed::ok(&BudgetPage::of(views(state.ask(agent.shard, &Request::Read(query)).await)?)))
}

/// Shows one of the agent's budget requests.
#[utoipa::path(
    get,
    path = "/{id}",
    tag = "budgets",
    security(("key" = ["policies:read"])),
    params(("id" = BudgetRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request as of now.", body = BudgetRequestBody))
)]
async fn show_own(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<BudgetRequestId>,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::BUDGET)?;
    let query = Request::Read(Query::BudgetRequests(agent.index, Some(id), None));
    only(views(state.ask(agent.shard, &query).await)?).map(|view| Printed::ok(&BudgetRequestBody::of(view)))
}

/// Lists the budget requests of all agents, newest first.
#[utoipa::path(
    get,
    path = "/",
    tag = "budgets",
    security(("key" = ["payments:approve"])),
    params(
        ("status" = Option<String>, Query, pattern = "^(PENDING|APPROVED|REJECTED|EXPIRED|EXHAUSTED)$", description = "Only those in this status."),
        ("agentId" = Option<crate::kernel::AgentId>, Query, description = "Only those of this agent."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most requests of a page; 50 unless said otherwise."),
        ("offset" = Option<u32>, Query, maximum = 999, description = "How many to leave out first; with `limit` at most 1000.")
    ),
    responses((status = 200, description = "Some requests.", body = BudgetPage))
)]
async fn list(State(state): State<RestState>, caller: Caller, parameters: Parameters) -> Result<Printed, Rejection> {
    caller.allow(Need::BUDGET_REQUEST_LISTS)?;
    let status = parameters.text("status").map(budget_status).transpose()?;
    let (offset, limit) = parameters.page(PAGE_DEFAULT, REACH_MAX)?;
    let mut found = match caller.named() {
        Some(_) => {
            let agent = caller.agent(&state, Need::BUDGET_REQUEST_LISTS)?;
            let query = Request::Read(Query::BudgetRequests(agent.index, None, status));
            views(state.ask(agent.shard, &query).await)?
        }
        None => {
            let count = u32::try_from(offset + limit).unwrap_or(u32::MAX);
            everywhere(&state, Query::LatestBudgetRequests(status, count)).await?
        }
    };
    found.sort_by_key(|view| std::cmp::Reverse((view.created_at, view.id)));
    Ok(Printed::ok(&BudgetPage::of(found.into_iter().skip(offset).take(limit).collect())))
}

/// Shows a budget request of any agent.
#[utoipa::path(
    get,
    path = "/{id}",
    tag = "budgets",
    security(("key" = ["payments:approve"])),
    params(("id" = BudgetRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request as of now.", body = BudgetRequestBody))
)]
async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<BudgetRequestId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::BUDGET_REQUEST_LISTS)?;
    Ok(Printed::ok(&BudgetRequestBody::of(find(&state, &caller, id).await?)))
}

/// Approves or rejects a budget request.
#[utoipa::path(
    post,
    path = "/{id}",
    tag = "budgets",
    security(("key" = ["payments:approve"])),
    params(("id" = BudgetRequestId, Path, description = "The request.")),
    request_body = BudgetDecisionRequest,
    responses((status = 200, description = "The request as it is now.", body = BudgetRequestBody))
)]
async fn decide(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<BudgetRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::BUDGET_DECISIONS)?;
    let decision = BudgetDecisionBody::read(&body.object()?)?;
    decided(&state, &caller, decision.request(id)).await
}

/// Approves or rejects a budget request.
#[utoipa::path(
    patch,
    path = "/{id}",
    tag = "budgets",
    security(("key" = ["payments:approve"])),
    params(("id" = BudgetRequestId, Path, description = "The request.")),
    request_body = BudgetDecisionRequest,
    responses((status = 200, description = "The request as it is now.", body = BudgetRequestBody))
)]
async fn decide_again(
    state: State<RestState>,
    caller: Caller,
    id: Id<BudgetRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    decide(state, caller, id, body).await
}

/// Approves a budget request.
#[utoipa::path(
    post,
    path = "/{id}/approve",
    tag = "budgets",
    security(("key" = ["payments:approve"])),
    params(("id" = BudgetRequestId, Path, description = "The request.")),
    request_body = Option<BudgetDecisionRequest>,
    responses((status = 200, description = "The request as it is now.", body = BudgetRequestBody))
)]
async fn approve(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<BudgetRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::BUDGET_DECISIONS)?;
    let decision = BudgetDecisionBody::of(&body.optional_object()?, true)?;
    decided(&state, &caller, decision.request(id)).await
}

/// Rejects a budget request.
#[utoipa::path(
    post,
    path = "/{id}/reject",
    tag = "budgets",
    security(("key" = ["payments:approve"])),
    params(("id" = BudgetRequestId, Path, description = "The request.")),
    request_body = Option<BudgetDecisionRequest>,
    responses((status = 200, description = "The request as it is now.", body = BudgetRequestBody))
)]
async fn reject(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<BudgetRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::BUDGET_DECISIONS)?;
    let decision = BudgetDecisionBody::of(&body.optional_object()?, false)?;
    decided(&state, &caller, decision.request(id)).await
}

async fn decided(state: &RestState, caller: &Caller, decision: DecideBudget<'_>) -> Result<Printed, Rejection> {
    let agent = find(state, caller, decision.id).await?.agent;
    let AgentHandle { shard, index } = caller.about(state, Need::BUDGET_DECISIONS, agent)?;
    let answer = caller.change(state, shard, Request::DecideBudget(index, decision)).await;
    told(answer).map(|body| Printed::ok(&body))
}

/// The request of this id. Clients choose the ids, so where several agents have one of it, the caller must say whose is meant.
async fn find(state: &RestState, caller: &Caller, id: BudgetRequestId) -> Result<BudgetRequestView, Rejection> {
    let mut found = everywhere(state, Query::FindBudgetRequests(id)).await?;
    if let Some(agent) = caller.named() {
        found.retain(|view| view.agent == agent);
    }
    if found.len() > 1 {
        let expected = "the agent whose request is meant: several have one of this id";
        return Err(Refusal::invalid("agentId", "is missing", expected).into());
    }
    only(found)
}

/// What the shards have, all together.
async fn everywhere(state: &RestState, query: Query<'_>) -> Result<Vec<BudgetRequestView>, Rejection> {
    let mut all = Vec::new();
    for answer in state.ask_every_shard(&Request::Read(query)).await {
        all.extend(views(answer)?);
    }
    Ok(all)
}

fn only(views: Vec<BudgetRequestView>) -> Result<BudgetRequestView, Rejection> {
    views.into_iter().next().ok_or_else(|| Rejection::not_found("no budget request has this id"))
}

fn views(answer: Result<Outcome, AskError>) -> Result<Vec<BudgetRequestView>, Rejection> {
    match answer? {
        Outcome::View(View::BudgetRequests(views)) => Ok(views),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn told(answer: Result<Outcome, AskError>) -> Result<BudgetRequestBody, Rejection> {
    match answer? {
        Outcome::BudgetRequest(view) => Ok(BudgetRequestBody::of(*view)),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn parse_id(text: &str) -> Result<BudgetRequestId, Refusal> {
    text.parse().map_err(|_| {
        Refusal::invalid("id", "is not the id of a budget request", "`bud_` followed by 32 hexadecimal digits")
    })
}
