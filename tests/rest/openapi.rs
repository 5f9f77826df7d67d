//! The description of the façade: it says what is served and nothing else, it is the one in the repository, its scopes are those that are
//! enforced, and its page needs nothing from elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use axum::Router;
use holdfast::server::{identity::Scope, rest::openapi_document};
use serde_json::Value;

use crate::gateway::Gateway;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// What no OpenAPI document describes: pages for people, and another protocol.
const PAGES: [&str; 4] = ["/api/docs", "/api/docs/", "/api/docs/{*file}", "/mcp"];

fn document() -> Value {
    serde_json::to_value(openapi_document()).unwrap()
}

/// Every operation of the document: path, method, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(|(method, operation)| (path.clone(), method, operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// The paths that a router serves, from what it prints of itself: axum has no other list. The root is in it for the answer to unknown paths.
fn served(router: &Router) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    let quoted = printed.split('"').skip(1).step_by(2);
    quoted
        .filter(|text| text.starts_with('/') && text.len() > 1 && !text.contains("__private"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(text.lines()).position(|(written, is)| written != is);
    assert!(
        written == text,
        "docs/openapi.json is not up to date from line {}; run `UPDATE=1 cargo test --test rest openapi` and commit it",
        differs.unwrap_or_else(|| written.lines().count()) + 1
    );
}

/// The types of the source that are schemas, each with its file.
fn schema_types(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            schema_types(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut derives = false;
        for line in text.lines() {
            derives |= line.starts_with("#[derive(") && line.contains("ToSchema");
            let named = ["struct ", "enum "].iter().find_map(|word| line.split_once(word));
            if let (true, Some((_, rest))) = (derives && !line.starts_with('#') && !line.starts_with("//"), named) {
                let name = rest.chars().take_while(|letter| letter.is_alphanumeric()).collect();
                found.push((name, path.display().to_string()));
                derives = false;
            }
        }
    }
}

#[test]
fn no_two_types_are_one_schema() {
    let mut found = Vec::new();
    schema_types(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 100, "the types are not found: {found:?}");
    found.sort();
    for pair in found.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "the document has one schema of this name: {pair:?}");
    }
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_served() {
    let gateway = Gateway::new();
    let served = served(&gateway.router);
    let document = document();
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, _) in operations(&document) {
        described.entry(path).or_default().insert(method);
    }
    let pages = PAGES.map(str::to_owned);
    let expected: BTreeSet<String> = described.keys().cloned().chain(pages).collect();
    assert_eq!(served, expected, "paths that are served, and paths that are described");
    for (path, methods) in &described {
        let concrete = path.replace(['{', '}'], "");
        for method in METHODS {
            let answer = gateway.send(&method.to_uppercase(), &concrete, &[], "").await;
            let is_served = answer.status.as_u16() != 405;
            assert_eq!(is_served, methods.contains(method), "{method} {path}: {}", answer.status);
        }
    }
}

#[test]
fn every_operation_says_what_it_is_takes_and_answers() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}: its id is not its own");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 5), "{place}: no summary");
        assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{place}: a tag that is not explained");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let described = parameters.iter().any(|one| one["name"] == name && one["in"] == "path");
            assert!(described, "{place}: `{name}` is not described");
        }
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{place}: no success");
        if let Some(body) = operation.get("requestBody") {
            let schema = &body["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{place}: its body is not described");
        }
    }
}

/// Whoever writes a request finds every member of it explained.
#[test]
fn every_member_that_is_read_is_explained() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("Request")) {
        let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for (member, said) in parts.iter().filter_map(|part| part["properties"].as_object()).flatten() {
            let own = said["description"].as_str().or(said["oneOf"][0]["description"].as_str());
            assert!(own.is_some(), "`{member}` of {name} is not explained");
        }
    }
}

