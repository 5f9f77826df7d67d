//! How a number is compared in a condition. Here an operator means exactly what it says: `LT` is less, `LTE` less or equal.

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison<T> {
    /// This.
    Equal(T),
    /// Another.
    NotEqual(T),
    /// More than this.
    Greater(T),
    /// This or more.
    GreaterOrEqual(T),
    /// Less than this.
    Less(T),
    /// This or less.
    LessOrEqual(T),
    /// From the first to the second, both included.
    Between(T, T),
}

impl<T: Ord + Copy> Comparison<T> {
    /// Whether `value` is what it must be.
    #[must_use]
    pub fn holds(self, value: T) -> bool {
        match self {
            Comparison::Equal(other) => value == other,
            Comparison::NotEqual(other) => value != other,
            Comparison::Greater(other) => value > other,
            Comparison::GreaterOrEqual(other) => value >= other,
            Comparison::Less(other) => value < other,
            Comparison::LessOrEqual(other) => value <= other,
            Comparison::Between(least, most) => value >= least && value <= most,
        }
    }

    /// The number it is compared with, where there is one.
    #[must_use]
    pub fn bound(self) -> Option<T> {
        match self {
            Comparison::Equal(bound)
            | Comparison::NotEqual(bound)
            | Comparison::Greater(bound)
            | Comparison::GreaterOrEqual(bound)
            | Comparison::Less(bound)
            | Comparison::LessOrEqual(bound) => Some(bound),
            Comparison::Between(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_comparison_holds_up_to_its_boundary() {
        // What 4, 5, 6 and 7 give.
        for (comparison, expected) in [
            (Comparison::Equal(5), [false, true, false, false]),
            (Comparison::NotEqual(5), [true, false, true, true]),
            (Comparison::Greater(5), [false, false, true, true]),
            (Comparison::GreaterOrEqual(5), [false, true, true, true]),
            (Comparison::Less(5), [true, false, false, false]),
            (Comparison::LessOrEqual(5), [true, true, false, false]),
            (Comparison::Between(5, 6), [false, true, true, false]),
        ] {
            assert_eq!([4, 5, 6, 7].map(|value| comparison.holds(value)), expected, "{comparison:?}");
        }
    }
}
