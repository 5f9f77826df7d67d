//! The policies in force. Writing one reaches every shard before it is acknowledged.

use axum::extract::State;
use serde::Serialize;

use crate::{
    engine::{Answer, Engine},
    kernel::{Outcome, PolicyId, Request, outcome::View, policy::PolicySource, request::Query},
    server::{
        identity::Need,
        submit::{ANSWER_WAIT_MAX, AskError},
    },
    wire::json::{PolicyBody, PolicyPatch, read_policy, read_rules},
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Body,
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

#[derive(Serialize)]
struct PoliciesBody<'a> {
    policies: Vec<PolicyBody<'a>>,
}

#[derive(Serialize)]
struct RemovedBody {
    id: String,
    removed: bool,
    revision: u32,
}

/// Writes a policy. With an `id` in the body it replaces the policy of that id, so that applying a file twice is applying it once.
pub(super) async fn create(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let object = body.object()?;
    let key = key.or_in(&object)?;
    let id = object.identifier("id")?.unwrap_or_else(|| ids::policy(key.as_deref()));
    let source = read_policy(&object, id)?;
    let _changing = state.changes.lock().await;
    Ok(put(&state, &caller, source).await?.with_status(axum::http::StatusCode::CREATED))
}

pub(super) async fn list(State(state): State<RestState>, caller: Caller) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICIES)?;
    let policies = all(&state).await?;
    let policies = policies.iter().map(|(source, revision)| PolicyBody::of(source, *revision)).collect();
    Ok(Printed::ok(&PoliciesBody { policies }))
}

pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICIES)?;
    let (source, revision) = find(&state, id).await?;
    Ok(Printed::ok(&PolicyBody::of(&source, revision)))
}

pub(super) async fn update(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let patch = PolicyPatch::read(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let (source, _) = find(&state, id).await?;
    put(&state, &caller, patch.apply(source)).await
}

pub(super) async fn replace_rules(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    body: Body,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let rules = read_rules(&body.object()?)?;
    let _changing = state.changes.lock().await;
    let (source, _) = find(&state, id).await?;
    put(&state, &caller, PolicySource { rules, ..source }).await
}

pub(super) async fn remove(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<PolicyId>,
) -> Result<Printed, Rejection> {
    caller.allow(Need::POLICY_CHANGES)?;
    let _changing = state.changes.lock().await;
    let actor = caller.actor();
    match blocking(&state, move |engine| engine.remove_policy(id, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => {
            Ok(Printed::ok(&RemovedBody { id: id.to_string(), removed: true, revision }))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn put(state: &RestState, caller: &Caller, source: PolicySource) -> Result<Printed, Rejection> {
    let (written, actor) = (source.clone(), caller.actor());
    match blocking(state, move |engine| engine.put_policy(source, Some(&actor))).await? {
        Outcome::PolicyChanged { revision } => Ok(Printed::ok(&PolicyBody::of(&written, revision))),
        other => Err(Rejection::unexpected(&other)),
    }
}

async fn find(state: &RestState, id: PolicyId) -> Result<(PolicySource, u32), Rejection> {
    let found = all(state).await?.into_iter().find(|(source, _)| source.id == id);
    found.ok_or_else(|| Rejection::not_found("no policy has this id"))
}

async fn all(state: &RestState) -> Result<Vec<(PolicySource, u32)>, Rejection> {
    match state.ask(state.engine.home(), &Request::Read(Query::Policies)).await? {
        Outcome::View(View::Policies(policies)) => Ok(policies),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// A change of every shard waits for each in turn, so it runs where waiting is allowed.
async fn blocking(
    state: &RestState,
    change: impl FnOnce(&Engine) -> Answer + Send + 'static,
) -> Result<Outcome, Rejection> {
    let engine = state.engine.clone();
    let task = tokio::task::spawn_blocking(move || change(&engine));
    match tokio::time::timeout(ANSWER_WAIT_MAX, task).await {
        Ok(Ok(answer)) => Ok(answer?),
        Ok(Err(_)) | Err(_) => Err(AskError::OutcomeUnknown.into()),
    }
}
