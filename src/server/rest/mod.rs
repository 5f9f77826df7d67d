//! How do HTTP clients reach the gateway? In the paths and shapes that clients of the agent API know: agents under `/api/sdk`,
//! operators under `/api`. Each handler reads, asks who is asking, hands the request to the engine, and prints the answer.
//! There are no rules in here, and no state but the engine's.

mod agents;
mod alerts;
mod answer;
mod approvals;
mod assignments;
mod audit;
mod backtest;
mod body;
mod budgets;
mod caller;
mod counterparties;
mod docs;
mod document;
mod event_stream;
mod events;
mod health;
mod holds;
mod ids;
mod keys;
mod mcp;
mod own;
mod patient;
mod payment_requests;
mod payments;
mod policies;
mod router;
mod sanctions;
mod serve;
mod shadows;
mod simulate;
mod spend;
mod state;
mod status;
mod transactions;
mod wallets;
mod webhooks;

pub use router::{BODY_BYTES_MAX, REQUEST_WAIT_MAX, REQUESTS_AT_ONCE_MAX, openapi_document, router};
pub use serve::{CONNECTIONS_MAX, HEADER_WAIT_MAX, WRITE_WAIT_MAX, serve};
pub use state::RestState;
