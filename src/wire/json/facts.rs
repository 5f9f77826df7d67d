//! What a body says of a payment beyond amount and payee, under the names that clients use. Facts stand in the body or in its `context`;
//! where both have one, the body's counts.

use utoipa::ToSchema;

use crate::{
    kernel::{
        Amount, Duration, Facts, Timestamp,
        facts::{SCORE_MAX, SPLITS_MAX, Split},
    },
    wire::{ErrorCode, chain},
};

use super::{Object, Refusal};

const SCORE_EXPECTED: &str = "a number from 0 to 1, or over 1 and up to 100";
const FAIRSCALE_EXPECTED: &str = "a number from 0 to 100";
const CHAIN_EXPECTED: &str = "the id of a chain, such as 8453 or `eip155:8453`";
const MOMENT_EXPECTED: &str = "seconds since 1970, or a moment such as `2026-11-25T12:00:00Z`";

/// What is known of a payment beyond amount and payee. A rule that needs a fact which is not there denies.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `FactsBody::read` accepts")]
pub struct FactsRequest {
    /// What is bought, such as `API_PROVIDER`.
    category: Option<String>,
    /// The payee's country in two letters. Also `countryCode`.
    country: Option<String>,
    /// How much the payee is trusted: 0 to 1, or over 1 and up to 100.
    #[schema(minimum = 0, maximum = 100)]
    trust_score: Option<f64>,
    /// 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    fairscale_score: Option<f64>,
    /// What the caller thinks of the payee, such as `TRUSTED`. Also `trustLevel`.
    counterparty_status: Option<String>,
    /// The contract that is called. Also `contractAddress`.
    target_contract_address: Option<String>,
    /// The protocol that the contract belongs to.
    contract_protocol: Option<String>,
    /// The first four bytes of the call.
    function_selector: Option<String>,
    /// The HTTP method that is paid for. Also `httpMethod`.
    method: Option<String>,
    /// What a session is opened for.
    session_intent: Option<String>,
    /// The merchant category code. Also `merchantCategoryCode`.
    mcc: Option<String>,
    /// A code of four digits, or the category in words.
    merchant_category: Option<String>,
    /// The merchant, by name.
    merchant_name: Option<String>,
    /// The merchant, by the id that the card's network gives it.
    merchant_id: Option<String>,
    /// What the payment is for.
    purpose: Option<String>,
    /// The chain, such as `8453` or `eip155:8453`; a number is taken as its text. Also `network`.
    chain_id: Option<String>,
    /// Who else gets a part of the amount.
    splits: Option<Vec<SplitRequest>>,
    /// Until when the payment can settle: seconds since 1970, or a moment such as `2026-11-25T12:00:00Z`. The hold lasts as long.
    valid_before: Option<String>,
    /// A place for facts that the body does not name itself.
    #[schema(value_type = Option<Object>)]
    context: Option<()>,
}

/// A part of a payment that goes to somebody else.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `FactsBody::read` accepts")]
struct SplitRequest {
    /// Who gets it. Also `recipient`.
    recipient_address: String,
    /// Above zero.
    amount: Amount,
}

/// Facts that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactsBody {
    category: String,
    country: String,
    trust_score: Option<u32>,
    fairscale_score: Option<u32>,
    counterparty_status: String,
    contract: String,
    contract_protocol: String,
    function: String,
    method: String,
    session_intent: String,
    merchant_category_code: String,
    merchant: String,
    merchant_id: String,
    purpose: String,
    pub(super) chain: String,
    pub(super) splits: Vec<(String, Amount)>,
    pub(super) challenge: Option<[u8; 32]>,
    pub(super) valid_before: Option<Timestamp>,
    pub(super) valid_for: Option<Duration>,
}

