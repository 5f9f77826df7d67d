//! The kernel agrees with its reference model on every answer and every balance of hundreds of random histories, and the
//! comparison notices a broken kernel.

use std::ops::Range;

use holdfast::testing::{Mistake, Mood, Tally, run};

/// Histories are short, since the model reads all of one at every question.
const TURNS: u64 = 400;
/// A seed to run alone, or some in a row: `MODEL_SEED=7` or `MODEL_SEED=450..1500 cargo test --features testing --test model`.
const SEED_VARIABLE: &str = "MODEL_SEED";

/// Runs the seeds, or those that were asked for.
fn compare(seeds: Range<u64>, mood: Mood) -> Tally {
    let seeds = std::env::var(SEED_VARIABLE).map_or(seeds, |asked| read_seeds(&asked).expect("a seed, or `450..1500`"));
    let tally = |seed| run(seed, mood, TURNS, Mistake::None).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    seeds.map(tally).fold(Tally::default(), Tally::and)
}

fn read_seeds(asked: &str) -> Option<Range<u64>> {
    let (first, end) = asked.split_once("..").map_or((asked, None), |(first, end)| (first, Some(end)));
    let first = first.parse().ok()?;
    Some(first..end.map_or(Some(first + 1), |end| end.parse().ok())?)
}

/// Enough seeds that all parts together are more than 200,000 turns.
fn wild(seeds: Range<u64>) {
    let tally = compare(seeds, Mood::Wild);
    if tally.turns > TURNS {
        assert!(tally.reached_everything(), "the workload no longer reaches everything: {tally:?}");
    }
}

#[test]
fn kernel_and_model_agree_when_everything_happens_first_part() {
    wild(0..150);
}

#[test]
fn kernel_and_model_agree_when_everything_happens_second_part() {
    wild(150..300);
}

#[test]
fn kernel_and_model_agree_when_everything_happens_third_part() {
    wild(300..450);
}

#[test]
fn no_limit_is_ever_exceeded_when_nothing_is_paid_beyond_its_hold() {
    compare(1000..1060, Mood::Calm);
}

#[test]
fn each_mistake_is_noticed() {
    for mistake in Mistake::ALL {
        let noticed = (0..40).find(|seed| run(*seed, Mood::Wild, TURNS, mistake).is_err());
        assert!(noticed.is_some(), "{mistake:?} was not noticed");
        println!("{mistake:?}: seed {noticed:?}");
    }
}
