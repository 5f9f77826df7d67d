//! Holdfast: an authorization gateway for machine payments.

pub mod engine;
pub mod journal;
pub mod kernel;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
