//! What would a policy have decided about the payments of the past? The journal is replayed into a state that has the draft in force,
//! and every approved payment is asked for once more: its holds, windows, sessions and velocity are those that the draft would have left.
//!
//! The journal keeps what was decided, not every word that was asked: of a denied payment it has the amount and the first reason, so a
//! draft that permits more is not told what else would have been approved. Such payments are counted apart.
//!
//! Deliberately absent: the live state. A backtest reads the store and nothing else, so the gateway that serves does not notice it.

mod past;
mod report;
mod run;
#[cfg(test)]
mod tests;
mod trial;

pub use report::{AGENTS_MAX, EXAMPLES_MAX, Example, Money, Report, SERVICES_MAX, Share};
pub use run::{Backtest, BacktestError, Progress, run};
