//! Who is asking, and what may they ask? Secrets are texts; only their hashes are kept. Nothing here decides about money.

mod credential;
mod directory;
mod need;
mod scope;
mod secret;

pub use credential::{AuthError, Credential};
pub use directory::Identity;
pub use need::Need;
pub use scope::{Scope, ScopeSet};
pub use secret::{KeyKind, OPERATOR_KEY_CHARS_MIN, Secret, SecretError};
