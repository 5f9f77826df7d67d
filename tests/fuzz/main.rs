//! The REST façade against requests that are made up from its own description: no request, however odd, gets a 500 or no answer, a request that is
//! refused changes nothing at all, and what is answered is what the document says.
//!
//! `HOLDFAST_FUZZ_REQUESTS` and `HOLDFAST_FUZZ_SEED` choose how many requests, and the first seed. A run is some gateways, each with a seed of its own, so a
//! failure is reproduced by its seed alone.
#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod client;
mod document;
#[expect(dead_code, reason = "shared with the tests of the façade, which use more of it")]
#[path = "../rest/gateway.rs"]
mod gateway;
mod generate;
mod mutate;
mod odd;
mod plan;
mod site;
mod validate;

use std::{collections::BTreeSet, env, time::Instant};

use client::Answer;
use document::Document;
use plan::Plan;
use site::Site;

/// How many requests one gateway gets, before the next starts with nothing.
const REQUESTS_PER_GATEWAY: u64 = 400;
/// How many requests one agent gets.
const REQUESTS_PER_AGENT: u64 = 50;
const REQUESTS_DEFAULT: u64 = 8000;
/// How much more often operations that act on payments are asked for than others: they build on each other.
const PAYMENT_WEIGHT: u64 = 3;

fn option(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn no_request_breaks_the_gateway_or_its_books() {
    let (requests, first) = (option("HOLDFAST_FUZZ_REQUESTS", REQUESTS_DEFAULT), option("HOLDFAST_FUZZ_SEED", 1));
    let document = Document::new();
    let start = Instant::now();
    let mut seen = Seen::default();
    for seed in first..first + requests.div_ceil(REQUESTS_PER_GATEWAY) {
        println!("HOLDFAST_FUZZ_SEED={seed} HOLDFAST_FUZZ_REQUESTS={REQUESTS_PER_GATEWAY}");
        fuzz(&document, seed, &mut seen);
    }
    println!(
        "{} requests, {} accepted, {} refused, in {:?}",
        seen.requests,
        seen.accepted,
        seen.refused,
        start.elapsed()
    );
    let unreached = seen.never_accepted(&document);
    println!("never accepted: {unreached:?}");
    if seen.requests >= REQUESTS_DEFAULT {
        let few = document.operations.len() / 8;
        assert!(unreached.len() <= few, "too much is never accepted, so hardly tested: {unreached:?}");
        assert!(seen.refused * 10 > seen.requests, "hardly anything is refused");
    }
}

/// What came of the requests.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    accepted: u64,
    refused: u64,
    /// The operations of which a request was accepted.
    reached: BTreeSet<String>,
}

impl Seen {
    fn never_accepted(&self, document: &Document) -> Vec<String> {
        let operations = document.operations.iter().map(|operation| format!("{operation:?}"));
        operations.filter(|operation| !self.reached.contains(operation)).collect()
    }
}

fn fuzz(document: &Document, seed: u64, seen: &mut Seen) {
    let mut site = Site::start(seed);
    let mut books = site.books();
    for number in 0..REQUESTS_PER_GATEWAY {
        if number % REQUESTS_PER_AGENT == 0 {
            site.tend();
            books = site.books();
        }
        if site.random.chance(5) {
            site.advance();
            books = site.books();
        }
        let plan = Plan::random(document, &mut site);
        let answer =
            site.send(&plan).unwrap_or_else(|error| panic!("seed {seed}, request {number}: {error}: {plan:#?}"));
        let told = || format!("seed {seed}, request {number}: {} {}\n{plan:#?}", answer.status, shown(&answer));
        if let Err(complaint) = judge(document, &plan, &answer) {
            panic!("{complaint}\n{}", told());
        }
        let after = site.books();
        // That the audit was exported is an entry of it.
        let notes = plan.path.starts_with("/api/audit/export");
        let changes_nothing = (answer.status >= 400 && !is_booked(&answer)) || (plan.method == "GET" && !notes);
        if changes_nothing {
            assert!(books == after, "what changes nothing changed the books\n{}", told());
        }
        books = after;
        site.learn(&answer);
        seen.requests += 1;
        if answer.status < 300 && !plan.goes_elsewhere {
            seen.accepted += 1;
            seen.reached.insert(format!("{:?}", plan.operation));
        }
        seen.refused += u64::from(answer.status >= 400);
    }
}

fn shown(answer: &Answer) -> String {
    answer.text.chars().take(2000).collect()
}

/// The refusals that book something: a denial with a status of its own, which is counted, and money that moved too late or to somebody else
/// than was approved.
fn is_booked(answer: &Answer) -> bool {
    let says = |text: &str| answer.text.contains(text);
    let is_denied = says("\"status\":\"DENIED\"") && says("\"context\":");
    let is_late = says("\"confirmed\":false") && says("\"transactionId\":");
    match answer.status {
        400 => is_denied || is_late,
        403 => is_denied || says("\"RECIPIENT_MISMATCH\""),
        _ => false,
    }
}

