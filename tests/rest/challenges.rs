//! Challenges as services send them: what is decided is what they ask for.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::gateway::{Agent, Answer, Gateway};

const X402: &str = "/api/sdk/x402/pre-authorize";
const MPP: &str = "/api/sdk/mpp/pre-authorize";

fn offer(scheme: &str, amount: &str, pay_to: &str) -> Value {
    json!({ "scheme": scheme, "network": "eip155:8453", "amount": amount, "payTo": pay_to, "maxTimeoutSeconds": 600,
        "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "extra": { "name": "USD Coin", "version": "2" } })
}

fn x402(accepts: &Value) -> Value {
    json!({ "paymentRequired": { "x402Version": 2, "resource": { "url": "https://api.example.com/data" }, "accepts": accepts } })
}

fn exact() -> Value {
    x402(&json!([offer("exact", "50000", "0xPayee")]))
}

fn mpp(intent: &str, request: &Value) -> Value {
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    let header = format!(
        r#"Payment id="c1", realm="api.example.com", method="tempo", intent="{intent}", request="{request}", expires="2026-11-20T12:10:00Z""#
    );
    json!({ "wwwAuthenticate": header, "resourceUrl": "https://api.example.com/stream" })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

async fn ask(gateway: &Gateway, agent: &Agent, path: &str, body: &Value) -> Answer {
    gateway.post(path, &agent.key, &body.to_string()).await
}

#[tokio::test]
async fn a_challenge_alone_is_enough() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let approved = ask(&gateway, &agent, X402, &exact()).await.expect(200);
    let body = approved.json();
    assert_eq!(body["authorized"], json!(true));
    let challenge = &body["challenge"];
    assert_eq!((&challenge["index"], &challenge["scheme"]), (&json!(0), &json!("exact")));
    assert_eq!((&challenge["chainId"], &challenge["recipientAddress"]), (&json!("8453"), &json!("0xPayee")));
    assert!(approved.text.contains(r#""amount":0.05,"recipientAddress""#), "{}", approved.text);
    // The signed payment may settle for ten minutes.
    assert_eq!(body["expiresAt"], "2026-11-20T12:10:00.000Z");
    let hold = gateway.get(&format!("/api/sdk/authorizations/{}", approved.text("authorizationId")), &agent.key).await;
    assert_eq!(
        (hold.text("recipientAddress"), hold.text("serviceDomain")),
        ("0xpayee".into(), "api.example.com".into())
    );

    let header = URL_SAFE_NO_PAD.encode(exact()["paymentRequired"].to_string());
    ask(&gateway, &agent, X402, &json!({ "paymentRequiredHeader": header })).await.expect(200);
}

#[tokio::test]
async fn fields_that_agree_are_welcome_and_others_refused() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for (name, value) in [
        ("amount", json!("0.050")),
        ("recipientAddress", json!("0xPAYEE")),
        ("resourceUrl", json!("https://api.example.com/data")),
        ("serviceDomain", json!("api.example.com")),
        ("scheme", json!("exact")),
        ("chainId", json!("8453")),
    ] {
        ask(&gateway, &agent, X402, &with(exact(), name, value)).await.expect(200);
    }
    for (name, value, field) in [
        ("amount", json!(0.04), "amount"),
        ("recipientAddress", json!("0xElse"), "recipientAddress"),
        ("resourceUrl", json!("https://api.example.com/else"), "resourceUrl"),
        ("serviceDomain", json!("api.openai.com"), "serviceDomain"),
        ("scheme", json!("upto"), "paymentRequired.accepts"),
        ("chainId", json!("1"), "paymentRequired.accepts"),
        ("splits", json!([{ "recipient": "0x1", "amount": 0.01 }]), "splits"),
        ("paymentRequiredHeader", json!("e30="), "paymentRequiredHeader"),
        ("wwwAuthenticate", json!("Payment"), "paymentRequired"),
    ] {
        let refused = ask(&gateway, &agent, X402, &with(exact(), name, value)).await;
        if refused.json()["error"]["code"] == "INVALID_AMOUNT" {
            refused.refused(400, "INVALID_AMOUNT", Some(field));
        } else {
            refused.refused(400, "VALIDATION_ERROR", Some(field));
        }
    }
    let on_another_rail = ask(&gateway, &agent, MPP, &exact()).await;
    on_another_rail.refused(400, "VALIDATION_ERROR", Some("paymentRequired"));
    let unknown = x402(&json!([with(offer("exact", "1", "0xPayee"), "asset", json!("0xdead"))]));
    ask(&gateway, &agent, X402, &unknown).await.refused(400, "VALIDATION_ERROR", Some("decimals"));
    ask(&gateway, &agent, X402, &with(unknown, "decimals", json!(18))).await.expect(200);
}

#[tokio::test]
async fn the_decision_is_bound_to_the_challenge() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let keyed = |body: Value| with(body, "idempotencyKey", json!("k1"));
    let first = ask(&gateway, &agent, X402, &keyed(exact())).await.expect(200);
    let again = ask(&gateway, &agent, X402, &keyed(exact())).await.expect(200);
    assert_eq!(again.text, first.text);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let mut other = offer("exact", "50000", "0xPayee");
    other["extra"]["version"] = json!("3");
    ask(&gateway, &agent, X402, &keyed(x402(&json!([other])))).await.refused(409, "IDEMPOTENCY_CONFLICT", None);
}

#[tokio::test]
async fn the_payment_identifier_names_the_request() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let identified = |amount: &str| {
        let mut body = x402(&json!([offer("exact", amount, "0xPayee")]));
        let info = json!({ "required": true, "id": "pay_7d5d747be160e280" });
        body["paymentRequired"]["extensions"] = json!({ "payment-identifier": { "info": info } });
        body
    };
    let first = ask(&gateway, &agent, X402, &identified("50000")).await.expect(200);
    let again = ask(&gateway, &agent, X402, &identified("50000")).await.expect(200);
    assert_eq!(again.text("authorizationId"), first.text("authorizationId"));
    ask(&gateway, &agent, X402, &identified("60000")).await.refused(409, "IDEMPOTENCY_CONFLICT", None);
    let contradicted = with(identified("50000"), "paymentId", json!("another"));
    ask(&gateway, &agent, X402, &contradicted).await.refused(400, "VALIDATION_ERROR", Some("paymentId"));
}

#[tokio::test]
async fn upto_holds_the_most_and_captures_what_was_settled() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = x402(&json!([offer("exact", "50000", "0xPayee"), offer("upto", "2000000", "0xPayee")]));
    let approved = ask(&gateway, &agent, X402, &with(body, "scheme", json!("upto"))).await.expect(200);
    assert!(approved.text.contains(r#""remaining":498.00,"#), "{}", approved.text);
    let path = format!("/api/sdk/authorizations/{}/capture", approved.text("authorizationId"));
    let settled = r#"{"amount":0.30,"recipientAddress":"0xPayee"}"#;
    let captured = gateway.post(&path, &agent.key, settled).await.expect(200);
    assert!(captured.text.contains(r#""captured":0.30,"overage":0.00,"held":0.00"#), "{}", captured.text);
    let budget = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200);
    assert!(budget.text.contains(r#""remaining":499.70,"#), "{}", budget.text);
}

#[tokio::test]
async fn every_split_of_an_mpp_charge_is_part_of_the_payment() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let request = |part: &str| {
        json!({ "amount": "1500000", "currency": "0x20c000000000000000000000b9537d11c60e8b50", "recipient": "0xPayee",
            "methodDetails": { "chainId": 4217, "splits": [{ "amount": part, "recipient": "0xPartner" }] } })
    };
    let approved = ask(&gateway, &agent, MPP, &mpp("charge", &request("500000"))).await.expect(200);
    // The challenge is valid for ten minutes.
    assert_eq!(approved.text("expiresAt"), "2026-11-20T12:10:00.000Z");
    let too_much = ask(&gateway, &agent, MPP, &mpp("charge", &request("1500001"))).await;
    too_much.refused(400, "VALIDATION_ERROR", Some("splits"));
    gateway.advance_seconds(600);
    let expired = ask(&gateway, &agent, MPP, &mpp("charge", &request("500000"))).await;
    expired.refused(400, "VALIDATION_ERROR", Some("validBefore"));
}

#[tokio::test]
async fn an_mpp_session_holds_the_suggested_deposit_or_the_agents_own() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let request = json!({ "amount": "25", "suggestedDeposit": "10000000", "recipient": "0xPayee",
        "currency": "0x20c000000000000000000000b9537d11c60e8b50", "methodDetails": { "chainId": 4217 } });
    let suggested = with(mpp("session", &request), "sessionId", json!("s1"));
    let approved = ask(&gateway, &agent, MPP, &suggested).await.expect(200);
    assert!(approved.text.contains(r#""amount":10.00,"recipientAddress""#), "{}", approved.text);
    let budget = gateway.get("/api/sdk/mpp/budget?sessionId=s1", &agent.key).await.expect(200);
    assert!(budget.text.contains(r#""deposit":10.00"#), "{}", budget.text);
    let own = with(with(mpp("session", &request), "depositAmount", json!(4)), "sessionId", json!("s2"));
    let approved = ask(&gateway, &agent, MPP, &own).await.expect(200);
    assert!(approved.text.contains(r#""amount":4.00,"recipientAddress""#), "{}", approved.text);
}
