//! The rule types: their words in policies, and in the violations they cause.

use bincode::{
    Decode, Encode,
    de::Decoder,
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

/// Another word for [`RuleKind::MaxAmount`].
const SINGLE_AMOUNT: &str = "SINGLE_AMOUNT";

macro_rules! rule_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:tt, $rule_type:literal => $violation_type:literal;)*) => {
        /// A rule type. Violations in decisions and in the journal name it by its number.
        ///
        /// They stand in the order in which rules run and violations are listed: what needs nothing but the request comes
        /// first. The numbers are dense from zero, so that a set of rule types is a set of bits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum RuleKind {
            $($(#[$doc])* $name = $number,)*
        }

        impl RuleKind {
            /// Every rule type, in the order in which they run.
            pub const ALL: &'static [RuleKind] = &[$(RuleKind::$name),*];

            /// The word for it in policies.
            #[must_use]
            pub const fn rule_type(self) -> &'static str {
                match self {
                    $(RuleKind::$name => $rule_type,)*
                }
            }

            /// The word for a breach of it in a decision.
            #[must_use]
            pub const fn violation_type(self) -> &'static str {
                match self {
                    $(RuleKind::$name => $violation_type,)*
                }
            }
        }
    };
}

rule_kinds! {
    /// The largest payment, whatever the protocol.
    MaxAmount = 0, "MAX_AMOUNT" => "PER_TX_LIMIT";
    /// The largest x402 payment.
    X402MaxPerRequest = 1, "X402_MAX_PER_REQUEST" => "X402_PRICE_CEILING";
    /// The largest MPP charge.
    MppMaxPerRequest = 2, "MPP_MAX_PER_REQUEST" => "MPP_PRICE_CEILING";
    /// The highest price of an x402 call.
    X402PriceCeiling = 3, "X402_PRICE_CEILING" => "X402_PRICE_CEILING";
    /// The highest price of an MPP charge.
    MppPriceCeiling = 4, "MPP_PRICE_CEILING" => "MPP_PRICE_CEILING";
    /// The largest card payment.
    CardMaxAmount = 5, "CARD_MAX_AMOUNT" => "CARD_AMOUNT_LIMIT";
    /// The only payees.
    AllowedCounterparties = 6, "ALLOWED_COUNTERPARTIES" => "WHITELIST_VIOLATION";
    /// Payees that get nothing.
    BlockedCounterparties = 7, "BLOCKED_COUNTERPARTIES" => "BLOCKED_COUNTERPARTY";
    /// The only services paid through x402.
    X402AllowedServices = 8, "X402_ALLOWED_SERVICES" => "X402_SERVICE_NOT_ALLOWED";
    /// The only services paid through MPP.
    MppAllowedServices = 9, "MPP_ALLOWED_SERVICES" => "MPP_SERVICE_NOT_ALLOWED";
    /// Services that get nothing through x402.
    X402BlockedServices = 10, "X402_BLOCKED_SERVICES" => "X402_SERVICE_BLOCKED";
    /// Services that get nothing through MPP.
    MppBlockedServices = 11, "MPP_BLOCKED_SERVICES" => "MPP_SERVICE_BLOCKED";
    /// The hours of the day.
    TimeWindow = 12, "TIME_WINDOW" => "TIME_WINDOW";
    /// The days of the week.
    DayOfWeek = 13, "DAY_OF_WEEK" => "TIME_WINDOW";
    /// The only dates.
    DateRange = 14, "DATE_RANGE" => "EXPIRED_PERMISSION";
    /// Hours or dates at which nothing is paid.
    BlackoutPeriod = 15, "BLACKOUT_PERIOD" => "BLACKOUT_PERIOD";
    /// The end of the permission.
    Expiration = 16, "EXPIRATION" => "EXPIRED_PERMISSION";
    /// The only things that are bought.
    AllowedCategories = 17, "ALLOWED_CATEGORIES" => "CATEGORY_RESTRICTION";
    /// Things that are not bought.
    BlockedCategories = 18, "BLOCKED_CATEGORIES" => "CATEGORY_RESTRICTION";
    /// The countries of payees.
    GeographicRestriction = 19, "GEOGRAPHIC_RESTRICTION" => "GEOGRAPHIC_RESTRICTION";
    /// How far a payee must be trusted.
    TrustScore = 20, "TRUST_SCORE" => "TRUST_SCORE";
    /// What a payee must be to the organization.
    CounterpartyStatus = 21, "COUNTERPARTY_STATUS" => "COUNTERPARTY_STATUS";
    /// The FairScale score of a payee.
    FairscaleMinScore = 22, "FAIRSCALE_MIN_SCORE" => "FAIRSCALE_LOW_SCORE";
    /// The only contracts that are called.
    ContractAllowlist = 23, "CONTRACT_ALLOWLIST" => "CONTRACT_NOT_ALLOWED";
    /// What no MPP session is opened for.
    MppBlockSessionIntent = 24, "MPP_BLOCK_SESSION_INTENT" => "MPP_SESSION_INTENT_BLOCKED";
    /// The only HTTP methods of calls paid through MPP.
    MppAllowedMethods = 25, "MPP_ALLOWED_METHODS" => "MPP_METHOD_NOT_ALLOWED";
    /// The only merchant categories paid by card.
    CardAllowedMccs = 26, "CARD_ALLOWED_MCCS" => "CARD_MCC_RESTRICTION";
    /// Merchant categories that get nothing by card.
    CardBlockedMccs = 27, "CARD_BLOCKED_MCCS" => "CARD_MCC_RESTRICTION";
    /// The only merchants paid by card.
    CardAllowedMerchants = 28, "CARD_ALLOWED_MERCHANTS" => "CARD_MERCHANT_RESTRICTION";
    /// Merchants that get nothing by card.
    CardBlockedMerchants = 29, "CARD_BLOCKED_MERCHANTS" => "CARD_MERCHANT_RESTRICTION";
    /// Several conditions at once.
    Composite = 30, "COMPOSITE" => "COMPOSITE";
    /// The money of one x402 session.
    X402SessionBudget = 31, "X402_SESSION_BUDGET" => "X402_SESSION_BUDGET";
    /// The money of one MPP session.
    MppSessionBudget = 32, "MPP_SESSION_BUDGET" => "MPP_SESSION_BUDGET";
    /// The deposit of one MPP session.
    MppMaxSessionDeposit = 33, "MPP_MAX_SESSION_DEPOSIT" => "MPP_MAX_SESSION_DEPOSIT";
    /// MPP sessions open at once.
    MppMaxConcurrentSessions = 34, "MPP_MAX_CONCURRENT_SESSIONS" => "MPP_MAX_CONCURRENT_SESSIONS";
    /// The age of an MPP session.
    MppMaxSessionDuration = 35, "MPP_MAX_SESSION_DURATION" => "MPP_MAX_SESSION_DURATION";
    /// The money of a calendar day.
    DailyLimit = 36, "DAILY_LIMIT" => "DAILY_LIMIT";
    /// The money of a calendar week.
    WeeklyLimit = 37, "WEEKLY_LIMIT" => "WEEKLY_LIMIT";
    /// The money of a calendar month.
    MonthlyLimit = 38, "MONTHLY_LIMIT" => "MONTHLY_LIMIT";
    /// The money of any span of a chosen length.
    RollingLimit = 39, "ROLLING_LIMIT" => "ROLLING_LIMIT";
    /// The budget of a period.
    BudgetCap = 40, "BUDGET_CAP" => "BUDGET_EXCEEDED";
    /// The money that one service gets through x402.
    X402MaxPerService = 41, "X402_MAX_PER_SERVICE" => "X402_SERVICE_LIMIT";
    /// The money that one service gets through MPP.
    MppMaxPerService = 42, "MPP_MAX_PER_SERVICE" => "MPP_SERVICE_LIMIT";
    /// The money that one endpoint gets through x402.
    X402MaxPerEndpoint = 43, "X402_MAX_PER_ENDPOINT" => "X402_ENDPOINT_LIMIT";
    /// The money that one endpoint gets through MPP.
    MppMaxPerEndpoint = 44, "MPP_MAX_PER_ENDPOINT" => "MPP_ENDPOINT_LIMIT";
    /// The number of payments in a rolling period.
    VelocityLimit = 45, "VELOCITY_LIMIT" => "VELOCITY_LIMIT";
    /// The number of x402 payments to one endpoint in a rolling period.
    X402VelocityPerEndpoint = 46, "X402_VELOCITY_PER_ENDPOINT" => "X402_VELOCITY";
    /// The number of MPP payments to one endpoint in a rolling period.
    MppVelocityPerEndpoint = 47, "MPP_VELOCITY_PER_ENDPOINT" => "MPP_VELOCITY";
    /// The largest payment that needs no human.
    RequireApprovalAbove = 48, "REQUIRE_APPROVAL_ABOVE" => "REQUIRE_APPROVAL_ABOVE";
}

