//! What may an operator set? A raw shape for what people write and checked options for what the program uses, two types with
//! one conversion. Sources: defaults < file < environment < flags; the defaults are the commented file `config/holdfast.toml`.
//!
//! Deliberately absent: reloading while running. What may change without a restart (policies, agents, keys) is not configuration.

mod error;
mod load;
mod options;
pub mod policy_file;
mod raw;
mod source;

pub use error::ConfigError;
pub use load::{DEFAULT_CONFIG, Flags, Sources, load};
pub use options::{
    Config, DataOptions, Durability, LogOptions, McpOptions, ServerOptions, StoreKind, TlsFiles, WebhookOptions,
};
pub use policy_file::PolicyFileError;
