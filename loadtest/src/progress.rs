//! The line that says how it goes while it goes.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use crate::{lane::Live, plan::Plan};

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Default)]
struct Sums {
    decided: u64,
    captured: u64,
    errors: u64,
    in_flight: u64,
}

/// Prints a line a second to standard error until the plan is over; on a terminal always the same one.
pub(crate) fn show(plan: &Plan, lanes: &[Arc<Live>]) {
    let mut before = Sums::default();
    let mut moment = 0;
    let is_terminal = std::io::stderr().is_terminal();
    while plan.now() < plan.end {
        thread::sleep(INTERVAL.min(Duration::from_nanos(plan.end - plan.now().min(plan.end))));
        let (now, sums) = (plan.now(), sum(lanes));
        let seconds = (now - moment) as f64 / 1e9;
        let rate = |now: u64, before: u64| (now - before) as f64 / seconds;
        let phase = if now <= plan.measured_from + INTERVAL.as_nanos() as u64 / 2 { "warm-up" } else { "measured" };
        let line = format!(
            "{:3.0} s {phase:8} {:>10.0} decisions/s {:>9.0} captures/s {:>7} waiting {:>6} errors",
            now as f64 / 1e9,
            rate(sums.decided, before.decided),
            rate(sums.captured, before.captured),
            sums.in_flight,
            sums.errors,
        );
        // Progress that nobody can read is no reason to stop.
        let _ = if is_terminal { eprint_over(&line) } else { writeln!(std::io::stderr(), "{line}") };
        (before, moment) = (sums, now);
    }
    if is_terminal {
        eprintln!();
    }
}

fn eprint_over(line: &str) -> std::io::Result<()> {
    let mut stderr = std::io::stderr();
    write!(stderr, "\r{line}")?;
    stderr.flush()
}

fn sum(lanes: &[Arc<Live>]) -> Sums {
    lanes.iter().fold(Sums::default(), |sums, lane| Sums {
        decided: sums.decided + lane.decided.load(Ordering::Relaxed),
        captured: sums.captured + lane.captured.load(Ordering::Relaxed),
        errors: sums.errors + lane.errors.load(Ordering::Relaxed),
        in_flight: sums.in_flight + lane.in_flight.load(Ordering::Relaxed),
    })
}
