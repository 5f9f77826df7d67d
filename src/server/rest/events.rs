//! Events as they happen: a stream that goes on where it stopped.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use axum::{
    body::{Body as HttpBody, Bytes},
    extract::{FromRequestParts, State},
    http::{HeaderName, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::sync::mpsc;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::{AgentHandle, Feed, FeedError},
    kernel::AgentId,
    notice::{KindSet, NoticeFilter},
    server::{identity::Need, streams::TooManyStreams},
    wire::{
        ErrorCode,
        json::{Anything, Refusal, RefusalBody},
    },
};

use super::{
    RestState,
    answer::Rejection,
    audit::{feed, unreadable},
    body::Parameters,
    caller::Caller,
    event_stream::{EventStream, Offset, PIECES_WAITING_MAX},
};

/// What a client that lost its stream sends when it asks again.
const LAST_EVENT_ID: &str = "last-event-id";
const FROM_EXPECTED: &str = "an id that this stream gave, `oldest` or `now`";

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(follow)).routes(routes!(follow_own))
}

/// Tells every event, as server-sent events.
///
/// Each event is told once, in the order of its agent. The id of each is the offset after it: send the last one as `from`, or as
/// `Last-Event-ID`, and the stream goes on there, also after a restart. A reader that is too slow is closed, and goes on in the same way.
/// The page on events describes each kind.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "events",
    security(("key" = ["audit:read"])),
    params(
        ("from" = Option<String>, Query, description = "Where to go on: an id that the stream gave, `oldest` for everything that is kept, or `now`, which is meant where nothing is said."),
        ("types" = Option<String>, Query, example = "payment.*,agent.frozen", description = "Only these kinds, separated by commas; `payment.*` for all of a family."),
        ("agentId" = Option<AgentId>, Query, description = "Only the events of this agent."),
        ("follow" = Option<bool>, Query, description = "`false` ends the stream when everything is told. `true` unless said otherwise."),
        ("Last-Event-ID" = Option<String>, Header, description = "As `from`, which it overrides.")
    ),
    responses(
        (status = 200, description = "Events.", body = Anything, content_type = "text/event-stream"),
        (status = 410, description = "What followed the offset is no longer kept; the message names the first offset that is.", body = RefusalBody<'_>)
    )
)]
async fn follow(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
    LastEventId(last): LastEventId,
) -> Result<Response, Rejection> {
    caller.allow(Need::EVENTS_OF_ALL)?;
    let agent = caller.named().map(|id| caller.about(&state, Need::EVENTS_OF_ALL, id).map(|_| id)).transpose()?;
    open(&state, &caller, &parameters, last, agent.into_iter().collect(), None)
}

/// Tells the agent's own events, as server-sent events.
///
/// As `/api/events`, of one agent.
#[utoipa::path(
    get,
    path = "/api/sdk/events",
    tag = "events",
    security(("key" = ["transactions:read"])),
    params(
        ("from" = Option<String>, Query, description = "Where to go on: an id that the stream gave, `oldest` for everything that is kept, or `now`, which is meant where nothing is said."),
        ("types" = Option<String>, Query, example = "approval.*", description = "Only these kinds, separated by commas; `payment.*` for all of a family."),
        ("follow" = Option<bool>, Query, description = "`false` ends the stream when everything is told. `true` unless said otherwise."),
        ("Last-Event-ID" = Option<String>, Header, description = "As `from`, which it overrides.")
    ),
    responses(
        (status = 200, description = "Events.", body = Anything, content_type = "text/event-stream"),
        (status = 410, description = "What followed the offset is no longer kept; the message names the first offset that is.", body = RefusalBody<'_>)
    )
)]
async fn follow_own(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
    LastEventId(last): LastEventId,
) -> Result<Response, Rejection> {
    let id = caller.agent_id()?;
    let agent = caller.agent(&state, Need::EVENTS)?;
    open(&state, &caller, &parameters, last, BTreeSet::from([id]), Some(agent))
}

