//! Holdfast: an authorization gateway for machine payments.
//!
//! Before an agent pays for an API call, it asks; the answer holds the money against every limit that applies, or says why not;
//! what was really spent is captured afterwards. `docs/ARCHITECTURE.md` says what is where and why, `docs/SEMANTICS.md` what is
//! decided, exactly.

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
pub mod server;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "client")]
pub mod wire;
