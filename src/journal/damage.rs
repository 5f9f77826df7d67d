//! What a journal notices: every kind of damage, wherever it is, is cut as a torn tail or refused, never replayed.

use std::{num::NonZeroU16, sync::Arc};

use super::{
    memory::MemoryRecords, record::PAYLOAD_BYTES_MAX, store::SnapshotSink, store::StoredSnapshot,
    writer::GROUP_BYTES_MAX, *,
};
use crate::kernel::ShardId;

const SHARD: ShardId = ShardId(0);
const OTHER: ShardId = ShardId(1);

fn empty() -> (Arc<MemoryStore>, Journal) {
    let store = Arc::new(MemoryStore::new(NonZeroU16::new(2).unwrap()));
    let journal = resume(&store).unwrap();
    (store, journal)
}

fn resume(store: &Arc<MemoryStore>) -> Result<Journal, ReplayError> {
    let mut journal = Journal::new(Arc::clone(store) as Arc<dyn Store>);
    for shard in [SHARD, OTHER] {
        journal.replay(shard, Position::START, &mut |_, _| Ok(()))?;
    }
    Ok(journal)
}

/// A payload that tells its number and its place within it.
fn payload(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((number * 31 + index * 7) % 251).unwrap()).collect()
}

fn commit(journal: &mut Journal, payloads: &[Vec<u8>]) {
    for payload in payloads {
        journal.commit(&[Group { shard: SHARD, payload }]).unwrap();
    }
}

type Groups = Vec<(u64, Vec<u8>)>;

fn replay_all(store: &MemoryStore, after: Position) -> (Result<Replayed, ReplayError>, Groups) {
    let mut groups = Vec::new();
    let replayed = replay(store, SHARD, after, &mut |sequence, payload| {
        groups.push((sequence.0, payload.to_vec()));
        Ok(())
    });
    (replayed, groups)
}

/// A journal of five groups: records 1, 2, 3 to 5, 6, and 7 to 9.
fn written() -> (Arc<MemoryStore>, Groups) {
    let (store, mut journal) = empty();
    let lengths = [0, 45, PAYLOAD_BYTES_MAX * 2 + 1, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX * 2 + 40];
    let payloads: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(number, length)| payload(number, *length)).collect();
    commit(&mut journal, &payloads);
    (store, [1, 2, 5, 6, 9].into_iter().zip(payloads).collect())
}

#[test]
fn a_replay_ends_where_it_is_told_to() {
    let (store, groups) = written();
    for count in 1..=groups.len() {
        let (mut found, end) = (Vec::new(), Sequence(groups[count - 1].0));
        let replayed = replay_until(&*store, SHARD, Position::START, end, &mut |sequence, payload| {
            found.push((sequence.0, payload.to_vec()));
            Ok(())
        });
        assert_eq!(replayed.unwrap().end.sequence, end);
        assert!(found == groups[..count]);
    }
}

fn change(store: &MemoryStore, sequence: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let changed = |records: &mut MemoryRecords| {
        let record = records.get_mut(&Sequence(sequence)).unwrap();
        let mut bytes = record.to_vec();
        change(&mut bytes);
        *record = bytes.into();
    };
    store.tamper(SHARD, changed).unwrap();
}

#[test]
fn groups_come_back_whole_and_in_order() {
    let (store, groups) = written();
    let (replayed, found) = replay_all(&store, Position::START);
    let replayed = replayed.unwrap();
    assert!(found == groups);
    assert_eq!((replayed.end.sequence, replayed.records, replayed.groups), (Sequence(9), 9, 5));
    assert_eq!(replayed.torn, None);
}

#[test]
fn a_commit_says_how_far_each_shard_is_durable() {
    let (_, mut journal) = empty();
    let long = payload(1, PAYLOAD_BYTES_MAX + 1);
    let group = |shard, payload| Group { shard, payload };
    let durable = journal.commit(&[group(OTHER, &b"x"[..]), group(SHARD, &long), group(OTHER, &b"y"[..])]).unwrap();
    let ends: Vec<(ShardId, u64)> = durable.iter().map(|end| (end.shard, end.position.sequence.0)).collect();
    assert_eq!(ends, [(OTHER, 2), (SHARD, 2)]);
    assert_eq!(journal.durable(SHARD), Some(durable[1].position));
    assert_eq!(journal.commit(&[]).unwrap(), []);
}

