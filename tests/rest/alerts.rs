//! Alerts and freezing, as operators and agents see them.

use serde_json::{Value, json};

use crate::gateway::{Agent, Gateway, X402_PRE_AUTHORIZE, X402_RECORD};

async fn alerts(gateway: &Gateway, query: &str) -> Vec<Value> {
    let page = gateway.get(&format!("/api/alerts{query}"), &gateway.operator).await.expect(200).json();
    page["alerts"].as_array().unwrap().clone()
}

async fn is_authorized(gateway: &Gateway, agent: &Agent) -> bool {
    let decision = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    decision.json()["authorized"] == json!(true)
}

#[tokio::test]
async fn an_alert_lives_from_its_finding_to_its_resolution() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    gateway.post("/api/sdk/x402/record", &agent.key, X402_RECORD).await.expect(200);
    let found = alerts(&gateway, "").await;
    assert_eq!(found.len(), 1);
    let alert = &found[0];
    for (member, expected) in [
        ("type", json!("UNAUTHORIZED_SPEND")),
        ("severity", json!("CRITICAL")),
        ("status", json!("ACTIVE")),
        ("title", json!("Unauthorized spend")),
        ("agentId", json!(agent.id)),
        ("agent", json!({"id": agent.id, "name": "shopper"})),
        ("walletId", json!("wal_123")),
        ("serviceDomain", json!("api.example.com")),
        ("count", json!(1)),
        ("frozeAgent", json!(false)),
    ] {
        assert_eq!(alert[member], expected, "{member} of {alert}");
    }
    assert_eq!(alert["metadata"]["currentSpend"], json!(0.05));
    let path = format!("/api/alerts/{}", alert["id"].as_str().unwrap());
    assert_eq!(gateway.get(&path, &gateway.operator).await.expect(200).json(), *alert);
    for (method, path, body, status) in [
        ("POST", format!("{path}/acknowledge"), "", "ACKNOWLEDGED"),
        ("PATCH", format!("{path}/acknowledge"), "", "ACKNOWLEDGED"),
        ("PATCH", path.clone(), r#"{"status":"ACTIVE"}"#, "ACTIVE"),
        ("PATCH", format!("{path}/resolve"), "", "RESOLVED"),
        ("POST", format!("{path}/resolve"), "", "RESOLVED"),
    ] {
        let changed = gateway.ask(method, &path, &gateway.operator, body).await.expect(200);
        assert_eq!(changed.text("status"), status, "{method} {path}");
    }
    let again = gateway.ask("POST", &format!("{path}/acknowledge"), &gateway.operator, "").await;
    again.refused(400, "VALIDATION_ERROR", Some("status"));
    for bad in [r#"{"status":"resolved"}"#, "{}"] {
        gateway.ask("PATCH", &path, &gateway.operator, bad).await.refused(400, "VALIDATION_ERROR", Some("status"));
    }
    for unknown in [format!("alt_{:032x}", 77), format!("alt_{:032x}", u128::MAX)] {
        gateway.get(&format!("/api/alerts/{unknown}"), &gateway.operator).await.refused(404, "NOT_FOUND", None);
    }
}

