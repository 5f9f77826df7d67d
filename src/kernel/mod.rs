//! What is decided. Pure: no input or output, no clock, no randomness, no async, no logging.
//!
//! A shard's [`State`] is asked with [`State::decide`], which changes nothing and returns the answer and the events; the events are
//! applied with [`State::apply`]. Applying the same events to the same state always gives the same state, so a shard is recovered by
//! replaying its journal. `docs/SEMANTICS.md` states the rules.

mod actor;
pub mod amount;
pub mod anomaly;
pub mod counterparty;
pub mod endpoint;
pub mod event;
pub mod facts;
mod former;
pub mod id;
pub mod name;
mod operation;
pub mod options;
pub mod outcome;
pub mod policy;
pub mod protocol;
pub mod reason;
pub mod request;
pub mod sanctions;
pub mod state;
pub mod time;
mod violation;
pub mod webhook;
pub mod zone;

pub use actor::{Actor, ActorKind};
pub use amount::{Amount, AmountError};
pub use endpoint::EndpointId;
pub use event::Event;
pub use facts::{Fact, Facts};
pub use former::Former;
pub use id::{
    AgentId, AgentIndex, AlertId, ApprovalRequestId, AuthorizationId, BudgetRequestId, CounterpartyId, KeyId, NameId,
    OperationId, PolicyId, SessionNumber, ShardId, WebhookId,
};
pub use name::{Name, NameError};
pub use options::Options;
pub use outcome::{Failure, Outcome};
pub use protocol::Protocol;
pub use request::Request;
pub use state::{Lease, State};
pub use time::{Duration, Period, Timestamp};
pub use zone::Zone;
