//! Payees as operators describe and see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    Amount, CounterpartyId, Failure,
    counterparty::{Counterparty, CounterpartyTexts, Standing},
};

use super::{
    Money, Object, Refusal,
    facts::{fairscale_score, trust_score},
};

const STANDING_EXPECTED: &str = "`TRUSTED`, `VERIFIED`, `UNKNOWN` or `BLOCKED`";
const APPROVAL_EXPECTED: &str = "`APPROVED`, `PENDING`, `REJECTED`, or a trust level";

/// A payee to be described.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"name": "Example Compute", "type": "VENDOR", "address": "0x1111111111111111111111111111111111111111", "category": "INFRASTRUCTURE", "country": "DE", "trustLevel": "TRUSTED"}))]
#[expect(dead_code, reason = "describes what `CounterpartyPatch::read` accepts")]
pub struct CounterpartyRequest {
    /// Which counterparty to replace; without one, a new one is described.
    id: Option<CounterpartyId>,
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// Who gets the money: the `recipientAddress` of payments. One address is one counterparty. Also `recipientAddress`.
    #[schema(min_length = 1, max_length = 256)]
    address: String,
    #[serde(flatten)]
    rest: CounterpartyUpdateRequest,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

/// A change of what is said of a payee; what is not named stays as it is, and an empty text forgets one.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"trustLevel": "BLOCKED"}))]
#[expect(dead_code, reason = "describes what `CounterpartyPatch::read` accepts")]
pub struct CounterpartyUpdateRequest {
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: Option<String>,
    /// Who gets the money. Also `recipientAddress`.
    #[schema(min_length = 1, max_length = 256)]
    address: Option<String>,
    /// What kind of payee it is; for people.
    #[schema(max_length = 256, example = "VENDOR")]
    r#type: Option<String>,
    /// What it sells.
    #[schema(max_length = 256, example = "API_PROVIDER")]
    category: Option<String>,
    /// Where it is, in two letters. Also `countryCode`.
    #[schema(example = "DE")]
    country: Option<String>,
    /// The merchant category code, four digits. Also `merchantCategoryCode` and `merchantCategory`.
    #[schema(example = "5411")]
    mcc: Option<String>,
    /// How far it is trusted: 0 to 1, or over 1 and up to 100.
    #[schema(minimum = 0, maximum = 100)]
    trust_score: Option<f64>,
    /// 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    fairscale_score: Option<f64>,
    /// What it is to the organization. `BLOCKED` gets nothing, whatever the policies say.
    #[schema(pattern = "^(TRUSTED|VERIFIED|UNKNOWN|BLOCKED)$", example = "TRUSTED")]
    trust_level: Option<String>,
    /// The same in other words: `APPROVED` is `VERIFIED`, `PENDING` is `UNKNOWN`, `REJECTED` is `BLOCKED`. Where both are there, the
    /// trust level counts, unless this one blocks.
    #[schema(example = "APPROVED")]
    approval_status: Option<String>,
    /// For people.
    #[schema(max_length = 2000)]
    description: Option<String>,
}

/// What a body says of a payee; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterpartyPatch {
    name: Option<String>,
    kind: Option<String>,
    address: Option<String>,
    category: Option<String>,
    country: Option<String>,
    merchant_category_code: Option<String>,
    description: Option<String>,
    trust_score: Option<u32>,
    fairscale_score: Option<u32>,
    standing: Option<Standing>,
}

impl CounterpartyPatch {
    /// Reads the members that are present.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is of a wrong type or no known word.
    pub fn read(object: &Object<'_>) -> Result<CounterpartyPatch, Refusal> {
        let upper = |text: Option<String>| text.map(|text| text.to_ascii_uppercase());
        Ok(CounterpartyPatch {
            name: object.text("name")?,
            kind: object.text("type")?,
            address: object.text_of(&["address", "recipientAddress"])?,
            category: object.text("category")?,
            country: upper(object.text_of(&["country", "countryCode"])?),
            merchant_category_code: object.text_of(&["mcc", "merchantCategoryCode", "merchantCategory"])?,
            description: object.text("description")?,
            trust_score: trust_score(object, "trustScore")?,
            fairscale_score: fairscale_score(object, "fairscaleScore")?,
            standing: standing_in(object)?,
        })
    }

