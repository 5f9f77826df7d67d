//! The directory of payees as operators keep it, and what it does to payments.

use serde_json::{Value, json};

use crate::gateway::{Agent, Gateway, X402_PRE_AUTHORIZE};

const PAYEE: &str = "0xFacilitatorAddress";

async fn put(gateway: &Gateway, body: &Value) -> Value {
    gateway.post("/api/counterparties", &gateway.operator, &body.to_string()).await.expect(201).json()
}

async fn found(gateway: &Gateway, query: &str) -> Vec<String> {
    let page = gateway.get(&format!("/api/counterparties{query}"), &gateway.operator).await.expect(200).json();
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    page["counterparties"].as_array().unwrap().iter().map(name).collect()
}

/// The violations of the documented payment.
async fn violations(gateway: &Gateway, agent: &Agent) -> Vec<Value> {
    let decision = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200).json();
    let violations = decision["violations"].as_array().cloned().unwrap_or_default();
    assert_eq!(decision["authorized"], json!(violations.is_empty()), "{decision}");
    violations.iter().map(|violation| violation["type"].clone()).collect()
}

#[tokio::test]
async fn what_the_directory_says_decides_payments_in_every_shard() {
    let gateway = Gateway::new();
    let agents = [gateway.agent("a").await, gateway.agent("b").await, gateway.agent("c").await];
    let trusted = r#"{"ruleType":"COUNTERPARTY_STATUS","operator":"IN_LIST","value":"[\"TRUSTED\"]","action":"ALLOW"}"#;
    gateway.policy(trusted).await;
    let entry = put(&gateway, &json!({"name": "Facilitator", "address": PAYEE})).await;
    let path = format!("/api/counterparties/{}", entry["id"].as_str().unwrap());
    for (change, count, is_blocked) in [
        ("{}", 1, false),
        (r#"{"trustLevel":"TRUSTED"}"#, 0, false),
        (r#"{"approvalStatus":"APPROVED"}"#, 1, false),
        (r#"{"trustLevel":"BLOCKED"}"#, 2, true),
    ] {
        gateway.ask("PATCH", &path, &gateway.operator, change).await.expect(200);
        for agent in &agents {
            let told = violations(&gateway, agent).await;
            assert_eq!(told.len(), count, "{change} {told:?}");
            assert_eq!(told.first() == Some(&json!("BLOCKED_COUNTERPARTY")), is_blocked, "{change} {told:?}");
        }
    }
    let removed = gateway.ask("DELETE", &path, &gateway.operator, "").await.expect(200).json();
    assert_eq!((&removed["id"], &removed["removed"]), (&entry["id"], &json!(true)));
    assert_eq!(violations(&gateway, &agents[0]).await.len(), 1);
    for method in ["GET", "DELETE"] {
        gateway.ask(method, &path, &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
    }
    gateway.ask("PATCH", &path, &gateway.operator, "{}").await.refused(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn an_entry_is_shown_as_it_was_written() {
    let gateway = Gateway::new();
    let body = json!({
        "name": "Example Compute", "type": "VENDOR", "address": "0xAbc", "category": "INFRASTRUCTURE", "country": "de", "mcc": "5734",
        "trustScore": 0.75, "fairscaleScore": 60.0, "trustLevel": "VERIFIED", "description": "GPUs"
    });
    let mut entry = put(&gateway, &body).await;
    let path = format!("/api/counterparties/{}", entry["id"].as_str().unwrap());
    assert_eq!(gateway.get(&path, &gateway.operator).await.expect(200).json(), entry);
    for (member, value) in body.as_object().unwrap() {
        let expected = if member == "country" { json!("DE") } else { value.clone() };
        assert_eq!(entry[member], expected, "{member}");
    }
    assert_eq!((&entry["approvalStatus"], &entry["revision"]), (&json!("APPROVED"), &json!(1)));
    // What it prints can be written again; the same again is no change.
    assert_eq!(put(&gateway, &entry).await, entry);
    entry["name"] = json!("Another Name");
    assert_eq!(put(&gateway, &entry).await["revision"], json!(2));
    // One address is one counterparty, whatever its case.
    let again = json!({"name": "Twin", "address": "0xABC"}).to_string();
    gateway.post("/api/counterparties", &gateway.operator, &again).await.refused(
        400,
        "VALIDATION_ERROR",
        Some("address"),
    );
    for (body, field) in [
        (json!({"address": "0x1"}), "name"),
        (json!({"name": "n"}), "address"),
        (json!({"name": "n", "address": "0x1", "trustLevel": "FRIEND"}), "trustLevel"),
        (json!({"name": "n", "address": "0x1", "country": "Germany"}), "country"),
        (json!({"name": "n", "address": "0x1", "mcc": "1"}), "merchantCategory"),
        (json!({"name": "n", "address": "0x1", "trustScore": 200}), "trustScore"),
    ] {
        let refused = gateway.post("/api/counterparties", &gateway.operator, &body.to_string()).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
}

#[tokio::test]
async fn a_repeated_key_describes_once() {
    let gateway = Gateway::new();
    let bearer = format!("Bearer {}", gateway.operator);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k")];
    let body = r#"{"name":"n","address":"0x1"}"#;
    let first = gateway.send("POST", "/api/counterparties", &headers, body).await.expect(201).json();
    assert_eq!(gateway.send("POST", "/api/counterparties", &headers, body).await.expect(201).json(), first);
    assert_eq!(found(&gateway, "").await, ["n"]);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let gateway = Gateway::new();
    for number in 0..7 {
        let level = if number % 2 == 0 { "TRUSTED" } else { "UNKNOWN" };
        let (address, name) = (format!("0xA{number}"), format!("n{number}"));
        let id = format!("cp_{number:032x}");
        let body =
            json!({"id": id, "name": name, "address": address, "trustLevel": level, "type": "VENDOR", "country": "DE"});
        put(&gateway, &body).await;
    }
    put(
        &gateway,
        &json!({"id": format!("cp_{:032x}", 9), "name": "odd", "address": "merchant:odd", "category": "SAAS"}),
    )
    .await;
    assert_eq!(found(&gateway, "?trustLevel=TRUSTED").await, ["n0", "n2", "n4", "n6"]);
    assert_eq!(found(&gateway, "?address=0xa3").await, ["n3"]);
    assert_eq!(found(&gateway, "?category=saas").await, ["odd"]);
    assert_eq!(found(&gateway, "?type=VENDOR&country=de&trustLevel=unknown").await, ["n1", "n3", "n5"]);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/counterparties?trustLevel=TRUSTED&limit=2{cursor}");
        let page = gateway.get(&path, &gateway.operator).await.expect(200).json();
        names.extend(page["counterparties"].as_array().unwrap().iter().map(|entry| entry["name"].clone()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["n0", "n2", "n4", "n6"]);
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?cursor=7", "cursor"),
        ("?trustLevel=x", "trustLevel"),
        ("?address=a%20b", "address"),
    ] {
        let refused = gateway.get(&format!("/api/counterparties{query}"), &gateway.operator).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
}

#[tokio::test]
async fn only_operators_may_and_the_audit_tells_what_they_did() {
    let gateway = Gateway::new();
    let agent = gateway.agent("a").await;
    let body = json!({"name": "n", "address": "0x1", "trustLevel": "BLOCKED"}).to_string();
    gateway.post("/api/counterparties", &agent.key, &body).await.refused(403, "INSUFFICIENT_SCOPE", None);
    gateway.get("/api/counterparties", &agent.key).await.refused(403, "INSUFFICIENT_SCOPE", None);
    let id = gateway.post("/api/counterparties", &gateway.operator, &body).await.expect(201).text("id");
    let path = format!("/api/counterparties/{id}");
    gateway.ask("PATCH", &path, &gateway.operator, r#"{"trustLevel":"TRUSTED"}"#).await.expect(200);
    gateway.ask("DELETE", &path, &gateway.operator, "").await.expect(200);
    let told = gateway.get("/api/audit?resource=counterparty", &gateway.operator).await.expect(200).json();
    let entries = told["entries"].as_array().unwrap_or_else(|| panic!("{told}"));
    let mut actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    actions.sort();
    assert_eq!(actions, ["CREATE", "DELETE", "UPDATE"], "{told}");
    let update = entries.iter().find(|entry| entry["action"] == "UPDATE").unwrap();
    assert_eq!(update["previousState"]["trustLevel"], "BLOCKED", "{update}");
    assert_eq!(update["newState"]["trustLevel"], "TRUSTED", "{update}");
    assert_eq!(update["resourceId"], json!(id));
}
