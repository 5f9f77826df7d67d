//! Payments that were reported, one by one.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::{AgentHandle, FeedError},
    kernel::AgentId,
    query::{TRANSACTIONS_PAGE_MAX, TransactionCursor, TransactionsOf},
    server::identity::Need,
    wire::{
        ErrorCode,
        json::{Refusal, TRANSACTIONS_PAGE_DEFAULT, TransactionsBody, rail},
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Parameters,
    caller::Caller,
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(list_of_all))
}

/// Lists what the agent paid and what came back, the newest first.
#[utoipa::path(
    get,
    path = "/api/sdk/transactions",
    tag = "spend",
    security(("key" = ["transactions:read"])),
    params(
        ("protocol" = Option<String>, Query, description = "`all` (unless said otherwise), `x402`, `mpp`, `payment` or `card`."),
        ("limit" = Option<u64>, Query, description = "How many; 50 unless said otherwise, at most 500."),
        ("cursor" = Option<String>, Query, description = "What the page before said in `nextCursor`.")
    ),
    responses((status = 200, description = "A page of transactions.", body = TransactionsBody))
)]
pub(super) async fn list(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::TRANSACTIONS)?;
    page(&state, &parameters, Some(agent)).await
}

/// Lists what all agents paid, or one, and what came back, the newest first.
#[utoipa::path(
    get,
    path = "/api/transactions",
    tag = "spend",
    security(("key" = ["transactions:read"])),
    params(
        ("agentId" = Option<AgentId>, Query, description = "One agent."),
        ("protocol" = Option<String>, Query, description = "`all` (unless said otherwise), `x402`, `mpp`, `payment` or `card`."),
        ("limit" = Option<u64>, Query, description = "How many; 50 unless said otherwise, at most 500."),
        ("cursor" = Option<String>, Query, description = "What the page before said in `nextCursor`.")
    ),
    responses((status = 200, description = "A page of transactions.", body = TransactionsBody))
)]
pub(super) async fn list_of_all(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.named_or_all(&state, Need::TRANSACTIONS_OF_ALL)?;
    page(&state, &parameters, agent).await
}

async fn page(state: &RestState, parameters: &Parameters, agent: Option<AgentHandle>) -> Result<Printed, Rejection> {
    let of = TransactionsOf { agent, protocol: rail(parameters.text("protocol"))? };
    let limit = parameters.count("limit", TRANSACTIONS_PAGE_DEFAULT, TRANSACTIONS_PAGE_MAX)?.max(1);
    let cursor: Option<TransactionCursor> = match parameters.text("cursor") {
        Some(text) => Some(text.parse().map_err(|_| unknown_cursor())?),
        None => None,
    };
    let readers = state.readers.clone();
    let page = state.look_up(move || readers.models.transactions(&readers.feed, of, cursor.as_ref(), limit)).await?;
    Ok(Printed::ok(&TransactionsBody::of(&page.map_err(unreadable)?)))
}

fn unknown_cursor() -> Refusal {
    Refusal::invalid("cursor", "is not one of this gateway", "what a page says in `nextCursor`")
}

fn unreadable(error: FeedError) -> Rejection {
    match error {
        FeedError::UnknownCursor => unknown_cursor().into(),
        FeedError::CursorTooOld { .. } => {
            Refusal::invalid("cursor", "is older than what is kept", "a newer one, or none").into()
        }
        FeedError::Begin(_) | FeedError::Journal(_) | FeedError::Events { .. } | FeedError::TooManySubscriptions => {
            tracing::error!(%error, "transactions cannot be read");
            Refusal::new(ErrorCode::Unavailable, "the journal cannot be read; the log says why").into()
        }
    }
}
