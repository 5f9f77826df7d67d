//! Amounts as JSON numbers, digit by digit.

use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;

use crate::kernel::Amount;

/// An amount that prints as the JSON number of its exact decimal, such as `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money(pub Amount);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// The JSON text of a body. The bodies of this module have text keys and finite numbers, which always print.
#[must_use]
pub fn print(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|error| unreachable!("a body does not print: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_exactly_where_a_float_would_not() {
        for micros in [0, 1, 50_000, 4_950_000, 100_000_000_000_000_001, 1_000_000_000_000_000_000] {
            let amount = Amount::from_micros(micros);
            let text = print(&Money(amount));
            assert_eq!(text, amount.to_string());
            assert_eq!(Amount::parse(&text), Ok(amount));
        }
        assert_eq!(print(&Some(Money(Amount::from_units(500)))), "500.00");
    }
}
