//! A disk that fails once, at a chosen append, and stays failed until the process restarts.

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    journal::{
        MemoryStore, Position, Sequence, Store, StoreError, StoredRecord, Survives,
        store::{RecordVisitor, SnapshotSink, StoredSnapshot},
    },
    kernel::ShardId,
};

/// What the disk holds after the append that failed. Its caller cannot tell which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing of it.
    Nothing,
    /// All of it: only the acknowledgement was lost.
    Everything,
    /// Its first records; the last of them may be cut short.
    Torn,
}

/// When and how an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which append fails; the first one is number zero.
    pub append: u64,
    /// What the disk then holds.
    pub kind: FaultKind,
    /// Where a torn append is cut.
    pub seed: u64,
}

impl Fault {
    /// The fault that a seed stands for: one of the first `appends_max` appends fails, in one of the three ways.
    #[must_use]
    pub fn from_seed(seed: u64, appends_max: u64) -> Fault {
        let mut random = Random(seed);
        let append = random.below(appends_max.max(1));
        let kind = match random.below(3) {
            0 => FaultKind::Nothing,
            1 => FaultKind::Everything,
            _ => FaultKind::Torn,
        };
        Fault { append, kind, seed: random.next() }
    }
}

/// A store in memory that fails as told. What survives is in the inner store, which a restart opens again.
pub struct FaultyStore {
    disk: Arc<MemoryStore>,
    fault: Option<Fault>,
    appends: AtomicU64,
    failed: AtomicBool,
    /// Writes beside appends until the process dies.
    writes_left: AtomicU64,
}

impl FaultyStore {
    /// A store over a disk; without a fault it never fails by itself.
    #[must_use]
    pub fn new(disk: Arc<MemoryStore>, fault: Option<Fault>) -> FaultyStore {
        FaultyStore {
            disk,
            fault,
            appends: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            writes_left: AtomicU64::new(u64::MAX),
        }
    }

    /// Ends the process that uses this store: nothing is written from now on, and what was not yet appended is lost.
    pub fn crash(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Ends the process after so many writes from now on, appends not counted.
    pub fn crash_after(&self, writes: u64) {
        self.writes_left.store(writes, Ordering::Release);
    }

    /// Whether it has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// What survives.
    #[must_use]
    pub fn disk(&self) -> &Arc<MemoryStore> {
        &self.disk
    }

    fn check_running(&self) -> Result<(), StoreError> {
        if self.has_failed() { Err(StoreError::Failed) } else { Ok(()) }
    }

    /// For every write but an append.
    fn check_write(&self) -> Result<(), StoreError> {
        if self.writes_left.fetch_sub(1, Ordering::AcqRel) == 0 {
            self.crash();
        }
        self.check_running()
    }

    fn fail(&self, fault: Fault, records: &[StoredRecord<'_>]) -> Result<(), StoreError> {
        self.crash();
        match fault.kind {
            FaultKind::Nothing => {}
            FaultKind::Everything => self.disk.append(records)?,
            FaultKind::Torn => self.disk.append(&torn(records, fault.seed))?,
        }
        Err(StoreError::Medium { action: "append records", source: "the disk failed as planned".into() })
    }
}

/// The first records, at least one fewer than all or with the last one cut short.
fn torn<'a>(records: &[StoredRecord<'a>], seed: u64) -> Vec<StoredRecord<'a>> {
    let mut random = Random(seed);
    let whole = random.below(records.len() as u64);
    let mut kept: Vec<StoredRecord<'a>> =
        records.iter().take(usize::try_from(whole).unwrap_or(usize::MAX)).copied().collect();
    if let Some(cut) = records.get(kept.len()) {
        let length = usize::try_from(random.below(cut.bytes.len() as u64)).unwrap_or(0);
        // A cut that leaves no byte leaves no record.
        if let Some(bytes) = cut.bytes.get(..length).filter(|bytes| !bytes.is_empty()) {
            kept.push(StoredRecord { bytes, ..*cut });
        }
    }
    kept
}

/// Splitmix64: small, seeded, and good enough to choose where to cut.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}

impl Store for FaultyStore {
    fn append(&self, records: &[StoredRecord<'_>]) -> Result<(), StoreError> {
        self.check_running()?;
        let append = self.appends.fetch_add(1, Ordering::AcqRel);
        match self.fault {
            Some(fault) if fault.append == append => self.fail(fault, records),
            _ => self.disk.append(records),
        }
    }

    fn read(&self, shard: ShardId, from: Sequence, visit: &mut RecordVisitor<'_>) -> Result<(), StoreError> {
        self.disk.read(shard, from, visit)
    }

    fn last(&self, shard: ShardId) -> Result<Sequence, StoreError> {
        self.disk.last(shard)
    }

    fn truncate(&self, shard: ShardId, from: Sequence) -> Result<(), StoreError> {
        self.check_write()?;
        self.disk.truncate(shard, from)
    }

    fn anchor(&self, positions: &[(ShardId, Position)]) -> Result<(), StoreError> {
        self.check_write()?;
        self.disk.anchor(positions)
    }

    fn anchored(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.disk.anchored(shard)
    }

    fn put_metadata(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.check_write()?;
        self.disk.put_metadata(name, value)
    }

    fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.metadata(name)
    }

