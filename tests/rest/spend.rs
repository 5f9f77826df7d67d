//! Views of what was spent: sums, services and single payments, for an agent and for everybody.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gateway::{Agent, Gateway};

/// Waits until the read models know everything that is durable.
async fn settle(gateway: &Gateway) {
    let feed = gateway.engine.feed().unwrap();
    for _ in 0..2000 {
        let status = feed.status();
        if status.caught_up && status.lag_records == 0 {
            return;
        }
        let (feed, cursor) = (feed.clone(), feed.newest());
        tokio::task::spawn_blocking(move || feed.wait(&cursor, Duration::from_millis(5))).await.unwrap();
    }
    panic!("the feed does not catch up: {:?}", feed.status());
}

/// Reports a payment that nothing was asked for.
async fn record(gateway: &Gateway, agent: &Agent, rail: &str, service: &str, amount: &str, id: &str) {
    let body = format!(
        r#"{{"amount":{amount},"recipientAddress":"0xabc","transactionHash":"{id}","resourceUrl":"https://{service}/v1","serviceDomain":"{service}"}}"#
    );
    gateway.post(&format!("/api/sdk/{rail}/record"), &agent.key, &body).await.expect(200);
}

async fn two_agents() -> (Gateway, Agent, Agent) {
    let gateway = Gateway::new();
    let (ada, bob) = (gateway.agent("ada").await, gateway.agent("bob").await);
    record(&gateway, &ada, "x402", "a.example.com", "0.25", "0x1").await;
    record(&gateway, &ada, "x402", "a.example.com", "0.50", "0x2").await;
    record(&gateway, &ada, "mpp", "b.example.com", "2.00", "0x3").await;
    record(&gateway, &bob, "x402", "a.example.com", "0.125", "0x4").await;
    settle(&gateway).await;
    (gateway, ada, bob)
}

#[tokio::test]
async fn a_summary_adds_up_what_an_agent_spent() {
    let (gateway, ada, _) = two_agents().await;
    let body = gateway.get("/api/sdk/service-spend/summary", &ada.key).await.expect(200).json();
    let (filters, summary) = (&body["filters"], &body["summary"]);
    assert_eq!((&filters["period"], &filters["protocol"]), (&json!("30d"), &json!("all")));
    assert_eq!(filters["agentId"], ada.id.as_str());
    assert_eq!(filters["startDate"], "2026-10-21T12:00:00.000Z");
    assert_eq!(filters["organizationId"], Value::Null);
    for (name, expected) in [
        ("totalSpend", json!(2.75)),
        ("totalCalls", json!(3)),
        ("activeServices", json!(2)),
        ("activeAgents", json!(1)),
        ("micropaymentTransactions", json!(3)),
        ("x402Spend", json!(0.75)),
        ("x402Calls", json!(2)),
        ("mppSpend", json!(2.0)),
        ("mppCalls", json!(1)),
        ("otherSpend", json!(0.0)),
    ] {
        assert_eq!(summary[name], expected, "{name}");
    }
    let of_mpp = gateway.get("/api/sdk/service-spend/summary?protocol=mpp&period=all", &ada.key).await.expect(200);
    let of_mpp = of_mpp.json();
    assert_eq!((&of_mpp["summary"]["totalSpend"], &of_mpp["filters"]["startDate"]), (&json!(2.0), &Value::Null));
    let other = gateway.get("/api/sdk/service-spend/summary?period=1y", &ada.key).await;
    other.refused(400, "VALIDATION_ERROR", Some("period"));
    gateway.get("/api/sdk/service-spend/services?protocol=visa", &ada.key).await.refused(
        400,
        "VALIDATION_ERROR",
        Some("protocol"),
    );
}

