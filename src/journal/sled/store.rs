//! The store on sled: appends, reads, cuts and metadata.

use std::{
    fs::File,
    num::NonZeroU16,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ::sled::{Batch, Db, Tree};

use super::{
    anchor,
    directory::{self, SledOpenError, SledOptions, medium, sled_log_path},
    snapshot::{self, Kind, Manifest},
};
use crate::{
    journal::{
        position::{Position, Sequence},
        store::{
            RecordVisitor, SnapshotSink, Store, StoreError, StoredRecord, StoredSnapshot, Survives, advance_anchors,
            check_append, check_base, check_metadata, check_snapshot, check_truncate,
        },
    },
    kernel::ShardId,
};

const METADATA_TREE: &str = "metadata";

/// The records of all shards share a tree, so that an append is one batch: a batch for each shard costs three times as much.
const RECORDS_TREE: &str = "records";

/// Records in a data directory that this process alone has open.
pub struct SledStore {
    pub(super) database: Db,
    manifests: Tree,
    base_manifests: Tree,
    metadata: Tree,
    records: Tree,
    shards: NonZeroU16,
    heads: Mutex<Vec<Head>>,
    barrier: Option<File>,
    path: PathBuf,
    /// What the anchor says; held while it is replaced, so that two writers cannot undo each other.
    anchored: Mutex<Vec<Position>>,
    /// Set by the first failed write. A failed flush may have dropped what it was to write, and a second one would then
    /// report success for it, so no write is ever tried again.
    failed: AtomicBool,
}

/// What is known of a shard without asking sled.
#[derive(Clone, Debug)]
pub(super) struct Head {
    last: Sequence,
    snapshot: Option<Manifest>,
    base: Option<Manifest>,
    pub(super) snapshot_underway: bool,
}

impl SledStore {
    /// Opens a data directory, or creates it if the options say with how many shards.
    ///
    /// # Errors
    /// [`SledOpenError`], among others for a directory in use, of a newer format, or with values that sled keeps outside its log.
    pub fn open(directory: &Path, options: &SledOptions) -> Result<SledStore, SledOpenError> {
        let path = directory.to_owned();
        let directory = directory::open(directory, options)?;
        let open_tree = |name: &str| directory.database.open_tree(name).map_err(|error| medium("open a tree", error));
        let (records, metadata) = (open_tree(RECORDS_TREE)?, open_tree(METADATA_TREE)?);
        let manifests = open_tree(Kind::Snapshot.manifest_tree())?;
        let base_manifests = open_tree(Kind::Base.manifest_tree())?;
        let mut heads = Vec::with_capacity(usize::from(directory.shards.get()));
        for shard in (0..directory.shards.get()).map(ShardId) {
            let snapshot = snapshot::read_manifest(&manifests, shard)?;
            let base = snapshot::read_manifest(&base_manifests, shard)?;
            heads.push(Head { last: last_of(&records, shard)?, snapshot, base, snapshot_underway: false });
        }
        snapshot::remove_unfinished(&directory.database, &heads)?;
        Ok(SledStore {
            database: directory.database,
            manifests,
            base_manifests,
            metadata,
            records,
            shards: directory.shards,
            heads: Mutex::new(heads),
            barrier: directory.barrier,
            path,
            anchored: Mutex::new(directory.anchored),
            failed: AtomicBool::new(false),
        })
    }

    /// A panic elsewhere cannot leave a head half changed: each change is one assignment.
    pub(super) fn heads(&self) -> MutexGuard<'_, Vec<Head>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with_head<T>(&self, shard: ShardId, work: impl FnOnce(&mut Head) -> T) -> Result<T, StoreError> {
        self.heads().get_mut(usize::from(shard.0)).map(work).ok_or_else(|| self.unknown(shard))
    }

    pub(super) fn manifests(&self, kind: Kind) -> &Tree {
        match kind {
            Kind::Snapshot => &self.manifests,
            Kind::Base => &self.base_manifests,
        }
    }

    fn anchors(&self) -> MutexGuard<'_, Vec<Position>> {
        self.anchored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_known(&self, shard: ShardId) -> Result<(), StoreError> {
        if shard.0 < self.shards.get() { Ok(()) } else { Err(self.unknown(shard)) }
    }

    fn unknown(&self, shard: ShardId) -> StoreError {
        StoreError::UnknownShard { shard, shards: self.shards.get() }
    }

    /// Runs a write, and lets no other write follow it if it fails.
    pub(super) fn write<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed);
        }
        work().inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    /// sled's flush hands everything to the drive; the barrier makes the drive keep it.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.database.flush().map_err(|error| medium("flush the journal", error))?;
        match &self.barrier {
            Some(log) => log.sync_data().map_err(|error| medium("flush the drive's cache", error)),
            None => Ok(()),
        }
    }
}

