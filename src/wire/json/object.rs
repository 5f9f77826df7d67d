//! Reading a JSON object member by member. Values stay raw text until somebody says what they should be, so that a number
//! is never rounded and a refusal can name the field and what was expected.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    kernel::{Amount, AmountError},
    wire::ErrorCode,
};

use super::Refusal;

const AMOUNT_EXPECTED: &str = "a decimal number with at most 6 digits after the point, such as 0.05";
const POSITIVE_EXPECTED: &str = "an amount above zero with at most 6 digits after the point, such as 0.05";

/// An object that was read, and where it stands in the body.
#[derive(Debug)]
pub struct Object<'a> {
    path: String,
    members: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// Reads a whole body.
    ///
    /// # Errors
    /// A [`Refusal`] that names line and column for what is not JSON, and says so for what is not an object.
    pub fn read(body: &'a [u8]) -> Result<Object<'a>, Refusal> {
        if body.is_empty() {
            return Err(Refusal::new(ErrorCode::ValidationError, "the body is empty; expected a JSON object"));
        }
        let members = serde_json::from_slice::<Members<'a>>(body).map_err(|error| malformed(body, &error))?;
        Ok(Object { path: String::new(), members: members.0 })
    }

    /// Reads an object that was carried inside a text, called `place`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the place.
    pub fn read_at(place: String, bytes: &'a [u8]) -> Result<Object<'a>, Refusal> {
        let members = serde_json::from_slice::<Members<'a>>(bytes);
        match members {
            Ok(members) => Ok(Object { path: format!("{place}."), members: members.0 }),
            Err(_) => {
                Err(Refusal::invalid(place, "does not carry a JSON object with each member once", "such an object"))
            }
        }
    }

    /// Reads a body that may be left out.
    ///
    /// # Errors
    /// As for [`Object::read`].
    pub fn read_optional(body: &'a [u8]) -> Result<Object<'a>, Refusal> {
        if body.is_empty() { Ok(Object { path: String::new(), members: BTreeMap::new() }) } else { Object::read(body) }
    }

    /// The full name of a member, such as `batch[3].amount`.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The raw text of a member. `null` means absent.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).map(|raw| raw.get()).filter(|text| *text != "null")
    }

    /// Refuses a member that is not there.
    ///
    /// # Errors
    /// A [`Refusal`] that names the member.
    pub fn required<T>(&self, name: &str, value: Option<T>, expected: &str) -> Result<T, Refusal> {
        value.ok_or_else(|| Refusal::invalid(self.place(name), "is missing", expected))
    }

    /// A text.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.typed(name, "a text")
    }

    /// A text that is known under several names; where more than one is present they must agree.
    ///
    /// # Errors
    /// A [`Refusal`] where one is of another type or two differ.
    pub fn text_of(&self, names: &[&str]) -> Result<Option<String>, Refusal> {
        let mut found: Option<(&str, String)> = None;
        for name in names {
            match (self.text(name)?, &found) {
                (Some(text), Some((first, known))) if text != *known => {
                    let expected = format!("the same text as `{}`, or only one of the two", self.place(first));
                    return Err(Refusal::invalid(self.place(name), "contradicts another field", expected));
                }
                (Some(text), None) => found = Some((name, text)),
                (Some(_), Some(_)) | (None, _) => {}
            }
        }
        Ok(found.map(|(_, text)| text))
    }

    /// A list of texts.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        self.typed(name, "a list of texts")
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.typed(name, "`true` or `false`")
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type or out of range.
    pub fn whole(&self, name: &str, expected: &str) -> Result<Option<u64>, Refusal> {
        self.typed(name, expected)
    }

    /// A text, or a whole number as its digits: ids of chains are sent as either.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type.
    pub fn text_or_whole(&self, name: &str, expected: &str) -> Result<Option<String>, Refusal> {
        let digits = |raw: &&str| !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_digit());
        match self.raw(name).filter(digits) {
            Some(digits) => Ok(Some(digits.to_owned())),
            None => self.typed(name, expected),
        }
    }

    /// An object within.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type.
    pub fn object(&self, name: &str) -> Result<Option<Object<'a>>, Refusal> {
        let Some(raw) = self.members.get(name).filter(|raw| raw.get() != "null") else { return Ok(None) };
        Object::nested(self.place(name), raw).map(Some)
    }

    /// An identifier of ours.
    ///
    /// # Errors
    /// A [`Refusal`] where it is of another type or form.
    pub fn identifier<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal>
    where
        T::Err: fmt::Display,
    {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let parsed = text.parse().map_err(|error: T::Err| {
            let expected = error.to_string();
            let expected = expected.strip_prefix("expected ").unwrap_or(&expected).to_owned();
            Refusal::invalid(self.place(name), "is not an identifier of this kind", expected)
        });
        parsed.map(Some)
    }

    /// An amount, which may be zero: a JSON number or a decimal text, read exactly.
    ///
    /// # Errors
    /// A [`Refusal`] with [`ErrorCode::InvalidAmount`] for a number that is none of ours, a validation error for another type.
    pub fn amount(&self, name: &str) -> Result<Option<Amount>, Refusal> {
        self.amount_text(name, AMOUNT_EXPECTED)?.map(|text| self.parse_amount(name, &text, AMOUNT_EXPECTED)).transpose()
    }

    /// An amount above zero.
    ///
    /// # Errors
    /// As for [`Object::amount`]; zero is an invalid amount.
    pub fn positive_amount(&self, name: &str) -> Result<Option<Amount>, Refusal> {
        let Some(text) = self.amount_text(name, POSITIVE_EXPECTED)? else { return Ok(None) };
        let amount = self.parse_amount(name, &text, POSITIVE_EXPECTED)?;
        if amount.is_zero() {
            return Err(Refusal::of_field(ErrorCode::InvalidAmount, self.place(name), "is zero", POSITIVE_EXPECTED));
        }
        Ok(Some(amount))
    }

    /// A list of objects, each of which may be none.
    ///
    /// # Errors
    /// A [`Refusal`] where it is no list, or is empty, or there are more than `most`.
    pub fn items(&self, name: &str, most: usize) -> Result<Option<Vec<Result<Object<'a>, Refusal>>>, Refusal> {
        let expected = format!("a list of 1 to {most} objects");
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(raw) else {
            return Err(Refusal::invalid(self.place(name), &format!("is {}", kind_of(raw)), expected));
        };
        if items.is_empty() || items.len() > most {
            return Err(Refusal::invalid(self.place(name), &format!("has {} items", items.len()), expected));
        }
        let read = |(index, item)| Object::nested(self.place(&format!("{name}[{index}]")), item);
        Ok(Some(items.into_iter().enumerate().map(read).collect()))
    }

    /// A list of objects.
    ///
    /// # Errors
    /// As for [`Object::items`], and for the first item that is no object.
    pub fn objects(&self, name: &str, most: usize) -> Result<Option<Vec<Object<'a>>>, Refusal> {
        self.items(name, most)?.map(|items| items.into_iter().collect()).transpose()
    }

    fn nested(place: String, raw: &'a RawValue) -> Result<Object<'a>, Refusal> {
        match serde_json::from_str::<Members<'a>>(raw.get()) {
            Ok(members) => Ok(Object { path: format!("{place}."), members: members.0 }),
            Err(error) if error.is_data() && raw.get().starts_with('{') => {
                Err(Refusal::invalid(place, "names a member twice", "each member once"))
            }
            Err(_) => Err(Refusal::invalid(place, &format!("is {}", kind_of(raw.get())), "an object")),
        }
    }

    fn typed<T: Deserialize<'a>>(&self, name: &str, expected: &str) -> Result<Option<T>, Refusal> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let wrong = |_| Refusal::invalid(self.place(name), &format!("is {}", kind_of(raw)), expected);
        serde_json::from_str(raw).map(Some).map_err(wrong)
    }

    /// The decimal text of an amount: the number as it is written, or the content of a text.
    fn amount_text(&self, name: &str, expected: &str) -> Result<Option<String>, Refusal> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        if raw.starts_with('"') {
            return self.typed(name, expected);
        }
        if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Ok(Some(raw.to_owned()));
        }
        Err(Refusal::invalid(self.place(name), &format!("is {}", kind_of(raw)), expected))
    }

    fn parse_amount(&self, name: &str, text: &str, expected: &str) -> Result<Amount, Refusal> {
        Amount::parse(text).map_err(|error: AmountError| {
            let (field, message) = (self.place(name), error.to_string());
            let found = message.strip_prefix("it ").unwrap_or(&message);
            Refusal::of_field(ErrorCode::InvalidAmount, field, found, expected)
        })
    }
}

