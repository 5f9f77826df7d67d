//! Opens a data directory, and refuses the ones that this build must not touch.

use std::{
    fs::{self, File, TryLockError},
    io,
    num::NonZeroU16,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use thiserror::Error;

use super::anchor::{self, ANCHOR_VERSION};
use crate::journal::{
    position::Position,
    record::RECORD_BYTES_MAX,
    store::{StoreError, Survives},
};

/// The layout of trees and keys that this build writes, and the newest that it reads.
pub(super) const FORMAT_VERSION: u16 = 1;

/// How much memory sled may cache by default. The journal only appends and reads it once, so more does not help.
pub const CACHE_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// sled puts whatever exceeds a quarter of a segment into a file of its own under `blobs/`, a page of records included.
/// A leaf page is split when it is found with more than 16 records, so it has 17 at most; twice sled's default
/// segment leaves room for 21 of the longest. (With the default, a commit of ten or more of them made such files.)
const SEGMENT_BYTES: usize = 1024 * 1024;
const LEAF_RECORDS_MAX: usize = 21;
const LEAF_RECORD_OVERHEAD_BYTES: usize = 32;
const _: () = assert!(LEAF_RECORDS_MAX * (RECORD_BYTES_MAX + LEAF_RECORD_OVERHEAD_BYTES) < SEGMENT_BYTES / 4);

/// The most shards of a data directory. The names of all trees share one page, which must stay as short as any other:
/// a shard has its snapshot, and for a while the one that replaces it.
pub const SLED_SHARDS_MAX: u16 = 1024;
const TREE_NAME_BYTES_MAX: usize = 64;
const _: () = assert!((2 * SLED_SHARDS_MAX as usize + 8) * TREE_NAME_BYTES_MAX < SEGMENT_BYTES / 4);

/// How long a directory that another holds is tried before it counts as in use: a second.
const LOCK_ATTEMPTS_MAX: u32 = 50;
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(20);

const FORMAT_TREE: &str = "format";
const FORMAT_KEY: &str = "version-and-shards";

/// How to open a data directory.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// How many shards a new directory gets; an existing one keeps the number it has. `None` creates nothing.
    pub create_with: Option<NonZeroU16>,
    /// The least that an acknowledged write must survive.
    pub survives: Survives,
    /// How much memory sled may cache.
    pub cache_bytes: u64,
}

