//! What do rules cost: when they are written, when a policy comes into force for many agents, and with each payment?
//!
//! `cargo bench --no-default-features --bench policy`

mod fixture;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fixture::{Course, End, Shard, fifty_rules, machine_payments, of_rules};
use holdfast::kernel::{
    Request,
    policy::{PolicySource, check, compile},
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULE_COUNTS: [usize; 5] = [0, 1, 4, 12, 20];
const AGENTS: u32 = 10_000;
const COURSE: Course = Course { step: 4096, steps_open: 4, end: End::Voided };

/// From what an operator writes to what is run.
fn compiling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    for rules in RULE_COUNTS {
        let source = of_rules(rules);
        group.bench_function(format!("compile, {rules} rules"), |bencher| {
            bencher.iter(|| {
                let checked = check(black_box(&source)).expect("the rules are understood");
                compile([(&checked, 1)])
            });
        });
    }
    group.finish();
}

/// A policy comes into force in a shard, for every agent that is there.
fn coming_into_force(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    group.throughput(Throughput::Elements(u64::from(AGENTS)));
    let mut shard = None;
    group.bench_function("write, an agent", |bencher| {
        let shard = shard.get_or_insert_with(|| Shard::empty(machine_payments(), COURSE).with_agents(AGENTS));
        let mut version = 0;
        bencher.iter(|| {
            version += 1;
            let changed = PolicySource { description: format!("version {version}"), ..machine_payments() };
            shard.ask(&Request::PutPolicy(changed, None))
        });
    });
    group.finish();
}

/// One approval under so many rules.
fn deciding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorize by rules");
    group.throughput(Throughput::Elements(1));
    let sources = RULE_COUNTS.map(of_rules).into_iter().chain([fifty_rules()]);
    for source in sources {
        let mut shard = None;
        group.bench_function(format!("{} rules", source.rules.len()), |bencher| {
            let shard =
                shard.get_or_insert_with(|| Shard::empty(source.clone(), COURSE).with_agents(AGENTS).in_steady_state());
            bencher.iter_custom(|approvals| placing(shard, approvals));
        });
    }
    group.finish();
}

/// The time that placing takes, without what makes room again.
fn placing(shard: &mut Shard, approvals: u64) -> Duration {
    let steps = approvals.div_ceil(COURSE.step);
    let mut total = Duration::ZERO;
    for _ in 0..steps {
        let start = Instant::now();
        shard.place_step();
        total += start.elapsed();
        shard.end_step();
    }
    total.mul_f64(approvals as f64 / (steps * COURSE.step) as f64)
}

criterion_group! {
    name = benches;
    config = fixture::fast();
    targets = compiling, coming_into_force, deciding
}
criterion_main!(benches);
