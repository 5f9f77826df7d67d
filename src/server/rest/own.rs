//! What an agent sees of itself: its wallets, its policies, and all that it needs to begin.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{outcome::AgentView, policy::PolicySource},
    server::identity::Need,
    wire::json::{PolicyBody, SetupBody, WalletBody},
};

use super::{
    RestState, agents,
    answer::{Printed, Rejection},
    body::Parameters,
    caller::Caller,
    policies,
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(wallets)).routes(routes!(policies_in_force)).routes(routes!(setup))
}

#[derive(Serialize, ToSchema)]
struct OwnWalletsBody {
    wallets: Vec<WalletBody>,
}

#[derive(Serialize, ToSchema)]
struct OwnPoliciesBody<'a> {
    /// Those that are in force for the agent; all of them must pass.
    policies: Vec<PolicyBody<'a>>,
}

/// Lists the agent's wallets, with what is left in each.
#[utoipa::path(
    get,
    path = "/api/sdk/wallets",
    tag = "wallets",
    security(("key" = ["wallets:read"])),
    responses((status = 200, description = "The wallets.", body = OwnWalletsBody))
)]
pub(super) async fn wallets(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::WALLETS)?;
    let view = agents::look(&state, agent).await?;
    Ok(Printed::ok(&OwnWalletsBody {
        wallets: view.wallets.iter().map(|wallet| WalletBody::of(wallet, view.status)).collect(),
    }))
}

/// Lists the policies that the agent's payments must pass.
#[utoipa::path(
    get,
    path = "/api/sdk/policies",
    tag = "policies",
    security(("key" = ["policies:read"])),
    params(("walletId" = Option<String>, Query, description = "Those that payments from one wallet must pass.")),
    responses((status = 200, description = "The policies.", body = OwnPoliciesBody<'_>))
)]
pub(super) async fn policies_in_force(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::BUDGET)?;
    let view = agents::look(&state, agent).await?;
    if let Some(wallet) = parameters.text("walletId")
        && !view.wallets.iter().any(|known| known.source.id == wallet)
    {
        return Err(Rejection::not_found("no wallet of this agent has this id"));
    }
    let mut policies = of_agent(&state, &view).await?;
    if let Some(wallet) = parameters.text("walletId") {
        policies.retain(|(source, _)| source.is_for_wallet(wallet));
    }
    let policies = policies.iter().map(|(source, revision)| PolicyBody::of(source, *revision)).collect();
    Ok(Printed::ok(&OwnPoliciesBody { policies }))
}

/// Says all that an agent needs to know to begin.
#[utoipa::path(
    get,
    path = "/api/sdk/setup",
    tag = "agents",
    security(("key" = ["agents:read"])),
    responses((status = 200, description = "The agent, its wallets and its policies.", body = SetupBody<'_>))
)]
pub(super) async fn setup(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::AGENT)?;
    let view = agents::look(&state, agent).await?;
    let policies = of_agent(&state, &view).await?;
    let scopes = caller.credential.source().scopes.clone();
    Ok(Printed::ok(&SetupBody::of(&view, &policies, scopes)))
}

/// The policies that are in force for an agent.
pub(super) async fn of_agent(state: &RestState, agent: &AgentView) -> Result<Vec<(PolicySource, u32)>, Rejection> {
    let mut policies = policies::all(state).await?;
    policies.retain(|(source, _)| source.active && source.is_for(agent.id));
    Ok(policies)
}
