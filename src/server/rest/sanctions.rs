//! The list of sanctions: loaded and replaced while the gateway serves.

use axum::extract::{DefaultBodyLimit, State};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{
        Outcome, Request,
        outcome::{SanctionsView, View},
        request::Query,
    },
    server::identity::Need,
    wire::json::{SanctionsBody, SanctionsRequest, read_sanctions},
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::{FILE_BYTES_MAX, FileBody},
    caller::Caller,
    policies::blocking,
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(load, show, remove)).layer(DefaultBodyLimit::max(FILE_BYTES_MAX))
}

/// Puts a list of sanctions in force.
///
/// It takes the place of the one in force, all at once and in every shard, before this is answered. From then on nobody is paid who is on
/// it, whatever the policies say.
#[utoipa::path(
    put,
    path = "/api/sanctions",
    tag = "sanctions",
    security(("key" = ["policies:write"])),
    request_body = SanctionsRequest,
    responses((status = 200, description = "The list in force.", body = SanctionsBody))
)]
async fn load(State(state): State<RestState>, caller: Caller, FileBody(body): FileBody) -> Result<Printed, Rejection> {
    caller.allow(Need::SANCTIONS_CHANGES)?;
    let actor = caller.actor();
    let (list, source) = read_sanctions(&body.object()?)?;
    let summary = list.summary(&source, &actor.name);
    let _changing = state.changes.lock().await;
    match blocking(&state, move |engine| engine.put_sanctions(&list, &summary, Some(&actor))).await? {
        Outcome::PolicyChanged { .. } => Ok(Printed::ok(&SanctionsBody::of(in_force(&state).await?.as_deref()))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Shows which list of sanctions is in force.
#[utoipa::path(
    get,
    path = "/api/sanctions",
    tag = "sanctions",
    security(("key" = ["policies:read"])),
    responses((status = 200, description = "The list in force, without its entries.", body = SanctionsBody))
)]
async fn show(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    caller.allow(Need::SANCTIONS)?;
    Ok(Printed::ok(&SanctionsBody::of(in_force(&state).await?.as_deref())))
}

/// Takes the list of sanctions out of force.
#[utoipa::path(
    delete,
    path = "/api/sanctions",
    tag = "sanctions",
    security(("key" = ["policies:write"])),
    responses((status = 200, description = "Payments are checked against no list.", body = SanctionsBody))
)]
async fn remove(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    caller.allow(Need::SANCTIONS_CHANGES)?;
    let actor = caller.actor();
    let _changing = state.changes.lock().await;
    match blocking(&state, move |engine| engine.remove_sanctions(Some(&actor))).await? {
        Outcome::PolicyChanged { .. } => Ok(Printed::ok(&SanctionsBody::of(None))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// The list in force, without its entries.
pub(super) async fn in_force(state: &RestState) -> Result<Option<Box<SanctionsView>>, Rejection> {
    match state.ask(state.engine.home(), &Request::Read(Query::Sanctions)).await? {
        Outcome::View(View::Sanctions(list)) => Ok(list),
        other => Err(Rejection::unexpected(&other)),
    }
}
