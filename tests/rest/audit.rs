//! The audit: what was done, by whom, and proof of it.

use std::time::{Duration, Instant};

use holdfast::audit::{VerifyError, verify};
use serde_json::{Value, json};

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE, X402_RECORD};

/// Asks until the answer is as wanted: entries are there a moment after the answer to what made them.
async fn eventually(gateway: &Gateway, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = gateway.get(path, &gateway.operator).await.expect(200).json();
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "{path}: {answer:#}");
        tokio::task::yield_now().await;
    }
}

fn actions(page: &Value) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    page["entries"].as_array().unwrap().iter().map(|entry| (text(entry, "action"), text(entry, "resource"))).collect()
}

/// An agent that was paused and resumed, paid, and was refused.
async fn lived(gateway: &Gateway) -> String {
    let agent = gateway.agent("shopper").await;
    let path = format!("/api/agents/{}", agent.id);
    for status in ["PAUSED", "ACTIVE"] {
        gateway.ask("PATCH", &path, &gateway.operator, &format!(r#"{{"status":"{status}"}}"#)).await.expect(200);
    }
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
    gateway.post("/api/sdk/x402/record", &agent.key, X402_RECORD).await.expect(200);
    let dear = X402_PRE_AUTHORIZE.replace("0.05", "5000");
    gateway.post("/api/sdk/x402/pre-authorize", &agent.key, &dear).await.expect(200);
    agent.id
}

#[tokio::test]
async fn every_change_of_an_agent_is_an_entry_with_its_actor_and_its_states() {
    let gateway = Gateway::new();
    let agent = lived(&gateway).await;
    let path = format!("/api/audit?agentId={agent}");
    let page =
        eventually(&gateway, &path, |page| actions(page).iter().any(|(action, _)| action == "PAYMENT_DENIED")).await;
    let found = actions(&page);
    let expected = [
        ("PAYMENT_DENIED", "payment"),
        ("PAYMENT_EXECUTED", "payment"),
        ("APPROVE", "authorization"),
        ("ACTIVATE", "agent"),
        ("SUSPEND", "agent"),
        ("PERMISSION_GRANTED", "api_key"),
        ("CREATE", "wallet"),
        ("CREATE", "agent"),
    ];
    // The clock stands still, so that the order is that of the journal.
    let told: Vec<(&str, &str)> =
        found.iter().map(|(action, resource)| (&**action, &**resource)).filter(|(_, r)| *r != "session").collect();
    assert_eq!(told, expected, "{page:#}");
    let of = |action: &str| page["entries"].as_array().unwrap().iter().find(|e| e["action"] == action).unwrap().clone();
    let suspended = of("SUSPEND");
    assert_eq!(suspended["previousState"]["status"], "ACTIVE");
    assert_eq!(suspended["newState"]["status"], "PAUSED");
    assert_eq!(suspended["metadata"]["diff"], json!(["status"]));
    assert_eq!((&suspended["actorType"], &suspended["actorName"]), (&json!("USER"), &json!("first")));
    assert_eq!(suspended["createdAt"], "2026-11-20T12:00:00.000Z");
    let paid = of("PAYMENT_EXECUTED");
    assert_eq!((&paid["actorType"], &paid["actorId"]), (&json!("AGENT"), &json!(agent)));
    let denied = of("PAYMENT_DENIED");
    assert_eq!(denied["metadata"]["details"]["violation"], "PER_TX_LIMIT");
    assert_eq!(denied["metadata"]["recordHash"].as_str().map(str::len), Some(64));
}

/// The entries about one thing, the oldest first: what was done, by what kind of actor, and what came of it.
async fn told(gateway: &Gateway, filter: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/audit?{filter}");
    let page = eventually(gateway, &path, |page| page["entries"].as_array().unwrap().len() == count).await;
    page["entries"].as_array().unwrap().iter().rev().cloned().collect()
}

#[tokio::test]
async fn every_transition_of_a_budget_request_is_an_entry_with_the_actor_of_the_table() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let ask = async || {
        let asked = r#"{"amount":0.10,"purpose":"research"}"#;
        gateway.post("/api/sdk/budget-requests", &agent.key, asked).await.expect(201).text("id")
    };
    let decide = async |id: &str, decision: &str| {
        let body = format!(r#"{{"decision":"{decision}","comment":"seen"}}"#);
        gateway.post(&format!("/api/budget-requests/{id}"), &gateway.operator, &body).await.expect(200)
    };
    let spent = ask().await;
    decide(&spent, "APPROVED").await;
    for transaction in ["0x1", "0x2"] {
        let body = X402_RECORD.replace("0xabc123...", transaction);
        gateway.post("/api/sdk/x402/record", &agent.key, &body).await.expect(200);
    }
    let rejected = ask().await;
    decide(&rejected, "REJECTED").await;
    let silent = ask().await;
    gateway.advance_seconds(24 * 3600);
    gateway.get(&format!("/api/sdk/budget-requests/{silent}"), &agent.key).await.expect(200);

    let entries =
        async |id: &str, count| told(&gateway, &format!("resource=budget_request&resourceId={id}"), count).await;
    let short = |entries: &[Value]| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let line = |entry: &Value| {
            let state = &entry["newState"];
            let state = if state["status"].is_null() { &state["currentSpend"] } else { &state["status"] };
            (text(&entry["action"]), text(&entry["actorType"]), text(state))
        };
        entries.iter().map(line).collect()
    };
    let line = |action: &str, actor: &str, state: &str| (action.to_owned(), actor.to_owned(), state.to_owned());
    assert_eq!(
        short(&entries(&spent, 6).await),
        [
            line("CREATE", "AGENT", "PENDING"),
            line("APPROVE", "USER", "APPROVED"),
            line("UPDATE", "AGENT", "0.05"),
            line("UPDATE", "AGENT", "0.1"),
            line("UPDATE", "SYSTEM", "EXHAUSTED"),
            // It is in force no more, and remains exhausted.
            line("UPDATE", "SYSTEM", "EXHAUSTED"),
        ]
    );
    assert_eq!(
        short(&entries(&rejected, 2).await),
        [line("CREATE", "AGENT", "PENDING"), line("REJECT", "USER", "REJECTED")]
    );
    assert_eq!(
        short(&entries(&silent, 2).await),
        [line("CREATE", "AGENT", "PENDING"), line("UPDATE", "SYSTEM", "EXPIRED")]
    );
}

#[tokio::test]
async fn what_a_setting_was_before_is_told_with_what_it_is() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = format!("/api/agents/{}", agent.id);
    for violations in [2, 7] {
        let body = format!(
            r#"{{"autoFreezeEnabled":{},"freezeConfig":{{"maxConsecutiveViolations":{violations}}}}}"#,
            violations == 7
        );
        gateway.ask("PATCH", &path, &gateway.operator, &body).await.expect(200);
    }
    let entries = told(&gateway, &format!("resource=agent&resourceId={}", agent.id), 5).await;
    let watched = |on: bool, violations: u32| json!({"autoFreezeEnabled": on, "thresholds": {"maxConsecutiveViolations": violations}});
    let [.., first, _, second] = &entries[..] else { panic!("{entries:#?}") };
    assert_eq!((&first["previousState"], &first["newState"]), (&watched(false, 5), &watched(false, 2)), "{entries:#?}");
    assert_eq!((&second["previousState"], &second["newState"]), (&watched(false, 2), &watched(true, 7)));
    assert_eq!(second["metadata"]["diff"], json!(["autoFreezeEnabled", "thresholds"]));

    let policy = |cap: u32| {
        format!(
            r#"{{"name":"tried","rules":[{{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"{cap}","action":"DENY"}}]}}"#
        )
    };
    let shadow = format!("/api/policies/pol_{:032x}/shadow", 7);
    for cap in [5, 6] {
        gateway.ask("PUT", &shadow, &gateway.operator, &policy(cap)).await.expect(201);
    }
    gateway.ask("DELETE", &shadow, &gateway.operator, "").await.expect(200);
    let entries = told(&gateway, "resource=policy_shadow", 3).await;
    let caps: Vec<[Value; 3]> = entries
        .iter()
        .map(|entry| {
            let cap = |state: &str| entry[state]["rules"][0]["value"].clone();
            [entry["action"].clone(), cap("previousState"), cap("newState")]
        })
        .collect();
    assert_eq!(
        caps,
        [
            [json!("CREATE"), Value::Null, json!("5")],
            [json!("UPDATE"), json!("5"), json!("6")],
            [json!("DELETE"), json!("6"), Value::Null]
        ]
    );
}

