//! What would a user get who builds the gateway's decision out of Redis and a Lua script? The same load, asked of a `redis-server` that
//! is started for it. `README.md` beside this file says what the script does and what was decided in whose favour.
//!
//! Deliberately absent: a cluster, replicas, MPP sessions and everything else that the scripts do not need for the load.

mod books;
mod policy;
mod resp;
#[cfg(test)]
mod script_tests;
mod server;
mod subject;

pub(crate) use server::Fsync;
pub(crate) use subject::Redis;
