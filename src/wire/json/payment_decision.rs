//! What is decided about a payment outside the rails, in the shapes that clients of `payments` and `cards` know.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{
        Amount, AuthorizationId, Protocol, Timestamp,
        outcome::{
            AgentView, Approval, ApprovalRequired, BudgetView, Denial, Measure, Settled, Violation, ViolationKind,
            WalletView,
        },
    },
    wire::{ErrorCode, chain::Chain},
};

use super::{
    AuthorizeBody, BudgetRequestBody, Money, Refusal, WalletSummary,
    authorize::ViolationBody,
    refusal::{RefusalBody, RefusalDetail},
};

/// What amounts are counted in where the chain is not known.
const CURRENCY: &str = "USDC";

/// A payment is approved, denied, or waits for people.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDecision {
    /// The hold, under which the payment is executed, looked at and let go.
    #[schema(value_type = AuthorizationId)]
    request_id: String,
    /// The same.
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    #[schema(pattern = "^(APPROVED|DENIED|REQUIRES_APPROVAL|EXECUTED)$", example = "APPROVED")]
    status: &'static str,
    /// Whether the money is held and may be paid.
    approved: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<PayingWallet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_selection_reason: Option<String>,
    /// The caller may pay until then, or people must have decided by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<Money>,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<ChainBody>,
    /// What executing it at once came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<ExecutionBody>,
    /// Why it was not executed at once, though it was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_execute_error: Option<String>,
    #[serde(flatten)]
    external: Option<ExternalBody>,
    requires_human_approval: bool,
    /// What people are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_request_id: Option<String>,
    reasons: Vec<String>,
    violations: Vec<ViolationBody>,
    /// What can be done about a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<DenialContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_request: Option<BudgetRequestBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RefusalDetail<'static>>,
}

/// What a denial, or any other refusal, of `payments/request` is answered with.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "it describes, and is never made")]
pub enum PaymentRefused {
    /// The payment is denied.
    Denied(PaymentDecision),
    /// The request was not carried out.
    Refused(RefusalBody<'static>),
}

impl PaymentDecision {
    fn of(id: AuthorizationId, status: &'static str) -> PaymentDecision {
        PaymentDecision {
            request_id: id.to_string(),
            authorization_id: id.to_string(),
            status,
            approved: false,
            wallet: None,
            wallet_selection_reason: None,
            expires_at: None,
            remaining: None,
            currency: CURRENCY.to_owned(),
            chain: None,
            execution: None,
            auto_execute_error: None,
            external: None,
            requires_human_approval: false,
            approval_request_id: None,
            reasons: Vec::new(),
            violations: Vec::new(),
            context: None,
            budget_request: None,
            error: None,
        }
    }

    /// The money is held. A repeated request prints the same.
    #[must_use]
    pub fn approved(
        approval: &Approval,
        asked: &AuthorizeBody,
        protocol: Protocol,
        agent: Option<&AgentView>,
    ) -> PaymentDecision {
        let position = approval.wallet.map(usize::from);
        let wallets = agent.map_or(&[][..], |agent| &agent.wallets);
        let wallet = position.and_then(|position| wallets.get(position));
        let chain_id = if asked.chain().is_empty() {
            wallet.map(|wallet| wallet.source.chain_id.as_str())
        } else {
            Some(asked.chain())
        };
        let chain = chain_id.map(ChainBody::of);
        PaymentDecision {
            approved: true,
            wallet: wallet.map(|wallet| PayingWallet::of(wallet, approval.available)),
            wallet_selection_reason: wallet.map(|wallet| selection_reason(wallet, wallets.len(), asked.names_wallet())),
            expires_at: Some(approval.expires_at.to_string()),
            remaining: approval.remaining.map(Money),
            currency: chain_id.map_or(CURRENCY, currency).to_owned(),
            chain,
            reasons: approval.reasons.texts(protocol),
            ..PaymentDecision::of(approval.id, "APPROVED")
        }
    }

