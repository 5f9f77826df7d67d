//! Why a payment was approved, in short: which kinds of limits it passed.

use bincode::{Decode, Encode};

use super::Protocol;

/// A kind of limit that a payment passed. The number of a reason is its bit in [`Reasons`]; new ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Caps on one payment.
    PaymentCap,
    /// Lists of recipients.
    RecipientAllowed,
    /// Lists of services.
    ServiceAllowed,
    /// The deposit of its session.
    Deposit,
    /// The budget of its session.
    SessionBudget,
    /// Caps on the number and length of sessions.
    SessionLimits,
    /// Caps on calendar windows.
    SpendLimits,
    /// The budget of its service.
    ServiceBudget,
    /// Caps on the number of payments.
    Velocity,
    /// Limits of its wallet.
    WalletLimits,
    /// The balance of its wallet.
    Balance,
    /// The budget that was approved for its agent.
    BudgetRequest,
    /// Times at which payments are made.
    Time,
    /// What it is for, and by which means it is made.
    DetailsAllowed,
}

/// All reasons, in the order of their bits.
const ALL: [Reason; 14] = [
    Reason::PaymentCap,
    Reason::RecipientAllowed,
    Reason::ServiceAllowed,
    Reason::Deposit,
    Reason::SessionBudget,
    Reason::SessionLimits,
    Reason::SpendLimits,
    Reason::ServiceBudget,
    Reason::Velocity,
    Reason::WalletLimits,
    Reason::Balance,
    Reason::BudgetRequest,
    Reason::Time,
    Reason::DetailsAllowed,
];

/// A hold keeps them in sixteen bits.
const _: () = assert!(ALL.len() <= 16);

/// A set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Reasons(pub u32);

impl Reasons {
    /// Adds a reason.
    pub fn insert(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u32;
    }

    /// Whether the reason is in the set.
    #[must_use]
    pub fn contains(self, reason: Reason) -> bool {
        self.0 & (1 << reason as u32) != 0
    }

    /// The reasons in words, for a payment on the rail `protocol`; never empty.
    #[must_use]
    pub fn texts(self, protocol: Protocol) -> Vec<String> {
        let texts: Vec<String> =
            ALL.into_iter().filter(|reason| self.contains(*reason)).map(|r| r.text(protocol)).collect();
        if texts.is_empty() { vec!["No limit applies".to_owned()] } else { texts }
    }
}

impl Reason {
    fn text(self, protocol: Protocol) -> String {
        let rail = match protocol {
            Protocol::Payment => "payment",
            Protocol::X402 => "x402",
            Protocol::Mpp => "MPP",
            Protocol::Card => "card",
        };
        match self {
            Reason::PaymentCap => format!("Within {rail} price ceiling"),
            Reason::RecipientAllowed => "Recipient allowed".to_owned(),
            Reason::ServiceAllowed => "Service domain allowed".to_owned(),
            Reason::Deposit => "Covered by the session deposit".to_owned(),
            Reason::SessionBudget => format!("Within {rail} session budget"),
            Reason::SessionLimits => "Within session limits".to_owned(),
            Reason::SpendLimits => "Within spend limits".to_owned(),
            Reason::ServiceBudget => format!("Within {rail} service budget"),
            Reason::Velocity => "Within velocity limit".to_owned(),
            Reason::WalletLimits => "Within wallet limits".to_owned(),
            Reason::Balance => "Wallet balance sufficient".to_owned(),
            Reason::BudgetRequest => "Within the approved budget request".to_owned(),
            Reason::Time => "Within allowed times".to_owned(),
            Reason::DetailsAllowed => "Payment details allowed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_bit_and_its_words() {
        for (bit, reason) in ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, bit);
            let mut set = Reasons::default();
            set.insert(reason);
            assert_eq!(set.texts(Protocol::X402), [reason.text(Protocol::X402)]);
        }
        assert_eq!(Reasons::default().texts(Protocol::Mpp), ["No limit applies"]);
    }
}
