//! Something that is so of a payment, or is not, or cannot be said.

use std::borrow::Cow;

use super::{Scene, clock::Span, comparison::Comparison};
use crate::kernel::{
    Amount, Fact, Name, Protocol,
    counterparty::Standings,
    facts::FACT_BYTES_MAX,
    policy::{NameSet, ServiceSet},
    zone::Zone,
};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It depends on a fact that is not known.
    Unknown(Fact),
}

/// Something that is so of a payment, or is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of these hold.
    All(Box<[Condition]>),
    /// One of these holds.
    Any(Box<[Condition]>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The amount compares so.
    Amount(Comparison<Amount>),
    /// A score compares so.
    Score(Fact, Comparison<u32>),
    /// A fact is one of these, which are [folded](fold).
    Text(Fact, NameSet),
    /// The recipient is one of these.
    Recipient(NameSet),
    /// The service is one of these.
    Service(ServiceSet),
    /// The payment is over this rail.
    Protocol(Protocol),
    /// What the recipient is to the organization is one of these.
    Standing(Standings),
    /// The contract is one of the first, or belongs to one of the second.
    Contract(NameSet, NameSet),
    /// The merchant is one of these by name or by id.
    Merchant(NameSet),
    /// The moment lies in this span, on the clocks of this zone.
    Clock(Zone, Span),
}

impl Condition {
    /// Whether it holds of `scene`.
    #[must_use]
    pub fn truth(&self, scene: &Scene<'_>) -> Truth {
        match self {
            Condition::All(conditions) => first_of(conditions, scene, Truth::No, Truth::Yes),
            Condition::Any(conditions) => first_of(conditions, scene, Truth::Yes, Truth::No),
            Condition::Not(condition) => match condition.truth(scene) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                unknown @ Truth::Unknown(_) => unknown,
            },
            Condition::Amount(comparison) => Truth::of(comparison.holds(scene.amount)),
            Condition::Score(fact, comparison) => {
                scene.score(*fact).map_or(Truth::Unknown(*fact), |score| Truth::of(comparison.holds(score)))
            }
            Condition::Text(fact, names) => match scene.text(*fact) {
                Some(text) => Truth::of(is_in(names, text)),
                None => Truth::Unknown(*fact),
            },
            Condition::Recipient(names) => Truth::of(names.contains(scene.recipient)),
            Condition::Service(services) => {
                scene.service.map_or(Truth::Unknown(Fact::Service), |service| Truth::of(services.contains(service)))
            }
            Condition::Protocol(protocol) => Truth::of(scene.protocol == *protocol),
            Condition::Standing(standings) => scene
                .standing()
                .map_or(Truth::Unknown(Fact::CounterpartyStatus), |standing| Truth::of(standings.contains(standing))),
            Condition::Contract(contracts, protocols) => contract(contracts, protocols, scene),
            Condition::Merchant(names) => merchant(names, scene),
            Condition::Clock(zone, span) => {
                span.contains(scene.now, || zone.local(scene.now)).map_or(Truth::Unknown(Fact::Date), Truth::of)
            }
        }
    }
}

impl Condition {
    /// Whether it depends on what the directory may know of a payee.
    #[must_use]
    pub fn asks_about_payee(&self) -> bool {
        match self {
            Condition::All(conditions) | Condition::Any(conditions) => {
                conditions.iter().any(Condition::asks_about_payee)
            }
            Condition::Not(condition) => condition.asks_about_payee(),
            Condition::Score(..) | Condition::Standing(_) => true,
            Condition::Text(fact, _) => {
                matches!(fact, Fact::Category | Fact::Country | Fact::MerchantCategoryCode)
            }
            Condition::Amount(_)
            | Condition::Recipient(_)
            | Condition::Service(_)
            | Condition::Protocol(_)
            | Condition::Contract(..)
            | Condition::Merchant(_)
            | Condition::Clock(..) => false,
        }
    }
}

