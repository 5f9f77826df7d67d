//! `pre-authorize`, `record`, `services`, `budget` and `sessions/close` of a rail.

use axum::{Extension, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::AgentHandle,
    kernel::{
        Outcome, Protocol, Request,
        outcome::{Approval, Recorded, View},
        request::{CloseSession, Query},
    },
    server::{identity::Need, submit},
    wire::json::{
        AuthorizeBody, AuthorizeRequest, BudgetBody, BudgetRequestBody, CloseSessionBody, CloseSessionRequest,
        Decision, RAIL_SERVICES_PAGE_MAX, RecordBody, RecordItem, RecordRequest, RecordedBody, Refusal, ServicesBody,
        SessionClosedBody, WalletSummary,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection, refusal},
    body::{Body, Parameters},
    caller::Caller,
    ids::{self, KeyHeader},
};

/// The routes of a rail, below its path.
pub(super) fn routes(rail: Protocol) -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(pre_authorize))
        .routes(routes!(record))
        .routes(routes!(services))
        .routes(routes!(budget))
        .routes(routes!(close_session))
        .layer(Extension(rail))
}

/// Asks whether a payment may happen, and holds its money.
///
/// A denial is an answer like an approval: `authorized` is `false` and every limit against the payment is named.
#[utoipa::path(
    post,
    path = "/pre-authorize",
    tag = "payments",
    security(("key" = ["payments:request"])),
    params(KeyHeader),
    request_body = AuthorizeRequest,
    responses((status = 200, description = "The decision.", body = Decision))
)]
pub(super) async fn pre_authorize(
    Extension(rail): Extension<Protocol>,
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    let object = body.object()?;
    let asked = AuthorizeBody::read(&object, rail)?;
    let key = key.or_in(&object)?;
    let id = ids::authorization(key.as_deref().or(asked.payment_id()));
    // The wallet is looked at in the same turn: one hop, and the wallet is the one that was decided on.
    let authorize = Request::Authorize(agent.index, asked.request(id, rail));
    let look = Request::Read(Query::Wallets(agent.index));
    let budget = Request::Read(Query::BudgetInForce(agent.index));
    let requests = [(agent.shard, &authorize), (agent.shard, &look), (agent.shard, &budget)];
    let mut answers = submit::ask_all(&state.engine, &requests).await.into_iter();
    match answers.next().unwrap_or(Err(submit::AskError::OutcomeUnknown))? {
        Outcome::Approved(approval) => {
            let wallet = answers.next().and_then(Result::ok).and_then(|view| paying_wallet(&approval, &view));
            let decision = Decision::approved(&approval, rail, wallet)
                .with_budget(budget_in_force(answers.next()))
                .answering(asked.challenge());
            Ok(Printed::ok(&decision).repeated(approval.repeated))
        }
        Outcome::ApprovalRequired(waiting) => {
            let decision =
                Decision::waiting(&waiting).with_budget(budget_in_force(answers.nth(1))).answering(asked.challenge());
            Ok(Printed::ok(&decision.answering(asked.challenge())).repeated(waiting.repeated))
        }
        Outcome::Denied(denial) => {
            let decision = Decision::denied(&denial).with_budget(budget_in_force(answers.nth(1)));
            Ok(Printed::ok(&decision.answering(asked.challenge())))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}

fn paying_wallet(approval: &Approval, view: &Outcome) -> Option<WalletSummary> {
    let Outcome::View(View::Wallets(wallets)) = view else { return None };
    let wallet = wallets.get(usize::from(approval.wallet?))?;
    Some(WalletSummary::of(wallet, approval.available))
}

/// The budget of an answer; what could not be looked at is left out.
fn budget_in_force(answer: Option<Result<Outcome, submit::AskError>>) -> Option<BudgetRequestBody> {
    match answer?.ok()? {
        Outcome::View(View::BudgetInForce(budget)) => budget.map(|view| BudgetRequestBody::of(*view)),
        _ => None,
    }
}

/// Reports payments that were made, one or many.
///
/// The money has moved, so nothing is refused for want of budget; what goes beyond its hold is booked as overage.
#[utoipa::path(
    post,
    path = "/record",
    tag = "payments",
    security(("key" = ["transactions:write"])),
    params(KeyHeader),
    request_body = RecordRequest,
    responses((status = 200, description = "How each payment was booked.", body = RecordedBody<'_>))
)]
pub(super) async fn record(
    Extension(rail): Extension<Protocol>,
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::REPORTS)?;
    let object = body.object()?;
    let key = key.or_in(&object)?;
    let (mut items, single) = match RecordBody::read(&object)? {
        RecordBody::Single(item) => (vec![Ok(item)], true),
        RecordBody::Bulk(items) => (items, false),
    };
    if let Some(key) = &key {
        name_items(&mut items, key);
    }
    let (outcomes, budget) = book(&state, agent, rail, &items).await;
    match outcomes.as_slice() {
        [Err(refusal)] if single => Err(Rejection::from(refusal.clone())),
        _ => {
            let items: Vec<_> = items.iter().map(|item| item.as_ref().ok()).collect();
            Ok(Printed::ok(&RecordedBody::of(&items, &outcomes, single).with_budget(budget)))
        }
    }
}

/// Names payments that have no name of their own after the client's key, each by its place, so that a retry counts nothing twice.
fn name_items(items: &mut [Result<RecordItem, Refusal>], key: &str) {
    for (index, item) in items.iter_mut().enumerate() {
        if let Ok(item) = item {
            item.name_by(&format!("idempotency-key/{index}/{key}"));
        }
    }
}

/// Books the payments that could be read, all in one batch, and leaves the others as they are. The budget in force is looked at in the same
/// turn.
async fn book(
    state: &RestState,
    agent: AgentHandle,
    rail: Protocol,
    items: &[Result<RecordItem, Refusal>],
) -> (Vec<Result<Recorded, Refusal>>, Option<BudgetRequestBody>) {
    let records = items.iter().flatten().map(|item| Request::Record(agent.index, item.request(rail)));
    let budget = Request::Read(Query::BudgetInForce(agent.index));
    let requests: Vec<Request<'_>> = records.chain([budget]).collect();
    let requests: Vec<_> = requests.iter().map(|request| (agent.shard, request)).collect();
    let mut answers = submit::ask_all(&state.engine, &requests).await.into_iter();
    let booked = |item: &Result<RecordItem, Refusal>| {
        item.as_ref().map_err(Refusal::clone)?;
        recorded(answers.next().unwrap_or(Err(submit::AskError::OutcomeUnknown)))
    };
    let outcomes = items.iter().map(booked).collect();
    (outcomes, budget_in_force(answers.next()))
}

fn recorded(answer: Result<Outcome, submit::AskError>) -> Result<Recorded, Refusal> {
    match answer.map_err(refusal)? {
        Outcome::Recorded(recorded) => Ok(recorded),
        other => Err(Rejection::unexpected(&other).into()),
    }
}

/// What the agent spent where.
#[utoipa::path(
    get,
    path = "/services",
    tag = "payments",
    security(("key" = ["transactions:read"])),
    params(
        ("limit" = Option<u64>, Query, description = "How many; all unless said otherwise."),
        ("offset" = Option<u64>, Query, description = "How many to leave out.")
    ),
    responses((status = 200, description = "The services that were paid.", body = ServicesBody))
)]
pub(super) async fn services(
    Extension(rail): Extension<Protocol>,
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::TRANSACTIONS)?;
    let limit = parameters.count("limit", RAIL_SERVICES_PAGE_MAX, RAIL_SERVICES_PAGE_MAX)?.max(1);
    let offset = parameters.count("offset", 0, usize::MAX)?;
    match state.ask(agent.shard, &Request::Read(Query::Services(agent.index, rail))).await? {
        Outcome::View(View::Services(views)) => Ok(Printed::ok(&ServicesBody::of(views, offset, limit))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// What is left of the agent's limits.
#[utoipa::path(
    get,
    path = "/budget",
    tag = "payments",
    security(("key" = ["policies:read"])),
    params(("sessionId" = Option<String>, Query, description = "Look at one session as well.")),
    responses((status = 200, description = "Limits, spend and what is left.", body = BudgetBody))
)]
pub(super) async fn budget(
    Extension(rail): Extension<Protocol>,
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::BUDGET)?;
    let session = parameters.text("sessionId").unwrap_or_default();
    match state.ask(agent.shard, &Request::Read(Query::Budget(agent.index, rail, session))).await? {
        Outcome::View(View::Budget(view)) => Ok(Printed::ok(&BudgetBody::of(*view, rail, state.now()))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Closes a session and releases what it did not spend.
#[utoipa::path(
    post,
    path = "/sessions/close",
    tag = "payments",
    security(("key" = ["payments:request"])),
    request_body = Option<CloseSessionRequest>,
    responses((status = 200, description = "What was spent and what was released.", body = SessionClosedBody))
)]
pub(super) async fn close_session(
    Extension(rail): Extension<Protocol>,
    State(state): State<RestState>,
    caller: Caller,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    let asked = CloseSessionBody::read(&body.optional_object()?)?;
    let close = CloseSession { protocol: rail, session: &asked.session };
    match state.ask(agent.shard, &Request::CloseSession(agent.index, close)).await? {
        Outcome::SessionClosed { spent, released } => {
            Ok(Printed::ok(&SessionClosedBody::of(&asked.session, spent, released)))
        }
        other => Err(Rejection::unexpected(&other)),
    }
}