    /// The payment may not happen; every limit against it is named, and what can be done.
    #[must_use]
    pub fn denied(id: AuthorizationId, denial: &Denial, agent: Option<&AgentView>) -> PaymentDecision {
        let wallets = agent.map_or(&[][..], |agent| &agent.wallets);
        PaymentDecision {
            reasons: denial.violations.iter().map(Violation::message).collect(),
            violations: denial.violations.iter().map(ViolationBody::of).collect(),
            context: Some(DenialContext {
                wallets: wallets.iter().map(|wallet| WalletSummary::of(&wallet.source, wallet.available)).collect(),
                next_steps: next_steps(&denial.violations),
            }),
            error: Some(RefusalDetail::of_code(denial_code(denial), "the payment is denied; `violations` says why")),
            ..PaymentDecision::of(id, "DENIED")
        }
    }

    /// The money is held while people decide.
    #[must_use]
    pub fn waiting(waiting: &ApprovalRequired) -> PaymentDecision {
        PaymentDecision {
            expires_at: Some(waiting.decide_by.to_string()),
            requires_human_approval: true,
            approval_request_id: Some(waiting.request.to_string()),
            reasons: waiting.about.iter().map(Violation::message).collect(),
            violations: waiting.about.iter().map(ViolationBody::of).collect(),
            ..PaymentDecision::of(waiting.id, "REQUIRES_APPROVAL")
        }
    }

    /// With the budget that limits the agent.
    #[must_use]
    pub fn with_budget(self, budget_request: Option<BudgetRequestBody>) -> PaymentDecision {
        PaymentDecision { budget_request, ..self }
    }

    /// With what executing it at once came to.
    #[must_use]
    pub fn executed(self, settled: &Result<Settled, Refusal>) -> PaymentDecision {
        match settled {
            Ok(settled) => PaymentDecision { status: "EXECUTED", execution: Some(ExecutionBody::of(settled)), ..self },
            Err(refusal) => PaymentDecision { auto_execute_error: Some(refusal.message().to_owned()), ..self },
        }
    }

    /// With what a payment from a wallet outside the gateway's view needs to be confirmed.
    #[must_use]
    pub fn external(self, token: Option<String>, limits: Option<&BudgetView>) -> PaymentDecision {
        let confirm_url = format!("/api/sdk/payments/{}/confirm", self.request_id);
        let external = ExternalBody {
            approval_id: self.request_id.clone(),
            confirm_url: token.is_some().then_some(confirm_url),
            approval_token: token,
            limits: limits.map(DailyLimits::of),
        };
        PaymentDecision { external: Some(external), ..self }
    }

    /// The code of a denial, which says the status of its HTTP response.
    #[must_use]
    pub fn code(denial: &Denial) -> ErrorCode {
        denial_code(denial)
    }
}

/// What a payment from a wallet of the agent's own needs to be confirmed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExternalBody {
    #[schema(value_type = AuthorizationId)]
    approval_id: String,
    /// Says that this amount to this recipient on this chain was approved; confirming the payment takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_token: Option<String>,
    /// The path to confirm the payment at.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<DailyLimits>,
}

/// The tightest limit on the day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DailyLimits {
    daily_used: Money,
    /// `null` without a limit.
    daily_limit: Option<Money>,
    /// `null` without a limit.
    daily_remaining: Option<Money>,
}

impl DailyLimits {
    fn of(view: &BudgetView) -> DailyLimits {
        let daily = view.limits.iter().filter_map(|limit| match (limit.kind.code(), limit.limit, limit.used) {
            ("DAILY_LIMIT", Measure::Money(cap), Measure::Money(used)) => Some((cap.saturating_sub(used), cap, used)),
            _ => None,
        });
        match daily.min() {
            Some((left, cap, used)) => DailyLimits {
                daily_used: Money(used),
                daily_limit: Some(Money(cap)),
                daily_remaining: Some(Money(left)),
            },
            None => {
                let [today, ..] = view.used;
                DailyLimits { daily_used: Money(today), daily_limit: None, daily_remaining: None }
            }
        }
    }
}

/// The wallet that pays.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PayingWallet {
    #[serde(flatten)]
    wallet: WalletSummary,
    custody_type: String,
}

impl PayingWallet {
    fn of(wallet: &WalletView, available: Option<Amount>) -> PayingWallet {
        let custody_type = wallet.source.custody.clone();
        PayingWallet { wallet: WalletSummary::of(&wallet.source, available), custody_type }
    }
}

