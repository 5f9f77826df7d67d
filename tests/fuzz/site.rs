//! A gateway on a real socket, an agent that pays there, and what is known of what it keeps.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use holdfast::{
    kernel::{Outcome, Request, ShardId, outcome::View, request::Query},
    server::rest::serve,
    testing::Random,
};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

use crate::{
    client::{Answer, Client},
    gateway::{Agent, Gateway},
    plan::Plan,
};

/// The most ids of one kind that are remembered.
const KNOWN_MAX: usize = 12;

const REQUIRE_APPROVAL: &str =
    r#"{"ruleType":"REQUIRE_APPROVAL_ABOVE","operator":"GT","value":"0.02","action":"REQUIRE_APPROVAL"}"#;

/// Ids that were seen in answers, by their prefix.
#[derive(Default)]
pub(crate) struct Known(BTreeMap<String, Vec<String>>);

impl Known {
    pub(crate) fn of(&self, prefix: &str) -> &[String] {
        self.0.get(prefix).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, id: &str) {
        let Some((prefix, digits)) = id.split_once('_') else { return };
        if digits.len() < 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return;
        }
        let known = self.0.entry(format!("{prefix}_")).or_default();
        if !known.iter().any(|one| one == id) {
            known.push(id.to_owned());
            // The oldest are over by now, most likely.
            known.drain(..known.len().saturating_sub(KNOWN_MAX));
        }
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    pub(crate) agent: Agent,
    /// A key of the agent that may do almost nothing.
    pub(crate) weak: String,
    pub(crate) known: Known,
    pub(crate) random: Random,
    client: Client,
    /// What must stay as it is for the test to go on: the keys that it asks with.
    kept: Vec<String>,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
}

impl Site {
    pub(crate) fn start(seed: u64) -> Site {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (gateway, agent, weak, kept, address, stop) = runtime.block_on(async {
            let gateway = Gateway::new();
            let agent = gateway.agent("shopper").await;
            let weak = gateway.key(&agent.id, r#"{"name":"weak","scopes":["network:read"]}"#).await;
            let keys = [
                gateway.get("/api/api-keys", &gateway.operator).await.json(),
                gateway.get(&format!("/api/agents/{}/sdk-keys", agent.id), &gateway.operator).await.json(),
            ];
            let ids = keys.iter().flat_map(|keys| keys["keys"].as_array().unwrap());
            let kept = ids.map(|key| key["id"].as_str().unwrap().to_owned()).collect();
            let (address, stop) = listen(&gateway).await;
            (gateway, agent, weak, kept, address, stop)
        });
        let mut known = Known::default();
        known.add(&agent.id);
        let (random, client) = (Random::new(seed), Client::new(address));
        Site { gateway, agent, weak, known, random, client, kept, stop: Some(stop), runtime }
    }

    pub(crate) fn send(&mut self, plan: &Plan) -> Result<Answer, String> {
        self.client.send(plan.head().as_bytes(), &plan.body)
    }

    /// Begins anew with an agent that nothing stands against, since made up policies and frozen agents soon forbid everything; half of the time
    /// people must approve what costs much.
    pub(crate) fn tend(&mut self) {
        let must_approve = self.random.chance(50);
        let gateway = &self.gateway;
        let agent = self.runtime.block_on(async {
            let policies = gateway.get("/api/policies", &gateway.operator).await.expect(200).json();
            for policy in policies["policies"].as_array().unwrap() {
                let path = format!("/api/policies/{}", policy["id"].as_str().unwrap());
                gateway.ask("DELETE", &path, &gateway.operator, "").await;
            }
            if must_approve {
                gateway.policy(REQUIRE_APPROVAL).await;
            }
            gateway.agent("shopper").await
        });
        self.known.0.remove("auth_");
        self.known.add(&agent.id);
        self.agent = agent;
    }

    /// Lets some time pass: seconds, minutes or days.
    pub(crate) fn advance(&mut self) {
        let seconds = self.random.pick(&[1, 60, 400, 4000, 100_000]);
        self.gateway.advance_seconds(seconds);
    }

    /// Everything that all shards keep, as one digest. What is due happens before it is taken.
    pub(crate) fn books(&self) -> Vec<Option<[u8; 32]>> {
        let digest =
            |shard| match self.gateway.engine.call(ShardId(shard), &Request::Read(Query::Shard { digest: true })) {
                Ok(Outcome::View(View::Shard(view))) => view.digest,
                other => panic!("shard {shard} does not answer: {other:?}"),
            };
        (0..self.gateway.engine.shard_count()).map(digest).collect()
    }

    /// Remembers the ids in an answer.
    pub(crate) fn learn(&mut self, answer: &Answer) {
        if let Ok(body) = serde_json::from_str(&answer.text) {
            self.known.learn(&body);
            for known in self.known.0.values_mut() {
                known.retain(|id| !self.kept.contains(id));
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Nobody listens any more where the server ended by itself.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

async fn listen(gateway: &Gateway) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async {
        let _ = stopped.await;
    };
    tokio::spawn(serve(listener, gateway.router.clone(), until, Duration::ZERO));
    (address, stop)
}
