//! Webhooks: operators describe them, try them, and look after what could not be delivered.

use axum::{extract::State, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    kernel::{
        Outcome, Request, WebhookId,
        outcome::View,
        request::Query,
        webhook::{EventPlace, SigningSecret, Webhook, WebhookChange, WebhookProgress, WebhookSource},
    },
    server::{identity::Need, webhooks::SECRET_PREFIX},
    wire::{
        ErrorCode,
        json::{
            DeadLettersBody, IssuedWebhook, RedeliverBody, RedeliverRequest, Refusal, WebhookBody, WebhookPatch,
            WebhookRemovedBody, WebhookRequest, WebhookTestBody, WebhooksBody, redelivered,
        },
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    audit::feed,
    body::Body,
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

/// The most webhooks that are tried at one time.
pub(super) const TESTS_AT_ONCE_MAX: usize = 4;
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, update, remove))
        .routes(routes!(renew_secret))
        .routes(routes!(dead_letters))
        .routes(routes!(redeliver))
        .routes(routes!(test))
}

/// Lists the webhooks, without their secrets.
#[utoipa::path(
    get,
    path = "/api/webhooks",
    tag = "webhooks",
    security(("key" = ["audit:read"])),
    responses((status = 200, description = "The webhooks.", body = WebhooksBody))
)]
async fn list(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOKS)?;
    Ok(Printed::ok(&WebhooksBody::of(&all(&state).await?)))
}

/// Writes a new webhook. Its secret is in this answer and nowhere else.
///
/// It is told what happens from now on.
#[utoipa::path(
    post,
    path = "/api/webhooks",
    tag = "webhooks",
    security(("key" = ["team:write"])),
    params(KeyHeader),
    request_body = WebhookRequest,
    responses((status = 201, description = "The webhook.", body = IssuedWebhook))
)]
async fn create(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOK_CHANGES)?;
    let object = body.object()?;
    let (key, patch) = (key.or_in(&object)?, WebhookPatch::read(&object)?);
    let id = ids::webhook(key.as_deref());
    let _changing = state.changes.lock().await;
    if let Some(known) = all(&state).await?.into_iter().find(|webhook| webhook.source.id == id) {
        return again(patch, &known);
    }
    let source = patch.create(id, secret()?)?;
    check(&state, &source)?;
    let told = feed(&state)?.end().positions().map(EventPlace::from).collect();
    let begin = WebhookProgress { told, behind: Vec::new() };
    put(&state, &caller, &source, begin).await?;
    Ok(Printed::created(&IssuedWebhook::of_source(&source)))
}

/// The answer to a webhook that is written a second time under the same key.
fn again(patch: WebhookPatch, known: &Webhook) -> Result<Printed, Rejection> {
    if patch.create(known.source.id, known.source.secret.clone())? != known.source {
        let message = "`Idempotency-Key` names a webhook that is described otherwise; use a new key";
        return Err(Refusal::new(ErrorCode::IdempotencyConflict, message).into());
    }
    Ok(Printed::created(&IssuedWebhook::of(known)).repeated(true))
}

/// Shows a webhook, without its secret.
#[utoipa::path(
    get,
    path = "/api/webhooks/{id}",
    tag = "webhooks",
    security(("key" = ["audit:read"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "The webhook.", body = WebhookBody))
)]
async fn show(State(state): State<RestState>, caller: Caller, Id(id): Id<WebhookId>) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOKS)?;
    Ok(Printed::ok(&WebhookBody::of(&find(&state, id).await?)))
}

/// Changes a webhook; what is not named stays as it is.
#[utoipa::path(
    patch,
    path = "/api/webhooks/{id}",
    tag = "webhooks",
    security(("key" = ["team:write"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    request_body = WebhookRequest,
    responses((status = 200, description = "The webhook as it is now.", body = WebhookBody))
)]
async fn update(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOK_CHANGES)?;
    let patch = WebhookPatch::read(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let known = find(&state, id).await?;
    let source = patch.apply(known.source.clone());
    check(&state, &source)?;
    put(&state, &caller, &source, WebhookProgress::default()).await?;
    Ok(Printed::ok(&WebhookBody::of(&Webhook { source, ..known })))
}

/// Removes a webhook. What waits for it is not delivered any more.
#[utoipa::path(
    delete,
    path = "/api/webhooks/{id}",
    tag = "webhooks",
    security(("key" = ["team:write"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "It is gone.", body = WebhookRemovedBody))
)]
async fn remove(State(state): State<RestState>, caller: Caller, Id(id): Id<WebhookId>) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOK_CHANGES)?;
    change(&state, &caller, WebhookChange::Remove(id)).await?;
    Ok(Printed::ok(&WebhookRemovedBody::of(id)))
}

