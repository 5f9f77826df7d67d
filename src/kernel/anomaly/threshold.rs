//! The table of thresholds: what each is called, its unit, its default and its range. `docs/ALERTS.md` says what each means.

use bincode::{Decode, Encode};

/// In what a threshold is counted, and how people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number of things.
    Count,
    /// A whole number of percent.
    Percent,
    /// A whole number of seconds.
    Seconds,
    /// A factor, kept in hundredths: `2.5` is 250.
    Times,
    /// A share of one, kept in ten-thousandths: `0.2` is 2000.
    Share,
    /// Money, kept in hundredths of a unit: `1.00` is 100.
    Cents,
}

/// To which of an agent's settings a threshold belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `alertConfig`: what is worth telling.
    Alert,
    /// `freezeConfig`: what freezes an agent whose `autoFreezeEnabled` is set, and is worth telling in any case.
    Freeze,
}

macro_rules! thresholds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $group:ident, $unit:ident, $default:literal, $maximum:literal;)*) => {
        /// One threshold. Zero switches its detector off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub enum Threshold {
            $($(#[$doc])* $name,)*
        }

        impl Threshold {
            /// Every threshold, in the order in which they are kept.
            pub const ALL: [Threshold; thresholds!(@count $($name)*)] = [$(Threshold::$name),*];

            /// The word for it in an agent's settings.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Threshold::$name => $word,)* }
            }

            /// The setting that it belongs to.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Threshold::$name => Group::$group,)* }
            }

            /// In what it is counted.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Threshold::$name => Unit::$unit,)* }
            }

            /// Its value for an agent that has no own, in the unit's own number.
            #[must_use]
            pub const fn default_value(self) -> u32 {
                match self { $(Threshold::$name => $default,)* }
            }

            /// The largest value that it may have; the smallest is 0.
            #[must_use]
            pub const fn maximum(self) -> u32 {
                match self { $(Threshold::$name => $maximum,)* }
            }
        }
    };
    (@count) => { 0 };
    (@count $head:ident $($tail:ident)*) => { 1 + thresholds!(@count $($tail)*) };
}

thresholds! {
    /// So many denials in a row.
    MaxConsecutiveViolations = "maxConsecutiveViolations", Freeze, Count, 5, 60_000;
    /// So many payments in a row of which nothing came.
    MaxConsecutiveFailures = "maxConsecutiveFailures", Freeze, Count, 5, 60_000;
    /// The spend of an hour over so many times the mean.
    SpendVelocityMultiplier = "spendVelocityMultiplier", Freeze, Times, 300, 1_000_000;
    /// So many transactions before a mean of spend means anything.
    SpendVelocityMinTransactions = "spendVelocityMinTransactions", Freeze, Count, 5, 1_000_000;
    /// A transaction over so many times the mean.
    LargeTransactionMultiplier = "largeTransactionMultiplier", Freeze, Times, 1000, 1_000_000;
    /// So many transactions before a mean of amounts means anything.
    LargeTransactionMinTransactions = "largeTransactionMinTransactions", Freeze, Count, 10, 1_000_000;
    /// A mean trust in payees below this.
    TrustScoreThreshold = "trustScoreThreshold", Freeze, Share, 2000, 10_000;
    /// A mean trust of a day so much lower than before.
    TrustScoreDropPercent = "trustScoreDropPercent", Freeze, Percent, 30, 100;
    /// So many scores before their mean means anything.
    TrustScoreMinTransactions = "trustScoreMinTransactions", Freeze, Count, 5, 1_000_000;
    /// So many recipients in an hour.
    MaxDistinctRecipientsPerHour = "maxDistinctRecipientsPerHour", Freeze, Count, 10, 16;
    /// A price over so many times the mean price of its service.
    PriceSpikeMultiplier = "priceSpikeMultiplier", Alert, Times, 300, 60_000;
    /// So many calls of a service before its mean price means anything.
    PriceSpikeMinCalls = "priceSpikeMinCalls", Alert, Count, 10, 60_000;
    /// More calls in a minute than this, if they are also unusually many.
    HighFrequencyCallsPerMinute = "highFrequencyCallsPerMinute", Alert, Count, 120, 1_000_000_000;
    /// Unusual is over so many times the mean of the last hour.
    HighFrequencyMultiplier = "highFrequencyMultiplier", Alert, Times, 1000, 1_000_000;
    /// A service that is new to an agent which knows so many others.
    NewServiceAfterServices = "newServiceAfterServices", Alert, Count, 1, 1_000_000;
    /// So much of a limit is used.
    SpendLimitWarningPercent = "spendLimitWarningPercent", Alert, Percent, 80, 100;
    /// The same amount to the same payee again within this time.
    DuplicateWithinSeconds = "duplicateWithinSeconds", Alert, Seconds, 60, 86_400;
    /// Smaller amounts are expected to repeat.
    DuplicateMinAmount = "duplicateMinAmount", Alert, Cents, 100, 4_000_000_000;
    /// So many payments in a row of which nothing came.
    FailedStreak = "failedStreak", Alert, Count, 3, 60_000;
}

