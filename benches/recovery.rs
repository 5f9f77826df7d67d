//! How fast does a shard come back? The time for one event of its journal, and for one agent of a snapshot, each way.
//!
//! One shard on one core, from memory: what the disk adds, and what several shards on several cores save, is seen by `--bench cold_start`.
//!
//! `cargo bench --no-default-features --bench recovery`

mod fixture;

use std::{hint::black_box, num::NonZeroU16, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fixture::{Course, End, Gateway, Shard, machine_payments};
use holdfast::{
    journal::{MemoryStore, Position, codec::visit_events, replay},
    kernel::{Options, ShardId, State},
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENTS: u32 = 10_000;
const PAYMENTS: u64 = 100_000;
const SHARD: ShardId = ShardId(0);

/// A shard's journal of payments, each authorized and captured.
fn journal() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new(NonZeroU16::MIN));
    let its_store = Arc::<MemoryStore>::clone(&store);
    let mut gateway = Gateway::open(its_store, u64::MAX).expect("an empty store opens");
    gateway.create_agents(AGENTS);
    gateway.pay(PAYMENTS);
    store
}

/// Visits every event and gives how many there are.
fn replay_all(store: &MemoryStore, state: Option<&mut State>) -> u64 {
    let mut events = 0;
    let mut state = state;
    replay(store, SHARD, Position::START, &mut |_, payload| {
        visit_events(payload, &mut |moment, event| {
            events += 1;
            match &mut state {
                Some(state) => state.apply(moment, &event),
                None => _ = black_box((moment, event)),
            }
        })?;
        Ok(())
    })
    .expect("a sound journal replays");
    events
}

fn replaying(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10);
    let store = journal();
    group.throughput(Throughput::Elements(replay_all(&store, None)));
    group.bench_function("read an event", |bencher| bencher.iter(|| replay_all(&store, None)));
    group.bench_function("read and apply an event", |bencher| {
        let empty = || State::new(Options::new(machine_payments()));
        bencher.iter_with_large_drop(|| {
            let mut state = empty();
            replay_all(&store, Some(&mut state));
            state
        });
    });
    group.finish();
}

/// Agents with a wallet who have paid, and nothing open.
fn snapshots(criterion: &mut Criterion) {
    const COURSE: Course = Course { step: 1000, steps_open: 10, end: End::Voided };
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(AGENTS)));
    let state = Shard::empty(machine_payments(), COURSE).with_agents(AGENTS).in_steady_state().state;
    group.bench_function("write an agent", |bencher| bencher.iter_with_large_drop(|| state.image()));
    let image = state.image();
    group.bench_function("load an agent", |bencher| {
        bencher.iter_with_large_drop(|| State::from_image(black_box(&image)).expect("an image loads"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = fixture::fast();
    targets = replaying, snapshots
}
criterion_main!(benches);