/// Gives a webhook a new secret, which is in this answer and nowhere else.
///
/// Deliveries are signed with it from now on; those that are being made may still be signed with the one before.
#[utoipa::path(
    post,
    path = "/api/webhooks/{id}/secret",
    tag = "webhooks",
    security(("key" = ["team:write"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "The webhook and its secret.", body = IssuedWebhook))
)]
async fn renew_secret(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOK_CHANGES)?;
    let _changing = state.changes.lock().await;
    let mut webhook = find(&state, id).await?;
    webhook.source.secret = secret()?;
    put(&state, &caller, &webhook.source, WebhookProgress::default()).await?;
    Ok(Printed::ok(&IssuedWebhook::of(&webhook)))
}

/// Lists the deliveries of a webhook that were given up.
#[utoipa::path(
    get,
    path = "/api/webhooks/{id}/dead-letters",
    tag = "webhooks",
    security(("key" = ["audit:read"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "The deliveries.", body = DeadLettersBody))
)]
async fn dead_letters(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOKS)?;
    Ok(Printed::ok(&DeadLettersBody::of(&find(&state, id).await?)))
}

/// Attempts deliveries again that were given up.
///
/// They are retried like any others. One that arrives leaves the list of those that were given up.
#[utoipa::path(
    post,
    path = "/api/webhooks/{id}/dead-letters/redeliver",
    tag = "webhooks",
    security(("key" = ["team:write"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    request_body = RedeliverRequest,
    responses((status = 202, description = "They are attempted soon.", body = RedeliverBody))
)]
async fn redeliver(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOK_CHANGES)?;
    let webhook = find(&state, id).await?;
    let places = redelivered(&body.optional_object()?, &webhook)?;
    let queued = state.webhooks.redeliver(id, &places);
    if queued < places.len() {
        let message = "too many deliveries wait to be made again; try again in a moment";
        return Err(Refusal::new(ErrorCode::CapacityExceeded, message).into());
    }
    Ok(Printed::ok(&RedeliverBody { queued }).with_status(StatusCode::ACCEPTED))
}

/// Sends a delivery that tells nothing, to see whether it arrives.
///
/// It is attempted once, whether the webhook is active or not.
#[utoipa::path(
    post,
    path = "/api/webhooks/{id}/test",
    tag = "webhooks",
    security(("key" = ["team:write"])),
    params(("id" = WebhookId, Path, description = "The webhook.")),
    responses((status = 200, description = "What became of it.", body = WebhookTestBody))
)]
async fn test(State(state): State<RestState>, caller: Caller, Id(id): Id<WebhookId>) -> Result<Printed, Rejection> {
    caller.allow(Need::WEBHOOK_CHANGES)?;
    let source = find(&state, id).await?.source;
    let Ok(turn) = std::sync::Arc::clone(&state.webhook_tests).try_acquire_owned() else {
        let message = format!("{TESTS_AT_ONCE_MAX} webhooks are being tried; try again in a moment");
        return Err(Refusal::new(ErrorCode::CapacityExceeded, message).into());
    };
    let (event_id, now) = (format!("test-{}", Uuid::now_v7().simple()), state.now());
    let (webhooks, id) = (state.webhooks.clone(), event_id.clone());
    let tested = tokio::task::spawn_blocking(move || {
        let result = webhooks.test(&source, &id, now);
        drop(turn);
        result
    });
    let result = tested.await.map_err(|error| {
        tracing::error!(%error, "a test of a webhook did not end");
        Refusal::new(ErrorCode::InternalError, "the gateway made a mistake; it is logged")
    })?;
    Ok(Printed::ok(&WebhookTestBody { event_id, delivered: result.is_ok(), reason: result.err() }))
}

fn check(state: &RestState, source: &WebhookSource) -> Result<(), Refusal> {
    let checked = state.webhooks.allowed().check(&source.url);
    checked.map_err(|(found, expected)| Refusal::invalid("url", found, expected))
}

/// Writes a webhook; `begin` counts where it is new.
async fn put(
    state: &RestState,
    caller: &Caller,
    source: &WebhookSource,
    begin: WebhookProgress,
) -> Result<(), Rejection> {
    change(state, caller, WebhookChange::Put(Box::new(source.clone()), begin)).await
}

async fn change(state: &RestState, caller: &Caller, change: WebhookChange) -> Result<(), Rejection> {
    match caller.change(state, state.engine.home(), Request::Webhook(Box::new(change))).await? {
        Outcome::Done => {
            state.webhooks.changed();
            Ok(())
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn all(state: &RestState) -> Result<Vec<Webhook>, Rejection> {
    match state.ask(state.engine.home(), &Request::Read(Query::Webhooks)).await? {
        Outcome::View(View::Webhooks(webhooks)) => Ok(webhooks),
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn find(state: &RestState, id: WebhookId) -> Result<Webhook, Rejection> {
    let found = all(state).await?.into_iter().find(|webhook| webhook.source.id == id);
    found.ok_or_else(|| Rejection::not_found("no webhook has this id"))
}

fn secret() -> Result<SigningSecret, Refusal> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Refusal::new(ErrorCode::InternalError, error.to_string()))?;
    Ok(SigningSecret::new(&format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))))
}