/// Opens a stream of the events of `agents`, or of all; of one shard where it is that of one agent.
fn open(
    state: &RestState,
    caller: &Caller,
    parameters: &Parameters,
    last: Option<String>,
    agents: BTreeSet<AgentId>,
    own: Option<AgentHandle>,
) -> Result<Response, Rejection> {
    let feed = feed(state)?.clone();
    let words = parameters.text("types").into_iter().flat_map(|types| types.split(',').map(str::trim));
    let kinds = KindSet::of_words(words).map_err(|unknown| {
        Refusal::invalid("types", "names no kind of event", format!("words such as `payment.approved`; {unknown}"))
    })?;
    let follows = match parameters.text("follow") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Refusal::invalid("follow", "is no flag", "`true` or `false`").into()),
    };
    let offset = offset(&feed, last.as_deref().or(parameters.text("from")), own)?;
    let slot = state.streams.enter(caller.credential.id()).map_err(|error: TooManyStreams| {
        Rejection::from(Refusal::new(ErrorCode::CapacityExceeded, error.to_string()))
    })?;
    let stream = EventStream {
        feed,
        offset,
        filter: NoticeFilter { kinds, agents },
        follows,
        credential: Arc::clone(&caller.credential),
        clock: Arc::clone(&state.clock),
        streams: state.streams(),
    };
    let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::spawn(stream.tell(pieces, slot));
    let pieces = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
        receiver.recv().await.map(|piece| (Ok::<_, Infallible>(piece), receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that gather answers would hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, HttpBody::from_stream(pieces)).into_response())
}

/// Where the stream begins.
fn offset(feed: &Feed, from: Option<&str>, own: Option<AgentHandle>) -> Result<Offset, Rejection> {
    let shard = own.map(|agent| agent.shard);
    let foreign = || Refusal::invalid("from", "is not an offset of this stream", FROM_EXPECTED);
    match from {
        None | Some("now") => Ok(Offset::newest(feed, shard).ok_or_else(foreign)?),
        Some("oldest") => Ok(Offset::oldest(feed, shard).ok_or_else(foreign)?),
        Some(text) => {
            let offset = Offset::parse(text, shard).map_err(|_| foreign())?;
            match offset.check(feed) {
                Ok(()) => Ok(offset),
                Err(FeedError::UnknownCursor) => Err(foreign().into()),
                Err(FeedError::CursorTooOld { .. }) => {
                    let expected =
                        format!("`{}`, the first one after it from which everything is kept", offset.kept(feed));
                    let found = "is before what is kept";
                    Err(Refusal::of_field(ErrorCode::OffsetGone, "from", found, expected).into())
                }
                Err(error) => Err(unreadable(&error)),
            }
        }
    }
}

/// The header `Last-Event-ID`, where it says something.
struct LastEventId(Option<String>);

impl FromRequestParts<RestState> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &RestState) -> Result<LastEventId, Infallible> {
        let value = parts.headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?").to_owned());
        Ok(LastEventId(value.filter(|value| !value.is_empty())))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        engine::EngineOptions,
        kernel::{ShardId, Timestamp},
        testing::{HandDriven, policy_for_everybody},
    };

    use super::*;

    #[test]
    fn an_offset_whose_history_is_cut_is_gone_and_the_first_that_is_kept_is_named() {
        let mut options = EngineOptions::new(policy_for_everybody(Vec::new()));
        options.shards = 1;
        options.retention.bytes_max = Some(1);
        let mut gateway = HandDriven::new(&options, Timestamp::from_micros(1_000_000));
        let feed = gateway.follow(Vec::new());
        (1..20).for_each(|id| gateway.create_agent(AgentId(id)));
        gateway.feed();
        gateway.retain();
        let own = gateway.engine().agent(AgentId(1));
        assert_eq!(own.map(|agent| agent.shard), Some(ShardId(0)));
        for (from, own) in [("1", None), ("0-1-0", own)] {
            let refusal = Refusal::from(offset(&feed, Some(from), own).unwrap_err());
            assert_eq!((refusal.code().http_status(), refusal.code().text()), (410, "OFFSET_GONE"));
            let named = refusal.expected().and_then(|text| text.split('`').nth(1)).unwrap();
            assert!(offset(&feed, Some(named), own).is_ok(), "{named}");
        }
    }
}
