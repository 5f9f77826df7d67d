//! Lists of sanctions as operators load them over REST.

use serde_json::{Value, json};

use crate::gateway::{Agent, Gateway, X402_PRE_AUTHORIZE};

async fn load(gateway: &Gateway, body: &Value) -> Value {
    gateway.ask("PUT", "/api/sanctions", &gateway.operator, &body.to_string()).await.expect(200).json()
}

async fn shown(gateway: &Gateway) -> Value {
    gateway.get("/api/sanctions", &gateway.operator).await.expect(200).json()
}

/// What stands against the documented payment, first of all.
async fn against(gateway: &Gateway, agent: &Agent) -> Option<String> {
    let decision = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200).json();
    decision["violations"][0]["type"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_list_is_loaded_replaced_and_removed_while_agents_pay() {
    let gateway = Gateway::new();
    let agents = [gateway.agent("a").await, gateway.agent("b").await, gateway.agent("c").await];
    let none = json!({
        "checked": false, "source": null, "digest": null, "addresses": 0, "countries": 0, "revision": null, "loadedAt": null, "loadedBy": null
    });
    assert_eq!(shown(&gateway).await, none);
    gateway.ask("DELETE", "/api/sanctions", &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
    let first =
        load(&gateway, &json!({"source": "test", "addresses": ["0xFACILITATORaddress"], "countries": ["KP"]})).await;
    for (member, value) in [
        ("checked", json!(true)),
        ("source", json!("test")),
        ("addresses", json!(1)),
        ("countries", json!(1)),
        ("revision", json!(1)),
        ("loadedAt", json!("2026-11-20T12:00:00.000Z")),
        ("loadedBy", json!("first")),
    ] {
        assert_eq!(first[member], value, "{member} of {first}");
    }
    assert_eq!(shown(&gateway).await, first);
    let status = gateway.get("/api/status", &gateway.operator).await.expect(200).json();
    assert_eq!(status["sanctions"], first);
    for agent in &agents {
        assert_eq!(against(&gateway, agent).await.as_deref(), Some("SANCTIONED"));
    }
    let second = load(&gateway, &json!({"content": "address,currency\n0xbad,ETH\n12QtD5,XBT\n"})).await;
    assert_eq!((&second["addresses"], &second["revision"]), (&json!(2), &json!(2)));
    assert_ne!(second["digest"], first["digest"]);
    for agent in &agents {
        assert_eq!(against(&gateway, agent).await, None);
    }
    let removed = gateway.ask("DELETE", "/api/sanctions", &gateway.operator, "").await.expect(200).json();
    assert_eq!(removed, none);
    assert_eq!(shown(&gateway).await, none);
}

#[tokio::test]
async fn what_is_no_list_changes_nothing() {
    let gateway = Gateway::new();
    let before = load(&gateway, &json!({"addresses": ["0xbad"]})).await;
    for (body, field) in [
        (json!({}), "content"),
        (json!({"content": "# nothing\n"}), "content"),
        (json!({"content": "0x1\nsome words\n"}), "content"),
        (json!({"content": "0x1", "addresses": ["0x2"]}), "content"),
        (json!({"addresses": ["a b"]}), "addresses"),
        (json!({"addresses": "0x1"}), "addresses"),
        (json!({"countries": ["KPR"]}), "countries"),
    ] {
        let refused = gateway.ask("PUT", "/api/sanctions", &gateway.operator, &body.to_string()).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
    let codes: Vec<String> = (0..301u16)
        .map(|number| format!("{}{}", char::from(b'A' + (number / 26) as u8), char::from(b'A' + (number % 26) as u8)))
        .collect();
    let refused =
        gateway.ask("PUT", "/api/sanctions", &gateway.operator, &json!({"countries": codes}).to_string()).await;
    refused.refused(429, "CAPACITY_EXCEEDED", None);
    assert_eq!(shown(&gateway).await, before);
}

#[tokio::test]
async fn a_long_list_is_more_than_a_usual_body_and_in_force_as_a_whole() {
    let gateway = Gateway::new();
    let agent = gateway.agent("a").await;
    let mut content: String = (0..40_000).map(|number| format!("0x{number:040x}\n")).collect();
    content.push_str("0xFacilitatorAddress\n");
    assert!(content.len() > 1 << 20);
    let loaded = load(&gateway, &json!({"content": content})).await;
    assert_eq!(loaded["addresses"], json!(40_001));
    assert_eq!(against(&gateway, &agent).await.as_deref(), Some("SANCTIONED"));
}

#[tokio::test]
async fn the_audit_tells_who_loaded_what() {
    let gateway = Gateway::new();
    let first = load(&gateway, &json!({"source": "one", "addresses": ["0xbad"]})).await;
    load(&gateway, &json!({"source": "two", "addresses": ["0xworse"]})).await;
    gateway.ask("DELETE", "/api/sanctions", &gateway.operator, "").await.expect(200);
    let told = gateway.get("/api/audit?resource=sanctions", &gateway.operator).await.expect(200).json();
    let entries = told["entries"].as_array().unwrap_or_else(|| panic!("{told}"));
    let mut actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["CREATE", "DELETE", "UPDATE"], "{told}");
    let update = entries.iter().find(|entry| entry["action"] == "UPDATE").unwrap();
    assert_eq!((&update["previousState"]["source"], &update["newState"]["source"]), (&json!("one"), &json!("two")));
    assert_eq!(update["previousState"]["digest"], first["digest"]);
    assert_eq!(update["actorName"], json!("first"));
}
