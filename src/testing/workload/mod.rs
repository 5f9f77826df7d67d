//! What might a shard be asked? Random turns from a seed: a few hot agents, amounts around the caps, everything repeated, late,
//! too much, or on the very microsecond of a deadline.

mod approval;
mod budget;
mod clock;
mod operator;
mod payment;
mod stream;

pub use payment::SESSIONS;
pub use stream::{Mood, Step, Turn, Workload};
