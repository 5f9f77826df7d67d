//! Payments outside the rails: asked for, executed, confirmed and looked at, from wallets and by card.

use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::AgentHandle,
    kernel::{
        AuthorizationId, Outcome, Protocol, Request,
        outcome::{AgentView, BudgetView, Settled, View},
        request::{Query, Settle},
    },
    server::{
        approval_token::ApprovedPayment,
        identity::Need,
        submit::{self, AskError},
    },
    wire::json::{
        AuthorizeBody, BudgetRequestBody, CardConfirmBody, CardConfirmRequest, CardConfirmed, CardPayment, ConfirmBody,
        ConfirmRefused, ConfirmRequest, ExternalPayment, LateBody, NotChargedBody, PaymentBody, PaymentDecision,
        PaymentRefused, PaymentStatusBody, Refusal, RequestedPayment, SettledBody,
    },
};

use super::{
    RestState,
    answer::{Printed, Rejection, refusal},
    body::Body,
    caller::Caller,
    ids::{self, Id, KeyHeader},
};

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(request))
        .routes(routes!(execute))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(confirm))
        .routes(routes!(approve_card))
        .routes(routes!(confirm_card))
}

/// What was decided, and what was looked at in the same turn: the wallet is the one that was decided on.
struct Decided {
    outcome: Outcome,
    agent: Option<AgentView>,
    budget: Option<BudgetView>,
    budget_request: Option<BudgetRequestBody>,
    settled: Option<Result<Settled, Refusal>>,
}

async fn decide(
    state: &RestState,
    agent: AgentHandle,
    id: AuthorizationId,
    protocol: Protocol,
    payment: &PaymentBody,
) -> Result<Decided, Rejection> {
    let authorize = Request::Authorize(agent.index, payment.asked.request(id, protocol));
    let settle = Request::Settle(agent.index, Settle { id, amount: None, paid: None });
    let look = Request::Read(Query::Agent(agent.index));
    let limits = Request::Read(Query::Budget(agent.index, protocol, ""));
    let in_force = Request::Read(Query::BudgetInForce(agent.index));
    let mut requests = vec![&authorize, &look, &limits, &in_force];
    // Settling fails by itself where the payment is not approved.
    requests.extend(payment.executes.then_some(&settle));
    let requests: Vec<_> = requests.into_iter().map(|request| (agent.shard, request)).collect();
    let mut answers = submit::ask_all(&state.engine, &requests).await.into_iter();
    let mut next = || answers.next().unwrap_or(Err(AskError::OutcomeUnknown));
    Ok(Decided {
        outcome: next()?,
        agent: match next() {
            Ok(Outcome::View(View::Agent(view))) => Some(*view),
            _ => None,
        },
        budget: match next() {
            Ok(Outcome::View(View::Budget(view))) => Some(*view),
            _ => None,
        },
        budget_request: match next() {
            Ok(Outcome::View(View::BudgetInForce(budget))) => budget.map(|view| BudgetRequestBody::of(*view)),
            _ => None,
        },
        settled: payment.executes.then(|| settled(next())),
    })
}

fn settled(answer: Result<Outcome, AskError>) -> Result<Settled, Refusal> {
    match answer.map_err(refusal)? {
        Outcome::Settled(settled) => Ok(settled),
        other => Err(Rejection::unexpected(&other).into()),
    }
}

/// Asks whether a payment may be made, and holds its money.
///
/// A denial is answered with the status of its code and with every limit that stands against the payment. Holdfast never moves money: an approved payment
/// is executed by the caller, who says so first.
#[utoipa::path(
    post,
    path = "/api/sdk/payments/request",
    tag = "payments",
    security(("key" = ["payments:request"])),
    params(KeyHeader),
    request_body = RequestedPayment,
    responses(
        (status = 200, description = "The payment is approved, or executed at once.", body = PaymentDecision),
        (status = 202, description = "People are asked; the money is held meanwhile.", body = PaymentDecision),
        (status = 400, description = "The payment is denied for a reason with a code of its own. Or the request is not valid.", body = PaymentRefused),
        (status = 403, description = "The payment is denied. Or the key lacks the scope.", body = PaymentRefused)
    )
)]
pub(super) async fn request(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    let object = body.object()?;
    let payment = PaymentBody::read(&object)?;
    if payment.executes {
        caller.agent(&state, Need::EXECUTION)?;
    }
    let id = ids::authorization(key.or_in(&object)?.as_deref().or(payment.asked.payment_id()));
    let decided = decide(&state, agent, id, Protocol::Payment, &payment).await?;
    match &decided.outcome {
        Outcome::Approved(approval) => {
            let mut decision =
                PaymentDecision::approved(approval, &payment.asked, Protocol::Payment, decided.agent.as_ref());
            if let Some(settled) = &decided.settled {
                decision = decision.executed(settled);
            }
            Ok(Printed::ok(&decision.with_budget(decided.budget_request)).repeated(approval.repeated))
        }
        Outcome::ApprovalRequired(waiting) => {
            let decision = PaymentDecision::waiting(waiting).with_budget(decided.budget_request);
            Ok(Printed::ok(&decision).with_status(StatusCode::ACCEPTED).repeated(waiting.repeated))
        }
        Outcome::Denied(denial) => {
            let decision = PaymentDecision::denied(id, denial, decided.agent.as_ref());
            let status = StatusCode::from_u16(PaymentDecision::code(denial).http_status());
            let printed = Printed::ok(&decision.with_budget(decided.budget_request));
            Ok(printed.with_status(status.unwrap_or(StatusCode::FORBIDDEN)))
        }
        other => Err(Rejection::unexpected(other)),
    }
}

