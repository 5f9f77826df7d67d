//! The documented flows, body for body.

use serde_json::json;

use crate::gateway::{
    Gateway, MPP_PRE_AUTHORIZE, MPP_RECORD, MPP_SETTLEMENT, X402_BATCH, X402_PRE_AUTHORIZE, X402_RECORD,
};

#[tokio::test]
async fn an_x402_call_is_approved_paid_and_recorded() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let approved = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    let body = approved.json();
    assert_eq!(body["authorized"], json!(true));
    assert_eq!(body["wallet"]["id"], "wal_123");
    assert_eq!(body["wallet"]["address"], "0xAgentWallet");
    assert_eq!(body["wallet"]["chainId"], "8453");
    assert!(approved.text.contains(r#""availableBalance":499.95}"#), "{}", approved.text);
    assert!(approved.text.contains(r#""remaining":499.95,"#), "{}", approved.text);
    assert_eq!(body["expiresAt"], "2026-11-20T12:05:00.000Z");
    assert!(body["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()));
    assert!(body.get("violations").is_none());

    let recorded = gateway.post("/api/sdk/x402/record", &agent.key, X402_RECORD).await.expect(200).json();
    assert_eq!(
        (&recorded["recorded"], &recorded["duplicates"], &recorded["errors"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!((&recorded["status"], &recorded["booking"]), (&json!("recorded"), &json!("matched")));
    assert_eq!(recorded["authorizationId"], body["authorizationId"]);
    assert_eq!(recorded["results"][0]["authorizationId"], body["authorizationId"]);

    let id = body["authorizationId"].as_str().unwrap();
    let hold = gateway.get(&format!("/api/sdk/authorizations/{id}"), &agent.key).await.expect(200);
    assert_eq!(hold.text("status"), "CAPTURED");
    assert!(hold.text.contains(r#""amount":0.05,"captured":0.05,"refunded":0.00,"#), "{}", hold.text);
}

#[tokio::test]
async fn a_denial_is_a_normal_answer_that_names_every_limit() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    gateway
        .policy(
            r#"{"ruleType":"X402_PRICE_CEILING","operator":"LTE","value":"0.01","action":"ALLOW"},
               {"ruleType":"X402_ALLOWED_SERVICES","operator":"IN_LIST","value":["api.openai.com"],"action":"ALLOW"}"#,
        )
        .await;
    let denied = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    let body = denied.json();
    assert_eq!(body["authorized"], json!(false));
    assert_eq!(body["reasons"].as_array().map(Vec::len), Some(2));
    assert_eq!(body["violations"][0]["type"], "X402_PRICE_CEILING");
    assert!(denied.text.contains(r#""limit":0.01,"current":0.05,"#), "{}", denied.text);
    assert_eq!(body["violations"][1]["type"], "X402_SERVICE_NOT_ALLOWED");
    assert!(body.get("authorizationId").is_none());
}

#[tokio::test]
async fn a_batch_is_booked_item_by_item_and_once() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let first = gateway.post("/api/sdk/x402/record", &agent.key, X402_BATCH).await.expect(200);
    let body = first.json();
    assert_eq!(body["recorded"], json!(2));
    assert!(first.text.contains(r#""totalAmount":0.03,"#), "{}", first.text);
    assert_eq!(body["results"][1]["booking"], "unauthorized");
    let again = gateway.post("/api/sdk/x402/record", &agent.key, X402_BATCH).await.expect(200).json();
    assert_eq!((&again["recorded"], &again["duplicates"]), (&json!(0), &json!(2)));
    let other_shape = X402_BATCH.replace("\"batch\"", "\"payments\"").replace("transactionHash", "txHash");
    let again = gateway.post("/api/sdk/x402/record", &agent.key, &other_shape).await.expect(200).json();
    assert_eq!((&again["recorded"], &again["duplicates"]), (&json!(0), &json!(2)));

    let services = gateway.get("/api/sdk/x402/services", &agent.key).await.expect(200);
    assert!(
        services.text.contains(r#"{"serviceDomain":"api.example.com","totalSpend":0.03,"totalCalls":2,"held":0.00,"#),
        "{}",
        services.text
    );
    let budget = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200);
    assert!(budget.text.contains(r#""remaining":499.97,"spent":0.03,"calls":2,"#), "{}", budget.text);
    assert!(
        budget.text.contains(r#"{"type":"DAILY_LIMIT","limit":500.00,"used":0.03,"remaining":499.97}"#),
        "{}",
        budget.text
    );
}

#[tokio::test]
async fn one_bad_item_does_not_spoil_the_others() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = r#"{"batch":[
        {"amount":0.01,"recipientAddress":"0x1","transactionHash":"0xa","resourceUrl":"https://api.example.com/1"},
        {"amount":"abc","recipientAddress":"0x1","transactionHash":"0xb","resourceUrl":"https://api.example.com/2"},
        7,
        {"amount":0.02,"recipientAddress":"0x1","transactionHash":"0xc","resourceUrl":"https://api.example.com/3"}]}"#;
    let body = gateway.post("/api/sdk/x402/record", &agent.key, body).await.expect(200).json();
    assert_eq!((&body["recorded"], &body["errors"]), (&json!(2), &json!(2)));
    assert_eq!(body["results"][1]["error"]["code"], "INVALID_AMOUNT");
    assert_eq!(body["results"][1]["error"]["field"], "batch[1].amount");
    assert_eq!(body["results"][2]["error"]["field"], "batch[2]");
    assert_eq!(body["results"][3]["status"], "recorded");
}

#[tokio::test]
async fn an_mpp_session_holds_its_deposit_until_it_is_closed() {
    let gateway = Gateway::new();
    let agent = gateway.agent("streamer").await;
    let opened = gateway.post("/api/sdk/mpp/pre-authorize", &agent.key, MPP_PRE_AUTHORIZE).await.expect(200);
    let deposit = opened.text("authorizationId");
    assert!(opened.text.contains(r#""availableBalance":490.00}"#), "{}", opened.text);

    let record = gateway.post("/api/sdk/mpp/record", &agent.key, MPP_RECORD).await.expect(200).json();
    assert_eq!((&record["booking"], &record["authorizationId"]), (&json!("session"), &json!(deposit)));
    let settled = gateway.post("/api/sdk/mpp/record", &agent.key, MPP_SETTLEMENT).await.expect(200).json();
    assert_eq!((&settled["recorded"], &settled["totalCalls"]), (&json!(1), &json!(2)));
    let again = gateway.post("/api/sdk/mpp/record", &agent.key, MPP_SETTLEMENT).await.expect(200).json();
    assert_eq!((&again["recorded"], &again["status"]), (&json!(0), &json!("duplicate")));

    let budget = gateway.get("/api/sdk/mpp/budget?sessionId=mpp_session_xyz", &agent.key).await.expect(200);
    let session = r#""session":{"sessionId":"mpp_session_xyz","status":"OPEN","deposit":10.00,"spent":7.00,"held":0.00,"remaining":3.00,"#;
    assert!(budget.text.contains(session), "{}", budget.text);

    let close = r#"{"sessionId":"mpp_session_xyz"}"#;
    let closed = gateway.post("/api/sdk/mpp/sessions/close", &agent.key, close).await.expect(200);
    assert_eq!(closed.text, r#"{"sessionId":"mpp_session_xyz","spent":7.00,"released":3.00}"#);
    let again = gateway.post("/api/sdk/mpp/sessions/close", &agent.key, close).await.expect(200);
    assert_eq!(again.text, closed.text);
    let budget = gateway.get("/api/sdk/mpp/budget", &agent.key).await.expect(200);
    assert!(budget.text.contains(r#""remaining":493.00,"spent":7.00,"#), "{}", budget.text);
}

#[tokio::test]
async fn every_verb_of_a_hold_answers_in_its_shape() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = X402_PRE_AUTHORIZE.replace("0.05", "1.00");
    let id = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &body).await.expect(200).text("authorizationId");
    let verb = |verb: &str| format!("/api/sdk/authorizations/{id}/{verb}");
    for (name, body, expected) in [
        (
            "extend",
            r#"{"holdSeconds":600}"#,
            format!(r#"{{"authorizationId":"{id}","expiresAt":"2026-11-20T12:10:00.000Z"}}"#),
        ),
        (
            "increment",
            r#"{"amount":0.50}"#,
            format!(r#"{{"authorized":true,"authorizationId":"{id}","amount":1.50,"remaining":498.50,"reasons":[]}}"#),
        ),
        (
            "capture",
            r#"{"amount":0.25,"final":false}"#,
            format!(r#"{{"authorizationId":"{id}","captured":0.25,"overage":0.00,"held":1.25,"late":false}}"#),
        ),
        (
            "capture",
            r#"{"amount":"0.25"}"#,
            format!(r#"{{"authorizationId":"{id}","captured":0.50,"overage":0.00,"held":0.00,"late":false}}"#),
        ),
        ("refund", r#"{"amount":0.10}"#, format!(r#"{{"authorizationId":"{id}","refunded":0.10}}"#)),
    ] {
        assert_eq!(gateway.post(&verb(name), &agent.key, body).await.expect(200).text, expected, "{name}");
    }
    gateway.post(&verb("void"), &agent.key, "").await.refused(400, "INVALID_STATUS", None);
    let other =
        gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &body).await.expect(200).text("authorizationId");
    let voided = gateway.post(&format!("/api/sdk/authorizations/{other}/void"), &agent.key, "").await.expect(200);
    assert_eq!(voided.text, format!(r#"{{"authorizationId":"{other}","released":1.00}}"#));
    let denied =
        gateway.post(&format!("/api/sdk/authorizations/{other}/increment"), &agent.key, r#"{"amount":600}"#).await;
    denied.refused(400, "INVALID_STATUS", None);
}

#[tokio::test]
async fn a_hold_that_has_expired_says_so() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = X402_PRE_AUTHORIZE.replace("\"scheme\"", "\"expiresInSeconds\": 10, \"scheme\"");
    let approved = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &body).await.expect(200);
    assert_eq!(approved.text("expiresAt"), "2026-11-20T12:00:10.000Z");
    gateway.advance_seconds(60);
    let extend = format!("/api/sdk/authorizations/{}/extend", approved.text("authorizationId"));
    gateway.post(&extend, &agent.key, r#"{"holdSeconds":600}"#).await.refused(400, "EXPIRED", None);
}

#[tokio::test]
async fn a_capture_for_somebody_else_is_refused_and_counted() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let approved = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    let id = approved.text("authorizationId");
    let path = format!("/api/sdk/authorizations/{id}/capture");
    let body = r#"{"amount":0.04,"recipientAddress":"0xSomebodyElse","idempotencyKey":"c1"}"#;
    for _ in 0..2 {
        let refused = gateway.post(&path, &agent.key, body).await;
        refused.refused(403, "RECIPIENT_MISMATCH", None);
        assert_eq!((refused.text("authorizationId"), refused.text("booking")), (id.clone(), "misdirected".to_owned()));
        assert!(refused.text.contains(r#""overage":0.04}"#), "{}", refused.text);
    }
    let budget = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200);
    assert!(budget.text.contains(r#""spent":0.04,"#) && budget.text.contains(r#""held":0.05,"#), "{}", budget.text);
    let record =
        X402_RECORD.replace("{", &format!(r#"{{"authorizationId":"{id}","#)).replace("0xFacilitatorAddress", "0xElse");
    let recorded = gateway.post("/api/sdk/x402/record", &agent.key, &record).await.expect(200);
    assert_eq!((recorded.text("booking"), recorded.text("authorizationId")), ("misdirected".to_owned(), id.clone()));

    let right = r#"{"amount":0.05,"recipientAddress":"0xfacilitatoraddress"}"#;
    let captured = gateway.post(&path, &agent.key, right).await.expect(200);
    assert!(captured.text.contains(r#""captured":0.05,"overage":0.00,"#), "{}", captured.text);
}

#[tokio::test]
async fn facts_are_part_of_a_payment() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = |facts: &str| {
        format!(
            r#"{{"amount":0.05,"recipientAddress":"0x1","resourceUrl":"https://a.b","idempotencyKey":"k1",{facts}}}"#
        )
    };
    let path = "/api/sdk/x402/pre-authorize";
    let facts = r#""category":"SAAS","chainId":8453,"context":{"country":"DE"},"validBefore":"2026-11-20T12:10:00Z""#;
    let approved = gateway.post(path, &agent.key, &body(facts)).await.expect(200);
    assert_eq!(approved.text("expiresAt"), "2026-11-20T12:10:00.000Z");
    gateway.post(path, &agent.key, &body(&facts.replace("8453", "\"eip155:8453\""))).await.expect(200);
    let other = gateway.post(path, &agent.key, &body(&facts.replace("SAAS", "CLOUD"))).await;
    other.refused(409, "IDEMPOTENCY_CONFLICT", None);
    for (facts, field) in [
        (r#""country":"Germany""#, "country"),
        (r#""functionSelector":"transfer""#, "functionSelector"),
        (r#""splits":[{"recipient":"0x2","amount":0.06}]"#, "splits"),
        (r#""validBefore":"2026-11-20T12:00:00Z""#, "validBefore"),
        (r#""trustScore":"high""#, "trustScore"),
    ] {
        let body = body(facts).replace("k1", "k2");
        gateway.post(path, &agent.key, &body).await.refused(400, "VALIDATION_ERROR", Some(field));
    }
}
