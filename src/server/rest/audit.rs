//! The audit: entries of the past by page, and all of them as an export that proves itself.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body as HttpBody, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    audit::{Action, Export, Filter, History, Page, Resource},
    engine::{Feed, FeedCursor, FeedError},
    kernel::{AgentId, Request, Timestamp},
    server::identity::Need,
    wire::{
        ErrorCode,
        json::{Anything, Refusal},
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Parameters,
    caller::Caller,
};

/// The most exports at one time.
pub(super) const EXPORTS_AT_ONCE_MAX: usize = 2;
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;
/// About how many bytes of an export are made at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for the client.
const PIECES_WAITING_MAX: usize = 4;
/// The longest that a client may take for a piece; one that takes longer loses its export.
const CLIENT_WAIT_MAX: Duration = Duration::from_secs(30);

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditPage {
    /// The newest first.
    #[schema(value_type = Vec<Anything>)]
    entries: Vec<Box<RawValue>>,
    /// For the parameter `cursor` of the next page; absent where there is nothing older.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists what happened.
///
/// The newest entries first. A page may be short, or empty, and still name a next one: where few entries match, the search goes on there.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "audit",
    security(("key" = ["audit:read"])),
    params(
        ("agentId" = Option<AgentId>, Query, description = "Only entries about this agent."),
        ("action" = Option<String>, Query, description = "Only this action, such as `PAYMENT_DENIED`."),
        ("resource" = Option<String>, Query, description = "Only this kind of resource, such as `policy`."),
        ("resourceId" = Option<String>, Query, description = "Only this resource."),
        ("actorId" = Option<String>, Query, description = "Only what this key, or this agent, did."),
        ("from" = Option<Timestamp>, Query, description = "Only what happened at this moment or later."),
        ("to" = Option<Timestamp>, Query, description = "Only what happened before this moment."),
        ("limit" = Option<u16>, Query, description = "The most entries of a page, 1 to 1000; 100 unless given."),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before.")
    ),
    responses((status = 200, description = "A page of entries.", body = AuditPage))
)]
pub(super) async fn list(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    caller.allow(Need::AUDIT)?;
    let filter = filter(&parameters)?;
    let limit = limit(&parameters)?;
    let cursor = parameters.text("cursor").map(str::parse::<FeedCursor>).transpose().map_err(|_| foreign_cursor())?;
    let history = History::new(feed(&state)?.clone());
    let Ok(_turn) = Arc::clone(&state.audits).acquire_owned().await else { return Err(no_feed()) };
    let page = tokio::task::spawn_blocking(move || history.page(cursor.as_ref(), &filter, limit)).await;
    let Page { entries, before } = page.map_err(|_| no_feed())?.map_err(|error| unreadable(&error))?;
    let entries = entries.iter().filter_map(|entry| RawValue::from_string(entry.canonical()).ok()).collect();
    Ok(Printed::ok(&AuditPage { entries, next_cursor: before.map(|before| before.to_string()) }))
}

/// Exports all that happened, as lines of JSON that prove themselves.
///
/// The first line names the format and where the chains begin, the last one where they end; every line between is an entry.
/// `holdfast audit verify` proves an export without the gateway. An export without its last line was cut short. That it was made becomes an entry.
#[utoipa::path(
    get,
    path = "/api/audit/export",
    tag = "audit",
    security(("key" = ["audit:read"])),
    responses((status = 200, description = "An entry a line.", body = Anything, content_type = "application/jsonl"))
)]
pub(super) async fn export(State(state): State<RestState>, caller: Caller) -> Result<Response, Rejection> {
    caller.allow(Need::AUDIT)?;
    let feed = feed(&state)?.clone();
    let Ok(turn) = Arc::clone(&state.exports).try_acquire_owned() else {
        let message = format!("{EXPORTS_AT_ONCE_MAX} exports are being made; try again when one of them is done");
        return Err(Refusal::new(ErrorCode::CapacityExceeded, message).into());
    };
    caller.change(&state, state.engine.home(), Request::NoteExport("all entries".into())).await?;
    let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::spawn(make(Export::begin(feed, state.now()), pieces, turn));
    let pieces = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
        receiver.recv().await.map(|piece| (Ok::<_, Infallible>(piece), receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""),
    ];
    Ok((headers, HttpBody::from_stream(pieces)).into_response())
}

