//! The built binary with real sockets: what it promises when it is started, stopped, killed and started again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod crash;
mod events;
mod gateway;
mod life;
mod mcp;
mod parity;
mod payer;
#[expect(dead_code, reason = "shared with the tests of the façade, which use more of it")]
#[path = "../rest/receiver.rs"]
mod receiver;
mod sanctions;
mod webhooks;
