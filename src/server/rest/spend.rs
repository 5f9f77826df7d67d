//! What was spent where, for an agent and for operators. Answered from the read models: no shard is asked.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::AgentHandle,
    kernel::AgentId,
    query::{DecisionCount, ServiceSpend},
    server::identity::Need,
    wire::json::{SERVICES_PAGE_DEFAULT, SERVICES_PAGE_MAX, SpendFilter, SpendServicesBody, SpendSummaryBody},
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Parameters,
    caller::Caller,
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(services))
        .routes(routes!(summary_of_all))
        .routes(routes!(services_of_all))
}

/// Sums up what the agent spent, and how its payments were decided.
#[utoipa::path(
    get,
    path = "/api/sdk/service-spend/summary",
    tag = "spend",
    security(("key" = ["analytics:read"])),
    params(
        ("period" = Option<String>, Query, description = "`24h`, `7d`, `30d` (unless said otherwise) or `all`."),
        ("protocol" = Option<String>, Query, description = "`all` (unless said otherwise), `x402`, `mpp`, `payment` or `card`.")
    ),
    responses((status = 200, description = "The sums.", body = SpendSummaryBody))
)]
pub(super) async fn summary(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::ANALYTICS)?;
    summed_up(&state, &parameters, Some(agent)).await
}

/// Lists the services that the agent used, the dearest first.
#[utoipa::path(
    get,
    path = "/api/sdk/service-spend/services",
    tag = "spend",
    security(("key" = ["analytics:read"])),
    params(
        ("period" = Option<String>, Query, description = "`24h`, `7d`, `30d` (unless said otherwise) or `all`."),
        ("protocol" = Option<String>, Query, description = "`all` (unless said otherwise), `x402`, `mpp`, `payment` or `card`."),
        ("limit" = Option<u64>, Query, description = "How many; 10 unless said otherwise, at most 1000."),
        ("offset" = Option<u64>, Query, description = "How many to leave out.")
    ),
    responses((status = 200, description = "The services.", body = SpendServicesBody))
)]
pub(super) async fn services(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::ANALYTICS)?;
    listed(&state, &parameters, Some(agent)).await
}

/// Sums up what all agents spent, or one, and how their payments were decided.
#[utoipa::path(
    get,
    path = "/api/service-spend/summary",
    tag = "spend",
    security(("key" = ["analytics:read"])),
    params(
        ("agentId" = Option<AgentId>, Query, description = "One agent."),
        ("period" = Option<String>, Query, description = "`24h`, `7d`, `30d` (unless said otherwise) or `all`."),
        ("protocol" = Option<String>, Query, description = "`all` (unless said otherwise), `x402`, `mpp`, `payment` or `card`.")
    ),
    responses((status = 200, description = "The sums.", body = SpendSummaryBody))
)]
pub(super) async fn summary_of_all(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.named_or_all(&state, Need::ANALYTICS_OF_ALL)?;
    summed_up(&state, &parameters, agent).await
}

/// Lists the services that all agents used, or one, the dearest first.
#[utoipa::path(
    get,
    path = "/api/service-spend/services",
    tag = "spend",
    security(("key" = ["analytics:read"])),
    params(
        ("agentId" = Option<AgentId>, Query, description = "One agent."),
        ("period" = Option<String>, Query, description = "`24h`, `7d`, `30d` (unless said otherwise) or `all`."),
        ("protocol" = Option<String>, Query, description = "`all` (unless said otherwise), `x402`, `mpp`, `payment` or `card`."),
        ("limit" = Option<u64>, Query, description = "How many; 10 unless said otherwise, at most 1000."),
        ("offset" = Option<u64>, Query, description = "How many to leave out.")
    ),
    responses((status = 200, description = "The services.", body = SpendServicesBody))
)]
pub(super) async fn services_of_all(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.named_or_all(&state, Need::ANALYTICS_OF_ALL)?;
    listed(&state, &parameters, agent).await
}

/// What the read models say of one agent or of all.
struct Found {
    filter: SpendFilter,
    agent: Option<AgentId>,
    spend: Vec<ServiceSpend>,
    active_agents: u64,
    active_alerts: u64,
    decisions: Vec<DecisionCount>,
}

async fn summed_up(
    state: &RestState,
    parameters: &Parameters,
    agent: Option<AgentHandle>,
) -> Result<Printed, Rejection> {
    let found = find(state, parameters, agent).await?;
    let Found { filter, agent, spend, active_agents, active_alerts, decisions } = &found;
    let active = (*active_agents, *active_alerts);
    let body = SpendSummaryBody::of(*filter, *agent, state.now(), spend, active, decisions);
    Ok(Printed::ok(&body))
}

async fn listed(state: &RestState, parameters: &Parameters, agent: Option<AgentHandle>) -> Result<Printed, Rejection> {
    let limit = parameters.count("limit", SERVICES_PAGE_DEFAULT, SERVICES_PAGE_MAX)?.max(1);
    let offset = parameters.count("offset", 0, usize::MAX)?;
    let Found { filter, agent, spend, .. } = find(state, parameters, agent).await?;
    Ok(Printed::ok(&SpendServicesBody::of(filter, agent, state.now(), &spend, offset, limit)))
}

async fn find(state: &RestState, parameters: &Parameters, agent: Option<AgentHandle>) -> Result<Found, Rejection> {
    let filter = SpendFilter::read(parameters.text("period"), parameters.text("protocol"))?;
    let (readers, now) = (state.readers.clone(), state.now());
    state
        .look_up(move || {
            let (models, directory) = (&readers.models, readers.feed.directory());
            let active_alerts = models.active_alerts(agent);
            match agent {
                Some(handle) => {
                    let spend = models.spend_of(handle, filter.span, now, directory);
                    let is_active = spend
                        .iter()
                        .any(|spend| filter.protocol.is_none_or(|protocol| spend.protocol == Some(protocol)));
                    let decisions = models.decisions_of(handle, filter.span, now);
                    let agent = directory.agent(handle.shard, handle.index);
                    Found { filter, agent, spend, active_agents: u64::from(is_active), active_alerts, decisions }
                }
                None => {
                    let (spend, active_agents) = models.spend_of_all(filter.protocol, filter.span, now, directory);
                    let decisions = models.decisions_of_all(filter.span, now);
                    Found { filter, agent: None, spend, active_agents, active_alerts, decisions }
                }
            }
        })
        .await
}
