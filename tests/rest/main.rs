//! The REST façade from outside: the router over an engine that keeps its journal in memory, spoken to in HTTP.
#![cfg(feature = "server")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod access;
mod actors;
mod alerts;
mod approvals;
mod audit;
mod bad_input;
mod budgets;
mod challenges;
mod counterparties;
mod events;
mod gateway;
mod http;
mod idempotency;
mod openapi;
mod operators;
mod payment_requests;
mod payments;
mod receiver;
mod sanctions;
mod spend;
mod webhooks;
mod whatif;
