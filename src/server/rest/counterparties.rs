//! The directory of payees. Describing one reaches every shard before it is acknowledged.

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    kernel::{
        CounterpartyId, Name, Outcome, Request,
        counterparty::{Counterparty, Standing},
        outcome::View,
        request::Query,
        state::counterparties::Entry,
    },
    server::identity::Need,
    wire::json::{
        CounterpartyBody, CounterpartyPage, CounterpartyPatch, CounterpartyRequest, CounterpartyUpdateRequest, Refusal,
        standing,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::{Body, Parameters},
    caller::Caller,
    ids::{self, Id, KeyHeader},
    policies::blocking,
};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;
/// How many entries are looked at in one turn of the shard that keeps them.
const LOOK_MAX: u32 = 1000;

#[derive(Serialize, ToSchema)]
struct CounterpartyRemovedBody {
    #[schema(value_type = CounterpartyId)]
    id: String,
    removed: bool,
    revision: u32,
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, update, remove))
}

/// Describes a counterparty.
///
/// With an `id` in the body it replaces what was said of the counterparty of that id. What the directory says of an address is believed
/// before what a payment says of it.
#[utoipa::path(
    post,
    path = "/api/counterparties",
    tag = "counterparties",
    security(("key" = ["counterparties:write"])),
    params(KeyHeader),
    request_body = CounterpartyRequest,
    responses((status = 201, description = "The counterparty.", body = CounterpartyBody<'_>))
)]
async fn create(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::COUNTERPARTY_CHANGES)?;
    let object = body.object()?;
    let key = key.or_in(&object)?;
    let id = object.identifier("id")?.unwrap_or_else(|| ids::counterparty(key.as_deref()));
    let counterparty = CounterpartyPatch::read(&object)?.describe(&object, id)?;
    let _changing = state.changes.lock().await;
    Ok(put(&state, &caller, counterparty).await?.with_status(StatusCode::CREATED))
}

/// Lists the counterparties.
#[utoipa::path(
    get,
    path = "/api/counterparties",
    tag = "counterparties",
    security(("key" = ["counterparties:read"])),
    params(
        ("trustLevel" = Option<String>, Query, pattern = "^(TRUSTED|VERIFIED|UNKNOWN|BLOCKED)$", description = "Only those of this trust level."),
        ("type" = Option<String>, Query, example = "VENDOR", description = "Only those of this type."),
        ("category" = Option<String>, Query, example = "API_PROVIDER", description = "Only those that sell this."),
        ("country" = Option<String>, Query, example = "DE", description = "Only those in this country."),
        ("address" = Option<String>, Query, description = "Only the one that is paid at this address."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most counterparties of a page; 100 unless said otherwise."),
        ("cursor" = Option<CounterpartyId>, Query, description = "The `nextCursor` of the page before.")
    ),
    responses((status = 200, description = "Some counterparties.", body = CounterpartyPage<'_>))
)]
async fn list(State(state): State<RestState>, caller: Caller, parameters: Parameters) -> Result<Printed, Rejection> {
    caller.allow(Need::COUNTERPARTIES)?;
    let (limit, filter) = (page_size(&parameters)?, Filter::read(&parameters)?);
    let mut after = parameters.text("cursor").map(cursor).transpose()?;
    // One more than the page holds says whether there is another page.
    let mut found: Vec<Entry> = Vec::new();
    while found.len() <= limit {
        let entries = some(&state, after).await?;
        after = entries.last().map(|entry| entry.counterparty.id);
        found.extend(entries.into_iter().filter(|entry| filter.takes(&entry.counterparty)));
        if after.is_none() {
            break;
        }
    }
    let is_last = found.len() <= limit;
    found.truncate(limit);
    let last = found.last().map(|entry| entry.counterparty.id.to_string());
    let counterparties = found.iter().map(|entry| CounterpartyBody::of(&entry.counterparty, entry.revision)).collect();
    Ok(Printed::ok(&CounterpartyPage { counterparties, next_cursor: last.filter(|_| !is_last) }))
}

/// Shows a counterparty.
#[utoipa::path(
    get,
    path = "/api/counterparties/{id}",
    tag = "counterparties",
    security(("key" = ["counterparties:read"])),
    params(("id" = CounterpartyId, Path, description = "The counterparty.")),
    responses((status = 200, description = "The counterparty.", body = CounterpartyBody<'_>))
)]
async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<CounterpartyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::COUNTERPARTIES)?;
    let entry = find(&state, id).await?;
    Ok(Printed::ok(&CounterpartyBody::of(&entry.counterparty, entry.revision)))
}

