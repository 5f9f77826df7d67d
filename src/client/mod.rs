//! How does a Rust program ask the gateway? [`Client`] keeps connections, sends straight to the worker that keeps an agent, gathers
//! what is asked at one time into one frame, and repeats what is safe to repeat. [`Connector`] and [`Connection`] are the level
//! below, for those who want to count every frame themselves.

mod calls;
mod captures;
mod connection;
mod decisions;
mod error;
mod lane;
mod options;
mod routes;
mod trust;

pub use calls::{Client, Decision, new_authorization_id, new_operation_id};
pub use connection::{Connection, Connector, ReplyReader, RequestWriter};
pub use decisions::Decisions;
pub use error::{ClientError, ConnectError, StreamError};
pub use options::{ClientOptions, RetryOptions};
pub use trust::{Fingerprint, FingerprintError, Trust};
