//! What the asker knows about a payment beyond amount and payee. The gateway cannot find these things out; a rule that needs one which is
//! absent denies and says which.

use bincode::{BorrowDecode, Decode, Encode};

use super::{Amount, Duration, Failure, Name, Timestamp};

/// The most recipients that one payment is split among, beside the first.
pub const SPLITS_MAX: usize = 16;
/// The longest text of a fact, in bytes.
pub const FACT_BYTES_MAX: usize = 256;
/// The longest purpose, in bytes: agents explain themselves to people at more length.
pub const PURPOSE_BYTES_MAX: usize = 1024;

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
    /// The payment is signed after the approval and may settle for so long, so the hold lasts at least as long.
    pub valid_for: Option<Duration>,
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

/// A fact that rules may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Fact {
    /// See [`Facts::category`].
    Category,
    /// See [`Facts::country`].
    Country,
    /// See [`Facts::trust_score`].
    TrustScore,
    /// See [`Facts::fairscale_score`].
    FairscaleScore,
    /// See [`Facts::counterparty_status`].
    CounterpartyStatus,
    /// See [`Facts::contract`].
    Contract,
    /// See [`Facts::contract_protocol`].
    ContractProtocol,
    /// See [`Facts::method`].
    Method,
    /// See [`Facts::session_intent`].
    SessionIntent,
    /// See [`Facts::merchant_category_code`].
    MerchantCategoryCode,
    /// See [`Facts::merchant`].
    Merchant,
    /// See [`Facts::merchant_id`].
    MerchantId,
    /// The paid service.
    Service,
    /// The date, beyond what calendars know.
    Date,
}

impl Fact {
    /// The field that tells it, in the words of the API.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Fact::Category => "category",
            Fact::Country => "country",
            Fact::TrustScore => "trustScore",
            Fact::FairscaleScore => "fairscaleScore",
            Fact::CounterpartyStatus => "counterpartyStatus",
            Fact::Contract => "targetContractAddress",
            Fact::ContractProtocol => "contractProtocol",
            Fact::Method => "method",
            Fact::SessionIntent => "sessionIntent",
            Fact::MerchantCategoryCode => "merchantCategory",
            Fact::Merchant => "merchantName",
            Fact::MerchantId => "merchantId",
            Fact::Service => "serviceDomain",
            Fact::Date => "date",
        }
    }
}

const TEXT_EXPECTED: &str = "at most 256 bytes without control characters";
const SCORE_EXPECTED: &str = "a score of at most 100 of 100";
const STATUSES: [&str; 4] = ["TRUSTED", "VERIFIED", "UNKNOWN", "BLOCKED"];

impl Facts<'_> {
    /// The moment until which the payment may settle, if it is known; `now` is the moment of the decision.
    #[must_use]
    pub fn settles_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.valid_before.max(self.valid_for.map(|validity| now.after(validity)))
    }

    /// Whether the facts can be those of a payment of `amount`.
    ///
    /// # Errors
    /// [`Failure::Invalid`] with the name of the first that cannot.
    pub(crate) fn check(&self, amount: Amount) -> Result<(), Failure> {
        self.check_texts()?;
        require(is_country(self.country), "country", "two letters, ISO 3166-1 alpha-2, such as `DE`")?;
        require(is_score(self.trust_score), "trustScore", SCORE_EXPECTED)?;
        require(is_score(self.fairscale_score), "fairscaleScore", SCORE_EXPECTED)?;
        let status = self.counterparty_status;
        let known = status.is_empty() || STATUSES.contains(&status);
        require(known, "counterpartyStatus", "`TRUSTED`, `VERIFIED`, `UNKNOWN` or `BLOCKED`")?;
        require(is_function(self.function), "functionSelector", "4 bytes in hexadecimal, such as `0xa9059cbb`")?;
        let code = self.merchant_category_code;
        let is_code = code.is_empty() || code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit());
        require(is_code, "merchantCategory", "a merchant category code of four digits, such as `5411`")?;
        self.check_splits(amount)
    }

    fn check_texts(&self) -> Result<(), Failure> {
        require(self.purpose.len() <= PURPOSE_BYTES_MAX, "purpose", "at most 1024 bytes")?;
        let texts = [
            (self.category, "category"),
            (self.contract, "targetContractAddress"),
            (self.contract_protocol, "contractProtocol"),
            (self.method, "method"),
            (self.session_intent, "sessionIntent"),
            (self.merchant, "merchantName"),
            (self.merchant_id, "merchantId"),
            (self.chain, "chainId"),
        ];
        texts.into_iter().try_for_each(|(text, field)| {
            let fits = text.len() <= FACT_BYTES_MAX && !text.bytes().any(|byte| byte.is_ascii_control());
            require(fits, field, TEXT_EXPECTED)
        })
    }

    fn check_splits(&self, amount: Amount) -> Result<(), Failure> {
        require(self.splits.len() <= SPLITS_MAX, "splits", "at most 16 recipients beside the first")?;
        let payees = self.splits.iter().all(|split| Name::recipient(split.recipient).is_ok());
        require(payees, "splits", "recipients with names of 1 to 256 bytes without white space or control characters")?;
        require(!self.splits.iter().any(|split| split.amount.is_zero()), "splits", "amounts above zero")?;
        let sum = self.splits.iter().fold(Amount::ZERO, |sum, split| sum.saturating_add(split.amount));
        require(sum <= amount, "splits", "amounts that add up to `amount` at most")
    }
}

fn require(holds: bool, field: &'static str, expected: &'static str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Invalid { field, expected }) }
}

pub(super) fn is_country(text: &str) -> bool {
    text.is_empty() || text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_score(score: Option<u32>) -> bool {
    score.is_none_or(|score| score <= SCORE_MAX)
}

fn is_function(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    text.is_empty() || digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