/// Why a data directory cannot be opened.
#[derive(Debug, Error)]
pub enum SledOpenError {
    /// There is no journal, and none was to be created.
    #[error("`{}` holds no journal; check the path, or start the gateway once to create it", directory.display())]
    Missing {
        /// The data directory.
        directory: PathBuf,
    },
    /// More shards than a data directory may have.
    #[error("a data directory has at most {SLED_SHARDS_MAX} shards, not {shards}")]
    TooManyShards {
        /// How many were asked for.
        shards: u16,
    },
    /// Another process has it open.
    #[error("data directory `{}` is in use by another process; stop it first", directory.display())]
    InUse {
        /// The data directory.
        directory: PathBuf,
    },
    /// A newer build wrote it.
    #[error(
        "data directory `{}` has format {found}, newer than {FORMAT_VERSION}, the newest that this build reads; run a newer build",
        directory.display()
    )]
    NewerFormat {
        /// The data directory.
        directory: PathBuf,
        /// Its format.
        found: u16,
    },
    /// A newer build wrote the anchor.
    #[error(
        "`{}` has version {found}, newer than {ANCHOR_VERSION}, the newest that this build reads; run a newer build",
        anchor.display()
    )]
    NewerAnchor {
        /// The anchor.
        anchor: PathBuf,
        /// Its version.
        found: u16,
    },
    /// The anchor says that there was a journal, and there is none, or one with another number of shards.
    #[error(
        "`{}` was written for a journal that is no longer there; restore the data directory from a backup",
        anchor.display()
    )]
    JournalGone {
        /// The anchor.
        anchor: PathBuf,
    },
    /// sled has put values into files that nothing flushes, so they may not be what was written.
    #[error("`{}` is not empty, so the journal was not written by this program; restore it from a backup", blobs.display())]
    Blobs {
        /// The directory of those files.
        blobs: PathBuf,
    },
    /// The file system refuses.
    #[error("failed to open data directory `{}`: {source}", directory.display())]
    FileSystem {
        /// The data directory.
        directory: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The store refuses or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// sled's log file within a data directory.
#[must_use]
pub fn sled_log_path(directory: &Path) -> PathBuf {
    directory.join("db")
}

/// An open data directory.
pub(super) struct Directory {
    pub(super) database: ::sled::Db,
    pub(super) shards: NonZeroU16,
    /// A handle on sled's log file, when writes must survive a power cut.
    pub(super) barrier: Option<File>,
    /// How far each shard was durable, as the anchor says.
    pub(super) anchored: Vec<Position>,
}

pub(super) fn open(directory: &Path, options: &SledOptions) -> Result<Directory, SledOpenError> {
    let at_fault = |source| SledOpenError::FileSystem { directory: directory.to_owned(), source };
    // Read before sled opens its log, which changes what it finds damaged.
    let anchored = anchor::read(directory)?;
    let exists = sled_log_path(directory).try_exists().map_err(at_fault)?;
    if !exists && anchored.is_some() {
        return Err(SledOpenError::JournalGone { anchor: anchor::path(directory) });
    }
    if !exists && options.create_with.is_none() {
        return Err(SledOpenError::Missing { directory: directory.to_owned() });
    }
    if let Some(shards) = options.create_with.map(NonZeroU16::get).filter(|shards| *shards > SLED_SHARDS_MAX) {
        return Err(SledOpenError::TooManyShards { shards });
    }
    if exists {
        refuse_in_use(directory, || thread::sleep(LOCK_RETRY_INTERVAL))?;
    }
    refuse_blobs(directory)?;
    let database = ::sled::Config::new()
        .path(directory)
        .cache_capacity(options.cache_bytes)
        .segment_size(SEGMENT_BYTES)
        .flush_every_ms(None)
        .open()
        .map_err(|error| medium("open the journal", error))?;
    let barrier = match options.survives {
        Survives::Nothing | Survives::Process => None,
        Survives::Power => Some(open_barrier(directory).map_err(at_fault)?),
    };
    let shards = shards_of(&database, directory, options.create_with, anchored.as_deref())?;
    let anchored = anchored.unwrap_or_else(|| vec![Position::START; usize::from(shards.get())]);
    if let Some(barrier) = &barrier {
        barrier.sync_data().map_err(at_fault)?;
    }
    Ok(Directory { database, shards, barrier, anchored })
}

/// sled locks its log file too, but says so only in the text of an error. A holder that is just going (a process killed
/// a moment ago, or a thread of sled's with its last handle) is waited for; one that stays is an error.
fn refuse_in_use(directory: &Path, mut wait: impl FnMut()) -> Result<(), SledOpenError> {
    let at_fault = |source| SledOpenError::FileSystem { directory: directory.to_owned(), source };
    let log = File::open(sled_log_path(directory)).map_err(at_fault)?;
    for _ in 0..LOCK_ATTEMPTS_MAX {
        match log.try_lock() {
            // Said, not left to the drop: a process being spawned may have a copy of the handle for a moment.
            Ok(()) => return log.unlock().map_err(at_fault),
            Err(TryLockError::WouldBlock) => wait(),
            Err(TryLockError::Error(error)) => return Err(at_fault(error)),
        }
    }
    Err(SledOpenError::InUse { directory: directory.to_owned() })
}

fn refuse_blobs(directory: &Path) -> Result<(), SledOpenError> {
    let blobs = directory.join("blobs");
    match fs::read_dir(&blobs) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(SledOpenError::Blobs { blobs }),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SledOpenError::FileSystem { directory: directory.to_owned(), source }),
    }
}

/// The files that sled has just made must be found again after a power cut, so their directory is flushed too.
fn open_barrier(directory: &Path) -> io::Result<File> {
    File::open(directory)?.sync_all()?;
    File::open(sled_log_path(directory))
}

/// How many shards the journal has, which an anchor confirms; a new one only where there was none.
fn shards_of(
    database: &::sled::Db,
    directory: &Path,
    create_with: Option<NonZeroU16>,
    anchored: Option<&[Position]>,
) -> Result<NonZeroU16, SledOpenError> {
    let stored = read_format(database, directory)?;
    match (stored, anchored, create_with) {
        (Some(shards), None, _) => Ok(shards),
        (Some(shards), Some(anchored), _) if anchored.len() == usize::from(shards.get()) => Ok(shards),
        (_, Some(_), _) => Err(SledOpenError::JournalGone { anchor: anchor::path(directory) }),
        (None, None, Some(shards)) => create_format(database, shards),
        (None, None, None) => Err(SledOpenError::Missing { directory: directory.to_owned() }),
    }
}

fn read_format(database: &::sled::Db, directory: &Path) -> Result<Option<NonZeroU16>, SledOpenError> {
    let format = database.open_tree(FORMAT_TREE).map_err(|error| medium("open the journal's format", error))?;
    let stored = format.get(FORMAT_KEY).map_err(|error| medium("read the journal's format", error))?;
    stored.map(|stored| parse_format(&stored, directory)).transpose()
}