/// Every reference leads somewhere, so that generators of clients do not stumble.
#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_scopes_of_the_document_are_those_that_are_enforced() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let mut without = BTreeMap::new();
    let mut only = BTreeMap::new();
    let document = document();
    for (path, method, operation) in operations(&document) {
        let Some(security) = operation.get("security") else { continue };
        let scope =
            security[0]["key"][0].as_str().unwrap_or_else(|| panic!("{method} {path} names no scope")).to_owned();
        if !only.contains_key(&scope) {
            let others: Vec<&str> = Scope::ALL.iter().map(|one| one.word()).filter(|word| *word != scope).collect();
            without.insert(scope.clone(), key_with(&gateway, &others).await);
            only.insert(scope.clone(), key_with(&gateway, &[scope.as_str()]).await);
        }
        let path = if path.starts_with("/api/agents/") { path.replace("{id}", &agent.id) } else { path };
        let concrete = with_ids(&document, path.clone(), &operation);
        let forbidden = ask(&gateway, &method, &concrete, &agent.id, &without[&scope]).await;
        assert_eq!(forbidden, Some("INSUFFICIENT_SCOPE".to_owned()), "{method} {path} without `{scope}`");
        let allowed = ask(&gateway, &method, &concrete, &agent.id, &only[&scope]).await;
        assert_ne!(allowed, Some("INSUFFICIENT_SCOPE".to_owned()), "{method} {path} with `{scope}` alone");
    }
}

async fn key_with(gateway: &Gateway, scopes: &[&str]) -> String {
    let body = serde_json::json!({"name": "of the document", "type": "operator", "scopes": scopes}).to_string();
    gateway.post("/api/api-keys", &gateway.operator, &body).await.expect(201).text("key")
}

/// The path with an id of the right kind, which nothing has, wherever one belongs.
fn with_ids(document: &Value, path: String, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.filter(|one| one["in"] == "path").fold(path, |path, parameter| {
        let schema = &parameter["schema"];
        let schema =
            schema["$ref"].as_str().map_or(schema, |name| document.pointer(name.trim_start_matches('#')).unwrap());
        let of_kind = schema["pattern"].as_str().and_then(|pattern| pattern.strip_prefix('^')?.split_once("[0-9a-f]{"));
        let id = of_kind.map_or("wal_9".to_owned(), |(prefix, digits)| {
            let digits: usize = digits.trim_end_matches("}$").parse().unwrap();
            format!("{prefix}{:0digits$x}", 9)
        });
        path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &id)
    })
}

/// The code of the refusal, if it is one. Ids in the path are none of ours, so what is allowed is refused for them or for its empty body.
async fn ask(gateway: &Gateway, method: &str, path: &str, agent: &str, key: &str) -> Option<String> {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    if path.starts_with("/api/sdk/") {
        headers.push(("x-holdfast-agent", agent));
    }
    let answer = gateway.send(&method.to_uppercase(), path, &headers, "{}").await;
    serde_json::from_str::<Value>(&answer.text).ok()?["error"]["code"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn the_document_is_served_to_anybody_under_both_names() {
    let gateway = Gateway::new();
    for path in ["/api/openapi.json", "/api/openapi"] {
        let answer = gateway.send("GET", path, &[], "").await.expect(200);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.json(), document());
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let gateway = Gateway::new();
    let moved = gateway.send("GET", "/api/docs", &[], "").await.expect(308);
    assert_eq!(moved.headers["location"], "/api/docs/");
    let page = gateway.send("GET", "/api/docs/", &[], "").await.expect(200);
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self';"));
    let linked: Vec<&str> = ["src=\"", "href=\""].iter().flat_map(|mark| page.text.split(mark).skip(1)).collect();
    assert!(linked.len() >= 4, "{}", page.text);
    for rest in linked {
        let file = rest.split('"').next().unwrap();
        assert!(!file.contains("//"), "`{file}` is elsewhere");
        let answer = gateway.send("HEAD", &format!("/api/docs/{}", file.trim_start_matches("./")), &[], "").await;
        answer.expect(200);
    }
    let start = gateway.send("GET", "/api/docs/swagger-initializer.js", &[], "").await.expect(200);
    assert!(start.text.contains("/api/openapi.json") && !start.text.contains("http"), "{}", start.text);
    gateway.send("GET", "/api/docs/no-such-file.js", &[], "").await.refused(404, "NOT_FOUND", None);
}
