//! Money moved that nobody approved: to somebody else, without a hold, or beyond one.

use super::alert::{AlertKind, Finding};
use crate::kernel::{Amount, event::RecordBooked, outcome::Measure};

/// A payment was reported that nothing is known of.
pub(crate) fn without_hold(booked: &RecordBooked) -> Finding {
    of_report(booked, Measure::None)
}

/// A payment was reported that went to somebody else than its hold says.
pub(crate) fn another_recipient(booked: &RecordBooked, held: Amount) -> Finding {
    of_report(booked, Measure::Money(held))
}

/// More was paid than was held; nothing is held of a hold that is over.
pub(crate) fn beyond_hold(overage: Amount, held: Amount) -> Finding {
    Finding::new(AlertKind::Overage, Measure::Money(overage), Measure::Money(held))
}

fn of_report(booked: &RecordBooked, limit: Measure) -> Finding {
    Finding {
        recipient: Some(booked.recipient),
        service: booked.service,
        wallet: booked.wallet,
        ..Finding::new(AlertKind::UnauthorizedSpend, Measure::Money(booked.amount), limit)
    }
}
