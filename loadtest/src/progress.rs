//! How it goes while it goes.

use std::{
    io::IsTerminal,
    sync::{Arc, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    lane::LaneHandles,
    plan::Plan,
    record::Percentiles,
    tally::{LastSecond, histogram, merge},
};

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Default)]
struct Sums {
    decided: u64,
    captured: u64,
    errors: u64,
    in_flight: u64,
}

/// Waits until the plan is over, and shows each second how it goes: in place on a terminal, else a line a second. Returns how many
/// requests waited for an answer at the end of each second.
pub(crate) fn show(plan: &Plan, lanes: &[LaneHandles], last_seconds: &[Arc<LastSecond>], is_shown: bool) -> Vec<u64> {
    let bar = bar(plan, is_shown);
    let (mut before, mut moment, mut in_flight) = (Sums::default(), 0, Vec::new());
    for second in 1.. {
        let next = plan.start + INTERVAL * second;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let (now, sums) = (plan.now(), sum(lanes));
        in_flight.push(sums.in_flight);
        let line = line(plan, now, &sums, &before, (now - moment) as f64 / 1e9) + &waits(last_seconds);
        match &bar {
            Some(bar) => {
                bar.set_position(now / 1_000_000_000);
                bar.set_message(line);
            }
            None if is_shown => eprintln!("{:3.0} s {line}", now as f64 / 1e9),
            None => {}
        }
        (before, moment) = (sums, now);
        if now >= plan.end {
            break;
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    in_flight
}

/// The bar on a terminal.
fn bar(plan: &Plan, is_shown: bool) -> Option<ProgressBar> {
    if !is_shown || !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:24} {pos:>3}/{len} s  {msg}").expect("the template is fixed");
    Some(ProgressBar::new(plan.seconds() as u64).with_style(style))
}

fn line(plan: &Plan, now: u64, sums: &Sums, before: &Sums, seconds: f64) -> String {
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    let phase = if now <= plan.measured_from + INTERVAL.as_nanos() as u64 / 2 { "warm-up" } else { "measured" };
    format!(
        "{phase:8} {:>10.0} decisions/s {:>9.0} captures/s {:>7} waiting {:>6} errors",
        rate(sums.decided, before.decided),
        rate(sums.captured, before.captured),
        sums.in_flight,
        sums.errors,
    )
}

/// How long authorizations waited in the last second whose end everybody has seen.
fn waits(last_seconds: &[Arc<LastSecond>]) -> String {
    let mut all = histogram();
    last_seconds.iter().for_each(|last| merge(&mut all, &last.lock().unwrap_or_else(PoisonError::into_inner)));
    if all.is_empty() {
        return String::new();
    }
    let Percentiles { p50, p99, .. } = Percentiles::of(&all);
    format!("   p50 {p50:.2} ms  p99 {p99:.2} ms")
}

fn sum(lanes: &[LaneHandles]) -> Sums {
    lanes.iter().map(|handles| &handles.live).fold(Sums::default(), |sums, lane| Sums {
        decided: sums.decided + lane.decided.load(Ordering::Relaxed),
        captured: sums.captured + lane.captured.load(Ordering::Relaxed),
        errors: sums.errors + lane.errors.load(Ordering::Relaxed),
        in_flight: sums.in_flight + lane.in_flight.load(Ordering::Relaxed),
    })
}
