//! Opens the store that the configuration asks for.

use std::{num::NonZeroU16, sync::Arc};

use thiserror::Error;

use super::data_dir::DataDir;
#[cfg(feature = "sled")]
use crate::journal::{SledOpenError, SledOptions, SledStore, Survives, sled::CACHE_BYTES_DEFAULT};
use crate::{
    config::{DataOptions, Durability, StoreKind},
    journal::{MemoryStore, Store},
};

/// Why there is no store.
#[derive(Debug, Error)]
pub enum OpenStoreError {
    /// The one on disk cannot be opened.
    #[cfg(feature = "sled")]
    #[error(transparent)]
    Sled(#[from] SledOpenError),
    /// The program was built without it.
    #[cfg(not(feature = "sled"))]
    #[error(
        "this program was built without the store `sled`; build it with the feature `sled`, or set data.store = \"memory\""
    )]
    NoSled,
    /// A store without memory would forget the directory's keys.
    #[error("`{directory}` holds a journal, which the memory store would leave behind; name another data directory")]
    HoldsJournal {
        /// The data directory.
        directory: String,
    },
}

/// Opens the store, and creates it where there is none.
///
/// # Errors
/// [`OpenStoreError`].
pub fn open(options: &DataOptions, shards: NonZeroU16) -> Result<Arc<dyn Store>, OpenStoreError> {
    let data = DataDir::new(&options.dir);
    match options.store {
        StoreKind::Sled => open_sled(&data, options.durability, Some(shards)).map(Arc::from),
        StoreKind::Memory if data.journal().exists() => {
            Err(OpenStoreError::HoldsJournal { directory: options.dir.display().to_string() })
        }
        StoreKind::Memory => Ok(Arc::new(MemoryStore::new(shards))),
    }
}

/// Opens the store on disk only if it is there.
///
/// # Errors
/// [`OpenStoreError`].
pub fn open_existing(data: &DataDir, durability: Durability) -> Result<Box<dyn Store>, OpenStoreError> {
    open_sled(data, durability, None)
}

#[cfg(feature = "sled")]
fn open_sled(
    data: &DataDir,
    durability: Durability,
    create_with: Option<NonZeroU16>,
) -> Result<Box<dyn Store>, OpenStoreError> {
    let survives = match durability {
        Durability::Process => Survives::Process,
        Durability::Power => Survives::Power,
    };
    let options = SledOptions { create_with, survives, cache_bytes: CACHE_BYTES_DEFAULT };
    Ok(Box::new(SledStore::open(&data.journal(), &options)?))
}

#[cfg(not(feature = "sled"))]
fn open_sled(_: &DataDir, _: Durability, _: Option<NonZeroU16>) -> Result<Box<dyn Store>, OpenStoreError> {
    Err(OpenStoreError::NoSled)
}
