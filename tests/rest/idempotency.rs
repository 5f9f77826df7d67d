//! The same request again has the same answer, and its effect once.

use crate::gateway::{Answer, Gateway, X402_PRE_AUTHORIZE};

async fn keyed(gateway: &Gateway, path: &str, key: &str, idempotency_key: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", idempotency_key),
    ];
    gateway.send("POST", path, &headers, body.to_owned()).await
}

#[tokio::test]
async fn an_approval_asked_again_is_the_same_body() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/pre-authorize";
    let first = keyed(&gateway, path, &agent.key, "order-7", X402_PRE_AUTHORIZE).await.expect(200);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    gateway.advance_seconds(5);
    let again = keyed(&gateway, path, &agent.key, "order-7", X402_PRE_AUTHORIZE).await.expect(200);
    assert_eq!(again.text, first.text);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = X402_PRE_AUTHORIZE.replace("0.05", "0.06");
    keyed(&gateway, path, &agent.key, "order-7", &other).await.refused(409, "IDEMPOTENCY_CONFLICT", None);
    let budget = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200);
    assert!(budget.text.contains(r#""held":0.05,"#), "{}", budget.text);
}

#[tokio::test]
async fn the_key_may_stand_in_the_body_and_a_payment_id_is_one() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/pre-authorize";
    let with = |member: &str| X402_PRE_AUTHORIZE.replace("\"scheme\"", &format!("{member}, \"scheme\""));
    let by_header = keyed(&gateway, path, &agent.key, "k1", X402_PRE_AUTHORIZE).await.expect(200);
    let by_body = gateway.post(path, &agent.key, &with(r#""idempotencyKey": "k1""#)).await.expect(200);
    assert_eq!(by_body.text, by_header.text);
    let payment = gateway.post(path, &agent.key, &with(r#""paymentId": "pay_1234567890123456""#)).await.expect(200);
    let again = gateway.post(path, &agent.key, &with(r#""paymentId": "pay_1234567890123456""#)).await.expect(200);
    assert_eq!(again.text, payment.text);
    assert_ne!(payment.text("authorizationId"), by_body.text("authorizationId"));
    let contradiction = keyed(&gateway, path, &agent.key, "k2", &with(r#""idempotencyKey": "k1""#)).await;
    contradiction.refused(400, "VALIDATION_ERROR", Some("idempotencyKey"));
    keyed(&gateway, path, &agent.key, "", X402_PRE_AUTHORIZE).await.refused(
        400,
        "VALIDATION_ERROR",
        Some("Idempotency-Key"),
    );
}

#[tokio::test]
async fn the_verbs_of_a_hold_happen_once_a_key() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let approved = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    let capture = format!("/api/sdk/authorizations/{}/capture", approved.text("authorizationId"));
    let body = r#"{"amount":0.01,"final":false}"#;
    let first = keyed(&gateway, &capture, &agent.key, "c1", body).await.expect(200);
    let again = keyed(&gateway, &capture, &agent.key, "c1", body).await.expect(200);
    assert_eq!(again.text, first.text);
    let other = keyed(&gateway, &capture, &agent.key, "c1", r#"{"amount":0.02,"final":false}"#).await;
    other.refused(409, "IDEMPOTENCY_CONFLICT", None);
    let next = keyed(&gateway, &capture, &agent.key, "c2", body).await.expect(200);
    assert!(next.text.contains(r#""captured":0.02,"#), "{}", next.text);
}

#[tokio::test]
async fn a_record_without_a_name_takes_the_clients_key() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = r#"{"amount":0.01,"recipientAddress":"0x1","resourceUrl":"https://api.example.com/1"}"#;
    let path = "/api/sdk/x402/record";
    for (key, status) in [("r1", "recorded"), ("r1", "duplicate"), ("r2", "recorded")] {
        assert_eq!(keyed(&gateway, path, &agent.key, key, body).await.expect(200).text("status"), status, "{key}");
    }
    let unnamed = gateway.post(path, &agent.key, body).await.expect(200);
    assert_eq!(unnamed.text("status"), "recorded");
}

#[tokio::test]
async fn one_transaction_may_settle_many_calls() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/record";
    let record = |resource: &str| {
        format!(
            r#"{{"amount":0.01,"recipientAddress":"0x1","txHash":"0xsame","resourceUrl":"https://api.example.com/{resource}"}}"#
        )
    };
    for (resource, status) in [("1", "recorded"), ("2", "recorded"), ("1", "duplicate")] {
        assert_eq!(gateway.post(path, &agent.key, &record(resource)).await.expect(200).text("status"), status);
    }
}

#[tokio::test]
async fn an_agent_is_created_once_a_key() {
    let gateway = Gateway::new();
    let body = r#"{"name":"shopper"}"#;
    let first = keyed(&gateway, "/api/agents", &gateway.operator, "a1", body).await.expect(201);
    let again = keyed(&gateway, "/api/agents", &gateway.operator, "a1", body).await.expect(201);
    assert_eq!(again.text("id"), first.text("id"));
}
