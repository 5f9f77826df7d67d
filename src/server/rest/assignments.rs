//! Which policies an agent has, seen and changed from the agent's side.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{
        AgentId, PolicyId,
        policy::{PolicyScope, PolicySource},
    },
    server::identity::Need,
    wire::json::{PolicyBody, Refusal},
};

use super::{
    RestState, agents,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::{AgentAnd, Id},
    own, policies,
};

#[derive(Serialize, ToSchema)]
struct AgentPoliciesBody<'a> {
    /// Those that are in force for the agent; all of them must pass.
    policies: Vec<PolicyBody<'a>>,
}

/// The policy that an agent shall have.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"policyId": "pol_000102030405060708090a0b0c0d0e0f"}))]
#[expect(dead_code, reason = "describes what `assign` reads")]
struct AssignmentRequest {
    /// A policy whose scope is `assigned`.
    policy_id: PolicyId,
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(list, assign)).routes(routes!(take_away))
}

/// Lists the policies that an agent's payments must pass.
#[utoipa::path(
    get,
    path = "/api/agents/{id}/policies",
    tag = "policies",
    security(("key" = ["policies:read"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    responses((status = 200, description = "The policies.", body = AgentPoliciesBody<'_>))
)]
async fn list(State(state): State<RestState>, caller: Caller, Id(id): Id<AgentId>) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::BUDGET, id)?;
    let view = agents::look(&state, agent).await?;
    let policies = own::of_agent(&state, &view).await?;
    let policies = policies.iter().map(|(source, revision)| PolicyBody::of(source, *revision)).collect();
    Ok(Printed::ok(&AgentPoliciesBody { policies }))
}

/// Assigns a policy to an agent.
///
/// Assigning one that the agent has changes nothing.
#[utoipa::path(
    post,
    path = "/api/agents/{id}/policies",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    request_body = AssignmentRequest,
    responses((status = 200, description = "The policy as it is now.", body = PolicyBody<'_>))
)]
async fn assign(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.about(&state, Need::POLICY_CHANGES, id)?;
    let object = body.object()?;
    let policy: Option<PolicyId> = object.identifier("policyId")?;
    let policy = object.required("policyId", policy, "the id of a policy")?;
    let _changing = state.changes.lock().await;
    let (source, revision) = policies::find(&state, policy).await?;
    if source.is_for(id) {
        return Ok(Printed::ok(&PolicyBody::of(&source, revision)));
    }
    let agents = source.agents.iter().copied().chain([id]).collect();
    policies::put(&state, &caller, PolicySource { agents, ..source }).await
}

/// Takes a policy away from an agent.
#[utoipa::path(
    delete,
    path = "/api/agents/{id}/policies/{policy}",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = AgentId, Path, description = "The agent."), ("policy" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, description = "The policy as it is now.", body = PolicyBody<'_>))
)]
async fn take_away(
    State(state): State<RestState>,
    caller: Caller,
    AgentAnd(id, policy): AgentAnd<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.about(&state, Need::POLICY_CHANGES, id)?;
    let _changing = state.changes.lock().await;
    let (mut source, _) = policies::find(&state, policy).await?;
    if source.is_for_everybody() {
        let expected = "a policy that lists its agents; this one is for every agent";
        return Err(Refusal::invalid("policyId", "cannot be taken away", expected).into());
    }
    // Without any agent, a policy for wallets would be for those of everybody.
    if source.scope == PolicyScope::Wallet && source.agents == [id] {
        let expected = "a policy with other agents besides; remove this one, or set it inactive";
        return Err(Refusal::invalid("policyId", "cannot be taken away", expected).into());
    }
    let before = source.agents.len();
    source.agents.retain(|agent| *agent != id);
    if source.agents.len() == before {
        return Err(Rejection::not_found("the agent does not have this policy"));
    }
    policies::put(&state, &caller, source).await
}