/// Takes an approved payment for paid: the caller pays exactly that, now.
///
/// Possible as long as the caller may pay, and once; again, it answers the same.
#[utoipa::path(
    post,
    path = "/api/sdk/payments/{id}/execute",
    tag = "payments",
    security(("key" = ["payments:execute"])),
    params(("id" = AuthorizationId, Path, description = "The payment.")),
    responses((status = 200, description = "It is booked; pay now.", body = SettledBody))
)]
pub(super) async fn execute(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::EXECUTION)?;
    let settle = Settle { id, amount: None, paid: None };
    let settled = settled(state.ask(agent.shard, &Request::Settle(agent.index, settle)).await)?;
    Ok(Printed::ok(&SettledBody::executed(id, &settled)).repeated(settled.repeated))
}

/// Shows a payment.
#[utoipa::path(
    get,
    path = "/api/sdk/payments/{id}",
    tag = "payments",
    security(("key" = ["payments:request"])),
    params(("id" = AuthorizationId, Path, description = "The payment.")),
    responses((status = 200, description = "The payment as of now.", body = PaymentStatusBody))
)]
pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::PAYMENTS)?;
    match state.ask(agent.shard, &Request::Read(Query::Authorization(agent.index, id))).await? {
        Outcome::View(View::Authorization(view)) => Ok(Printed::ok(&PaymentStatusBody::of(*view, state.now()))),
        other => Err(Rejection::unexpected(&other)),
    }
}

/// Asks whether a payment may be made from a wallet of the agent's own, and holds its money for ten minutes.
///
/// The token says what was approved: this amount to this recipient on this chain. Whoever has paid confirms it with the token.
#[utoipa::path(
    post,
    path = "/api/sdk/payments/approve",
    tag = "payments",
    security(("key" = ["payments:approve"])),
    params(KeyHeader),
    request_body = ExternalPayment,
    responses((status = 200, description = "The decision.", body = PaymentDecision))
)]
pub(super) async fn approve(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::EXTERNAL_PAYMENTS)?;
    let object = body.object()?;
    let payment = PaymentBody::read_external(&object)?;
    let id = ids::authorization(key.or_in(&object)?.as_deref().or(payment.asked.payment_id()));
    let decided = decide(&state, agent, id, Protocol::Payment, &payment).await?;
    let (decision, repeated) = decision(id, &payment.asked, Protocol::Payment, &decided)?;
    let token = match &decided.outcome {
        Outcome::Approved(_) => token(&state, id, &payment.asked, decided.agent.as_ref()),
        _ => None,
    };
    let decision = decision.external(token, decided.budget.as_ref());
    Ok(Printed::ok(&decision.with_budget(decided.budget_request)).repeated(repeated))
}

/// What an outside payer is told, and whether it was told before.
fn decision(
    id: AuthorizationId,
    asked: &AuthorizeBody,
    protocol: Protocol,
    decided: &Decided,
) -> Result<(PaymentDecision, bool), Rejection> {
    let agent = decided.agent.as_ref();
    match &decided.outcome {
        Outcome::Approved(approval) => {
            Ok((PaymentDecision::approved(approval, asked, protocol, agent), approval.repeated))
        }
        Outcome::ApprovalRequired(waiting) => Ok((PaymentDecision::waiting(waiting), waiting.repeated)),
        Outcome::Denied(denial) => Ok((PaymentDecision::denied(id, denial, agent), false)),
        other => Err(Rejection::unexpected(other)),
    }
}

fn token(state: &RestState, id: AuthorizationId, asked: &AuthorizeBody, agent: Option<&AgentView>) -> Option<String> {
    Some(state.token_key.token(&ApprovedPayment {
        agent: agent?.id,
        authorization: id,
        amount: asked.amount(),
        recipient: asked.recipient().to_owned(),
        chain: asked.chain().to_owned(),
    }))
}

