//! How do domain types look in JSON? One file a subject, each with what is read and what is printed. Amounts are read from
//! and printed to their decimal text; no floating point number occurs. Unknown members are accepted, for clients send more than
//! is asked; wrong types never are. What is read is described for the OpenAPI document by a `…Request` beside its reader.

mod agent;
mod alert;
mod approval;
mod authorize;
mod backtest;
mod budget;
mod budget_request;
mod challenged;
mod counterparty;
mod facts;
mod hold;
mod key;
mod money;
mod object;
mod payment;
mod payment_decision;
mod payment_settled;
mod policy;
mod record;
mod refusal;
mod sanctions;
mod schema;
mod service_domain;
mod setup;
mod shadow;
mod simulate;
mod spend;
mod transaction;
mod tried;
mod wallet;
mod watching;
mod webhook;

pub use agent::{AgentBody, AgentPage, AgentRequest, AgentUpdateRequest, NewAgent, UpdateAgentBody, agent_status_word};
pub use alert::{
    AlertBody, AlertPage, AlertUpdateRequest, alert_kind, alert_status, alert_status_word, read_alert_change, severity,
    severity_word,
};
pub use approval::{ApprovalDecisionBody, ApprovalDecisionRequest, ApprovalPage, ApprovalRequestBody, approval_status};
pub use authorize::{AuthorizeBody, AuthorizeRequest, Decision, WalletSummary};
pub use backtest::{BacktestBody, BacktestLine, BacktestRequest, since};
pub use budget::{BudgetBody, RAIL_SERVICES_PAGE_MAX, ServicesBody};
pub use budget_request::{
    BudgetDecisionBody, BudgetDecisionRequest, BudgetPage, BudgetRequestBody, BudgetRequestRequest, NewBudgetRequest,
    budget_status,
};
pub use challenged::{ChallengeRequest, ChallengeSummary};
pub use counterparty::{
    CounterpartyBody, CounterpartyPage, CounterpartyPatch, CounterpartyRequest, CounterpartyUpdateRequest, standing,
};
pub(in crate::wire) use facts::chain_of;
pub use facts::{FactsBody, FactsRequest, moment};
pub use hold::{
    AmountRequest, AuthorizationBody, CaptureBody, CaptureForbidden, CaptureRequest, CapturedBody, CloseSessionBody,
    CloseSessionRequest, ExtendBody, ExtendRequest, ExtendedBody, IncrementDecision, IncrementedBody, MisdirectedBody,
    RefundedBody, SessionClosedBody, VoidedBody, amount_of,
};
pub use key::{GatewayKeyRequest, IssuedKey, KeyBody, KeyRequest, NewGatewayKey, NewKey};
pub use money::{Money, print};
pub use object::Object;
pub use payment::{CardPayment, ExternalPayment, PaymentBody, RequestedPayment};
pub use payment_decision::{PaymentDecision, PaymentRefused};
pub use payment_settled::{
    CardConfirmBody, CardConfirmRequest, CardConfirmed, ConfirmBody, ConfirmRefused, ConfirmRequest, LateBody,
    NotChargedBody, PaymentStatusBody, SettledBody,
};
pub use policy::{
    AddedRulesRequest, PolicyBody, PolicyPatch, PolicyRequest, PolicyUpdateRequest, RulesRequest, read_added_rules,
    read_policy, read_rules,
};
pub use record::{ItemBody, RECORDS_MAX, RecordBody, RecordItem, RecordRequest, RecordedBody, booking_word};
pub use refusal::{Refusal, RefusalBody};
pub use sanctions::{SanctionsBody, SanctionsRequest, read_sanctions};
pub use schema::Anything;
pub use service_domain::service_domain;
pub use setup::SetupBody;
pub use shadow::{ShadowBody, ShadowSum};
pub use simulate::{SimulateBody, SimulateRequest, SimulatedBody};
pub use spend::{
    SERVICES_PAGE_DEFAULT, SERVICES_PAGE_MAX, SpendFilter, SpendServicesBody, SpendSummaryBody, rail, span,
};
pub use transaction::{TRANSACTIONS_PAGE_DEFAULT, TransactionsBody};
pub use tried::TriedPolicy;
pub use wallet::{WalletBody, WalletPatch, WalletRequest};
pub use watching::{AlertConfig, FreezeBody, FreezeConfig, FreezeRequest};
pub use webhook::{
    DeadLettersBody, IssuedWebhook, RedeliverBody, RedeliverRequest, WebhookBody, WebhookPatch, WebhookRemovedBody,
    WebhookRequest, WebhookTestBody, WebhooksBody, redelivered,
};