/// Changes what is said of a counterparty.
#[utoipa::path(
    patch,
    path = "/api/counterparties/{id}",
    tag = "counterparties",
    security(("key" = ["counterparties:write"])),
    params(("id" = CounterpartyId, Path, description = "The counterparty.")),
    request_body = CounterpartyUpdateRequest,
    responses((status = 200, description = "The counterparty as it is now.", body = CounterpartyBody<'_>))
)]
async fn update(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<CounterpartyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::COUNTERPARTY_CHANGES)?;
    let patch = CounterpartyPatch::read(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let entry = find(&state, id).await?;
    put(&state, &caller, patch.apply(&entry.counterparty)?).await
}

/// Forgets a counterparty.
#[utoipa::path(
    delete,
    path = "/api/counterparties/{id}",
    tag = "counterparties",
    security(("key" = ["counterparties:write"])),
    params(("id" = CounterpartyId, Path, description = "The counterparty.")),
    responses((status = 200, description = "Nothing is said of it any more.", body = CounterpartyRemovedBody))
)]
async fn remove(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<CounterpartyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::COUNTERPARTY_CHANGES)?;
    let _changing = state.changes.lock().await;
    let actor = caller.actor();
    match blocking(&state, move |engine| engine.remove_counterparty(id, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => {
            Ok(Printed::ok(&CounterpartyRemovedBody { id: id.to_string(), removed: true, revision }))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn put(state: &RestState, caller: &Caller, counterparty: Counterparty) -> Result<Printed, Rejection> {
    let (written, actor) = (counterparty.clone(), caller.actor());
    match blocking(state, move |engine| engine.put_counterparty(counterparty, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => Ok(Printed::ok(&CounterpartyBody::of(&written, revision))),
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn find(state: &RestState, id: CounterpartyId) -> Result<Entry, Rejection> {
    let entries = read(state, Query::Counterparty(id)).await?;
    entries.into_iter().next().ok_or_else(|| Rejection::not_found("no counterparty has this id"))
}

async fn some(state: &RestState, after: Option<CounterpartyId>) -> Result<Vec<Entry>, Rejection> {
    read(state, Query::Counterparties { after, count: LOOK_MAX }).await
}

async fn read(state: &RestState, query: Query<'static>) -> Result<Vec<Entry>, Rejection> {
    match state.ask(state.engine.home(), &Request::Read(query)).await? {
        Outcome::View(View::Counterparties(entries)) => Ok(entries),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Which entries are asked for: those that fit all of it.
struct Filter<'a> {
    standing: Option<Standing>,
    kind: Option<&'a str>,
    category: Option<&'a str>,
    country: Option<&'a str>,
    address: Option<Name<'a>>,
}

impl Filter<'_> {
    fn read(parameters: &Parameters) -> Result<Filter<'_>, Refusal> {
        let address = |text| {
            let expected = "an address of 1 to 256 bytes without white space or control characters";
            Name::recipient(text).map_err(|_| Refusal::invalid("address", "is none", expected))
        };
        Ok(Filter {
            standing: parameters.text("trustLevel").map(|word| standing("trustLevel", word)).transpose()?,
            kind: parameters.text("type"),
            category: parameters.text("category"),
            country: parameters.text("country"),
            address: parameters.text("address").map(address).transpose()?,
        })
    }

    fn takes(&self, counterparty: &Counterparty) -> bool {
        let texts = counterparty.texts();
        let same = |wanted: Option<&str>, text: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(text));
        self.standing.is_none_or(|standing| counterparty.standing == Some(standing))
            && same(self.kind, texts.kind)
            && same(self.category, texts.category)
            && same(self.country, texts.country)
            && self.address.as_ref().is_none_or(|address| counterparty.describes(address))
    }
}

fn page_size(parameters: &Parameters) -> Result<usize, Refusal> {
    let Some(text) = parameters.text("limit") else { return Ok(PAGE_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Refusal::invalid("limit", "is out of range", format!("a whole number, 1 to {PAGE_MAX}")))
}

fn cursor(text: &str) -> Result<CounterpartyId, Refusal> {
    let expected = "the `nextCursor` of the page before";
    text.parse().map_err(|_| Refusal::invalid("cursor", "is not one of ours", expected))
}