impl Store for SledStore {
    fn append(&self, records: &[StoredRecord<'_>]) -> Result<(), StoreError> {
        let mut heads = self.heads();
        let known = |shard: ShardId| heads.get(usize::from(shard.0)).map(|head| head.last);
        check_append(records, |shard| known(shard).ok_or_else(|| self.unknown(shard)))?;
        let mut batch = Batch::default();
        for record in records {
            batch.insert(&Key::of(record.shard, record.sequence).0, record.bytes);
        }
        self.write(|| {
            self.records.apply_batch(batch).map_err(|error| medium("write records", error))?;
            self.flush()
        })?;
        for record in records {
            if let Some(head) = heads.get_mut(usize::from(record.shard.0)) {
                head.last = record.sequence;
            }
        }
        Ok(())
    }

    fn read(&self, shard: ShardId, from: Sequence, visit: &mut RecordVisitor<'_>) -> Result<(), StoreError> {
        self.check_known(shard)?;
        for entry in self.records.range(Key::of(shard, from)..=Key::last(shard)) {
            let (key, bytes) = entry.map_err(|error| medium("read records", error))?;
            if visit(sequence_of(&key)?, &bytes) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, shard: ShardId) -> Result<Sequence, StoreError> {
        self.with_head(shard, |head| head.last)
    }

    fn truncate(&self, shard: ShardId, from: Sequence) -> Result<(), StoreError> {
        let snapshot = self.with_head(shard, |head| head.snapshot.map(|manifest| manifest.position.sequence))?;
        check_truncate(shard, from, snapshot, self.anchored(shard)?)?;
        self.write(|| {
            let mut batch = Batch::default();
            for key in self.records.range(Key::of(shard, from)..=Key::last(shard)).keys() {
                batch.remove(key.map_err(|error| medium("read records", error))?);
            }
            self.records.apply_batch(batch).map_err(|error| medium("cut records", error))?;
            self.flush()
        })?;
        let last = last_of(&self.records, shard)?;
        self.with_head(shard, |head| head.last = last)
    }

    /// The anchor survives a power cut, so what it speaks for is made to survive one first.
    fn anchor(&self, positions: &[(ShardId, Position)]) -> Result<(), StoreError> {
        let mut anchors = self.anchors();
        let mut advanced = anchors.clone();
        if !advance_anchors(&mut advanced, positions, |shard| self.last(shard))? {
            return Ok(());
        }
        self.write(|| {
            let log = File::open(sled_log_path(&self.path)).map_err(|error| medium("open sled's log", error))?;
            log.sync_data().map_err(|error| medium("flush the drive's cache", error))
        })?;
        anchor::write(&self.path, &advanced).map_err(|error| medium("write the anchor", error))?;
        *anchors = advanced;
        Ok(())
    }

    fn anchored(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.anchors().get(usize::from(shard.0)).copied().ok_or_else(|| self.unknown(shard))
    }

    fn put_metadata(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        check_metadata(name, value)?;
        self.write(|| {
            self.metadata.insert(name, value).map_err(|error| medium("write metadata", error))?;
            self.flush()
        })
    }

    fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.metadata.get(name).map_err(|error| medium("read metadata", error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn begin_snapshot<'s>(
        &'s self,
        shard: ShardId,
        position: Position,
    ) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        let generation = self.with_head(shard, |head| head.begin_snapshot(shard, position))??;
        snapshot::begin(self, Kind::Snapshot, shard, Manifest { generation, position })
    }

    fn snapshot<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        match self.with_head(shard, |head| head.snapshot)? {
            Some(manifest) => snapshot::read(&self.database, Kind::Snapshot, shard, manifest).map(Some),
            None => Ok(None),
        }
    }

    fn begin_base<'s>(&'s self, shard: ShardId, position: Position) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        let anchor = self.anchored(shard)?.sequence;
        let generation = self.with_head(shard, |head| head.begin_base(shard, position, anchor))??;
        snapshot::begin(self, Kind::Base, shard, Manifest { generation, position })
    }

    fn base<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        match self.with_head(shard, |head| head.base)? {
            Some(manifest) => snapshot::read(&self.database, Kind::Base, shard, manifest).map(Some),
            None => Ok(None),
        }
    }

    fn begins_after(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.with_head(shard, |head| head.base.map_or(Position::START, |manifest| manifest.position))
    }

    /// Without a flush: the base says that they are gone, so it does no harm if a crash brings them back, and the next commit flushes
    /// them with its own.
    fn cut(&self, shard: ShardId, records_max: usize) -> Result<usize, StoreError> {
        let base = self.begins_after(shard)?.sequence;
        self.write(|| {
            let (mut batch, mut count) = (Batch::default(), 0);
            for key in self.records.range(Key::of(shard, Sequence::NONE)..Key::of(shard, base)).keys().take(records_max)
            {
                batch.remove(key.map_err(|error| medium("read records", error))?);
                count += 1;
            }
            if count > 0 {
                self.records.apply_batch(batch).map_err(|error| medium("cut records", error))?;
            }
            Ok(count)
        })
    }

    fn shards(&self) -> NonZeroU16 {
        self.shards
    }

    fn survives(&self) -> Survives {
        if self.barrier.is_some() { Survives::Power } else { Survives::Process }
    }
}

