//! What every store must do: each test runs against each store.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    ops::ControlFlow,
};

use super::{
    ChainHash, MemoryStore, Position, Sequence, Store, StoreError, StoredRecord, read_base, read_snapshot,
    record::RECORD_BYTES_MAX, write_base, write_snapshot,
};
use crate::kernel::ShardId;

const A: ShardId = ShardId(0);
const B: ShardId = ShardId(1);

fn two_shards() -> NonZeroU16 {
    NonZeroU16::new(2).unwrap()
}

fn stored(shard: ShardId, sequence: u64, bytes: &[u8]) -> StoredRecord<'_> {
    StoredRecord { shard, sequence: Sequence(sequence), bytes }
}

fn contents(store: &dyn Store, shard: ShardId, from: u64) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut visit = |sequence: Sequence, bytes: &[u8]| {
        found.push((sequence.0, bytes.to_vec()));
        ControlFlow::Continue(())
    };
    store.read(shard, Sequence(from), &mut visit).unwrap();
    found
}

fn at(sequence: u64) -> Position {
    Position { sequence: Sequence(sequence), chain: ChainHash([u8::try_from(sequence).unwrap(); 32]) }
}

fn snapshot_of(store: &dyn Store) -> Option<(Position, Vec<u8>)> {
    read_snapshot(store, A).unwrap().map(|(position, mut reader)| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        (position, bytes)
    })
}

fn put_snapshot(store: &dyn Store, position: Position, bytes: &[u8]) {
    let mut writer = write_snapshot(store, A, position).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
}

fn what_is_appended_is_read_back_in_order(store: &dyn Store) {
    store.append(&[stored(A, 1, b"a1"), stored(B, 1, b"b1"), stored(A, 2, b"a2")]).unwrap();
    for sequence in 3..=300 {
        store.append(&[stored(A, sequence, &sequence.to_be_bytes())]).unwrap();
    }
    let expected: Vec<(u64, Vec<u8>)> = [(1, b"a1".to_vec()), (2, b"a2".to_vec())]
        .into_iter()
        .chain((3..=300_u64).map(|sequence| (sequence, sequence.to_be_bytes().to_vec())))
        .collect();
    assert_eq!(contents(store, A, 0), expected);
    assert_eq!(contents(store, A, 1), expected);
    assert_eq!(contents(store, A, 299), expected[298..]);
    assert_eq!(contents(store, A, 301), []);
    assert_eq!(contents(store, B, 1), [(1, b"b1".to_vec())]);
    assert_eq!((store.last(A).unwrap(), store.last(B).unwrap()), (Sequence(300), Sequence(1)));
}

fn a_reader_may_stop(store: &dyn Store) {
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(A, 3, b"3")]).unwrap();
    let mut seen = 0;
    let mut visit = |_: Sequence, _: &[u8]| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.read(A, Sequence(1), &mut visit).unwrap();
    assert_eq!(seen, 2);
}

fn an_empty_shard_has_no_last_record(store: &dyn Store) {
    assert_eq!(store.last(A).unwrap(), Sequence::NONE);
    assert_eq!(contents(store, A, 1), []);
    store.append(&[]).unwrap();
    assert!(store.snapshot(A).unwrap().is_none());
}

