//! Credentials: of agents, and of the gateway's operators and platforms. A secret is shown once, in the answer that issues it.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{
        AgentId, Duration, KeyId, Outcome, Request, ShardId,
        outcome::View,
        request::{KeySource, Principal, Query},
    },
    server::identity::{Credential, KeyKind, Need, Scope, ScopeSet, Secret},
    wire::{
        ErrorCode,
        json::{GatewayKeyRequest, IssuedKey, KeyBody, KeyRequest, NewGatewayKey, NewKey, Refusal},
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::{AgentAnd, Id},
};

const SECONDS_PER_DAY: u64 = 24 * 3600;

#[derive(Serialize, ToSchema)]
struct KeysBody {
    keys: Vec<KeyBody>,
}

#[derive(Serialize, ToSchema)]
struct RevokedBody {
    #[schema(value_type = KeyId)]
    id: String,
    revoked: bool,
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(issue_for_agent, list_of_agent))
        .routes(routes!(revoke_of_agent))
        .routes(routes!(issue_for_gateway, list_of_gateway))
        .routes(routes!(revoke_of_gateway))
}

/// Issues a key of an agent. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/agents/{id}/sdk-keys",
    tag = "keys",
    security(("key" = ["agents:write"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    request_body = KeyRequest,
    responses((status = 201, description = "The key.", body = IssuedKey<'_>))
)]
pub(super) async fn issue_for_agent(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT_KEYS, id)?;
    let new = NewKey::read(&body.object()?)?;
    issue(&state, &caller, agent.shard, Principal::Agent(id), &new).await
}

/// Lists the keys of an agent, without their secrets.
#[utoipa::path(
    get,
    path = "/api/agents/{id}/sdk-keys",
    tag = "keys",
    security(("key" = ["agents:read"])),
    params(("id" = AgentId, Path, description = "The agent.")),
    responses((status = 200, description = "The keys.", body = KeysBody))
)]
pub(super) async fn list_of_agent(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AgentId>,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT_LISTS, id)?;
    let keys = match state.ask(agent.shard, &Request::Read(Query::AgentKeys(agent.index))).await? {
        Outcome::View(View::Keys(keys)) => keys,
        other => return Err(Rejection::unexpected(&other)),
    };
    Ok(Printed::ok(&KeysBody { keys: keys.iter().map(printed).collect() }))
}

/// Revokes a key of an agent.
#[utoipa::path(
    delete,
    path = "/api/agents/{id}/sdk-keys/{key}",
    tag = "keys",
    security(("key" = ["agents:write"])),
    params(("id" = AgentId, Path, description = "The agent."), ("key" = KeyId, Path, description = "The key.")),
    responses((status = 200, description = "The key works no longer.", body = RevokedBody))
)]
pub(super) async fn revoke_of_agent(
    State(state): State<RestState>,
    caller: Caller,
    AgentAnd(id, key): AgentAnd<KeyId>,
) -> Result<Printed, Rejection> {
    let agent = caller.about(&state, Need::AGENT_KEYS, id)?;
    let of_agent = |credential: &Credential| *credential.principal() == Principal::Agent(id);
    if !state.identity.credential(key).is_some_and(|credential| of_agent(&credential)) {
        return Err(Rejection::not_found("no key of this agent has this id"));
    }
    revoke(&state, &caller, agent.shard, key).await
}

/// Issues a key of an operator or a platform. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/api-keys",
    tag = "keys",
    security(("key" = ["team:write"])),
    request_body = GatewayKeyRequest,
    responses((status = 201, description = "The key.", body = IssuedKey<'_>))
)]
pub(super) async fn issue_for_gateway(
    State(state): State<RestState>,
    caller: Caller,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::GATEWAY_KEYS)?;
    let new = NewGatewayKey::read(&body.object()?)?;
    issue(&state, &caller, state.engine.home(), new.principal, &new.key).await
}

