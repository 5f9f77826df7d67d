//! Policies in shadow: versions that decide beside the live ones and change nothing.

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{Outcome, PolicyId, Request, outcome::View, policy::PolicySource, request::Query},
    server::identity::Need,
    wire::json::{PolicyBody, PolicyPatch, PolicyRequest, ShadowBody, ShadowSum, read_policy, read_rules},
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::Id,
    policies,
};

#[derive(Serialize, ToSchema)]
struct ShadowRemovedBody {
    #[schema(value_type = PolicyId)]
    id: String,
    removed: bool,
    revision: u32,
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(put, show, remove)).routes(routes!(promote))
}

/// Lets another version of a policy decide in shadow.
///
/// What the body does not name is as in the live policy of the id; where there is none, the body is a whole policy. At most four
/// policies are in shadow at one time.
#[utoipa::path(
    put,
    path = "/api/policies/{id}/shadow",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy in whose place it decides.")),
    request_body = PolicyRequest,
    responses((status = 201, description = "The version in shadow.", body = PolicyBody<'_>))
)]
pub(super) async fn put(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let object = body.object()?;
    let _changing = state.changes.lock().await;
    let source = match policies::find_any(&state, id).await? {
        Some((live, _)) => {
            let changed = PolicyPatch::read(&object)?.apply(live);
            let rules = object.raw("rules").map(|_| read_rules(&object)).transpose()?;
            PolicySource { rules: rules.unwrap_or(changed.rules), ..changed }
        }
        None => read_policy(&object, id)?,
    };
    let (written, actor) = (source.clone(), caller.actor());
    match policies::blocking(&state, move |engine| engine.put_shadow(source, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => {
            Ok(Printed::ok(&PolicyBody::of(&written, revision)).with_status(StatusCode::CREATED))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Shows where a policy in shadow disagreed with the live ones.
#[utoipa::path(
    get,
    path = "/api/policies/{id}/shadow",
    tag = "policies",
    security(("key" = ["policies:read"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, description = "What it would have changed.", body = ShadowBody<'_>))
)]
pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICIES)?;
    Ok(Printed::ok(&ShadowBody::of(&find(&state, id).await?)))
}

/// Takes a policy out of shadow.
#[utoipa::path(
    delete,
    path = "/api/policies/{id}/shadow",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, description = "It decides no more.", body = ShadowRemovedBody))
)]
pub(super) async fn remove(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let _changing = state.changes.lock().await;
    let actor = caller.actor();
    match policies::blocking(&state, move |engine| engine.remove_shadow(id, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => {
            Ok(Printed::ok(&ShadowRemovedBody { id: id.to_string(), removed: true, revision }))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Puts a policy in shadow in force, and out of shadow.
#[utoipa::path(
    post,
    path = "/api/policies/{id}/shadow/promote",
    tag = "policies",
    security(("key" = ["policies:write"])),
    params(("id" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, description = "The policy, now in force.", body = PolicyBody<'_>))
)]
pub(super) async fn promote(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let _changing = state.changes.lock().await;
    let source = find(&state, id).await?.into_source();
    let printed = policies::put(&state, &caller, source).await?;
    let actor = caller.actor();
    policies::blocking(&state, move |engine| engine.remove_shadow(id, Some(&actor))).await?;
    Ok(printed)
}

/// What all shards know of a policy in shadow.
async fn find(state: &RestState, id: PolicyId) -> Result<ShadowSum, Rejection> {
    let mut views = Vec::new();
    for answer in state.ask_every_shard(&Request::Read(Query::Shadows)).await {
        match answer? {
            Outcome::View(View::Shadows(of_shard)) => views.extend(of_shard),
            other => return Err(Rejection::unexpected(&other)),
        }
    }
    ShadowSum::of(id, views).ok_or_else(|| Rejection::not_found("no policy with this id is in shadow"))
}