/// A stale owner, a lost record and a record sent twice are all refused, and what came with them is not written either.
fn a_record_that_does_not_follow_refuses_the_whole_call(store: &dyn Store) {
    fn check(store: &dyn Store, records: &[StoredRecord<'_>], stated: u64, last: u64) {
        let error = store.append(records).unwrap_err();
        let expected = (Sequence(stated), Sequence(last));
        assert!(
            matches!(error, StoreError::OutOfOrder { stated, last, .. } if (stated, last) == expected),
            "{error} is not {expected:?}"
        );
        assert_eq!((store.last(A).unwrap(), store.last(B).unwrap()), (Sequence(1), Sequence::NONE));
        assert_eq!((contents(store, A, 1).len(), contents(store, B, 1).len()), (1, 0));
    }
    store.append(&[stored(A, 1, b"1")]).unwrap();
    check(store, &[stored(A, 1, b"again")], 1, 1);
    check(store, &[stored(A, 0, b"zero")], 0, 1);
    check(store, &[stored(A, 3, b"hole")], 3, 1);
    check(store, &[stored(A, u64::MAX, b"far")], u64::MAX, 1);
    check(store, &[stored(B, 1, b"good"), stored(A, 2, b"good"), stored(A, 4, b"hole")], 4, 2);
    check(store, &[stored(B, 1, b"good"), stored(A, 2, b"good"), stored(B, 1, b"again")], 1, 1);
    store.append(&[stored(A, 2, b"2")]).unwrap();
}

fn what_is_too_long_or_elsewhere_is_refused(store: &dyn Store) {
    let long = vec![0; RECORD_BYTES_MAX + 1];
    let error = store.append(&[stored(A, 1, b"good"), stored(A, 2, &long)]).unwrap_err();
    assert!(matches!(error, StoreError::RecordTooLong { bytes } if bytes == RECORD_BYTES_MAX + 1), "{error}");
    assert_eq!(contents(store, A, 1), []);
    let elsewhere = ShardId(2);
    let refusals = [
        store.append(&[stored(A, 1, b"good"), stored(elsewhere, 1, b"x")]).unwrap_err(),
        store.last(elsewhere).unwrap_err(),
        store.truncate(elsewhere, Sequence(1)).unwrap_err(),
        store.read(elsewhere, Sequence(1), &mut |_, _| ControlFlow::Continue(())).unwrap_err(),
        store.snapshot(elsewhere).err().unwrap(),
        store.begin_snapshot(elsewhere, Position::START).err().unwrap(),
        store.anchor(&[(elsewhere, Position::START)]).unwrap_err(),
        store.anchored(elsewhere).unwrap_err(),
    ];
    for error in refusals {
        assert!(matches!(error, StoreError::UnknownShard { shards: 2, .. }), "{error}");
    }
    store.append(&[stored(A, 1, b"1")]).unwrap();
}

fn a_cut_tail_is_written_over(store: &dyn Store) {
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(A, 3, b"3"), stored(B, 1, b"b")]).unwrap();
    store.truncate(A, Sequence(4)).unwrap();
    assert_eq!(store.last(A).unwrap(), Sequence(3));
    store.truncate(A, Sequence(2)).unwrap();
    assert_eq!(store.last(A).unwrap(), Sequence(1));
    store.append(&[stored(A, 2, b"new")]).unwrap();
    assert_eq!(contents(store, A, 1), [(1, b"1".to_vec()), (2, b"new".to_vec())]);
    store.truncate(A, Sequence(1)).unwrap();
    assert_eq!((store.last(A).unwrap(), store.last(B).unwrap()), (Sequence::NONE, Sequence(1)));
}

fn metadata_is_kept(store: &dyn Store) {
    assert_eq!(store.metadata("directory").unwrap(), None);
    store.put_metadata("directory", b"one").unwrap();
    store.put_metadata("directory", b"two").unwrap();
    store.put_metadata("other", b"").unwrap();
    assert_eq!(store.metadata("directory").unwrap(), Some(b"two".to_vec()));
    assert_eq!(store.metadata("other").unwrap(), Some(Vec::new()));
    let error = store.put_metadata("long", &vec![0; super::store::METADATA_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, StoreError::MetadataTooLong { .. }), "{error}");
}

fn a_snapshot_appears_whole_and_replaces_the_one_before(store: &dyn Store) {
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(A, 3, b"3")]).unwrap();
    for (position, length) in [(at(1), 0), (at(1), 1), (at(2), 12_250), (at(2), 12_251), (at(3), 2_000_003)] {
        let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
        put_snapshot(store, position, &bytes);
        assert!(snapshot_of(store) == Some((position, bytes)), "{length} bytes at {position:?}");
    }
}

fn an_unfinished_snapshot_is_invisible(store: &dyn Store) {
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2")]).unwrap();
    for before in [None, Some((at(1), b"first".to_vec()))] {
        if let Some((position, bytes)) = &before {
            put_snapshot(store, *position, bytes);
        }
        let mut writer = write_snapshot(store, A, at(2)).unwrap();
        writer.write_all(&vec![1; 2_000_000]).unwrap();
        assert_eq!(snapshot_of(store), before);
        assert!(matches!(write_snapshot(store, A, at(2)).err().unwrap(), StoreError::SnapshotUnderway { shard: A }));
        drop(writer);
        assert_eq!(snapshot_of(store), before);
    }
    put_snapshot(store, at(2), b"second");
    assert_eq!(snapshot_of(store), Some((at(2), b"second".to_vec())));
}

