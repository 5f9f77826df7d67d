//! With what is Holdfast tested? Fakes that misbehave on purpose and reproducibly: one seed, one history.
//!
//! Behind the feature `testing`, so that an embedder can run its own code against the same faults.

mod faulty_store;
mod hand_driven;
mod virtual_clock;

pub use faulty_store::{Fault, FaultKind, FaultyStore};
pub use hand_driven::HandDriven;
pub use virtual_clock::VirtualClock;
