//! Holdfast: an authorization gateway for machine payments.
//!
//! Before an agent pays for an API call, it asks; the answer holds the money against every limit that applies, or says why not;
//! what was really spent is captured afterwards. `docs/ARCHITECTURE.md` says what is where and why, `docs/SEMANTICS.md` what is
//! decided, exactly.
//!
//! | module | answers | feature |
//! |---|---|---|
//! | [`kernel`] | *what* is decided: pure, no clock, no bytes | |
//! | [`journal`] | *how* it survives: records, their chain, stores | `sled` for the store on disk |
//! | [`engine`] | *who* runs it, on plain threads: **the API for embedding**, see [`engine::Engine`] and `examples/embed.rs` | |
//! | [`backtest`] | what a policy would have decided about the payments of the past | |
//! | [`query`] | *what came of it*: spend, decisions and transactions, from the engine's events | |
//! | `wire`, `client` | the binary protocol `holdfast/1` and its client | `client` |
//! | `audit` | what happened, as entries that prove themselves | `server` |
//! | `notice` | what others learn of events, over streams and webhooks | `server` |
//! | `server`, `config`, `cli`, `telemetry` | the gateway as a program | `server` |
//! | `testing` | virtual clock, faulty store, reference model, random workloads | `testing` |

#[cfg(feature = "server")]
pub mod audit;
pub mod backtest;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
pub mod engine;
pub mod journal;
pub mod kernel;
#[cfg(feature = "server")]
pub mod notice;
pub mod query;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "client")]
pub mod wire;
