//! How the program ends: the exit codes, and the error that every command returns.

use std::fmt;

/// Everything went as asked.
pub const SUCCESS: u8 = 0;
/// What has no code of its own.
pub const FAILURE: u8 = 1;
/// The command line or the configuration cannot be used.
pub const USAGE: u8 = 2;
/// Another process uses the data directory.
pub const DATA_DIR_IN_USE: u8 = 3;
/// A newer release wrote the data directory.
pub const DATA_DIR_NEWER: u8 = 4;
/// The journal does not prove itself, or its replay does not give what was recorded.
pub const JOURNAL_BROKEN: u8 = 5;
/// Another process uses an address.
pub const ADDRESS_IN_USE: u8 = 6;
/// A payment was denied.
pub const DENIED: u8 = 7;

/// The codes as the help prints them.
pub(super) const CODES: &str = "\
Exit codes:
  0  done                            4  a newer release wrote the data directory
  1  failed                          5  the journal is broken
  2  wrong usage or configuration    6  an address is in use
  3  the data directory is in use    7  the payment is denied";

/// Why a command failed, the next step, and the code to exit with.
#[derive(Debug, PartialEq, Eq)]
pub struct CliError {
    /// Completes "error: ".
    pub message: String,
    /// What to do about it, where there is something.
    pub help: Option<String>,
    /// The exit code.
    pub exit: u8,
}

impl CliError {
    /// A failure without a code of its own.
    #[must_use]
    pub fn new(message: impl fmt::Display) -> CliError {
        CliError { message: message.to_string(), help: None, exit: FAILURE }
    }

    /// The same, with the next step.
    #[must_use]
    pub fn help(self, help: impl fmt::Display) -> CliError {
        CliError { help: Some(help.to_string()), ..self }
    }

    /// The same, with a code of its own.
    #[must_use]
    pub fn exit(self, exit: u8) -> CliError {
        CliError { exit, ..self }
    }

    /// The error as machines read it.
    #[must_use]
    pub fn json(&self) -> String {
        let help = self.help.as_ref().map(|help| format!(",\"help\":{}", quoted(help))).unwrap_or_default();
        format!("{{\"error\":{{\"message\":{}{help},\"exitCode\":{}}}}}", quoted(&self.message), self.exit)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

impl std::error::Error for CliError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_the_next_step_to_people_and_machines() {
        let error = CliError::new("no key \"x\"").help("pass --key").exit(USAGE);
        assert_eq!(error.to_string(), "error: no key \"x\"\n  help: pass --key");
        assert_eq!(error.json(), r#"{"error":{"message":"no key \"x\"","help":"pass --key","exitCode":2}}"#);
    }
}
