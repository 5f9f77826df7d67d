//! The description of this façade: the OpenAPI document for programs, and a page to browse it that needs nothing from elsewhere.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::wire::{
    ErrorCode,
    json::{Anything, Refusal, print},
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    router::openapi_document,
};

/// Scripts, styles and requests come from and go to the gateway alone. The page styles its elements in place.
const CONTENT_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The document never changes while the program runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| print(&openapi_document()));

static PAGE: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Without this, the page would send the document's address to a validator on the internet.
    let config = Config::from("/api/openapi.json").validator_url("none");
    Arc::new(config.display_request_duration(true).persist_authorization(false))
});

/// The routes of the document.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(openapi)).routes(routes!(openapi_by_its_other_name))
}

/// The page. It is for people and not part of the document.
pub(super) fn page() -> Router<RestState> {
    Router::new()
        .route("/api/docs", get(async || Redirect::permanent("/api/docs/")))
        .route("/api/docs/", get(async || file("index.html")))
        .route("/api/docs/{*file}", get(async |Path(name): Path<String>| file(&name)))
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "gateway",
    responses((status = 200, description = "The document, in OpenAPI 3.1.", body = Anything))
)]
async fn openapi() -> Printed {
    Printed::of_text(DOCUMENT.clone())
}

/// This document, where clients of the agent API look for it.
#[utoipa::path(
    get,
    path = "/api/openapi",
    tag = "gateway",
    responses((status = 200, description = "The document, in OpenAPI 3.1.", body = Anything))
)]
async fn openapi_by_its_other_name() -> Printed {
    openapi().await
}

fn file(name: &str) -> Result<Response, Rejection> {
    match utoipa_swagger_ui::serve(name, Arc::clone(&PAGE)) {
        Ok(Some(file)) => Ok(served(file)),
        Ok(None) => Err(Rejection::not_found("there is nothing at this path")),
        Err(error) => {
            tracing::error!(%error, "a file of the documentation page cannot be served");
            Err(Refusal::new(ErrorCode::InternalError, "the gateway made a mistake; it is logged").into())
        }
    }
}

fn served(file: SwaggerFile<'_>) -> Response {
    let mut response = (StatusCode::OK, Body::from(file.bytes.into_owned())).into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if file.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