/// A value for each threshold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Thresholds([u32; Threshold::ALL.len()]);

impl Thresholds {
    /// Of an agent that has no own.
    pub const DEFAULT: Thresholds = Thresholds({
        let mut values = [0; Threshold::ALL.len()];
        let mut index = 0;
        while index < values.len() {
            values[index] = Threshold::ALL[index].default_value();
            index += 1;
        }
        values
    });

    /// The value of one.
    #[must_use]
    pub fn of(&self, threshold: Threshold) -> u32 {
        self.0[threshold as usize]
    }

    /// Gives one another value.
    pub fn set(&mut self, threshold: Threshold, value: u32) {
        self.0[threshold as usize] = value;
    }
}

/// How an agent is watched.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Watching {
    /// Whether what is found with a threshold of [`Group::Freeze`] freezes the agent.
    pub auto_freeze: bool,
    /// When something is found.
    pub thresholds: Thresholds,
}

impl Watching {
    /// Of an agent that has no own settings: it is never frozen by itself.
    pub const DEFAULT: Watching = Watching { auto_freeze: false, thresholds: Thresholds::DEFAULT };

    /// These settings with a change.
    #[must_use]
    pub fn with(&self, change: &WatchingChange) -> Watching {
        let mut watching = self.clone();
        watching.auto_freeze = change.auto_freeze.unwrap_or(watching.auto_freeze);
        change.thresholds.iter().for_each(|&(threshold, value)| watching.thresholds.set(threshold, value));
        watching
    }

    /// The change that takes `change` back.
    #[must_use]
    pub fn before(&self, change: &WatchingChange) -> WatchingChange {
        WatchingChange {
            auto_freeze: change.auto_freeze.map(|_| self.auto_freeze),
            thresholds: change.thresholds.iter().map(|(named, _)| (*named, self.thresholds.of(*named))).collect(),
        }
    }
}

/// A change of how an agent is watched; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WatchingChange {
    /// See [`Watching::auto_freeze`].
    pub auto_freeze: Option<bool>,
    /// At most one value for each threshold.
    pub thresholds: Vec<(Threshold, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/ALERTS.md");

    #[test]
    fn every_threshold_is_documented_with_its_default_and_its_maximum() {
        for threshold in Threshold::ALL {
            let written = |value: u32| match threshold.unit() {
                Unit::Count | Unit::Percent | Unit::Seconds => value.to_string(),
                Unit::Times => format!("{}", value / 100),
                Unit::Share => crate::kernel::Amount::from_micros(u64::from(value) * 100).to_string(),
                Unit::Cents => format!("{}.{:02}", value / 100, value % 100),
            };
            let (default, maximum) = (written(threshold.default_value()), written(threshold.maximum()));
            let row = format!("| `{}` | {default} | {maximum} |", threshold.word());
            assert!(PAGE.contains(&row), "docs/ALERTS.md has no row that begins with\n{row}");
        }
    }

    #[test]
    fn a_default_is_within_its_range() {
        for threshold in Threshold::ALL {
            assert!(threshold.default_value() <= threshold.maximum(), "{threshold:?}");
            assert_eq!(Thresholds::DEFAULT.of(threshold), threshold.default_value());
        }
    }
}