    fn begin_snapshot<'s>(
        &'s self,
        shard: ShardId,
        position: Position,
    ) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        self.check_write()?;
        let sink = self.disk.begin_snapshot(shard, position)?;
        Ok(Box::new(FaultySink { store: self, sink }))
    }

    fn snapshot<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        self.disk.snapshot(shard)
    }

    fn begin_base<'s>(&'s self, shard: ShardId, position: Position) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        self.check_write()?;
        let sink = self.disk.begin_base(shard, position)?;
        Ok(Box::new(FaultySink { store: self, sink }))
    }

    fn base<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        self.disk.base(shard)
    }

    fn begins_after(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.disk.begins_after(shard)
    }

    fn cut(&self, shard: ShardId, records_max: usize) -> Result<usize, StoreError> {
        self.check_write()?;
        self.disk.cut(shard, records_max)
    }

    fn shards(&self) -> NonZeroU16 {
        self.disk.shards()
    }

    fn survives(&self) -> Survives {
        self.disk.survives()
    }
}

/// A snapshot that a crash leaves unfinished.
struct FaultySink<'s> {
    store: &'s FaultyStore,
    sink: Box<dyn SnapshotSink + 's>,
}

impl SnapshotSink for FaultySink<'_> {
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.check_write()?;
        self.sink.chunk(bytes)
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.store.check_write()?;
        self.sink.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Group, Journal, replay};

    const SHARD: ShardId = ShardId(0);
    const COMMITS: u64 = 8;

    fn groups_on(disk: &MemoryStore) -> (Vec<Vec<u8>>, bool) {
        let mut groups = Vec::new();
        let replayed = replay(disk, SHARD, Position::START, &mut |_, payload| {
            groups.push(payload.to_vec());
            Ok(())
        });
        (groups, replayed.unwrap().torn.is_some())
    }

    fn payload(commit: u64) -> Vec<u8> {
        vec![u8::try_from(commit).unwrap(); 5_000 * usize::try_from(commit + 1).unwrap()]
    }

    /// Commits until the fault; returns how many commits were acknowledged.
    fn run(disk: &Arc<MemoryStore>, fault: Fault) -> u64 {
        let store = Arc::new(FaultyStore::new(Arc::clone(disk), Some(fault)));
        let mut journal = Journal::new(Arc::clone(&store) as Arc<dyn Store>);
        journal.replay(SHARD, Position::START, &mut |_, _| Ok(())).unwrap();
        let acknowledged = (0..COMMITS)
            .take_while(|commit| {
                let payload = payload(*commit);
                journal.commit(&[Group { shard: SHARD, payload: &payload }]).is_ok()
            })
            .count();
        assert!(store.has_failed() && journal.is_poisoned());
        assert!(matches!(store.put_metadata("name", b"late"), Err(StoreError::Failed)));
        acknowledged as u64
    }

    /// Whatever the failed append left, every acknowledged group is there, nothing is invented, and writing goes on.
    #[test]
    fn no_fault_loses_what_was_acknowledged() {
        let (mut torn_seen, mut unacknowledged_seen) = (0, 0);
        for seed in 0..500 {
            let disk = Arc::new(MemoryStore::new(NonZeroU16::MIN));
            let fault = Fault::from_seed(seed, COMMITS);
            let acknowledged = run(&disk, fault);
            assert_eq!(acknowledged, fault.append, "seed {seed}");
            let (found, torn) = groups_on(&disk);
            let extra = u64::from(fault.kind == FaultKind::Everything);
            let expected: Vec<Vec<u8>> = (0..acknowledged + extra).map(payload).collect();
            assert!(found == expected, "seed {seed}: {fault:?}");
            torn_seen += u32::from(torn);
            unacknowledged_seen += extra;

            let mut journal = Journal::new(Arc::clone(&disk) as Arc<dyn Store>);
            journal.replay(SHARD, Position::START, &mut |_, _| Ok(())).unwrap();
            journal.commit(&[Group { shard: SHARD, payload: b"after" }]).unwrap();
            let (found, torn) = groups_on(&disk);
            assert_eq!((found.last().map(Vec::as_slice), torn), (Some(&b"after"[..]), false), "seed {seed}");
        }
        assert!(torn_seen > 50 && unacknowledged_seen > 50, "{torn_seen} torn, {unacknowledged_seen} unacknowledged");
    }

    #[test]
    fn a_crash_leaves_a_snapshot_unfinished() {
        let disk = Arc::new(MemoryStore::new(NonZeroU16::MIN));
        let store = FaultyStore::new(Arc::clone(&disk), None);
        let writer = crate::journal::write_snapshot(&store, SHARD, Position::START).unwrap();
        store.crash();
        assert!(matches!(writer.finish(), Err(StoreError::Failed)));
        assert!(disk.snapshot(SHARD).unwrap().is_none());
    }
}