#[tokio::test]
async fn a_summary_counts_the_alerts_that_nobody_has_looked_at() {
    let (gateway, ada, bob) = two_agents().await;
    let found = gateway.get("/api/alerts?limit=50", &gateway.operator).await.expect(200).json();
    let of = |agent: &Agent| {
        found["alerts"].as_array().unwrap().iter().filter(|alert| alert["agentId"] == agent.id.as_str()).collect()
    };
    let (of_ada, of_bob): (Vec<&Value>, Vec<&Value>) = (of(&ada), of(&bob));
    assert!(!of_ada.is_empty() && !of_bob.is_empty(), "payments without a hold are alerts: {found}");
    let active = async |path: &str, key: &str| {
        settle(&gateway).await;
        gateway.get(path, key).await.expect(200).json()["summary"]["activeAlerts"].as_u64().unwrap() as usize
    };
    let (own, all) = ("/api/sdk/service-spend/summary", "/api/service-spend/summary");
    assert_eq!(active(own, &ada.key).await, of_ada.len());
    assert_eq!(active(all, &gateway.operator).await, of_ada.len() + of_bob.len());
    let path = format!("/api/alerts/{}/acknowledge", of_ada[0]["id"].as_str().unwrap());
    gateway.ask("POST", &path, &gateway.operator, "").await.expect(200);
    assert_eq!(active(own, &ada.key).await, of_ada.len() - 1);
    assert_eq!(active(all, &gateway.operator).await, of_ada.len() + of_bob.len() - 1);
}

#[tokio::test]
async fn a_period_leaves_out_what_was_spent_before_it() {
    let (gateway, ada, _) = two_agents().await;
    for (days, period, within, expected) in
        [(1, "24h", json!(0.25), json!(1.0)), (6, "7d", json!(0.5), json!(1.25)), (23, "30d", json!(0.75), json!(1.5))]
    {
        gateway.advance_seconds(days * 24 * 3600 + 3600);
        record(&gateway, &ada, "x402", "a.example.com", "0.25", &format!("later {days}")).await;
        settle(&gateway).await;
        let path = format!("/api/sdk/service-spend/summary?protocol=x402&period={period}");
        let spent = gateway.get(&path, &ada.key).await.expect(200).json()["summary"]["totalSpend"].clone();
        // What came before is more than a period ago, but for what is within it.
        let all = gateway.get("/api/sdk/service-spend/summary?protocol=x402&period=all", &ada.key).await.expect(200);
        assert_eq!(all.json()["summary"]["totalSpend"], expected, "{period}");
        assert_eq!(spent, within, "{period}");
    }
}

