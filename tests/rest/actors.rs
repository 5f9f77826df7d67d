//! Whoever changes something is named in the journal.

use holdfast::{
    journal::{Position, Store, codec::visit_events, replay},
    kernel::{Actor, ActorKind, Event, ShardId},
};

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE};

/// Every durable event, with who asked for it.
fn events(gateway: &Gateway) -> Vec<(Event, Option<Actor>)> {
    let mut found = Vec::new();
    for shard in 0..gateway.store.shards().get() {
        let (mut actor, mut covered) = (None, 0);
        let mut visit = |_, payload: &[u8]| {
            visit_events(payload, &mut |_, event| {
                if let Event::By(by, count) = event {
                    (actor, covered) = (Some(*by), count);
                    return;
                }
                let by = (covered > 0).then(|| actor.clone()).flatten();
                covered = covered.saturating_sub(1);
                found.push((event, by));
            })?;
            Ok(())
        };
        replay(&*gateway.store, ShardId(shard), Position::START, &mut visit).unwrap();
    }
    found
}

#[tokio::test]
async fn every_change_of_an_operator_names_its_key() {
    let gateway = Gateway::new();
    let bearer = format!("Bearer {}", gateway.operator);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("user-agent", "console/1.0")];
    let ask = async |method: &str, path: &str, body: &str| gateway.send(method, path, &headers, body.to_owned()).await;
    let id = ask("POST", "/api/agents", r#"{"name":"shopper"}"#).await.expect(201).text("id");
    let agent = format!("/api/agents/{id}");
    ask("PATCH", &agent, r#"{"status":"PAUSED"}"#).await.expect(200);
    ask("PATCH", &agent, r#"{"status":"ACTIVE"}"#).await.expect(200);
    ask("POST", &format!("{agent}/wallets"), r#"{"walletId":"w"}"#).await.expect(201);
    ask("PATCH", &format!("{agent}/wallets/w"), r#"{"spendLimitPerTx":1}"#).await.expect(200);
    let key = ask("POST", &format!("{agent}/sdk-keys"), r#"{"name":"k"}"#).await.expect(201);
    gateway.post("/api/sdk/x402/pre-authorize", &key.text("key"), X402_PRE_AUTHORIZE).await.expect(200);
    ask("DELETE", &format!("{agent}/sdk-keys/{}", key.text("id")), "").await.expect(200);
    let platform = ask("POST", "/api/api-keys", r#"{"name":"p","type":"platform"}"#).await.expect(201).text("id");
    ask("DELETE", &format!("/api/api-keys/{platform}"), "").await.expect(200);
    let policy =
        ask("POST", "/api/policies", r#"{"name":"p","policyType":"SPEND_LIMIT","rules":[]}"#).await.expect(201);
    let policy = format!("/api/policies/{}", policy.text("id"));
    ask("PATCH", &policy, r#"{"isActive":false}"#).await.expect(200);
    let rules = r#"{"rules":[{"ruleType":"MAX_AMOUNT","operator":"LTE","value":"5","action":"ALLOW"}]}"#;
    ask("PUT", &format!("{policy}/rules"), rules).await.expect(200);
    ask("DELETE", &policy, "").await.expect(200);

    let events = events(&gateway);
    let changes_of = |(event, actor): &(Event, Option<Actor>)| match event {
        Event::Before(_) => None,
        event => Some((event.clone(), actor.clone()?)),
    };
    let by_operator = events.iter().filter_map(changes_of);
    let mut changes = 0;
    for (event, actor) in by_operator {
        let named = (actor.kind, &*actor.name, &*actor.user_agent, actor.key.is_some());
        assert_eq!(named, (ActorKind::User, "first", "console/1.0", true), "{event:?}");
        changes += 1;
    }
    assert_eq!(changes, 13, "{events:#?}");
    let payments = events.iter().filter(|(event, _)| matches!(event, Event::Approved(_) | Event::Denied(_)));
    assert!(payments.clone().count() == 1 && payments.clone().all(|(_, actor)| actor.is_none()));
}

#[tokio::test]
async fn a_long_user_agent_is_cut() {
    let gateway = Gateway::new();
    let (bearer, name) = (format!("Bearer {}", gateway.operator), "x".repeat(1000));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("user-agent", &name)];
    gateway.send("POST", "/api/agents", &headers, r#"{"name":"a"}"#).await.expect(201);
    let actors: Vec<Actor> = events(&gateway).into_iter().filter_map(|(_, actor)| actor).collect();
    assert!(matches!(&actors[..], [actor] if actor.user_agent.len() == 256), "{actors:?}");
}