impl Truth {
    fn of(holds: bool) -> Truth {
        if holds { Truth::Yes } else { Truth::No }
    }
}

/// `decisive` as soon as a condition comes to it; else what is not known; else `otherwise`.
fn first_of(conditions: &[Condition], scene: &Scene<'_>, decisive: Truth, otherwise: Truth) -> Truth {
    let mut result = otherwise;
    for condition in conditions {
        match condition.truth(scene) {
            truth if truth == decisive => return decisive,
            unknown @ Truth::Unknown(_) if result == otherwise => result = unknown,
            Truth::Yes | Truth::No | Truth::Unknown(_) => {}
        }
    }
    result
}

/// A contract that is not listed may still belong to a listed protocol; one that is not told cannot be judged at all.
fn contract(contracts: &NameSet, protocols: &NameSet, scene: &Scene<'_>) -> Truth {
    let address = scene.text(Fact::Contract).and_then(|text| Name::recipient(text).ok());
    let listed = address.as_ref().is_some_and(|address| contracts.contains(address))
        || scene.text(Fact::ContractProtocol).is_some_and(|protocol| is_in(protocols, protocol));
    if listed || address.is_some() { Truth::of(listed) } else { Truth::Unknown(Fact::Contract) }
}

/// Who does not tell the name of a merchant cannot say that it is none of those that are listed by name.
fn merchant(names: &NameSet, scene: &Scene<'_>) -> Truth {
    let (name, id) = (scene.text(Fact::Merchant), scene.text(Fact::MerchantId));
    let listed = [name, id].into_iter().flatten().any(|text| is_in(names, text));
    if listed || name.is_some() { Truth::of(listed) } else { Truth::Unknown(Fact::Merchant) }
}

fn is_in(folded: &NameSet, text: &str) -> bool {
    let mut buffer = [0; FOLDED_BYTES_MAX];
    fold_into(&mut buffer, text).is_some_and(|text| folded.contains(&Name::canonical(Cow::Borrowed(text))))
}

/// No letter takes more than three times its bytes in upper case.
const FOLDED_BYTES_MAX: usize = 3 * FACT_BYTES_MAX;

/// The form in which texts are compared: without white space around them, in upper case.
#[must_use]
pub fn fold(text: &str) -> String {
    upper(text).collect()
}

/// The same without memory of its own; `None` for a text longer than any fact.
fn fold_into<'b>(buffer: &'b mut [u8; FOLDED_BYTES_MAX], text: &str) -> Option<&'b str> {
    let mut end = 0;
    for letter in upper(text) {
        let rest = buffer.get_mut(end..)?;
        end += if rest.len() < letter.len_utf8() { return None } else { letter.encode_utf8(rest).len() };
    }
    std::str::from_utf8(buffer.get(..end)?).ok()
}

fn upper(text: &str) -> impl Iterator<Item = char> {
    text.trim().chars().flat_map(char::to_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_alike_with_and_without_memory() {
        let longest = ["a", "ß", "ΐ", "\u{10ffff}"].map(|letter| letter.repeat(FACT_BYTES_MAX / letter.len()));
        let texts = ["", " ", " api_Provider\t", "Müller", "ＡＢＣ", "straße", "ŉ"];
        for text in texts.into_iter().chain(longest.iter().map(String::as_str)) {
            assert_eq!(fold_into(&mut [0; FOLDED_BYTES_MAX], text), Some(&*fold(text)), "{text}");
        }
        assert_eq!((fold("müller "), fold("straße")), ("MÜLLER".to_owned(), "STRASSE".to_owned()));
        assert_eq!(fold_into(&mut [0; FOLDED_BYTES_MAX], &"a".repeat(FOLDED_BYTES_MAX + 1)), None);
        let growth =
            ('\0'..=char::MAX).map(|letter| (letter.to_uppercase().map(char::len_utf8).sum(), letter.len_utf8()));
        assert!(growth.into_iter().all(|(upper, plain): (usize, usize)| upper <= 3 * plain));
    }
}
