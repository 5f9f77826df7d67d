//! What an alert is: something that was found about an agent, and what people have made of it since.

use bincode::{Decode, Encode};

use crate::kernel::{
    AgentIndex, Duration, NameId, Timestamp,
    event::AlertRaised,
    outcome::{Measure, ViolationKind},
};

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// Act now.
    Critical,
}

/// What people have made of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum AlertStatus {
    /// Nobody has looked at it.
    Active,
    /// Somebody takes care of it.
    Acknowledged,
    /// It is dealt with. What is found afterwards is another alert.
    Resolved,
}

/// The number of an alert within its shard, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct AlertNumber(pub u32);

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

macro_rules! alert_kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $severity:ident, $freezes:literal, $joined:ident;)*) => {
        /// What was found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub enum AlertKind {
            $($(#[$doc])* $name,)*
        }

        impl AlertKind {
            /// Every kind.
            pub const ALL: &'static [AlertKind] = &[$(AlertKind::$name),*];

            /// The word for it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(AlertKind::$name => $word,)* }
            }

            /// How much it matters where it freezes nobody.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(AlertKind::$name => Severity::$severity,)* }
            }

            /// Whether it freezes an agent whose operators want that.
            #[must_use]
            pub const fn freezes(self) -> bool {
                match self { $(AlertKind::$name => $freezes,)* }
            }

            /// What is found again within this time, about the same limit where it is about one, joins the alert there is.
            #[must_use]
            pub const fn joined_for(self) -> Duration {
                match self { $(AlertKind::$name => $joined,)* }
            }
        }
    };
}

alert_kinds! {
    /// A call costs far more than calls of its service did.
    PriceSpike = "PRICE_SPIKE", Warning, false, HOUR;
    /// Far more calls in a minute than usual.
    HighFrequency = "HIGH_FREQUENCY", Warning, false, HOUR;
    /// The first payment at a service.
    NewService = "NEW_SERVICE", Info, false, HOUR;
    /// Most of a limit is used.
    SpendLimitWarning = "SPEND_LIMIT_WARNING", Warning, false, DAY;
    /// A payment was denied because a limit is used up, or more than a limit was spent.
    SpendLimitExceeded = "SPEND_LIMIT_EXCEEDED", Warning, false, DAY;
    /// The same amount to the same payee twice.
    DuplicatePayment = "DUPLICATE_PAYMENT", Warning, false, HOUR;
    /// Several payments in a row of which nothing came.
    FailedStreak = "FAILED_STREAK", Warning, false, HOUR;
    /// Many denials in a row.
    ConsecutiveViolations = "CONSECUTIVE_VIOLATIONS", Warning, true, HOUR;
    /// Many payments in a row of which nothing came.
    ConsecutiveFailures = "CONSECUTIVE_FAILURES", Warning, true, HOUR;
    /// Far more spend in an hour than usual.
    SpendVelocity = "SPEND_VELOCITY", Warning, true, HOUR;
    /// A transaction far larger than usual.
    LargeTransactionAnomaly = "LARGE_TRANSACTION_ANOMALY", Warning, true, HOUR;
    /// Payees are hardly trusted.
    TrustScoreBelowThreshold = "TRUST_SCORE_BELOW_THRESHOLD", Warning, true, DAY;
    /// Payees are far less trusted than before.
    TrustScoreDrop = "TRUST_SCORE_DROP", Warning, true, DAY;
    /// Many recipients in an hour.
    RapidCounterpartySwitching = "RAPID_COUNTERPARTY_SWITCHING", Warning, true, HOUR;
    /// An operator froze the agent.
    Manual = "MANUAL", Critical, true, HOUR;
    /// Money moved that nobody approved, or to somebody else than was approved.
    UnauthorizedSpend = "UNAUTHORIZED_SPEND", Critical, false, HOUR;
    /// More was paid than was held, or after the hold was over.
    Overage = "OVERAGE", Warning, false, HOUR;
}

impl AlertKind {
    /// The kind that is written `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<AlertKind> {
        AlertKind::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// Something that a detector found.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Finding {
    /// What.
    pub kind: AlertKind,
    /// The limit that it is about, for the kinds that are about one.
    pub about: Option<ViolationKind>,
    /// What was measured. A trust is a count of ten-thousandths.
    pub measured: Measure,
    /// What it is too much for.
    pub limit: Measure,
    /// Who was to be paid, where that is one.
    pub recipient: Option<NameId>,
    /// For which service, where that is one.
    pub service: Option<NameId>,
    /// The position of the wallet that pays, where that is one.
    pub wallet: Option<u8>,
    /// How many times, of those that nobody told apart.
    pub count: u32,
}

impl Finding {
    /// A finding about no payment in particular.
    pub(crate) fn new(kind: AlertKind, measured: Measure, limit: Measure) -> Finding {
        Finding { kind, about: None, measured, limit, recipient: None, service: None, wallet: None, count: 1 }
    }

    /// Whether both are about the same thing.
    pub(crate) fn is_like(&self, other: &Finding) -> bool {
        self.kind == other.kind && self.about == other.about
    }
}

/// Something that was found about an agent, and what people have made of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Alert {
    /// Names it within its shard.
    pub number: AlertNumber,
    /// Whose.
    pub agent: AgentIndex,
    /// What was found first; `count` says how often it was found.
    pub finding: Finding,
    /// How much it matters.
    pub severity: Severity,
    /// What people have made of it.
    pub status: AlertStatus,
    /// Whether the agent was frozen for it.
    pub froze: bool,
    /// Why, in an operator's words; empty where no operator is behind it.
    pub reason: Box<str>,
    /// When it was found first.
    pub raised_at: Timestamp,
    /// When it was found last.
    pub last_at: Timestamp,
    /// When its status changed last.
    pub changed_at: Timestamp,
}

impl Alert {
    /// It was just raised.
    #[must_use]
    pub fn raised(now: Timestamp, event: &AlertRaised) -> Alert {
        Alert {
            number: event.number,
            agent: event.agent,
            finding: event.finding.clone(),
            severity: event.severity,
            status: AlertStatus::Active,
            froze: event.froze,
            reason: event.reason.clone(),
            raised_at: now,
            last_at: now,
            changed_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_kinds() {
        for &kind in AlertKind::ALL {
            assert_eq!(AlertKind::parse(kind.word()), Some(kind));
        }
        assert_eq!(AlertKind::parse("price_spike"), None);
    }
}
