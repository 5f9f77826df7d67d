//! Who may do what: keys that work, keys that do not, and one table of every endpoint against every kind of key.

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE};

#[tokio::test]
async fn what_is_no_key_is_told_nothing() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/pre-authorize";
    let mut other_ending = agent.key.clone();
    let last = other_ending.pop().unwrap();
    other_ending.push(if last == '0' { '1' } else { '0' });
    let mut bodies = Vec::new();
    for key in ["", "x", &other_ending, &format!("holdfast_agent_{}", "0".repeat(64))] {
        let answer = gateway.post(path, key, X402_PRE_AUTHORIZE).await;
        answer.refused(401, "AUTH_FAILED", None);
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        bodies.push(answer.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    let no_header = gateway.send("POST", path, &[("content-type", "application/json")], X402_PRE_AUTHORIZE).await;
    no_header.refused(401, "AUTH_FAILED", None);
    let basic = [("authorization", "Basic eDp5"), ("content-type", "application/json")];
    gateway.send("POST", path, &basic, X402_PRE_AUTHORIZE).await.refused(401, "AUTH_FAILED", None);
}

#[tokio::test]
async fn a_key_ends_when_it_expires_or_is_revoked() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/budget";
    let day = gateway.key(&agent.id, r#"{"name":"day","expiresInDays":1}"#).await;
    gateway.get(path, &day).await.expect(200);
    gateway.advance_seconds(24 * 3600);
    gateway.get(path, &day).await.refused(401, "EXPIRED_KEY", None);
    gateway.get(path, &agent.key).await.expect(200);

    let keys = format!("/api/agents/{}/sdk-keys", agent.id);
    let issued = gateway.post(&keys, &gateway.operator, r#"{"name":"brief"}"#).await.expect(201);
    let (id, secret) = (issued.text("id"), issued.text("key"));
    assert!(secret.starts_with(&issued.text("keyPrefix")) && issued.text("keyPrefix").len() < secret.len() / 2);
    assert_eq!(issued.text("expiresAt"), "2027-11-21T12:00:00.000Z");
    gateway.get(path, &secret).await.expect(200);
    let list = gateway.get(&keys, &gateway.operator).await.expect(200);
    assert!(list.text.contains(&id) && !list.text.contains(&secret), "{}", list.text);
    gateway.ask("DELETE", &format!("{keys}/{id}"), &gateway.operator, "").await.expect(200);
    gateway.get(path, &secret).await.refused(401, "AUTH_FAILED", None);
    gateway.ask("DELETE", &format!("{keys}/{id}"), &gateway.operator, "").await.refused(404, "NOT_FOUND", None);
}

#[tokio::test]
async fn a_key_acts_for_its_own_agents_only() {
    let gateway = Gateway::new();
    let (alice, bob) = (gateway.agent("alice").await, gateway.agent("bob").await);
    let path = "/api/sdk/x402/pre-authorize";
    let platform_of_bob = format!(r#"{{"name":"p","type":"platform","agentIds":["{}"]}}"#, bob.id);
    let platform_of_bob =
        gateway.post("/api/api-keys", &gateway.operator, &platform_of_bob).await.expect(201).text("key");
    let platform = r#"{"name":"p","type":"platform"}"#;
    let platform = gateway.post("/api/api-keys", &gateway.operator, platform).await.expect(201).text("key");
    for (key, agent, status) in [
        (&alice.key, Some(&alice.id), 200),
        (&alice.key, Some(&bob.id), 403),
        (&platform_of_bob, None, 200),
        (&platform_of_bob, Some(&bob.id), 200),
        (&platform_of_bob, Some(&alice.id), 403),
        (&platform, Some(&alice.id), 200),
        (&platform, None, 400),
        (&gateway.operator, Some(&alice.id), 200),
        (&gateway.operator, None, 400),
    ] {
        let by_header = by_header(&gateway, path, key, agent).await;
        assert_eq!(by_header, status, "{agent:?}");
        let query = agent.map(|agent| format!("{path}?agentId={agent}")).unwrap_or(path.to_owned());
        let by_query = gateway.post(&query, key, X402_PRE_AUTHORIZE).await.status.as_u16();
        assert_eq!(by_query, status, "{agent:?}");
    }
    let nobody = Some(format!("agt_{:032x}", 7));
    assert_eq!(by_header(&gateway, path, &platform, nobody.as_ref()).await, 404);
}

async fn by_header(gateway: &Gateway, path: &str, key: &str, agent: Option<&String>) -> u16 {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    headers.extend(agent.map(|agent| ("x-holdfast-agent", agent.as_str())));
    gateway.send("POST", path, &headers, X402_PRE_AUTHORIZE).await.status.as_u16()
}

#[tokio::test]
async fn anothers_hold_cannot_be_touched() {
    let gateway = Gateway::new();
    let (alice, bob) = (gateway.agent("alice").await, gateway.agent("bob").await);
    let hold = gateway.post("/api/sdk/x402/pre-authorize", &alice.key, X402_PRE_AUTHORIZE).await.expect(200);
    let path = format!("/api/sdk/authorizations/{}", hold.text("authorizationId"));
    gateway.get(&path, &bob.key).await.refused(404, "NOT_FOUND", None);
    gateway.post(&format!("{path}/void"), &bob.key, "").await.refused(404, "NOT_FOUND", None);
    let named = format!("{path}/void?agentId={}", alice.id);
    gateway.post(&named, &bob.key, "").await.refused(403, "INSUFFICIENT_SCOPE", None);
    assert_eq!(gateway.get(&path, &alice.key).await.expect(200).text("status"), "OPEN");
}

/// Every endpoint with the scope it takes, and whether it is for operators alone.
const ENDPOINTS: [(&str, &str, &str, bool); 37] = [
    ("POST", "/api/sdk/x402/pre-authorize", "payments:request", false),
    ("POST", "/api/sdk/mpp/pre-authorize", "payments:request", false),
    ("POST", "/api/sdk/x402/record", "transactions:write", false),
    ("POST", "/api/sdk/mpp/record", "transactions:write", false),
    ("GET", "/api/sdk/x402/services", "transactions:read", false),
    ("GET", "/api/sdk/mpp/budget", "policies:read", false),
    ("POST", "/api/sdk/x402/sessions/close", "payments:request", false),
    ("GET", "/api/sdk/authorizations/HOLD", "transactions:read", false),
    ("POST", "/api/sdk/authorizations/HOLD/capture", "transactions:write", false),
    ("POST", "/api/sdk/authorizations/HOLD/void", "payments:request", false),
    ("POST", "/api/sdk/authorizations/HOLD/extend", "payments:request", false),
    ("POST", "/api/sdk/authorizations/HOLD/increment", "payments:request", false),
    ("POST", "/api/sdk/authorizations/HOLD/refund", "transactions:write", false),
    ("GET", "/api/agents/AGENT", "agents:read", false),
    ("POST", "/api/agents", "agents:write", true),
    ("GET", "/api/agents", "agents:read", true),
    ("PATCH", "/api/agents/AGENT", "agents:write", true),
    ("POST", "/api/agents/AGENT/wallets", "wallets:write", true),
    ("PATCH", "/api/agents/AGENT/wallets/wal_9", "wallets:write", true),
    ("POST", "/api/agents/AGENT/sdk-keys", "agents:write", true),
    ("GET", "/api/agents/AGENT/sdk-keys", "agents:read", true),
    ("DELETE", "/api/agents/AGENT/sdk-keys/key_0000000000000007", "agents:write", true),
    ("POST", "/api/api-keys", "team:write", true),
    ("DELETE", "/api/api-keys/key_0000000000000007", "team:write", true),
    ("POST", "/api/policies", "policies:write", true),
    ("GET", "/api/policies", "policies:read", true),
    ("PUT", "/api/policies/POLICY/rules", "policies:write", true),
    ("DELETE", "/api/policies/POLICY", "policies:write", true),
    ("PUT", "/api/sanctions", "policies:write", true),
    ("GET", "/api/sanctions", "policies:read", true),
    ("DELETE", "/api/sanctions", "policies:write", true),
    ("POST", "/api/counterparties", "counterparties:write", true),
    ("GET", "/api/counterparties", "counterparties:read", true),
    ("GET", "/api/counterparties/PAYEE", "counterparties:read", true),
    ("PATCH", "/api/counterparties/PAYEE", "counterparties:write", true),
    ("DELETE", "/api/counterparties/PAYEE", "counterparties:write", true),
    ("GET", "/api/status", "audit:read", true),
];

/// Whether a key gets past the door: a body `[]` is refused afterwards, so nothing happens behind it.
async fn passes(gateway: &Gateway, agent: &str, method: &str, path: &str, key: &str) -> bool {
    let path = path
        .replace("AGENT", agent)
        .replace("HOLD", &format!("auth_{:032x}", 7))
        .replace("POLICY", &format!("pol_{:032x}", 7))
        .replace("PAYEE", &format!("cp_{:032x}", 7));
    let named = format!("{path}?agentId={agent}");
    let answer = gateway.ask(method, &named, key, if method == "GET" { "" } else { "[]" }).await;
    assert_ne!(answer.status.as_u16(), 401, "{method} {path}: {}", answer.text);
    if answer.status.as_u16() == 403 {
        answer.refused(403, "INSUFFICIENT_SCOPE", None);
    }
    answer.status.as_u16() != 403
}

#[tokio::test]
async fn every_endpoint_takes_its_scope_and_no_other() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let admin = gateway.key(&agent.id, r#"{"name":"a","keyType":"admin"}"#).await;
    let platform =
        gateway.post("/api/api-keys", &gateway.operator, r#"{"name":"p","type":"platform"}"#).await.text("key");
    let standard = ["payments:request", "transactions:write", "transactions:read", "policies:read", "agents:read"];
    for (method, path, scope, for_operators) in ENDPOINTS {
        let only = format!(r#"{{"name":"only","type":"operator","scopes":["{scope}"]}}"#);
        let only = gateway.post("/api/api-keys", &gateway.operator, &only).await.expect(201).text("key");
        let without = if scope == "alerts:read" { "audit:read" } else { "alerts:read" };
        let without = format!(r#"{{"name":"without","type":"operator","scopes":["{without}"]}}"#);
        let without = gateway.post("/api/api-keys", &gateway.operator, &without).await.expect(201).text("key");
        let of_agent = gateway.key(&agent.id, &format!(r#"{{"name":"only","scopes":["{scope}"]}}"#)).await;
        for (who, key, expected) in [
            ("an operator", &gateway.operator, true),
            ("an operator with this scope", &only, true),
            ("an operator without it", &without, false),
            ("an agent with this scope", &of_agent, !for_operators),
            ("an agent with every scope", &admin, !for_operators),
            ("a standard agent", &agent.key, !for_operators && standard.contains(&scope)),
            ("a platform", &platform, !for_operators && standard.contains(&scope)),
        ] {
            let passed = passes(&gateway, &agent.id, method, path, key).await;
            assert_eq!(passed, expected, "{who} at {method} {path}");
        }
    }
}
