//! From a tool's arguments to the request that it is.

use serde_json::{Map, Value};

use crate::wire::json::Refusal;

use super::tool::{AGENT, PROTOCOL, PROTOCOLS, Tool};

/// From here on a number that is no whole one may have lost digits when it was read, since it came as a floating point number: a double
/// has 53 bits, and a millionth must still be told from the next one.
const EXACT_BELOW: f64 = 8_589_934_592.0;

/// A request to the REST façade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// In capitals.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Absent for requests that have none.
    pub body: Option<String>,
}

impl Call {
    /// What calling `tool` with `arguments` asks; `query` names the parameters that stand in the query.
    ///
    /// # Errors
    /// A [`Refusal`] that names the argument.
    pub(super) fn of(tool: &Tool, query: &[String], arguments: Map<String, Value>) -> Result<Call, Refusal> {
        exact("", &Value::from(arguments.clone()))?;
        let mut arguments = arguments;
        let mut path = path(tool, &mut arguments)?;
        let in_query = query.iter().map(String::as_str).chain(std::iter::once(AGENT));
        let mut separator = '?';
        for parameter in in_query {
            let argument = tool.argument_of(parameter);
            if let Some(text) = text(argument, arguments.remove(argument))? {
                path.push(separator);
                path.push_str(parameter);
                path.push('=');
                path.push_str(&escaped(&text));
                separator = '&';
            }
        }
        let body = (tool.method != "get").then(|| Value::from(arguments).to_string());
        Ok(Call { method: tool.method.to_uppercase(), path, body })
    }
}

/// The path with its parameters, which are taken out of the arguments.
fn path(tool: &Tool, arguments: &mut Map<String, Value>) -> Result<String, Refusal> {
    let mut path = String::new();
    let mut rest = tool.path;
    while let Some((before, (parameter, after))) =
        rest.split_once('{').and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        path.push_str(before);
        let argument = tool.argument_of(parameter);
        let value = text(argument, arguments.remove(argument))?;
        if parameter == PROTOCOL {
            path.push_str(rail(value.as_deref())?);
        } else {
            let value = value.ok_or_else(|| Refusal::invalid(argument, "is missing", "the id of the thing"))?;
            path.push_str(&escaped(&value));
        }
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

fn rail(word: Option<&str>) -> Result<&'static str, Refusal> {
    let Some(word) = word else { return Ok(PROTOCOLS[0]) };
    let known = PROTOCOLS.into_iter().find(|known| *known == word);
    known.ok_or_else(|| Refusal::invalid(PROTOCOL, "is not known", "`x402` or `mpp`"))
}

/// The text of an argument that stands in a path or a query.
fn text(argument: &str, value: Option<Value>) -> Result<Option<String>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Array(_)) => Err(Refusal::invalid(argument, "is a list", "a text")),
        Some(Value::Object(_)) => Err(Refusal::invalid(argument, "is an object", "a text")),
    }
}

/// Everything but letters, digits and a few signs as `%` and two digits.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Refuses numbers that may not be those that were written.
fn exact(place: &str, value: &Value) -> Result<(), Refusal> {
    let inner = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match value {
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_none_or(|number| number.abs() >= EXACT_BELOW) =>
        {
            Err(Refusal::invalid(
                place,
                "is a number with too many digits to be read exactly",
                "the same as a decimal text",
            ))
        }
        Value::Object(members) => members.iter().try_for_each(|(name, member)| exact(&inner(name), member)),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| exact(&format!("{place}[{index}]"), item))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{kernel::Amount, wire::json::Object};

    use super::*;

    fn call(tool: &str, arguments: Value) -> Result<Call, Refusal> {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        Call::of(Tool::named(tool).unwrap(), &["sessionId".to_owned()], arguments)
    }

    #[test]
    fn arguments_go_where_the_operation_has_them() {
        for (tool, arguments, path, body) in [
            ("get_budget", json!({}), "/api/sdk/x402/budget", None),
            (
                "get_budget",
                json!({"protocol": "mpp", "sessionId": "a b&c"}),
                "/api/sdk/mpp/budget?sessionId=a%20b%26c",
                None,
            ),
            (
                "get_budget",
                json!({"agentId": "agt_1", "sessionId": "s"}),
                "/api/sdk/x402/budget?sessionId=s&agentId=agt_1",
                None,
            ),
            ("check_payment_status", json!({"authorizationId": "../x"}), "/api/sdk/authorizations/..%2Fx", None),
            (
                "pre_authorize_payment",
                json!({"protocol": "mpp", "amount": 1, "agentId": ""}),
                "/api/sdk/mpp/pre-authorize",
                Some(r#"{"amount":1}"#),
            ),
        ] {
            let call = call(tool, arguments).unwrap();
            assert_eq!((call.path.as_str(), call.body.as_deref()), (path, body));
        }
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (tool, arguments, field) in [
            ("get_budget", json!({"protocol": "cash"}), "protocol"),
            ("get_budget", json!({"sessionId": [1]}), "sessionId"),
            ("check_payment_status", json!({}), "authorizationId"),
            ("pre_authorize_payment", json!({"amount": 1e30}), "amount"),
            ("pre_authorize_payment", json!({"splits": [{"amount": 8_589_934_592.5}]}), "splits[0].amount"),
        ] {
            assert_eq!(call(tool, arguments).unwrap_err().field(), Some(field));
        }
    }

    #[test]
    fn a_number_is_passed_on_as_it_was_written_or_not_at_all() {
        for written in ["0.05", "8589934591.999999", "0.000001", "123456789012", "0.1"] {
            let arguments = serde_json::from_str(&format!(r#"{{"amount":{written}}}"#)).unwrap();
            let body = call("pre_authorize_payment", arguments).unwrap().body.unwrap();
            let read = Object::read(body.as_bytes()).unwrap().amount("amount").unwrap();
            assert_eq!(read, Some(Amount::parse(written).unwrap()), "{body}");
        }
    }
}
