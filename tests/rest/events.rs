//! Streams of events: told once and in order, to those who may know, from where the reader stopped.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use holdfast::server::streams::StreamOptions;
use serde_json::Value;

use crate::gateway::{Agent, Gateway, X402_PRE_AUTHORIZE, X402_RECORD};

/// The longest wait for something that must come.
const COMES_WITHIN: Duration = Duration::from_secs(30);

/// An event as a stream tells it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    /// Where to go on after it.
    offset: String,
    kind: String,
    body: Value,
}

impl Told {
    fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }
}

/// One that reads a stream.
struct Reader {
    body: BodyDataStream,
    text: String,
    /// The last offset that was read, of an event or beside one.
    offset: String,
}

impl Reader {
    async fn open(gateway: &Gateway, path: &str, key: &str) -> Reader {
        let request = axum::http::Request::builder().uri(path).header("authorization", format!("Bearer {key}"));
        let request = request.body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(gateway.router.clone(), request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Reader { body: response.into_body().into_data_stream(), text: String::new(), offset: String::new() }
    }

    /// The next event; nothing where the stream ends.
    async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (offset, kind, data) = (field("id: "), field("event: "), field("data: "));
                self.offset = offset.clone().unwrap_or_default();
                self.text = rest.to_owned();
                if let (Some(offset), Some(kind), Some(data)) = (offset, kind, data) {
                    return Some(Told { offset, kind, body: serde_json::from_str(&data).unwrap() });
                }
            }
            let piece = tokio::time::timeout(COMES_WITHIN, self.body.next()).await.expect("news or an end");
            self.text += std::str::from_utf8(&piece?.unwrap()).unwrap();
        }
    }

    async fn rest(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }
}

/// What is told from a place on, until there is nothing more.
async fn all_from(gateway: &Gateway, path: &str, key: &str) -> Vec<Told> {
    let mark = if path.contains('?') { '&' } else { '?' };
    Reader::open(gateway, &format!("{path}{mark}follow=false"), key).await.rest().await
}

/// Waits until the events of everybody are known: of the last change, too.
async fn settled(gateway: &Gateway) {
    let feed = gateway.engine.feed().unwrap();
    let end = tokio::time::Instant::now() + COMES_WITHIN;
    while feed.newest() != feed.end() {
        assert!(tokio::time::Instant::now() < end, "the feed stands still");
        tokio::task::yield_now().await;
    }
}

fn kinds(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.kind.as_str()).collect()
}

/// An agent that was refused a payment, was approved another, and reported it. Only the report is answered when everything is durable.
async fn lived(gateway: &Gateway, name: &str) -> Agent {
    let agent = gateway.agent(name).await;
    let dear = X402_PRE_AUTHORIZE.replace("0.05", "5000");
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &dear).await.expect(200);
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    gateway.post("/api/sdk/x402/record", &agent.key, X402_RECORD).await.expect(200);
    agent
}

#[tokio::test]
async fn an_agent_is_told_what_happened_to_it_in_order() {
    let gateway = Gateway::new();
    let agent = lived(&gateway, "shopper").await;
    settled(&gateway).await;
    let told = all_from(&gateway, "/api/sdk/events?from=oldest", &agent.key).await;
    let expected = [
        "agent.created",
        "wallet.updated",
        "api_key.issued",
        "payment.denied",
        "session.opened",
        "payment.approved",
        "service_payment.recorded",
    ];
    assert_eq!(kinds(&told), expected);
    let approved = &told[5].body;
    assert_eq!(approved["event"], "payment.approved");
    assert_eq!(approved["timestamp"], "2026-11-20T12:00:00.000Z");
    let data = &approved["data"];
    assert_eq!(data["agentId"], agent.id);
    assert_eq!((data["amount"].as_f64(), data["protocol"].as_str()), (Some(0.05), Some("x402")));
    assert_eq!(
        (&data["recipientAddress"], &data["serviceDomain"]),
        (&"0xfacilitatoraddress".into(), &"api.example.com".into())
    );
    assert_eq!(data["authorizationId"], told[6].body["data"]["authorizationId"], "the report names the hold");
    assert_eq!(data["expiresAt"], "2026-11-20T12:05:00.000Z");
    assert_eq!(told[3].body["data"]["violationType"], "PER_TX_LIMIT");
}

