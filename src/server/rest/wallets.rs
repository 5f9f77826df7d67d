//! Links between agents and wallets.

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{
        AgentId, Request,
        outcome::{AgentView, WalletView},
        request::WalletSource,
    },
    server::identity::Need,
    wire::json::{WalletBody, WalletPatch, WalletRequest},
};

use super::{
    RestState, agents,
    answer::{Printed, Rejection},
    body::{Body, Parameters},
    caller::Caller,
    ids::{self, AgentAnd, Id},
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(of_agent, link)).routes(routes!(update)).routes(routes!(list))
}

#[derive(Serialize, ToSchema)]
struct AgentWalletsBody {
    wallets: Vec<WalletBody>,
}

/// Some wallets, and where the next page begins.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WalletPage {
    wallets: Vec<LinkedWallet>,
    /// What to send as `cursor` for the rest; `null` at the end.
    next_cursor: Option<String>,
}

/// A wallet, and whose it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LinkedWallet {
    #[schema(value_type = AgentId)]
    agent_id: String,
    #[serde(flatten)]
    wallet: WalletBody,
}

/// Lists the wallets of an agent.
#[utoipa::path(
    get,
    path = "/api/agents/{id}/wallets",
    tag = "wallets",
    security(("key" = ["wallets:read"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    responses((status = 200, description = "The wallets.", body = AgentWalletsBody))
)]
pub(super) async fn of_agent(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::WALLETS, id)?;
    let view = agents::look(&state, agent).await?;
    Ok(Printed::ok(&AgentWalletsBody { wallets: bodies(&view).collect() }))
}

/// Lists the wallets of all agents, a page of agents at a time.
#[utoipa::path(
    get,
    path = "/api/wallets",
    tag = "wallets",
    security(("key" = ["wallets:read"])),
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 999, description = "The most agents whose wallets are on a page; 100 unless said otherwise."), ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before.")),
    responses((status = 200, description = "Some wallets, and where the next page begins.", body = WalletPage))
)]
pub(super) async fn list(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    caller.allow(Need::WALLET_LISTS)?;
    let (agents, next_cursor) = agents::some(&state, &parameters).await?;
    let linked = |agent: &AgentView| {
        let agent_id = agent.id.to_string();
        bodies(agent).map(move |wallet| LinkedWallet { agent_id: agent_id.clone(), wallet }).collect::<Vec<_>>()
    };
    Ok(Printed::ok(&WalletPage { wallets: agents.iter().flat_map(linked).collect(), next_cursor }))
}

fn bodies(agent: &AgentView) -> impl Iterator<Item = WalletBody> {
    agent.wallets.iter().map(|wallet| WalletBody::of(wallet, agent.status))
}

/// Links a wallet to an agent.
///
/// Linking one that is linked already changes what the body names and nothing else, so that leaving a limit or
/// the balance out never removes it.
#[utoipa::path(
    post,
    path = "/api/agents/{id}/wallets",
    tag = "wallets",
    security(("key" = ["wallets:write"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    request_body = WalletRequest,
    responses((status = 201, description = "The new wallet.", body = WalletBody), (status = 200, description = "The wallet was linked before and is as it is now.", body = WalletBody))
)]
pub(super) async fn link(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::WALLET_CHANGES, id)?;
    let patch = WalletPatch::read(&body.object()?)?;
    let _changing = state.changing(id).lock().await;
    let before = agents::look(&state, agent).await?;
    let wallet_id = patch.id.clone().unwrap_or_else(ids::wallet);
    let (wallet, status) = match find(&before, &wallet_id) {
        Some(known) => (changed(known, patch), StatusCode::OK),
        None => (patch.create(wallet_id.clone()), StatusCode::CREATED),
    };
    let after = agents::change(&state, &caller, agent, Request::PutWallet(agent.index, wallet)).await?;
    Ok(printed(&after, &wallet_id)?.with_status(status))
}

/// Changes a wallet of an agent.
#[utoipa::path(
    patch,
    path = "/api/agents/{id}/wallets/{wallet}",
    tag = "wallets",
    security(("key" = ["wallets:write"])),
    params(("id" = AgentId, Path, description = "The agent."), ("wallet" = String, Path, description = "The wallet.")),
    request_body = WalletRequest,
    responses((status = 200, description = "The wallet as it is now.", body = WalletBody))
)]
pub(super) async fn update(
    State(state): State<RestState>,
    caller: Caller,
    AgentAnd(id, wallet_id): AgentAnd<String>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::WALLET_CHANGES, id)?;
    let patch = WalletPatch::read(&body.object()?)?;
    let _changing = state.changing(id).lock().await;
    let before = agents::look(&state, agent).await?;
    let known = find(&before, &wallet_id).ok_or_else(no_wallet)?;
    let wallet = changed(known, patch);
    let after = agents::change(&state, &caller, agent, Request::PutWallet(agent.index, wallet)).await?;
    printed(&after, &wallet_id)
}

/// The wallet with what the patch says. A balance is told *as of now*, so one that the patch does not name is not told anew.
fn changed(known: &WalletView, patch: WalletPatch) -> WalletSource {
    patch.apply(WalletSource { balance: None, ..known.source.clone() })
}

fn find<'a>(agent: &'a AgentView, wallet_id: &str) -> Option<&'a WalletView> {
    agent.wallets.iter().find(|wallet| wallet.source.id == wallet_id)
}

fn printed(agent: &AgentView, wallet_id: &str) -> Result<Printed, Rejection> {
    find(agent, wallet_id).map(|wallet| Printed::ok(&WalletBody::of(wallet, agent.status))).ok_or_else(no_wallet)
}

fn no_wallet() -> Rejection {
    Rejection::not_found("no wallet of this agent has this id")
}
