//! Challenges of x402: the body of version 1, and the object of version 2 as it is or as its header carries it.

use super::{
    ACCEPTS_MAX, CHALLENGE_BYTES_MAX, Challenge,
    asset::{amount, decimals},
    atomic, choose,
    digest::{canonical, digest},
    encoded,
};
use crate::{
    kernel::Duration,
    wire::{
        chain,
        json::{Object, Refusal},
    },
};

/// The challenge as an object.
pub(super) const BODY: &str = "paymentRequired";
/// The challenge as the value of the header `PAYMENT-REQUIRED`.
pub(super) const HEADER: &str = "paymentRequiredHeader";

/// The schemes whose amounts are understood: all say the most that is paid.
const SCHEMES: [&str; 4] = ["exact", "upto", "batch-settlement", "auth-capture"];
const IDENTIFIER: &str = "payment-identifier";
const IDENTIFIER_EXPECTED: &str = "16 to 128 letters, digits, `-` and `_`";

/// One way to pay.
struct Offer<'a> {
    object: Object<'a>,
    scheme: String,
    network: String,
}

/// Reads the challenge in `body`.
pub(super) fn read(body: &Object<'_>) -> Result<Challenge, Refusal> {
    let encoded = match body.text(HEADER)? {
        Some(_) if body.raw(BODY).is_some() => {
            return Err(Refusal::invalid(body.place(HEADER), "stands beside `paymentRequired`", "only one of the two"));
        }
        Some(header) => {
            let expected = format!("base64 of a JSON object, at most {CHALLENGE_BYTES_MAX} bytes");
            encoded::decode(&header)
                .ok_or_else(|| Refusal::invalid(body.place(HEADER), "is not the value of a header", expected))?
        }
        None => Vec::new(),
    };
    let challenge = if encoded.is_empty() {
        let raw = body.raw(BODY).unwrap_or_default();
        if raw.len() > CHALLENGE_BYTES_MAX {
            let expected = format!("at most {CHALLENGE_BYTES_MAX} bytes");
            return Err(Refusal::invalid(body.place(BODY), "is too long", expected));
        }
        let object = body.object(BODY)?;
        body.required(BODY, object, "the challenge of an answer with status 402")?
    } else {
        Object::read_at(body.place(HEADER), &encoded)?
    };
    let version = challenge.whole("x402Version", "1 or 2")?;
    match challenge.required("x402Version", version, "1 or 2")? {
        1 => of_version(body, &challenge, 1),
        2 => of_version(body, &challenge, 2),
        _ => Err(Refusal::invalid(challenge.place("x402Version"), "is not known", "1 or 2")),
    }
}

fn of_version(body: &Object<'_>, challenge: &Object<'_>, version: u8) -> Result<Challenge, Refusal> {
    let (index, offer) = chosen(body, challenge)?;
    let object = &offer.object;
    let name = if version == 1 { "maxAmountRequired" } else { "amount" };
    let units = atomic(object, name)?;
    let units = object.required(name, units, "the most that is paid, in the asset's smallest unit")?;
    let asset = object.text("asset")?;
    let asset = object.required("asset", asset, "the contract or currency that is paid in")?;
    let pay_to = object.text("payTo")?;
    let recipient = object.required("payTo", pay_to, "the address that is paid")?;
    let network = chain::canonical(&offer.network).to_owned();
    // Money that is on no chain goes over networks such as `ach:us`.
    let is_fiat = chain::currency(&asset).is_some();
    let decimals = decimals(body, if is_fiat { "" } else { &network }, &asset)?;
    let too_much = || Refusal::invalid(object.place(name), "is more than there can be", "at most 1000000000000 units");
    let resource = resource(challenge, object, version)?;
    let seconds = object.whole("maxTimeoutSeconds", "a whole number of seconds")?;
    let extra = object.raw("extra").map(|extra| {
        let expected = "a JSON value that is not nested too deeply";
        canonical(extra).ok_or_else(|| Refusal::invalid(object.place("extra"), "cannot be read", expected))
    });
    let extra = extra.transpose()?;
    let timeout = seconds.map(|seconds| seconds.to_string());
    let version = version.to_string();
    let digest = digest(
        "x402",
        &[
            Some(&version),
            Some(&offer.scheme),
            Some(&network),
            Some(&units),
            Some(&asset),
            Some(&recipient),
            resource.as_deref(),
            timeout.as_deref(),
            extra.as_deref(),
        ],
    );
    Ok(Challenge {
        amount: Some(amount(&units, decimals).ok_or_else(too_much)?),
        is_session: false,
        recipient: Some(recipient),
        resource: resource.filter(|resource| resource.contains("://")),
        chain: network,
        splits: Vec::new(),
        valid_before: None,
        valid_for: seconds.map(Duration::from_secs),
        payment_id: identifier(challenge)?,
        digest,
        index,
        scheme: offer.scheme,
        asset,
    })
}

/// The offer that the body chooses by its index, scheme or network.
fn chosen<'a>(body: &Object<'_>, challenge: &Object<'a>) -> Result<(usize, Offer<'a>), Refusal> {
    let offers = challenge.objects("accepts", ACCEPTS_MAX)?;
    let offers = challenge.required("accepts", offers, "the ways to pay that the payee accepts")?;
    let read = |object: Object<'a>| {
        let (scheme, network) = (object.text("scheme")?, object.text("network")?);
        let scheme = object.required("scheme", scheme, "the scheme, such as `exact`")?;
        let network = object.required("network", network, "the network, such as `eip155:8453`")?;
        Ok(Offer { object, scheme, network })
    };
    let offers: Vec<Offer<'a>> = offers.into_iter().map(read).collect::<Result<_, Refusal>>()?;
    let wanted = body.whole("acceptsIndex", "the index of an offer, counted from 0")?;
    let scheme = body.text("scheme")?;
    let wanted_chain = crate::wire::json::chain_of(body)?;
    let list: Vec<String> = offers.iter().map(|offer| format!("`{}` on `{}`", offer.scheme, offer.network)).collect();
    let fits = |offer: &Offer<'_>| {
        SCHEMES.contains(&offer.scheme.as_str())
            && scheme.as_ref().is_none_or(|scheme| offer.scheme == *scheme)
            && (wanted_chain.is_empty() || chain::canonical(&offer.network) == wanted_chain)
    };
    choose(offers, wanted, fits, |found| {
        let expected = format!("one of {} that is chosen by `acceptsIndex`, `scheme` and `network`", list.join(", "));
        Refusal::invalid(challenge.place("accepts"), found, expected)
    })
}

fn resource(challenge: &Object<'_>, offer: &Object<'_>, version: u8) -> Result<Option<String>, Refusal> {
    if version == 1 {
        return offer.text("resource");
    }
    match challenge.object("resource")? {
        Some(resource) => resource.text("url"),
        None => Ok(None),
    }
}

/// The client's name for the payment, which the extension carries once the client has added it.
fn identifier(challenge: &Object<'_>) -> Result<Option<String>, Refusal> {
    let Some(extensions) = challenge.object("extensions")? else { return Ok(None) };
    let Some(extension) = extensions.object(IDENTIFIER)? else { return Ok(None) };
    let Some(info) = extension.object("info")? else { return Ok(None) };
    let Some(id) = info.text("id")? else { return Ok(None) };
    let fits = (16..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fits {
        Ok(Some(id))
    } else {
        Err(Refusal::invalid(info.place("id"), "is no payment identifier", IDENTIFIER_EXPECTED))
    }
}
