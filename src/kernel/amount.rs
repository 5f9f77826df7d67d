//! Money: an exact, bounded count of micro-units.

use std::fmt;

use bincode::{Decode, Encode};
use thiserror::Error;

/// Micro-units in one unit of account (1 USDC = 1 000 000).
const MICROS_PER_UNIT: u64 = 1_000_000;
/// Digits after the decimal point.
const FRACTION_DIGITS: usize = 6;
/// The longest text that is looked at; more digits cannot be in range.
const TEXT_BYTES_MAX: usize = 64;

/// A non-negative amount of money in micro-units (10⁻⁶ of a unit of account).
///
/// Zero is a value (an empty counter); whether a request may carry zero is the request's rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Amount(u64);

/// Why a text is not an amount. Completes "failed to read the amount: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Not a decimal number.
    #[error("it is not a decimal number; write for example `0.05`")]
    Malformed,
    /// Below zero.
    #[error("it is negative; amounts are positive")]
    Negative,
    /// Finer than a micro-unit.
    #[error("it has more than 6 digits after the decimal point; the smallest amount is `0.000001`")]
    TooFine,
    /// Above [`Amount::MAX`].
    #[error("it is larger than {}", Amount::MAX)]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// The largest amount: a million million units. Sums of a million of these still fit the arithmetic.
    pub const MAX: Amount = Amount(1_000_000_000_000 * MICROS_PER_UNIT);

    /// An amount of `micros` micro-units.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Amount {
        Amount(micros)
    }

    /// Whole units of account.
    #[must_use]
    pub const fn from_units(units: u32) -> Amount {
        Amount(units as u64 * MICROS_PER_UNIT)
    }

    /// The count of micro-units.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        self.0.checked_add(other.0).map(Amount)
    }

    /// The difference, or `None` where it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        self.0.checked_sub(other.0).map(Amount)
    }

    /// The sum, or the largest representable value: for counters, where "at least this much" blocks and never permits.
    #[must_use]
    pub fn saturating_add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// The difference, or zero: for what is *left*, where less than nothing is nothing.
    #[must_use]
    pub fn saturating_sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// Reads a decimal number exactly: digits, at most one point, an optional exponent (`5e-2`), as JSON and people write it.
    ///
    /// # Errors
    /// [`AmountError`] for anything that is not a non-negative decimal of at most 6 fractional digits and at most [`Amount::MAX`].
    pub fn parse(text: &str) -> Result<Amount, AmountError> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(if text.len() > TEXT_BYTES_MAX && text.bytes().all(|b| b.is_ascii_digit()) {
                AmountError::TooLarge
            } else {
                AmountError::Malformed
            });
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = split_exponent(unsigned)?;
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        let digits_only = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits_only(whole) || fraction.is_some_and(|f| !digits_only(f)) {
            return Err(AmountError::Malformed);
        }
        let micros = scale(whole, fraction.unwrap_or(""), exponent)?;
        if negative && micros != 0 {
            return Err(AmountError::Negative);
        }
        let amount = Amount(micros);
        if amount > Amount::MAX { Err(AmountError::TooLarge) } else { Ok(amount) }
    }
}

/// Splits `1.5e-3` into `1.5` and `-3`.
fn split_exponent(text: &str) -> Result<(&str, i32), AmountError> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Ok((text, 0));
    };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AmountError::Malformed);
    }
    // Exponents that do not fit are far outside every range; the sign says on which side.
    let magnitude = digits.parse::<i32>().unwrap_or(i32::MAX).min(100_000);
    Ok((mantissa, if exponent.starts_with('-') { -magnitude } else { magnitude }))
}

/// `whole.fraction × 10^exponent` in micro-units.
fn scale(whole: &str, fraction: &str, exponent: i32) -> Result<u64, AmountError> {
    let mut micros: u64 = 0;
    // The power of ten of each digit, counted in micro-units, falls from left to right.
    let mut power = whole.len() as i32 - 1 + FRACTION_DIGITS as i32 + exponent;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let value = u64::from(digit - b'0');
        if value != 0 {
            let weight = u32::try_from(power).map_err(|_| AmountError::TooFine)?;
            let weight = 10u64.checked_pow(weight).ok_or(AmountError::TooLarge)?;
            let part = value.checked_mul(weight).ok_or(AmountError::TooLarge)?;
            micros = micros.checked_add(part).ok_or(AmountError::TooLarge)?;
        }
        power -= 1;
    }
    Ok(micros)
}

impl fmt::Display for Amount {
    /// The shortest exact decimal, with at least two digits after the point: `0.05`, `10.00`, `0.000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / MICROS_PER_UNIT, self.0 % MICROS_PER_UNIT);
        let mut digits = FRACTION_DIGITS;
        let mut shown = fraction;
        while digits > 2 && shown.is_multiple_of(10) {
            shown /= 10;
            digits -= 1;
        }
        write!(f, "{whole}.{shown:0digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u64, AmountError>) {
        assert_eq!(Amount::parse(text).map(Amount::micros), expected, "{text}");
    }

    #[test]
    fn decimals_are_read_exactly() {
        check("0.05", Ok(50_000));
        check("10.00", Ok(10_000_000));
        check("10", Ok(10_000_000));
        check("0.000001", Ok(1));
        check("0.0000010", Ok(1));
        check("5e-2", Ok(50_000));
        check("1.5E3", Ok(1_500_000_000));
        check("0e400", Ok(0));
        check("0", Ok(0));
        check("-0", Ok(0));
        check("1000000000000", Ok(1_000_000_000_000_000_000));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        check("", Err(AmountError::Malformed));
        check("abc", Err(AmountError::Malformed));
        check("NaN", Err(AmountError::Malformed));
        check("1.", Err(AmountError::Malformed));
        check(".5", Err(AmountError::Malformed));
        check("1 ", Err(AmountError::Malformed));
        check("1e", Err(AmountError::Malformed));
        check("--1", Err(AmountError::Malformed));
        check("-1", Err(AmountError::Negative));
        check("0.0000001", Err(AmountError::TooFine));
        check("1e-7", Err(AmountError::TooFine));
        check("1e400", Err(AmountError::TooLarge));
        check("1000000000000.000001", Err(AmountError::TooLarge));
        check("123456789012345678901234567890", Err(AmountError::TooLarge));
        check(&"9".repeat(200), Err(AmountError::TooLarge));
    }

    #[test]
    fn printing_is_the_shortest_exact_decimal() {
        for (micros, text) in
            [(0, "0.00"), (50_000, "0.05"), (1, "0.000001"), (1_500_000, "1.50"), (123_456, "0.123456")]
        {
            assert_eq!(Amount::from_micros(micros).to_string(), text);
        }
    }
}
