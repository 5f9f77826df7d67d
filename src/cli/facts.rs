//! What the asker knows of a payment, as it is typed: `--fact category=CLOUD`. Names and values are those of the REST interface.

use serde_json::{Map, Value};

use super::{CliError, exit::USAGE};
use crate::wire::json::{FactsBody, Object};

/// The names that can be typed. What has parts, such as who else gets a part of a payment, cannot.
const NAMES: [&str; 16] = [
    "category",
    "country",
    "trustScore",
    "fairscaleScore",
    "counterpartyStatus",
    "targetContractAddress",
    "contractProtocol",
    "functionSelector",
    "method",
    "sessionIntent",
    "merchantCategory",
    "merchantName",
    "merchantId",
    "purpose",
    "chainId",
    "validBefore",
];

/// One fact as it is typed: a name, and what it is.
pub(super) fn parse(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as category=CLOUD")?;
    if !NAMES.contains(&name) {
        return Err(format!("`{name}` is not a fact; there are {}", NAMES.join(", ")));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The facts that were typed.
///
/// # Errors
/// [`CliError`] for one that is typed twice, or is no such fact.
pub(super) fn read(typed: &[(String, String)]) -> Result<FactsBody, CliError> {
    let mut members = Map::new();
    for (name, value) in typed {
        if members.insert(name.clone(), Value::from(value.as_str())).is_some() {
            return Err(CliError::new(format!("`--fact {name}` is there twice")).exit(USAGE));
        }
    }
    let text = Value::from(members).to_string();
    let read = Object::read(text.as_bytes()).and_then(|object| FactsBody::read(&object));
    read.map_err(|refusal| CliError::new(refusal.message()).exit(USAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(facts: &[&str]) -> Vec<(String, String)> {
        facts.iter().map(|fact| parse(fact).unwrap()).collect()
    }

    #[test]
    fn every_fact_can_be_typed() {
        let values = |name: &str| match name {
            "country" => "de",
            "trustScore" | "fairscaleScore" => "0.5",
            "merchantCategory" => "5411",
            "validBefore" => "2026-12-31T12:00:00Z",
            _ => "A=1",
        };
        let all: Vec<String> = NAMES.iter().map(|name| format!("{name}={}", values(name))).collect();
        let body = read(&typed(&all.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        let facts = body.facts().unwrap();
        assert_eq!((facts.category, facts.country, facts.merchant_category_code), ("A=1", "DE", "5411"));
        assert_eq!((facts.trust_score, facts.fairscale_score), (Some(5000), Some(50)));
        for text in [facts.contract, facts.contract_protocol, facts.function, facts.session_intent, facts.merchant] {
            assert_eq!(text, "A=1");
        }
        assert!(facts.valid_before.is_some() && facts.chain == "A=1" && facts.purpose == "A=1");
        assert_eq!(read(&[]).unwrap().facts(), None);
    }

    #[test]
    fn what_is_no_fact_is_refused() {
        assert!(parse("category").unwrap_err().contains("NAME=VALUE"));
        assert!(parse("categry=CLOUD").unwrap_err().contains("there are category, country"));
        assert!(read(&typed(&["category=A", "category=B"])).unwrap_err().to_string().contains("there twice"));
        assert!(read(&typed(&["trustScore=much"])).unwrap_err().to_string().contains("trustScore"));
    }
}
