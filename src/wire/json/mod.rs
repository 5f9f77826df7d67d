//! How do domain types look in JSON? One file a subject, each with what is read and what is printed. Amounts are read from
//! and printed to their decimal text; no floating point number occurs. Unknown members are accepted, for clients send more than
//! is asked; wrong types never are.

mod agent;
mod authorize;
mod budget;
mod facts;
mod hold;
mod key;
mod money;
mod object;
mod policy;
mod record;
mod refusal;
mod service_domain;
mod wallet;

pub use agent::{AgentBody, AgentPage, NewAgent, UpdateAgentBody, agent_status_word};
pub use authorize::{AuthorizeBody, Decision, WalletSummary};
pub use budget::{BudgetBody, ServicesBody};
pub use facts::{FactsBody, moment};
pub use hold::{
    AuthorizationBody, CaptureBody, CapturedBody, CloseSessionBody, ExtendBody, ExtendedBody, IncrementedBody,
    RefundedBody, SessionClosedBody, VoidedBody, amount_of,
};
pub use key::{IssuedKey, KeyBody, NewGatewayKey, NewKey};
pub use money::{Money, print};
pub use object::Object;
pub use policy::{PolicyBody, PolicyPatch, read_policy, read_rules};
pub use record::{ItemBody, RECORDS_MAX, RecordBody, RecordItem, RecordedBody};
pub use refusal::Refusal;
pub use service_domain::service_domain;
pub use wallet::{WalletBody, WalletPatch};
