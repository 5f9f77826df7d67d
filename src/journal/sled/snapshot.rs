//! Snapshots and bases on sled: each has a tree of its own, and one small entry says which tree is the newest.
//!
//! | offset | bytes | what (an entry of the tree `snapshots` or `bases`; its key is the shard, big-endian) |
//! |--------|-------|----------------------------------------------------------------------------|
//! | 0      | 8     | generation, big-endian; the chunks are in the tree `snapshot/SSSSS/GENERATION` or `base/SSSSS/GENERATION`, in 20 digits |
//! | 8      | 8     | sequence of the last record covered, big-endian                            |
//! | 16     | 32    | chain hash of that record                                                  |
//! | 48     | 4     | crc32c over everything before it, big-endian                               |

use ::sled::{Batch, Db, Tree};

use super::{
    directory::medium,
    store::{Head, SledStore},
};
use crate::{
    journal::{
        position::{ChainHash, Position, Sequence},
        store::{SnapshotSink, StoreError, StoredSnapshot, check_length},
    },
    kernel::ShardId,
};

/// What a state is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To recover from: the newest state.
    Snapshot,
    /// To begin the journal with: the state after what was cut.
    Base,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Snapshot, Kind::Base];

    /// The tree with the entry of each shard.
    pub(super) const fn manifest_tree(self) -> &'static str {
        match self {
            Kind::Snapshot => "snapshots",
            Kind::Base => "bases",
        }
    }

    const fn chunk_trees(self) -> &'static str {
        match self {
            Kind::Snapshot => "snapshot/",
            Kind::Base => "base/",
        }
    }
}

/// How many chunks are written between two flushes: a snapshot must not leave the drive so much to do that a commit
/// has to wait behind it.
const CHUNKS_PER_FLUSH_MAX: usize = 16;

/// Which tree holds a snapshot, and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) generation: u64,
    pub(super) position: Position,
}

impl Manifest {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(52);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.position.sequence.0.to_be_bytes());
        bytes.extend_from_slice(&self.position.chain.0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Manifest> {
        let (sealed, checksum) = bytes.split_last_chunk::<4>()?;
        let (generation, rest) = sealed.split_first_chunk::<8>()?;
        let (sequence, chain) = rest.split_first_chunk::<8>()?;
        let chain = ChainHash(chain.try_into().ok()?);
        let position = Position { sequence: Sequence(u64::from_be_bytes(*sequence)), chain };
        let sound = u32::from_be_bytes(*checksum) == crc32c::crc32c(sealed);
        sound.then_some(Manifest { generation: u64::from_be_bytes(*generation), position })
    }

    fn tree_name(&self, kind: Kind, shard: ShardId) -> String {
        format!("{}{:05}/{:020}", kind.chunk_trees(), shard.0, self.generation)
    }
}

pub(super) fn read_manifest(manifests: &Tree, shard: ShardId) -> Result<Option<Manifest>, StoreError> {
    let entry = manifests.get(shard.0.to_be_bytes()).map_err(|error| medium("read the snapshot entry", error))?;
    let damaged = || StoreError::Damaged { what: format!("the snapshot entry of shard {}", shard.0) };
    entry.map(|bytes| Manifest::decode(&bytes).ok_or_else(damaged)).transpose()
}

/// Drops the trees of snapshots that were being written or replaced when the process ended.
pub(super) fn remove_unfinished(database: &Db, heads: &[Head]) -> Result<(), StoreError> {
    let of_kind = |kind: Kind| {
        let manifests = (0..).map(ShardId).zip(heads);
        manifests.filter_map(move |(shard, head)| head.newest(kind).map(|manifest| manifest.tree_name(kind, shard)))
    };
    let finished: Vec<String> = Kind::ALL.into_iter().flat_map(of_kind).collect();
    for name in database.tree_names() {
        let is_finished = finished.iter().any(|finished| finished.as_bytes() == &*name);
        let has_chunks = Kind::ALL.iter().any(|kind| name.starts_with(kind.chunk_trees().as_bytes()));
        if has_chunks && !is_finished {
            database.drop_tree(name).map_err(|error| medium("remove an unfinished snapshot", error))?;
        }
    }
    Ok(())
}