fn selection_reason(wallet: &WalletView, count: usize, named: bool) -> String {
    match (named, count) {
        (true, _) => "The request names this wallet".to_owned(),
        (false, 1) => "The agent has no other wallet".to_owned(),
        (false, _) => format!("{} is preferred among the wallets that may pay", wallet.source.custody),
    }
}

/// A chain.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChainBody {
    chain_id: String,
    chain_name: String,
    /// `EVM` or `SOLANA`; `null` for a chain that is not known.
    chain_type: Option<&'static str>,
    explorer_url: Option<&'static str>,
}

impl ChainBody {
    fn of(id: &str) -> ChainBody {
        let known = Chain::find(id);
        ChainBody {
            chain_id: known.map_or_else(|| id.to_owned(), |chain| chain.id.clone()),
            chain_name: known.map_or_else(|| id.to_owned(), |chain| chain.name.clone()),
            chain_type: known.map(|chain| chain.kind.as_str()),
            explorer_url: known.map(|chain| chain.explorer.as_str()),
        }
    }
}

/// What amounts on a chain are counted in.
pub(super) fn currency(chain: &str) -> &'static str {
    Chain::find(chain).map_or(CURRENCY, |chain| &chain.currency)
}

/// What became of executing a payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExecutionBody {
    transaction_id: String,
    /// `null`: the caller makes the payment.
    tx_hash: Option<String>,
    explorer_url: Option<String>,
    status: &'static str,
}

impl ExecutionBody {
    fn of(settled: &Settled) -> ExecutionBody {
        ExecutionBody {
            transaction_id: settled.operation.to_string(),
            tx_hash: None,
            explorer_url: None,
            status: "CONFIRMING",
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DenialContext {
    wallets: Vec<WalletSummary>,
    next_steps: Vec<String>,
}

/// The code of a denial: what alone stands against the payment, else that it is denied.
fn denial_code(denial: &Denial) -> ErrorCode {
    let code = |violation: &Violation| match (violation.kind, violation.kind.code()) {
        (ViolationKind::Balance, _) => ErrorCode::InsufficientBalance,
        (ViolationKind::NoWallet, _) => ErrorCode::NoWallet,
        (_, "DAILY_LIMIT") => ErrorCode::DailyLimitExceeded,
        (_, "PER_TX_LIMIT") => ErrorCode::PerTxLimitExceeded,
        _ => ErrorCode::PaymentDenied,
    };
    let mut codes = denial.violations.iter().map(code);
    let first = codes.next().unwrap_or(ErrorCode::PaymentDenied);
    if codes.all(|code| code == first) { first } else { ErrorCode::PaymentDenied }
}

/// What can be done about each violation, each step once.
fn next_steps(violations: &[Violation]) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for step in violations.iter().map(next_step) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

fn next_step(violation: &Violation) -> String {
    if let Measure::Missing(fact) = violation.current {
        return format!("Send `{}`, which a policy asks for", fact.field());
    }
    match (violation.kind, violation.limit) {
        (ViolationKind::AgentNotActive(_), _) => "Ask an operator to make the agent active again".to_owned(),
        (ViolationKind::Sanctioned, _) => "Pay another recipient".to_owned(),
        (ViolationKind::CounterpartyBlocked, _) => {
            "Pay another recipient, or ask an operator to unblock this one".to_owned()
        }
        (ViolationKind::NoWallet, _) => "Ask an operator to link a wallet, or name one that the agent has".to_owned(),
        (ViolationKind::WalletFrozen, _) => "Name another wallet, or ask an operator to release this one".to_owned(),
        (ViolationKind::Balance, _) => "Fund the wallet, or name another one".to_owned(),
        (ViolationKind::BudgetExceeded | ViolationKind::BudgetExhausted, _) => "Ask for another budget".to_owned(),
        (_, Measure::Money(limit)) => {
            format!("Ask for less (the limit is {limit}), wait until it resets, or ask an operator to raise it")
        }
        (_, Measure::Count(_) | Measure::Time(_)) => {
            "Wait until the limit resets, or ask an operator to raise it".to_owned()
        }
        (_, Measure::Score(_) | Measure::Missing(_) | Measure::None) => {
            "Ask an operator whether the policy should allow this".to_owned()
        }
    }
}
