//! What operators do: agents, wallets, keys, policies, status.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE, X402_RECORD};

#[tokio::test]
async fn an_agent_that_is_not_active_is_refused() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = format!("/api/agents/{}", agent.id);
    for (status, authorized) in [("PAUSED", false), ("ACTIVE", true), ("SUSPENDED", false), ("REVOKED", false)] {
        let changed =
            gateway.ask("PATCH", &path, &gateway.operator, &format!(r#"{{"status":"{status}"}}"#)).await.expect(200);
        assert_eq!(changed.text("status"), status);
        let decision =
            gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200).json();
        assert_eq!(decision["authorized"], json!(authorized), "{status}");
        if !authorized {
            assert_eq!(decision["violations"][0]["type"], "AGENT_NOT_ACTIVE");
        }
    }
    let back = gateway.ask("PATCH", &path, &gateway.operator, r#"{"status":"ACTIVE"}"#).await;
    back.refused(400, "VALIDATION_ERROR", Some("status"));
    let renamed = gateway.ask("PATCH", &path, &gateway.operator, r#"{"name":"old shopper"}"#).await.expect(200);
    assert_eq!(renamed.text("name"), "old shopper");
}

#[tokio::test]
async fn agents_are_listed_page_by_page() {
    let gateway = Gateway::new();
    let mut created = BTreeSet::new();
    for index in 0..23 {
        let body = format!(r#"{{"name":"agent {index}","agentType":"LANGCHAIN"}}"#);
        created.insert(gateway.post("/api/agents", &gateway.operator, &body).await.expect(201).text("id"));
    }
    let (mut found, mut pages, mut path) = (Vec::new(), 0, "/api/agents?limit=5".to_owned());
    loop {
        let page = gateway.get(&path, &gateway.operator).await.expect(200).json();
        found.extend(page["agents"].as_array().unwrap().iter().map(|agent| agent["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/agents?limit=5&cursor={cursor}");
    }
    assert_eq!((pages, found.len()), (5, 23));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), created);
    for bad in ["limit=0", "limit=x", "limit=1000000"] {
        gateway.get(&format!("/api/agents?{bad}"), &gateway.operator).await.refused(
            400,
            "VALIDATION_ERROR",
            Some("limit"),
        );
    }
    gateway.get("/api/agents?cursor=x", &gateway.operator).await.refused(400, "VALIDATION_ERROR", Some("cursor"));
}

#[tokio::test]
async fn a_wallet_change_leaves_alone_what_it_does_not_name() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    gateway.post("/api/sdk/x402/record", &agent.key, &X402_RECORD.replace("0.05", "20.00")).await.expect(200);
    let path = format!("/api/agents/{}/wallets/wal_123", agent.id);
    let changed = gateway
        .ask("PATCH", &path, &gateway.operator, r#"{"spendLimitPerTx":1,"allowedDays":["Fri"]}"#)
        .await
        .expect(200);
    let body = changed.json();
    assert_eq!((&body["address"], &body["allowedDays"]), (&json!("0xAgentWallet"), &json!(["Fri"])));
    // What was paid before the change is not given back by it.
    assert!(changed.text.contains(r#""availableBalance":480.00,"spendLimitPerTx":1.00,"#), "{}", changed.text);
    let linked_again = format!("/api/agents/{}/wallets", agent.id);
    let linked = gateway
        .post(&linked_again, &gateway.operator, r#"{"walletId":"wal_123","spendLimitDaily":100}"#)
        .await
        .expect(200);
    assert!(
        linked.text.contains(r#""availableBalance":480.00,"spendLimitPerTx":1.00,"spendLimitDaily":100.00,"#),
        "{}",
        linked.text
    );
    let frozen = gateway.ask("PATCH", &path, &gateway.operator, r#"{"status":"FROZEN"}"#).await.expect(200);
    assert_eq!(frozen.text("status"), "FROZEN");
    let decision = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200).json();
    assert_eq!(decision["violations"][0]["type"], "WALLET_FROZEN");
    let missing = format!("/api/agents/{}/wallets/wal_9", agent.id);
    gateway.ask("PATCH", &missing, &gateway.operator, "{}").await.refused(404, "NOT_FOUND", None);
    let over = r#"{"walletId":"wal_2","spendLimitDaily":"-1"}"#;
    gateway.post(&linked_again, &gateway.operator, over).await.refused(400, "INVALID_AMOUNT", Some("spendLimitDaily"));
}

#[tokio::test]
async fn an_agent_without_a_wallet_is_refused() {
    let gateway = Gateway::new();
    let created = gateway.post("/api/agents", &gateway.operator, r#"{"name":"poor"}"#).await.expect(201);
    let key = gateway.key(&created.text("id"), r#"{"name":"k"}"#).await;
    let decision = gateway.post("/api/sdk/x402/pre-authorize", &key, X402_PRE_AUTHORIZE).await.expect(200).json();
    assert_eq!(decision["violations"][0]["type"], "NO_WALLET");
}

#[tokio::test]
async fn a_policy_lives_from_its_creation_to_its_removal() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let authorized = async || {
        let decision = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
        decision.json()["authorized"] == json!(true)
    };
    let rule = |value: &str| {
        format!(r#"{{"rules":[{{"ruleType":"MAX_AMOUNT","operator":"LTE","value":{value},"action":"ALLOW"}}]}}"#)
    };
    let body = rule("\"0.01\"").replacen('{', r#"{"name":"tight","description":"d","priority":70,"#, 1);
    let created = gateway.post("/api/policies", &gateway.operator, &body).await.expect(201);
    let path = format!("/api/policies/{}", created.text("id"));
    assert!(!authorized().await);
    assert_eq!(gateway.get(&path, &gateway.operator).await.expect(200).text, created.text);

    gateway.ask("PUT", &format!("{path}/rules"), &gateway.operator, &rule("0.05")).await.expect(200);
    assert!(authorized().await);
    gateway.ask("PUT", &format!("{path}/rules"), &gateway.operator, &rule("0.04")).await.expect(200);
    assert!(!authorized().await);
    let off = gateway.ask("PATCH", &path, &gateway.operator, r#"{"isActive":false}"#).await.expect(200).json();
    assert_eq!((&off["isActive"], &off["name"], &off["priority"]), (&json!(false), &json!("tight"), &json!(70)));
    assert!(authorized().await);
    gateway.ask("PATCH", &path, &gateway.operator, r#"{"isActive":true}"#).await.expect(200);
    assert!(!authorized().await);
    gateway.ask("DELETE", &path, &gateway.operator, "").await.expect(200);
    assert!(authorized().await);
    gateway.get(&path, &gateway.operator).await.refused(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn a_policy_with_an_id_is_applied_twice_as_once() {
    let gateway = Gateway::new();
    let id = format!("pol_{:032x}", 9);
    let body =
        format!(r#"{{"id":"{id}","name":"file","rules":[{{"ruleType":"DAILY_LIMIT","operator":"LTE","value":"5"}}]}}"#);
    for _ in 0..2 {
        assert_eq!(gateway.post("/api/policies", &gateway.operator, &body).await.expect(201).text("id"), id);
    }
    let list = gateway.get("/api/policies", &gateway.operator).await.expect(200).json();
    assert_eq!(list["policies"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn gateway_keys_are_issued_listed_and_revoked_but_never_the_last() {
    let gateway = Gateway::new();
    let list = gateway.get("/api/api-keys", &gateway.operator).await.expect(200).json();
    let first = list["keys"][0]["id"].as_str().unwrap().to_owned();
    let revoke = |id: &str| format!("/api/api-keys/{id}");
    gateway.ask("DELETE", &revoke(&first), &gateway.operator, "").await.refused(400, "INVALID_STATUS", None);
    let second =
        gateway.post("/api/api-keys", &gateway.operator, r#"{"name":"second","type":"operator"}"#).await.expect(201);
    gateway.ask("DELETE", &revoke(&first), &second.text("key"), "").await.expect(200);
    gateway.get("/api/status", &gateway.operator).await.refused(401, "AUTH_FAILED", None);
    gateway.get("/api/status", &second.text("key")).await.expect(200);
}

#[tokio::test]
async fn unknown_scopes_are_refused() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let keys = format!("/api/agents/{}/sdk-keys", agent.id);
    let body = r#"{"name":"k","scopes":["payments:request","payments:steal"]}"#;
    gateway.post(&keys, &gateway.operator, body).await.refused(400, "VALIDATION_ERROR", Some("scopes[1]"));
}

#[tokio::test]
async fn status_health_and_metrics_show_the_gateway() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    let status = gateway.get("/api/status?digest=true", &gateway.operator).await.expect(200).json();
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(4));
    assert!(
        status["shards"]
            .as_array()
            .unwrap()
            .iter()
            .all(|shard| shard["digest"].as_str().is_some_and(|d| d.len() == 64))
    );
    assert!(gateway.get("/api/status", &gateway.operator).await.json()["shards"][0].get("digest").is_none());

    assert_eq!(gateway.send("GET", "/healthz", &[], "").await.expect(200).text, r#"{"status":"ok"}"#);
    assert_eq!(gateway.send("GET", "/readyz", &[], "").await.expect(200).text, r#"{"ready":true,"reasons":[]}"#);
    let metrics = gateway.send("GET", "/metrics", &[], "").await.expect(200).text;
    for line in [
        "holdfast_agents 1",
        "# TYPE holdfast_approvals counter",
        "holdfast_http_requests_total{method=\"POST\",route=\"/api/sdk/x402/pre-authorize\",status=\"200\"} 1",
        "holdfast_ready 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    gateway.engine.shut_down();
    let stopped = gateway.send("GET", "/readyz", &[], "").await.expect(503);
    assert!(stopped.text.contains("stopping"), "{}", stopped.text);
    let refused = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await;
    refused.refused(503, "UNAVAILABLE", None);
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn policies_are_assigned_to_an_agent_and_taken_away() {
    let gateway = Gateway::new();
    let (agent, other) = (gateway.agent("buyer").await, gateway.agent("other").await);
    let create = async |scope: &str| {
        let body = format!(
            r#"{{"name":"small","scope":"{scope}","rules":[{{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"0.04","action":"DENY"}}]}}"#
        );
        gateway.post("/api/policies", &gateway.operator, &body).await.expect(201).text("id")
    };
    let small = create("assigned").await;
    let path = format!("/api/agents/{}/policies", agent.id);
    let body = format!(r#"{{"policyId":"{small}"}}"#);
    let count = async || {
        let listed = gateway.get(&path, &gateway.operator).await.expect(200).json();
        listed["policies"].as_array().unwrap().len()
    };
    let pays = async |key: &str| {
        gateway.post("/api/sdk/x402/pre-authorize", key, X402_PRE_AUTHORIZE).await.expect(200).json()["authorized"]
            == json!(true)
    };
    assert_eq!((count().await, pays(&agent.key).await), (0, true));

    let assigned = gateway.post(&path, &gateway.operator, &body).await.expect(200).json();
    assert_eq!(assigned["agentIds"], json!([agent.id]));
    let again = gateway.post(&path, &gateway.operator, &body).await.expect(200).json();
    assert_eq!(again, assigned, "it has it already");
    assert_eq!((count().await, pays(&agent.key).await, pays(&other.key).await), (1, false, true));
    let own = gateway.get(&path, &agent.key).await.expect(200).json();
    assert_eq!(own["policies"][0]["id"], json!(small), "an agent sees its own");
    gateway.get(&path, &other.key).await.refused(403, "INSUFFICIENT_SCOPE", None);

    gateway.ask("DELETE", &format!("{path}/{small}"), &gateway.operator, "").await.expect(200);
    assert_eq!((count().await, pays(&agent.key).await), (0, true));
    gateway.ask("DELETE", &format!("{path}/{small}"), &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
    let unknown = format!(r#"{{"policyId":"pol_{:032x}"}}"#, 7);
    gateway.post(&path, &gateway.operator, &unknown).await.refused(404, "NOT_FOUND", None);
    gateway.post(&path, &gateway.operator, "{}").await.refused(400, "VALIDATION_ERROR", Some("policyId"));
    let nobody = format!("/api/agents/agt_{:032x}/policies", 7);
    gateway.post(&nobody, &gateway.operator, &body).await.refused(404, "NOT_FOUND", None);

    let everybody = create("organization").await;
    let body = format!(r#"{{"policyId":"{everybody}"}}"#);
    gateway.post(&path, &gateway.operator, &body).await.expect(200);
    let taken = gateway.ask("DELETE", &format!("{path}/{everybody}"), &gateway.operator, "").await;
    taken.refused(400, "VALIDATION_ERROR", Some("policyId"));
}

#[tokio::test]
async fn rules_are_added_to_a_policy_one_by_one_or_together() {
    let gateway = Gateway::new();
    let id = gateway.post("/api/policies", &gateway.operator, r#"{"name":"growing"}"#).await.expect(201).text("id");
    let path = format!("/api/policies/{id}/rules");
    let rule = |cap: u32| format!(r#"{{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"{cap}","action":"DENY"}}"#);
    gateway.post(&path, &gateway.operator, &rule(3)).await.expect(200);
    let both = format!(r#"{{"rules":[{},{}]}}"#, rule(2), rule(1));
    let policy = gateway.post(&path, &gateway.operator, &both).await.expect(200).json();
    let caps: Vec<&str> =
        policy["rules"].as_array().unwrap().iter().map(|rule| rule["value"].as_str().unwrap()).collect();
    assert_eq!(caps, ["3", "2", "1"]);
    gateway.post(&path, &gateway.operator, r#"{"ruleType":"MAX_AMOUNT"}"#).await.refused(
        400,
        "VALIDATION_ERROR",
        Some("value"),
    );
    let unchanged = gateway.get(&format!("/api/policies/{id}"), &gateway.operator).await.expect(200).json();
    assert_eq!(unchanged["rules"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn wallets_are_listed_of_one_agent_and_of_all() {
    let gateway = Gateway::new();
    let agents = [gateway.agent("first").await, gateway.agent("second").await];
    for (agent, wallet) in [(&agents[0], "wal_a"), (&agents[0], "wal_b"), (&agents[1], "wal_c")] {
        let body = format!(r#"{{"walletId":"{wallet}","address":"0x1","chainId":"8453"}}"#);
        gateway.post(&format!("/api/agents/{}/wallets", agent.id), &gateway.operator, &body).await.expect(201);
    }
    let ids = |page: &Value| -> Vec<String> {
        let id = |wallet: &Value| wallet["walletId"].as_str().or(wallet["id"].as_str()).unwrap().to_owned();
        page["wallets"].as_array().unwrap().iter().map(id).collect()
    };
    let own = gateway.get(&format!("/api/agents/{}/wallets", agents[0].id), &agents[0].key).await.expect(200).json();
    assert!(ids(&own).ends_with(&["wal_a".to_owned(), "wal_b".to_owned()]), "{own}");
    let foreign = gateway.get(&format!("/api/agents/{}/wallets", agents[1].id), &agents[0].key).await;
    foreign.refused(403, "INSUFFICIENT_SCOPE", None);

    let mut all = Vec::new();
    let mut path = "/api/wallets?limit=1".to_owned();
    loop {
        let page = gateway.get(&path, &gateway.operator).await.expect(200).json();
        for (id, wallet) in ids(&page).into_iter().zip(page["wallets"].as_array().unwrap()) {
            all.push((id, wallet["agentId"].as_str().unwrap().to_owned()));
        }
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/wallets?limit=1&cursor={cursor}");
    }
    for (wallet, agent) in [("wal_a", &agents[0]), ("wal_b", &agents[0]), ("wal_c", &agents[1])] {
        assert_eq!(all.iter().filter(|row| **row == (wallet.to_owned(), agent.id.clone())).count(), 1, "{all:?}");
    }
    gateway.get("/api/wallets", &agents[0].key).await.refused(403, "INSUFFICIENT_SCOPE", None);
}

#[tokio::test]
async fn a_policy_can_be_for_the_payments_from_some_wallets() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let wallets = format!("/api/agents/{}/wallets", agent.id);
    let other = r#"{"walletId":"wal_2","address":"0x2","chainId":"8453","custodyType":"EXTERNAL"}"#;
    gateway.post(&wallets, &gateway.operator, other).await.expect(201);
    let policy = r#"{"name":"small","scope":"wallet","walletIds":["wal_123"],"timezone":"Asia/Kolkata","rules":[
        {"ruleType":"DAILY_LIMIT","operator":"LTE","value":"0.01","action":"ALLOW"}]}"#;
    let written = gateway.post("/api/policies", &gateway.operator, policy).await.expect(201).json();
    assert_eq!(
        (&written["scope"], &written["walletIds"], &written["timezone"]),
        (&json!("wallet"), &json!(["wal_123"]), &json!("Asia/Kolkata"))
    );
    let count = async |wallet: &str| {
        let path = format!("/api/sdk/policies?walletId={wallet}");
        let body = gateway.get(&path, &agent.key).await.expect(200).json();
        body["policies"].as_array().unwrap().iter().filter(|policy| policy["id"] == written["id"]).count()
    };
    assert_eq!((count("wal_123").await, count("wal_2").await), (1, 0));
    let pay = async |wallet: &str| {
        let mut body: Value = serde_json::from_str(X402_PRE_AUTHORIZE).unwrap();
        body["walletId"] = json!(wallet);
        gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &body.to_string()).await.expect(200).json()
    };
    let denied = pay("wal_123").await;
    assert_eq!(denied["violations"][0]["type"], "DAILY_LIMIT", "{denied}");
    let approved = pay("wal_2").await;
    assert_eq!(approved["authorized"], true, "{approved}");
    let nowhere = policy.replace("Asia/Kolkata", "Kolkata");
    gateway.post("/api/policies", &gateway.operator, &nowhere).await.refused(400, "VALIDATION_ERROR", Some("timezone"));
    let none = policy.replace(r#"["wal_123"]"#, "[]");
    gateway.post("/api/policies", &gateway.operator, &none).await.refused(400, "VALIDATION_ERROR", Some("wallets"));
}