/// Lists the keys of operators and platforms, without their secrets.
#[utoipa::path(
    get,
    path = "/api/api-keys",
    tag = "keys",
    security(("key" = ["team:write"])),
    responses((status = 200, description = "The keys.", body = KeysBody))
)]
pub(super) async fn list_of_gateway(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    caller.allow(Need::GATEWAY_KEYS)?;
    let of = |kind| state.identity.credentials(kind);
    let credentials = of(KeyKind::Operator).into_iter().chain(of(KeyKind::Platform));
    Ok(Printed::ok(&KeysBody { keys: credentials.map(|credential| printed(credential.source())).collect() }))
}

/// Revokes a key of an operator or a platform.
///
/// The last key that may issue keys is kept.
#[utoipa::path(
    delete,
    path = "/api/api-keys/{id}",
    tag = "keys",
    security(("key" = ["team:write"])),
    params(("id" = KeyId, Path, description = "The key.")),
    responses((status = 200, description = "The key works no longer.", body = RevokedBody))
)]
pub(super) async fn revoke_of_gateway(
    State(state): State<RestState>,
    caller: Caller,
    Id(key): Id<KeyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::GATEWAY_KEYS)?;
    let _changing = state.changes.lock().await;
    let of_gateway = |credential: &Credential| credential.kind() != KeyKind::Agent;
    if !state.identity.credential(key).is_some_and(|credential| of_gateway(&credential)) {
        return Err(Rejection::not_found("no operator or platform key has this id"));
    }
    if !somebody_else_could_issue(&state, key) {
        let message = "this is the last key that may issue keys; issue another operator key first";
        return Err(Refusal::new(ErrorCode::InvalidStatus, message).into());
    }
    revoke(&state, &caller, state.engine.home(), key).await
}

/// Without such a key the gateway could never be administered again.
fn somebody_else_could_issue(state: &RestState, key: KeyId) -> bool {
    let now = state.now();
    let operators = state.identity.credentials(KeyKind::Operator);
    operators.iter().any(|other| other.id() != key && other.check(now).is_ok() && other.may(Scope::TeamWrite))
}

async fn issue(
    state: &RestState,
    caller: &Caller,
    shard: ShardId,
    principal: Principal,
    new: &NewKey,
) -> Result<Printed, Rejection> {
    let scopes = scopes(new, &principal)?;
    let expires_at = state.now().after(Duration::from_secs(new.expires_in_days.saturating_mul(SECONDS_PER_DAY)));
    let secret = Secret::random(KeyKind::of(&principal))
        .map_err(|error| Refusal::new(ErrorCode::InternalError, error.to_string()))?;
    let source = secret.source(principal, &new.name, scopes, expires_at);
    match caller.change(state, shard, Request::IssueKey(source.clone())).await? {
        Outcome::Done => Ok(Printed::created(&IssuedKey { key: secret.text(), body: printed(&source) })),
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn revoke(state: &RestState, caller: &Caller, shard: ShardId, key: KeyId) -> Result<Printed, Rejection> {
    match caller.change(state, shard, Request::RevokeKey(key)).await? {
        Outcome::Done => Ok(Printed::ok(&RevokedBody { id: key.to_string(), revoked: true })),
        other => Err(Rejection::unexpected(&other)),
    }
}

fn scopes(new: &NewKey, principal: &Principal) -> Result<ScopeSet, Refusal> {
    let Some(words) = &new.scopes else {
        let all = new.admin || matches!(principal, Principal::Operator);
        return Ok(if all { ScopeSet::ALL } else { ScopeSet::STANDARD });
    };
    if let Some(index) = words.iter().position(|word| Scope::parse(word).is_none()) {
        let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.word()).collect();
        let expected = format!("one of {}", known.join(", "));
        return Err(Refusal::invalid(format!("scopes[{index}]"), "is not a scope", expected));
    }
    Ok(ScopeSet::of_words(words))
}

fn printed(source: &KeySource) -> KeyBody {
    KeyBody::of(source, ScopeSet::of_words(&source.scopes) == ScopeSet::ALL)
}