impl FactsBody {
    /// Reads the facts of a payment; none need be there.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field of a wrong type. Whether the values are allowed, the kernel says.
    pub fn read(object: &Object<'_>) -> Result<FactsBody, Refusal> {
        let context = object.object("context")?;
        let source = Source { object, context: context.as_ref() };
        let (merchant_category_code, category_of_merchant) = merchant_category(&source)?;
        let category = source.text(&["category"])?;
        Ok(FactsBody {
            category: if category.is_empty() { category_of_merchant } else { category },
            country: source.text(&["country", "countryCode"])?.to_ascii_uppercase(),
            trust_score: source.score("trustScore", trust_score)?,
            fairscale_score: source.score("fairscaleScore", fairscale_score)?,
            counterparty_status: source.text(&["counterpartyStatus", "trustLevel"])?.to_ascii_uppercase(),
            contract: source.text(&["targetContractAddress", "contractAddress"])?,
            contract_protocol: source.text(&["contractProtocol"])?,
            function: source.text(&["functionSelector"])?,
            method: source.text(&["method", "httpMethod"])?.to_ascii_uppercase(),
            session_intent: source.text(&["sessionIntent"])?,
            merchant_category_code,
            merchant: source.text(&["merchantName"])?,
            merchant_id: source.text(&["merchantId"])?,
            purpose: source.text(&["purpose"])?,
            chain: chain_of(object)?,
            splits: splits(object)?,
            challenge: None,
            valid_before: valid_before(object)?,
            valid_for: None,
        })
    }

    /// The facts in the kernel's words; nothing where nothing is known.
    #[must_use]
    pub fn facts(&self) -> Option<Box<Facts<'_>>> {
        let facts = Facts {
            category: &self.category,
            country: &self.country,
            trust_score: self.trust_score,
            fairscale_score: self.fairscale_score,
            counterparty_status: &self.counterparty_status,
            contract: &self.contract,
            contract_protocol: &self.contract_protocol,
            function: &self.function,
            method: &self.method,
            session_intent: &self.session_intent,
            merchant_category_code: &self.merchant_category_code,
            merchant: &self.merchant,
            merchant_id: &self.merchant_id,
            purpose: &self.purpose,
            chain: &self.chain,
            splits: self.splits.iter().map(|(recipient, amount)| Split { recipient, amount: *amount }).collect(),
            challenge: self.challenge,
            valid_before: self.valid_before,
            valid_for: self.valid_for,
        };
        (facts != Facts::default()).then(|| Box::new(facts))
    }

    /// The chain of the payment in its canonical form; empty where it is not known.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// The merchant's name; empty where it is not known.
    #[must_use]
    pub fn merchant(&self) -> &str {
        &self.merchant
    }

    /// The merchant's id; empty where it is not known.
    #[must_use]
    pub fn merchant_id(&self) -> &str {
        &self.merchant_id
    }
}

/// Where facts are looked for.
struct Source<'o, 'a> {
    object: &'o Object<'a>,
    context: Option<&'o Object<'a>>,
}

impl Source<'_, '_> {
    /// A text under any of `names`; empty where it is in neither place.
    fn text(&self, names: &[&str]) -> Result<String, Refusal> {
        let in_body = self.object.text_of(names)?;
        match (in_body, self.context) {
            (None, Some(context)) => Ok(context.text_of(names)?.unwrap_or_default()),
            (text, _) => Ok(text.unwrap_or_default()),
        }
    }

