//! How do requests from outside reach the engine? Façades without rules: each reads bytes, asks who is asking, hands the
//! request to the engine, and prints the answer. [`start`] brings them up on a data directory and takes them down again.

pub mod approval_token;
pub mod data_dir;
pub mod first_start;
pub mod identity;
pub mod mcp;
pub mod quic;
pub mod readers;
pub mod rest;
mod rest_thread;
mod sanctions;
pub mod start;
pub mod store;
pub mod streams;
pub mod submit;
pub mod tls;
pub mod webhooks;
pub mod welcome;
