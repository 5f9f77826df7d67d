//! Payments that wait for people: agents ask and look, operators decide.

use serde_json::{Value, json};

use crate::gateway::{Agent, Gateway};

const PAY: &str = r#"{"amount":60,"recipientAddress":"0xpayee","resourceUrl":"https://api.example.com/report",
    "purpose":"the board's report","category":"API_PROVIDER","chainId":"8453","idempotencyKey":"report-7"}"#;

/// Payments above 50 are for people to decide, on these terms.
async fn asking(gateway: &Gateway, terms: &str) -> Agent {
    let rule = r#"{"ruleType":"REQUIRE_APPROVAL_ABOVE","operator":"GT","value":"50","action":"REQUIRE_APPROVAL"}"#;
    let body = format!(r#"{{"name":"ask","policyType":"APPROVAL_THRESHOLD","rules":[{rule}]{terms}}}"#);
    gateway.post("/api/policies", &gateway.operator, &body).await.expect(201);
    gateway.agent("shopper").await
}

async fn pre_authorize(gateway: &Gateway, agent: &Agent) -> Value {
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, PAY).await.expect(200).json()
}

/// A key of another operator.
async fn operator(gateway: &Gateway, name: &str) -> (String, String) {
    let body = format!(r#"{{"name":"{name}","type":"operator","scopes":["payments:approve"]}}"#);
    let issued = gateway.post("/api/api-keys", &gateway.operator, &body).await.expect(201);
    (issued.text("id"), issued.text("key"))
}

#[tokio::test]
async fn a_payment_waits_is_approved_and_paid() {
    let gateway = Gateway::new();
    let agent = asking(&gateway, "").await;
    let waits = pre_authorize(&gateway, &agent).await;
    assert_eq!((&waits["authorized"], &waits["status"]), (&json!(false), &json!("REQUIRES_APPROVAL")));
    assert_eq!(waits["expiresAt"], "2026-11-20T12:05:00.000Z");
    assert_eq!(waits["violations"][0]["type"], "REQUIRE_APPROVAL_ABOVE");
    assert_eq!(waits["reasons"].as_array().map(Vec::len), Some(1));
    assert_eq!(pre_authorize(&gateway, &agent).await, waits);
    let (hold, request) = (waits["authorizationId"].as_str().unwrap(), waits["approvalRequestId"].as_str().unwrap());
    let hold_path = format!("/api/sdk/authorizations/{hold}");
    let shown = gateway.get(&hold_path, &agent.key).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["approvalRequestId"]), (&json!("PENDING_APPROVAL"), &json!(request)));

    let listed = gateway.get("/api/approval-requests?status=PENDING", &gateway.operator).await.expect(200).json();
    let row = &listed["approvalRequests"][0];
    assert_eq!((&row["id"], &row["paymentRequestId"], &row["amount"]), (&json!(request), &json!(hold), &json!(60.0)));
    assert_eq!((&row["purpose"], &row["category"]), (&json!("the board's report"), &json!("API_PROVIDER")));
    assert_eq!((&row["agentId"], &row["recipientAddress"]), (&json!(agent.id), &json!("0xpayee")));
    let own = gateway.get("/api/sdk/approval-requests?type=payment&limit=5", &agent.key).await.expect(200).json();
    assert_eq!(own, listed);
    let own = gateway.get(&format!("/api/sdk/approval-requests/{request}"), &agent.key).await.expect(200).json();
    assert_eq!(own, *row);

    gateway.advance_seconds(240);
    let approve = format!("/api/approval-requests/{request}/approve");
    gateway.post(&approve, &agent.key, "").await.refused(403, "INSUFFICIENT_SCOPE", None);
    let approved = gateway.post(&approve, &gateway.operator, r#"{"comment":"fine"}"#).await.expect(200).json();
    assert_eq!((&approved["status"], &approved["givenApprovals"]), (&json!("APPROVED"), &json!(1)));
    assert_eq!(approved["decisions"][0]["comment"], "fine");
    assert_eq!(approved["payableUntil"], "2026-11-20T12:09:00.000Z", "from the approval on");
    assert_eq!(gateway.post(&approve, &gateway.operator, "").await.expect(200).json(), approved, "once is enough");
    let now = pre_authorize(&gateway, &agent).await;
    assert_eq!((&now["authorized"], &now["expiresAt"]), (&json!(true), &json!("2026-11-20T12:09:00.000Z")));
    let paid = gateway.post(&format!("{hold_path}/capture"), &agent.key, r#"{"amount":60}"#).await.expect(200).json();
    assert_eq!((&paid["overage"], &paid["late"]), (&json!(0.0), &json!(false)));
}

#[tokio::test]
async fn what_is_rejected_or_forgotten_is_declined() {
    for rejects in [true, false] {
        let gateway = Gateway::new();
        let agent = asking(&gateway, "").await;
        let waits = pre_authorize(&gateway, &agent).await;
        let path = format!("/api/approval-requests/{}", waits["approvalRequestId"].as_str().unwrap());
        if rejects {
            let body = r#"{"decision":"REJECTED","comment":"too dear"}"#;
            assert_eq!(
                gateway.ask("PATCH", &path, &gateway.operator, body).await.expect(200).text("status"),
                "REJECTED"
            );
        } else {
            gateway.advance_seconds(300);
        }
        let code = if rejects { "INVALID_STATUS" } else { "EXPIRED" };
        gateway.post(&path, &gateway.operator, r#"{"decision":"APPROVED"}"#).await.refused(400, code, None);
        let again = pre_authorize(&gateway, &agent).await;
        assert_eq!(
            (&again["authorized"], &again["violations"][0]["type"]),
            (&json!(false), &json!("APPROVAL_DECLINED"))
        );
        let hold = format!("/api/sdk/authorizations/{}", waits["authorizationId"].as_str().unwrap());
        assert_eq!(gateway.get(&hold, &agent.key).await.expect(200).text("status"), "DECLINED");
        let shown = gateway.get(&format!("/api/agents/{}", agent.id), &gateway.operator).await.expect(200).json();
        assert_eq!(shown["held"], json!(0.0), "{shown}");
    }
}

#[tokio::test]
async fn only_those_whom_the_policy_names_decide_and_as_many_as_it_wants() {
    let gateway = Gateway::new();
    let (ann_id, ann) = operator(&gateway, "ann").await;
    let (bob_id, bob) = operator(&gateway, "bob").await;
    let terms = format!(
        r#","approval":{{"requiredApprovals":2,"specificApprovers":["{ann_id}","{bob_id}"],"timeoutSeconds":3600}}"#
    );
    let agent = asking(&gateway, &terms).await;
    let waits = pre_authorize(&gateway, &agent).await;
    assert_eq!(waits["expiresAt"], "2026-11-20T13:00:00.000Z");
    let path = format!("/api/approval-requests/{}/approve", waits["approvalRequestId"].as_str().unwrap());
    gateway.post(&path, &gateway.operator, "").await.refused(403, "INSUFFICIENT_SCOPE", None);
    for (key, status, given) in [(&ann, "PENDING", 1), (&ann, "PENDING", 1), (&bob, "APPROVED", 2)] {
        let told = gateway.post(&path, key, "").await.expect(200).json();
        assert_eq!((&told["status"], &told["givenApprovals"]), (&json!(status), &json!(given)));
    }
}

#[tokio::test]
async fn a_frozen_agent_gets_no_approval() {
    let gateway = Gateway::new();
    let agent = asking(&gateway, "").await;
    let waits = pre_authorize(&gateway, &agent).await;
    let freeze = format!("/api/agents/{}", agent.id);
    gateway.ask("PATCH", &freeze, &gateway.operator, r#"{"status":"SUSPENDED"}"#).await.expect(200);
    let path = format!("/api/approval-requests/{}", waits["approvalRequestId"].as_str().unwrap());
    gateway.post(&format!("{path}/approve"), &gateway.operator, "").await.refused(400, "INVALID_STATUS", None);
    gateway.post(&format!("{path}/reject"), &gateway.operator, "").await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let gateway = Gateway::new();
    let agent = asking(&gateway, "").await;
    let other = gateway.agent("other").await;
    let waits = pre_authorize(&gateway, &agent).await;
    let id = waits["approvalRequestId"].as_str().unwrap();
    let path = format!("/api/approval-requests/{id}");
    for (body, field) in [
        ("{}", "decision"),
        (r#"{"decision":"LATER"}"#, "decision"),
        (r#"{"decision":"APPROVED","comment":1}"#, "comment"),
    ] {
        gateway.post(&path, &gateway.operator, body).await.refused(400, "VALIDATION_ERROR", Some(field));
    }
    for (query, field) in
        [("type=budget", "type"), ("status=OPEN", "status"), ("limit=0", "limit"), ("offset=1000", "offset")]
    {
        let refused = gateway.get(&format!("/api/sdk/approval-requests?{query}"), &agent.key).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
    gateway.get(&format!("/api/sdk/approval-requests/{id}"), &other.key).await.refused(404, "NOT_FOUND", None);
    let unknown = format!("/api/approval-requests/apr_{:032x}", 7);
    gateway.post(&unknown, &gateway.operator, r#"{"decision":"APPROVED"}"#).await.refused(404, "NOT_FOUND", None);
    gateway.get("/api/approval-requests", &agent.key).await.refused(403, "INSUFFICIENT_SCOPE", None);
}
