//! One text for one JSON value: names sorted, no blanks, numbers as they were written. What is hashed is this text.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The canonical text of a JSON value; nothing for what is no JSON, and for an object that has a name twice: two readers could take it for
/// two different objects.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len());
    write(value, &mut out)?;
    Some(out)
}

/// The members of an object by name, each as it was written.
pub(super) fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

fn write(value: &RawValue, out: &mut String) -> Option<()> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'{' => {
            out.push('{');
            for (place, (name, member)) in members(text)?.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                out.push_str(&serde_json::to_string(&name).ok()?);
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
        b'[' => {
            out.push('[');
            for (place, element) in serde_json::from_str::<Vec<&RawValue>>(text).ok()?.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                write(element, out)?;
            }
            out.push(']');
        }
        b'"' => out.push_str(&serde_json::to_string(&serde_json::from_str::<String>(text).ok()?).ok()?),
        _ => out.push_str(text),
    }
    Some(())
}

struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text() {
        for (text, expected) in [
            (
                r#" { "b" : 1.50 , "a" : [ true , null , { "d" : "x" , "c" : 0.05 } ] } "#,
                r#"{"a":[true,null,{"c":0.05,"d":"x"}],"b":1.50}"#,
            ),
            (r#""\u0041\/""#, r#""A/""#),
            ("100000000000000001.000001", "100000000000000001.000001"),
            ("{}", "{}"),
            ("[]", "[]"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
            assert_eq!(canonical(expected).as_deref(), Some(expected), "{text}");
        }
        for bad in ["", "{", r#"{"a":1,"a":2}"#, r#"{"b":{"a":1,"\u0061":2}}"#, "1 2", "nul"] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
    }
}
