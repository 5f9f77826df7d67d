//! Payments that wait for people: operators decide, agents look.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::{AgentHandle, EngineError},
    kernel::{
        ApprovalRequestId, Failure, Outcome, Request,
        outcome::{ApprovalRequestView, View},
        request::Query,
    },
    server::{identity::Need, submit::AskError},
    wire::json::{
        ApprovalDecisionBody, ApprovalDecisionRequest, ApprovalPage, ApprovalRequestBody, Refusal, approval_status,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::{Body, Parameters},
    caller::Caller,
    ids::Id,
};

const PAGE_DEFAULT: usize = 50;
/// The most requests that a page reaches back, its offset included.
const REACH_MAX: usize = 1000;

/// What agents ask, below their path.
pub(super) fn routes_of_agents() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(list_own)).routes(routes!(show_own))
}

/// What operators ask, below their path.
pub(super) fn routes_of_operators() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, decide, decide_again))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// Shows the agent's payments that people were asked about, newest first.
#[utoipa::path(
    get,
    path = "/",
    tag = "approvals",
    security(("key" = ["transactions:read"])),
    params(
        ("type" = Option<String>, Query, pattern = "^payment$", description = "What people are asked about: `payment`."),
        ("status" = Option<String>, Query, pattern = "^(PENDING|APPROVED|REJECTED|EXPIRED|WITHDRAWN|BYPASSED)$", description = "Only those in this status."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most requests of a page; 50 unless said otherwise."),
        ("offset" = Option<u32>, Query, maximum = 999, description = "How many to leave out first; with `limit` at most 1000.")
    ),
    responses((status = 200, description = "Some requests.", body = ApprovalPage))
)]
async fn list_own(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::TRANSACTIONS)?;
    page(of_agent(&state, agent, &parameters).await?, &parameters)
}

/// Shows one of the agent's payments that people were asked about.
#[utoipa::path(
    get,
    path = "/{id}",
    tag = "approvals",
    security(("key" = ["transactions:read"])),
    params(("id" = ApprovalRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request as of now.", body = ApprovalRequestBody))
)]
async fn show_own(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<ApprovalRequestId>,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::TRANSACTIONS)?;
    let found = views(state.ask(agent.shard, &Request::Read(Query::ApprovalRequest(id))).await)?;
    let own = caller.agent_id()?;
    let view = found.into_iter().find(|view| view.agent == own).ok_or_else(unknown)?;
    Ok(Printed::ok(&ApprovalRequestBody::of(&view)))
}

/// Lists the payments of all agents that people were asked about, newest first.
#[utoipa::path(
    get,
    path = "/",
    tag = "approvals",
    security(("key" = ["payments:approve"])),
    params(
        ("type" = Option<String>, Query, pattern = "^payment$", description = "What people are asked about: `payment`."),
        ("status" = Option<String>, Query, pattern = "^(PENDING|APPROVED|REJECTED|EXPIRED|WITHDRAWN|BYPASSED)$", description = "Only those in this status."),
        ("agentId" = Option<crate::kernel::AgentId>, Query, description = "Only those of this agent."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most requests of a page; 50 unless said otherwise."),
        ("offset" = Option<u32>, Query, maximum = 999, description = "How many to leave out first; with `limit` at most 1000.")
    ),
    responses((status = 200, description = "Some requests.", body = ApprovalPage))
)]
async fn list(State(state): State<RestState>, caller: Caller, parameters: Parameters) -> Result<Printed, Rejection> {
    caller.allow(Need::APPROVAL_LISTS)?;
    if caller.named().is_some() {
        let agent = caller.agent(&state, Need::APPROVAL_LISTS)?;
        return page(of_agent(&state, agent, &parameters).await?, &parameters);
    }
    let asked = Asked::read(&parameters)?;
    let request = Request::Read(Query::LatestApprovalRequests(None, asked.status, asked.count()));
    let mut found = Vec::new();
    for answer in state.ask_every_shard(&request).await {
        found.extend(views(answer)?);
    }
    page(found, &parameters)
}

/// Shows a payment of any agent that people were asked about.
#[utoipa::path(
    get,
    path = "/{id}",
    tag = "approvals",
    security(("key" = ["payments:approve"])),
    params(("id" = ApprovalRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request as of now.", body = ApprovalRequestBody))
)]
async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<ApprovalRequestId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::APPROVAL_LISTS)?;
    Ok(Printed::ok(&ApprovalRequestBody::of(&find(&state, id).await?)))
}

/// Approves or rejects a payment that waits.
///
/// Every approver counts once, and one rejection ends it. The caller may pay from the last approval on, for the whole time of its hold.
#[utoipa::path(
    post,
    path = "/{id}",
    tag = "approvals",
    security(("key" = ["payments:approve"])),
    params(("id" = ApprovalRequestId, Path, description = "The request.")),
    request_body = ApprovalDecisionRequest,
    responses((status = 200, description = "The request as it is now.", body = ApprovalRequestBody))
)]
async fn decide(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<ApprovalRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::APPROVAL_DECISIONS)?;
    decided(&state, &caller, id, &ApprovalDecisionBody::read(&body.object()?)?).await
}

