//! Budget requests from asking to exhaustion, in the words of both sides.

use serde_json::{Value, json};

use crate::gateway::{Agent, Gateway};

const ASKED: &str = r#"{"amount":50,"purpose":"research reports","category":"API_PROVIDER","metadata":{"ticket":[7]}}"#;
const HOUR: u64 = 3600;

fn pay(amount: &str) -> String {
    format!(r#"{{"amount":{amount},"recipientAddress":"0xpayee","resourceUrl":"https://api.example.com/a"}}"#)
}

/// An agent with a budget that waits, and the budget's id.
async fn waiting(gateway: &Gateway) -> (Agent, String) {
    let agent = gateway.agent("shopper").await;
    let id = gateway.post("/api/sdk/budget-requests", &agent.key, ASKED).await.expect(201).text("id");
    (agent, id)
}

async fn decide(gateway: &Gateway, id: &str, body: &str) -> Value {
    gateway.post(&format!("/api/budget-requests/{id}"), &gateway.operator, body).await.expect(200).json()
}

#[tokio::test]
async fn both_paths_ask_and_show() {
    let gateway = Gateway::new();
    for path in ["/api/sdk/budget-request", "/api/sdk/budget-requests"] {
        let agent = gateway.agent("shopper").await;
        let asked = gateway.post(path, &agent.key, ASKED).await.expect(201).json();
        assert_eq!((&asked["status"], &asked["requestedAmount"]), (&json!("PENDING"), &json!(50.0)));
        assert_eq!((&asked["agentId"], &asked["agentName"]), (&json!(agent.id), &json!("shopper")));
        assert_eq!((&asked["approvedAmount"], &asked["remaining"]), (&Value::Null, &Value::Null));
        assert_eq!(asked["metadata"], json!({"ticket": [7]}));
        assert_eq!(asked["expiresAt"], "2026-11-21T12:00:00.000Z", "a day after it was made");
        let again = gateway.post(path, &agent.key, r#"{"amount":1,"purpose":"more"}"#).await;
        again.refused(409, "BUDGET_REQUEST_EXISTS", None);

        let id = asked["id"].as_str().unwrap();
        assert_eq!(gateway.get(&format!("{path}/{id}"), &agent.key).await.expect(200).json(), asked);
        for (query, found) in [
            (String::new(), 1),
            (format!("?id={id}"), 1),
            ("?status=PENDING".to_owned(), 1),
            ("?status=EXHAUSTED".to_owned(), 0),
            (format!("?id={id}&status=REJECTED"), 0),
        ] {
            let list = gateway.get(&format!("{path}{query}"), &agent.key).await.expect(200).json();
            assert_eq!(list["budgetRequests"].as_array().map(Vec::len), Some(found), "{query}");
        }
        gateway.get(&format!("{path}?status=pending"), &agent.key).await.refused(
            400,
            "VALIDATION_ERROR",
            Some("status"),
        );
        gateway.get(&format!("{path}?id=7"), &agent.key).await.refused(400, "VALIDATION_ERROR", Some("id"));
        let unknown = format!("{path}/bud_{:032x}", 7);
        gateway.get(&unknown, &agent.key).await.refused(404, "NOT_FOUND", None);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for (body, code, field) in [
        (r#"{"purpose":"p"}"#, "VALIDATION_ERROR", "amount"),
        (r#"{"amount":0,"purpose":"p"}"#, "INVALID_AMOUNT", "amount"),
        (r#"{"amount":1}"#, "VALIDATION_ERROR", "purpose"),
        (r#"{"amount":1,"purpose":""}"#, "VALIDATION_ERROR", "purpose"),
        (r#"{"amount":1,"purpose":"p","metadata":"x"}"#, "VALIDATION_ERROR", "metadata"),
        (r#"{"amount":1,"purpose":"p","category":7}"#, "VALIDATION_ERROR", "category"),
    ] {
        gateway.post("/api/sdk/budget-request", &agent.key, body).await.refused(400, code, Some(field));
    }
    let key = [("authorization", format!("Bearer {}", agent.key)), ("idempotency-key", "once".to_owned())];
    let headers: Vec<(&str, &str)> =
        key.iter().map(|(name, value)| (*name, value.as_str())).chain([("content-type", "application/json")]).collect();
    let first = gateway.send("POST", "/api/sdk/budget-request", &headers, ASKED).await.expect(201).json();
    let again = gateway.send("POST", "/api/sdk/budget-requests", &headers, ASKED).await.expect(201).json();
    assert_eq!(first, again, "a retry asks once");
    let other = gateway.send("POST", "/api/sdk/budget-requests", &headers, r#"{"amount":1,"purpose":"p"}"#).await;
    other.refused(409, "IDEMPOTENCY_CONFLICT", None);
}

#[tokio::test]
async fn a_budget_is_asked_for_approved_spent_and_exhausted() {
    let gateway = Gateway::new();
    let (agent, id) = waiting(&gateway).await;
    let before = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &pay("1")).await.expect(200).json();
    assert_eq!(before["authorized"], json!(true), "what waits limits nothing");
    assert!(before.get("budgetRequest").is_none());

    let decision = r#"{"decision":"APPROVED","approvedAmount":40,"expiresInHours":12,"comment":"this week"}"#;
    let approved = decide(&gateway, &id, decision).await;
    assert_eq!((&approved["status"], &approved["comment"]), (&json!("APPROVED"), &json!("this week")));
    assert_eq!((&approved["approvedAmount"], &approved["adjusted"]), (&json!(40.0), &json!(true)));
    assert_eq!(approved["expiresAt"], "2026-11-21T00:00:00.000Z");
    assert_eq!(decide(&gateway, &id, decision).await, approved);

    let held = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &pay("30")).await.expect(200).json();
    let snapshot = &held["budgetRequest"];
    assert_eq!((&held["authorized"], &held["remaining"]), (&json!(true), &json!(10.0)));
    assert_eq!((&snapshot["id"], &snapshot["held"], &snapshot["remaining"]), (&json!(id), &json!(30.0), &json!(10.0)));
    let denied = gateway.post("/api/sdk/mpp/pre-authorize", &agent.key, &pay("10.01")).await.expect(200).json();
    assert_eq!(denied["violations"][0]["type"], "BUDGET_EXCEEDED");
    assert_eq!(denied["budgetRequest"]["status"], "APPROVED");

    let recorded = gateway.post("/api/sdk/x402/record", &agent.key, &pay("30")).await.expect(200).json();
    let snapshot = &recorded["budgetRequest"];
    assert_eq!((&snapshot["currentSpend"], &snapshot["held"]), (&json!(30.0), &json!(0.0)));
    let batch = format!(r#"{{"batch":[{},{}]}}"#, pay("4"), pay("6"));
    let recorded = gateway.post("/api/sdk/mpp/record", &agent.key, &batch).await.expect(200).json();
    assert_eq!((&recorded["recorded"], &recorded["budgetRequest"]["status"]), (&json!(2), &json!("EXHAUSTED")));
    let blocked = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &pay("0.01")).await.expect(200).json();
    assert_eq!(
        (&blocked["authorized"], &blocked["violations"][0]["type"]),
        (&json!(false), &json!("BUDGET_EXHAUSTED"))
    );
    let budget = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200).json();
    assert!(budget["limits"].as_array().unwrap().iter().any(|limit| limit["type"] == "BUDGET_EXCEEDED"), "{budget}");

    gateway.advance_seconds(12 * HOUR);
    let after = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &pay("0.01")).await.expect(200).json();
    assert_eq!(after["authorized"], json!(true), "without a budget in force everything works as before");
    assert!(after.get("budgetRequest").is_none());
}

#[tokio::test]
async fn every_way_to_decide() {
    for (method, tail, body, status) in [
        ("POST", "", r#"{"decision":"APPROVED"}"#, "APPROVED"),
        ("PATCH", "", r#"{"decision":"REJECTED","comment":"no"}"#, "REJECTED"),
        ("POST", "/approve", "", "APPROVED"),
        ("POST", "/approve", r#"{"approvedAmount":"3.5"}"#, "APPROVED"),
        ("POST", "/reject", "", "REJECTED"),
        ("POST", "/reject", r#"{"comment":"no"}"#, "REJECTED"),
    ] {
        let gateway = Gateway::new();
        let (agent, id) = waiting(&gateway).await;
        let path = format!("/api/budget-requests/{id}{tail}");
        let decided = gateway.ask(method, &path, &gateway.operator, body).await.expect(200);
        assert_eq!(decided.text("status"), status, "{method} {tail} {body}");
        let other = if status == "APPROVED" { "reject" } else { "approve" };
        let other = format!("/api/budget-requests/{id}/{other}");
        gateway.post(&other, &gateway.operator, "").await.refused(400, "INVALID_STATUS", None);
        gateway.post(&other, &agent.key, "").await.refused(403, "INSUFFICIENT_SCOPE", None);
    }
}

#[tokio::test]
async fn what_nobody_decides_expires() {
    let gateway = Gateway::new();
    let (agent, id) = waiting(&gateway).await;
    gateway.advance_seconds(24 * HOUR);
    let path = format!("/api/budget-requests/{id}");
    gateway.post(&path, &gateway.operator, r#"{"decision":"APPROVED"}"#).await.refused(400, "EXPIRED", None);
    let shown = gateway.get(&format!("/api/sdk/budget-requests/{id}"), &agent.key).await.expect(200);
    assert_eq!(shown.text("status"), "EXPIRED");
    gateway.post("/api/sdk/budget-requests", &agent.key, ASKED).await.expect(201);
}

#[tokio::test]
async fn operators_see_the_requests_of_everybody() {
    let gateway = Gateway::new();
    let mut made = Vec::new();
    for _ in 0..6 {
        made.push(waiting(&gateway).await);
        gateway.advance_seconds(1);
    }
    decide(&gateway, &made[0].1, r#"{"decision":"REJECTED"}"#).await;
    let list = async |query: &str| {
        let page = gateway.get(&format!("/api/budget-requests{query}"), &gateway.operator).await.expect(200).json();
        let ids = page["budgetRequests"].as_array().unwrap().iter();
        ids.map(|request| request["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let newest_first: Vec<String> = made.iter().rev().map(|(_, id)| id.clone()).collect();
    assert_eq!(list("").await, newest_first);
    assert_eq!(list("?limit=2&offset=1").await, newest_first[1..3]);
    assert_eq!(list("?status=REJECTED").await, [made[0].1.clone()]);
    assert_eq!(list("?status=PENDING").await, newest_first[..5]);
    assert_eq!(list(&format!("?agentId={}", made[2].0.id)).await, [made[2].1.clone()]);
    for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("offset=999&limit=2", "offset")] {
        let refused = gateway.get(&format!("/api/budget-requests?{query}"), &gateway.operator).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
    let shown = gateway.get(&format!("/api/budget-requests/{}", made[1].1), &gateway.operator).await.expect(200);
    assert_eq!(shown.text("agentId"), made[1].0.id);
    gateway.get("/api/budget-requests", &made[0].0.key).await.refused(403, "INSUFFICIENT_SCOPE", None);
    let unknown = format!("/api/budget-requests/bud_{:032x}", 7);
    gateway.get(&unknown, &gateway.operator).await.refused(404, "NOT_FOUND", None);
}