fn a_snapshot_covers_what_is_there_and_no_less_than_before(store: &dyn Store) {
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(A, 3, b"3")]).unwrap();
    put_snapshot(store, at(2), b"two");
    for sequence in [1, 4] {
        let error = write_snapshot(store, A, at(sequence)).err().unwrap();
        assert!(matches!(error, StoreError::SnapshotOutOfRange { .. }), "{error}");
    }
    let error = store.truncate(A, Sequence(2)).unwrap_err();
    assert!(matches!(error, StoreError::Covered { snapshot: Sequence(2), .. }), "{error}");
    store.truncate(A, Sequence(3)).unwrap();
    assert_eq!(snapshot_of(store), Some((at(2), b"two".to_vec())));
}

fn an_anchor_only_moves_forward(store: &dyn Store) {
    fn check(store: &dyn Store, a: Position, b: Position) {
        assert_eq!((store.anchored(A).unwrap(), store.anchored(B).unwrap()), (a, b));
    }
    check(store, Position::START, Position::START);
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(A, 3, b"3"), stored(B, 1, b"b")]).unwrap();
    store.anchor(&[]).unwrap();
    store.anchor(&[(A, at(2)), (B, Position::START)]).unwrap();
    check(store, at(2), Position::START);
    for earlier in [at(1), Position::START] {
        store.anchor(&[(A, earlier)]).unwrap();
        check(store, at(2), Position::START);
    }
    let ahead = store.anchor(&[(A, at(3)), (B, at(2))]).unwrap_err();
    assert!(matches!(ahead, StoreError::AnchorOutOfRange { shard: B, last: Sequence(1), .. }), "{ahead}");
    check(store, at(2), Position::START);
    store.anchor(&[(A, at(3)), (B, at(1))]).unwrap();
    check(store, at(3), at(1));
}

fn what_is_anchored_is_not_cut(store: &dyn Store) {
    store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(A, 3, b"3"), stored(B, 1, b"b")]).unwrap();
    store.anchor(&[(A, at(2))]).unwrap();
    for from in [0, 1, 2] {
        let error = store.truncate(A, Sequence(from)).unwrap_err();
        assert!(matches!(error, StoreError::Anchored { anchor: Sequence(2), .. }), "{error}");
    }
    store.truncate(A, Sequence(3)).unwrap();
    store.truncate(B, Sequence(0)).unwrap();
    assert_eq!((store.last(A).unwrap(), store.last(B).unwrap()), (Sequence(2), Sequence::NONE));
    assert_eq!(store.anchored(A).unwrap(), at(2));
}

fn put_base(store: &dyn Store, position: Position, bytes: &[u8]) {
    let mut writer = write_base(store, A, position).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
}

fn base_of(store: &dyn Store) -> Option<(Position, Vec<u8>)> {
    read_base(store, A).unwrap().map(|(position, mut reader)| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        (position, bytes)
    })
}

fn ten_records_covered_to_eight(store: &dyn Store) {
    for sequence in 1..=10 {
        store.append(&[stored(A, sequence, &[u8::try_from(sequence).unwrap()])]).unwrap();
    }
    store.append(&[stored(B, 1, b"b")]).unwrap();
    put_snapshot(store, at(8), b"state");
    store.anchor(&[(A, at(8))]).unwrap();
}

fn what_stands_before_a_base_is_cut_a_little_at_a_time(store: &dyn Store) {
    ten_records_covered_to_eight(store);
    assert_eq!(store.cut(A, 100).unwrap(), 0, "nothing is cut without a base");
    assert_eq!((store.begins_after(A).unwrap(), base_of(store)), (Position::START, None));
    put_base(store, at(5), b"five");
    assert_eq!((store.begins_after(A).unwrap(), base_of(store)), (at(5), Some((at(5), b"five".to_vec()))));
    assert_eq!(contents(store, A, 1).len(), 10, "a base removes nothing by itself");
    assert_eq!([3, 3, 3].map(|count| store.cut(A, count).unwrap()), [3, 1, 0]);
    let left: Vec<u64> = contents(store, A, 0).into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(left, [5, 6, 7, 8, 9, 10], "the record of the base is kept");
    assert_eq!((store.last(A).unwrap(), contents(store, B, 1).len()), (Sequence(10), 1));
    store.append(&[stored(A, 11, b"11")]).unwrap();
    put_base(store, at(8), b"eight");
    assert_eq!(store.cut(A, 100).unwrap(), 3);
    assert_eq!((contents(store, A, 0).len(), base_of(store)), (4, Some((at(8), b"eight".to_vec()))));
    assert_eq!(snapshot_of(store), Some((at(8), b"state".to_vec())));
    store.truncate(A, Sequence(10)).unwrap();
    assert_eq!(store.last(A).unwrap(), Sequence(9));
}

