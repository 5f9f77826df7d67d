//! Values that a schema allows: its example as people would send it, with some of its members made up.

use holdfast::testing::Random;
use serde_json::{Map, Value, json};

use crate::{document::Document, site::Known};

/// What texts are drawn from whose schema says nothing.
const WORDS: [&str; 8] =
    ["a", "api.example.com", "0xA", "mpp_session_xyz", "https://api.example.com/data", "8453", "API_PROVIDER", "Mon"];
const AMOUNTS: [&str; 8] = ["0.05", "1", "10.00", "0.000001", "99.999999", "250", "0", "1000000"];
/// How deep values nest.
const DEPTH_MAX: usize = 8;

/// Makes up values.
pub(crate) struct Generator<'a> {
    pub(crate) document: &'a Document,
    pub(crate) random: &'a mut Random,
    pub(crate) known: &'a Known,
}

impl Generator<'_> {
    /// A value that the schema allows.
    pub(crate) fn value(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        let schema = self.document.resolved(schema).clone();
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let one = self.random.pick(alternatives);
            return self.value(&one, name, depth + 1);
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.random.pick(words);
        }
        if schema.get("allOf").is_some() || schema.get("properties").is_some() {
            return self.object(&schema, depth);
        }
        match kind(&schema) {
            "null" => Value::Null,
            "boolean" => Value::from(self.random.chance(50)),
            "integer" => self.integer(&schema),
            "number" => self.number(),
            "string" => self.text(&schema, name),
            "array" => self.list(&schema, name, depth),
            "object" => json!({}),
            _ => self.anything(),
        }
    }

    /// The example, if there is one, and some more of the members; without one, those that are required and some more.
    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let example = self.document.example_of(schema).and_then(|example| example.as_object().cloned());
        let is_copied = example.is_some() && self.random.chance(80);
        let mut members = if is_copied { example.unwrap_or_default() } else { Map::new() };
        self.members(schema, is_copied, &mut members, depth);
        Value::Object(members)
    }

    fn members(&mut self, schema: &Value, is_copied: bool, members: &mut Map<String, Value>, depth: usize) {
        let schema = self.document.resolved(schema).clone();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.members(part, is_copied, members, depth);
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = required.contains(&Value::from(name.as_str())) && !is_copied;
            if is_required || (depth < DEPTH_MAX && self.random.chance(if is_copied { 8 } else { 25 })) {
                let value = self.value(member, name, depth + 1);
                members.insert(name.clone(), value);
            }
        }
    }

    fn list(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        let count = if depth < DEPTH_MAX { self.random.between(least, least + 3) } else { least };
        (0..count).map(|_| self.value(&schema["items"], name, depth + 1)).collect()
    }

    fn integer(&mut self, schema: &Value) -> Value {
        let low = schema["minimum"].as_f64().unwrap_or(0.0).max(0.0) as u64;
        let high = schema["maximum"].as_f64().map_or(low + 1000, |high| high as u64);
        let among = [low, high, self.random.between(low, high)];
        Value::from(self.random.pick(&among))
    }

    fn number(&mut self) -> Value {
        let written = self.random.pick(&AMOUNTS);
        serde_json::from_str(written).unwrap()
    }

    fn text(&mut self, schema: &Value, name: &str) -> Value {
        if schema["format"] == "date-time" {
            return Value::from("2026-11-20T12:00:00Z");
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            // Alternatives of more than words are shown by an example.
            if let (Some(example), true) = (schema.get("example"), pattern.starts_with("^(") && pattern.contains('[')) {
                return example.clone();
            }
            return Value::from(self.of_pattern(pattern));
        }
        if let (Some(examples), true) = (schema["examples"].as_array(), self.random.chance(50)) {
            return self.random.pick(examples);
        }
        if let (Some(example), true) = (schema.get("example"), self.random.chance(70)) {
            return example.clone();
        }
        let of_name = match name {
            "resourceUrl" => "https://api.example.com/data",
            "serviceDomain" => "api.example.com",
            "recipientAddress" => "0xA",
            "chainId" | "network" => "8453",
            // One name for all sessions, so that what is opened is also used and closed.
            "sessionId" => "mpp_session_xyz",
            _ => "",
        };
        Value::from(if of_name.is_empty() { self.random.pick(&WORDS) } else { of_name })
    }

    /// `^(a|b)$`, `^prefix_[0-9a-f]{32}$` of something that exists or does not, or an amount.
    fn of_pattern(&mut self, pattern: &str) -> String {
        let inner = pattern.trim_start_matches('^').trim_end_matches('$');
        if let Some(words) = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
            let words: Vec<&str> = words.split('|').collect();
            return self.random.pick(&words).to_owned();
        }
        match inner.split_once("[0-9a-f]{") {
            Some((prefix, digits)) => {
                let known = self.known.of(prefix);
                if !known.is_empty() && self.random.chance(85) {
                    return self.random.pick(known);
                }
                let digits: usize = digits.trim_end_matches('}').parse().unwrap();
                let random = u128::from(self.random.bits());
                format!("{prefix}{:0digits$x}", random & ((1 << (4 * digits.min(31))) - 1))
            }
            None => self.random.pick(&AMOUNTS).to_owned(),
        }
    }

    fn anything(&mut self) -> Value {
        let values = [json!("200"), json!(5), json!({ "amount": 100, "period": "DAILY" }), json!(["0xA"]), json!("")];
        self.random.pick(&values)
    }
}

/// The first type that is not `null`.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(one) => one,
        Value::Array(many) => many.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ => "",
    }
}
