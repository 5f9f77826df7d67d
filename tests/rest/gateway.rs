//! A gateway to speak to, with a clock that stands still unless it is told.

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use holdfast::{
    engine::{Clock, Engine, EngineOptions, EngineThreads},
    journal::MemoryStore,
    kernel::{
        PolicyId, Timestamp,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::Principal,
    },
    server::{
        approval_token::TokenKey,
        identity::{Identity, KeyKind, ScopeSet, Secret},
        readers::Readers,
        rest::{RestState, router},
        streams::StreamOptions,
        webhooks::{Allowed, WebhookThread, Webhooks},
    },
    telemetry::Metrics,
};
use serde_json::Value;
use tower::ServiceExt;

/// Noon of a Friday in 2026.
const NOON: u64 = 1_795_176_000_000_000;
const SECOND: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct StandingClock(AtomicU64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Gateway {
    pub(crate) router: Router,
    pub(crate) engine: Engine,
    /// An operator key with every scope.
    pub(crate) operator: String,
    /// What became durable.
    pub(crate) store: Arc<MemoryStore>,
    clock: Arc<StandingClock>,
    threads: Option<EngineThreads>,
    webhooks: Option<WebhookThread>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.webhooks.take());
        self.engine.shut_down();
        if let Some(threads) = self.threads.take() {
            threads.join();
        }
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A member of the body, as text.
    pub(crate) fn text(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {json}")).to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Asserts a refusal in its one shape.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, field: Option<&str>) {
        let error = &self.json()["error"];
        let found = (self.status.as_u16(), error["code"].as_str().unwrap_or_default(), error["field"].as_str());
        assert_eq!(found, (status, code, field), "{}", self.text);
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", self.text);
        assert!(error["retryable"].is_boolean(), "{}", self.text);
    }
}

impl Gateway {
    pub(crate) fn new() -> Gateway {
        Gateway::with_streams(StreamOptions::default())
    }

    /// With other limits on streams of events.
    pub(crate) fn with_streams(streams: StreamOptions) -> Gateway {
        Gateway::with(streams, Webhooks::new(Allowed::default()), false)
    }

    /// With webhooks that may be anywhere, and whose receivers have so long for an answer.
    pub(crate) fn with_webhooks(attempt_wait_max: Duration) -> Gateway {
        let allowed = Allowed { private_addresses: true, http: true };
        Gateway::with(StreamOptions::default(), Webhooks::with_attempt_wait(allowed, attempt_wait_max), true)
    }

    /// Webhooks that deliver keep how far they are, at any moment.
    fn with(streams: StreamOptions, webhooks: Webhooks, delivers: bool) -> Gateway {
        let mut options = EngineOptions::new(default_policy());
        options.shards = 4;
        let store = Arc::new(MemoryStore::new(NonZeroU16::new(4).unwrap()));
        let clock = Arc::new(StandingClock(AtomicU64::new(NOON)));
        let identity = Arc::new(Identity::new());
        let (engine, workers) =
            Engine::open(options, Arc::clone(&store) as _, Arc::clone(&clock) as _, Arc::clone(&identity) as _)
                .unwrap();
        let threads = EngineThreads::spawn(workers).unwrap();
        let metrics = Arc::new(Metrics::new(engine.clone()));
        let readers = Readers::follow(&engine, Vec::new()).unwrap();
        let clock_of_rest = Arc::clone(&clock) as Arc<dyn Clock>;
        let token_key = TokenKey::random().unwrap();
        let webhook_metrics = metrics.webhooks();
        let state = RestState::new(engine.clone(), identity, clock_of_rest, metrics, readers, token_key);
        let router = router(state.with_streams(streams).with_webhooks(webhooks.clone()));
        let started = delivers.then(|| webhooks.start(&engine, Arc::clone(&clock) as _, webhook_metrics).unwrap());
        let operator = operator_key(&engine);
        Gateway { router, engine, operator, store, clock, threads: Some(threads), webhooks: started }
    }

