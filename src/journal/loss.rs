//! What an anchor notices: records that were durable and are gone, or are not the ones that were.

use std::{num::NonZeroU16, sync::Arc};

use super::*;
use crate::kernel::ShardId;

const SHARD: ShardId = ShardId(0);
const GROUPS: u64 = 6;

/// Bytes that are found again in any file, and tell their group.
fn payload(group: u64) -> Vec<u8> {
    format!("the group with the number {group}; ").into_bytes().repeat(8)
}

fn resume(store: &Arc<dyn Store>) -> Result<Journal, ReplayError> {
    let mut journal = Journal::new(Arc::clone(store));
    journal.replay(SHARD, Position::START, &mut |_, _| Ok(()))?;
    Ok(journal)
}

fn write(journal: &mut Journal, groups: std::ops::RangeInclusive<u64>) {
    for group in groups {
        journal.commit(&[Group { shard: SHARD, payload: &payload(group) }]).unwrap();
    }
}

/// Six records, anchored at the fourth, as after a crash some time after a snapshot.
fn anchored() -> (Arc<MemoryStore>, Position) {
    let memory = Arc::new(MemoryStore::new(NonZeroU16::MIN));
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&memory);
    let mut journal = resume(&store).unwrap();
    write(&mut journal, 1..=4);
    journal.anchor().unwrap();
    let anchor = journal.durable(SHARD).unwrap();
    write(&mut journal, 5..=GROUPS);
    (memory, anchor)
}

/// Replays, verifies and resumes; all three agree on where the journal ends, or on why it is refused.
fn check(tamper: impl FnOnce(&mut memory::MemoryRecords), expected: Result<u64, &str>) {
    let (memory, anchor) = anchored();
    memory.tamper(SHARD, tamper).unwrap();
    let last = memory.last(SHARD).unwrap();
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&memory);
    let replayed = replay(&*store, SHARD, Position::START, &mut |_, _| Ok(())).map(|found| found.end.sequence.0);
    let verified = verify(&*store, SHARD, &mut |_, _| Ok(()), &mut |_| {}).map(|found| found.journal.end.sequence.0);
    let resumed = resume(&store).map(|journal| journal.durable(SHARD).unwrap().sequence.0);
    assert_eq!(store.anchored(SHARD).unwrap(), anchor);
    match expected {
        Ok(end) => assert_eq!((replayed.unwrap(), verified.unwrap(), resumed.unwrap()), (end, end, end)),
        Err(expected) => {
            let errors = [replayed.unwrap_err().to_string(), verified.unwrap_err().to_string()];
            for error in errors.into_iter().chain([resumed.err().unwrap().to_string()]) {
                assert!(error.contains(expected), "`{error}` does not say `{expected}`");
            }
            assert_eq!(store.last(SHARD).unwrap(), last, "a refused journal was cut");
        }
    }
}

#[test]
fn nothing_at_or_before_an_anchor_is_lost_in_silence() {
    let cut = |from: u64| move |records: &mut memory::MemoryRecords| drop(records.split_off(&Sequence(from)));
    let damage = |at: u64, rest: u64| {
        move |records: &mut memory::MemoryRecords| {
            drop(records.split_off(&Sequence(rest)));
            let shorter = records[&Sequence(at)].split_last().unwrap().1.to_vec();
            records.insert(Sequence(at), shorter.into());
        }
    };
    // A crash loses nothing that was anchored.
    check(|_| {}, Ok(6));
    check(cut(6), Ok(5));
    check(cut(5), Ok(4));
    // What came after the anchor may be the rest of a write that was cut short.
    check(damage(6, 7), Ok(5));
    check(damage(5, 6), Ok(4));
    check(cut(4), Err("the journal of shard 0 ends at record 3, but record 4 was durable"));
    check(cut(1), Err("the journal of shard 0 ends at record 0, but record 4 was durable"));
    check(damage(3, 4), Err("the journal of shard 0 ends at record 3, but record 4 was durable"));
    // Without the anchor this would be a torn tail.
    check(damage(4, 5), Err("record 4 of shard 0 is not the one that was durable"));
    check(|records| drop(records.remove(&Sequence(4))), Err("record 4 of shard 0 is not the one that was durable"));
    check(damage(2, 7), Err("record 2 of shard 0"));
}

/// A journal of the same length with another past, as when somebody has put another file in its place.
#[test]
fn another_journal_in_its_place_is_refused() {
    let other = Arc::new(MemoryStore::new(NonZeroU16::MIN));
    let mut journal = resume(&(Arc::<MemoryStore>::clone(&other) as Arc<dyn Store>)).unwrap();
    write(&mut journal, 11..=20);
    let mut records = memory::MemoryRecords::new();
    other.tamper(SHARD, |found| records.clone_from(found)).unwrap();
    check(|found| *found = records, Err("record 4 of shard 0 is not the one that was durable"));
}

#[cfg(feature = "sled")]
mod on_disk {
    use std::{
        fs,
        io::Write,
        panic::{AssertUnwindSafe, catch_unwind},
        path::Path,
    };

    use super::*;

    /// Another test of this process may be starting a program at this moment, and hold every lock until that runs.
    const OPEN_ATTEMPTS_MAX: usize = 10_000;

