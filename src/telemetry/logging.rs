//! The log: events of `tracing`, filtered, on standard error.

use std::io::{self, IsTerminal};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, fmt, util::TryInitError};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why nothing is logged.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("`{filter}` is not a filter for the log, such as `info` or `holdfast=debug,warn`: {source}")]
    Filter {
        /// As it was written.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else logs already.
    #[error("the log was started before: {0}")]
    Started(#[from] TryInitError),
}

/// Starts logging for the whole process. Standard output stays free for what commands print.
///
/// # Errors
/// [`LogError`] for a filter that cannot be read, and for a second start.
pub fn start_logging(filter: &str, format: LogFormat) -> Result<(), LogError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let invalid = |source| LogError::Filter { filter: filter.to_owned(), source };
    let filter = EnvFilter::builder().parse(filter).map_err(invalid)?;
    // https://no-color.org: any value but an empty one switches colours off.
    let is_coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_coloured);
    match format {
        LogFormat::Text => log.finish().try_init()?,
        LogFormat::Json => log.json().finish().try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_means_nothing_is_named() {
        let error = start_logging("holdfast=loudly", LogFormat::Text).unwrap_err();
        assert!(error.to_string().starts_with("`holdfast=loudly` is not a filter"), "{error}");
    }
}
