//! Whether the process lives, whether it can serve, and its metrics. None of them asks for a key.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::engine::EngineStatus;

use super::{RestState, answer::Printed};

#[derive(Serialize, ToSchema)]
struct LiveBody {
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
struct ReadyBody {
    ready: bool,
    reasons: Vec<String>,
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Whether the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "gateway",
    responses((status = 200, description = "It does.", body = LiveBody))
)]
pub(super) async fn live() -> Printed {
    Printed::ok(&LiveBody { status: "ok" })
}

/// Whether the gateway should get requests.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "gateway",
    responses((status = 200, description = "It should.", body = ReadyBody), (status = 503, description = "It should not, and why.", body = ReadyBody))
)]
pub(super) async fn ready(State(state): State<RestState>) -> Printed {
    let reasons = reasons_against(&state.engine.status());
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Printed::ok(&ReadyBody { ready: reasons.is_empty(), reasons }).with_status(status)
}

/// Metrics in the text format of OpenMetrics.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "gateway",
    responses((status = 200, description = "The metrics.", body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(state): State<RestState>) -> Response {
    ([(header::CONTENT_TYPE, crate::telemetry::CONTENT_TYPE)], state.metrics.render()).into_response()
}

/// Why the gateway should get no requests now; empty where it should.
pub(super) fn reasons_against(status: &EngineStatus) -> Vec<String> {
    let failed = status.failed.then(|| "a commit failed; start the gateway anew".to_owned());
    let stopping = status.stopping.then(|| "the gateway is stopping".to_owned());
    let poisoned = status.shards.iter().filter(|shard| shard.poisoned);
    let poisoned =
        poisoned.map(|shard| format!("shard {} stopped after an error; start the gateway anew", shard.shard.0));
    failed.into_iter().chain(stopping).chain(poisoned).collect()
}
