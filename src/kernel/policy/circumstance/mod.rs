//! What must hold of a payment by itself: what it is for, to whom it goes and when it is made. Nothing here looks at what an agent spent
//! before. A [`Circumstance`] is a [`Condition`] that must hold, or must not, of a [`Scene`]; what is not known of a payment does neither,
//! and so always stands against it.

pub mod clock;
pub mod comparison;
pub mod composite;
pub mod condition;
pub mod judgement;
pub mod read;
pub mod scene;

#[cfg(test)]
mod tests;

pub use composite::{COMPOSITE_CONDITIONS_MAX, COMPOSITE_DEPTH_MAX};
pub use condition::{Condition, Truth};
pub use judgement::{Circumstance, Judgement};
pub use scene::Scene;