/// What a JSON value is, for people.
fn kind_of(raw: &str) -> &'static str {
    match raw.bytes().next() {
        Some(b'"') => "a text",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        Some(_) if raw.bytes().all(|b| b.is_ascii_digit()) => "a whole number that is too large",
        Some(_) => "a number of another kind",
        None => "nothing",
    }
}

/// Names the place of what is not JSON. `NaN` and `Infinity`, which JSON does not have but some languages print, name their field.
fn malformed(body: &[u8], error: &serde_json::Error) -> Refusal {
    if let Some(field) = field_of_no_number(body, error) {
        return Refusal::of_field(ErrorCode::InvalidAmount, field, "is not a number", AMOUNT_EXPECTED);
    }
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let message = if error.is_data() {
        format!("the body is not a JSON object with each member once: {what} (line {line}, column {column})")
    } else {
        format!("the body is not JSON: {what} (line {line}, column {column})")
    };
    Refusal::new(ErrorCode::ValidationError, message)
}

fn field_of_no_number(body: &[u8], error: &serde_json::Error) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let line = text.split('\n').nth(error.line().checked_sub(1)?)?;
    let (before, after) = line.split_at_checked(error.column().checked_sub(1)?)?;
    let no_number = ["NaN", "Infinity", "aN", "nfinity"].iter().any(|word| after.starts_with(word));
    let before = before.trim_end_matches(['-', 'N', 'I']).trim_end().strip_suffix(':')?.trim_end().strip_suffix('"')?;
    no_number.then(|| before.rsplit('"').next().unwrap_or_default().to_owned())
}