    /// Describes a payee of whom nothing was said.
    ///
    /// # Errors
    /// A [`Refusal`] where the name or the address is missing, or something cannot be said of a payee.
    pub fn describe(self, object: &Object<'_>, id: CounterpartyId) -> Result<Counterparty, Refusal> {
        object.required("name", self.name.as_ref(), "a name for people")?;
        object.required("address", self.address.as_ref(), "the address that is paid")?;
        self.over(id, &CounterpartyTexts::default(), (None, None, None)).map_err(Refusal::from)
    }

    /// `counterparty` with what the patch says.
    ///
    /// # Errors
    /// A [`Refusal`] where something cannot be said of a payee.
    pub fn apply(self, counterparty: &Counterparty) -> Result<Counterparty, Refusal> {
        let known = (counterparty.trust_score, counterparty.fairscale_score, counterparty.standing);
        self.over(counterparty.id, &counterparty.texts(), known).map_err(Refusal::from)
    }

    fn over(
        self,
        id: CounterpartyId,
        texts: &CounterpartyTexts<'_>,
        (trust_score, fairscale_score, standing): (Option<u32>, Option<u32>, Option<Standing>),
    ) -> Result<Counterparty, Failure> {
        let texts = CounterpartyTexts {
            name: self.name.as_deref().unwrap_or(texts.name),
            kind: self.kind.as_deref().unwrap_or(texts.kind),
            address: self.address.as_deref().unwrap_or(texts.address),
            category: self.category.as_deref().unwrap_or(texts.category),
            country: self.country.as_deref().unwrap_or(texts.country),
            merchant_category_code: self.merchant_category_code.as_deref().unwrap_or(texts.merchant_category_code),
            description: self.description.as_deref().unwrap_or(texts.description),
        };
        let mut counterparty = Counterparty::new(id, &texts)?;
        counterparty.trust_score = self.trust_score.or(trust_score);
        counterparty.fairscale_score = self.fairscale_score.or(fairscale_score);
        counterparty.standing = self.standing.or(standing);
        Ok(counterparty)
    }
}

fn standing_in(object: &Object<'_>) -> Result<Option<Standing>, Refusal> {
    let level = object.text_of(&["trustLevel", "counterpartyStatus"])?;
    let level = level.map(|word| standing("trustLevel", &word)).transpose()?;
    let approval = object.text("approvalStatus")?.map(|word| approved(&word)).transpose()?;
    Ok(if approval == Some(Standing::Blocked) { approval } else { level.or(approval) })
}

/// The standing of this word.
///
/// # Errors
/// A [`Refusal`] of `field` where there is none.
pub fn standing(field: &str, word: &str) -> Result<Standing, Refusal> {
    Standing::parse(word).ok_or_else(|| Refusal::invalid(field, "is not known", STANDING_EXPECTED))
}

fn approved(word: &str) -> Result<Standing, Refusal> {
    let words = [("APPROVED", Standing::Verified), ("PENDING", Standing::Unknown), ("REJECTED", Standing::Blocked)];
    let known = words.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, standing)| standing);
    let known = known.or_else(|| Standing::parse(word));
    known.ok_or_else(|| Refusal::invalid("approvalStatus", "is not known", APPROVAL_EXPECTED))
}

/// A payee of the directory.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CounterpartyBody<'a> {
    #[schema(value_type = CounterpartyId)]
    id: String,
    name: &'a str,
    r#type: Option<&'a str>,
    address: &'a str,
    category: Option<&'a str>,
    country: Option<&'a str>,
    mcc: Option<&'a str>,
    /// 0 to 1.
    trust_score: Option<Money>,
    /// 0 to 100.
    fairscale_score: Option<Money>,
    trust_level: Option<&'static str>,
    approval_status: Option<&'static str>,
    description: &'a str,
    /// The change of the catalogue that wrote it.
    revision: u32,
}

/// Some payees, and where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CounterpartyPage<'a> {
    /// In the order of their ids.
    pub counterparties: Vec<CounterpartyBody<'a>>,
    /// What to send as `cursor` for the rest; `null` at the end.
    #[schema(value_type = Option<CounterpartyId>)]
    pub next_cursor: Option<String>,
}

