//! Where do domain types meet outside bytes? Here, and nowhere else. The messages are types of their own, so that the kernel may
//! change without the protocol; their scalars (amounts, moments, ids) are the kernel's, and vectors pin how they look in bytes.
//!
//! The binary protocol `holdfast/1` is specified in `docs/PROTOCOL.md`: [`frame`] cuts a stream into frames and frames into
//! messages, [`greeting`] opens a connection, [`request`] and [`reply`] are what follows. Deliberately absent: sockets, and rules.

#[cfg(feature = "server")]
pub mod chain;
#[cfg(feature = "server")]
pub mod challenge;
pub mod codec;
pub mod error_code;
#[cfg(any(test, feature = "testing"))]
pub mod every_reader;
mod fields;
pub mod frame;
pub mod greeting;
mod hot;
#[cfg(feature = "server")]
pub mod json;
pub mod limits;
pub mod reply;
pub mod request;
#[cfg(feature = "server")]
pub mod sanctions_file;
#[cfg(test)]
mod vectors;

pub use codec::Malformed;
pub use error_code::{ErrorCode, Refusal};
pub use frame::{Batch, BatchWriter, Frame, FrameBuffer, FrameError, FrameKind, Item};
pub use greeting::{Address, Handle, Hello, Identified, Limits, Welcome};
pub use reply::Reply;
pub use request::{Operation, Request};
