//! The table of routes, and what stands before all of them: limits on size, number and time, and one shape for refusals.

use std::{any::Any, convert::Infallible, time::Duration};

use axum::{
    BoxError, Router,
    error_handling::HandleErrorLayer,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    kernel::Protocol,
    wire::{ErrorCode, json::Refusal},
};

use super::{
    RestState, agents, alerts, answer::Rejection, approvals, assignments, audit, backtest, budgets, counterparties,
    docs, document, events, health, holds, keys, mcp, own, payment_requests, payments, policies, sanctions, shadows,
    simulate, spend, status, transactions, wallets, webhooks,
};

/// The most bytes of a body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// The most requests that are served at once; the next is refused.
pub const REQUESTS_AT_ONCE_MAX: usize = 4096;
/// The most requests of the Model Context Protocol that are served at once, apart from the others, which they ask in turn.
const MCP_REQUESTS_AT_ONCE_MAX: usize = 512;
/// The longest that a request may take, its body included.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(15);

/// The whole façade. Health and metrics stand outside the limit on requests at once, so that an overloaded gateway can still be seen.
pub fn router(state: RestState) -> Router {
    let at_once = |most| {
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(overloaded))
            .layer(LoadShedLayer::new())
            .layer(GlobalConcurrencyLimitLayer::new(most))
    };
    let (operations, _) = operations().layer(at_once(REQUESTS_AT_ONCE_MAX)).split_for_parts();
    let (observers, _) = observers().split_for_parts();
    let mcp = mcp::route(&state, operations.clone()).layer(at_once(MCP_REQUESTS_AT_ONCE_MAX));
    operations
        .merge(observers)
        .merge(docs::page())
        .merge(mcp)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(REQUEST_WAIT_MAX, in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(state.clone(), measured))
        .with_state(state)
}

/// Everything that is served, as the OpenAPI document describes it.
#[must_use]
pub fn openapi_document() -> OpenApi {
    document::complete(operations().merge(observers()).into_openapi())
}

/// What agents and operators ask. Routes and their descriptions are one: what is not described is not served.
fn operations() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .nest("/api/sdk/x402", payments::routes(Protocol::X402))
        .nest("/api/sdk/mpp", payments::routes(Protocol::Mpp))
        .merge(payment_requests::routes())
        .merge(holds::routes())
        .nest("/api/sdk/approval-requests", approvals::routes_of_agents())
        .nest("/api/approval-requests", approvals::routes_of_operators())
        .nest("/api/sdk/budget-request", budgets::routes_of_agents())
        .nest("/api/sdk/budget-requests", budgets::routes_of_agents())
        .nest("/api/budget-requests", budgets::routes_of_operators())
        .merge(agents::routes())
        .merge(alerts::routes())
        .merge(assignments::routes())
        .merge(wallets::routes())
        .merge(keys::routes())
        .merge(policies::routes())
        .merge(counterparties::routes())
        .merge(sanctions::routes())
        .merge(shadows::routes())
        .merge(simulate::routes())
        .merge(backtest::routes())
        .merge(audit::routes())
        .merge(events::routes())
        .merge(webhooks::routes())
        .merge(status::routes())
        .merge(spend::routes())
        .merge(transactions::routes())
        .merge(own::routes())
}

fn observers() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().merge(health::routes()).merge(docs::routes())
}

async fn no_route() -> Rejection {
    Rejection::not_found("there is nothing at this path")
}

async fn no_method() -> Rejection {
    let refusal =
        Refusal::new(ErrorCode::ValidationError, "the path does not know this method; see the header `Allow`");
    Rejection::with_status(StatusCode::METHOD_NOT_ALLOWED, refusal)
}

async fn overloaded(_: BoxError) -> Rejection {
    Refusal::new(ErrorCode::Overloaded, "too many requests are in progress; try again in a moment").into()
}

async fn in_time(State(wait_max): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(wait_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the request took too long and its outcome is unknown; retry with the same id";
            Rejection::from(Refusal::new(ErrorCode::Unavailable, message)).into_response()
        }
    }
}

/// A panic is a mistake of ours: the client gets no detail, the log gets all.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("of another kind"), "a handler panicked");
    Rejection::from(Refusal::new(ErrorCode::InternalError, "the gateway made a mistake; it is logged")).into_response()
}

async fn measured(State(state): State<RestState>, request: Request, next: Next) -> Result<Response, Infallible> {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let start = state.now();
    let response = next.run(request).await;
    state.metrics.count_http(&method, &route, response.status().as_u16(), state.now().since(start));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        routing::get,
    };
    use tower::ServiceExt;

    use super::*;

    async fn answer(router: Router) -> (StatusCode, String) {
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_cut_off() {
        let endless = Router::new().route("/", get(std::future::pending::<()>));
        let layer = middleware::from_fn_with_state(Duration::from_millis(1), in_time);
        let (status, body) = answer(endless.layer(layer)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("UNAVAILABLE") && body.contains("outcome is unknown"), "{body}");
    }

    #[tokio::test]
    async fn a_panic_is_answered_without_its_text() {
        let broken = Router::new().route("/", get(async || -> Response { panic!("the secret is 42") }));
        let (status, body) = answer(broken.layer(CatchPanicLayer::custom(panicked))).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("INTERNAL_ERROR") && !body.contains("42"), "{body}");
    }
}
