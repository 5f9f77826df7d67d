//! The verbs of one hold: look, capture, void, extend, increment, refund.

use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{
        AuthorizationId, Outcome, Request,
        outcome::View,
        request::{Increment, Query, Refund},
    },
    server::identity::Need,
    wire::json::{
        AmountRequest, AuthorizationBody, CaptureBody, CaptureForbidden, CaptureRequest, CapturedBody, Decision,
        ExtendBody, ExtendRequest, ExtendedBody, IncrementDecision, IncrementedBody, MisdirectedBody, RefundedBody,
        VoidedBody, amount_of,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(capture))
        .routes(routes!(void))
        .routes(routes!(extend))
        .routes(routes!(increment))
        .routes(routes!(refund))
}

/// Shows a hold.
#[utoipa::path(
    get,
    path = "/api/sdk/authorizations/{id}",
    tag = "holds",
    security(("key" = ["transactions:read"])),
    params(("id" = AuthorizationId, Path, description = "The hold.")),
    responses((status = 200, description = "The hold as of now.", body = AuthorizationBody))
)]
pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::TRANSACTIONS)?;
    match state.ask(agent.shard, &Request::Read(Query::Authorization(agent.index, id))).await? {
        Outcome::View(View::Authorization(view)) => Ok(Printed::ok(&AuthorizationBody::of(*view))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Reports what was paid of a hold.
#[utoipa::path(
    post,
    path = "/api/sdk/authorizations/{id}/capture",
    tag = "holds",
    security(("key" = ["transactions:write"])),
    params(("id" = AuthorizationId, Path, description = "The hold."), KeyHeader),
    request_body = CaptureRequest,
    responses(
        (status = 200, description = "What was booked.", body = CapturedBody),
        (status = 403, description = "Somebody else was paid: the hold stays, and the payment is unauthorized spend. Or the key lacks the scope.", body = CaptureForbidden)
    )
)]
pub(super) async fn capture(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::REPORTS)?;
    let object = body.object()?;
    let operation = ids::operation(key.or_in(&object)?.as_deref());
    let asked = CaptureBody::read(&object)?;
    match state.ask(agent.shard, &asked.request(agent.index, id, operation)).await? {
        Outcome::Recorded(recorded) => {
            Ok(Printed::ok(&MisdirectedBody::of(id, recorded)).with_status(StatusCode::FORBIDDEN))
        }
        Outcome::Captured(captured) => Ok(Printed::ok(&CapturedBody::of(id, captured))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Lets a hold go.
#[utoipa::path(
    post,
    path = "/api/sdk/authorizations/{id}/void",
    tag = "holds",
    security(("key" = ["payments:request"])),
    params(("id" = AuthorizationId, Path, description = "The hold.")),
    responses((status = 200, description = "What it still held.", body = VoidedBody))
)]
pub(super) async fn void(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    match state.ask(agent.shard, &Request::Void(agent.index, id)).await? {
        Outcome::Voided { released } => Ok(Printed::ok(&VoidedBody::of(id, released))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Gives the caller more time to pay.
#[utoipa::path(
    post,
    path = "/api/sdk/authorizations/{id}/extend",
    tag = "holds",
    security(("key" = ["payments:request"])),
    params(("id" = AuthorizationId, Path, description = "The hold."), KeyHeader),
    request_body = ExtendRequest,
    responses((status = 200, description = "Until when it may be paid.", body = ExtendedBody))
)]
pub(super) async fn extend(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    let object = body.object()?;
    let operation = ids::operation(key.or_in(&object)?.as_deref());
    let extend = ExtendBody::read(&object)?.request(id, operation);
    match state.ask(agent.shard, &Request::Extend(agent.index, extend)).await? {
        Outcome::Extended { expires_at } => Ok(Printed::ok(&ExtendedBody::of(id, expires_at))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Asks for more money on a hold.
#[utoipa::path(
    post,
    path = "/api/sdk/authorizations/{id}/increment",
    tag = "holds",
    security(("key" = ["payments:request"])),
    params(("id" = AuthorizationId, Path, description = "The hold."), KeyHeader),
    request_body = AmountRequest,
    responses((status = 200, description = "The decision.", body = IncrementDecision))
)]
pub(super) async fn increment(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    let object = body.object()?;
    let operation = ids::operation(key.or_in(&object)?.as_deref());
    let increment = Increment { id, operation, amount: amount_of(&object)? };
    match state.ask(agent.shard, &Request::Increment(agent.index, increment)).await? {
        Outcome::Increased { amount, remaining } => Ok(Printed::ok(&IncrementedBody::of(id, amount, remaining))),
        Outcome::Denied(denial) => Ok(Printed::ok(&Decision::denied(&denial))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Gives captured spend back to the windows that it came from.
#[utoipa::path(
    post,
    path = "/api/sdk/authorizations/{id}/refund",
    tag = "holds",
    security(("key" = ["transactions:write"])),
    params(("id" = AuthorizationId, Path, description = "The hold."), KeyHeader),
    request_body = AmountRequest,
    responses((status = 200, description = "All refunds of the hold together.", body = RefundedBody))
)]
pub(super) async fn refund(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::REPORTS)?;
    let object = body.object()?;
    let operation = ids::operation(key.or_in(&object)?.as_deref());
    let refund = Refund { id, operation, amount: amount_of(&object)? };
    match state.ask(agent.shard, &Request::Refund(agent.index, refund)).await? {
        Outcome::Refunded { refunded } => Ok(Printed::ok(&RefundedBody::of(id, refunded))),
        other => Err(Rejection::unexpected(&other)),
    }
}
