//! How do records reach a disk? By sled: a tree for each shard, one batch for each shard and one flush for each append.
//!
//! Four properties of sled 0.34 shape this module. It puts values over 12 KiB into files of their own that nothing
//! flushes, so no value is longer and a directory with such files is refused. Its flush does not reach past the drive's
//! cache, so a store that survives a power cut flushes its log file once more. And it reclaims single keys slowly, so
//! a snapshot is a tree that is dropped as a whole. And it takes damage for a write that was cut short, so an anchor outside it
//! says what must be there.

mod anchor;
mod directory;
#[cfg(test)]
mod kill;
mod snapshot;
mod store;

pub use directory::{CACHE_BYTES_DEFAULT, SLED_SHARDS_MAX, SledOpenError, SledOptions, sled_log_path};
pub use store::SledStore;
