//! How does it survive? As records in a chain, kept by a store, one stream for each shard.
//!
//! A [`Journal`] turns groups of bytes into [`record`]s, each of which carries the hash of the one before, and hands all
//! records of a commit to a [`Store`] in one call. [`replay`](fn@replay) reads them back and believes nothing: checksum, sequence and
//! chain are checked for every record. A snapshot is a chain of the same records that begins where the journal stood.
//! The bytes are specified in `docs/JOURNAL.md`.
//!
//! What the bytes mean is [`codec`]'s alone. Deliberately absent here: threads, time, and when to commit.

mod bytes;
pub mod codec;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod damage;
mod event;
mod groups;
#[cfg(test)]
mod loss;
pub mod memory;
mod position;
pub mod record;
mod replay;
#[cfg(feature = "sled")]
pub mod sled;
mod snapshot;
pub mod store;
mod verify;
mod writer;

pub use groups::{GroupSpan, GroupsError, SpanVisitor, read_groups};
pub use memory::MemoryStore;
pub use position::{ChainHash, Position, Sequence};
pub use replay::{GroupVisitor, ReplayError, Replayed, TornReason, TornTail, VisitError, replay, replay_until};
#[cfg(feature = "sled")]
pub use sled::{SledOpenError, SledOptions, SledStore};
pub use snapshot::{SnapshotReader, SnapshotWriter, read_base, read_snapshot, write_base, write_snapshot};
pub use store::{Store, StoreError, StoredRecord, Survives};
pub use verify::{VerifyError, VerifyReport, verify};
pub use writer::{COMMIT_BYTES_MAX, CommitError, Durable, GROUP_BYTES_MAX, Group, Journal};
