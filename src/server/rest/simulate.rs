//! What would be decided under a policy, without deciding it.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    kernel::{
        AuthorizationId, Outcome, PolicyId, Request,
        outcome::View,
        request::{Query, Simulation},
    },
    server::identity::Need,
    wire::json::{SimulateBody, SimulateRequest, SimulatedBody, TriedPolicy},
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    policies,
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(simulate))
}

/// Says what would be decided about payments, changing nothing.
#[utoipa::path(
    post,
    path = "/api/policies/simulate",
    tag = "policies",
    security(("key" = ["policies:read"])),
    request_body = SimulateRequest,
    responses((status = 200, description = "The decision on each payment, in their order.", body = SimulatedBody))
)]
pub(super) async fn simulate(State(state): State<RestState>, caller: Caller, body: Body) -> Result<Printed, Rejection> {
    caller.allow(Need::SIMULATIONS)?;
    let object = body.object()?;
    let agent = match object.identifier("agentId")? {
        Some(id) => caller.about(&state, Need::SIMULATIONS, id)?,
        None => caller.agent(&state, Need::SIMULATIONS)?,
    };
    let asked = SimulateBody::read(&object, PolicyId(Uuid::now_v7().as_u128()))?;
    if let Some(TriedPolicy::Stored(_)) = &asked.policy {
        caller.allow(Need::POLICIES)?;
    }
    let draft = match &asked.policy {
        Some(tried) => Some(policies::tried(&state, tried).await?),
        None => None,
    };
    let policy = draft.as_ref().map(|draft| draft.id);
    // Random, so that no payment is taken for the repetition of one that was made.
    let first = Uuid::now_v7().as_u128();
    let payments = asked.payments(|index| AuthorizationId(first.wrapping_add(index as u128)));
    let query = Query::Simulate(agent.index, Box::new(Simulation { draft, payments }));
    match state.ask(agent.shard, &Request::Read(query)).await? {
        Outcome::View(View::Simulation(view)) => Ok(Printed::ok(&SimulatedBody::of(&asked, policy, view))),
        other => Err(Rejection::unexpected(&other)),
    }
}
