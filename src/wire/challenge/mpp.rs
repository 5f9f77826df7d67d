//! Challenges of the Machine Payments Protocol: `WWW-Authenticate: Payment`, with the request in base64url.

use super::{
    CHALLENGE_BYTES_MAX, CHALLENGES_MAX, Challenge,
    asset::{amount, decimals},
    atomic, choose,
    digest::digest,
    encoded,
    header::{Parameters, payment_challenges},
};
use crate::{
    kernel::{Amount, facts::SPLITS_MAX},
    wire::{
        chain,
        json::{Object, Refusal, chain_of, moment},
    },
};

/// The challenge as the value of the header `WWW-Authenticate`, or a list of such values.
pub(super) const HEADER: &str = "wwwAuthenticate";

/// What a challenge may be for. A subscription asks for its payments one by one.
const INTENTS: [&str; 3] = ["charge", "session", "subscription"];
const EXPECTED: &str = "`Payment` challenges with `id`, `realm`, `method`, `intent` and `request`";

/// Reads the challenge in `body`.
pub(super) fn read(body: &Object<'_>) -> Result<Challenge, Refusal> {
    let place = body.place(HEADER);
    let invalid = |found: &str| Refusal::invalid(place.clone(), found, EXPECTED);
    let mut challenges = Vec::new();
    for header in headers(body)? {
        challenges.extend(payment_challenges(&header).map_err(invalid)?);
        if challenges.len() > CHALLENGES_MAX {
            return Err(invalid("has too many challenges"));
        }
    }
    let (index, parameters) = chosen(body, challenges, &invalid)?;
    of_parameters(body, index, &parameters, &invalid)
}

fn headers(body: &Object<'_>) -> Result<Vec<String>, Refusal> {
    let is_list = body.raw(HEADER).is_some_and(|raw| raw.starts_with('['));
    let headers = if is_list { body.texts(HEADER)? } else { body.text(HEADER)?.map(|header| vec![header]) };
    let headers = headers.unwrap_or_default();
    let bytes: usize = headers.iter().map(String::len).sum();
    if headers.len() > CHALLENGES_MAX || bytes > CHALLENGE_BYTES_MAX {
        let expected = format!("at most {CHALLENGES_MAX} headers of {CHALLENGE_BYTES_MAX} bytes together");
        return Err(Refusal::invalid(body.place(HEADER), "is too long", expected));
    }
    Ok(headers)
}

/// The challenge that the body chooses by its index, its id, its method or its intent.
fn chosen(
    body: &Object<'_>,
    challenges: Vec<Parameters>,
    invalid: &impl Fn(&str) -> Refusal,
) -> Result<(usize, Parameters), Refusal> {
    let wanted = body.whole("challengeIndex", "the index of a challenge, counted from 0")?;
    let (id, method, intent) = (body.text("challengeId")?, body.text("paymentMethod")?, body.text("intent")?);
    let is = |parameters: &Parameters, name: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| parameters.get(name) == Some(wanted))
    };
    let fits = |parameters: &Parameters| {
        let known = parameters.get("intent").is_some_and(|intent| INTENTS.contains(&intent.as_str()));
        known && is(parameters, "id", &id) && is(parameters, "method", &method) && is(parameters, "intent", &intent)
    };
    choose(challenges, wanted, fits, invalid)
}

fn of_parameters(
    body: &Object<'_>,
    index: usize,
    parameters: &Parameters,
    invalid: &impl Fn(&str) -> Refusal,
) -> Result<Challenge, Refusal> {
    let parameter = |name: &str| parameters.get(name).map(String::as_str);
    let required = |name: &str| {
        let value = parameter(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| invalid(&format!("has a challenge without `{name}`")))
    };
    let (_, realm, method) = (required("id")?, required("realm")?, required("method")?);
    let (intent, request) = (required("intent")?, required("request")?);
    let valid_before = match parameter("expires") {
        None => None,
        Some(expires) => Some(moment(expires).ok_or_else(|| invalid("has an `expires` that is no moment"))?),
    };
    let bytes = encoded::decode(request).ok_or_else(|| invalid("has a `request` that is not base64url"))?;
    let request_place = format!("{}.request", body.place(HEADER));
    let object = Object::read_at(request_place, &bytes)?;
    let asked = Asked::read(body, &object, intent == "session")?;
    let slots = [
        Some(realm),
        Some(method),
        Some(intent),
        Some(request),
        parameter("expires"),
        parameter("digest"),
        parameter("opaque"),
    ];
    Ok(Challenge {
        amount: asked.amount,
        is_session: intent == "session",
        recipient: object.text("recipient")?,
        resource: None,
        chain: asked.chain,
        splits: asked.splits,
        valid_before,
        valid_for: None,
        payment_id: None,
        digest: digest("mpp", &slots),
        index,
        scheme: format!("{method}/{intent}"),
        asset: asked.currency,
    })
}

