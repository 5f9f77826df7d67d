//! The Model Context Protocol, at `/mcp`, for whoever has a key.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::any_service,
};

use crate::server::mcp::http_server;

use super::{BODY_BYTES_MAX, RestState, answer::Rejection, caller::Caller, router::openapi_document};

/// The route. Its tools ask `operations`.
pub(super) fn route(state: &RestState, operations: Router<RestState>) -> Router<RestState> {
    let server =
        http_server(operations.with_state(state.clone()), &openapi_document(), &state.mcp_hosts, BODY_BYTES_MAX);
    let with_key = middleware::from_fn_with_state(state.clone(), with_key);
    Router::new().route("/mcp", any_service(server).layer(with_key))
}

/// Without a live key nobody learns even which tools there are.
async fn with_key(State(_): State<RestState>, _: Caller, request: Request, next: Next) -> Result<Response, Rejection> {
    Ok(next.run(request).await)
}
