//! Where ids come from: from the client's own key, so that a retry is recognised, else made here.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};
use uuid::Uuid;

use crate::{
    kernel::{AgentId, AuthorizationId, BudgetRequestId, CounterpartyId, OperationId, PolicyId, WebhookId},
    wire::json::{Object, Refusal},
};

use super::{RestState, answer::Rejection};

const KEY_HEADER: &str = "idempotency-key";
/// The most bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 256;

/// The `Idempotency-Key` header, where there is one.
#[derive(Debug)]
pub(super) struct KeyHeader(Option<String>);

impl KeyHeader {
    /// The client's name for its request: the header, or `idempotencyKey` in the body; they must not contradict.
    pub(super) fn or_in(&self, object: &Object<'_>) -> Result<Option<String>, Refusal> {
        let in_body = object.text("idempotencyKey")?;
        if let Some(key) = &in_body {
            check("idempotencyKey", key)?;
        }
        match (&self.0, in_body) {
            (Some(header), Some(body)) if *header != body => Err(Refusal::invalid(
                "idempotencyKey",
                "contradicts the header `Idempotency-Key`",
                "only one of the two",
            )),
            (Some(header), _) => Ok(Some(header.clone())),
            (None, body) => Ok(body),
        }
    }
}

impl FromRequestParts<RestState> for KeyHeader {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &RestState) -> Result<KeyHeader, Rejection> {
        let Some(value) = parts.headers.get(KEY_HEADER) else { return Ok(KeyHeader(None)) };
        let key = value.to_str().unwrap_or_default();
        check("Idempotency-Key", key)?;
        Ok(KeyHeader(Some(key.to_owned())))
    }
}

impl IntoParams for KeyHeader {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_BYTES_MAX));
        let description =
            "The client's name for this write: a second request with it changes nothing and is answered as the first.";
        let header = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        vec![header.schema(Some(text)).description(Some(description)).build()]
    }
}

fn check(field: &str, key: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let expected = format!("a text of 1 to {KEY_BYTES_MAX} bytes");
        return Err(Refusal::invalid(field, "is empty, too long or no text", expected));
    }
    Ok(())
}

/// A hold's id.
pub(super) fn authorization(key: Option<&str>) -> AuthorizationId {
    key.map_or_else(|| AuthorizationId(fresh()), AuthorizationId::of_key)
}

/// A budget request's id.
pub(super) fn budget_request(agent: AgentId, key: Option<&str>) -> BudgetRequestId {
    key.map_or_else(|| BudgetRequestId(fresh()), |key| BudgetRequestId::of_key(agent, key))
}

/// A write's id.
pub(super) fn operation(key: Option<&str>) -> OperationId {
    key.map_or_else(|| OperationId(fresh()), OperationId::of_key)
}

/// An agent's id.
pub(super) fn agent(key: Option<&str>) -> AgentId {
    AgentId(operation(key).0)
}

/// A policy's id.
pub(super) fn policy(key: Option<&str>) -> PolicyId {
    PolicyId(operation(key).0)
}

/// A payee's id.
pub(super) fn counterparty(key: Option<&str>) -> CounterpartyId {
    CounterpartyId(operation(key).0)
}

/// A webhook's id.
pub(super) fn webhook(key: Option<&str>) -> WebhookId {
    WebhookId(operation(key).0)
}

/// A wallet's id.
pub(super) fn wallet() -> String {
    format!("wal_{:032x}", fresh())
}

fn fresh() -> u128 {
    Uuid::now_v7().as_u128()
}

/// The id in a path.
#[derive(Debug)]
pub(super) struct Id<T>(pub(super) T);

impl<T: FromStr<Err: std::fmt::Display>> FromRequestParts<RestState> for Id<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Id<T>, Rejection> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Rejection::not_found("there is nothing at this path"))?;
        parse("id", &text).map(Id)
    }
}

/// The agent's id in a path, and what comes after it.
#[derive(Debug)]
pub(super) struct AgentAnd<T>(pub(super) AgentId, pub(super) T);

impl<T: FromStr<Err: std::fmt::Display>> FromRequestParts<RestState> for AgentAnd<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<AgentAnd<T>, Rejection> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((agent, other)) = path.map_err(|_| Rejection::not_found("there is nothing at this path"))?;
        Ok(AgentAnd(parse("agent", &agent)?, parse("id", &other)?))
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, Rejection> {
    text.parse().map_err(|error: T::Err| {
        let expected = error.to_string();
        let expected = expected.strip_prefix("expected ").unwrap_or(&expected).to_owned();
        Rejection::from(Refusal::invalid(field, "in the path is not an identifier of this kind", expected))
    })
}
