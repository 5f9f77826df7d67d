//! What a shard remembers. One owner, no locks; every change is an event that is applied.

pub mod activity;
mod aged;
pub mod agent;
pub mod agents;
pub mod approval;
pub mod budget;
pub mod catalogue;
pub mod counterparties;
pub mod counters;
pub mod deadline;
pub mod few;
pub mod history;
pub mod hold;
pub mod holds;
mod image;
mod index;
pub mod names;
pub mod past;
pub mod rebuilt;
pub mod rolling;
pub mod sanctions;
pub mod session;
pub mod shadow;
mod shard;
pub mod slots;
pub mod texts;
pub mod velocity;
pub mod wallet;
pub mod window;
pub mod zoned;

pub use image::ImageError;
pub use shard::{Lease, State};
pub(crate) use shard::{asked, book};
