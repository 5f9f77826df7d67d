//! Exact JSON: what a gateway answers is looked into without reading its numbers, so that money is printed as it was sent.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON value that keeps its text.
#[derive(Clone, Debug)]
pub(super) struct Json(Box<RawValue>);

impl Json {
    pub(super) fn parse(text: &str) -> Option<Json> {
        serde_json::from_str(text).ok().map(Json)
    }

    /// The value at a path of field names separated by points.
    pub(super) fn at(&self, path: &str) -> Option<Json> {
        path.split('.').try_fold(self.clone(), |value, name| {
            let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(value.0.get()).ok()?;
            fields.remove(name).map(Json)
        })
    }

    /// The elements of an array; none of anything else.
    pub(super) fn items(&self) -> Vec<Json> {
        serde_json::from_str::<Vec<Box<RawValue>>>(self.0.get()).unwrap_or_default().into_iter().map(Json).collect()
    }

    /// For people: texts without quotes, nothing for null, lists with commas, numbers as they were sent.
    pub(super) fn text(&self) -> String {
        let raw = self.0.get();
        if raw.starts_with('[') {
            return self.items().iter().map(Json::text).collect::<Vec<_>>().join(", ");
        }
        if raw == "null" {
            return String::new();
        }
        serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned())
    }

    /// The text at a path, empty where there is none.
    pub(super) fn text_at(&self, path: &str) -> String {
        self.at(path).map(|value| value.text()).unwrap_or_default()
    }

    /// As it was sent.
    pub(super) fn raw(&self) -> &str {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text() {
        let json = Json::parse(r#"{"wallet":{"balance":500.00,"id":"wal_123"},"tags":["a","b"],"none":null}"#).unwrap();
        assert_eq!(json.text_at("wallet.balance"), "500.00");
        assert_eq!(json.text_at("wallet.id"), "wal_123");
        assert_eq!(json.text_at("tags"), "a, b");
        assert_eq!(json.text_at("none"), "");
        assert_eq!(json.text_at("wallet.missing"), "");
        assert!(Json::parse("{").is_none());
    }
}