fn a_base_is_covered_and_only_moves_forward(store: &dyn Store) {
    ten_records_covered_to_eight(store);
    put_base(store, at(5), b"five");
    for sequence in [0, 4, 5, 9, 11] {
        let position = if sequence == 0 { Position::START } else { at(sequence) };
        let error = write_base(store, A, position).err().unwrap();
        assert!(matches!(error, StoreError::BaseOutOfRange { base: Sequence(5), .. }), "{error}");
    }
    put_snapshot(store, at(10), b"newer");
    let error = write_base(store, A, at(9)).err().unwrap();
    assert!(matches!(error, StoreError::BaseOutOfRange { anchor: Sequence(8), .. }), "{error}");
    let mut unfinished = write_base(store, A, at(6)).unwrap();
    unfinished.write_all(b"half").unwrap();
    assert!(matches!(write_snapshot(store, A, at(10)).err().unwrap(), StoreError::SnapshotUnderway { .. }));
    drop(unfinished);
    assert_eq!((store.begins_after(A).unwrap(), base_of(store)), (at(5), Some((at(5), b"five".to_vec()))));
    let elsewhere = ShardId(2);
    for error in [
        store.begin_base(elsewhere, at(1)).err().unwrap(),
        store.base(elsewhere).err().unwrap(),
        store.begins_after(elsewhere).unwrap_err(),
        store.cut(elsewhere, 1).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::UnknownShard { .. }), "{error}");
    }
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[test]
            fn $name() {
                super::$name(&super::MemoryStore::new(super::two_shards()));
            })*
        }

        #[cfg(feature = "sled")]
        mod sled {
            $(#[test]
            fn $name() {
                let directory = tempfile::tempdir().unwrap();
                super::$name(&super::on_disk::open(directory.path(), super::super::Survives::Process));
                super::on_disk::check_no_blobs(directory.path());
            })*
        }
    };
}

contract! {
    what_is_appended_is_read_back_in_order,
    a_reader_may_stop,
    an_empty_shard_has_no_last_record,
    a_record_that_does_not_follow_refuses_the_whole_call,
    what_is_too_long_or_elsewhere_is_refused,
    a_cut_tail_is_written_over,
    metadata_is_kept,
    an_anchor_only_moves_forward,
    what_is_anchored_is_not_cut,
    a_snapshot_appears_whole_and_replaces_the_one_before,
    an_unfinished_snapshot_is_invisible,
    a_snapshot_covers_what_is_there_and_no_less_than_before,
    what_stands_before_a_base_is_cut_a_little_at_a_time,
    a_base_is_covered_and_only_moves_forward,
}

/// What only a store on a disk can show.
#[cfg(feature = "sled")]
mod on_disk {
    use std::{fs, path::Path, sync::Arc};

    use super::{super::*, *};

    pub(super) fn open(directory: &Path, survives: Survives) -> SledStore {
        let cache_bytes = super::super::sled::CACHE_BYTES_DEFAULT;
        SledStore::open(directory, &SledOptions { create_with: Some(two_shards()), survives, cache_bytes }).unwrap()
    }

    pub(super) fn check_no_blobs(directory: &Path) {
        assert_eq!(fs::read_dir(directory.join("blobs")).unwrap().count(), 0, "sled wrote a value outside its log");
    }

    #[test]
    fn everything_is_there_after_reopening() {
        for survives in [Survives::Process, Survives::Power] {
            let directory = tempfile::tempdir().unwrap();
            let store = open(directory.path(), survives);
            assert_eq!(store.survives(), survives);
            store.append(&[stored(A, 1, b"1"), stored(A, 2, b"2"), stored(B, 1, b"b")]).unwrap();
            store.put_metadata("directory", b"one").unwrap();
            put_snapshot(&store, at(1), b"state");
            put_snapshot(&store, at(2), b"newer state");
            store.anchor(&[(A, at(1))]).unwrap();
            drop(store);

            let store = open(directory.path(), survives);
            assert_eq!(contents(&store, A, 1), [(1, b"1".to_vec()), (2, b"2".to_vec())]);
            assert_eq!(store.metadata("directory").unwrap(), Some(b"one".to_vec()));
            assert_eq!(snapshot_of(&store), Some((at(2), b"newer state".to_vec())));
            assert_eq!((store.anchored(A).unwrap(), store.anchored(B).unwrap()), (at(1), Position::START));
            assert!(store.append(&[stored(A, 2, b"stale")]).is_err());
            store.append(&[stored(A, 3, b"3")]).unwrap();
            assert_eq!((store.last(A).unwrap(), store.last(B).unwrap()), (Sequence(3), Sequence(1)));
        }
    }