impl Head {
    /// The generation of the new snapshot; each has a tree of its own.
    fn begin_snapshot(&mut self, shard: ShardId, position: Position) -> Result<u64, StoreError> {
        if self.snapshot_underway {
            return Err(StoreError::SnapshotUnderway { shard });
        }
        check_snapshot(shard, position.sequence, self.snapshot_sequence(), self.last)?;
        self.snapshot_underway = true;
        Ok(self.snapshot.map_or(0, |manifest| manifest.generation).saturating_add(1))
    }

    fn begin_base(&mut self, shard: ShardId, position: Position, anchor: Sequence) -> Result<u64, StoreError> {
        if self.snapshot_underway {
            return Err(StoreError::SnapshotUnderway { shard });
        }
        let base = self.base.map_or(Sequence::NONE, |manifest| manifest.position.sequence);
        check_base(shard, position.sequence, base, self.snapshot_sequence(), anchor)?;
        self.snapshot_underway = true;
        Ok(self.base.map_or(0, |manifest| manifest.generation).saturating_add(1))
    }

    pub(super) fn newest(&self, kind: Kind) -> Option<Manifest> {
        match kind {
            Kind::Snapshot => self.snapshot,
            Kind::Base => self.base,
        }
    }

    pub(super) fn newest_mut(&mut self, kind: Kind) -> &mut Option<Manifest> {
        match kind {
            Kind::Snapshot => &mut self.snapshot,
            Kind::Base => &mut self.base,
        }
    }

    fn snapshot_sequence(&self) -> Sequence {
        self.snapshot.map_or(Sequence::NONE, |manifest| manifest.position.sequence)
    }
}

/// Where a record is in the tree: shards one after the other, each in the order of its sequences.
struct Key([u8; KEY_BYTES]);

const KEY_BYTES: usize = 2 + 8;

impl Key {
    fn of(shard: ShardId, sequence: Sequence) -> Key {
        let mut bytes = [0; KEY_BYTES];
        let (shard_bytes, sequence_bytes) = bytes.split_at_mut(2);
        shard_bytes.copy_from_slice(&shard.0.to_be_bytes());
        sequence_bytes.copy_from_slice(&sequence.0.to_be_bytes());
        Key(bytes)
    }

    /// At or after every record of a shard.
    fn last(shard: ShardId) -> Key {
        Key::of(shard, Sequence(u64::MAX))
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn last_of(records: &Tree, shard: ShardId) -> Result<Sequence, StoreError> {
    let last = records.range(Key::of(shard, Sequence::NONE)..=Key::last(shard)).next_back();
    match last.transpose().map_err(|error| medium("read the last record", error))? {
        Some((key, _)) => sequence_of(&key),
        None => Ok(Sequence::NONE),
    }
}

fn sequence_of(key: &[u8]) -> Result<Sequence, StoreError> {
    let sequence = key.split_first_chunk::<2>().and_then(|(_, sequence)| sequence.try_into().ok());
    let number = sequence.ok_or_else(|| StoreError::Damaged { what: "a record's key".to_owned() })?;
    Ok(Sequence(u64::from_be_bytes(number)))
}
