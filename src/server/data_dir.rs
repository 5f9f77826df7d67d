//! What lies where in the data directory, and how its secrets are written.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Only the owner may enter the directory or read what is secret.
const DIRECTORY_MODE: u32 = 0o700;
const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;

/// The data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The directory at `path`, which need not exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> DataDir {
        DataDir(path.into())
    }

    /// Makes the directory where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self) -> io::Result<()> {
        create_directory(&self.0)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The operator's key, where the gateway made it.
    #[must_use]
    pub fn operator_key(&self) -> PathBuf {
        self.0.join("operator.key")
    }

    /// The demo agent's key.
    #[must_use]
    pub fn demo_key(&self) -> PathBuf {
        self.0.join("demo.key")
    }

    /// The key of the tokens that approvals give out.
    #[must_use]
    pub fn approval_key(&self) -> PathBuf {
        self.0.join("approval.key")
    }

    /// The journal's store.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// The directory of the self-signed certificate.
    #[must_use]
    pub fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }

    /// The fingerprint that clients pin.
    #[must_use]
    pub fn fingerprint(&self) -> PathBuf {
        self.tls().join("fingerprint")
    }
}

/// Makes a directory, and those above it, that only the owner may enter.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Writes a file that only its owner may read: complete or not at all, and on disk when this returns.
pub(super) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    write(path, text, SECRET_MODE)
}

/// Writes a file that everybody may read, complete or not at all.
pub(super) fn write_public(path: &Path, text: &str) -> io::Result<()> {
    write(path, text, PUBLIC_MODE)
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    // A leftover of a crash may have other permissions, which opening would keep.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_for_their_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::new(parent.path().join("a/b"));
        data.create().unwrap();
        // A leftover that everybody may read does not pass its permissions on.
        fs::write(data.operator_key().with_extension("unfinished"), "old").unwrap();
        write_secret(&data.operator_key(), "secret\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(data.path()), DIRECTORY_MODE);
        assert_eq!(mode(&data.operator_key()), SECRET_MODE);
        assert_eq!(fs::read_to_string(data.operator_key()).unwrap(), "secret\n");
        write_secret(&data.operator_key(), "other\n").unwrap();
        assert_eq!(fs::read_to_string(data.operator_key()).unwrap(), "other\n");
    }
}