#[test]
fn a_journal_goes_on_where_it_ended() {
    let (store, mut groups) = written();
    let mut journal = resume(&store).unwrap();
    commit(&mut journal, &[b"after".to_vec()]);
    groups.push((10, b"after".to_vec()));
    assert!(replay_all(&store, Position::START).1 == groups);
}

#[test]
fn a_replay_after_a_snapshot_begins_there() {
    let (store, groups) = written();
    let mut ends = vec![Position::START];
    walk_positions(&store, &mut ends);
    for (skipped, after) in [(0, 0), (1, 1), (2, 2), (3, 5), (4, 6), (5, 9)] {
        let (replayed, found) = replay_all(&store, ends[after]);
        assert_eq!(replayed.unwrap().end, ends[9]);
        assert!(found == groups[skipped..], "after record {after}");
    }
    // In the middle of a group there is no state to take a snapshot of.
    assert!(matches!(replay_all(&store, ends[4]).0, Err(ReplayError::SnapshotMismatch { sequence: Sequence(4), .. })));
    let another = Position { chain: ChainHash([1; 32]), ..ends[5] };
    assert!(matches!(replay_all(&store, another).0, Err(ReplayError::SnapshotMismatch { sequence: Sequence(5), .. })));
    let beyond = Position { sequence: Sequence(10), ..ends[9] };
    assert!(matches!(replay_all(&store, beyond).0, Err(ReplayError::BehindSnapshot { .. })));
}

fn walk_positions(store: &MemoryStore, positions: &mut Vec<Position>) {
    let mut passed = |position| {
        positions.push(position);
        Ok(std::ops::ControlFlow::Continue(()))
    };
    super::replay::walk(store, SHARD, Position::START, &mut |_, _| Ok(()), &mut passed).unwrap();
}

/// Whatever a write that was cut short leaves of the last group, the groups before it stay, and writing goes on in its place.
#[test]
fn a_last_group_cut_at_any_byte_is_cut_whole() {
    for cut_record in 7..=9_u64 {
        let full = written().0;
        let mut length = 0;
        full.tamper(SHARD, |records| length = records[&Sequence(cut_record)].len()).unwrap();
        // Every byte of the short last record; of the long ones the ends and some places between.
        let places = (0..length).filter(|cut| length < 200 || *cut < 40 || cut % 611 == 0 || *cut > length - 40);
        for cut in places {
            check_cut(cut_record, cut);
        }
    }
}

fn check_cut(record: u64, cut: usize) {
    let (store, groups) = written();
    change(&store, record, |bytes| bytes.truncate(cut));
    store.tamper(SHARD, |records| drop(records.split_off(&Sequence(record + 1)))).unwrap();
    let (replayed, found) = replay_all(&store, Position::START);
    let replayed = replayed.unwrap();
    assert!(found == groups[..4], "record {record} cut to {cut}");
    let torn = replayed.torn.unwrap();
    assert_eq!((torn.from, torn.records), (Sequence(7), record - 6));
    assert!(matches!(torn.reason, TornReason::Undecodable(_)));

    let mut journal = resume(&store).unwrap();
    assert_eq!(store.last(SHARD).unwrap(), Sequence(6));
    commit(&mut journal, &[b"new".to_vec()]);
    let (replayed, found) = replay_all(&store, Position::START);
    assert_eq!(replayed.unwrap().torn, None);
    assert_eq!(found.last(), Some(&(7, b"new".to_vec())));
}