#[tokio::test]
async fn what_is_asked_for_is_found_page_by_page() {
    let gateway = Gateway::new();
    for agent in 0..3 {
        lived(&gateway).await;
        gateway.advance_seconds(60 * (1 + agent));
    }
    let all = eventually(&gateway, "/api/audit?limit=1000", |page| {
        actions(page).iter().filter(|(action, _)| action == "PAYMENT_DENIED").count() == 3
    })
    .await;
    let ids = |page: &Value| -> Vec<String> {
        page["entries"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect()
    };
    assert!(all.get("nextCursor").is_none());
    for (limit, parameters) in
        [(1, ""), (3, ""), (7, "&resource=authorization"), (2, "&action=SUSPEND"), (1000, "&to=2026-11-20T12:00:30Z")]
    {
        let whole =
            gateway.get(&format!("/api/audit?limit=1000{parameters}"), &gateway.operator).await.expect(200).json();
        let (mut collected, mut cursor) = (Vec::new(), String::new());
        for _ in 0..200 {
            let path = format!("/api/audit?limit={limit}{parameters}{cursor}");
            let page = gateway.get(&path, &gateway.operator).await.expect(200).json();
            collected.extend(ids(&page));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(collected, ids(&whole), "{limit} {parameters}");
    }
    let count = |parameters: &str| {
        let path = format!("/api/audit?limit=1000&{parameters}");
        let gateway = &gateway;
        async move { ids(&gateway.get(&path, &gateway.operator).await.expect(200).json()).len() }
    };
    assert_eq!(count("action=SUSPEND").await, 3);
    assert_eq!(count("action=SUSPEND&from=2026-11-20T12:00:30Z").await, 2);
    assert_eq!(count("action=SUSPEND&to=2026-11-20T12:00:30Z").await, 1);
    assert_eq!(count("resource=policy").await, 0);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    for (parameters, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("action=NOTHING", "action"),
        ("resource=nothing", "resource"),
        ("from=yesterday", "from"),
        ("cursor=x", "cursor"),
        ("cursor=1", "cursor"),
    ] {
        let path = format!("/api/audit?{parameters}");
        gateway.get(&path, &gateway.operator).await.refused(400, "VALIDATION_ERROR", Some(field));
    }
    for path in ["/api/audit", "/api/audit/export"] {
        gateway.get(path, &agent.key).await.refused(403, "INSUFFICIENT_SCOPE", None);
    }
}

async fn exported(gateway: &Gateway) -> String {
    lived(gateway).await;
    eventually(gateway, "/api/audit", |page| actions(page).iter().any(|(action, _)| action == "PAYMENT_DENIED")).await;
    gateway.get("/api/audit/export", &gateway.operator).await.expect(200).text
}

#[tokio::test]
async fn an_export_proves_itself_and_leaves_an_entry() {
    let gateway = Gateway::new();
    let export = exported(&gateway).await;
    let verified = verify(export.as_bytes()).unwrap();
    assert_eq!(verified.entries as usize, export.lines().count() - 2);
    let page = eventually(&gateway, "/api/audit?action=AUDIT_LOG_EXPORTED", |page| !actions(page).is_empty()).await;
    assert_eq!(page["entries"][0]["actorName"], "first");
    // A later export goes on where this one ended.
    let later = gateway.get("/api/audit/export", &gateway.operator).await.expect(200).text;
    verify(later.as_bytes()).unwrap();
    let entries = |export: &str| -> Vec<String> {
        let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().filter_map(|line| line["chain"]["hash"].as_str().map(str::to_owned)).collect()
    };
    let (before, after) = (entries(&export), entries(&later));
    assert!(after.len() >= before.len() && before.iter().all(|hash| after.contains(hash)));
}

#[tokio::test]
async fn whatever_is_done_to_a_line_of_an_export_is_found() {
    let gateway = Gateway::new();
    let export = exported(&gateway).await;
    let lines: Vec<&str> = export.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let bad_line = |text: &str| match verify(text.as_bytes()) {
        Err(VerifyError::Line { line, .. }) => usize::try_from(line).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(verify(joined(&lines).as_bytes()).is_ok() && lines.len() > 15);
    for place in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(place);
        assert_eq!(bad_line(&joined(&removed)), place + 1, "removed");
        let mut doubled = lines.clone();
        doubled.insert(place, lines[place]);
        assert!([place + 1, place + 2].contains(&bad_line(&joined(&doubled))), "doubled");
        let mut other = lines.clone();
        other.insert(place, lines[lines.len() / 2]);
        assert!(bad_line(&joined(&other)) <= place + 2, "inserted");
        if place + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(place, place + 1);
            assert_eq!(bad_line(&joined(&swapped)), place + 1, "swapped");
        }
        // Every byte matters.
        for at in (0..lines[place].len()).step_by(7) {
            let mut changed = lines[place].as_bytes().to_vec();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            if changed == lines[place].as_bytes() {
                continue;
            }
            let changed = String::from_utf8(changed).unwrap();
            let mut all = lines.clone();
            all[place] = &changed;
            assert!(verify(joined(&all).as_bytes()).is_err(), "line {place}, byte {at}: {changed}");
        }
    }
    assert_eq!(bad_line(""), 1);
    assert_eq!(bad_line(&joined(&lines[..1])), 2);
}

#[tokio::test]
async fn exports_that_nobody_reads_are_few() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = format!("/api/agents/{}", agent.id);
    // More than waits for a client at one time.
    for round in 0..800 {
        let name = format!(r#"{{"name":"{round} {}"}}"#, "x".repeat(200));
        gateway.ask("PATCH", &path, &gateway.operator, &name).await.expect(200);
    }
    let wanted = |page: &Value| page["entries"][0]["newState"]["name"].as_str().is_some_and(|n| n.starts_with("799"));
    eventually(&gateway, "/api/audit?resource=agent&limit=1", wanted).await;
    let operator = format!("Bearer {}", gateway.operator);
    let ask = || {
        let request = axum::http::Request::get("/api/audit/export").header("authorization", &operator);
        tower::ServiceExt::oneshot(gateway.router.clone(), request.body(axum::body::Body::empty()).unwrap())
    };
    let unread = [ask().await.unwrap(), ask().await.unwrap()];
    assert!(unread.iter().all(|export| export.status() == 200));
    gateway.get("/api/audit/export", &gateway.operator).await.refused(429, "CAPACITY_EXCEEDED", None);
    drop(unread);
    while ask().await.unwrap().status() != 200 {
        tokio::task::yield_now().await;
    }
}
