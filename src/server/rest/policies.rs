//! The policies in force. Writing one reaches every shard before it is acknowledged.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::{Answer, Engine},
    kernel::{Outcome, PolicyId, Request, outcome::View, policy::PolicySource, request::Query},
    server::{
        identity::Need,
        submit::{ANSWER_WAIT_MAX, AskError},
    },
    wire::json::{
        AddedRulesRequest, PolicyBody, PolicyPatch, PolicyRequest, PolicyUpdateRequest, RulesRequest, TriedPolicy,
        read_added_rules, read_policy, read_rules,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

#[derive(Serialize, ToSchema)]
struct PoliciesBody<'a> {
    policies: Vec<PolicyBody<'a>>,
}

#[derive(Serialize, ToSchema)]
struct RemovedBody {
    #[schema(value_type = PolicyId)]
    id: String,
    removed: bool,
    revision: u32,
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, update, remove))
        .routes(routes!(add_rules, replace_rules))
}

/// Writes a policy.
///
/// With an `id` in the body it replaces the policy of that id, so that applying a file twice is applying it once.
#[utoipa::path(
    post,
    path = "/api/policies",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(KeyHeader),
    request_body = PolicyRequest,
    responses((status = 201, description = "The policy.", body = PolicyBody<'_>))
)]
pub(super) async fn create(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let object = body.object()?;
    let key = key.or_in(&object)?;
    let id = object.identifier("id")?.unwrap_or_else(|| ids::policy(key.as_deref()));
    let source = read_policy(&object, id)?;
    let _changing = state.changes.lock().await;
    Ok(put(&state, &caller, source).await?.with_status(axum::http::StatusCode::CREATED))
}

/// Lists the policies.
#[utoipa::path(
    get,
    path = "/api/policies",
    tag = "policies",
    security(("key" = ["policies:read"])),
    responses((status = 200, description = "The policies.", body = PoliciesBody<'_>))
)]
pub(super) async fn list(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICIES)?;
    let policies = all(&state).await?;
    let policies = policies.iter().map(|(source, revision)| PolicyBody::of(source, *revision)).collect();
    Ok(Printed::ok(&PoliciesBody { policies }))
}

/// Shows a policy.
#[utoipa::path(
    get,
    path = "/api/policies/{id}",
    tag = "policies",
    security(("key" = ["policies:read"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, description = "The policy.", body = PolicyBody<'_>))
)]
pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICIES)?;
    let (source, revision) = find(&state, id).await?;
    Ok(Printed::ok(&PolicyBody::of(&source, revision)))
}

/// Changes a policy besides its rules.
#[utoipa::path(
    patch,
    path = "/api/policies/{id}",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    request_body = PolicyUpdateRequest,
    responses((status = 200, description = "The policy as it is now.", body = PolicyBody<'_>))
)]
pub(super) async fn update(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let patch = PolicyPatch::read(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let (source, _) = find(&state, id).await?;
    put(&state, &caller, patch.apply(source)).await
}

/// Replaces all rules of a policy.
#[utoipa::path(
    put,
    path = "/api/policies/{id}/rules",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    request_body = RulesRequest,
    responses((status = 200, description = "The policy as it is now.", body = PolicyBody<'_>))
)]
pub(super) async fn replace_rules(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let rules = read_rules(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let (source, _) = find(&state, id).await?;
    put(&state, &caller, PolicySource { rules, ..source }).await
}

/// Adds a rule to a policy, or several.
///
/// A rule that stands there already changes nothing that is decided.
#[utoipa::path(
    post,
    path = "/api/policies/{id}/rules",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    request_body = AddedRulesRequest,
    responses((status = 200, description = "The policy as it is now.", body = PolicyBody<'_>))
)]
pub(super) async fn add_rules(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let added = read_added_rules(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let (mut source, _) = find(&state, id).await?;
    source.rules.extend(added);
    put(&state, &caller, source).await
}

/// Removes a policy.
#[utoipa::path(
    delete,
    path = "/api/policies/{id}",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, description = "The policy is in force no longer.", body = RemovedBody))
)]
pub(super) async fn remove(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let _changing = state.changes.lock().await;
    let actor = caller.actor();
    match blocking(&state, move |engine| engine.remove_policy(id, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => {
            Ok(Printed::ok(&RemovedBody { id: id.to_string(), removed: true, revision }))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

pub(super) async fn put(state: &RestState, caller: &Caller, source: PolicySource) -> Result<Printed, Rejection> {
    let (written, actor) = (source.clone(), caller.actor());
    match blocking(state, move |engine| engine.put_policy(source, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => Ok(Printed::ok(&PolicyBody::of(&written, revision))),
        other => Err(Rejection::unexpected(&other)),
    }
}

pub(super) async fn find(state: &RestState, id: PolicyId) -> Result<(PolicySource, u32), Rejection> {
    find_any(state, id).await?.ok_or_else(|| Rejection::not_found("no policy has this id"))
}

/// The same, where it is well that there is none.
pub(super) async fn find_any(state: &RestState, id: PolicyId) -> Result<Option<(PolicySource, u32)>, Rejection> {
    Ok(all(state).await?.into_iter().find(|(source, _)| source.id == id))
}

/// The policy that somebody tries. A stored one is tried as if it were active.
pub(super) async fn tried(state: &RestState, policy: &TriedPolicy) -> Result<PolicySource, Rejection> {
    match policy {
        TriedPolicy::Draft(draft) => Ok((**draft).clone()),
        TriedPolicy::Stored(id) => {
            let (source, _) = find(state, *id).await?;
            Ok(PolicySource { active: true, ..source })
        }
    }
}

pub(super) async fn all(state: &RestState) -> Result<Vec<(PolicySource, u32)>, Rejection> {
    match state.ask(state.engine.home(), &Request::Read(Query::Policies)).await? {
        Outcome::View(View::Policies(policies)) => Ok(policies),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// A change of every shard waits for each in turn, so it runs where waiting is allowed.
pub(super) async fn blocking(
    state: &RestState,
    change: impl FnOnce(&Engine) -> Answer + Send + 'static,
) -> Result<Outcome, Rejection> {
    let engine = state.engine.clone();
    let task = tokio::task::spawn_blocking(move || change(&engine));
    match tokio::time::timeout(ANSWER_WAIT_MAX, task).await {
        Ok(Ok(answer)) => Ok(answer?),
        Ok(Err(_)) | Err(_) => Err(AskError::OutcomeUnknown.into()),
    }
}