#[tokio::test]
async fn services_are_listed_by_what_they_cost_page_by_page() {
    let (gateway, ada, _) = two_agents().await;
    let body = gateway.get("/api/sdk/service-spend/services?limit=1", &ada.key).await.expect(200).json();
    assert_eq!((&body["total"], &body["hasMore"]), (&json!(2), &json!(true)));
    assert_eq!(body["services"][0]["serviceDomain"], "b.example.com");
    let body = gateway.get("/api/sdk/service-spend/services?limit=1&offset=1", &ada.key).await.expect(200).json();
    let service = &body["services"][0];
    assert_eq!((&service["serviceDomain"], &service["protocol"]), (&json!("a.example.com"), &json!("x402")));
    assert_eq!((&service["totalSpend"], &service["totalCalls"]), (&json!(0.75), &json!(2)));
    assert_eq!((&body["hasMore"], &service["lastUsedAt"]), (&json!(false), &json!("2026-11-20T12:00:00.000Z")));
    for (query, field) in [("limit=1001", "limit"), ("limit=x", "limit"), ("offset=-1", "offset")] {
        let refused = gateway.get(&format!("/api/sdk/service-spend/services?{query}"), &ada.key).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
}

#[tokio::test]
async fn the_services_of_a_rail_are_paged_the_dearest_first() {
    let gateway = Gateway::new();
    let agent = gateway.agent("ada").await;
    for (service, amount) in [("b.example.com", "0.10"), ("a.example.com", "0.10"), ("c.example.com", "0.30")] {
        record(&gateway, &agent, "x402", service, amount, service).await;
    }
    record(&gateway, &agent, "mpp", "d.example.com", "9.00", "0x4").await;
    let page = async |query: &str| {
        let page = gateway.get(&format!("/api/sdk/x402/services{query}"), &agent.key).await.expect(200).json();
        let names = page["services"].as_array().unwrap().iter().map(|service| service["serviceDomain"].clone());
        (names.collect::<Vec<Value>>(), page["total"].as_u64().unwrap(), page["hasMore"].as_bool().unwrap())
    };
    let [a, b, c] = ["a", "b", "c"].map(|name| json!(format!("{name}.example.com")));
    assert_eq!(page("").await, (vec![c.clone(), a.clone(), b.clone()], 3, false));
    assert_eq!(page("?limit=2").await, (vec![c, a], 3, true));
    assert_eq!(page("?limit=2&offset=2").await, (vec![b], 3, false));
    for (query, field) in [("?limit=1025", "limit"), ("?offset=-1", "offset")] {
        let refused = gateway.get(&format!("/api/sdk/x402/services{query}"), &agent.key).await;
        refused.refused(400, "VALIDATION_ERROR", Some(field));
    }
}

#[tokio::test]
async fn operators_see_everybody_and_agents_do_not() {
    let (gateway, ada, bob) = two_agents().await;
    let all = gateway.get("/api/service-spend/summary", &gateway.operator).await.expect(200).json();
    assert_eq!((&all["summary"]["totalSpend"], &all["summary"]["activeAgents"]), (&json!(2.875), &json!(2)));
    let services = gateway.get("/api/service-spend/services?protocol=x402", &gateway.operator).await.expect(200).json();
    assert_eq!(
        (&services["services"][0]["totalSpend"], &services["services"][0]["activeAgents"]),
        (&json!(0.875), &json!(2))
    );
    let of_bob = format!("/api/service-spend/summary?agentId={}", bob.id);
    let of_bob = gateway.get(&of_bob, &gateway.operator).await.expect(200).json();
    assert_eq!((&of_bob["summary"]["totalSpend"], &of_bob["filters"]["agentId"]), (&json!(0.125), &json!(bob.id)));
    for path in ["/api/service-spend/summary", "/api/service-spend/services", "/api/transactions"] {
        gateway.get(path, &ada.key).await.expect(403);
    }
    let not_analytics = gateway.key(&ada.id, r#"{"name":"narrow","scopes":["payments:request"]}"#).await;
    gateway.get("/api/sdk/service-spend/summary", &not_analytics).await.refused(403, "INSUFFICIENT_SCOPE", None);
}

#[tokio::test]
async fn decisions_are_counted_by_their_first_reason() {
    let gateway = Gateway::new();
    let agent = gateway.agent("ada").await;
    gateway.policy(r#"{"ruleType":"X402_PRICE_CEILING","operator":"LTE","value":"1","action":"ALLOW"}"#).await;
    for amount in ["0.50", "1.00", "1.50"] {
        let body =
            format!(r#"{{"amount":{amount},"recipientAddress":"0xabc","resourceUrl":"https://a.example.com/"}}"#);
        gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &body).await.expect(200);
    }
    // What was approved or denied is durable a moment after it was told.
    for _ in 0..200 {
        settle(&gateway).await;
        let body = gateway.get("/api/sdk/service-spend/summary", &agent.key).await.expect(200).json();
        if body["decisions"]["denied"] == json!(1) && body["decisions"]["approved"] == json!(2) {
            assert_eq!(body["decisions"]["denials"][0]["type"], "X402_PRICE_CEILING");
            assert_eq!(body["decisions"]["denials"][0]["amount"], json!(1.5));
            assert_eq!(body["summary"]["totalSpend"], json!(0.0), "what is only held is not spent");
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the decisions are not counted");
}

#[tokio::test]
async fn transactions_are_paged_newest_first() {
    let (gateway, ada, bob) = two_agents().await;
    let hold = r#"{"amount":1,"recipientAddress":"0xabc","resourceUrl":"https://c.example.com/"}"#;
    let approved = gateway.post("/api/sdk/x402/pre-authorize", &bob.key, hold).await.expect(200);
    let id = approved.text("authorizationId");
    gateway.post(&format!("/api/sdk/authorizations/{id}/capture"), &bob.key, r#"{"amount":0.75}"#).await.expect(200);
    gateway.post(&format!("/api/sdk/authorizations/{id}/refund"), &bob.key, r#"{"amount":0.5}"#).await.expect(200);
    settle(&gateway).await;

    let body = gateway.get("/api/sdk/transactions?limit=2", &bob.key).await.expect(200).json();
    let (refund, capture) = (&body["transactions"][0], &body["transactions"][1]);
    assert_eq!(
        (&refund["type"], &refund["status"], &refund["amount"]),
        (&json!("REFUND"), &json!("REFUNDED"), &json!(0.5))
    );
    assert_eq!(
        (&capture["type"], &capture["booking"], &capture["amount"]),
        (&json!("PAYMENT"), &json!("captured"), &json!(0.75))
    );
    assert_eq!((&capture["serviceDomain"], &capture["recipientAddress"]), (&json!("c.example.com"), &json!("0xabc")));
    assert_eq!((&capture["authorizationId"], &capture["agentId"]), (&json!(id), &json!(bob.id)));
    assert_eq!(body["hasMore"], json!(true));
    let next = body["nextCursor"].as_str().unwrap();
    let body = gateway.get(&format!("/api/sdk/transactions?limit=2&cursor={next}"), &bob.key).await.expect(200).json();
    assert_eq!(body["transactions"].as_array().map(Vec::len), Some(1));
    assert_eq!((&body["transactions"][0]["booking"], &body["nextCursor"]), (&json!("unauthorized"), &Value::Null));

    let all = gateway.get("/api/transactions", &gateway.operator).await.expect(200).json();
    assert_eq!(all["transactions"].as_array().map(Vec::len), Some(6));
    let of_ada = gateway.get(&format!("/api/transactions?agentId={}&protocol=mpp", ada.id), &gateway.operator).await;
    let of_ada = of_ada.expect(200).json();
    assert_eq!(of_ada["transactions"].as_array().map(Vec::len), Some(1));
    assert_eq!(of_ada["transactions"][0]["amount"], json!(2.0));
    for cursor in ["x", "-"] {
        let refused = gateway.get(&format!("/api/sdk/transactions?cursor={cursor}"), &bob.key).await;
        refused.refused(400, "VALIDATION_ERROR", Some("cursor"));
    }
    gateway.get("/api/sdk/transactions?limit=501", &bob.key).await.refused(400, "VALIDATION_ERROR", Some("limit"));
}

#[tokio::test]
async fn views_ask_no_shard() {
    let (gateway, ada, _) = two_agents().await;
    let decided = |gateway: &Gateway| -> u64 {
        gateway.engine.status().workers.iter().map(|worker| worker.counters.decisions).sum()
    };
    let before = decided(&gateway);
    for path in ["service-spend/summary", "service-spend/services", "transactions"] {
        gateway.get(&format!("/api/sdk/{path}"), &ada.key).await.expect(200);
        gateway.get(&format!("/api/{path}"), &gateway.operator).await.expect(200);
    }
    assert_eq!(decided(&gateway), before);
}

#[tokio::test]
async fn an_agent_sees_its_wallets_policies_and_setup() {
    let gateway = Gateway::new();
    let (ada, bob) = (gateway.agent("ada").await, gateway.agent("bob").await);
    gateway.policy(r#"{"ruleType":"DAILY_LIMIT","operator":"LTE","value":"100","action":"ALLOW"}"#).await;
    let assigned = format!(
        r#"{{"name":"bob's","policyType":"SPEND_LIMIT","scope":"assigned","agentIds":["{}"],"rules":[{{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"5","action":"ALLOW"}}]}}"#,
        bob.id
    );
    gateway.post("/api/policies", &gateway.operator, &assigned).await.expect(201);

    let wallets = gateway.get("/api/sdk/wallets", &ada.key).await.expect(200).json();
    assert_eq!(
        (&wallets["wallets"][0]["walletId"], &wallets["wallets"][0]["availableBalance"]),
        (&json!("wal_123"), &json!(500.0))
    );
    let names = |body: &Value| -> Vec<String> {
        let policies = body["policies"].as_array().unwrap();
        policies.iter().map(|policy| policy["name"].as_str().unwrap().to_owned()).collect()
    };
    for (agent, expected) in [(&ada, vec!["test"]), (&bob, vec!["bob's", "test"])] {
        let policies = gateway.get("/api/sdk/policies?walletId=wal_123", &agent.key).await.expect(200).json();
        let mut found = names(&policies);
        found.sort();
        assert_eq!(found, expected);
        let setup = gateway.get("/api/sdk/setup", &agent.key).await.expect(200).json();
        let mut found = names(&setup);
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(
            (&setup["agent"]["id"], &setup["agent"]["wallets"][0]["walletId"]),
            (&json!(agent.id), &json!("wal_123"))
        );
        assert!(setup["scopes"].as_array().is_some_and(|scopes| scopes.contains(&json!("payments:request"))));
    }
    gateway.get("/api/sdk/policies?walletId=other", &ada.key).await.expect(404);
}