    /// A score under `name`, in the body or in its context.
    fn score(
        &self,
        name: &str,
        read: fn(&Object<'_>, &str) -> Result<Option<u32>, Refusal>,
    ) -> Result<Option<u32>, Refusal> {
        match (read(self.object, name)?, self.context) {
            (None, Some(context)) => read(context, name),
            (score, _) => Ok(score),
        }
    }
}

/// A trust score: up to 1 it is of 1, else of 100.
pub(super) fn trust_score(object: &Object<'_>, name: &str) -> Result<Option<u32>, Refusal> {
    number(object, name, SCORE_EXPECTED, score)
}

/// A FairScale score, of 100.
pub(super) fn fairscale_score(object: &Object<'_>, name: &str) -> Result<Option<u32>, Refusal> {
    number(object, name, FAIRSCALE_EXPECTED, percent)
}

/// Scores are decimals with few digits, as amounts are, and read as exactly.
fn number(
    object: &Object<'_>,
    name: &str,
    expected: &str,
    read: fn(Amount) -> Option<u32>,
) -> Result<Option<u32>, Refusal> {
    let invalid = || Refusal::invalid(object.place(name), "is not such a number", expected);
    let number = object.amount(name).map_err(|_| invalid())?;
    number.map(|number| read(number).ok_or_else(invalid)).transpose()
}

/// A score on either scale: up to 1 it is of 1, else of 100.
fn score(number: Amount) -> Option<u32> {
    if number <= Amount::from_units(1) {
        u32::try_from(number.micros() / (1_000_000 / u64::from(SCORE_MAX))).ok()
    } else {
        percent(number)
    }
}

/// A score of 100.
fn percent(number: Amount) -> Option<u32> {
    let score = u32::try_from(number.micros() / (100_000_000 / u64::from(SCORE_MAX))).ok()?;
    (score <= SCORE_MAX).then_some(score)
}

/// `merchantCategory` holds a code of four digits, or the category in words.
fn merchant_category(source: &Source<'_, '_>) -> Result<(String, String), Refusal> {
    let code = source.text(&["mcc", "merchantCategoryCode"])?;
    let category = source.text(&["merchantCategory"])?;
    let is_code = category.len() == 4 && category.bytes().all(|byte| byte.is_ascii_digit());
    match (is_code, code.is_empty()) {
        (true, false) if code != category => {
            Err(Refusal::invalid("merchantCategory", "contradicts `mcc`", "the same code, or only one of the two"))
        }
        (true, _) => Ok((category, String::new())),
        (false, _) => Ok((code, category)),
    }
}

/// The chain of a payment, under either name, in its canonical form; empty where none is told.
pub(in crate::wire) fn chain_of(object: &Object<'_>) -> Result<String, Refusal> {
    let mut found: Option<String> = None;
    for name in ["chainId", "network"] {
        let Some(text) = object.text_or_whole(name, CHAIN_EXPECTED)? else { continue };
        let chain = chain::canonical(&text).to_owned();
        if found.as_ref().is_some_and(|known| *known != chain) {
            return Err(Refusal::invalid(object.place(name), "is another chain than `chainId`", "one chain"));
        }
        found = Some(chain);
    }
    Ok(found.unwrap_or_default())
}

fn splits(object: &Object<'_>) -> Result<Vec<(String, Amount)>, Refusal> {
    let items = object.objects("splits", SPLITS_MAX)?.unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let recipient = item.text_of(&["recipientAddress", "recipient"])?;
            let recipient = item.required("recipientAddress", recipient, "the address that gets the part")?;
            let amount = item.positive_amount("amount")?;
            Ok((recipient, item.required("amount", amount, "the part of the whole amount, such as 0.05")?))
        })
        .collect()
}

fn valid_before(object: &Object<'_>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = object.text_or_whole("validBefore", MOMENT_EXPECTED)? else { return Ok(None) };
    let moment = moment(&text);
    let refused = || {
        let field = object.place("validBefore");
        Refusal::of_field(ErrorCode::ValidationError, field, "is not a moment", MOMENT_EXPECTED)
    };
    moment.map(Some).ok_or_else(refused)
}

