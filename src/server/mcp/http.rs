//! The server over HTTP, at `/mcp`: the same keys as for REST, only hosts that are ours, and no web page of anybody else.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, Request, header, request::Parts},
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

use super::{
    arguments::Call,
    service::{Answer, McpService, Way},
};

/// The most bytes of an answer of the REST façade that are passed on.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The names under which a gateway is reached from its own machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// What of the caller's request goes with each call: who asks, and for whom.
const PASSED_ON: [HeaderName; 2] = [header::AUTHORIZATION, HeaderName::from_static("x-holdfast-agent")];

/// The server over HTTP.
pub type HttpServer = StreamableHttpService<McpService<ToRouter>, NeverSessionManager>;

/// A server whose tools ask `rest`, the REST façade of this process. It answers to the names of the loopback address and to `hosts`: a web page could
/// otherwise reach it under a name of its own. Requests with an `Origin` come from web pages and are refused.
///
/// Who may use it at all is for whoever mounts it to check; what the caller's key may do, `rest` checks with each call.
#[must_use]
pub fn http_server(rest: Router, document: &OpenApi, hosts: &[String], body_bytes_max: usize) -> HttpServer {
    let service = McpService::new(ToRouter(rest), document);
    let allowed = LOOPBACK.into_iter().map(str::to_owned).chain(hosts.iter().cloned());
    // Without sessions every request is answered by itself, as JSON, so that nothing is kept for clients that are gone.
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(allowed)
        .enforce_origin_validation()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(body_bytes_max);
    StreamableHttpService::new(move || Ok(service.clone()), Arc::new(NeverSessionManager::default()), config)
}

/// The way to the REST façade of this process.
#[derive(Clone, Debug)]
pub struct ToRouter(Router);

impl Way for ToRouter {
    async fn ask(&self, call: Call, parts: Option<&Parts>) -> Result<Answer, String> {
        let unusable = |error: axum::http::Error| format!("the arguments make no request: {error}");
        let mut request = Request::builder()
            .method(call.method.as_str())
            .uri(&call.path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(call.body.map_or_else(Body::empty, Body::from))
            .map_err(unusable)?;
        if let Some(parts) = parts {
            pass_on(&parts.headers, request.headers_mut());
        }
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| format!("the answer is larger than {ANSWER_BYTES_MAX} bytes; ask for less"))?;
        Ok(Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

fn pass_on(from: &HeaderMap, to: &mut HeaderMap) {
    for name in PASSED_ON {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}
