//! A process that is killed while it commits and writes snapshots loses nothing that it was told is durable.
//!
//! The test runs itself again as the process to kill.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    num::NonZeroU16,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use super::{CACHE_BYTES_DEFAULT, SledOptions, SledStore};
use crate::{
    journal::{Group, Journal, Position, Sequence, Store, Survives, read_snapshot, replay, verify, write_snapshot},
    kernel::ShardId,
};

const DIRECTORY: &str = "HOLDFAST_TEST_JOURNAL_TO_KILL";
const SHARDS: [ShardId; 2] = [ShardId(0), ShardId(1)];
const SNAPSHOT_BYTES: usize = 1_000_000;

fn open(directory: &Path) -> SledStore {
    let options =
        SledOptions { create_with: NonZeroU16::new(2), survives: Survives::Process, cache_bytes: CACHE_BYTES_DEFAULT };
    SledStore::open(directory, &options).unwrap()
}

/// Bytes that tell which commit they belong to; some groups need several records.
fn payload(commit: u64) -> Vec<u8> {
    let length = if commit.is_multiple_of(16) { 40_000 } else { 2_000 };
    commit.to_be_bytes().into_iter().cycle().take(length).collect()
}

/// The last commit whose group was replayed.
fn check_group(last: &mut u64, group: &[u8]) {
    assert!(group == payload(*last + 1), "the group after commit {last} is another one");
    *last += 1;
}

/// Commits for ever, and says after each commit that it is durable.
#[test]
fn the_process_to_kill() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let store: Arc<dyn Store> = Arc::new(open(Path::new(&directory)));
    let mut journal = Journal::new(Arc::clone(&store));
    // A crash may have left one shard a commit ahead of the other, so each counts for itself.
    let mut commits = SHARDS.map(|shard| {
        let mut last = 0;
        let mut count = |_: Sequence, group: &[u8]| {
            check_group(&mut last, group);
            Ok(())
        };
        journal.replay(shard, Position::START, &mut count).unwrap();
        last
    });
    let newest = Arc::new(Mutex::new(journal.durable(SHARDS[0]).unwrap()));
    let covered = Arc::clone(&newest);
    let snapshots = thread::spawn(move || {
        loop {
            let position = *covered.lock().unwrap();
            let mut writer = write_snapshot(&*store, SHARDS[0], position).unwrap();
            writer.write_all(&vec![7; SNAPSHOT_BYTES]).unwrap();
            writer.finish().unwrap();
            store.anchor(&[(SHARDS[0], position)]).unwrap();
        }
    });
    loop {
        assert!(!snapshots.is_finished(), "a snapshot failed");
        commits = commits.map(|commit| commit + 1);
        let [first, second] = commits.map(payload);
        let groups = [Group { shard: SHARDS[0], payload: &first }, Group { shard: SHARDS[1], payload: &second }];
        let durable = journal.commit(&groups).unwrap();
        *newest.lock().unwrap() = durable[0].position;
        writeln!(std::io::stdout(), "\ndurable {} {} .", commits[0], commits[1]).unwrap();
    }
}

/// Runs the process until it has said `lines` times that a commit is durable, kills it, and returns the last ones it said.
fn run_and_kill(directory: &Path, lines: usize) -> [u64; 2] {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "journal::sled::kill::the_process_to_kill", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines_said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut durable = lines_said.filter_map(|line| parse_durable(&line));
    let before = durable.by_ref().take(lines).last();
    child.kill().unwrap();
    // What it said before it died, but was not read yet, counts too.
    let last = durable.last().or(before).expect("the process commits");
    child.wait().unwrap();
    last
}

/// The full stop at the end tells a whole line from one that the kill cut short.
fn parse_durable(line: &str) -> Option<[u64; 2]> {
    let (first, second) = line.strip_prefix("durable ")?.strip_suffix(" .")?.split_once(' ')?;
    Some([first.parse().unwrap(), second.parse().unwrap()])
}

/// A shard's commits as they are on the disk; also checks its snapshot and that a replay may begin there.
fn commits_on(store: &SledStore, shard: ShardId) -> u64 {
    let mut last = 0;
    let mut visit = |_: Sequence, group: &[u8]| {
        check_group(&mut last, group);
        Ok(())
    };
    let report = verify(store, shard, &mut visit, &mut |_| {}).unwrap();
    assert_eq!(report.journal.torn, None, "sled writes a batch whole or not at all");
    if let Some((position, mut reader)) = read_snapshot(store, shard).unwrap() {
        let mut state = Vec::new();
        reader.read_to_end(&mut state).unwrap();
        assert!(state == vec![7; SNAPSHOT_BYTES]);
        assert_eq!(replay(store, shard, position, &mut |_, _| Ok(())).unwrap().end, report.journal.end);
    }
    last
}

#[test]
fn a_killed_process_loses_nothing_it_called_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut snapshots = 0;
    for lines in [1, 20, 57, 111, 3, 200] {
        let told = run_and_kill(directory.path(), lines);
        let store = open(directory.path());
        for (shard, told) in SHARDS.into_iter().zip(told) {
            let found = commits_on(&store, shard);
            assert!(found == told || found == told + 1, "told of {told} commits, found {found}");
        }
        snapshots += u32::from(store.snapshot(SHARDS[0]).unwrap().is_some());
    }
    assert!(snapshots > 0, "no snapshot was ever finished");
}
