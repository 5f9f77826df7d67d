//! How long does a commit take? Groups of 256 and 1024 events of 45 bytes over four shards, in memory and on disk.
//!
//! `cargo bench --bench journal --no-default-features --features sled`; the disk is that of `TMPDIR`.

use std::{hint::black_box, num::NonZeroU16, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast::{
    journal::{Group, Journal, MemoryStore, Position, Store},
    kernel::ShardId,
};

const EVENT_BYTES: usize = 45;
const SHARDS: u16 = 4;

fn shards() -> NonZeroU16 {
    NonZeroU16::new(SHARDS).expect("there are shards")
}

fn empty_journal(store: Arc<dyn Store>) -> Journal {
    let mut journal = Journal::new(store);
    for shard in (0..SHARDS).map(ShardId) {
        journal.replay(shard, Position::START, &mut |_, _| Ok(())).expect("an empty journal replays");
    }
    journal
}

#[cfg(feature = "sled")]
fn on_disk(directory: &std::path::Path, survives: holdfast::journal::Survives) -> Arc<dyn Store> {
    use holdfast::journal::{SledOptions, SledStore, sled::CACHE_BYTES_DEFAULT};
    let options = SledOptions { create_with: Some(shards()), survives, cache_bytes: CACHE_BYTES_DEFAULT };
    Arc::new(SledStore::open(directory, &options).expect("the store opens"))
}

/// Each store takes so many commits before a fresh one replaces it: enough to hide the change, few enough to fit in memory.
const COMMITS_PER_STORE: usize = 10_000;

fn commits(criterion: &mut Criterion, name: &str, open: &dyn Fn() -> Arc<dyn Store>) {
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(30);
    for events in [256, 1024] {
        let payload = vec![7; events * EVENT_BYTES / usize::from(SHARDS)];
        let groups: Vec<Group<'_>> =
            (0..SHARDS).map(|shard| Group { shard: ShardId(shard), payload: &payload }).collect();
        let (mut journal, mut committed) = (empty_journal(open()), 0);
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(format!("{name}/{events}"), |bencher| {
            bencher.iter(|| {
                if committed == COMMITS_PER_STORE {
                    (journal, committed) = (empty_journal(open()), 0);
                }
                committed += 1;
                black_box(journal.commit(&groups).expect("a commit succeeds"))
            });
        });
    }
    group.finish();
}

fn memory(criterion: &mut Criterion) {
    commits(criterion, "memory", &|| Arc::new(MemoryStore::new(shards())));
}

#[cfg(feature = "sled")]
fn sled(criterion: &mut Criterion) {
    use holdfast::journal::Survives;
    for (name, survives) in [("sled, process", Survives::Process), ("sled, power", Survives::Power)] {
        let directories = tempfile::tempdir().expect("a temporary directory can be made");
        let opened = std::cell::Cell::new(0);
        commits(criterion, name, &|| {
            opened.set(opened.get() + 1);
            on_disk(&directories.path().join(opened.get().to_string()), survives)
        });
    }
}

#[cfg(feature = "sled")]
criterion_group!(benches, memory, sled);
#[cfg(not(feature = "sled"))]
criterion_group!(benches, memory);
criterion_main!(benches);
