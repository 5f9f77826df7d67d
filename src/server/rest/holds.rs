//! The verbs of one hold: look, capture, void, extend, increment, refund.

use axum::extract::State;

use crate::{
    kernel::{
        AuthorizationId, Outcome, Request,
        outcome::View,
        request::{Increment, Query, Refund},
    },
    server::identity::Need,
    wire::json::{
        AuthorizationBody, CaptureBody, CapturedBody, Decision, ExtendBody, ExtendedBody, IncrementedBody,
        RefundedBody, VoidedBody, amount_of,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

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
    let capture = CaptureBody::read(&object)?.request(id, operation);
    match state.ask(agent.shard, &Request::Capture(agent.index, capture)).await? {
        Outcome::Captured(captured) => Ok(Printed::ok(&CapturedBody::of(id, captured))),
        other => Err(Rejection::unexpected(&other)),
    }
}

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
