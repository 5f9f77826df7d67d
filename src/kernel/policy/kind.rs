//! The rule types of this release: their words in policies, and in the violations they cause.

use bincode::{
    Decode, Encode,
    de::Decoder,
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

macro_rules! rule_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:tt, $rule_type:literal => $violation_type:literal;)*) => {
        /// A rule type. A violation in a decision names it, so its number never changes.
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
    /// The only payees.
    AllowedCounterparties = 5, "ALLOWED_COUNTERPARTIES" => "WHITELIST_VIOLATION";
    /// Payees that get nothing.
    BlockedCounterparties = 6, "BLOCKED_COUNTERPARTIES" => "BLOCKED_COUNTERPARTY";
    /// The only services paid through x402.
    X402AllowedServices = 7, "X402_ALLOWED_SERVICES" => "X402_SERVICE_NOT_ALLOWED";
    /// The only services paid through MPP.
    MppAllowedServices = 8, "MPP_ALLOWED_SERVICES" => "MPP_SERVICE_NOT_ALLOWED";
    /// Services that get nothing through x402.
    X402BlockedServices = 9, "X402_BLOCKED_SERVICES" => "X402_SERVICE_BLOCKED";
    /// Services that get nothing through MPP.
    MppBlockedServices = 10, "MPP_BLOCKED_SERVICES" => "MPP_SERVICE_BLOCKED";
    /// The money of one x402 session.
    X402SessionBudget = 11, "X402_SESSION_BUDGET" => "X402_SESSION_BUDGET";
    /// The money of one MPP session.
    MppSessionBudget = 12, "MPP_SESSION_BUDGET" => "MPP_SESSION_BUDGET";
    /// MPP sessions open at once.
    MppMaxConcurrentSessions = 13, "MPP_MAX_CONCURRENT_SESSIONS" => "MPP_MAX_CONCURRENT_SESSIONS";
    /// The age of an MPP session.
    MppMaxSessionDuration = 14, "MPP_MAX_SESSION_DURATION" => "MPP_MAX_SESSION_DURATION";
    /// The money of a calendar day.
    DailyLimit = 15, "DAILY_LIMIT" => "DAILY_LIMIT";
    /// The money of a calendar week.
    WeeklyLimit = 16, "WEEKLY_LIMIT" => "WEEKLY_LIMIT";
    /// The money of a calendar month.
    MonthlyLimit = 17, "MONTHLY_LIMIT" => "MONTHLY_LIMIT";
    /// The money that one service gets through x402.
    X402MaxPerService = 18, "X402_MAX_PER_SERVICE" => "X402_SERVICE_LIMIT";
    /// The number of payments in a rolling period.
    VelocityLimit = 19, "VELOCITY_LIMIT" => "VELOCITY_LIMIT";
}

impl RuleKind {
    fn from_number(number: u8) -> Option<RuleKind> {
        RuleKind::ALL.iter().copied().find(|kind| *kind as u8 == number)
    }

    /// The rule type that a policy calls `word`, or `None` where this release has no such rule type.
    #[must_use]
    pub fn from_rule_type(word: &str) -> Option<RuleKind> {
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
        for number in [20, 250, 255] {
            assert!(bincode::decode_from_slice::<RuleKind, _>(&[number], bincode::config::standard()).is_err());
        }
    }

    #[test]
    fn every_word_leads_back_to_its_rule_type() {
        for &kind in RuleKind::ALL {
            assert_eq!(RuleKind::from_rule_type(kind.rule_type()), Some(kind));
        }
        for unknown in ["", "max_amount", "MAX_AMOUNT ", "BUDGET_CAP", "TIME_WINDOW", "MPP_MAX_PER_SERVICE"] {
            assert_eq!(RuleKind::from_rule_type(unknown), None, "{unknown}");
        }
    }
}
