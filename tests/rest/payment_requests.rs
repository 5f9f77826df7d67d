//! Payments outside the rails: the flows of managed wallets, of wallets of the agent's own, and of cards.

use serde_json::{Value, json};

use crate::gateway::{Agent, Answer, Gateway};

const PAYEE: &str = "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00";
const SENDER: &str = "0x1111111111111111111111111111111111111111";
const HASH: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";
const SCOPES: &str = r#"{"name":"payer","scopes":["payments:request","payments:execute","payments:approve","payments:confirm","transactions:read","transactions:write","policies:read"]}"#;

/// An agent whose key may do everything with payments, and whose second wallet is its own.
async fn payer(gateway: &Gateway) -> Agent {
    let agent = gateway.agent("payer").await;
    let key = gateway.key(&agent.id, SCOPES).await;
    let wallet =
        format!(r#"{{"walletId":"own","address":"{SENDER}","chainId":"8453","custodyType":"EXTERNAL","balance":50}}"#);
    gateway.post(&format!("/api/agents/{}/wallets", agent.id), &gateway.operator, &wallet).await.expect(201);
    Agent { id: agent.id, key }
}

fn payment(more: Value) -> String {
    let mut body = json!({ "amount": 25.5, "recipientAddress": PAYEE, "recipientName": "Example Inc", "purpose": "monthly plan",
        "category": "SAAS", "urgency": "NORMAL", "context": { "ticket": "T-1" } });
    merge(&mut body, more);
    body.to_string()
}

fn external(more: Value) -> String {
    let mut body = json!({ "amount": 20, "recipientAddress": PAYEE, "senderAddress": SENDER, "chainId": "8453", "purpose": "plan" });
    merge(&mut body, more);
    body.to_string()
}

fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

async fn request(gateway: &Gateway, agent: &Agent, more: Value) -> Answer {
    gateway.post("/api/sdk/payments/request", &agent.key, &payment(more)).await
}

async fn status(gateway: &Gateway, agent: &Agent, id: &str) -> String {
    gateway.get(&format!("/api/sdk/payments/{id}"), &agent.key).await.expect(200).text("status")
}

async fn spent(gateway: &Gateway, agent: &Agent) -> (Value, Value) {
    let budget = gateway.get("/api/sdk/x402/budget", &agent.key).await.expect(200).json();
    (budget["spentToday"].clone(), budget["held"].clone())
}

#[tokio::test]
async fn a_payment_is_requested_and_executed() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let approved = request(&gateway, &agent, json!({ "walletId": "wal_123" })).await.expect(200);
    let body = approved.json();
    assert_eq!((&body["status"], &body["approved"]), (&json!("APPROVED"), &json!(true)));
    assert_eq!(body["wallet"]["id"], "wal_123");
    assert_eq!(body["wallet"]["custodyType"], "EXTERNAL");
    assert!(approved.text.contains(r#""availableBalance":474.50"#), "{}", approved.text);
    assert!(body["walletSelectionReason"].as_str().is_some_and(|reason| reason.contains("names this wallet")));
    assert_eq!(body["expiresAt"], "2026-11-20T12:05:00.000Z");
    assert_eq!((&body["currency"], &body["chain"]["chainName"]), (&json!("USDC"), &json!("Base")));
    assert_eq!((&body["chain"]["chainType"], &body["chain"]["chainId"]), (&json!("EVM"), &json!("8453")));
    assert!(body["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()));
    assert_eq!((&body["violations"], &body["requiresHumanApproval"]), (&json!([]), &json!(false)));
    assert!(body.get("context").is_none() && body.get("error").is_none());

    let id = approved.text("requestId");
    assert_eq!(status(&gateway, &agent, &id).await, "APPROVED");
    assert_eq!(spent(&gateway, &agent).await, (json!(25.5), json!(25.5)));
    let path = format!("/api/sdk/payments/{id}/execute");
    let executed = gateway.post(&path, &agent.key, "").await.expect(200);
    assert_eq!((executed.text("status"), executed.json()["txHash"].clone()), ("EXECUTED".into(), Value::Null));
    assert!(executed.text.contains(r#""amount":25.50,"overage":0.00"#), "{}", executed.text);
    let again = gateway.post(&path, &agent.key, "").await.expect(200);
    assert_eq!(
        (again.text.clone(), &again.headers["idempotency-replayed"]),
        (executed.text.clone(), &"true".parse().unwrap())
    );
    assert_eq!(status(&gateway, &agent, &id).await, "EXECUTED");
    assert_eq!(spent(&gateway, &agent).await, (json!(25.5), json!(0.0)));
}

#[tokio::test]
async fn the_wallet_is_chosen_for_a_reason() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let chosen = request(&gateway, &agent, json!({})).await.expect(200).json();
    assert_eq!(chosen["walletSelectionReason"], "EXTERNAL is preferred among the wallets that may pay");
    let single = gateway.agent("single").await;
    let chosen = request(&gateway, &single, json!({})).await.expect(200).json();
    assert_eq!(chosen["walletSelectionReason"], "The agent has no other wallet");
    let solana = request(&gateway, &agent, json!({ "chainId": "solana-devnet" })).await.expect(200).json();
    assert_eq!(solana["chain"]["chainType"], "SOLANA");
    let tempo = request(&gateway, &agent, json!({ "chainId": 42431 })).await.expect(200).json();
    assert_eq!((&tempo["currency"], &tempo["chain"]["chainName"]), (&json!("pathUSD"), &json!("Tempo Testnet")));
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_payment() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let first = request(&gateway, &agent, json!({ "idempotencyKey": "k1" })).await.expect(200);
    let again = request(&gateway, &agent, json!({ "idempotencyKey": "k1" })).await.expect(200);
    assert_eq!(again.text("requestId"), first.text("requestId"));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    for more in [json!({ "amount": 25.51 }), json!({ "purpose": "other" }), json!({ "walletId": "own" })] {
        let mut body = json!({ "idempotencyKey": "k1" });
        merge(&mut body, more);
        request(&gateway, &agent, body).await.refused(409, "IDEMPOTENCY_CONFLICT", None);
    }
}

#[tokio::test]
async fn a_payment_is_executed_at_once_where_its_key_may() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let executed = request(&gateway, &agent, json!({ "autoExecute": true, "idempotencyKey": "k1" })).await.expect(200);
    let body = executed.json();
    assert_eq!((&body["status"], &body["execution"]["status"]), (&json!("EXECUTED"), &json!("CONFIRMING")));
    assert_eq!(spent(&gateway, &agent).await, (json!(25.5), json!(0.0)));
    let again =
        request(&gateway, &agent, json!({ "autoExecute": true, "idempotencyKey": "k1" })).await.expect(200).json();
    assert_eq!(again["execution"]["transactionId"], body["execution"]["transactionId"]);
    assert_eq!(spent(&gateway, &agent).await, (json!(25.5), json!(0.0)));

    let denied = request(&gateway, &agent, json!({ "autoExecute": true, "amount": 101 })).await;
    assert!(denied.json().get("execution").is_none());
    let voided = request(&gateway, &agent, json!({ "idempotencyKey": "k2" })).await.expect(200).text("requestId");
    gateway.post(&format!("/api/sdk/authorizations/{voided}/void"), &agent.key, "").await.expect(200);
    let late =
        request(&gateway, &agent, json!({ "autoExecute": true, "idempotencyKey": "k2" })).await.expect(200).json();
    assert!(late["autoExecuteError"].as_str().is_some_and(|error| error.contains("voided")), "{late}");

    let standard = gateway.key(&agent.id, r#"{"name":"standard"}"#).await;
    let body = payment(json!({ "autoExecute": true }));
    gateway.post("/api/sdk/payments/request", &standard, &body).await.refused(403, "INSUFFICIENT_SCOPE", None);
}

#[tokio::test]
async fn a_denial_has_the_code_of_what_stands_against_it() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    for (more, status, code) in [
        (json!({ "amount": 101 }), 400, "PER_TX_LIMIT_EXCEEDED"),
        (json!({ "walletId": "none" }), 400, "NO_WALLET"),
        (json!({ "walletId": "own", "amount": 51 }), 400, "INSUFFICIENT_BALANCE"),
        (json!({ "walletId": "own", "amount": 101 }), 403, "PAYMENT_DENIED"),
    ] {
        let denied = request(&gateway, &agent, more.clone()).await;
        denied.refused(status, code, None);
        let body = denied.json();
        assert_eq!((&body["status"], &body["approved"]), (&json!("DENIED"), &json!(false)), "{more}");
        assert!(body["violations"].as_array().is_some_and(|violations| !violations.is_empty()));
        assert!(body["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()));
        assert!(body["context"]["nextSteps"].as_array().is_some_and(|steps| !steps.is_empty()), "{body}");
        assert_eq!(body["context"]["wallets"].as_array().map(Vec::len), Some(2));
    }
    for _ in 0..5 {
        request(&gateway, &agent, json!({ "walletId": "wal_123", "amount": 95, "autoExecute": true }))
            .await
            .expect(200);
    }
    request(&gateway, &agent, json!({ "walletId": "own" })).await.refused(400, "DAILY_LIMIT_EXCEEDED", None);
    assert_eq!(spent(&gateway, &agent).await, (json!(475.0), json!(0.0)));
}

#[tokio::test]
async fn a_payment_waits_for_people() {
    let gateway = Gateway::new();
    let rule = r#"{"ruleType":"REQUIRE_APPROVAL_ABOVE","operator":"GT","value":"20","action":"REQUIRE_APPROVAL"}"#;
    gateway.policy(rule).await;
    let agent = payer(&gateway).await;
    let body = json!({ "idempotencyKey": "k1", "autoExecute": true });
    let waits = request(&gateway, &agent, body.clone()).await.expect(202);
    let (id, asked) = (waits.text("requestId"), waits.text("approvalRequestId"));
    assert_eq!(
        (waits.text("status"), waits.json()["requiresHumanApproval"].clone()),
        ("REQUIRES_APPROVAL".into(), json!(true))
    );
    assert_eq!(status(&gateway, &agent, &id).await, "REQUIRES_APPROVAL");
    gateway.post(&format!("/api/sdk/payments/{id}/execute"), &agent.key, "").await.refused(400, "INVALID_STATUS", None);
    gateway.post(&format!("/api/approval-requests/{asked}/approve"), &gateway.operator, "").await.expect(200);
    assert_eq!(status(&gateway, &agent, &id).await, "APPROVED");
    let executed = request(&gateway, &agent, body).await.expect(200);
    assert_eq!((executed.text("requestId"), executed.text("status")), (id.clone(), "EXECUTED".into()));
    assert_eq!(status(&gateway, &agent, &id).await, "EXECUTED");

    let own = external(json!({ "amount": 21, "idempotencyKey": "k2" }));
    let waits = gateway.post("/api/sdk/payments/approve", &agent.key, &own).await.expect(200);
    assert_eq!(
        (waits.json()["approved"].clone(), waits.json()["requiresHumanApproval"].clone()),
        (json!(false), json!(true))
    );
    assert!(waits.json().get("approvalToken").is_none());
    let reject = format!("/api/approval-requests/{}/reject", waits.text("approvalRequestId"));
    gateway.post(&reject, &gateway.operator, "").await.expect(200);
    assert_eq!(status(&gateway, &agent, &waits.text("approvalId")).await, "DENIED");
    let denied = gateway.post("/api/sdk/payments/approve", &agent.key, &own).await.expect(200);
    assert_eq!((denied.text("status"), denied.json()["approved"].clone()), ("DENIED".into(), json!(false)));
}

#[tokio::test]
async fn what_is_no_payment_is_refused() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    for (more, code, field) in [
        (json!({ "amount": 0 }), "INVALID_AMOUNT", "amount"),
        (json!({ "amount": "1.0000001" }), "INVALID_AMOUNT", "amount"),
        (json!({ "recipientAddress": "0x123" }), "INVALID_ADDRESS", "recipientAddress"),
        (json!({ "recipientAddress": null }), "VALIDATION_ERROR", "recipientAddress"),
        (json!({ "urgency": "NOW" }), "VALIDATION_ERROR", "urgency"),
        (json!({ "functionSelector": "transfer" }), "VALIDATION_ERROR", "functionSelector"),
        (json!({ "context": [] }), "VALIDATION_ERROR", "context"),
    ] {
        request(&gateway, &agent, more).await.refused(400, code, Some(field));
    }
}

#[tokio::test]
async fn a_payment_ends_once() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let unknown = "auth_00000000000000000000000000000001";
    gateway.post(&format!("/api/sdk/payments/{unknown}/execute"), &agent.key, "").await.refused(404, "NOT_FOUND", None);
    gateway.get(&format!("/api/sdk/payments/{unknown}"), &agent.key).await.refused(404, "NOT_FOUND", None);

    let voided = request(&gateway, &agent, json!({})).await.expect(200).text("requestId");
    gateway.post(&format!("/api/sdk/authorizations/{voided}/void"), &agent.key, "").await.expect(200);
    gateway.post(&format!("/api/sdk/payments/{voided}/execute"), &agent.key, "").await.refused(
        400,
        "INVALID_STATUS",
        None,
    );
    assert_eq!(status(&gateway, &agent, &voided).await, "VOIDED");

    let late = request(&gateway, &agent, json!({})).await.expect(200).text("requestId");
    gateway.advance_seconds(301);
    assert_eq!(status(&gateway, &agent, &late).await, "EXPIRED");
    gateway.post(&format!("/api/sdk/payments/{late}/execute"), &agent.key, "").await.refused(400, "EXPIRED", None);
    gateway.advance_seconds(30);
    gateway.post(&format!("/api/sdk/payments/{late}/execute"), &agent.key, "").await.refused(400, "EXPIRED", None);
    assert_eq!(spent(&gateway, &agent).await, (json!(0.0), json!(0.0)));
}

#[tokio::test]
async fn an_external_payment_is_approved_paid_and_confirmed() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let approved = gateway.post("/api/sdk/payments/approve", &agent.key, &external(json!({}))).await.expect(200);
    let body = approved.json();
    assert_eq!((&body["approved"], &body["requiresHumanApproval"]), (&json!(true), &json!(false)));
    assert_eq!((&body["expiresAt"], &body["wallet"]["id"]), (&json!("2026-11-20T12:10:00.000Z"), &json!("own")));
    assert!(
        approved.text.contains(r#""limits":{"dailyUsed":20.00,"dailyLimit":500.00,"dailyRemaining":480.00}"#),
        "{}",
        approved.text
    );
    let id = approved.text("approvalId");
    let path = approved.text("confirmUrl");
    assert_eq!(path, format!("/api/sdk/payments/{id}/confirm"));
    let confirm = json!({ "txHash": HASH, "approvalToken": body["approvalToken"] }).to_string();
    let confirmed = gateway.post(&path, &agent.key, &confirm).await.expect(200);
    let body = confirmed.json();
    assert_eq!((&body["confirmed"], &body["status"]), (&json!(true), &json!("CONFIRMED")));
    assert_eq!((&body["recipient"], &body["txHash"], &body["currency"]), (&json!(PAYEE), &json!(HASH), &json!("USDC")));
    assert_eq!(body["explorerUrl"], format!("https://basescan.org/tx/{HASH}"));
    assert!(confirmed.text.contains(r#""amount":20.00,"overage":0.00"#), "{}", confirmed.text);
    assert_eq!(gateway.post(&path, &agent.key, &confirm).await.expect(200).text, confirmed.text);
    assert_eq!(status(&gateway, &agent, &id).await, "CONFIRMED");
    let hold = gateway.get(&format!("/api/sdk/authorizations/{id}"), &agent.key).await.expect(200);
    assert_eq!(hold.text("txHash"), HASH);
    assert_eq!(spent(&gateway, &agent).await, (json!(20.0), json!(0.0)));
    let other = confirm.replace("0x22", "0x33");
    gateway.post(&path, &agent.key, &other).await.refused(400, "INVALID_STATUS", None);
}

#[tokio::test]
async fn a_token_is_good_for_its_own_payment_alone() {
    let gateway = Gateway::new();
    let (agent, stranger) = (payer(&gateway).await, payer(&gateway).await);
    let approve = async |agent: &Agent| {
        let approved = gateway.post("/api/sdk/payments/approve", &agent.key, &external(json!({}))).await.expect(200);
        (approved.text("confirmUrl"), approved.text("approvalToken"))
    };
    let (path, token) = approve(&agent).await;
    let (_, second) = approve(&agent).await;
    let (_, strange) = approve(&stranger).await;
    for wrong in [second, strange.clone(), format!("{token}x"), String::new(), "a.b".to_owned()] {
        let body = json!({ "txHash": HASH, "approvalToken": wrong }).to_string();
        gateway.post(&path, &agent.key, &body).await.refused(400, "VALIDATION_ERROR", Some("approvalToken"));
    }
    let theirs = json!({ "txHash": HASH, "approvalToken": token }).to_string();
    gateway.post(&path, &stranger.key, &theirs).await.refused(400, "VALIDATION_ERROR", Some("approvalToken"));
    for (name, value) in [("txHash", json!("0x12")), ("txHash", json!(null)), ("approvalToken", json!(null))] {
        let mut body = json!({ "txHash": HASH, "approvalToken": token });
        body[name] = value;
        gateway.post(&path, &agent.key, &body.to_string()).await.refused(400, "VALIDATION_ERROR", Some(name));
    }
    assert_eq!(spent(&gateway, &agent).await, (json!(40.0), json!(40.0)));
}

#[tokio::test]
async fn a_payment_confirmed_too_late_is_refused_and_counted() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let approved = gateway.post("/api/sdk/payments/approve", &agent.key, &external(json!({}))).await.expect(200);
    let path = approved.text("confirmUrl");
    let confirm = json!({ "txHash": HASH, "approvalToken": approved.text("approvalToken") }).to_string();
    gateway.advance_seconds(631);
    for _ in 0..2 {
        let late = gateway.post(&path, &agent.key, &confirm).await;
        late.refused(400, "EXPIRED", None);
        assert_eq!((late.text("status"), late.json()["confirmed"].clone()), ("EXPIRED".into(), json!(false)));
        assert!(late.text.contains(r#""amount":20.00,"overage":20.00"#), "{}", late.text);
        assert_eq!(spent(&gateway, &agent).await, (json!(20.0), json!(0.0)));
    }
    // In the grace the report is in time.
    let approved = gateway.post("/api/sdk/payments/approve", &agent.key, &external(json!({}))).await.expect(200);
    gateway.advance_seconds(629);
    let confirm = json!({ "txHash": HASH, "approvalToken": approved.text("approvalToken") }).to_string();
    gateway.post(&approved.text("confirmUrl"), &agent.key, &confirm).await.expect(200);
}

#[tokio::test]
async fn an_external_denial_is_a_normal_answer() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    for more in [json!({ "amount": 51 }), json!({ "senderAddress": PAYEE })] {
        let denied = gateway.post("/api/sdk/payments/approve", &agent.key, &external(more)).await.expect(200);
        let body = denied.json();
        assert_eq!((&body["approved"], &body["status"]), (&json!(false), &json!("DENIED")));
        assert!(body.get("approvalToken").is_none() && body.get("confirmUrl").is_none());
        assert!(body["limits"]["dailyLimit"].is_number());
    }
    for (more, code, field) in [
        (json!({ "senderAddress": "me" }), "INVALID_ADDRESS", "senderAddress"),
        (json!({ "senderAddress": null }), "VALIDATION_ERROR", "senderAddress"),
        (json!({ "chainId": null }), "VALIDATION_ERROR", "chainId"),
        (json!({ "walletId": "own" }), "VALIDATION_ERROR", "walletId"),
    ] {
        gateway.post("/api/sdk/payments/approve", &agent.key, &external(more)).await.refused(400, code, Some(field));
    }
}

#[tokio::test]
async fn a_card_is_approved_and_charged_or_not() {
    let gateway = Gateway::new();
    let agent = payer(&gateway).await;
    let card =
        r#"{"amount":19.99,"merchantName":"Whole Foods","merchantCategory":"5411","purpose":"lunch","cardId":"own"}"#;
    let approve = async || gateway.post("/api/sdk/cards/approve", &agent.key, card).await.expect(200);
    let approved = approve().await;
    assert_eq!(
        (approved.text("status"), approved.text("expiresAt")),
        ("APPROVED".into(), "2026-11-20T12:05:00.000Z".into())
    );
    let id = approved.text("requestId");
    let hold = gateway.get(&format!("/api/sdk/authorizations/{id}"), &agent.key).await.expect(200);
    assert_eq!(
        (hold.text("protocol"), hold.text("recipientAddress")),
        ("card".into(), "merchant:whole%20foods".into())
    );
    let charged = r#"{"transactionReference":"ch_1","amount":18.50,"status":"COMPLETED"}"#;
    let path = format!("/api/sdk/cards/{id}/confirm");
    let confirmed = gateway.post(&path, &agent.key, charged).await.expect(200);
    assert_eq!((confirmed.text("status"), confirmed.text("txHash")), ("CONFIRMED".into(), "ch_1".into()));
    assert_eq!(gateway.post(&path, &agent.key, charged).await.expect(200).text, confirmed.text);
    assert_eq!(spent(&gateway, &agent).await, (json!(18.5), json!(0.0)));

    let declined = approve().await.text("requestId");
    let path = format!("/api/sdk/cards/{declined}/confirm");
    let released = gateway.post(&path, &agent.key, r#"{"status":"DECLINED"}"#).await.expect(200);
    assert_eq!(released.text("status"), "VOIDED");
    assert_eq!(spent(&gateway, &agent).await, (json!(18.5), json!(0.0)));
    gateway.post(&path, &agent.key, r#"{"status":"PERHAPS"}"#).await.refused(400, "VALIDATION_ERROR", Some("status"));
    gateway.post(&path, &agent.key, charged).await.refused(400, "INVALID_STATUS", None);
    assert_eq!(spent(&gateway, &agent).await, (json!(37.0), json!(0.0)), "it was charged after all");

    let denied = gateway.post("/api/sdk/cards/approve", &agent.key, &card.replace("19.99", "51")).await.expect(200);
    assert_eq!((denied.text("status"), denied.json()["approved"].clone()), ("DENIED".into(), json!(false)));
    let nobody = gateway.post("/api/sdk/cards/approve", &agent.key, r#"{"amount":1}"#).await;
    nobody.refused(400, "VALIDATION_ERROR", Some("merchantName"));
}

#[tokio::test]
async fn every_verb_needs_its_scope() {
    let gateway = Gateway::new();
    let agent = gateway.agent("plain").await;
    let id = "auth_00000000000000000000000000000001";
    for (path, body) in [
        (format!("/api/sdk/payments/{id}/execute"), String::new()),
        ("/api/sdk/payments/approve".to_owned(), external(json!({}))),
        (format!("/api/sdk/payments/{id}/confirm"), "{}".to_owned()),
        ("/api/sdk/cards/approve".to_owned(), "{}".to_owned()),
        (format!("/api/sdk/cards/{id}/confirm"), "{}".to_owned()),
    ] {
        gateway.post(&path, &agent.key, &body).await.refused(403, "INSUFFICIENT_SCOPE", None);
        gateway.post(&path, "conto_agent_nobody", &body).await.refused(401, "AUTH_FAILED", None);
    }
}
