//! The OpenAPI document as the tests read it.

use holdfast::server::rest::openapi_document;
use serde_json::Value;

use crate::validate::validate;

/// One method of one path.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) said: Value,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Operation {
    pub(crate) fn parameters(&self, place: &str) -> Vec<&Value> {
        self.said["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == place).collect()
    }

    /// The schema of its body.
    pub(crate) fn body(&self) -> Option<&Value> {
        self.said.pointer("/requestBody/content/application~1json/schema")
    }
}

pub(crate) struct Document {
    pub(crate) whole: Value,
    pub(crate) operations: Vec<Operation>,
}

impl Document {
    pub(crate) fn new() -> Document {
        let whole = serde_json::to_value(openapi_document()).unwrap();
        let mut operations = Vec::new();
        for (path, item) in whole["paths"].as_object().unwrap() {
            for (method, said) in item.as_object().unwrap() {
                operations.push(Operation { method: method.to_uppercase(), path: path.clone(), said: said.clone() });
            }
        }
        Document { whole, operations }
    }

    /// What a reference leads to.
    pub(crate) fn resolved<'d>(&'d self, schema: &'d Value) -> &'d Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.resolved(self.whole.pointer(reference.trim_start_matches('#')).unwrap()),
            None => schema,
        }
    }

    /// The example of an operation's body, or of the first of its shapes.
    pub(crate) fn example(&self, operation: &Operation) -> Option<Value> {
        self.example_of(operation.body()?)
    }

    pub(crate) fn example_of(&self, schema: &Value) -> Option<Value> {
        let schema = self.resolved(schema);
        if let Some(example) = schema.get("example") {
            return Some(example.clone());
        }
        for composed in ["allOf", "oneOf"] {
            let found = schema[composed].as_array().into_iter().flatten().find_map(|part| self.example_of(part));
            if found.is_some() {
                return found;
            }
        }
        schema["examples"].as_array().and_then(|examples| examples.first()).cloned()
    }

    /// Whether the body is a refusal in its one shape.
    pub(crate) fn is_refusal(&self, text: &str) -> Result<(), String> {
        let body = serde_json::from_str(text).map_err(|error| format!("a refusal that is not JSON: {error}"))?;
        validate(self, &self.whole["components"]["schemas"]["RefusalBody"], &body, "")
    }

    /// Whether the operation may answer this.
    pub(crate) fn allows(&self, operation: &Operation, status: u16, kind: &str, text: &str) -> Result<(), String> {
        let responses = &operation.said["responses"];
        let response =
            responses.get(status.to_string()).ok_or_else(|| format!("the document names no answer {status}"))?;
        let content = self.resolved(response)["content"].as_object();
        let Some((described, schema)) = content.and_then(|content| content.iter().next()) else { return Ok(()) };
        if !kind.starts_with(described.as_str()) {
            return Err(format!("the content type is `{kind}`; the document says `{described}`"));
        }
        if described != "application/json" {
            return Ok(());
        }
        let body = serde_json::from_str(text).map_err(|error| format!("an answer that is not JSON: {error}"))?;
        validate(self, &schema["schema"], &body, "")
    }
}
