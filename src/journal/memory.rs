//! A store in memory: for tests, for the simulation, and for embedding where nothing need survive the process.

use std::{
    collections::BTreeMap,
    num::NonZeroU16,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    position::{Position, Sequence},
    store::{
        RecordVisitor, SnapshotSink, Store, StoreError, StoredRecord, StoredSnapshot, Survives, advance_anchors,
        check_append, check_base, check_length, check_metadata, check_snapshot, check_truncate,
    },
};
use crate::kernel::ShardId;

/// How many records a reader takes at a time, so that it does not hold up the writer while it works on them.
const READ_RECORDS_MAX: usize = 64;

/// Records in memory, by shard and sequence.
#[derive(Debug)]
pub struct MemoryStore {
    shards: NonZeroU16,
    contents: Mutex<Contents>,
}

/// The records of one shard.
pub type MemoryRecords = BTreeMap<Sequence, Arc<[u8]>>;

#[derive(Debug, Default)]
struct Contents {
    shards: Vec<Shard>,
    anchored: Vec<Position>,
    metadata: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Shard {
    records: MemoryRecords,
    snapshot: Option<Snapshot>,
    base: Option<Snapshot>,
    snapshot_underway: bool,
}

#[derive(Clone, Debug)]
struct Snapshot {
    position: Position,
    chunks: Arc<Vec<Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(shards: NonZeroU16) -> MemoryStore {
        let contents = Contents {
            shards: (0..shards.get()).map(|_| Shard::default()).collect(),
            anchored: vec![Position::START; usize::from(shards.get())],
            metadata: BTreeMap::new(),
        };
        MemoryStore { shards, contents: Mutex::new(contents) }
    }

    /// Lets a test change the stored bytes behind the journal's back.
    ///
    /// # Errors
    /// [`StoreError::UnknownShard`].
    #[cfg(any(test, feature = "testing"))]
    pub fn tamper(&self, shard: ShardId, change: impl FnOnce(&mut MemoryRecords)) -> Result<(), StoreError> {
        self.with_shard(shard, |contents| change(&mut contents.records))
    }

    fn with_shard<T>(&self, shard: ShardId, work: impl FnOnce(&mut Shard) -> T) -> Result<T, StoreError> {
        self.lock().shard(shard).map(work)
    }

    /// A panic elsewhere cannot leave the contents half changed: each change is made by one call that does not panic.
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn append(&self, records: &[StoredRecord<'_>]) -> Result<(), StoreError> {
        let mut contents = self.lock();
        check_append(records, |shard| contents.shard(shard).map(|records| records.last()))?;
        for record in records {
            contents.shard(record.shard)?.records.insert(record.sequence, record.bytes.into());
        }
        Ok(())
    }

    fn read(&self, shard: ShardId, from: Sequence, visit: &mut RecordVisitor<'_>) -> Result<(), StoreError> {
        let mut from = from;
        loop {
            let taken: Vec<(Sequence, Arc<[u8]>)> = self.with_shard(shard, |contents| {
                let rest = contents.records.range(from..).take(READ_RECORDS_MAX);
                rest.map(|(sequence, bytes)| (*sequence, Arc::clone(bytes))).collect()
            })?;
            for (sequence, bytes) in &taken {
                if visit(*sequence, bytes) == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
            match taken.last() {
                Some((sequence, _)) if taken.len() == READ_RECORDS_MAX => from = sequence.next(),
                _ => return Ok(()),
            }
        }
    }

    fn last(&self, shard: ShardId) -> Result<Sequence, StoreError> {
        self.with_shard(shard, |contents| contents.last())
    }

    fn truncate(&self, shard: ShardId, from: Sequence) -> Result<(), StoreError> {
        let anchored = self.anchored(shard)?;
        self.with_shard(shard, |contents| {
            let snapshot = contents.snapshot.as_ref().map(|snapshot| snapshot.position.sequence);
            check_truncate(shard, from, snapshot, anchored)?;
            contents.records.split_off(&from);
            Ok(())
        })?
    }

    fn anchor(&self, positions: &[(ShardId, Position)]) -> Result<(), StoreError> {
        let mut contents = self.lock();
        let mut advanced = contents.anchored.clone();
        advance_anchors(&mut advanced, positions, |shard| contents.shard(shard).map(|records| records.last()))?;
        contents.anchored = advanced;
        Ok(())
    }

    fn anchored(&self, shard: ShardId) -> Result<Position, StoreError> {
        let known = self.lock().anchored.get(usize::from(shard.0)).copied();
        known.ok_or(StoreError::UnknownShard { shard, shards: self.shards.get() })
    }

    fn put_metadata(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        check_metadata(name, value)?;
        self.lock().metadata.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().metadata.get(name).cloned())
    }

    fn begin_snapshot<'s>(
        &'s self,
        shard: ShardId,
        position: Position,
    ) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        self.with_shard(shard, |contents| contents.begin_snapshot(shard, position))??;
        Ok(Box::new(Sink { store: self, shard, position, is_base: false, chunks: Vec::new() }))
    }