#[test]
fn a_group_without_its_last_records_is_cut() {
    for kept in 7..=8_u64 {
        let (store, groups) = written();
        store.tamper(SHARD, |records| drop(records.split_off(&Sequence(kept + 1)))).unwrap();
        let (replayed, found) = replay_all(&store, Position::START);
        let torn = TornTail { from: Sequence(7), records: kept - 6, reason: TornReason::Incomplete };
        assert_eq!(replayed.unwrap().torn, Some(torn));
        assert!(found == groups[..4]);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let (store, groups) = written();
    let mut seed = 0x5eed_u64;
    let mut random = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % bound
    };
    for _ in 0..1_000 {
        let sequence = u64::try_from(random(9)).unwrap() + 1;
        let mut place = (0, 0);
        change(&store, sequence, |bytes| {
            place = (random(bytes.len()), random(8));
            bytes[place.0] ^= 1 << place.1;
        });
        let (replayed, found) = replay_all(&store, Position::START);
        let noticed = replayed.as_ref().map_or(true, |replayed| replayed.torn.is_some() && sequence == 9);
        assert!(noticed, "record {sequence}, byte and bit {place:?}");
        assert!(groups.starts_with(&found) && found.len() < groups.len(), "record {sequence}, byte and bit {place:?}");
        change(&store, sequence, |bytes| bytes[place.0] ^= 1 << place.1);
    }
    assert_eq!(replay_all(&store, Position::START).0.unwrap().torn, None);
}

fn check_refused(tamper: impl FnOnce(&mut MemoryRecords), expected: &str) {
    let (store, _) = written();
    store.tamper(SHARD, tamper).unwrap();
    let error = replay_all(&store, Position::START).0.unwrap_err().to_string();
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    assert!(verify(&*store, SHARD, &mut |_, _| Ok(()), &mut |_| {}).is_err());
    let before = replay_all(&store, Position::START).1;
    assert!(resume(&store).is_err());
    assert_eq!(replay_all(&store, Position::START).1, before, "a refused journal was changed");
}

#[test]
fn damage_before_the_end_is_refused() {
    fn swap(records: &mut MemoryRecords, one: u64, other: u64) {
        let (first, second) = (records[&Sequence(one)].clone(), records[&Sequence(other)].clone());
        records.insert(Sequence(one), second);
        records.insert(Sequence(other), first);
    }
    check_refused(|records| drop(records.remove(&Sequence(1))), "shard 0 has record 2 where record 1 belongs");
    check_refused(|records| drop(records.remove(&Sequence(4))), "shard 0 has record 5 where record 4 belongs");
    check_refused(|records| swap(records, 1, 2), "record 1 of shard 0 does not carry the hash");
    check_refused(|records| swap(records, 2, 6), "record 2 of shard 0 does not carry the hash");
    check_refused(|records| swap(records, 8, 9), "record 8 of shard 0 does not carry the hash");
    check_refused(
        |records| drop(records.insert(Sequence(6), b"junk"[..].into())),
        "record 6 of shard 0: a record of 4 bytes",
    );
    let copied = |records: &mut MemoryRecords| drop(records.insert(Sequence(10), records[&Sequence(9)].clone()));
    check_refused(copied, "record 10 of shard 0 does not carry the hash");
}

/// A sound record of a newer version at the end is no torn tail: cutting it would lose what a newer build acknowledged.
#[test]
fn a_newer_record_is_refused_even_at_the_end() {
    let newer = |records: &mut MemoryRecords| drop(records.insert(Sequence(10), [2; 50][..].into()));
    check_refused(newer, "record 10 of shard 0: record version 2 is newer than 1");
}

#[test]
fn a_journal_without_an_end_of_group_is_bounded() {
    let (store, _) = empty();
    let mut position = Position::START;
    let payload = vec![0; PAYLOAD_BYTES_MAX];
    for _ in 0..=GROUP_BYTES_MAX / PAYLOAD_BYTES_MAX {
        let mut bytes = Vec::new();
        record::Record { continues: true, previous: position.chain, payload: &payload }
            .encode_into(&mut bytes)
            .unwrap();
        position = position.after(SHARD, &bytes);
        store.append(&[StoredRecord { shard: SHARD, sequence: position.sequence, bytes: &bytes }]).unwrap();
    }
    assert!(matches!(replay_all(&store, Position::START).0, Err(ReplayError::GroupTooLong { .. })));
}

#[test]
fn a_visitor_can_refuse_a_group() {
    let (store, _) = written();
    let mut refuse = |sequence: Sequence, _: &[u8]| if sequence.0 == 5 { Err("unknown event".into()) } else { Ok(()) };
    let error = replay(&*store, SHARD, Position::START, &mut refuse).unwrap_err();
    assert_eq!(error.to_string(), "record 5 of shard 0 cannot be replayed: unknown event");
}

