//! What a shard remembers. One owner, no locks; every change is an event that is applied.

mod aged;
pub mod agent;
pub mod catalogue;
pub mod deadline;
pub mod history;
pub mod hold;
pub mod holds;
mod image;
mod index;
pub mod names;
pub mod rebuilt;
pub mod session;
mod shard;
pub mod slots;
pub mod velocity;
pub mod window;

pub use image::ImageError;
pub(crate) use shard::book;
pub use shard::{Lease, State};