    pub(crate) fn advance_seconds(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        // A stream of events ends by itself only where it does not follow.
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        if is_stream && !path.contains("follow=false") {
            return Answer { status, headers, text: String::new() };
        }
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        self.ask("POST", path, key, body).await
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.ask("GET", path, key, "").await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, body.to_owned()).await
    }

    /// An agent with the wallet `wal_123` that holds 500, and a key of it.
    pub(crate) async fn agent(&self, name: &str) -> Agent {
        let created = self.post("/api/agents", &self.operator, &format!(r#"{{"name":"{name}"}}"#)).await.expect(201);
        let id = created.text("id");
        let wallet = r#"{"walletId":"wal_123","address":"0xAgentWallet","chainId":"8453","custodyType":"EXTERNAL","balance":500.00}"#;
        self.post(&format!("/api/agents/{id}/wallets"), &self.operator, wallet).await.expect(201);
        let key = self.key(&id, r#"{"name":"test"}"#).await;
        Agent { id, key }
    }

    pub(crate) async fn key(&self, agent: &str, body: &str) -> String {
        self.post(&format!("/api/agents/{agent}/sdk-keys"), &self.operator, body).await.expect(201).text("key")
    }

    /// Puts a policy in force for everybody.
    pub(crate) async fn policy(&self, rules: &str) {
        let body = format!(r#"{{"name":"test","policyType":"SPEND_LIMIT","rules":[{rules}]}}"#);
        self.post("/api/policies", &self.operator, &body).await.expect(201);
    }
}

pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) key: String,
}

fn operator_key(engine: &Engine) -> String {
    let secret = Secret::random(KeyKind::Operator).unwrap();
    let source = secret.source(Principal::Operator, "first", ScopeSet::ALL, Timestamp::MAX);
    engine.call(engine.home(), &holdfast::kernel::Request::IssueKey(source)).unwrap();
    secret.text().to_owned()
}

fn default_policy() -> PolicySource {
    let rule = |rule_type: &str, value: &str| RuleSource {
        rule_type: rule_type.to_owned(),
        operator: "LTE".to_owned(),
        value: value.to_owned(),
        action: "ALLOW".to_owned(),
    };
    PolicySource {
        id: PolicyId(1),
        name: "default".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule("MAX_AMOUNT", "100"), rule("DAILY_LIMIT", "500")],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

/// The documented bodies.
pub(crate) const X402_PRE_AUTHORIZE: &str = r#"{
    "amount": 0.05,
    "recipientAddress": "0xFacilitatorAddress",
    "resourceUrl": "https://api.example.com/data",
    "serviceDomain": "api.example.com",
    "facilitator": "0xFacilitatorAddress",
    "scheme": "exact"
}"#;
pub(crate) const X402_RECORD: &str = r#"{
    "amount": 0.05,
    "recipientAddress": "0xFacilitatorAddress",
    "transactionHash": "0xabc123...",
    "resourceUrl": "https://api.example.com/data",
    "serviceDomain": "api.example.com",
    "facilitator": "0xFacilitatorAddress",
    "scheme": "exact",
    "walletId": "wal_123",
    "chainId": "8453"
}"#;
pub(crate) const X402_BATCH: &str = r#"{
    "batch": [
      { "amount": 0.01, "recipientAddress": "0x...", "transactionHash": "0x1...", "resourceUrl": "https://api.example.com/v1", "serviceDomain": "api.example.com" },
      { "amount": 0.02, "recipientAddress": "0x...", "transactionHash": "0x2...", "resourceUrl": "https://api.example.com/v2", "serviceDomain": "api.example.com" }
    ]
}"#;
pub(crate) const MPP_PRE_AUTHORIZE: &str = r#"{
    "amount": 10.00,
    "recipientAddress": "0xServiceAddress",
    "resourceUrl": "https://api.service.com/stream",
    "intent": "session",
    "depositAmount": 10.00
}"#;
pub(crate) const MPP_RECORD: &str = r#"{
    "amount": 3.50,
    "recipientAddress": "0xServiceAddress",
    "txHash": "0xabc123...",
    "resourceUrl": "https://api.service.com/stream",
    "sessionId": "mpp_session_xyz",
    "scheme": "mpp",
    "walletId": "wal_123",
    "chainId": "4217"
}"#;
pub(crate) const MPP_SETTLEMENT: &str = r#"{
    "amount": 3.50,
    "recipientAddress": "0xServiceAddress",
    "txHash": "0xsettlement123...",
    "resourceUrl": "https://api.service.com/stream",
    "sessionId": "mpp_session_xyz",
    "batchItems": [
      { "amount": 1.00, "resourceUrl": "https://api.service.com/stream?chunk=1", "credentialId": "cred_1" },
      { "amount": 2.50, "resourceUrl": "https://api.service.com/stream?chunk=2", "credentialId": "cred_2" }
    ]
}"#;
