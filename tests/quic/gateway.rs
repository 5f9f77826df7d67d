//! A gateway in this process, with agents and their keys, behind real sockets.

use std::{
    net::SocketAddr,
    num::NonZeroU16,
    sync::Arc,
    thread::{self},
};

use holdfast::{
    client::{ClientOptions, Fingerprint, Trust},
    engine::{Clock, Engine, EngineOptions, SystemClock},
    journal::{MemoryStore, Store},
    kernel::{
        AgentId, KeyId, PolicyId, Request, Timestamp,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{AgentStatus, CreateAgent, Principal},
    },
    server::{
        identity::{Identity, KeyKind, ScopeSet, Secret},
        quic::{QuicOptions, QuicServer, spawn_workers},
    },
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) const AGENTS: u128 = 12;
const SHARDS: u16 = 4;
const WORKERS: u16 = 2;

pub(crate) struct Gateway {
    pub(crate) engine: Engine,
    pub(crate) certificate: CertificateDer<'static>,
    server: Option<QuicServer>,
    key: PrivateKeyDer<'static>,
    store: Arc<dyn Store>,
}

/// At most 1.00 a payment and 10.00 a day, from no wallet.
fn options() -> EngineOptions {
    let rule = |rule_type: &str, value: &str| RuleSource {
        rule_type: rule_type.to_owned(),
        operator: "LTE".to_owned(),
        value: value.to_owned(),
        action: "ALLOW".to_owned(),
    };
    let mut options = EngineOptions::new(PolicySource {
        id: PolicyId(1),
        name: "default".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule("MAX_AMOUNT", "1"), rule("DAILY_LIMIT", "10")],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    });
    options.kernel.require_wallet = false;
    options.shards = SHARDS;
    options.workers = WORKERS;
    options
}

impl Gateway {
    pub(crate) fn start() -> Gateway {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(NonZeroU16::new(SHARDS).unwrap()));
        let certificate = made.cert.der().clone();
        let address = ([127, 0, 0, 1], 0).into();
        let (engine, server) = run(Arc::clone(&store), address, &certificate, &key);
        let gateway = Gateway { engine, certificate, server: Some(server), key, store };
        (1..=AGENTS).for_each(|agent| gateway.create(AgentId(agent)));
        gateway
    }

    /// Stops in order, and starts again on the same store and address.
    pub(crate) fn restart(&mut self) {
        let address = self.address();
        self.stop();
        (self.engine, self.server) = {
            let (engine, server) = run(Arc::clone(&self.store), address, &self.certificate, &self.key);
            (engine, Some(server))
        };
    }

    pub(crate) fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        server.drain();
        self.engine.shut_down();
        server.join();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("it runs").addresses()[0]
    }

    pub(crate) fn options(&self, secret: &Secret) -> ClientOptions {
        ClientOptions::new(self.address(), Trust::Fingerprint(Fingerprint::of(&self.certificate)), secret.text())
    }

    pub(crate) fn create(&self, id: AgentId) {
        let create = CreateAgent { id, name: "agent", agent_type: "CUSTOM", status: AgentStatus::Active, lease: None };
        self.engine.call(self.engine.shard_of(id), &Request::CreateAgent(create)).unwrap();
    }

    pub(crate) fn issue(&self, principal: Principal) -> (Secret, KeyId) {
        let secret = Secret::random(KeyKind::of(&principal)).unwrap();
        let source = secret.source(principal, "test", ScopeSet::STANDARD, Timestamp::MAX);
        let id = source.id;
        self.engine.call(self.engine.home(), &Request::IssueKey(source)).unwrap();
        (secret, id)
    }

    pub(crate) fn agent_key(&self, agent: u128) -> Secret {
        self.issue(Principal::Agent(AgentId(agent))).0
    }

    pub(crate) fn platform_key(&self) -> Secret {
        self.issue(Principal::Platform(Vec::new())).0
    }

    pub(crate) fn revoke(&self, key: KeyId) {
        self.engine.call(self.engine.home(), &Request::RevokeKey(key)).unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.server.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}

fn run(
    store: Arc<dyn Store>,
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    key: &PrivateKeyDer<'static>,
) -> (Engine, QuicServer) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let identity = Arc::new(Identity::new());
    let (engine, workers) = Engine::open(options(), store, Arc::clone(&clock), identity.clone()).unwrap();
    let options = QuicOptions {
        address,
        advertised_host: String::new(),
        certificates: vec![certificate.clone()],
        key: key.clone_key(),
    };
    let server = spawn_workers(&engine, workers, &identity, &clock, options).unwrap();
    engine.follow(vec![server.follower()]).unwrap();
    (engine, server)
}
