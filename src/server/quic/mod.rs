//! How does the binary protocol reach the engine? Each worker of the engine has a thread, and on it one `current_thread` runtime with
//! a QUIC endpoint and a UDP port of its own. A request about a shard of that worker is decided in the same poll that has read it;
//! a request about another worker's shard crosses in one message a read, and its reply comes back in one.
//!
//! A port for each worker, and not one shared port (`SO_REUSEPORT`): the kernel would spread packets by their addresses, so a
//! client could not choose the worker that keeps its agent, and a connection that changes its address would reach a worker
//! that does not know it. The welcome tells clients which port leads to which shard.
//!
//! `docs/PROTOCOL.md` specifies the protocol. No rules are in here.

mod access;
mod connection;
mod crossings;
mod endpoint;
mod gathering;
mod host;
mod late;
mod peer;
mod pushes;
mod reset;
mod server;
mod stream;

pub use endpoint::{Listening, QuicOptions, bind};
pub use pushes::PUSHES_WAITING_MAX;
pub use server::{DRAIN_WAIT_MAX, QuicError, QuicServer, spawn_workers};