#[tokio::test]
async fn alerts_are_listed_the_latest_first_by_what_they_are() {
    let gateway = Gateway::new();
    let mut agents = Vec::new();
    for index in 0..7 {
        let agent = gateway.agent(&format!("agent {index}")).await;
        gateway.post("/api/sdk/x402/record", &agent.key, X402_RECORD).await.expect(200);
        if index == 3 {
            gateway.advance_seconds(1);
        }
        agents.push(agent);
    }
    let freeze = format!("/api/agents/{}/freeze", agents[0].id);
    gateway.post(&freeze, &gateway.operator, r#"{"reason":"a drill"}"#).await.expect(200);
    let (mut found, mut path, mut pages) = (Vec::new(), "/api/alerts?limit=3".to_owned(), 0);
    loop {
        let page = gateway.get(&path, &gateway.operator).await.expect(200).json();
        found.extend(page["alerts"].as_array().unwrap().iter().cloned());
        pages += 1;
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/alerts?limit=3&cursor={cursor}");
    }
    assert_eq!((found.len(), pages), (8, 3));
    let times: Vec<&str> = found.iter().map(|alert| alert["createdAt"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "{times:?}");
    let mut ids: Vec<&str> = found.iter().map(|alert| alert["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    let of_first = format!("?agentId={}", agents[0].id);
    for (query, count) in [
        ("?type=MANUAL", 1),
        ("?type=UNAUTHORIZED_SPEND", 7),
        ("?severity=CRITICAL", 8),
        ("?severity=INFO", 0),
        ("?status=ACTIVE", 8),
        ("?status=RESOLVED&type=MANUAL", 0),
        (&of_first, 2),
    ] {
        assert_eq!(alerts(&gateway, query).await.len(), count, "{query}");
    }
    for (query, field) in [
        ("status=active", "status"),
        ("severity=x", "severity"),
        ("type=x", "type"),
        ("limit=0", "limit"),
        ("cursor=1", "cursor"),
    ] {
        let refused = gateway.get(&format!("/api/alerts?{query}"), &gateway.operator).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
}

#[tokio::test]
async fn an_agent_sees_its_own_alerts_and_changes_none() {
    let gateway = Gateway::new();
    let (one, other) = (gateway.agent("one").await, gateway.agent("other").await);
    gateway.post("/api/sdk/x402/record", &one.key, X402_RECORD).await.expect(200);
    let of =
        async |agent: &Agent| gateway.get("/api/sdk/alerts", &agent.key).await.expect(200).json()["alerts"].clone();
    let own = of(&one).await;
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!(of(&other).await, json!([]));
    let path = format!("/api/alerts/{}", own[0]["id"].as_str().unwrap());
    for (method, path) in [
        ("GET", "/api/alerts".to_owned()),
        ("GET", path.clone()),
        ("POST", format!("{path}/resolve")),
        ("PATCH", path),
        ("POST", format!("/api/agents/{}/freeze", one.id)),
        ("POST", format!("/api/agents/{}/unfreeze", one.id)),
    ] {
        gateway.ask(method, &path, &one.key, "").await.refused(403, "INSUFFICIENT_SCOPE", None);
    }
}

#[tokio::test]
async fn a_frozen_agent_pays_nothing_until_it_is_unfrozen() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let hold = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    let hold = format!("/api/sdk/authorizations/{}", hold.text("authorizationId"));
    let path = format!("/api/agents/{}", agent.id);
    let frozen = gateway
        .post(&format!("{path}/freeze"), &gateway.operator, r#"{"reason":"paid a stranger","voidHolds":true}"#)
        .await
        .expect(200)
        .json();
    assert_eq!((&frozen["status"], &frozen["wallets"][0]["status"]), (&json!("SUSPENDED"), &json!("FROZEN")));
    assert!(!is_authorized(&gateway, &agent).await);
    gateway.advance_seconds(1);
    assert!(!is_authorized(&gateway, &agent).await);
    assert_eq!(gateway.get(&hold, &agent.key).await.expect(200).text("status"), "VOIDED");
    let alert = &alerts(&gateway, "?type=MANUAL").await[0];
    assert_eq!((&alert["reason"], &alert["severity"]), (&json!("paid a stranger"), &json!("CRITICAL")));
    let unfrozen = gateway.post(&format!("{path}/unfreeze"), &gateway.operator, "").await.expect(200).json();
    assert_eq!((&unfrozen["status"], &unfrozen["wallets"][0]["status"]), (&json!("ACTIVE"), &json!("ACTIVE")));
    assert!(is_authorized(&gateway, &agent).await);
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(257));
    let refused = gateway.post(&format!("{path}/freeze"), &gateway.operator, &long).await;
    refused.refused(400, "VALIDATION_ERROR", Some("reason"));
}

#[tokio::test]
async fn an_agent_is_frozen_by_itself_where_its_operators_want_that() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = format!("/api/agents/{}", agent.id);
    let body =
        r#"{"autoFreezeEnabled":true,"freezeConfig":{"maxConsecutiveViolations":2,"spendVelocityMultiplier":2.5}}"#;
    let changed = gateway.ask("PATCH", &path, &gateway.operator, body).await.expect(200).json();
    assert_eq!(changed["autoFreezeEnabled"], json!(true));
    assert_eq!(changed["freezeConfig"]["maxConsecutiveViolations"], json!(2));
    assert_eq!(changed["freezeConfig"]["spendVelocityMultiplier"], json!(2.5));
    assert_eq!(changed["freezeConfig"]["trustScoreThreshold"], json!(0.2));
    assert_eq!(changed["alertConfig"]["failedStreak"], json!(3));
    for _ in 0..2 {
        let over = X402_PRE_AUTHORIZE.replace("0.05", "200");
        gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &over).await.expect(200);
    }
    assert_eq!(gateway.get(&path, &gateway.operator).await.expect(200).text("status"), "SUSPENDED");
    assert!(!is_authorized(&gateway, &agent).await);
    let alert = &alerts(&gateway, "?type=CONSECUTIVE_VIOLATIONS").await[0];
    assert_eq!((&alert["severity"], &alert["frozeAgent"]), (&json!("CRITICAL"), &json!(true)));
    let bad = r#"{"name":"renamed","freezeConfig":{"maxConsecutiveViolations":60001}}"#;
    let refused = gateway.ask("PATCH", &path, &gateway.operator, bad).await;
    refused.refused(400, "VALIDATION_ERROR", Some("freezeConfig.maxConsecutiveViolations"));
    assert_eq!(gateway.get(&path, &gateway.operator).await.expect(200).text("name"), "shopper");
}
