//! Whether a value is as its schema says, and says nothing that the schema does not know.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::Document;

/// Checks `value`, which stands at `place`, against `schema`.
pub(crate) fn validate(document: &Document, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let schema = document.resolved(schema);
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let failures: Vec<String> =
            alternatives.iter().filter_map(|one| validate(document, one, value, place).err()).collect();
        return if failures.len() < alternatives.len() { Ok(()) } else { Err(failures.join("; or ")) };
    }
    types(schema, value, place)?;
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        return Err(format!("`{place}` is {value}, which is none of those described"));
    }
    if let (Some(minimum), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < minimum
    {
        return Err(format!("`{place}` is {number}, below {minimum}"));
    }
    match value {
        Value::Object(_) => members(document, schema, value, place),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| validate(document, &schema["items"], item, &format!("{place}[{index}]"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn types(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if types.iter().any(is) { Ok(()) } else { Err(format!("`{place}` is {value}; the document says {types:?}")) }
}

fn members(document: &Document, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let mut described = BTreeMap::new();
    let mut required = Vec::new();
    let mut is_open = false;
    gather(document, schema, true, &mut described, &mut required, &mut is_open);
    for name in required {
        if value.get(&name).is_none() {
            return Err(format!("`{place}.{name}` is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match described.get(name) {
            Some(schema) => validate(document, schema, member, &format!("{place}.{name}"))?,
            None if described.is_empty() || is_open => {}
            None => return Err(format!("`{place}.{name}` is not described")),
        }
    }
    Ok(())
}

/// The members of an object and of everything that it is composed of.
fn gather<'d>(
    document: &'d Document,
    schema: &'d Value,
    certain: bool,
    described: &mut BTreeMap<String, &'d Value>,
    required: &mut Vec<String>,
    is_open: &mut bool,
) {
    let schema = document.resolved(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, certain, described, required, is_open);
    }
    for part in schema["oneOf"].as_array().into_iter().flatten() {
        gather(document, part, false, described, required, is_open);
    }
    *is_open |= schema.get("additionalProperties").is_some();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        described.insert(name.clone(), member);
    }
    if certain {
        required.extend(
            schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)),
        );
    }
}
