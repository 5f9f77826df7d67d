//! What would be decided, and what would have been.

use serde_json::{Value, json};

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE};

const RULE: &str = r#"{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"0.04","action":"DENY"}"#;

fn payment(amount: &str) -> String {
    X402_PRE_AUTHORIZE.replace("0.05", amount)
}

fn draft(rules: &str) -> String {
    format!(r#"{{"name":"draft","rules":[{rules}]}}"#)
}

#[tokio::test]
async fn a_draft_is_tried_on_many_payments_and_nothing_is_held() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let body = format!(
        r#"{{"agentId":"{}","policy":{},"requests":[{},{},{{"amount":1}}]}}"#,
        agent.id,
        draft(RULE),
        payment("0.04"),
        payment("0.05")
    );
    gateway.post("/api/policies/simulate", &gateway.operator, &body).await.refused(
        400,
        "VALIDATION_ERROR",
        Some("requests[2].resourceUrl"),
    );
    let body = body.replace(r#",{"amount":1}"#, "");
    let answer = gateway.post("/api/policies/simulate", &gateway.operator, &body).await.expect(200).json();
    assert_eq!(answer["applies"], json!(true));
    assert_eq!(answer["results"][0]["status"], "APPROVED");
    assert_eq!(answer["results"][1]["status"], "DENIED");
    assert_eq!(answer["results"][1]["violations"][0]["type"], "PER_TX_LIMIT");
    assert!(answer["results"][0].get("authorizationId").is_none());
    let shown = gateway.get(&format!("/api/agents/{}", agent.id), &gateway.operator).await.expect(200).json();
    assert_eq!(shown["held"], json!(0.0), "{shown}");
}

#[tokio::test]
async fn the_policies_in_force_and_a_stored_one_are_tried_too() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let stored = format!(r#"{{"name":"stored","isActive":false,"rules":[{RULE}]}}"#);
    let id = gateway.post("/api/policies", &gateway.operator, &stored).await.expect(201).text("id");
    let ask = async |key: &str, members: &str| {
        let body = format!(r#"{{{members}"request":{}}}"#, payment("0.05"));
        gateway.post(&format!("/api/policies/simulate?agentId={}", agent.id), key, &body).await
    };
    // An agent's own key may ask about the policies in force, and about a draft, but sees no stored policy.
    for (key, members, authorized) in [
        (&gateway.operator, String::new(), true),
        (&agent.key, String::new(), true),
        (&agent.key, format!(r#""policy":{},"#, draft(RULE)), false),
        (&gateway.operator, format!(r#""policyId":"{id}","#), false),
    ] {
        let answer = ask(key, &members).await.expect(200).json();
        assert_eq!(answer["results"][0]["authorized"], json!(authorized), "{members}");
    }
    ask(&agent.key, &format!(r#""policyId":"{id}","#)).await.refused(403, "INSUFFICIENT_SCOPE", None);
    ask(&gateway.operator, r#""policyId":"pol_00000000000000000000000000000009","#).await.refused(
        404,
        "NOT_FOUND",
        None,
    );
    let both = format!(r#""policyId":"{id}","policy":{},"#, draft(RULE));
    ask(&gateway.operator, &both).await.refused(400, "VALIDATION_ERROR", Some("policyId"));
    let unreadable = format!(r#""policy":{},"#, draft(&RULE.replace("MAX_AMOUNT", "MAX_AMMOUNT")));
    ask(&gateway.operator, &unreadable).await.refused(400, "VALIDATION_ERROR", Some("rules[0].ruleType"));
}

/// The documents of an answer of many lines.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_past_is_judged_by_a_draft() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for amount in ["0.03", "0.05", "0.04", "0.06"] {
        let decision = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &payment(amount)).await.expect(200);
        assert_eq!(decision.json()["authorized"], json!(true));
        gateway.advance_seconds(60);
    }
    // A look at the agent waits for what was approved ahead of the disk.
    gateway.get(&format!("/api/agents/{}", agent.id), &gateway.operator).await.expect(200);
    let judge = async |members: &str| {
        let body = format!(r#"{{{members}"policy":{}}}"#, draft(RULE));
        let answer = gateway.post("/api/policies/backtest", &gateway.operator, &body).await.expect(200);
        lines(&answer.text).pop().unwrap()["report"].clone()
    };
    let report = judge("").await;
    assert_eq!(report["decisions"], json!({"count": 4, "amount": 0.18}), "{report}");
    assert_eq!(report["denied"], json!({"count": 2, "amount": 0.11}));
    assert_eq!(report["byRule"], json!([{"name": "PER_TX_LIMIT", "count": 2, "amount": 0.11}]));
    assert_eq!(report["byAgent"], json!([{"name": agent.id, "count": 2, "amount": 0.11}]));
    assert_eq!(report["byService"], json!([{"name": "api.example.com", "count": 2, "amount": 0.11}]));
    assert_eq!(report["examples"][0]["violations"][0]["type"], "PER_TX_LIMIT");
    let report = judge(r#""since":"90s","#).await;
    assert_eq!((&report["decisions"]["count"], &report["denied"]["count"]), (&json!(1), &json!(1)), "{report}");

    let backtest = async |key: &str, body: &str| gateway.post("/api/policies/backtest", key, body).await;
    backtest(&agent.key, &format!(r#"{{"policy":{}}}"#, draft(RULE))).await.refused(403, "INSUFFICIENT_SCOPE", None);
    backtest(&gateway.operator, "{}").await.refused(400, "VALIDATION_ERROR", Some("policy"));
    let body = format!(r#"{{"since":"soon","policy":{}}}"#, draft(RULE));
    backtest(&gateway.operator, &body).await.refused(400, "VALIDATION_ERROR", Some("since"));
    let body = format!(r#"{{"policy":{}}}"#, draft(&RULE.replace("0.04", "lots")));
    backtest(&gateway.operator, &body).await.refused(400, "VALIDATION_ERROR", Some("rules[0].value"));
}

#[tokio::test]
async fn a_version_in_shadow_decides_beside_the_live_one_and_is_promoted() {
    let gateway = Gateway::new();
    let (one, other) = (gateway.agent("one").await, gateway.agent("other").await);
    let live = format!(r#"{{"name":"caps","rules":[{}]}}"#, RULE.replace("0.04", "1"));
    let id = gateway.post("/api/policies", &gateway.operator, &live).await.expect(201).text("id");
    let path = format!("/api/policies/{id}/shadow");
    gateway.get(&path, &gateway.operator).await.refused(404, "NOT_FOUND", None);
    let put = gateway.ask("PUT", &path, &gateway.operator, &format!(r#"{{"rules":[{RULE}]}}"#)).await.expect(201);
    assert_eq!((put.text("name"), put.json()["rules"][0]["value"].clone()), ("caps".to_owned(), json!("0.04")));
    for (agent, amount) in [(&one, "0.03"), (&other, "0.05"), (&one, "0.06"), (&other, "2")] {
        gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &payment(amount)).await.expect(200);
        gateway.advance_seconds(1);
    }
    let found = gateway.get(&path, &gateway.operator).await.expect(200).json();
    assert_eq!(found["decisions"], json!(4), "{found}");
    assert_eq!(found["stricter"], json!({"count": 2, "amount": 0.11}));
    assert_eq!(found["looser"], json!({"count": 0, "amount": 0.0}));
    assert_eq!(found["byRule"], json!([{"name": "PER_TX_LIMIT", "count": 2, "amount": 0.11}]));
    let examples = found["examples"].as_array().unwrap();
    assert_eq!(examples.iter().map(|each| each["agentId"].as_str().unwrap()).collect::<Vec<_>>(), [&other.id, &one.id]);
    assert_eq!((&examples[0]["live"], &examples[0]["shadow"]), (&json!(null), &json!("PER_TX_LIMIT")));

    gateway.ask("PUT", &path, &one.key, "{}").await.refused(403, "INSUFFICIENT_SCOPE", None);
    gateway.ask("PUT", &path, &gateway.operator, r#"{"rules":[{}]}"#).await.refused(
        400,
        "VALIDATION_ERROR",
        Some("rules[0].value"),
    );
    gateway.post(&format!("{path}/promote"), &gateway.operator, "").await.expect(200);
    gateway.get(&path, &gateway.operator).await.refused(404, "NOT_FOUND", None);
    gateway.ask("DELETE", &path, &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
    let refused = gateway.post("/api/sdk/x402/pre-authorize", &one.key, &payment("0.05")).await.expect(200).json();
    assert_eq!(refused["authorized"], json!(false));
}
