//! What do the documents say about speed? Tables between two marks, which are made of the records of runs, so that no figure stands
//! there without the command and the machine it was measured with.
//!
//! A document has any of `<!-- performance: begin -->` … `<!-- performance: end -->` (every run) and the same with `targets` (what was
//! aimed for and what was reached); what stands between them is replaced.

mod command;
mod medians;
mod performance;
mod splice;
mod targets;

pub(crate) use self::splice::{DocumentError, document};
