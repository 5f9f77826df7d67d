//! How much is an amount of an asset's smallest units?

use crate::{
    kernel::Amount,
    wire::{
        chain::{self, Chain},
        json::{Object, Refusal},
    },
};

/// The most digits of an amount in smallest units: those of 2²⁵⁶.
pub(super) const ATOMIC_DIGITS_MAX: usize = 78;
/// The most decimals of an asset.
const DECIMALS_MAX: u64 = 36;
/// Those of a micro-unit.
const MICRO_DECIMALS: usize = 6;

/// The decimals of an asset, from the table; of one that is not in it, those that the body says. Never those that the payee says.
pub(super) fn decimals(body: &Object<'_>, chain: &str, asset: &str) -> Result<usize, Refusal> {
    let expected = format!("how many decimals `{asset}` has, a whole number up to {DECIMALS_MAX}");
    let told = body.whole("decimals", &expected)?;
    let known = match Chain::find(chain) {
        Some(chain) => chain.asset(asset).map(|asset| asset.decimals),
        None if chain.is_empty() => chain::currency(asset),
        None => None,
    };
    match (known, told) {
        (Some(known), None) => Ok(usize::from(known)),
        (Some(known), Some(told)) if u64::from(known) == told => Ok(usize::from(known)),
        (Some(known), Some(_)) => {
            Err(Refusal::invalid(body.place("decimals"), "contradicts what is known of the asset", known.to_string()))
        }
        (None, Some(told)) if told <= DECIMALS_MAX => {
            usize::try_from(told).map_err(|_| Refusal::invalid(body.place("decimals"), "is too large", expected))
        }
        (None, Some(_)) => Err(Refusal::invalid(body.place("decimals"), "is too large", expected)),
        (None, None) => {
            let where_ = if chain.is_empty() { "no chain".to_owned() } else { format!("chain `{chain}`") };
            let found = format!("is missing: the asset `{asset}` on {where_} is not known");
            Err(Refusal::invalid(body.place("decimals"), &found, expected))
        }
    }
}

/// So many smallest units, rounded up to micro-units. Requires digits alone. Nothing where it is beyond [`Amount::MAX`].
pub(super) fn amount(atomic: &str, decimals: usize) -> Option<Amount> {
    let digits = atomic.trim_start_matches('0');
    let micros = match decimals.checked_sub(MICRO_DECIMALS) {
        None => format!("{digits}{}", "0".repeat(MICRO_DECIMALS - decimals)),
        Some(finer) => {
            let (whole, rest) = digits.split_at(digits.len().saturating_sub(finer));
            let up = u64::from(rest.bytes().any(|digit| digit != b'0'));
            return within(if whole.is_empty() { Some(up) } else { whole.parse::<u64>().ok()?.checked_add(up) });
        }
    };
    within(if digits.is_empty() { Some(0) } else { micros.parse().ok() })
}

fn within(micros: Option<u64>) -> Option<Amount> {
    micros.map(Amount::from_micros).filter(|amount| *amount <= Amount::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_units_are_rounded_up_to_micro_units() {
        for (atomic, decimals, micros) in [
            ("10000", 6, Some(10_000)),
            ("0", 6, Some(0)),
            ("000010000", 6, Some(10_000)),
            ("1", 6, Some(1)),
            ("5", 2, Some(50_000)),
            ("1", 0, Some(1_000_000)),
            ("0", 0, Some(0)),
            ("1", 18, Some(1)),
            ("1000000000000", 18, Some(1)),
            ("1000000000001", 18, Some(2)),
            ("1000000000000000000", 18, Some(1_000_000)),
            ("999999999999999999", 6, Some(999_999_999_999_999_999)),
            ("1000000000000000000", 6, Some(1_000_000_000_000_000_000)),
            ("1000000000000000001", 6, None),
            ("1000000000000", 0, Some(1_000_000_000_000_000_000)),
            ("1000000000001", 0, None),
            ("99999999999999999999999999999999999999999999999999999999999999999999999999999", 36, None),
            ("115792089237316195423570985008687907853269984665640564039457584007913129639935", 6, None),
            ("1", 36, Some(1)),
        ] {
            assert_eq!(amount(atomic, decimals).map(Amount::micros), micros, "{atomic} of {decimals}");
        }
    }
}