/// Whether the answer is one that the document allows.
fn judge(document: &Document, plan: &Plan, answer: &Answer) -> Result<(), String> {
    if answer.status >= 500 {
        return Err("the gateway failed".to_owned());
    }
    // Refusals of the HTTP library itself have no body, nor has what HEAD asks for.
    let is_bodiless = (plan.is_no_http && answer.text.is_empty()) || plan.method == "HEAD";
    if answer.status >= 400 && !is_bodiless && !is_booked(answer) {
        document.is_refusal(&answer.text)?;
    }
    if !plan.goes_elsewhere {
        document.allows(&plan.operation, answer.status, &answer.kind, &answer.text)?;
    }
    Ok(())
}

/// The examples are what people copy first.
#[test]
fn every_example_is_accepted() {
    let document = Document::new();
    for (index, operation) in document.operations.iter().enumerate() {
        let mut site = Site::start(index as u64);
        let Some(body) = document.example(operation) else { continue };
        let plan = Plan::valid(&document, operation, &mut site, Some(body.to_string()));
        let answer = site.send(&plan).unwrap_or_else(|error| panic!("{error}: {plan:#?}"));
        let refused = answer.status == 400 && answer.text.contains("VALIDATION_ERROR");
        assert!(!refused && answer.status < 500, "{} {}\n{plan:#?}", answer.status, answer.text);
    }
}

/// A net that catches nothing looks like a clean catch.
#[test]
fn what_the_test_looks_at_notices_what_it_should() {
    let document = Document::new();
    let find = |method: &str, path: &str| {
        document.operations.iter().find(|one| one.method == method && one.path == path).unwrap()
    };
    let closing = find("POST", "/api/sdk/x402/sessions/close");
    let json = "application/json";
    let good = r#"{"sessionId":"","spent":0.05,"released":1}"#;
    assert_eq!(document.allows(closing, 200, json, good), Ok(()));
    for (status, kind, text, complaint) in [
        (204, json, good, "no answer 204"),
        (200, "text/plain", good, "content type"),
        (200, json, "{", "not JSON"),
        (200, json, r#"{"sessionId":"","spent":0.05}"#, "`.released` is missing"),
        (200, json, r#"{"sessionId":"","spent":"0.05","released":1}"#, "`.spent`"),
        (200, json, r#"{"sessionId":"","spent":-1,"released":1}"#, "below"),
        (200, json, r#"{"sessionId":"","spent":0,"released":1,"more":1}"#, "`.more` is not described"),
    ] {
        let found = document.allows(closing, status, kind, text).unwrap_err();
        assert!(found.contains(complaint), "{found}");
    }
    assert!(document.is_refusal(r#"{"error":{"code":"NO_SUCH_CODE","message":"x","retryable":false}}"#).is_err());

    let mut site = Site::start(0);
    let before = site.books();
    let asked = find("POST", "/api/sdk/x402/pre-authorize");
    let plan = Plan::valid(&document, asked, &mut site, Some(document.example(asked).unwrap().to_string()));
    assert_eq!(site.send(&plan).unwrap().status, 200);
    assert!(site.books() != before, "a hold is in the books");
}

/// What speaks no protocol, and calls of every tool with odd arguments, get an answer and change nothing.
#[test]
fn nothing_that_a_model_says_breaks_the_gateway_either() {
    let mut site = Site::start(7);
    let before = site.books();
    let bearer = ("authorization".to_owned(), format!("Bearer {}", site.agent.key));
    let said = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut bodies: Vec<Vec<u8>> = odd::BODIES.iter().map(|body| body.to_vec()).collect();
    for tool in [
        "pre_authorize_payment",
        "record_payment",
        "get_budget",
        "check_payment_status",
        "request_budget",
        "request_payment",
        "execute_payment",
        "approve_card_payment",
        "no_such_tool",
    ] {
        for value in odd::VALUES.iter().filter(|value| serde_json::from_str::<serde_json::Value>(value).is_ok()) {
            for name in ["amount", "protocol", "agentId", "authorizationId", "sessionId"] {
                let arguments = format!(r#"{{"{name}":{value}}}"#);
                bodies.push(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#).into_bytes());
            }
        }
    }
    for body in bodies {
        let operation =
            document::Operation { method: "POST".to_owned(), path: "/mcp".to_owned(), said: serde_json::Value::Null };
        let headers = vec![
            bearer.clone(),
            said("content-type", "application/json"),
            said("accept", "application/json, text/event-stream"),
        ];
        let plan = Plan {
            method: operation.method.clone(),
            path: operation.path.clone(),
            operation,
            headers,
            body,
            goes_elsewhere: true,
            is_no_http: false,
        };
        let answer = site.send(&plan).unwrap_or_else(|error| panic!("{error}: {plan:#?}"));
        assert!(
            answer.status < 500 && !answer.text.contains("INTERNAL_ERROR"),
            "{} {}\n{plan:#?}",
            answer.status,
            answer.text
        );
    }
    assert!(before == site.books());
}
