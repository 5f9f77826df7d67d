//! From a configuration to a gateway that serves, and in good order back.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    num::NonZeroU16,
    path::PathBuf,
    sync::Arc,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use thiserror::Error;

pub use super::welcome::Welcome;
use super::{
    approval_token::TokenKey,
    data_dir::DataDir,
    first_start::{self, FirstStartError},
    identity::Identity,
    quic::{self, QuicError, QuicOptions, QuicServer},
    readers::Readers,
    rest::{self, RestState},
    rest_thread::RestThread,
    sanctions,
    store::{self, OpenStoreError},
    streams::Streams,
    tls::{self, TlsError},
    webhooks::{Allowed, WebhookThread, Webhooks},
};
use crate::{
    config::Config,
    engine::{Clock, Engine, FollowError, OpenError, SystemClock},
    journal::Survives,
    telemetry::Metrics,
};

/// Why the gateway does not serve.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("failed to make the data directory `{}`: {source}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("failed to listen on {address} for {what}: {source}")]
    Address {
        /// For what.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The key of the tokens that approvals give out cannot be kept.
    #[error("failed to read or make the key of approval tokens `{}`: {source}; remove the file to have a new one made", path.display())]
    TokenKey {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The list of sanctions cannot be loaded: nobody is paid rather than somebody who must not be.
    #[error("failed to load the list of sanctions `{}`: {message}", path.display())]
    Sanctions {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// There is no store.
    #[error(transparent)]
    Store(#[from] OpenStoreError),
    /// The journal cannot be taken over.
    #[error(transparent)]
    Recovery(#[from] OpenError),
    /// The events cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// QUIC cannot be served.
    #[error(transparent)]
    Quic(#[from] QuicError),
    /// There is no certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An empty data directory could not be set up.
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
    /// The system refuses a thread or a signal handler.
    #[error("failed to start: {0}")]
    System(#[from] io::Error),
}

/// The code of a process that was told to stop a second time, as shells report a death by SIGTERM.
const IMPATIENT_EXIT: i32 = 143;

/// Serves until SIGTERM or SIGINT; then lets requests in flight finish, makes everything durable, and returns. `announce` is called
/// once, when everything is ready.
///
/// # Errors
/// [`StartError`].
pub fn serve(config: &Config, operator_key: Option<&str>, announce: impl FnOnce(&Welcome)) -> Result<(), StartError> {
    let signals = Signals::new([SIGTERM, SIGINT])?;
    let gateway = Gateway::start(config, operator_key, announce)?;
    wait(signals)?;
    gateway.stop();
    Ok(())
}

/// Waits for the order to stop. A second order ends the process at once: what was acknowledged is durable in any case.
fn wait(mut signals: Signals) -> io::Result<()> {
    signals.forever().next();
    tracing::info!("stopping; once more stops at once");
    std::thread::Builder::new().name("holdfast-signals".to_owned()).spawn(move || {
        signals.forever().next();
        std::process::exit(IMPATIENT_EXIT);
    })?;
    Ok(())
}

/// Everything that runs.
struct Gateway {
    engine: Engine,
    quic: QuicServer,
    rest: RestThread,
    streams: Streams,
    webhooks: WebhookThread,
}

impl Gateway {
    fn start(
        config: &Config,
        operator_key: Option<&str>,
        announce: impl FnOnce(&Welcome),
    ) -> Result<Gateway, StartError> {
        let data = DataDir::new(&config.data.dir);
        data.create().map_err(|source| StartError::DataDir { path: config.data.dir.clone(), source })?;
        // What can fail for want of an address or a file fails before anything is journalled.
        let http = listen(config.server.http_addr)?;
        probe(config.server.quic_addr, config.engine.workers)?;
        let certificate = tls::certificate(config.tls.as_ref(), &data, config.server.quic_addr)?;
        let fingerprint = certificate.fingerprint;
        let token_key =
            TokenKey::of(&data).map_err(|source| StartError::TokenKey { path: data.approval_key(), source })?;
        let sanctions = config.sanctions_file.as_ref().map(sanctions::read).transpose()?;
        let shards = NonZeroU16::new(config.engine.shards).unwrap_or(NonZeroU16::MIN);
        let store = store::open(&config.data, shards)?;
        let is_durable = store.survives() > Survives::Nothing;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let identity = Arc::new(Identity::new());
        let (engine, workers) =
            Engine::open(config.engine.clone(), store, Arc::clone(&clock), Arc::clone(&identity) as _)?;
        let options = QuicOptions {
            address: config.server.quic_addr,
            advertised_host: String::new(),
            certificates: certificate.chain,
            key: certificate.key,
        };
        let quic = quic::spawn_workers(&engine, workers, &identity, &clock, options)?;
        let first_start = first_start::prepare(&engine, &identity, &data, operator_key, clock.now())?;
        if let Some(sanctions) = sanctions {
            sanctions.load(&engine)?;
        }
        let http_addr = http.local_addr()?;
        let readers = Readers::follow(&engine, vec![quic.follower()])?;
        let metrics = Arc::new(Metrics::new(engine.clone()));
        let hosts: Vec<String> =
            std::iter::once(http_addr.to_string()).chain(config.mcp.hosts.iter().cloned()).collect();
        let state =
            RestState::new(engine.clone(), identity, Arc::clone(&clock), Arc::clone(&metrics), readers, token_key);
        let streams = state.streams();
        let webhooks = Webhooks::new(Allowed {
            private_addresses: config.webhooks.allow_private_addresses,
            http: config.webhooks.allow_http,
        });
        let state = state.with_webhooks(webhooks.clone());
        let webhooks = webhooks.start(&engine, Arc::clone(&clock), metrics.webhooks())?;
        let router = rest::router(state.with_mcp_hosts(&hosts));
        let rest = RestThread::start(http, router, config.server.drain)?;
        announce(&Welcome {
            quic_addr: quic.addresses().first().copied().unwrap_or(config.server.quic_addr),
            http_addr,
            data_dir: config.data.dir.clone(),
            fingerprint,
            is_durable,
            first_start,
        });
        Ok(Gateway { engine, quic, rest, streams, webhooks })
    }

    /// The façades first, so that what they read is still answered; then everything is made durable.
    fn stop(self) {
        // Streams never end by themselves, and the façade would wait for them.
        self.streams.end();
        self.rest.stop();
        self.webhooks.stop();
        self.quic.drain();
        self.engine.shut_down();
        self.quic.join();
        match self.engine.status().failure {
            None => tracing::info!("stopped; everything is durable"),
            Some(failure) => tracing::error!("stopped, but not in good order: {failure}"),
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|source| StartError::Address { what: "REST (TCP)", address, source })
}

/// Whether every worker's port is free, as far as can be known before they are needed.
fn probe(address: SocketAddr, workers: u16) -> Result<(), StartError> {
    let ports = (0..workers).map_while(|worker| address.port().checked_add(worker));
    for port in ports.filter(|port| *port != 0) {
        let address = SocketAddr::new(address.ip(), port);
        UdpSocket::bind(address).map_err(|source| StartError::Address { what: "QUIC (UDP)", address, source })?;
    }
    Ok(())
}