impl RuleKind {
    /// Whether its rules limit money that adds up.
    #[must_use]
    pub const fn is_of_total(self) -> bool {
        matches!(
            self,
            RuleKind::X402SessionBudget
                | RuleKind::MppSessionBudget
                | RuleKind::DailyLimit
                | RuleKind::WeeklyLimit
                | RuleKind::MonthlyLimit
                | RuleKind::RollingLimit
                | RuleKind::BudgetCap
                | RuleKind::X402MaxPerService
                | RuleKind::MppMaxPerService
                | RuleKind::X402MaxPerEndpoint
                | RuleKind::MppMaxPerEndpoint
        )
    }
}

impl RuleKind {
    fn from_number(number: u8) -> Option<RuleKind> {
        RuleKind::ALL.iter().copied().find(|kind| *kind as u8 == number)
    }

    /// The rule type that a policy calls `word`, or `None` where there is no such rule type.
    #[must_use]
    pub fn from_rule_type(word: &str) -> Option<RuleKind> {
        if word == SINGLE_AMOUNT {
            return Some(RuleKind::MaxAmount);
        }
        RuleKind::ALL.iter().copied().find(|kind| kind.rule_type() == word)
    }
}

// Written by hand, since the derived form counts variants from zero and would give new numbers to the variants after an
// inserted one.
impl Encode for RuleKind {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (*self as u8).encode(encoder)
    }
}

