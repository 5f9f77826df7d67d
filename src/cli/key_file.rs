//! Keys and fingerprints in files that the gateway wrote.

use std::{fs, path::Path};

use super::{CliError, exit::USAGE};

/// The one line of a file.
pub(super) fn read(what: &str, path: &Path) -> Result<String, CliError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(CliError::new(format!("failed to find {what} in `{}`: {error}", path.display()))
            .help("name the gateway's directory with --data-dir, or pass the value itself (see --help)")
            .exit(USAGE)),
    }
}
