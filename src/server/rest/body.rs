//! The body and the query of a request, with refusals in our own shape.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};

use crate::wire::{
    ErrorCode,
    json::{Object, Refusal},
};

use super::{BODY_BYTES_MAX, RestState, answer::Rejection};

/// The most bytes of a body that carries a file.
pub(super) const FILE_BYTES_MAX: usize = 16 << 20;

/// The bytes of a JSON body.
#[derive(Debug)]
pub(super) struct Body(Bytes);

impl Body {
    pub(super) fn object(&self) -> Result<Object<'_>, Refusal> {
        Object::read(&self.0)
    }

    /// For requests that need not say anything.
    pub(super) fn optional_object(&self) -> Result<Object<'_>, Refusal> {
        Object::read_optional(&self.0)
    }
}

impl FromRequest<RestState> for Body {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &RestState) -> Result<Body, Rejection> {
        Body::read(request, state, BODY_BYTES_MAX).await
    }
}

/// The bytes of a JSON body that carries a file. The route has a limit of its own.
#[derive(Debug)]
pub(super) struct FileBody(pub(super) Body);

impl FromRequest<RestState> for FileBody {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &RestState) -> Result<FileBody, Rejection> {
        Body::read(request, state, FILE_BYTES_MAX).await.map(FileBody)
    }
}

impl Body {
    async fn read(request: Request, state: &RestState, bytes_max: usize) -> Result<Body, Rejection> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Rejection::from(Refusal::new(
                ErrorCode::FrameTooLarge,
                format!("the body is too large; expected at most {bytes_max} bytes"),
            )),
            _ => Rejection::from(Refusal::new(ErrorCode::ValidationError, "the body could not be read to its end")),
        })?;
        if !bytes.is_empty() && !is_json {
            let refusal = Refusal::invalid("Content-Type", "is missing or of another kind", "`application/json`");
            return Err(Rejection::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, refusal));
        }
        Ok(Body(bytes))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// The parameters of a query; the last of several with one name counts.
#[derive(Debug)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Where a page begins and how long it is; both together are at most `reach`.
    pub(super) fn page(&self, default: usize, reach: usize) -> Result<(usize, usize), Refusal> {
        let whole = |name, default, least: usize| {
            let Some(text) = self.text(name) else { return Ok(default) };
            let number = text.parse().ok().filter(|number| (least..=reach).contains(number));
            let expected = format!("a whole number, {least} to {reach}");
            number.ok_or_else(|| Refusal::invalid(name, "is out of range", expected))
        };
        let (offset, limit) = (whole("offset", 0, 0)?, whole("limit", default, 1)?);
        if offset + limit > reach {
            let expected = format!("at most {reach} together with `limit`; narrow the list instead");
            return Err(Refusal::invalid("offset", "is out of range", expected));
        }
        Ok((offset, limit))
    }

    /// A whole number of at most `max`.
    pub(super) fn count(&self, name: &str, default: usize, max: usize) -> Result<usize, Refusal> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number <= max);
        number.ok_or_else(|| Refusal::invalid(name, "is out of range", format!("a whole number up to {max}")))
    }

    pub(super) fn read(parts: &Parts) -> Result<Parameters, Refusal> {
        let query = Query::try_from_uri(&parts.uri);
        query
            .map(|Query(map)| Parameters(map))
            .map_err(|_| Refusal::new(ErrorCode::ValidationError, "the query is malformed; expected `name=value&…`"))
    }
}

impl FromRequestParts<RestState> for Parameters {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &RestState) -> Result<Parameters, Rejection> {
        Ok(Parameters::read(parts)?)
    }
}