/// Approves or rejects a payment that waits.
#[utoipa::path(
    patch,
    path = "/{id}",
    tag = "approvals",
    security(("key" = ["payments:approve"])),
    params(("id" = ApprovalRequestId, Path, description = "The request.")),
    request_body = ApprovalDecisionRequest,
    responses((status = 200, description = "The request as it is now.", body = ApprovalRequestBody))
)]
async fn decide_again(
    state: State<RestState>,
    caller: Caller,
    id: Id<ApprovalRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    decide(state, caller, id, body).await
}

/// Approves a payment that waits.
#[utoipa::path(
    post,
    path = "/{id}/approve",
    tag = "approvals",
    security(("key" = ["payments:approve"])),
    params(("id" = ApprovalRequestId, Path, description = "The request.")),
    request_body = Option<ApprovalDecisionRequest>,
    responses((status = 200, description = "The request as it is now.", body = ApprovalRequestBody))
)]
async fn approve(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<ApprovalRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::APPROVAL_DECISIONS)?;
    decided(&state, &caller, id, &ApprovalDecisionBody::of(&body.optional_object()?, true)?).await
}

/// Rejects a payment that waits.
#[utoipa::path(
    post,
    path = "/{id}/reject",
    tag = "approvals",
    security(("key" = ["payments:approve"])),
    params(("id" = ApprovalRequestId, Path, description = "The request.")),
    request_body = Option<ApprovalDecisionRequest>,
    responses((status = 200, description = "The request as it is now.", body = ApprovalRequestBody))
)]
async fn reject(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<ApprovalRequestId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::APPROVAL_DECISIONS)?;
    decided(&state, &caller, id, &ApprovalDecisionBody::of(&body.optional_object()?, false)?).await
}

async fn decided(
    state: &RestState,
    caller: &Caller,
    id: ApprovalRequestId,
    decision: &ApprovalDecisionBody,
) -> Result<Printed, Rejection> {
    let view = find(state, id).await?;
    let AgentHandle { shard, index } = caller.about(state, Need::APPROVAL_DECISIONS, view.agent)?;
    let decision = decision.request(view.authorization, caller.credential.source().id);
    match caller.change(state, shard, Request::DecideApproval(index, decision)).await? {
        Outcome::ApprovalRequest(view) => Ok(Printed::ok(&ApprovalRequestBody::of(&view))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// What a list asks for.
struct Asked {
    status: Option<crate::kernel::outcome::ApprovalStatus>,
    offset: usize,
    limit: usize,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Asked, Refusal> {
        if parameters.text("type").is_some_and(|kind| kind != "payment") {
            return Err(Refusal::invalid("type", "is not known", "`payment`"));
        }
        let status = parameters.text("status").map(approval_status).transpose()?;
        let (offset, limit) = parameters.page(PAGE_DEFAULT, REACH_MAX)?;
        Ok(Asked { status, offset, limit })
    }

    fn count(&self) -> u32 {
        u32::try_from(self.offset + self.limit).unwrap_or(u32::MAX)
    }
}

async fn of_agent(
    state: &RestState,
    agent: AgentHandle,
    parameters: &Parameters,
) -> Result<Vec<ApprovalRequestView>, Rejection> {
    let asked = Asked::read(parameters)?;
    let query = Query::LatestApprovalRequests(Some(agent.index), asked.status, asked.count());
    views(state.ask(agent.shard, &Request::Read(query)).await)
}

fn page(mut found: Vec<ApprovalRequestView>, parameters: &Parameters) -> Result<Printed, Rejection> {
    let asked = Asked::read(parameters)?;
    found.sort_by_key(|view| std::cmp::Reverse((view.created_at, view.id)));
    let page: Vec<ApprovalRequestView> = found.into_iter().skip(asked.offset).take(asked.limit).collect();
    Ok(Printed::ok(&ApprovalPage::of(&page)))
}

/// The request of this id, which follows from its agent and its hold, so that there is one.
async fn find(state: &RestState, id: ApprovalRequestId) -> Result<ApprovalRequestView, Rejection> {
    for answer in state.ask_every_shard(&Request::Read(Query::ApprovalRequest(id))).await {
        match answer {
            Err(AskError::Engine(EngineError::Failure(Failure::UnknownApprovalRequest))) => {}
            answer => return views(answer)?.into_iter().next().ok_or_else(unknown),
        }
    }
    Err(unknown())
}

fn views(answer: Result<Outcome, AskError>) -> Result<Vec<ApprovalRequestView>, Rejection> {
    match answer? {
        Outcome::View(View::ApprovalRequests(views)) => Ok(views),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn unknown() -> Rejection {
    Rejection::not_found("no approval request has this id")
}