pub(super) fn read(
    database: &Db,
    kind: Kind,
    shard: ShardId,
    manifest: Manifest,
) -> Result<StoredSnapshot<'static>, StoreError> {
    let tree =
        database.open_tree(manifest.tree_name(kind, shard)).map_err(|error| medium("open the snapshot", error))?;
    let chunks = tree.iter().values().map(|chunk| match chunk {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) => Err(medium("read the snapshot", error)),
    });
    Ok(StoredSnapshot { position: manifest.position, chunks: Box::new(chunks) })
}

/// The head of the shard already says that a snapshot is underway.
pub(super) fn begin(
    store: &SledStore,
    kind: Kind,
    shard: ShardId,
    manifest: Manifest,
) -> Result<Box<dyn SnapshotSink + '_>, StoreError> {
    let tree =
        store.database.open_tree(manifest.tree_name(kind, shard)).map_err(|error| medium("begin a snapshot", error));
    // The sink comes first: dropping it ends what the head says is underway.
    let (batch, batch_chunks, next_chunk) = (Batch::default(), 0, 0);
    let mut sink = Sink { store, kind, shard, manifest, tree: None, batch, batch_chunks, next_chunk };
    sink.tree = Some(tree?);
    Ok(Box::new(sink))
}

struct Sink<'s> {
    store: &'s SledStore,
    kind: Kind,
    shard: ShardId,
    manifest: Manifest,
    /// None once the snapshot may be published, so that dropping the sink no longer removes it.
    tree: Option<Tree>,
    batch: Batch,
    batch_chunks: usize,
    next_chunk: u64,
}

impl Sink<'_> {
    fn write_batch(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_chunks = 0;
        let Some(tree) = &self.tree else { return Ok(()) };
        self.store.write(|| {
            tree.apply_batch(batch).map_err(|error| medium("write the snapshot", error))?;
            self.store.flush()
        })
    }

    fn publish(&self) -> Result<(), StoreError> {
        self.store.write(|| {
            let (key, entry) = (self.shard.0.to_be_bytes(), self.manifest.encode());
            self.store
                .manifests(self.kind)
                .insert(key, entry)
                .map_err(|error| medium("publish the snapshot", error))?;
            self.store.flush()
        })
    }
}

impl SnapshotSink for Sink<'_> {
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        check_length(bytes)?;
        self.batch.insert(&self.next_chunk.to_be_bytes(), bytes);
        self.next_chunk = self.next_chunk.saturating_add(1);
        self.batch_chunks += 1;
        if self.batch_chunks < CHUNKS_PER_FLUSH_MAX { Ok(()) } else { self.write_batch() }
    }

    fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        self.write_batch()?;
        // From here on the entry may be on the disk, so the tree must stay.
        self.tree = None;
        self.publish()?;
        let replaced = self.store.with_head(self.shard, |head| head.newest_mut(self.kind).replace(self.manifest))?;
        if let Some(replaced) = replaced {
            let name = replaced.tree_name(self.kind, self.shard);
            self.store.database.drop_tree(name).map_err(|error| medium("remove the replaced snapshot", error))?;
        }
        Ok(())
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        if self.tree.take().is_some() {
            // What stays behind after an error here is removed when the directory is next opened.
            let _ = self.store.database.drop_tree(self.manifest.tree_name(self.kind, self.shard));
        }
        let _ = self.store.with_head(self.shard, |head| head.snapshot_underway = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back_and_no_flipped_bit_does() {
        let position = Position { sequence: Sequence(7), chain: ChainHash([5; 32]) };
        let manifest = Manifest { generation: 3, position };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::decode(&flipped), None, "bit {bit}");
        }
        assert_eq!(Manifest::decode(&bytes[1..]), None);
    }
}