/// Makes an export piece by piece, each on a thread where waiting for the disk is allowed.
async fn make(mut export: Export, pieces: mpsc::Sender<Bytes>, _turn: OwnedSemaphorePermit) {
    loop {
        let made = tokio::task::spawn_blocking(move || {
            let piece = piece(&mut export);
            (export, piece)
        });
        let Ok((rest, piece)) = made.await else { return };
        export = rest;
        match piece {
            Ok(piece) if piece.is_empty() => return,
            Ok(piece) => {
                let sent = tokio::time::timeout(CLIENT_WAIT_MAX, pieces.send(Bytes::from(piece))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "an export of the audit ends early");
                return;
            }
        }
    }
}

fn piece(export: &mut Export) -> Result<String, FeedError> {
    let mut piece = String::new();
    while piece.len() < PIECE_BYTES
        && let Some(line) = export.next_line()?
    {
        piece.push_str(&line);
        piece.push('\n');
    }
    Ok(piece)
}

/// The events of the gateway, for whoever reads them.
pub(super) fn feed(state: &RestState) -> Result<&Feed, Rejection> {
    state.engine.feed().ok_or_else(no_feed)
}

fn no_feed() -> Rejection {
    Refusal::new(ErrorCode::Unavailable, "events cannot be read now; try again in a moment").into()
}

/// Why events cannot be read, to whoever asked.
pub(super) fn unreadable(error: &FeedError) -> Rejection {
    match error {
        FeedError::UnknownCursor => foreign_cursor().into(),
        FeedError::CursorTooOld { .. } => Refusal::new(ErrorCode::Expired, error.to_string()).into(),
        FeedError::TooManySubscriptions => Refusal::new(ErrorCode::CapacityExceeded, error.to_string()).into(),
        FeedError::Begin(_) | FeedError::Journal(_) | FeedError::Events { .. } => {
            tracing::error!(%error, "events cannot be read");
            no_feed()
        }
    }
}

fn foreign_cursor() -> Refusal {
    Refusal::invalid("cursor", "is not one of ours", "one that an answer of this gateway gave")
}

fn limit(parameters: &Parameters) -> Result<usize, Refusal> {
    let Some(text) = parameters.text("limit") else { return Ok(PAGE_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Refusal::invalid("limit", "is out of range", format!("a whole number, 1 to {PAGE_MAX}")))
}

fn filter(parameters: &Parameters) -> Result<Filter, Refusal> {
    let word = |name: &str| parameters.text(name).map(str::to_owned);
    let agent = parameters.text("agentId").map(|text| {
        text.parse::<AgentId>().map_err(|_| Refusal::invalid("agentId", "is no agent's id", "the id of an agent"))
    });
    let action = parameters.text("action").map(|text| {
        let words: Vec<&str> = Action::ALL.iter().map(|action| action.word()).collect();
        let expected = || format!("one of {}", words.join(", "));
        Action::parse(text).ok_or_else(|| Refusal::invalid("action", "is not an action", expected()))
    });
    let resource = parameters.text("resource").map(|text| {
        let words: Vec<&str> = Resource::ALL.iter().map(|resource| resource.word()).collect();
        let expected = || format!("one of {}", words.join(", "));
        Resource::parse(text).ok_or_else(|| Refusal::invalid("resource", "is not a resource", expected()))
    });
    Ok(Filter {
        agent: agent.transpose()?,
        action: action.transpose()?,
        resource: resource.transpose()?,
        resource_id: word("resourceId"),
        actor_id: word("actorId"),
        from: moment(parameters, "from")?,
        to: moment(parameters, "to")?,
    })
}

fn moment(parameters: &Parameters, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = parameters.text(name) else { return Ok(None) };
    let moment = text.parse::<jiff::Timestamp>().ok().and_then(|moment| u64::try_from(moment.as_microsecond()).ok());
    let expected = "a moment such as `2026-11-20T12:00:00Z`";
    moment
        .map(|micros| Some(Timestamp::from_micros(micros)))
        .ok_or_else(|| Refusal::invalid(name, "is no moment", expected))
}
