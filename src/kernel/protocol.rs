//! Through which protocol money is asked for.

use bincode::{Decode, Encode};

/// The protocol of a request; rules such as `X402_PRICE_CEILING` look at one of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Protocol {
    /// A plain payment, through neither of the machine-payment protocols.
    Payment = 0,
    /// HTTP 402 payments, one a request.
    X402 = 1,
    /// The Machine Payments Protocol: charges and sessions with a deposit.
    Mpp = 2,
    /// A payment by card, at a merchant.
    Card = 3,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 4] = [Protocol::Payment, Protocol::X402, Protocol::Mpp, Protocol::Card];

    /// The word for it in requests, metrics and messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Protocol::Payment => "payment",
            Protocol::X402 => "x402",
            Protocol::Mpp => "mpp",
            Protocol::Card => "card",
        }
    }
}