#[test]
fn verification_walks_everything() {
    let (store, groups) = written();
    let mut positions = vec![Position::START];
    walk_positions(&store, &mut positions);
    let mut writer = write_snapshot(&*store, SHARD, positions[5]).unwrap();
    std::io::Write::write_all(&mut writer, &payload(9, 100_000)).unwrap();
    writer.finish().unwrap();
    let (mut found, mut progress) = (Vec::new(), Vec::new());
    let mut visit = |sequence: Sequence, bytes: &[u8]| {
        found.push((sequence.0, bytes.to_vec()));
        Ok(())
    };
    let report = verify(&*store, SHARD, &mut visit, &mut |records| progress.push(records)).unwrap();
    assert!(found == groups);
    assert_eq!(progress, [9]);
    assert_eq!((report.journal.records, report.journal.end), (9, positions[9]));
    assert_eq!((report.snapshot, report.snapshot_bytes), (Some(positions[5]), 100_000));
}

#[test]
fn a_snapshot_of_another_journal_is_refused() {
    let (store, _) = written();
    let elsewhere = Position { sequence: Sequence(5), chain: ChainHash([1; 32]) };
    write_snapshot(&*store, SHARD, elsewhere).unwrap().finish().unwrap();
    let error = verify(&*store, SHARD, &mut |_, _| Ok(()), &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, VerifyError::Journal(ReplayError::SnapshotMismatch { sequence: Sequence(5), .. })),
        "{error}"
    );
}

#[test]
fn a_damaged_snapshot_is_noticed() {
    fn read(chunks: Vec<Vec<u8>>) -> std::io::Result<Vec<u8>> {
        let store = MemoryStore::new(NonZeroU16::new(1).unwrap());
        let mut sink = store.begin_snapshot(SHARD, Position::START).unwrap();
        chunks.iter().for_each(|chunk| sink.chunk(chunk).unwrap());
        sink.finish().unwrap();
        let (_, mut reader) = read_snapshot(&store, SHARD).unwrap().unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut bytes).map(|_| bytes)
    }
    let store = MemoryStore::new(NonZeroU16::new(1).unwrap());
    let state = payload(3, PAYLOAD_BYTES_MAX * 3);
    let mut writer = write_snapshot(&store, SHARD, Position::START).unwrap();
    std::io::Write::write_all(&mut writer, &state).unwrap();
    writer.finish().unwrap();
    let chunks: Vec<Vec<u8>> = store.snapshot(SHARD).unwrap().unwrap().chunks.map(Result::unwrap).collect();
    assert_eq!(chunks.len(), 3);
    assert_eq!(read(chunks.clone()).unwrap(), state);

    let changed = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut changed = chunks.clone();
        change(&mut changed);
        read(changed).is_err()
    };
    assert!(changed(&|chunks| chunks.clear()));
    assert!(changed(&|chunks| drop(chunks.pop())));
    assert!(changed(&|chunks| drop(chunks.remove(1))));
    assert!(changed(&|chunks| chunks.swap(0, 1)));
    assert!(changed(&|chunks| chunks.push(chunks[2].clone())));
    assert!(changed(&|chunks| chunks[1][100] ^= 1));
}

