//! What every handler has at hand.

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};

use crate::{
    engine::{Clock, Engine},
    kernel::{AgentId, Outcome, Request, ShardId, Timestamp},
    server::{
        approval_token::TokenKey,
        identity::Identity,
        readers::Readers,
        streams::{StreamOptions, Streams},
        submit::{self, AskError},
        webhooks::{Allowed, Webhooks},
    },
    telemetry::Metrics,
    wire::{ErrorCode, json::Refusal},
};

use super::{answer::Rejection, audit, webhooks};

/// So many pages of the audit are searched for at one time; others wait.
const AUDITS_AT_ONCE_MAX: usize = 4;
/// So many agents may be changed at one time.
const AGENT_CHANGES_MAX: usize = 256;
/// So many requests may read much at one time; further ones wait.
const LOOK_UPS_MAX: usize = 2;

/// What every handler has at hand; cheap to clone.
#[derive(Clone)]
pub struct RestState {
    pub(super) engine: Engine,
    pub(super) identity: Arc<Identity>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    /// Held while something of the gateway is read, changed and written back, so that of two such changes none is lost.
    pub(super) changes: Arc<Mutex<()>>,
    /// The same for something of one agent; agents share a few, so that their number is bounded.
    agent_changes: Arc<[Mutex<()>; AGENT_CHANGES_MAX]>,
    /// Held by the one backtest that may run.
    pub(super) backtest: Arc<Mutex<()>>,
    /// Makes and reads the tokens of approvals.
    pub(super) token_key: TokenKey,
    /// The names, beside those of the loopback address, under which `/mcp` answers.
    pub(super) mcp_hosts: Arc<[String]>,
    /// What came of the engine's events.
    pub(super) readers: Readers,
    /// Held by whoever reads much, so that only a few do at one time.
    look_ups: Arc<Semaphore>,
    /// Pages of the audit that may be searched for at one time.
    pub(super) audits: Arc<Semaphore>,
    /// Exports of the audit that may be made at one time.
    pub(super) exports: Arc<Semaphore>,
    /// The streams of events that are open.
    pub(super) streams: Streams,
    /// Those who are told of events over HTTP.
    pub(super) webhooks: Webhooks,
    /// Webhooks that may be tried at one time.
    pub(super) webhook_tests: Arc<Semaphore>,
}

impl RestState {
    /// The state around an engine whose observer is `identity`, and whose events `readers` follow. Tokens of approvals are
    /// those of `token_key`.
    #[must_use]
    pub fn new(
        engine: Engine,
        identity: Arc<Identity>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        readers: Readers,
        token_key: TokenKey,
    ) -> RestState {
        let agent_changes = Arc::new(std::array::from_fn(|_| Mutex::new(())));
        RestState {
            engine,
            identity,
            clock,
            metrics,
            changes: Arc::new(Mutex::new(())),
            agent_changes,
            backtest: Arc::default(),
            token_key,
            mcp_hosts: Arc::from([]),
            readers,
            look_ups: Arc::new(Semaphore::new(LOOK_UPS_MAX)),
            audits: Arc::new(Semaphore::new(AUDITS_AT_ONCE_MAX)),
            exports: Arc::new(Semaphore::new(audit::EXPORTS_AT_ONCE_MAX)),
            streams: Streams::new(StreamOptions::default()),
            webhooks: Webhooks::new(Allowed::default()),
            webhook_tests: Arc::new(Semaphore::new(webhooks::TESTS_AT_ONCE_MAX)),
        }
    }

    /// The same, with `/mcp` reachable under `hosts`, which may name a port.
    #[must_use]
    pub fn with_mcp_hosts(self, hosts: &[String]) -> RestState {
        RestState { mcp_hosts: hosts.into(), ..self }
    }

    /// The same, with other limits on streams of events.
    #[must_use]
    pub fn with_streams(self, options: StreamOptions) -> RestState {
        RestState { streams: Streams::new(options), ..self }
    }

    /// The same, with these webhooks. Without them they are kept, and nothing is delivered.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Webhooks) -> RestState {
        RestState { webhooks, ..self }
    }

    /// The streams of events: who stops the façade ends them first.
    #[must_use]
    pub fn streams(&self) -> Streams {
        self.streams.clone()
    }

    /// What is held while something of the agent is read, changed and written back.
    pub(super) fn changing(&self, agent: AgentId) -> &Mutex<()> {
        let place = agent.0 % AGENT_CHANGES_MAX as u128;
        &self.agent_changes[place as usize]
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs what reads much, on a thread where that holds nobody up.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let unavailable = || Refusal::new(ErrorCode::Unavailable, "the gateway stops");
        let turn = Arc::clone(&self.look_ups).acquire_owned().await.map_err(|_| unavailable())?;
        let task = tokio::task::spawn_blocking(move || {
            let found = work();
            drop(turn);
            found
        });
        task.await.map_err(|error| {
            tracing::error!(%error, "a look-up did not end");
            Refusal::new(ErrorCode::InternalError, "the gateway made a mistake; it is logged").into()
        })
    }

    pub(super) async fn ask(&self, shard: ShardId, request: &Request<'_>) -> Result<Outcome, AskError> {
        submit::ask(&self.engine, shard, request).await
    }

    /// Asks every shard the same; the answers come in the order of the shards.
    pub(super) async fn ask_every_shard(&self, request: &Request<'_>) -> Vec<Result<Outcome, AskError>> {
        let shards = (0..self.engine.shard_count()).map(ShardId);
        submit::ask_all(&self.engine, &shards.map(|shard| (shard, request)).collect::<Vec<_>>()).await
    }
}
