//! The table of tools: which operation each is, and what it is for.

use serde_json::{Map, Value, json};

/// A tool: an operation of the REST façade for language models.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) method: &'static str,
    /// As in the OpenAPI document, but for `{protocol}`, which stands for each rail.
    pub(super) path: &'static str,
    /// Arguments with another name than the parameter that they are.
    pub(super) renamed: &'static [(&'static str, &'static str)],
    /// Whether a call changes anything.
    pub(super) reads_only: bool,
}

/// The argument that chooses the rail, and its values; the first is the default.
pub(super) const PROTOCOL: &str = "protocol";
pub(super) const PROTOCOLS: [&str; 2] = ["x402", "mpp"];
/// The argument with which keys of platforms and operators say for which agent they ask.
pub(super) const AGENT: &str = "agentId";

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "pre_authorize_payment",
        title: "Ask whether a payment may happen",
        description: "Call this before every payment. If `authorized` is true the money is held: pay before `expiresAt`, then call record_payment \
            with the `authorizationId`. If it is false, do not pay; `violations` says which limits stand against it.",
        method: "post",
        path: "/api/sdk/{protocol}/pre-authorize",
        renamed: &[],
        reads_only: false,
    },
    Tool {
        name: "record_payment",
        title: "Report a payment that was made",
        description: "Call this after a payment has settled, with its amount, recipient, transaction hash and `authorizationId`. Reporting the same \
            payment twice counts it once.",
        method: "post",
        path: "/api/sdk/{protocol}/record",
        renamed: &[],
        reads_only: false,
    },
    Tool {
        name: "request_payment",
        title: "Ask whether a transfer may happen",
        description: "Call this before a payment that is neither x402 nor MPP. If `approved` is true the money is held: call execute_payment with the \
            `requestId`, and pay. If `status` is REQUIRES_APPROVAL, people are asked: ask again with the same `idempotencyKey` to learn what they decided.",
        method: "post",
        path: "/api/sdk/payments/request",
        renamed: &[],
        reads_only: false,
    },
    Tool {
        name: "execute_payment",
        title: "Take an approved transfer for paid",
        description: "Call this right before you make a payment that request_payment has approved. Pay only if it answers EXECUTED, and exactly that amount.",
        method: "post",
        path: "/api/sdk/payments/{id}/execute",
        renamed: &[("requestId", "id")],
        reads_only: false,
    },
    Tool {
        name: "approve_external_payment",
        title: "Ask whether a transfer from an own wallet may happen",
        description: "Call this before a payment from a wallet that you hold the keys of. If `approved` is true, pay before `expiresAt`, then call \
            confirm_external_payment with the `approvalId` and the `approvalToken`.",
        method: "post",
        path: "/api/sdk/payments/approve",
        renamed: &[],
        reads_only: false,
    },
    Tool {
        name: "confirm_external_payment",
        title: "Report a transfer from an own wallet",
        description: "Call this after a payment that approve_external_payment has approved, with its transaction hash. Confirming it twice counts it once.",
        method: "post",
        path: "/api/sdk/payments/{id}/confirm",
        renamed: &[("approvalId", "id")],
        reads_only: false,
    },
    Tool {
        name: "approve_card_payment",
        title: "Ask whether a card may be charged",
        description: "Call this before paying by card. If `approved` is true the money is held: pay before `expiresAt`, then call confirm_card_payment with \
            the `requestId`. Name the merchant and its category code, since policies may ask for them.",
        method: "post",
        path: "/api/sdk/cards/approve",
        renamed: &[],
        reads_only: false,
    },
    Tool {
        name: "confirm_card_payment",
        title: "Report whether a card was charged",
        description: "Call this after paying by card, with what was really charged. A card that was not charged releases its money.",
        method: "post",
        path: "/api/sdk/cards/{id}/confirm",
        renamed: &[("requestId", "id")],
        reads_only: false,
    },
    Tool {
        name: "request_budget",
        title: "Ask a person for a budget",
        description: "Submits a request for a spending budget, which a person approves, lowers or rejects. One request at a time: while one is pending or \
            approved, another is refused with BUDGET_REQUEST_EXISTS. Poll get_budget_request for the decision.",
        method: "post",
        path: "/api/sdk/budget-requests",
        renamed: &[],
        reads_only: false,
    },
    Tool {
        name: "get_budget_request",
        title: "See what became of a budget request",
        description: "Shows your budget requests, newest first, with their status (PENDING, APPROVED, REJECTED, EXPIRED, EXHAUSTED) and what is left.",
        method: "get",
        path: "/api/sdk/budget-requests",
        renamed: &[("budgetRequestId", "id")],
        reads_only: true,
    },
    Tool {
        name: "get_budget",
        title: "See what may still be spent",
        description: "Shows each limit, what of it is used and what is left, and how fast money is spent.",
        method: "get",
        path: "/api/sdk/{protocol}/budget",
        renamed: &[],
        reads_only: true,
    },
    Tool {
        name: "check_payment_status",
        title: "Look up a payment",
        description: "Shows whether an authorized payment is still held, captured, voided or expired, and its amounts.",
        method: "get",
        path: "/api/sdk/authorizations/{id}",
        renamed: &[("authorizationId", "id")],
        reads_only: true,
    },
    Tool {
        name: "list_services",
        title: "See where money was spent",
        description: "Lists the services that were paid, with the total and the number of calls of each.",
        method: "get",
        path: "/api/sdk/{protocol}/services",
        renamed: &[],
        reads_only: true,
    },
    Tool {
        name: "simulate_policy",
        title: "See what would be decided",
        description: "Says what would be decided about one payment or many, under the policies in force, a stored policy or a draft, and why. \
            Holds no money and changes nothing.",
        method: "post",
        path: "/api/policies/simulate",
        renamed: &[],
        reads_only: true,
    },
];

