//! The same amount to the same payee again, in a short time.

use bincode::{Decode, Encode};

use super::{
    alert::{AlertKind, Finding},
    threshold::Threshold,
    watch::{Paid, Watch},
};
use crate::kernel::{Amount, Duration, NameId, Timestamp, outcome::Measure};

/// A hundredth of a unit, in micro-units.
pub(super) const CENT: u64 = 10_000;
/// So many payments are remembered. Whoever pays more in turn repeats none of them at once.
const REMEMBERED: usize = 8;

/// The last payments that are too large to repeat by nature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Repeats {
    payments: [Payment; REMEMBERED],
    oldest: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Payment {
    at: Timestamp,
    amount: Amount,
    recipient: NameId,
    service: NameId,
}

impl Default for Payment {
    fn default() -> Payment {
        Payment { at: Timestamp::ZERO, amount: Amount::ZERO, recipient: NameId::UNKNOWN, service: NameId::UNKNOWN }
    }
}

pub(super) fn expect(watch: &mut Watch) {
    let is_off = watch.threshold(Threshold::DuplicateWithinSeconds) == 0;
    let smallest = watch.threshold(Threshold::DuplicateMinAmount);
    watch.repeats_from = if is_off || smallest == 0 { u32::MAX } else { smallest };
}

/// Whether the payment repeats one; it is remembered in any case.
#[cold]
pub(super) fn is_found(watch: &mut Watch, now: Timestamp, paid: &Paid) -> bool {
    if watch.repeats_from == u32::MAX {
        return false;
    }
    let within = Duration::from_secs(u64::from(watch.threshold(Threshold::DuplicateWithinSeconds)));
    let payment = Payment {
        at: now,
        amount: paid.amount,
        recipient: paid.recipient,
        service: paid.service.unwrap_or(NameId::UNKNOWN),
    };
    let repeats = watch.repeats.get_or_insert_default();
    let same = |known: &&mut Payment| Payment { at: now, ..**known } == payment;
    if let Some(known) = repeats.payments.iter_mut().find(same) {
        let repeated = now.since(known.at) <= within;
        known.at = now;
        return repeated;
    }
    repeats.payments[usize::from(repeats.oldest) % REMEMBERED] = payment;
    repeats.oldest = (repeats.oldest + 1) % REMEMBERED as u8;
    false
}

pub(super) fn finding(_: &Watch, paid: &Paid) -> Finding {
    Finding::new(AlertKind::DuplicatePayment, Measure::Money(paid.amount), Measure::None)
}
