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
    let mut buffer = [0; FACT_BYTES_MAX];
    fold_into(&mut buffer, text).is_some_and(|text| folded.contains(&Name::canonical(Cow::Borrowed(text))))
}

/// The form in which texts are compared: without white space around them, ASCII letters in upper case. Facts mostly come so.
#[must_use]
pub fn fold(text: &str) -> String {
    text.trim().to_ascii_uppercase()
}

/// The same without memory of its own; `None` for a text longer than any fact.
fn fold_into<'b>(buffer: &'b mut [u8; FACT_BYTES_MAX], text: &str) -> Option<&'b str> {
    let text = text.trim();
    let folded = buffer.get_mut(..text.len())?;
    folded.copy_from_slice(text.as_bytes());
    folded.make_ascii_uppercase();
    std::str::from_utf8(folded).ok()
}
