//! What does it cost to count a payment in the calendar windows of one scope, and in a rolling period?
//!
//! An approval does the first for the agent, its service and its wallet, and the second for every period that a policy asks for.
//!
//! `cargo bench --no-default-features --bench counters`

mod fixture;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fixture::{AMOUNT, BEGINNING};
use holdfast::kernel::{
    Amount, Duration, Period, Timestamp,
    state::{
        velocity::Velocity,
        window::{Weight, Windows},
    },
};

const NOTHING: Weight = Weight { used: Amount::ZERO, spent: Amount::ZERO };
const HELD: Weight = Weight { used: AMOUNT, spent: Amount::ZERO };
const SPENT: Weight = Weight { used: AMOUNT, spent: AMOUNT };
/// So that rolling periods roll.
const BETWEEN: Duration = Duration::from_micros(1000);

fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window");
    let (mut windows, mut now) = (Windows::EMPTY, BEGINNING);
    group.bench_function("book a hold and its capture", |bencher| {
        bencher.iter(|| {
            now = now.after(BETWEEN);
            windows.book(now, now, NOTHING, black_box(HELD));
            windows.book(now, now, HELD, black_box(SPENT));
        });
    });
    group.bench_function("look at day, week and month", |bencher| {
        bencher.iter(|| black_box(&windows).all_used(black_box(now)))
    });
    group.finish();
}

fn velocity(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("velocity");
    for (period, name) in [(Period::Minute, "minute"), (Period::Hour, "hour"), (Period::Month, "month")] {
        let (mut velocity, mut now) = (Velocity::new(period), BEGINNING);
        group.bench_function(format!("count a call, {name}"), |bencher| {
            bencher.iter(|| called(&mut velocity, &mut now));
        });
    }
    group.finish();
}

/// Looks, as a check does, and counts.
fn called(velocity: &mut Velocity, now: &mut Timestamp) -> u64 {
    *now = now.after(BETWEEN);
    let before = velocity.count(black_box(*now));
    velocity.add(*now, 1);
    before
}

criterion_group! {
    name = benches;
    config = fixture::fast();
    targets = windows, velocity
}
criterion_main!(benches);