/// The members of an object, each name once: of two amounts one would be checked and the other paid.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{name}` appears twice")));
            }
            members.insert(name, value);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(json: &str) -> Result<Option<u64>, (ErrorCode, Option<String>)> {
        let outcome = Object::read(json.as_bytes()).and_then(|object| object.positive_amount("amount"));
        outcome.map(|amount| amount.map(Amount::micros)).map_err(|r| (r.code(), r.field().map(str::to_owned)))
    }

    #[test]
    fn amounts_are_read_from_numbers_and_texts_alike() {
        for (value, micros) in [
            ("0.05", 50_000),
            ("\"0.05\"", 50_000),
            ("10", 10_000_000),
            ("10.00", 10_000_000),
            ("5e-2", 50_000),
            ("1E3", 1_000_000_000),
            ("0.000001", 1),
            ("999999999999.999999", 999_999_999_999_999_999),
        ] {
            assert_eq!(amount(&format!(r#"{{"amount":{value}}}"#)), Ok(Some(micros)), "{value}");
        }
        assert_eq!(amount("{}"), Ok(None));
        assert_eq!(amount(r#"{"amount":null}"#), Ok(None));
    }

    #[test]
    fn what_is_no_amount_names_the_field() {
        let invalid = Err((ErrorCode::InvalidAmount, Some("amount".to_owned())));
        for value in [
            "0",
            "-0",
            "0.00",
            "-1",
            "\"-1\"",
            "1e400",
            "0.0000001",
            "\"0.0000001\"",
            "\"abc\"",
            "\"\"",
            "\"NaN\"",
            "\"Infinity\"",
            "NaN",
            "Infinity",
            "-Infinity",
            "123456789012345678901234567890",
            "\"123456789012345678901234567890\"",
            "\" 1\"",
            "\"1,5\"",
            "\"$5\"",
        ] {
            assert_eq!(
                amount(&format!(r#"{{"recipientAddress":"0x", "amount": {value}, "a":1}}"#)),
                invalid,
                "{value}"
            );
        }
    }

    #[test]
    fn another_type_is_no_amount_at_all() {
        for value in ["true", "{}", "[1]"] {
            let expected = Err((ErrorCode::ValidationError, Some("amount".to_owned())));
            assert_eq!(amount(&format!(r#"{{"amount":{value}}}"#)), expected, "{value}");
        }
    }

    #[test]
    fn malformed_bodies_name_the_place() {
        for (body, part) in [
            ("", "empty"),
            ("{\n  \"amount\": }", "line 2, column 13"),
            ("{\"amount\": 1", "line 1, column 12"),
            ("[]", "invalid type: sequence"),
            ("\"x\"", "invalid type: string"),
            ("{\"a\":1,\"a\":2}", "`a` appears twice"),
            ("{\"a\":1} x", "trailing characters"),
            ("\u{feff}{}", "line 1"),
        ] {
            let refusal = Object::read(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code(), ErrorCode::ValidationError);
            assert!(refusal.message().contains(part), "{body}: {}", refusal.message());
        }
        assert!(Object::read(&[b'{', 0xff, b'}']).is_err());
    }

    #[test]
    fn wrong_types_name_field_and_expectation() {
        let body =
            br#"{"t":1,"f":"true","w":1.5,"n":-1,"l":[1],"o":{},"ol":[{"a":1},2],"dup":[{"a":1,"a":2}],"id":"x"}"#;
        let object = Object::read(body).unwrap();
        let fields = [
            object.text("t").map(drop),
            object.flag("f").map(drop),
            object.whole("w", "seconds").map(drop),
            object.whole("n", "seconds").map(drop),
            object.texts("l").map(drop),
            object.objects("o", 9).map(drop),
            object.objects("ol", 9).map(drop),
            object.objects("dup", 9).map(drop),
            object.identifier::<crate::kernel::AgentId>("id").map(drop),
        ]
        .map(|outcome| outcome.unwrap_err().field().unwrap_or_default().to_owned());
        assert_eq!(fields, ["t", "f", "w", "n", "l", "o", "ol[1]", "dup[0]", "id"]);
    }

    #[test]
    fn two_names_of_one_text_must_agree() {
        let check = |body: &str| Object::read(body.as_bytes()).unwrap().text_of(&["a", "b"]).map_err(|_| ());
        assert_eq!(check(r#"{"a":"x"}"#), Ok(Some("x".to_owned())));
        assert_eq!(check(r#"{"b":"x"}"#), Ok(Some("x".to_owned())));
        assert_eq!(check(r#"{"a":"x","b":"x"}"#), Ok(Some("x".to_owned())));
        assert_eq!(check(r#"{"a":"x","b":"y"}"#), Err(()));
        assert_eq!(check("{}"), Ok(None));
    }
}
