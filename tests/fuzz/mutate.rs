//! What is done to a good body to make it a bad one.

use holdfast::testing::Random;
use serde_json::Value;

use crate::odd::{BODIES, RAW, TEXTS, VALUES};

/// How large a text may get that is very large.
const LARGE: usize = 20_000;
/// More than the gateway reads.
const TOO_LARGE: usize = (1 << 20) + 1;
/// Deeper than anybody nests.
const DEEP: usize = 5_000;

/// The bytes of a body that something is wrong with.
pub(crate) fn mutated(random: &mut Random, body: Value) -> Vec<u8> {
    match random.below(100) {
        0..=69 => written(&changed(random, body)),
        70..=84 => random.pick(&BODIES).to_vec(),
        85..=91 => {
            let mut bytes = written(&body);
            bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
            bytes
        }
        92..=94 => format!("{{\"a\":{}", "[".repeat(DEEP)).into_bytes(),
        95..=97 => {
            let mut bytes = written(&body);
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << random.below(8);
            bytes
        }
        _ => format!("{{\"a\":\"{}\"}}", "x".repeat(TOO_LARGE)).into_bytes(),
    }
}

/// One or a few members are of another kind, gone, or new.
fn changed(random: &mut Random, mut body: Value) -> Value {
    for _ in 0..random.between(1, 3) {
        change(random, &mut body);
    }
    body
}

fn change(random: &mut Random, value: &mut Value) {
    match value {
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            if names.is_empty() || random.chance(10) {
                members.insert(random.pick(&TEXTS).to_owned(), odd(random));
                return;
            }
            let name = random.pick(&names);
            match random.below(10) {
                0 | 1 => {
                    members.remove(&name);
                }
                2..=4 if members[&name].is_object() || members[&name].is_array() => change(random, &mut members[&name]),
                _ => {
                    members.insert(name, odd(random));
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let place = random.below(items.len() as u64) as usize;
            change(random, &mut items[place]);
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => *value = odd(random),
    }
}

fn odd(random: &mut Random) -> Value {
    match random.below(10) {
        0..=5 => Value::from(format!("{RAW}{}", random.pick(&VALUES))),
        6..=8 => Value::from(random.pick(&TEXTS)),
        _ => Value::from("é".repeat(random.below(LARGE as u64) as usize)),
    }
}

/// The JSON of a value, with what is raw in it as it is.
pub(crate) fn written(value: &Value) -> Vec<u8> {
    let mut text = String::new();
    write(value, &mut text);
    text.into_bytes()
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            text.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write(item, text);
            }
            text.push(']');
        }
        Value::String(raw) if raw.starts_with(RAW) => text.push_str(&raw[RAW.len()..]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}
