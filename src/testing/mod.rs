//! With what is Holdfast tested? Fakes that misbehave on purpose and reproducibly: one seed, one history. And a second opinion on
//! every decision: the reference model of the kernel, the random workload for both, and the comparison of what they answer.
//!
//! Behind the feature `testing`, so that an embedder can run its own code against the same faults.

pub mod comparison;
mod faulty_store;
mod hand_driven;
mod mistake;
pub mod model;
mod policy;
pub mod random;
mod virtual_clock;
pub mod workload;

pub use comparison::{Comparison, Mismatch, Tally, run};
pub use faulty_store::{Fault, FaultKind, FaultyStore};
pub use hand_driven::HandDriven;
pub use mistake::Mistake;
pub use model::Model;
pub use policy::policy_for_everybody;
pub use random::Random;
pub use virtual_clock::VirtualClock;
pub use workload::{Mood, Workload};
