//! How often payments were approved and denied, and why.

use super::{
    Figures,
    book::Book,
    told::{Told, told},
};
use crate::{engine::Fact, kernel::outcome::ViolationKind};

/// Approvals, or denials for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionCount {
    /// The first reason of the denials; nothing for approvals.
    pub denied_for: Option<ViolationKind>,
    /// How many (`calls`), and for how much (`amount`).
    pub figures: Figures,
}

/// Counts a decision, if the fact is one.
pub(super) fn count(book: &mut Book<Option<ViolationKind>>, fact: &Fact<'_>) {
    let decided = match told(fact.event) {
        Some(Told::Approved(approved)) => Some((approved.agent, None, approved.amount, 1)),
        Some(Told::Denied(denied)) => Some((denied.agent, Some(denied.kind), denied.amount, denied.count)),
        Some(Told::Waits(_) | Told::Captured { .. } | Told::Refunded(_) | Told::Recorded(_)) | None => None,
    };
    if let Some((agent, reason, amount, count)) = decided {
        let figures = Figures { amount, calls: u64::from(count), ..Figures::default() };
        book.add(agent, reason, fact.moment, &figures);
    }
}
