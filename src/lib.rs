//! Holdfast: an authorization gateway for machine payments.

#[cfg(feature = "client")]
pub mod client;
pub mod engine;
pub mod journal;
pub mod kernel;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "client")]
pub mod wire;
