//! What does a payee ask for? The challenges of x402 and MPP as they arrive on the wire: read, bounded, and reduced to one payment. What a
//! payee says of itself is believed as far as it makes the payment dearer, never cheaper: it does not choose how its asset is counted.
//!
//! Not here: whether the payment may happen. The digest binds the kernel's decision to the challenge.

mod asset;
mod digest;
mod encoded;
mod header;
mod mpp;
#[cfg(test)]
mod tests;
mod x402;

use crate::{
    kernel::{Amount, Duration, Protocol, Timestamp},
    wire::json::{Object, Refusal},
};

/// The longest challenge, in bytes, as it is sent and once it is decoded.
pub const CHALLENGE_BYTES_MAX: usize = 64 * 1024;
/// The most ways to pay that one x402 challenge may offer.
pub const ACCEPTS_MAX: usize = 32;
/// The most challenges in the `WWW-Authenticate` headers of one answer.
pub const CHALLENGES_MAX: usize = 16;
/// The most parameters of one challenge.
pub const PARAMETERS_MAX: usize = 32;

/// One way to pay that a payee offers, in the words of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What one payment costs, rounded up to micro-units; of a session the suggested deposit, where there is one.
    pub amount: Option<Amount>,
    /// Whether a deposit is asked for that many payments draw from.
    pub is_session: bool,
    /// Who gets the money; absent where the payment method knows it otherwise.
    pub recipient: Option<String>,
    /// The URL that is paid for, as the payee tells it; absent where it tells none, or none that is absolute.
    pub resource: Option<String>,
    /// The chain in its canonical form; empty where the payment is on none.
    pub chain: String,
    /// Who else gets a part.
    pub splits: Vec<(String, Amount)>,
    /// The answer must be there by then.
    pub valid_before: Option<Timestamp>,
    /// How long a payment may settle once it is signed.
    pub valid_for: Option<Duration>,
    /// The client's name for the payment, where the challenge carries one.
    pub payment_id: Option<String>,
    /// BLAKE3 of everything that the payee may not change afterwards.
    pub digest: [u8; 32],
    /// Which of the offers this is, counted from 0.
    pub index: usize,
    /// The scheme of x402, or the method and intent of MPP.
    pub scheme: String,
    /// The asset or currency.
    pub asset: String,
}

impl Challenge {
    /// Reads the challenge that stands in the body of a request on `rail`, where one does: `paymentRequired` or `paymentRequiredHeader` for
    /// x402, `wwwAuthenticate` for MPP. Of several offers it is the one that the body chooses, else the first that is understood.
    ///
    /// # Errors
    /// A [`Refusal`] for a challenge of another rail, one that cannot be read or is too large, and where no offer can be taken.
    pub fn read(object: &Object<'_>, rail: Protocol) -> Result<Option<Challenge>, Refusal> {
        let of_x402 = [x402::BODY, x402::HEADER].into_iter().find(|name| object.raw(name).is_some());
        let of_mpp = Some(mpp::HEADER).filter(|name| object.raw(name).is_some());
        match (rail, of_x402, of_mpp) {
            (_, None, None) => Ok(None),
            (Protocol::X402, Some(_), None) => x402::read(object).map(Some),
            (Protocol::Mpp, None, Some(_)) => mpp::read(object).map(Some),
            (_, Some(name), _) | (_, None, Some(name)) => Err(Refusal::invalid(
                object.place(name),
                "is a challenge of another rail",
                "one of the rail that is asked",
            )),
        }
    }
}

/// A whole number of the smallest unit, as both rails write amounts.
fn atomic(object: &Object<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let expected = "a whole number of the asset's smallest unit, such as \"10000\"";
    let Some(text) = object.text_or_whole(name, expected)? else { return Ok(None) };
    if text.is_empty() || text.len() > asset::ATOMIC_DIGITS_MAX || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::invalid(object.place(name), "is no such number", expected));
    }
    Ok(Some(text))
}

/// Chooses one of the offers: the one with this index, else the first that fits.
fn choose<T>(
    offers: Vec<T>,
    wanted: Option<u64>,
    fits: impl Fn(&T) -> bool,
    refuse: impl Fn(&str) -> Refusal,
) -> Result<(usize, T), Refusal> {
    let count = offers.len();
    let mut numbered = offers.into_iter().enumerate();
    match wanted {
        Some(wanted) => {
            let chosen = numbered.find(|(index, _)| *index as u64 == wanted);
            let chosen = chosen.ok_or_else(|| refuse(&format!("offers {count}, counted from 0")))?;
            if fits(&chosen.1) { Ok(chosen) } else { Err(refuse("does not offer there what the other fields choose")) }
        }
        None => numbered.find(|(_, offer)| fits(offer)).ok_or_else(|| refuse("offers nothing that can be taken")),
    }
}
