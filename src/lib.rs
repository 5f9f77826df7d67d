//! Holdfast: an authorization gateway for machine payments.