impl CounterpartyBody<'_> {
    /// What is known of a payee, as of a revision.
    #[must_use]
    pub fn of(counterparty: &Counterparty, revision: u32) -> CounterpartyBody<'_> {
        let texts = counterparty.texts();
        let score = |score: u32, micros: u64| Money(Amount::from_micros(u64::from(score) * micros));
        CounterpartyBody {
            id: counterparty.id.to_string(),
            name: texts.name,
            r#type: Some(texts.kind).filter(|text| !text.is_empty()),
            address: texts.address,
            category: counterparty.category(),
            country: counterparty.country(),
            mcc: counterparty.merchant_category_code(),
            trust_score: counterparty.trust_score.map(|of_1| score(of_1, 100)),
            fairscale_score: counterparty.fairscale_score.map(|of_100| score(of_100, 10_000)),
            trust_level: counterparty.standing.map(Standing::word),
            approval_status: counterparty.standing.map(approval_word),
            description: texts.description,
            revision,
        }
    }
}

fn approval_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Trusted | Standing::Verified => "APPROVED",
        Standing::Unknown => "PENDING",
        Standing::Blocked => "REJECTED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(body: &str) -> Result<Counterparty, Refusal> {
        let object = Object::read(body.as_bytes()).unwrap();
        CounterpartyPatch::read(&object)?.describe(&object, CounterpartyId(1))
    }

    #[test]
    fn everything_that_is_said_is_read_and_printed() {
        let entry = described(
            r#"{ "name": "Example", "type": "VENDOR", "address": "0xAb", "category": "API_PROVIDER", "country": "de", "mcc": "5411",
                "trustScore": 75, "fairscaleScore": 50, "trustLevel": "TRUSTED", "approvalStatus": "APPROVED", "description": "d" }"#,
        )
        .unwrap();
        assert_eq!(entry.standing, Some(Standing::Trusted));
        assert_eq!((entry.trust_score, entry.fairscale_score), (Some(7500), Some(5000)));
        assert_eq!(
            super::super::print(&CounterpartyBody::of(&entry, 3)),
            r#"{"id":"cp_00000000000000000000000000000001","name":"Example","type":"VENDOR","address":"0xAb","category":"API_PROVIDER","country":"DE","mcc":"5411","trustScore":0.75,"fairscaleScore":50.00,"trustLevel":"TRUSTED","approvalStatus":"APPROVED","description":"d","revision":3}"#
        );
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_an_empty_text_forgets() {
        let entry =
            described(r#"{"name":"n","address":"a","country":"DE","category":"SAAS","trustScore":0.5}"#).unwrap();
        let object = Object::read(br#"{"country":"","approvalStatus":"rejected","trustLevel":"TRUSTED"}"#).unwrap();
        let changed = CounterpartyPatch::read(&object).unwrap().apply(&entry).unwrap();
        assert_eq!((changed.country(), changed.category()), (None, Some("SAAS")));
        assert_eq!((changed.trust_score, changed.standing), (Some(5000), Some(Standing::Blocked)));
    }

    #[test]
    fn what_cannot_be_said_is_refused_by_its_field() {
        for (body, field) in [
            (r#"{"address":"a"}"#, "name"),
            (r#"{"name":"n"}"#, "address"),
            (r#"{"name":"n","address":"a b"}"#, "address"),
            (r#"{"name":"n","address":"a","recipientAddress":"b"}"#, "recipientAddress"),
            (r#"{"name":"n","address":"a","country":"Germany"}"#, "country"),
            (r#"{"name":"n","address":"a","mcc":"54"}"#, "merchantCategory"),
            (r#"{"name":"n","address":"a","trustScore":101}"#, "trustScore"),
            (r#"{"name":"n","address":"a","trustLevel":"FRIEND"}"#, "trustLevel"),
            (r#"{"name":"n","address":"a","approvalStatus":"MAYBE"}"#, "approvalStatus"),
        ] {
            assert_eq!(described(body).unwrap_err().field(), Some(field), "{body}");
        }
    }
}
