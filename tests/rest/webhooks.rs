//! Webhooks: what is delivered, in which order, how often, and where it must not go.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use holdfast::{
    engine::{Feed, FeedCursor},
    kernel::{Event, webhook::WebhookChange},
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    gateway::{Agent, Gateway},
    receiver::{Delivery, Receiver, status},
};

/// Longer than any answer of these receivers takes.
const PATIENT: Duration = Duration::from_secs(20);
/// The longest wait for something that must become so.
const COMES_WITHIN: Duration = Duration::from_secs(30);

async fn created(gateway: &Gateway, body: &Value) -> Value {
    gateway.post("/api/webhooks", &gateway.operator, &body.to_string()).await.expect(201).json()
}

/// A webhook of a receiver that is told of `events`.
async fn hook(gateway: &Gateway, receiver: &Receiver, events: &[&str]) -> String {
    let webhook = created(gateway, &json!({"url": receiver.url, "events": events})).await;
    webhook["id"].as_str().unwrap().to_owned()
}

async fn rename(gateway: &Gateway, agent: &Agent, name: &str) {
    let body = format!(r#"{{"name":"{name}"}}"#);
    gateway.ask("PATCH", &format!("/api/agents/{}", agent.id), &gateway.operator, &body).await.expect(200);
}

fn names(got: &[Delivery]) -> Vec<String> {
    got.iter().map(|one| one.json()["data"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn letters(gateway: &Gateway, webhook: &str) -> Vec<Value> {
    let path = format!("/api/webhooks/{webhook}/dead-letters");
    gateway.get(&path, &gateway.operator).await.expect(200).json()["deadLetters"].as_array().unwrap().clone()
}

/// Waits for events after a cursor.
async fn news(feed: &Feed, cursor: FeedCursor) {
    let feed = feed.clone();
    let came = tokio::task::spawn_blocking(move || feed.wait(&cursor, COMES_WITHIN)).await.unwrap();
    assert!(came, "nothing more happens");
}

/// Waits until there are so many letters, each of which is an event.
async fn letters_become(gateway: &Gateway, webhook: &str, count: usize) -> Vec<Value> {
    let feed = gateway.engine.feed().unwrap();
    loop {
        let known = feed.newest();
        let letters = letters(gateway, webhook).await;
        if letters.len() == count {
            return letters;
        }
        news(feed, known).await;
    }
}

/// Waits until it is an event how far webhooks are.
async fn progress_is_kept(gateway: &Gateway) {
    let feed = gateway.engine.feed().unwrap();
    let (mut place, mut is_kept) = (feed.oldest(), false);
    loop {
        let after = feed.read(&place, 1000, &mut |fact, _| {
            is_kept |= matches!(fact.event, Event::Webhook(change) if matches!(**change, WebhookChange::Told(..)));
        });
        if is_kept {
            return;
        }
        place = after.unwrap();
        news(feed, place.clone()).await;
    }
}

/// Waits until so many attempts are known to have failed, so that the clock may be moved.
async fn failures_become(gateway: &Gateway, count: usize) {
    let (end, line) = (Instant::now() + COMES_WITHIN, format!("holdfast_webhook_attempts_failed_total {count}\n"));
    while !gateway.send("GET", "/metrics", &[], "").await.text.contains(&line) {
        assert!(Instant::now() < end, "{line}");
        tokio::task::yield_now().await;
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[tokio::test]
async fn a_webhook_is_written_shown_changed_and_removed_and_its_secret_is_shown_once() {
    let gateway = Gateway::new();
    let body = json!({"url": "https://hooks.example.com/holdfast", "events": ["payment.*"], "description": "finance"});
    let webhook = created(&gateway, &body).await;
    let (id, secret) = (webhook["id"].as_str().unwrap(), webhook["secret"].as_str().unwrap());
    assert!(secret.starts_with("whsec_") && STANDARD.decode(&secret[6..]).unwrap().len() == 32);
    let path = format!("/api/webhooks/{id}");
    let shown = gateway.get(&path, &gateway.operator).await.expect(200);
    assert!(!shown.text.contains("ecret"), "{}", shown.text);
    assert_eq!((&shown.json()["events"], &shown.json()["isActive"]), (&json!(["payment.*"]), &json!(true)));
    let patched = gateway.ask("PATCH", &path, &gateway.operator, r#"{"isActive":false}"#).await.expect(200).json();
    assert_eq!((&patched["isActive"], &patched["description"]), (&json!(false), &json!("finance")));
    let renewed = gateway.post(&format!("{path}/secret"), &gateway.operator, "").await.expect(200).json();
    assert_ne!(renewed["secret"], *secret);
    let list = gateway.get("/api/webhooks", &gateway.operator).await.expect(200);
    assert!(!list.text.contains("whsec_") && list.json()["webhooks"][0]["id"] == id, "{}", list.text);
    gateway.ask("DELETE", &path, &gateway.operator, "").await.expect(200);
    gateway.get(&path, &gateway.operator).await.refused(404, "NOT_FOUND", None);
    gateway.ask("DELETE", &path, &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn a_webhook_that_is_written_twice_under_one_key_is_one() {
    let gateway = Gateway::new();
    let bearer = format!("Bearer {}", gateway.operator);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "finance")];
    let body = r#"{"url":"https://hooks.example.com/","events":["payment.*"]}"#;
    let first = gateway.send("POST", "/api/webhooks", &headers, body).await.expect(201);
    let second = gateway.send("POST", "/api/webhooks", &headers, body).await.expect(201);
    assert_eq!((second.headers["idempotency-replayed"].to_str().unwrap(), &second.text), ("true", &first.text));
    let other = gateway.send("POST", "/api/webhooks", &headers, r#"{"url":"https://hooks.example.com/"}"#).await;
    other.refused(409, "IDEMPOTENCY_CONFLICT", None);
    let list = gateway.get("/api/webhooks", &gateway.operator).await.expect(200).json();
    assert_eq!(list["webhooks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_webhook_that_could_reach_what_it_must_not_is_refused() {
    let gateway = Gateway::new();
    for url in [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
    ] {
        let body = json!({ "url": url }).to_string();
        gateway.post("/api/webhooks", &gateway.operator, &body).await.refused(400, "VALIDATION_ERROR", Some("url"));
    }
    let good = created(&gateway, &json!({"url": "https://hooks.example.com/"})).await;
    let path = format!("/api/webhooks/{}", good["id"].as_str().unwrap());
    let moved = gateway.ask("PATCH", &path, &gateway.operator, r#"{"url":"https://10.0.0.1/"}"#).await;
    moved.refused(400, "VALIDATION_ERROR", Some("url"));
    for (body, field) in [("{}", "url"), (r#"{"url":"https://hooks.example.com/","events":["nothing"]}"#, "events[0]")]
    {
        gateway.post("/api/webhooks", &gateway.operator, body).await.refused(400, "VALIDATION_ERROR", Some(field));
    }
    let agent = gateway.agent("shopper").await;
    gateway.post("/api/webhooks", &agent.key, "{}").await.refused(403, "INSUFFICIENT_SCOPE", None);
}

#[tokio::test]
async fn there_are_so_many_webhooks_and_no_more() {
    let gateway = Gateway::new();
    let body = json!({"url": "https://hooks.example.com/", "isActive": false}).to_string();
    let mut count = 0;
    let refused = loop {
        let answer = gateway.post("/api/webhooks", &gateway.operator, &body).await;
        if answer.status != 201 {
            break answer;
        }
        count += 1;
    };
    refused.refused(429, "CAPACITY_EXCEEDED", None);
    assert_eq!(count, 64);
}

#[tokio::test]
async fn events_arrive_in_order_and_are_signed_in_both_forms() {
    let gateway = Gateway::with_webhooks(PATIENT);
    let receiver = Receiver::new(|_, _| status(200));
    let webhook = created(&gateway, &json!({"url": receiver.url, "events": ["agent.*"]})).await;
    let secret = webhook["secret"].as_str().unwrap();
    let agent = gateway.agent("shopper").await;
    for number in 0..20 {
        rename(&gateway, &agent, &format!("name {number}")).await;
    }
    let got = receiver.wait_for(21).await;
    let expected: Vec<String> =
        std::iter::once("shopper".to_owned()).chain((0..20).map(|number| format!("name {number}"))).collect();
    assert_eq!(names(&got), expected);
    for delivery in &got {
        let Delivery { headers, body } = delivery;
        assert_eq!(delivery.json()["id"], delivery.id(), "the id of the event");
        assert_eq!(delivery.json()["event"], delivery.kind());
        assert_eq!((headers["content-type"].as_str(), delivery.attempt()), ("application/json", 1));
        assert_eq!(headers["x-conto-timestamp"], "2026-11-20T12:00:00.000Z");
        let plain: String = mac(secret.as_bytes(), body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(headers["x-conto-signature"], plain);
        let signed = format!("{}.{}.{body}", delivery.id(), headers["webhook-timestamp"]);
        let standard = STANDARD.encode(mac(&STANDARD.decode(&secret[6..]).unwrap(), &signed));
        assert_eq!(headers["webhook-signature"], format!("v1,{standard}"));
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_holds_back_its_own_agent_alone() {
    let gateway = Gateway::with_webhooks(PATIENT);
    // What is renamed to `bad` is not taken the first two times.
    let receiver = Receiver::new(|delivery, _| {
        let is_bad = delivery.json()["data"]["name"] == "bad" && delivery.attempt() < 3;
        status(if is_bad { 500 } else { 204 })
    });
    let (one, two) = (gateway.agent("one").await, gateway.agent("two").await);
    hook(&gateway, &receiver, &["agent.updated"]).await;
    for name in ["bad", "next"] {
        rename(&gateway, &one, name).await;
    }
    receiver.wait_for(1).await;
    rename(&gateway, &two, "other").await;
    let got = receiver.wait_for(2).await;
    assert_eq!(names(&got), ["bad", "other"], "the other agent's events pass");
    for (failures, seconds) in [(1, 5), (2, 30)] {
        failures_become(&gateway, failures).await;
        let before = receiver.got().len();
        gateway.advance_seconds(seconds);
        receiver.wait_for(before + 1).await;
    }
    let got = receiver.wait_for(5).await;
    assert_eq!(names(&got), ["bad", "other", "bad", "bad", "next"]);
    let of_bad: Vec<&Delivery> = got.iter().filter(|one| one.json()["data"]["name"] == "bad").collect();
    assert!(of_bad.iter().all(|one| one.id() == of_bad[0].id()), "one event, one id");
    assert_eq!(of_bad.iter().map(|one| one.attempt()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(of_bad[0].headers["webhook-timestamp"] < of_bad[2].headers["webhook-timestamp"]);
}

#[tokio::test]
async fn what_is_given_up_is_listed_and_delivered_again_on_demand() {
    let gateway = Gateway::with_webhooks(PATIENT);
    let works = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let receiver = {
        let works = std::sync::Arc::clone(&works);
        Receiver::new(move |_, _| status(if works.load(std::sync::atomic::Ordering::SeqCst) { 200 } else { 503 }))
    };
    let agent = gateway.agent("shopper").await;
    let webhook = hook(&gateway, &receiver, &["agent.updated"]).await;
    rename(&gateway, &agent, "lost").await;
    failures_become(&gateway, 1).await;
    // A day later nothing is tried again.
    gateway.advance_seconds(25 * 3600);
    let lost = &letters_become(&gateway, &webhook, 1).await[0];
    assert_eq!(
        (&lost["event"], &lost["agentId"], &lost["attempts"]),
        (&json!("agent.updated"), &json!(agent.id), &json!(2))
    );
    assert!(lost["reason"].as_str().unwrap().contains("503"), "{lost}");
    assert_eq!(gateway.get(&format!("/api/webhooks/{webhook}"), &gateway.operator).await.json()["deadLetters"], 1);
    works.store(true, std::sync::atomic::Ordering::SeqCst);
    rename(&gateway, &agent, "next").await;
    receiver.wait_until(|got| names(got).last().is_some_and(|name| name == "next")).await;
    let path = format!("/api/webhooks/{webhook}/dead-letters/redeliver");
    let unknown = gateway.post(&path, &gateway.operator, r#"{"eventIds":["9-9-9"]}"#).await;
    unknown.refused(400, "VALIDATION_ERROR", Some("eventIds[0]"));
    let body = json!({"eventIds": [lost["eventId"]]}).to_string();
    let queued = gateway.post(&path, &gateway.operator, &body).await.expect(202).json();
    assert_eq!(queued["queued"], 1);
    letters_become(&gateway, &webhook, 0).await;
    let got = receiver.got();
    assert_eq!(names(&got).last().unwrap(), "lost");
    assert_eq!(got.last().unwrap().id(), lost["eventId"], "under its own id");
    let metrics = gateway.send("GET", "/metrics", &[], "").await.expect(200).text;
    for line in ["holdfast_webhook_dead_letters_total 1", "holdfast_webhook_deliveries_total 2"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let gateway = Gateway::with_webhooks(PATIENT);
    let trap = Receiver::new(|_, _| status(200));
    let receiver = {
        let trap = trap.url.clone();
        Receiver::new(move |_, _| Some(format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {trap}\r\n")))
    };
    let agent = gateway.agent("shopper").await;
    let webhook = hook(&gateway, &receiver, &["agent.updated"]).await;
    rename(&gateway, &agent, "first").await;
    failures_become(&gateway, 1).await;
    gateway.advance_seconds(25 * 3600);
    let letter = &letters_become(&gateway, &webhook, 1).await[0];
    assert!(letter["reason"].as_str().unwrap().contains("redirects are not followed"), "{letter}");
    assert!(trap.got().is_empty());
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_nobody_else() {
    let gateway = Gateway::with_webhooks(Duration::from_millis(300));
    let silent = Receiver::new(|_, _| None);
    let receiver = Receiver::new(|_, _| status(200));
    let agent = gateway.agent("shopper").await;
    let webhook = hook(&gateway, &silent, &["agent.updated"]).await;
    hook(&gateway, &receiver, &["agent.updated"]).await;
    for number in 0..10 {
        rename(&gateway, &agent, &format!("name {number}")).await;
    }
    receiver.wait_for(10).await;
    failures_become(&gateway, 1).await;
    gateway.advance_seconds(25 * 3600);
    let letters = letters_become(&gateway, &webhook, 10).await;
    assert!(letters[0]["reason"].as_str().unwrap().contains("in time"), "{}", letters[0]);
}

#[tokio::test]
async fn only_what_a_webhook_wants_is_delivered_and_nothing_while_it_is_not_active() {
    let gateway = Gateway::with_webhooks(PATIENT);
    let receiver = Receiver::new(|_, _| status(200));
    let (one, two) = (gateway.agent("one").await, gateway.agent("two").await);
    let body = json!({"url": receiver.url, "events": ["agent.updated", "agent.paused"], "agentIds": [two.id], "isActive": false});
    let webhook = created(&gateway, &body).await["id"].as_str().unwrap().to_owned();
    rename(&gateway, &one, "unwanted").await;
    rename(&gateway, &two, "wanted").await;
    let path = format!("/api/agents/{}/wallets", two.id);
    let wallet = r#"{"walletId":"wal_9","address":"0x9","chainId":"8453","custodyType":"EXTERNAL"}"#;
    gateway.post(&path, &gateway.operator, wallet).await.expect(201);
    assert!(receiver.got().is_empty());
    let path = format!("/api/webhooks/{webhook}");
    gateway.ask("PATCH", &path, &gateway.operator, r#"{"isActive":true}"#).await.expect(200);
    rename(&gateway, &two, "last").await;
    let got = receiver.wait_until(|got| names(got).last().is_some_and(|name| name == "last")).await;
    assert_eq!(names(&got), ["wanted", "last"], "what happened meanwhile comes first");
    gateway.ask("DELETE", &path, &gateway.operator, "").await.expect(200);
}

#[tokio::test]
async fn a_webhook_is_tried_without_an_event() {
    let gateway = Gateway::with_webhooks(PATIENT);
    let receiver = Receiver::new(|_, before| status(if before == 0 { 200 } else { 404 }));
    let webhook = hook(&gateway, &receiver, &["agent.frozen"]).await;
    let path = format!("/api/webhooks/{webhook}/test");
    let good = gateway.post(&path, &gateway.operator, "").await.expect(200).json();
    assert_eq!((&good["delivered"], &good["reason"]), (&json!(true), &Value::Null));
    let got = receiver.got();
    assert_eq!((got[0].kind(), got[0].id()), ("webhook.test", good["eventId"].as_str().unwrap()));
    assert_eq!(got[0].json()["data"]["webhookId"], webhook);
    let bad = gateway.post(&path, &gateway.operator, "").await.expect(200).json();
    assert_eq!(bad["delivered"], false);
    assert!(bad["reason"].as_str().unwrap().contains("404"), "{bad}");
}

#[tokio::test]
async fn what_delivers_is_not_told_of_by_webhooks() {
    let gateway = Gateway::with_webhooks(PATIENT);
    let receiver = Receiver::new(|_, _| status(200));
    hook(&gateway, &receiver, &[]).await;
    let agent = gateway.agent("shopper").await;
    let is_last = |got: &[Delivery], wanted: &str| names(got).last().is_some_and(|name| name == wanted);
    rename(&gateway, &agent, "before").await;
    let before = receiver.wait_until(|got| is_last(got, "before")).await.len();
    progress_is_kept(&gateway).await;
    rename(&gateway, &agent, "after").await;
    let got = receiver.wait_until(|got| is_last(got, "after")).await;
    assert_eq!(got.len(), before + 1, "{got:#?}");
    let audit = gateway.get("/api/audit?limit=1000&resource=webhook", &gateway.operator).await.expect(200).json();
    let entries = audit["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "that it was written, and nothing of its progress: {entries:#?}");
    assert!(!audit.to_string().contains("whsec_"), "the secret is nowhere");
}