impl Tool {
    /// The tool that is called `name`.
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Option<&'static Tool> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    /// The argument's name for a parameter of the operation.
    pub(super) fn argument_of<'a>(&self, parameter: &'a str) -> &'a str {
        self.renamed.iter().find(|(_, known)| *known == parameter).map_or(parameter, |(argument, _)| argument)
    }

    /// The parameters of the operation that stand in its query.
    pub(super) fn query(&self, document: &Value) -> Vec<String> {
        let parameters = self.operation(document)["parameters"].as_array().cloned().unwrap_or_default();
        let in_query = parameters.iter().filter(|one| one["in"] == "query");
        in_query.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    }

    /// What the document says of the operation.
    fn operation<'d>(&self, document: &'d Value) -> &'d Value {
        let path = self.path.replace("{protocol}", PROTOCOLS[0]);
        &document["paths"][path][self.method]
    }

    /// The schema of the arguments: those of the operation, flat, since some models read nothing else.
    pub(super) fn schema(&self, document: &Value) -> Map<String, Value> {
        let operation = self.operation(document);
        let mut shape = Shape::default();
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        shape.take(document, &first_of(&resolved(document, body)));
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] != "header") {
            let name = self.argument_of(parameter["name"].as_str().unwrap_or_default());
            let mut schema = resolved(document, &parameter["schema"]);
            if let (Some(members), Some(description)) = (schema.as_object_mut(), parameter.get("description")) {
                members.insert("description".to_owned(), description.clone());
            }
            shape.add(name, schema, parameter["required"] == true);
        }
        if self.path.contains("{protocol}") {
            let rails =
                json!({"type": "string", "enum": PROTOCOLS, "default": PROTOCOLS[0], "description": "How it is paid."});
            shape.add(PROTOCOL, rails, false);
        }
        if self.path.starts_with("/api/sdk/") {
            let agent = json!({"type": "string", "description": "The agent to act for, with a key that acts for several; else leave it out."});
            shape.add(AGENT, agent, false);
        }
        shape.finish()
    }
}

/// The members of an object's schema, gathered.
#[derive(Default)]
struct Shape {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Shape {
    fn add(&mut self, name: &str, schema: Value, required: bool) {
        self.properties.insert(name.to_owned(), schema);
        if required {
            self.required.push(Value::from(name));
        }
    }