#[test]
fn limits_and_order_of_use_are_checked_and_poison() {
    fn check(groups: &[Group<'_>], expected: &str) {
        let (_, mut journal) = empty();
        assert_eq!(journal.commit(groups).unwrap_err().to_string(), expected);
        assert!(journal.is_poisoned());
        let next = journal.commit(&[Group { shard: SHARD, payload: b"x" }]).unwrap_err();
        assert!(matches!(next, CommitError::Poisoned), "{next}");
    }
    let long = vec![0; GROUP_BYTES_MAX + 1];
    check(&[Group { shard: ShardId(2), payload: b"x" }], "shard 2 is not one of the 2 shards of this journal");
    check(&[Group { shard: SHARD, payload: &long }], "a group of 1048577 bytes for shard 0 is longer than 1048576");
    let many = [Group { shard: SHARD, payload: &long[1..] }; COMMIT_BYTES_MAX / GROUP_BYTES_MAX + 1];
    check(&many, "a commit of 9437184 bytes is longer than 8388608");

    let mut unread = Journal::new(Arc::new(MemoryStore::new(NonZeroU16::new(1).unwrap())));
    let error = unread.commit(&[Group { shard: SHARD, payload: b"x" }]).unwrap_err();
    assert!(matches!(error, CommitError::NotReplayed { shard: SHARD }), "{error}");
}

/// A second writer that was overtaken must not be able to write, and must not try again.
#[test]
fn a_stale_owner_is_fenced_off() {
    let (store, mut stale) = empty();
    let mut owner = resume(&store).unwrap();
    commit(&mut owner, &[b"owner".to_vec()]);
    let error = stale.commit(&[Group { shard: SHARD, payload: b"stale" }]).unwrap_err();
    assert!(matches!(error, CommitError::Store(StoreError::OutOfOrder { .. })), "{error}");
    assert!(stale.is_poisoned());
    assert_eq!(replay_all(&store, Position::START).1, [(1, b"owner".to_vec())]);
}

/// Fails its only append and would accept every other one.
struct FailsOnce(MemoryStore, std::sync::atomic::AtomicBool);

impl Store for FailsOnce {
    fn append(&self, records: &[StoredRecord<'_>]) -> Result<(), StoreError> {
        if self.1.swap(true, std::sync::atomic::Ordering::AcqRel) {
            return self.0.append(records);
        }
        Err(StoreError::Medium { action: "flush the journal", source: "no space left".into() })
    }
    fn read(&self, shard: ShardId, from: Sequence, visit: &mut store::RecordVisitor<'_>) -> Result<(), StoreError> {
        self.0.read(shard, from, visit)
    }
    fn last(&self, shard: ShardId) -> Result<Sequence, StoreError> {
        self.0.last(shard)
    }
    fn truncate(&self, shard: ShardId, from: Sequence) -> Result<(), StoreError> {
        self.0.truncate(shard, from)
    }
    fn anchor(&self, positions: &[(ShardId, Position)]) -> Result<(), StoreError> {
        self.0.anchor(positions)
    }
    fn anchored(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.0.anchored(shard)
    }
    fn put_metadata(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.0.put_metadata(name, value)
    }
    fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.metadata(name)
    }
    fn begin_snapshot<'s>(
        &'s self,
        shard: ShardId,
        position: Position,
    ) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        self.0.begin_snapshot(shard, position)
    }
    fn snapshot<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        self.0.snapshot(shard)
    }
    fn begin_base<'s>(&'s self, shard: ShardId, position: Position) -> Result<Box<dyn SnapshotSink + 's>, StoreError> {
        self.0.begin_base(shard, position)
    }
    fn base<'s>(&'s self, shard: ShardId) -> Result<Option<StoredSnapshot<'s>>, StoreError> {
        self.0.base(shard)
    }
    fn begins_after(&self, shard: ShardId) -> Result<Position, StoreError> {
        self.0.begins_after(shard)
    }
    fn cut(&self, shard: ShardId, records_max: usize) -> Result<usize, StoreError> {
        self.0.cut(shard, records_max)
    }
    fn shards(&self) -> NonZeroU16 {
        self.0.shards()
    }
    fn survives(&self) -> Survives {
        self.0.survives()
    }
}

#[test]
fn a_failed_write_is_never_tried_again() {
    let store = MemoryStore::new(NonZeroU16::new(1).unwrap());
    let mut journal = Journal::new(Arc::new(FailsOnce(store, false.into())));
    journal.replay(SHARD, Position::START, &mut |_, _| Ok(())).unwrap();
    let group = [Group { shard: SHARD, payload: b"x" }];
    let error = journal.commit(&group).unwrap_err().to_string();
    assert_eq!(error, "failed to flush the journal: no space left");
    for _ in 0..3 {
        assert!(matches!(journal.commit(&group), Err(CommitError::Poisoned)));
    }
    assert_eq!(journal.store().last(SHARD).unwrap(), Sequence::NONE);
    assert_eq!(journal.durable(SHARD), Some(Position::START));
}