#[tokio::test]
async fn from_every_offset_the_rest_is_told_once() {
    let gateway = Gateway::new();
    let mut agent = lived(&gateway, "shopper").await;
    for name in ["one", "two", "three"] {
        agent = lived(&gateway, name).await;
    }
    settled(&gateway).await;
    for (path, key) in [("/api/events", &gateway.operator), ("/api/sdk/events", &agent.key)] {
        let all = all_from(&gateway, &format!("{path}?from=oldest"), key).await;
        let mut ids: Vec<&str> = all.iter().map(Told::id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all.len(), "each has an id of its own");
        for (index, told) in all.iter().enumerate() {
            let rest = all_from(&gateway, &format!("{path}?from={}", told.offset), key).await;
            let ids = |told: &[Told]| -> Vec<String> {
                // What comes of different shards is told in any order.
                let mut ids: Vec<String> = told.iter().map(|told| told.id().to_owned()).collect();
                ids.sort_unstable();
                ids
            };
            assert_eq!(ids(&rest), ids(&all[index + 1..]), "after {index}");
        }
        // A browser repeats its first address, and says in a header how far it is.
        let bearer = format!("Bearer {key}");
        let last = &all[all.len() - 2].offset;
        let headers = [("authorization", bearer.as_str()), ("last-event-id", last.as_str())];
        let answer = gateway.send("GET", &format!("{path}?from=oldest&follow=false"), &headers, "").await.expect(200);
        assert_eq!(answer.text.matches("\ndata: ").count(), 1, "{}", answer.text);
    }
}

#[tokio::test]
async fn only_what_is_asked_for_is_told() {
    let gateway = Gateway::new();
    let one = lived(&gateway, "one").await;
    let two = lived(&gateway, "two").await;
    settled(&gateway).await;
    let told = all_from(&gateway, "/api/events?from=oldest&types=payment.*,agent.created", &gateway.operator).await;
    let mut found = kinds(&told);
    found.sort_unstable();
    let twice = ["agent.created", "payment.approved", "payment.denied"].map(|kind| [kind, kind]).concat();
    assert_eq!(found, twice);
    let path = format!("/api/events?from=oldest&types=payment.approved&agentId={}", two.id);
    let told = all_from(&gateway, &path, &gateway.operator).await;
    assert_eq!(told.iter().map(|told| &told.body["data"]["agentId"]).collect::<Vec<_>>(), [&two.id]);
    let of_nobody = all_from(&gateway, "/api/events?from=oldest&types=gateway.started", &gateway.operator).await;
    assert_eq!(of_nobody.len(), 1, "one process, however many shards");
    for types in ["payment", "nothing.*", "payment.approved,"] {
        let answer = gateway.get(&format!("/api/sdk/events?types={types}"), &one.key).await;
        answer.refused(400, "VALIDATION_ERROR", Some("types"));
    }
    gateway.get("/api/events?follow=maybe", &gateway.operator).await.refused(400, "VALIDATION_ERROR", Some("follow"));
}

#[tokio::test]
async fn the_events_of_others_are_not_visible() {
    let gateway = Gateway::new();
    let one = lived(&gateway, "one").await;
    let two = lived(&gateway, "two").await;
    settled(&gateway).await;
    gateway.get("/api/events", &one.key).await.refused(403, "INSUFFICIENT_SCOPE", None);
    let foreign = format!("/api/sdk/events?agentId={}", two.id);
    gateway.get(&foreign, &one.key).await.refused(403, "INSUFFICIENT_SCOPE", None);
    for agent in [&one, &two] {
        let told = all_from(&gateway, "/api/sdk/events?from=oldest", &agent.key).await;
        assert!(!told.is_empty() && told.iter().all(|told| told.body["data"]["agentId"] == agent.id));
    }
    // An operator may look over an agent's shoulder.
    let own = all_from(&gateway, &format!("/api/sdk/events?from=oldest&agentId={}", one.id), &gateway.operator).await;
    assert_eq!(own, all_from(&gateway, "/api/sdk/events?from=oldest", &one.key).await);
}

#[tokio::test]
async fn offsets_that_this_stream_did_not_give_are_refused() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for (path, key) in [("/api/events", &gateway.operator), ("/api/sdk/events", &agent.key)] {
        for from in ["x", "1", "0-1", "99-1-0", "1.1.1.99999", "3-99999-0"] {
            gateway.get(&format!("{path}?from={from}"), key).await.refused(400, "VALIDATION_ERROR", Some("from"));
        }
    }
}

#[tokio::test]
async fn what_happens_while_somebody_listens_is_told_at_once() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let mut own = Reader::open(&gateway, "/api/sdk/events?types=payment.*", &agent.key).await;
    let mut all = Reader::open(&gateway, "/api/events?types=payment.approved,agent.*", &gateway.operator).await;
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    assert_eq!(own.next().await.unwrap().kind, "payment.approved");
    assert_eq!(all.next().await.unwrap().kind, "payment.approved");
    let path = format!("/api/agents/{}/freeze", agent.id);
    gateway.post(&path, &gateway.operator, r#"{"reason":"looked odd"}"#).await.expect(200);
    let frozen = all.next().await.unwrap();
    assert_eq!((frozen.kind.as_str(), &frozen.body["data"]["status"]), ("agent.frozen", &"SUSPENDED".into()));
}

