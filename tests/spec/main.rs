//! The rules of `docs/SEMANTICS.md`, one table an area, each limit at its exact boundary.
#![expect(clippy::unwrap_used, reason = "a table that cannot be run fails")]

mod actor;
mod alert;
mod approval;
mod asking;
mod authorize;
mod budget;
mod change;
mod circumstance;
mod clock;
mod composite;
mod counted;
mod counterparty;
mod deposit;
mod every_rule;
mod expiry;
mod freeze;
mod idempotency;
mod invalid;
mod lease;
mod maximum;
mod payee;
mod record;
mod rule;
mod sanctions;
mod session;
mod settle;
mod shadow;
mod shard;
mod simulate;
mod velocity;
mod wallet;
mod wallet_scope;
mod webhook;
mod window;
