//! Holdfast: an authorization gateway for machine payments.

pub mod kernel;
