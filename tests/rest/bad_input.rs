//! Every bad input gets a named refusal, and changes nothing.

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE, X402_RECORD};

#[tokio::test]
async fn amounts_that_are_none_name_their_field_and_change_nothing() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let before = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200).text;
    for (path, body) in [("/api/sdk/x402/pre-authorize", X402_PRE_AUTHORIZE), ("/api/sdk/x402/record", X402_RECORD)] {
        for amount in [
            "0",
            "-1",
            "-0.05",
            "NaN",
            "\"NaN\"",
            "1e400",
            "0.0000001",
            "\"0.0000001\"",
            "\"abc\"",
            "\"\"",
            "Infinity",
            "123456789012345678901234567890",
            "\"123456789012345678901234567890\"",
            "\"-1\"",
        ] {
            let body = body.replace("\"amount\": 0.05", &format!("\"amount\": {amount}"));
            gateway.post(path, &agent.key, &body).await.refused(400, "INVALID_AMOUNT", Some("amount"));
        }
        for amount in ["true", "{}", "[0.05]", "null"] {
            let body = body.replace("\"amount\": 0.05", &format!("\"amount\": {amount}"));
            gateway.post(path, &agent.key, &body).await.refused(400, "VALIDATION_ERROR", Some("amount"));
        }
    }
    assert_eq!(gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200).text, before);
}

#[tokio::test]
async fn fields_of_the_wrong_type_are_named() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for (from, to, field) in [
        ("\"recipientAddress\": \"0xFacilitatorAddress\"", "\"recipientAddress\": 7", "recipientAddress"),
        ("\"recipientAddress\": \"0xFacilitatorAddress\",", "", "recipientAddress"),
        ("\"recipientAddress\": \"0xFacilitatorAddress\"", "\"recipientAddress\": \"a b\"", "recipientAddress"),
        ("https://api.example.com/data", "not a url", "resourceUrl"),
        ("https://api.example.com/data", "https://api.example.com@evil.example/data", "resourceUrl"),
        ("\"serviceDomain\": \"api.example.com\"", "\"serviceDomain\": \"api.openai.com\"", "serviceDomain"),
        ("\"scheme\": \"exact\"", "\"sessionId\": {}", "sessionId"),
        ("\"scheme\": \"exact\"", "\"holdSeconds\": \"soon\"", "holdSeconds"),
        ("\"scheme\": \"exact\"", "\"holdSeconds\": 0", "holdSeconds"),
        ("\"scheme\": \"exact\"", "\"holdSeconds\": 99999999999", "holdSeconds"),
        ("\"scheme\": \"exact\"", "\"intent\": \"gift\"", "intent"),
        ("\"scheme\": \"exact\"", "\"intent\": \"session\"", "intent"),
    ] {
        let body = X402_PRE_AUTHORIZE.replace(from, to);
        let answer = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &body).await;
        answer.refused(400, "VALIDATION_ERROR", Some(field));
        assert!(answer.json()["error"]["expected"].is_string(), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_is_not_json_is_told_where() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for (body, part) in [
        ("{\n  \"amount\": ,", "line 2, column 13"),
        ("", "empty"),
        ("[]", "object"),
        ("{\"amount\":1,\"amount\":2}", "`amount` appears twice"),
    ] {
        let answer = gateway.post("/api/sdk/x402/pre-authorize", &agent.key, body).await;
        answer.refused(400, "VALIDATION_ERROR", None);
        assert!(answer.text.contains(part), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let hold = format!("/api/sdk/authorizations/auth_{:032x}", 7);
    gateway.get(&hold, &agent.key).await.refused(404, "NOT_FOUND", None);
    gateway.post(&format!("{hold}/capture"), &agent.key, r#"{"amount":1}"#).await.refused(404, "NOT_FOUND", None);
    gateway.post(&format!("{hold}/void"), &agent.key, "").await.refused(404, "NOT_FOUND", None);
    gateway.get("/api/sdk/mpp/budget?sessionId=none", &agent.key).await.refused(404, "NOT_FOUND", None);
    let close = r#"{"sessionId":"none"}"#;
    gateway.post("/api/sdk/mpp/sessions/close", &agent.key, close).await.refused(404, "NOT_FOUND", None);
    let agent_path = format!("/api/agents/agt_{:032x}", 7);
    gateway.get(&agent_path, &gateway.operator).await.refused(404, "NOT_FOUND", None);
    let path = format!("/api/policies/pol_{:032x}", 7);
    gateway.get(&path, &gateway.operator).await.refused(404, "NOT_FOUND", None);
    gateway.ask("DELETE", &path, &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
    for path in ["/api/sdk/authorizations/7", "/api/sdk/authorizations/auth_7"] {
        gateway.get(path, &agent.key).await.refused(400, "VALIDATION_ERROR", Some("id"));
    }
}

#[tokio::test]
async fn policies_that_mean_nothing_are_refused_and_not_kept() {
    let gateway = Gateway::new();
    for (rule, field) in [
        (r#"{"ruleType":"MAX_AMMOUNT","operator":"LTE","value":"1"}"#, "rules[0].ruleType"),
        (r#"{"ruleType":"TRUST_SCORE","operator":"GTE","value":"170"}"#, "rules[0].value"),
        (r#"{"ruleType":"MAX_AMOUNT","operator":"BETWEEN","value":"1"}"#, "rules[0].operator"),
        (r#"{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"lots"}"#, "rules[0].value"),
        (r#"{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"1","action":"MAYBE"}"#, "rules[0].action"),
    ] {
        let body = format!(r#"{{"name":"bad","rules":[{rule}]}}"#);
        gateway.post("/api/policies", &gateway.operator, &body).await.refused(400, "VALIDATION_ERROR", Some(field));
    }
    let list = gateway.get("/api/policies", &gateway.operator).await.expect(200);
    assert_eq!(list.text, r#"{"policies":[]}"#);
}