#[tokio::test]
async fn who_hears_nothing_hears_that_and_can_go_on_from_there() {
    let options = StreamOptions { heartbeat: Duration::from_millis(20), ..StreamOptions::default() };
    let gateway = Gateway::with_streams(options);
    let agent = lived(&gateway, "shopper").await;
    settled(&gateway).await;
    let mut reader = Reader::open(&gateway, "/api/sdk/events?from=oldest&types=agent.frozen", &agent.key).await;
    while !reader.text.contains(": nothing new\n") {
        let piece = tokio::time::timeout(COMES_WITHIN, reader.body.next()).await.unwrap();
        reader.text += std::str::from_utf8(&piece.unwrap().unwrap()).unwrap();
    }
    let offset = reader.text.rsplit("id: ").next().unwrap().trim().to_owned();
    let skipped = all_from(&gateway, &format!("/api/sdk/events?from={offset}"), &agent.key).await;
    assert_eq!(skipped, [], "what it did not want need not be looked at again");
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_closed_and_goes_on_where_it_was() {
    let options =
        StreamOptions { client_wait_max: Duration::from_millis(50), streams_max: 1, ..StreamOptions::default() };
    let gateway = Gateway::with_streams(options);
    let agent = gateway.agent("shopper").await;
    for _ in 0..300 {
        let path = format!("/api/agents/{}", agent.id);
        let name = "x".repeat(100);
        gateway.ask("PATCH", &path, &gateway.operator, &format!(r#"{{"name":"{name}"}}"#)).await.expect(200);
        gateway.ask("PATCH", &path, &gateway.operator, r#"{"name":"shopper"}"#).await.expect(200);
    }
    settled(&gateway).await;
    let whole = all_from(&gateway, "/api/sdk/events?from=oldest", &agent.key).await;
    let mut slow = Reader::open(&gateway, "/api/sdk/events?from=oldest", &agent.key).await;
    // Nothing is read until the gateway has given up, which leaves room for another stream.
    let end = tokio::time::Instant::now() + COMES_WITHIN;
    while gateway.get("/api/sdk/events?follow=false", &agent.key).await.status != 200 {
        assert!(tokio::time::Instant::now() < end, "a slow reader is never closed");
        tokio::task::yield_now().await;
    }
    let mut told = Vec::new();
    while let Some(one) = slow.next().await {
        told.push(one);
    }
    assert!(told.len() < whole.len(), "the stream ended before everything was told");
    let rest = all_from(&gateway, &format!("/api/sdk/events?from={}", slow.offset), &agent.key).await;
    told.extend(rest);
    assert_eq!(told, whole, "without a gap and without anything twice");
}

#[tokio::test]
async fn one_stream_too_many_is_refused_until_another_ends() {
    let options = StreamOptions { streams_max: 3, streams_of_key_max: 2, ..StreamOptions::default() };
    let gateway = Gateway::with_streams(options);
    let (one, two) = (gateway.agent("one").await, gateway.agent("two").await);
    let path = "/api/sdk/events";
    let first = Reader::open(&gateway, path, &one.key).await;
    let _second = Reader::open(&gateway, path, &one.key).await;
    gateway.get(path, &one.key).await.refused(429, "CAPACITY_EXCEEDED", None);
    let _third = Reader::open(&gateway, path, &two.key).await;
    gateway.get(path, &two.key).await.refused(429, "CAPACITY_EXCEEDED", None);
    drop(first);
    let end = tokio::time::Instant::now() + COMES_WITHIN;
    while gateway.get(path, &two.key).await.status != 200 {
        assert!(tokio::time::Instant::now() < end, "who is gone leaves room");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_hears_no_more() {
    let options = StreamOptions { heartbeat: Duration::from_millis(20), ..StreamOptions::default() };
    let gateway = Gateway::with_streams(options);
    let agent = gateway.agent("shopper").await;
    let keys = gateway.get(&format!("/api/agents/{}/sdk-keys", agent.id), &gateway.operator).await.expect(200).json();
    let reader = Reader::open(&gateway, "/api/sdk/events", &agent.key).await;
    let path = format!("/api/agents/{}/sdk-keys/{}", agent.id, keys["keys"][0]["id"].as_str().unwrap());
    gateway.ask("DELETE", &path, &gateway.operator, "").await;
    reader.rest().await;
}