/// A moment in whole seconds since 1970 or in RFC 3339.
#[must_use]
pub fn moment(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: u64 = text.parse().ok()?;
        return seconds.checked_mul(1_000_000).map(Timestamp::from_micros);
    }
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_microsecond()).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<FactsBody, Refusal> {
        FactsBody::read(&Object::read(body.as_bytes()).unwrap())
    }

    #[test]
    fn every_fact_is_read_under_its_name() {
        let body = read(
            r#"{ "category": "API_PROVIDER", "country": "de", "trustScore": 0.75, "fairscaleScore": "50",
                "counterpartyStatus": "trusted", "targetContractAddress": "0xC0", "contractProtocol": "uniswap",
                "functionSelector": "0xa9059cbb", "method": "get", "sessionIntent": "streaming", "merchantCategory": "5411",
                "merchantName": "Whole Foods", "merchantId": "m_1", "purpose": "lunch", "chainId": 8453,
                "splits": [ { "recipient": "0xB", "amount": 0.25 } ], "validBefore": "1795176000" }"#,
        )
        .unwrap();
        let facts = Facts {
            category: "API_PROVIDER",
            country: "DE",
            trust_score: Some(7500),
            fairscale_score: Some(5000),
            counterparty_status: "TRUSTED",
            contract: "0xC0",
            contract_protocol: "uniswap",
            function: "0xa9059cbb",
            method: "GET",
            session_intent: "streaming",
            merchant_category_code: "5411",
            merchant: "Whole Foods",
            merchant_id: "m_1",
            purpose: "lunch",
            chain: "8453",
            splits: vec![Split { recipient: "0xB", amount: Amount::from_micros(250_000) }],
            challenge: None,
            valid_before: Some(Timestamp::from_micros(1_795_176_000_000_000)),
            valid_for: None,
        };
        assert_eq!(body.facts().as_deref(), Some(&facts));
    }

    #[test]
    fn nothing_known_is_no_facts() {
        for body in ["{}", r#"{"amount":1,"context":{}}"#, r#"{"category":"","context":{"sessionId":7}}"#] {
            assert_eq!(read(body).unwrap().facts(), None, "{body}");
        }
    }

    #[test]
    fn the_context_adds_what_the_body_does_not_say() {
        let body = r#"{"category":"SAAS","context":{"category":"CLOUD","country":"US","merchantCategory":"travel"}}"#;
        let body = read(body).unwrap();
        assert_eq!((body.category.as_str(), body.country.as_str()), ("SAAS", "US"));
        let words = read(r#"{"merchantCategory":"groceries"}"#).unwrap();
        assert_eq!((words.category.as_str(), words.merchant_category_code.as_str()), ("groceries", ""));
    }

    #[test]
    fn scores_have_two_scales() {
        for (text, expected) in [("0", 0), ("0.5", 5000), ("1", 10_000), ("1.5", 150), ("70", 7000), ("100", 10_000)] {
            let body = read(&format!(r#"{{"trustScore":{text}}}"#)).unwrap();
            assert_eq!(body.trust_score, Some(expected), "{text}");
        }
        for text in ["-1", "101", "true", "\"high\"", "1e30"] {
            let refusal = read(&format!(r#"{{"context":{{"trustScore":{text}}}}}"#)).unwrap_err();
            assert_eq!(refusal.field(), Some("context.trustScore"), "{text}");
        }
    }

    #[test]
    fn moments_are_seconds_or_dates() {
        let noon = Some(Timestamp::from_micros(1_795_176_000_000_000));
        assert_eq!(moment("1795176000"), noon);
        assert_eq!(moment("2026-11-20T12:00:00Z"), noon);
        assert_eq!(moment("2026-11-20T13:00:00+01:00"), noon);
        for text in ["", "tomorrow", "-1", "99999999999999999999", "1969-12-31T23:59:59Z"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        for (body, field) in [
            (r#"{"country":7}"#, "country"),
            (r#"{"context":"none"}"#, "context"),
            (r#"{"chainId":1.5}"#, "chainId"),
            (r#"{"chainId":1,"network":"base"}"#, "network"),
            (r#"{"mcc":"5411","merchantCategory":"7995"}"#, "merchantCategory"),
            (r#"{"splits":[]}"#, "splits"),
            (r#"{"splits":[{"amount":1}]}"#, "splits[0].recipientAddress"),
            (r#"{"splits":[{"recipient":"0x1","amount":0}]}"#, "splits[0].amount"),
            (r#"{"validBefore":"soon"}"#, "validBefore"),
            (r#"{"method":"GET","httpMethod":"POST"}"#, "httpMethod"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
        let many = vec![r#"{"recipient":"0x1","amount":1}"#; SPLITS_MAX + 1].join(",");
        assert_eq!(read(&format!(r#"{{"splits":[{many}]}}"#)).unwrap_err().field(), Some("splits"));
    }
}