    #[test]
    fn a_base_and_what_was_cut_stay_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), Survives::Process);
        ten_records_covered_to_eight(&store);
        put_base(&store, at(4), b"four");
        put_base(&store, at(5), b"five");
        store.cut(A, 2).unwrap();
        // A cut is flushed with the next commit.
        store.append(&[stored(A, 11, b"11")]).unwrap();
        drop(store);

        let store = open(directory.path(), Survives::Process);
        assert_eq!((store.begins_after(A).unwrap(), base_of(&store)), (at(5), Some((at(5), b"five".to_vec()))));
        assert_eq!(contents(&store, A, 0).first().map(|(sequence, _)| *sequence), Some(3));
        assert_eq!((store.cut(A, 100).unwrap(), store.last(A).unwrap()), (2, Sequence(11)));
    }

    #[test]
    fn a_snapshot_that_a_crash_left_unfinished_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), Survives::Process);
        store.append(&[stored(A, 1, b"1")]).unwrap();
        put_snapshot(&store, at(1), b"finished");
        drop(store);
        let raw = || ::sled::Config::new().path(directory.path()).segment_size(1024 * 1024).open().unwrap();
        let chunk_trees = || {
            let database = raw();
            database.tree_names().iter().filter(|name| name.starts_with(b"snapshot/")).count()
        };
        let unfinished = raw();
        let tree = unfinished.open_tree("snapshot/00000/00000000000000000002").unwrap();
        tree.insert([0; 8], b"half").unwrap();
        drop((tree, unfinished));
        assert_eq!(chunk_trees(), 2);

        let store = open(directory.path(), Survives::Process);
        assert_eq!(snapshot_of(&store), Some((at(1), b"finished".to_vec())));
        drop(store);
        assert_eq!(chunk_trees(), 1);
    }

    /// Values that sled moves to `blobs/` are not flushed with its log, so the longest groups and commits must stay clear of it.
    #[test]
    fn records_of_the_maximum_size_stay_in_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(Arc::new(open(directory.path(), Survives::Process)));
        for shard in [A, B] {
            journal.replay(shard, Position::START, &mut |_, _| Ok(())).unwrap();
        }
        let payload: Vec<u8> = (0..GROUP_BYTES_MAX).map(|index| u8::try_from((index * index) % 253).unwrap()).collect();
        for _ in 0..10 {
            journal.commit(&[Group { shard: A, payload: &payload }, Group { shard: B, payload: &payload }]).unwrap();
            for _ in 0..20 {
                journal.commit(&[Group { shard: A, payload: &payload[..record::PAYLOAD_BYTES_MAX] }]).unwrap();
            }
        }
        check_no_blobs(directory.path());
        let largest = [Group { shard: A, payload: &payload }; COMMIT_BYTES_MAX / GROUP_BYTES_MAX];
        journal.commit(&largest).unwrap();
        check_no_blobs(directory.path());
        let end = journal.durable(A);
        drop(journal);

        let store = open(directory.path(), Survives::Process);
        let replayed = replay(&store, A, Position::START, &mut |_, bytes| {
            assert!(payload.starts_with(bytes));
            Ok(())
        });
        let replayed = replayed.unwrap();
        assert_eq!((replayed.torn, Some(replayed.end), replayed.groups), (None, end, 218));
    }

    #[test]
    fn the_log_file_is_where_the_barrier_looks_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), Survives::Power);
        let log = super::super::sled::sled_log_path(directory.path());
        let before = fs::metadata(&log).unwrap().len();
        for sequence in 1..=200 {
            store.append(&[stored(A, sequence, &[7; RECORD_BYTES_MAX])]).unwrap();
        }
        assert!(fs::metadata(&log).unwrap().len() > before);
    }
}
