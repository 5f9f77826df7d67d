//! What do others learn of events? A notice: what happened in a word such as `payment.approved`, with the names and amounts that the API answers
//! with.
//!
//! A notice depends on its event and on what never changes about agents and names, so it is the same whenever and to whomever it is told.
//!
//! Deliberately absent: who is told, and how.

mod data;
mod filter;
mod kind;
#[cfg(test)]
mod tests;
mod told;

pub use filter::{KindSet, NoticeFilter, UnknownKind};
pub use kind::NoticeKind;
pub use told::Notice;