/// What the request inside a challenge asks for.
struct Asked {
    amount: Option<Amount>,
    chain: String,
    currency: String,
    splits: Vec<(String, Amount)>,
}

impl Asked {
    fn read(body: &Object<'_>, request: &Object<'_>, is_session: bool) -> Result<Asked, Refusal> {
        let currency = request.text("currency")?;
        let currency = request.required("currency", currency, "the token or currency that is paid in")?;
        let price = atomic(request, "amount")?;
        let price = request.required("amount", price, "what is paid, in the currency's smallest unit")?;
        let name = if is_session { "suggestedDeposit" } else { "amount" };
        let units = if is_session { atomic(request, name)? } else { Some(price) };
        let details = request.object("methodDetails")?;
        let is_fiat = chain::currency(&currency).is_some();
        let chain = if is_fiat { String::new() } else { chain(body, details.as_ref())? };
        let decimals = decimals(body, &chain, &currency)?;
        let too_much =
            |place: String| Refusal::invalid(place, "is more than there can be", "at most 1000000000000 units");
        let mut splits = Vec::new();
        let mut parts = Amount::ZERO;
        for split in splits_of(details.as_ref())? {
            let (recipient, units) = (split.text("recipient")?, atomic(&split, "amount")?);
            let recipient = split.required("recipient", recipient, "the address that gets the part")?;
            let units = split.required("amount", units, "the part, in the currency's smallest unit")?;
            let part = amount(&units, decimals).ok_or_else(|| too_much(split.place("amount")))?;
            parts = parts.saturating_add(part);
            splits.push((recipient, part));
        }
        let held =
            units.map(|units| amount(&units, decimals).ok_or_else(|| too_much(request.place(name)))).transpose()?;
        // Each part is rounded up, so together they may come to a few micro-units more than the whole.
        let rounding = Amount::from_micros(splits.len() as u64);
        let rounded = held.filter(|held| parts > *held && parts <= held.saturating_add(rounding) && decimals > 6);
        Ok(Asked { amount: rounded.map_or(held, |_| Some(parts)), chain, currency, splits })
    }
}

fn splits_of<'a>(details: Option<&Object<'a>>) -> Result<Vec<Object<'a>>, Refusal> {
    let Some(details) = details else { return Ok(Vec::new()) };
    let is_empty = details.raw("splits").is_some_and(|raw| raw.bytes().all(|byte| b"[] \t\r\n".contains(&byte)));
    if is_empty { Ok(Vec::new()) } else { Ok(details.objects("splits", SPLITS_MAX)?.unwrap_or_default()) }
}

/// The chain that the challenge names, or else the body; they must not differ.
fn chain(body: &Object<'_>, details: Option<&Object<'_>>) -> Result<String, Refusal> {
    let in_body = chain_of(body)?;
    let in_challenge = match details {
        Some(details) => chain_of(details)?,
        None => String::new(),
    };
    match (in_body.is_empty(), in_challenge.is_empty()) {
        (false, false) if in_body != in_challenge => {
            Err(Refusal::invalid(body.place("chainId"), "contradicts the challenge", format!("`{in_challenge}`")))
        }
        (_, false) => Ok(in_challenge),
        (false, true) => Ok(in_body),
        (true, true) => {
            let found = "is missing, and the challenge names no chain";
            Err(Refusal::invalid(body.place("chainId"), found, "the chain that is paid on, such as 4217"))
        }
    }
}
