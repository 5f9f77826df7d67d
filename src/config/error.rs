//! Why a configuration is refused: always the key, its value, where it was written, and what was expected.

use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file that the configuration needs cannot be read.
    #[error("failed to read {what} `{}`: {source}", path.display())]
    Unreadable {
        /// What the file is.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("failed to read {origin} as TOML: {message}")]
    Malformed {
        /// Where it was written.
        origin: String,
        /// Line, column and reason.
        message: String,
    },
    /// No such key.
    #[error("unknown key `{key}` in {origin}{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// The key with its section.
        key: String,
        /// Where it was written.
        origin: String,
        /// The known key that is most alike.
        nearest: Option<String>,
    },
    /// The value cannot be used.
    #[error("`{key} = {value}` in {origin} is not valid: expected {expected}")]
    Invalid {
        /// The key with its section.
        key: String,
        /// The value as written.
        value: String,
        /// Where it was written.
        origin: String,
        /// The type, range or choice.
        expected: String,
    },
    /// The default policy cannot be understood.
    #[error("failed to read the default policy `{origin}`: {message}")]
    DefaultPolicy {
        /// The file.
        origin: String,
        /// Why.
        message: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; config/holdfast.toml lists every key".to_owned(),
        |nearest| format!("; the nearest known key is `{nearest}`"),
    )
}