    /// Takes over the members of an object and of what it is composed of.
    fn take(&mut self, document: &Value, schema: &Value) {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.take(document, &resolved(document, part));
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            self.add(name, resolved(document, member), required.contains(&Value::from(name.as_str())));
        }
    }

    fn finish(self) -> Map<String, Value> {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), Value::from("object"));
        schema.insert("properties".to_owned(), Value::from(self.properties));
        schema.insert("required".to_owned(), Value::from(self.required));
        schema
    }
}

/// Of several shapes of a body, the first is the simple one.
fn first_of(schema: &Value) -> Value {
    schema["oneOf"].as_array().and_then(|shapes| shapes.first()).unwrap_or(schema).clone()
}

/// The schema with every reference in it replaced by what it leads to, and without the alternative that it is left out.
fn resolved(document: &Value, schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let target = document.pointer(reference.trim_start_matches('#')).cloned().unwrap_or_default();
                return with_description(resolved(document, &target), members.get("description"));
            }
            if members.contains_key("allOf") {
                let mut shape = Shape::default();
                shape.take(document, schema);
                return with_description(Value::from(shape.finish()), members.get("description"));
            }
            if let Some(known) = nullable(members) {
                return with_description(resolved(document, known), members.get("description"));
            }
            let own =
                members.iter().map(|(name, member)| (name.clone(), without_null(name, resolved(document, member))));
            Value::Object(own.collect())
        }
        Value::Array(items) => items.iter().map(|item| resolved(document, item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

fn with_description(mut schema: Value, description: Option<&Value>) -> Value {
    if let (Some(members), Some(description)) = (schema.as_object_mut(), description) {
        members.insert("description".to_owned(), description.clone());
    }
    schema
}

/// The other alternative of `oneOf: [something, null]`.
fn nullable(members: &Map<String, Value>) -> Option<&Value> {
    let alternatives = members.get("oneOf")?.as_array()?;
    let (nulls, others): (Vec<&Value>, Vec<&Value>) = alternatives.iter().partition(|one| one["type"] == "null");
    match (nulls.as_slice(), others.as_slice()) {
        ([_], [other]) => Some(other),
        _ => None,
    }
}

/// `type: [something, null]` as `type: something`.
fn without_null(name: &str, member: Value) -> Value {
    match member.as_array().map(Vec::as_slice) {
        Some([known, Value::String(null)]) if name == "type" && null == "null" => known.clone(),
        _ => member,
    }
}

#[cfg(test)]
mod tests {
    use crate::server::rest::openapi_document;

    use super::*;

    fn document() -> Value {
        serde_json::to_value(openapi_document()).unwrap()
    }

    #[test]
    fn every_tool_is_an_operation_with_a_plain_schema() {
        let document = document();
        for tool in TOOLS {
            let operation = tool.operation(&document);
            assert!(operation["operationId"].is_string(), "{}: {} {} is not served", tool.name, tool.method, tool.path);
            let schema = tool.schema(&document);
            assert_eq!(schema["type"], "object", "{}", tool.name);
            let text = Value::from(schema.clone()).to_string();
            for none in ["$ref", "allOf", "\"null\""] {
                assert!(!text.contains(none), "{}: `{none}` in {text}", tool.name);
            }
            for (argument, _) in tool.renamed {
                assert!(schema["properties"][argument].is_object(), "{}: {argument}", tool.name);
            }
        }
    }

    #[test]
    fn arguments_are_described_as_in_the_document() {
        let document = document();
        let schema = Tool::named("pre_authorize_payment").unwrap().schema(&document);
        assert_eq!(schema["required"], json!([]), "a challenge says as much as its parts");
        assert_eq!(schema["properties"]["protocol"]["enum"], json!(["x402", "mpp"]));
        assert!(schema["properties"]["amount"]["description"].as_str().unwrap().contains("Above zero"));
        assert_eq!(schema["properties"]["category"]["type"], "string");
        let schema = Tool::named("check_payment_status").unwrap().schema(&document);
        assert_eq!(schema["required"], json!(["authorizationId"]));
        assert!(Tool::named("no_such_tool").is_none());
    }
}
