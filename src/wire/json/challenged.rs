//! How do the fields of a request and the challenge that it answers fit together? A field that is left out is taken from the challenge; one
//! that contradicts it is refused, for otherwise one payment would be decided and another made.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{Amount, Name, request::Intent},
    wire::challenge::Challenge,
};

use super::{FactsBody, Money, Object, Refusal};

/// The challenge that a payment answers, as it came: what the other fields do not say is taken from it, and what contradicts it is refused.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Challenge::read` accepts")]
pub struct ChallengeRequest {
    /// The body of an x402 answer with status 402, of version 1, or the decoded object of version 2.
    #[schema(value_type = Option<Object>)]
    payment_required: Option<()>,
    /// The value of the header `PAYMENT-REQUIRED` of x402.
    payment_required_header: Option<String>,
    /// Which of the offers in `accepts` will be paid, counted from 0; else the first that is understood.
    accepts_index: Option<u64>,
    /// Chooses among the offers of x402, such as `exact`.
    scheme: Option<String>,
    /// The value of the header `WWW-Authenticate` of MPP, or a list of such values.
    #[schema(value_type = Option<String>)]
    www_authenticate: Option<()>,
    /// Which of the MPP challenges will be answered, counted from 0; else the first that is understood.
    challenge_index: Option<u64>,
    /// Chooses among the MPP challenges by their `id`.
    challenge_id: Option<String>,
    /// Chooses among the MPP challenges by their `method`, such as `tempo`.
    payment_method: Option<String>,
    /// How many decimals the asset has, where the gateway does not know it.
    #[schema(maximum = 36)]
    decimals: Option<u64>,
}

fn contradicts(object: &Object<'_>, name: &str, expected: impl Into<String>) -> Refusal {
    Refusal::invalid(object.place(name), "contradicts the challenge", expected)
}

/// What is held. The payee chooses the price of one payment, the agent the deposit of a session: the challenge suggests one at most.
pub(super) fn amount(object: &Object<'_>, challenge: &Challenge, intent: Intent) -> Result<Amount, Refusal> {
    let amount = object.positive_amount("amount")?;
    let deposit = object.positive_amount("depositAmount")?;
    let expected = "an amount above zero, such as 0.05";
    match (intent, challenge.amount) {
        (Intent::Charge, asked) => {
            let asked = object.required("amount", asked, expected)?;
            match amount {
                Some(amount) if amount != asked => Err(contradicts(object, "amount", asked.to_string())),
                _ => Ok(asked),
            }
        }
        (Intent::Session { .. }, suggested) if challenge.is_session => {
            object.required("depositAmount", deposit.or(amount).or(suggested), expected)
        }
        (Intent::Session { .. }, _) => object.required("depositAmount", deposit, expected),
    }
}

/// Who gets the money.
pub(super) fn recipient(object: &Object<'_>, challenge: &Challenge) -> Result<String, Refusal> {
    let given = object.text("recipientAddress")?;
    let (Some(asked), Some(given)) = (&challenge.recipient, &given) else {
        let expected = "the address that is paid; the challenge names none";
        return object.required("recipientAddress", challenge.recipient.clone().or(given), expected);
    };
    let same = Name::recipient(asked).is_ok_and(|asked| Name::recipient(given) == Ok(asked));
    if same { Ok(given.clone()) } else { Err(contradicts(object, "recipientAddress", format!("`{asked}`"))) }
}

/// What is bought. Whoever says what it asked for is not told otherwise by the payee.
pub(super) fn resource(object: &Object<'_>, challenge: Option<&Challenge>) -> Result<Option<String>, Refusal> {
    let given = object.text("resourceUrl")?;
    let asked = challenge.and_then(|challenge| challenge.resource.as_ref());
    match (given, asked) {
        (Some(given), Some(asked)) if given != *asked => Err(contradicts(object, "resourceUrl", format!("`{asked}`"))),
        (given, asked) => Ok(given.or(asked.cloned())),
    }
}

/// The client's name for the payment.
pub(super) fn payment_id(object: &Object<'_>, challenge: Option<&Challenge>) -> Result<Option<String>, Refusal> {
    let given = object.text("paymentId")?;
    let asked = challenge.and_then(|challenge| challenge.payment_id.as_ref());
    match (given, asked) {
        (Some(given), Some(asked)) if given != *asked => Err(contradicts(object, "paymentId", format!("`{asked}`"))),
        (given, asked) => Ok(given.or(asked.cloned())),
    }
}

/// The facts with those of the challenge.
pub(super) fn facts(object: &Object<'_>, challenge: Option<&Challenge>) -> Result<FactsBody, Refusal> {
    let mut facts = FactsBody::read(object)?;
    let Some(challenge) = challenge else { return Ok(facts) };
    if !facts.splits.is_empty() && facts.splits != challenge.splits {
        return Err(contradicts(object, "splits", "the splits of the challenge, or none"));
    }
    if !challenge.chain.is_empty() {
        facts.chain.clone_from(&challenge.chain);
    }
    facts.splits.clone_from(&challenge.splits);
    facts.challenge = Some(challenge.digest);
    facts.valid_before = facts.valid_before.max(challenge.valid_before);
    facts.valid_for = challenge.valid_for;
    Ok(facts)
}

/// Which offer of a challenge was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeSummary {
    /// Counted from 0, among the offers of the challenge.
    index: usize,
    /// The scheme of x402, or method and intent of MPP, such as `tempo/charge`.
    scheme: String,
    asset: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    chain_id: String,
    /// What is held.
    amount: Money,
    recipient_address: String,
    /// BLAKE3 of what the decision is bound to.
    digest: String,
}

impl ChallengeSummary {
    /// The offer of `challenge` for which `amount` is asked, to be paid to `recipient`.
    #[must_use]
    pub fn of(challenge: &Challenge, amount: Amount, recipient: &str) -> ChallengeSummary {
        ChallengeSummary {
            index: challenge.index,
            scheme: challenge.scheme.clone(),
            asset: challenge.asset.clone(),
            chain_id: challenge.chain.clone(),
            amount: Money(amount),
            recipient_address: recipient.to_owned(),
            digest: blake3::Hash::from(challenge.digest).to_hex().to_string(),
        }
    }
}
