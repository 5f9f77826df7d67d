//! How fast could any gateway be that speaks this protocol on this machine? A server that carries the same frames with no decision
//! answers that: the same greeting, one thread with an endpoint of its own for each worker, the gateway's own settings of QUIC,
//! replies of the same size. What a gateway reaches of it in the same run is its *ratio to the ceiling*.
//!
//! Deliberately absent: agents, rules, a journal, and reading anything of a request but where it ends.

mod answers;
mod process;
mod server;

pub(crate) use process::Echo;
pub(crate) use server::command;
