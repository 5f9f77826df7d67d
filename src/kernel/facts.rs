//! What the asker knows about a payment beyond amount and payee. The gateway cannot find these things out; a rule that needs one which is
//! absent denies and says which.

use bincode::{BorrowDecode, Encode};

use super::{Amount, Timestamp};

/// The most recipients that one payment is split among, beside the first.
pub const SPLITS_MAX: usize = 16;
/// The longest text of a fact, in bytes.
pub const FACT_BYTES_MAX: usize = 256;

/// Facts about one payment. Empty texts and absent values mean: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Facts<'a> {
    /// What is bought, such as `API_PROVIDER`.
    pub category: &'a str,
    /// The payee's country, ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// How far the payee is trusted, from 0 to [`SCORE_MAX`].
    pub trust_score: Option<u32>,
    /// The payee's FairScale score, from 0 to [`SCORE_MAX`].
    pub fairscale_score: Option<u32>,
    /// What the payee is to the organization: `TRUSTED`, `VERIFIED`, `UNKNOWN` or `BLOCKED`.
    pub counterparty_status: &'a str,
    /// The contract that is called, and the protocol it belongs to, such as `uniswap`.
    pub contract: &'a str,
    /// See `contract`.
    pub contract_protocol: &'a str,
    /// The function of the contract: 4 bytes in hexadecimal.
    pub function: &'a str,
    /// The HTTP method of the paid call, such as `GET`.
    pub method: &'a str,
    /// What an MPP session is opened for, such as `streaming`.
    pub session_intent: &'a str,
    /// The merchant category code of a card payment, four digits.
    pub merchant_category_code: &'a str,
    /// The merchant's name.
    pub merchant: &'a str,
    /// The merchant's id.
    pub merchant_id: &'a str,
    /// Why, in the agent's words; shown to whoever must approve.
    pub purpose: &'a str,
    /// The chain of the payment, such as `8453`; part of what an approval is bound to.
    pub chain: &'a str,
    /// Who else gets a part of the amount; at most [`SPLITS_MAX`].
    pub splits: Vec<Split<'a>>,
    /// BLAKE3 of the challenge (x402 or MPP) that the payment answers: the decision is bound to it.
    pub challenge: Option<[u8; 32]>,
    /// The signed payment may settle until then, so the hold lasts at least as long.
    pub valid_before: Option<Timestamp>,
}

/// A score in hundredths of a percent: 10 000 is 100 of 100, or 1.0 of 1.
pub const SCORE_MAX: u32 = 10_000;

/// A part of a payment that goes to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Split<'a> {
    /// Who gets it.
    pub recipient: &'a str,
    /// How much of the whole amount.
    pub amount: Amount,
}