fn create_format(database: &::sled::Db, shards: NonZeroU16) -> Result<NonZeroU16, SledOpenError> {
    let format = database.open_tree(FORMAT_TREE).map_err(|error| medium("open the journal's format", error))?;
    let value = [FORMAT_VERSION.to_be_bytes(), shards.get().to_be_bytes()].concat();
    format.insert(FORMAT_KEY, value).map_err(|error| medium("write the journal's format", error))?;
    database.flush().map_err(|error| medium("flush the journal's format", error))?;
    Ok(shards)
}

fn parse_format(stored: &[u8], directory: &Path) -> Result<NonZeroU16, SledOpenError> {
    let damaged = || StoreError::Damaged { what: "the journal's format entry".to_owned() };
    let (version, rest) = stored.split_first_chunk::<2>().ok_or_else(damaged)?;
    let found = u16::from_be_bytes(*version);
    if found > FORMAT_VERSION {
        return Err(SledOpenError::NewerFormat { directory: directory.to_owned(), found });
    }
    let shards = rest.try_into().map(u16::from_be_bytes).map_err(|_| damaged())?;
    NonZeroU16::new(shards).filter(|_| found == FORMAT_VERSION).ok_or_else(|| damaged().into())
}

pub(super) fn medium(action: &'static str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Medium { action, source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sled::SledStore;

    fn options(create_with: Option<u16>) -> SledOptions {
        SledOptions {
            create_with: create_with.map(|shards| NonZeroU16::new(shards).unwrap()),
            survives: Survives::Process,
            cache_bytes: CACHE_BYTES_DEFAULT,
        }
    }

    fn check_refused(directory: &Path, expected: &str) {
        let error = SledStore::open(directory, &options(Some(4))).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    }

    #[test]
    fn nothing_is_created_unless_asked() {
        let directory = tempfile::tempdir().unwrap();
        let error = SledStore::open(directory.path(), &options(None)).map(|_| ()).unwrap_err();
        assert!(matches!(error, SledOpenError::Missing { .. }), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_directory_keeps_its_number_of_shards() {
        let directory = tempfile::tempdir().unwrap();
        for create_with in [Some(3), Some(8), None] {
            let store = SledStore::open(directory.path(), &options(create_with)).unwrap();
            assert_eq!(crate::journal::store::Store::shards(&store).get(), 3);
        }
    }

    #[test]
    fn the_most_shards_fit_and_one_more_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let error = SledStore::open(directory.path(), &options(Some(SLED_SHARDS_MAX + 1))).map(|_| ()).unwrap_err();
        assert!(matches!(error, SledOpenError::TooManyShards { shards: 1025 }), "{error}");
        let store = SledStore::open(directory.path(), &options(Some(SLED_SHARDS_MAX))).unwrap();
        assert_eq!(crate::journal::store::Store::shards(&store).get(), SLED_SHARDS_MAX);
        assert_eq!(fs::read_dir(directory.path().join("blobs")).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let _holder = SledStore::open(directory.path(), &options(Some(1))).unwrap();
        check_refused(directory.path(), "is in use by another process; stop it first");
    }

    /// A build machine once reopened a directory before the last of sled's handles on it was gone.
    #[test]
    fn a_holder_that_is_going_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        drop(SledStore::open(directory.path(), &options(Some(1))).unwrap());
        let holder = File::open(sled_log_path(directory.path())).unwrap();
        holder.lock().unwrap();
        let mut holder = Some(holder);
        let mut waits = 0;
        refuse_in_use(directory.path(), || {
            waits += 1;
            if waits == 3 {
                holder = None;
            }
        })
        .unwrap();
        assert_eq!(waits, 3);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(SledStore::open(directory.path(), &options(Some(1))).unwrap());
        let database = ::sled::Config::new().path(directory.path()).segment_size(SEGMENT_BYTES).open().unwrap();
        database.open_tree(FORMAT_TREE).unwrap().insert(FORMAT_KEY, &[0, 2, 0, 1]).unwrap();
        drop(database);
        check_refused(directory.path(), "has format 2, newer than 1");
    }

    #[test]
    fn a_damaged_format_is_refused() {
        for damaged in [&[][..], &[0], &[0, 0, 0, 1], &[0, 1], &[0, 1, 0, 0], &[0, 1, 0, 1, 1]] {
            assert!(parse_format(damaged, Path::new("data")).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn blob_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(SledStore::open(directory.path(), &options(Some(1))).unwrap());
        fs::write(directory.path().join("blobs").join("17"), b"x").unwrap();
        check_refused(directory.path(), "is not empty");
    }
}