/// Says by which transaction an approved payment was made.
///
/// A payment that was made after its window is booked all the same, beyond every limit, and answered as a refusal.
#[utoipa::path(
    post,
    path = "/api/sdk/payments/{id}/confirm",
    tag = "payments",
    security(("key" = ["payments:confirm"])),
    params(("id" = AuthorizationId, Path, description = "The approval.")),
    request_body = ConfirmRequest,
    responses(
        (status = 200, description = "It is booked.", body = SettledBody),
        (status = 400, description = "The approval was over, and the payment is booked all the same. Or the request is not valid.", body = ConfirmRefused)
    )
)]
pub(super) async fn confirm(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::CONFIRMATION)?;
    let confirmed = ConfirmBody::read(&body.object()?)?;
    let approved = state.token_key.read(&confirmed.token).filter(|approved| approved.authorization == id);
    let approved = approved.filter(|approved| state.engine.agent(approved.agent) == Some(agent)).ok_or_else(|| {
        Refusal::invalid("approvalToken", "is not the token of this approval", "the token that came with the approval")
    })?;
    let settle = Settle { id, amount: Some(approved.amount), paid: Some(&confirmed.transaction) };
    let settled = settled(state.ask(agent.shard, &Request::Settle(agent.index, settle)).await)?;
    let body = |settled: &Settled| {
        SettledBody::confirmed(id, settled, &approved.chain, Some(approved.recipient.clone()), &confirmed.transaction)
    };
    Ok(printed(id, &settled, body))
}

/// What was booked, as a refusal where the hold was over.
fn printed(id: AuthorizationId, settled: &Settled, body: impl FnOnce(&Settled) -> SettledBody) -> Printed {
    let printed = match settled.over {
        None => Printed::ok(&body(settled)),
        Some(over) => {
            let (code, late) = LateBody::of(id, settled, over);
            Printed::ok(&late).with_status(StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::BAD_REQUEST))
        }
    };
    printed.repeated(settled.repeated)
}

/// Asks whether a card may be charged at a merchant, and holds the money for five minutes.
#[utoipa::path(
    post,
    path = "/api/sdk/cards/approve",
    tag = "payments",
    security(("key" = ["payments:approve"])),
    params(KeyHeader),
    request_body = CardPayment,
    responses((status = 200, description = "The decision.", body = PaymentDecision))
)]
pub(super) async fn approve_card(
    State(state): State<RestState>,
    caller: Caller,
    key: KeyHeader,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::EXTERNAL_PAYMENTS)?;
    let object = body.object()?;
    let payment = PaymentBody::read_card(&object)?;
    let id = ids::authorization(key.or_in(&object)?.as_deref().or(payment.asked.payment_id()));
    let decided = decide(&state, agent, id, Protocol::Card, &payment).await?;
    let (decision, repeated) = decision(id, &payment.asked, Protocol::Card, &decided)?;
    Ok(Printed::ok(&decision.with_budget(decided.budget_request)).repeated(repeated))
}

/// Says whether the card was charged, and how much.
///
/// A card that was not charged releases its hold; one that was charged after its window is booked all the same, beyond every limit, and answered
/// as a refusal.
#[utoipa::path(
    post,
    path = "/api/sdk/cards/{id}/confirm",
    tag = "payments",
    security(("key" = ["payments:confirm"])),
    params(("id" = AuthorizationId, Path, description = "The approval.")),
    request_body = CardConfirmRequest,
    responses(
        (status = 200, description = "It is booked, or released.", body = CardConfirmed),
        (status = 400, description = "The approval was over, and the charge is booked all the same. Or the request is not valid.", body = ConfirmRefused)
    )
)]
pub(super) async fn confirm_card(
    State(state): State<RestState>,
    caller: Caller,
    Id(id): Id<AuthorizationId>,
    body: Body,
) -> Result<Printed, Rejection> {
    let agent = caller.agent(&state, Need::CONFIRMATION)?;
    match CardConfirmBody::read(&body.optional_object()?)? {
        CardConfirmBody::Charged { amount, reference } => {
            let settle = Settle { id, amount, paid: Some(&reference) };
            let settled = settled(state.ask(agent.shard, &Request::Settle(agent.index, settle)).await)?;
            Ok(printed(id, &settled, |settled| SettledBody::confirmed(id, settled, "", None, &reference)))
        }
        CardConfirmBody::NotCharged => match state.ask(agent.shard, &Request::Void(agent.index, id)).await? {
            Outcome::Voided { released } => Ok(Printed::ok(&NotChargedBody::of(id, released))),
            other => Err(Rejection::unexpected(&other)),
        },
    }
}
