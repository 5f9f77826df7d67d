//! What a condition comes to as a rule.

use super::{Condition, Scene, Truth};
use crate::kernel::{
    outcome::Measure,
    policy::{Applies, Rail, RuleKind},
    reason::Reason,
};

/// A rule that looks at a payment by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstance {
    /// Its rule type.
    pub kind: RuleKind,
    /// Whether the condition must hold, or must not.
    pub must_hold: bool,
    /// What is looked at.
    pub condition: Condition,
}

/// What a rule says of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The payment passes it.
    Passes,
    /// It stands against the payment.
    Breaks {
        /// What was asked for, where it is a number.
        limit: Measure,
        /// What the payment has, or what is not known of it.
        current: Measure,
    },
    /// It does not look at such payments.
    Skips,
}

impl Circumstance {
    /// What the rule says of a payment. What cannot be said stands against the payment.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Judgement {
        if self.kind == RuleKind::MppBlockSessionIntent && !scene.is_deposit {
            return Judgement::Skips;
        }
        match (self.condition.truth(scene), self.must_hold) {
            (Truth::Yes, true) | (Truth::No, false) => Judgement::Passes,
            (Truth::Yes, false) | (Truth::No, true) => {
                let (limit, current) = self.measures(scene);
                Judgement::Breaks { limit, current }
            }
            // Several facts together may forbid the larger amount where they did not forbid the smaller one.
            (Truth::Unknown(_), _) if scene.is_judged && self.kind != RuleKind::Composite => Judgement::Skips,
            (Truth::Unknown(fact), _) => Judgement::Breaks { limit: Measure::None, current: Measure::Missing(fact) },
        }
    }

    fn measures(&self, scene: &Scene<'_>) -> (Measure, Measure) {
        let measure = |score: Option<u32>| score.map_or(Measure::None, Measure::Score);
        if let Condition::Score(fact, comparison) = &self.condition {
            return (measure(comparison.bound()), measure(scene.score(*fact)));
        }
        (Measure::None, Measure::None)
    }

    /// Which requests it looks at.
    #[must_use]
    pub const fn applies(&self) -> Applies {
        use RuleKind::{
            CardAllowedMccs, CardAllowedMerchants, CardBlockedMccs, CardBlockedMerchants, MppAllowedMethods,
            MppBlockSessionIntent,
        };
        if matches!(self.kind, MppBlockSessionIntent | MppAllowedMethods) {
            Applies::Only(Rail::Mpp)
        } else if matches!(self.kind, CardAllowedMccs | CardBlockedMccs | CardAllowedMerchants | CardBlockedMerchants) {
            Applies::Cards
        } else {
            Applies::All
        }
    }

    /// What it means to pass it.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        use RuleKind::{
            BlackoutPeriod, CardAllowedMerchants, CardBlockedMerchants, CounterpartyStatus, DateRange, DayOfWeek,
            Expiration, FairscaleMinScore, GeographicRestriction, TimeWindow, TrustScore,
        };
        if matches!(self.kind, TimeWindow | DayOfWeek | DateRange | BlackoutPeriod | Expiration) {
            Reason::Time
        } else if matches!(
            self.kind,
            GeographicRestriction
                | TrustScore
                | CounterpartyStatus
                | FairscaleMinScore
                | CardAllowedMerchants
                | CardBlockedMerchants
        ) {
            Reason::RecipientAllowed
        } else {
            Reason::DetailsAllowed
        }
    }
}