impl<Context> Decode<Context> for RuleKind {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let number = u8::decode(decoder)?;
        RuleKind::from_number(number)
            .ok_or_else(|| DecodeError::OtherString(format!("no rule type has the number {number}")))
    }
}

bincode::impl_borrow_decode!(RuleKind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_are_what_is_encoded() {
        for (index, &kind) in RuleKind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, index);
            let bytes = bincode::encode_to_vec(kind, bincode::config::standard()).unwrap();
            assert_eq!(bytes, [kind as u8], "{kind:?}");
            let (decoded, _) = bincode::decode_from_slice::<RuleKind, _>(&bytes, bincode::config::standard()).unwrap();
            assert_eq!(decoded, kind);
        }
    }

    #[test]
    fn an_unknown_number_is_refused() {
        for number in [RuleKind::ALL.len() as u8, 250, 255] {
            assert!(bincode::decode_from_slice::<RuleKind, _>(&[number], bincode::config::standard()).is_err());
        }
    }

    #[test]
    fn every_word_leads_back_to_its_rule_type() {
        for &kind in RuleKind::ALL {
            assert_eq!(RuleKind::from_rule_type(kind.rule_type()), Some(kind));
        }
        assert_eq!(RuleKind::from_rule_type("SINGLE_AMOUNT"), Some(RuleKind::MaxAmount));
        for unknown in ["", "max_amount", "MAX_AMOUNT ", "X402_ALLOWED_FACILITATORS"] {
            assert_eq!(RuleKind::from_rule_type(unknown), None, "{unknown}");
        }
    }
}
