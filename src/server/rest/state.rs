//! What every handler has at hand.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::{
    engine::{Clock, Engine},
    kernel::{AgentId, Outcome, Request, ShardId, Timestamp},
    server::{
        identity::Identity,
        submit::{self, AskError},
    },
    telemetry::Metrics,
};

/// So many agents may be changed at one time.
const AGENT_CHANGES_MAX: usize = 256;

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
    /// The names, beside those of the loopback address, under which `/mcp` answers.
    pub(super) mcp_hosts: Arc<[String]>,
}

impl RestState {
    /// The state around an engine whose observer is `identity`.
    #[must_use]
    pub fn new(engine: Engine, identity: Arc<Identity>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> RestState {
        let agent_changes = Arc::new(std::array::from_fn(|_| Mutex::new(())));
        RestState {
            engine,
            identity,
            clock,
            metrics,
            changes: Arc::new(Mutex::new(())),
            agent_changes,
            backtest: Arc::default(),
            mcp_hosts: Arc::from([]),
        }
    }

    /// The same, with `/mcp` reachable under `hosts`, which may name a port.
    #[must_use]
    pub fn with_mcp_hosts(self, hosts: &[String]) -> RestState {
        RestState { mcp_hosts: hosts.into(), ..self }
    }

    /// What is held while something of the agent is read, changed and written back.
    pub(super) fn changing(&self, agent: AgentId) -> &Mutex<()> {
        let place = agent.0 % AGENT_CHANGES_MAX as u128;
        &self.agent_changes[place as usize]
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn ask(&self, shard: ShardId, request: &Request<'_>) -> Result<Outcome, AskError> {
        submit::ask(&self.engine, shard, request).await
    }
}