    fn begin_base<'s>(&'s self, shard: ShardId, position: Position) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        let anchor = self.anchored(shard)?.sequence;
        self.with_shard(shard, |contents| contents.begin_base(shard, position, anchor))??;
        Ok(Box::new(Sink { store: self, shard, position, is_base: true, chunks: Vec::new() }))
    }

    fn base<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        Ok(self.with_shard(shard, |contents| contents.base.clone())?.map(Snapshot::read))
    }

    fn begins_after(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.with_shard(shard, |contents| contents.base.as_ref().map_or(Position::START, |base| base.position))
    }

    fn cut(&self, shard: ShardId, records_max: usize) -> Result<usize, StoreError> {
        self.with_shard(shard, |contents| {
            let Some(base) = &contents.base else { return 0 };
            let before = contents.records.range(..base.position.sequence).take(records_max);
            let old: Vec<Sequence> = before.map(|(sequence, _)| *sequence).collect();
            old.iter().for_each(|sequence| _ = contents.records.remove(sequence));
            old.len()
        })
    }

    fn snapshot<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        Ok(self.with_shard(shard, |contents| contents.snapshot.clone())?.map(Snapshot::read))
    }

    fn shards(&self) -> NonZeroU16 {
        self.shards
    }

    fn survives(&self) -> Survives {
        Survives::Nothing
    }
}

impl Contents {
    fn shard(&mut self, shard: ShardId) -> Result<&mut Shard, StoreError> {
        let shards = u16::try_from(self.shards.len()).unwrap_or(u16::MAX);
        self.shards.get_mut(usize::from(shard.0)).ok_or(StoreError::UnknownShard { shard, shards })
    }
}

impl Snapshot {
    fn read<'s>(self) -> StoredSnapshot<'s> {
        let Snapshot { position, chunks } = self;
        let mut index = 0;
        let next = move || {
            let chunk = chunks.get(index).cloned();
            index += 1;
            chunk.map(Ok)
        };
        StoredSnapshot { position, chunks: Box::new(std::iter::from_fn(next)) }
    }
}

impl Shard {
    fn begin_base(&mut self, shard: ShardId, position: Position, anchor: Sequence) -> Result<(), StoreError> {
        if self.snapshot_underway {
            return Err(StoreError::SnapshotUnderway { shard });
        }
        let covered = |snapshot: &Option<Snapshot>| snapshot.as_ref().map_or(Sequence::NONE, |it| it.position.sequence);
        check_base(shard, position.sequence, covered(&self.base), covered(&self.snapshot), anchor)?;
        self.snapshot_underway = true;
        Ok(())
    }

    fn begin_snapshot(&mut self, shard: ShardId, position: Position) -> Result<(), StoreError> {
        if self.snapshot_underway {
            return Err(StoreError::SnapshotUnderway { shard });
        }
        let newest = self.snapshot.as_ref().map_or(Sequence::NONE, |snapshot| snapshot.position.sequence);
        check_snapshot(shard, position.sequence, newest, self.last())?;
        self.snapshot_underway = true;
        Ok(())
    }

    fn last(&self) -> Sequence {
        self.records.last_key_value().map_or(Sequence::NONE, |(sequence, _)| *sequence)
    }
}

struct Sink<'s> {
    store: &'s MemoryStore,
    shard: ShardId,
    position: Position,
    is_base: bool,
    chunks: Vec<Vec<u8>>,
}

impl SnapshotSink for Sink<'_> {
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        check_length(bytes)?;
        self.chunks.push(bytes.to_vec());
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        let chunks = Arc::new(std::mem::take(&mut self.chunks));
        let (snapshot, is_base) = (Snapshot { position: self.position, chunks }, self.is_base);
        self.store.with_shard(self.shard, |contents| {
            let place = if is_base { &mut contents.base } else { &mut contents.snapshot };
            *place = Some(snapshot);
        })
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        // The shard was there when the snapshot began, so there is no error to lose.
        let _ = self.store.with_shard(self.shard, |contents| contents.snapshot_underway = false);
    }
}
