//! What happened, as entries that a person can read and a machine can prove.
//!
//! An [`Entry`] is made from one durable event and what the journal says around it, so the same event always gives the same entry, wherever
//! and whenever it is read: [`Recorder`]. The entries of a shard form a chain of their own, beside the journal's, and an export of them can be
//! verified without the gateway: [`verify`](fn@verify). `docs/OPERATIONS.md` says how.
//!
//! Deliberately absent: a copy of the journal. Entries are made when somebody looks, so an audit that nobody reads costs nothing.

mod action;
mod canonical;
mod chain;
mod change;
mod detail;
mod entry;
mod export;
mod filter;
mod history;
mod snapshot;
mod verify;

pub use action::{Action, Resource};
pub use canonical::canonical;
pub use chain::{EntryHash, Link};
pub use change::Change;
pub use entry::{Entry, Recorder};
pub use export::{EXPORT_FORMAT, Export};
pub use filter::Filter;
pub use history::{History, Page, SCAN_EVENTS_MAX};
pub use verify::{Verified, VerifyError, verify};