    fn open(directory: &Path, create: bool) -> Result<Arc<dyn Store>, SledOpenError> {
        let options = SledOptions {
            create_with: create.then_some(NonZeroU16::MIN),
            survives: Survives::Process,
            cache_bytes: super::super::sled::CACHE_BYTES_DEFAULT,
        };
        for _ in 1..OPEN_ATTEMPTS_MAX {
            match SledStore::open(directory, &options) {
                Err(error) if is_locked(&error) => std::thread::yield_now(),
                result => return Ok(Arc::new(result?)),
            }
        }
        Ok(Arc::new(SledStore::open(directory, &options)?))
    }

    fn is_locked(error: &SledOpenError) -> bool {
        matches!(error, SledOpenError::InUse { .. }) || error.to_string().contains("could not acquire lock")
    }

    /// A journal that was left in good order, with a snapshot in its middle.
    fn stopped() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), true).unwrap();
        let mut journal = resume(&store).unwrap();
        write(&mut journal, 1..=3);
        let mut snapshot = write_snapshot(&*store, SHARD, journal.durable(SHARD).unwrap()).unwrap();
        snapshot.write_all(b"a state").unwrap();
        snapshot.finish().unwrap();
        write(&mut journal, 4..=GROUPS);
        journal.anchor().unwrap();
        directory
    }

    /// How many groups the next process finds, or why it refuses.
    fn restart(directory: &Path, create: bool) -> Result<u64, String> {
        let store = open(directory, create).map_err(|error| error.to_string())?;
        let found = verify(&*store, SHARD, &mut |_, _| Ok(()), &mut |_| {}).map_err(|error| error.to_string())?;
        resume(&store).map_err(|error| error.to_string())?;
        Ok(found.journal.groups)
    }

    fn flip(directory: &Path, places: impl Iterator<Item = usize>) {
        let log = super::super::sled::sled_log_path(directory);
        let mut bytes = fs::read(&log).unwrap();
        places.for_each(|place| bytes[place] ^= 0x20);
        fs::write(&log, bytes).unwrap();
    }

    /// The files of a directory; what sled keeps in directories is not there.
    fn copy(from: &Path, to: &Path) {
        let entries = fs::read_dir(from).unwrap().map(Result::unwrap);
        for file in entries.filter(|entry| entry.file_type().unwrap().is_file()) {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }

    fn places_of(directory: &Path, sought: &[u8]) -> Vec<usize> {
        let bytes = fs::read(super::super::sled::sled_log_path(directory)).unwrap();
        let places: Vec<usize> =
            bytes.windows(sought.len()).enumerate().filter(|(_, found)| *found == sought).map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        places
    }

    /// sled takes a damaged entry of its log for the last thing that was written before a crash and drops whatever follows, so
    /// after a clean stop a flipped bit made the journal shorter, and both the next start and the verification were content.
    #[test]
    fn a_record_that_sled_drops_for_a_flipped_bit_is_missed() {
        for group in 1..=GROUPS {
            for create in [true, false] {
                let directory = stopped();
                flip(directory.path(), places_of(directory.path(), &payload(group)).into_iter());
                let error = restart(directory.path(), create).unwrap_err();
                let expected = format!("ends at record {}, but record {GROUPS} was durable", group - 1);
                assert!(error.contains(&expected), "`{error}` does not say `{expected}`");
            }
        }
    }

    /// Wherever a bit flips, every group is still there, or somebody says so. A panic inside sled is a loud end, too.
    #[test]
    fn no_flipped_bit_anywhere_loses_a_record_in_silence() {
        let original = stopped();
        let log = super::super::sled::sled_log_path(original.path());
        let bytes = fs::read(&log).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let (mut seed, mut refused) = (0x5eed_u64, 0);
        for _ in 0..150 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let directory = tempfile::tempdir().unwrap();
            copy(original.path(), directory.path());
            let place = usize::try_from(seed >> 33).unwrap() % written;
            flip(directory.path(), std::iter::once(place));
            match catch_unwind(AssertUnwindSafe(|| restart(directory.path(), true))) {
                Ok(Ok(groups)) => assert_eq!(groups, GROUPS, "a bit of byte {place} flipped"),
                Ok(Err(_)) | Err(_) => refused += 1,
            }
        }
        assert!(refused > 0, "no flipped bit hit anything");
    }

    #[test]
    fn a_log_that_is_gone_is_not_made_anew() {
        for create in [true, false] {
            let directory = stopped();
            fs::remove_file(super::super::sled::sled_log_path(directory.path())).unwrap();
            let error = restart(directory.path(), create).unwrap_err();
            assert!(error.contains("was written for a journal that is no longer there"), "{error}");
        }
    }

    #[test]
    fn a_missing_anchor_is_accepted_and_an_unreadable_one_is_not() {
        let directory = stopped();
        let anchor = directory.path().join("anchor");
        let bytes = fs::read(&anchor).unwrap();
        fs::write(&anchor, &bytes[1..]).unwrap();
        let error = restart(directory.path(), true).unwrap_err();
        assert!(error.contains("anchor` is damaged; restore the data directory from a backup"), "{error}");
        fs::remove_file(&anchor).unwrap();
        assert_eq!(restart(directory.path(), true), Ok(GROUPS));
    }

    #[test]
    fn an_older_anchor_is_accepted_after_a_crash() {
        let directory = stopped();
        let store = open(directory.path(), false).unwrap();
        write(&mut resume(&store).unwrap(), 7..=8);
        drop(store);
        assert_eq!(restart(directory.path(), true), Ok(8));
    }
}
