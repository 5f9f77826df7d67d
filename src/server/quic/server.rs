//! Starts a thread for each worker, and ends them in order.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    net::{SocketAddr, UdpSocket},
    rc::Rc,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use thiserror::Error;
use tokio::{sync::watch, task::LocalSet};

use super::{
    QuicOptions,
    endpoint::{Listening, bind},
    host::{self, Host},
    pushes::Pushes,
};
use crate::{
    engine::{Clock, Engine, Follower, Worker},
    kernel::{ShardId, Timestamp},
    server::identity::Identity,
    wire::Address,
};

/// How long the connections may take to end when the gateway stops.
pub const DRAIN_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why the gateway cannot listen.
#[derive(Debug, Error)]
pub enum QuicError {
    /// The address is in use, or not of this machine.
    #[error("failed to listen on {address} (UDP): {error}; choose another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The ports would run over 65535.
    #[error("port {first} leaves no room for {workers} workers with a port each; choose a lower one")]
    Ports {
        /// The port of worker 0.
        first: u16,
        /// How many ports are needed.
        workers: u16,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The system gives no more threads or sockets.
    #[error("failed to start a worker: {0}")]
    Start(#[from] io::Error),
}

/// Runs every worker on a thread of its own, with an endpoint each. The workers must be all of `engine`'s.
///
/// # Errors
/// [`QuicError`]; nothing listens then.
pub fn spawn_workers(
    engine: &Engine,
    workers: Vec<Worker>,
    identity: &Arc<Identity>,
    clock: &Arc<dyn Clock>,
    options: QuicOptions,
) -> Result<QuicServer, QuicError> {
    let QuicOptions { address, advertised_host, certificates, key } = options;
    let listening = Listening::new(certificates, key)?;
    let sockets = bind(address, engine.worker_count())?;
    let addresses: Vec<SocketAddr> = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
    let told = addresses.iter().map(|address| Address { host: advertised_host.clone(), port: address.port() });
    let told: Vec<Address> = told.collect();
    let shards: Vec<u16> = (0..engine.shard_count()).map(|shard| engine.worker_of(ShardId(shard)).0).collect();
    let (stop, stopping) = watch::channel(false);
    let (drained, drain) = mpsc::channel();
    let (pushes, since) = (Pushes::default(), clock.now());
    let mut threads = Vec::with_capacity(workers.len());
    for (worker, socket) in workers.into_iter().zip(sockets) {
        let seat = Seat {
            worker,
            socket,
            listening: listening.clone(),
            engine: engine.clone(),
            identity: Arc::clone(identity),
            clock: Arc::clone(clock),
            pushes: pushes.clone(),
            workers: told.clone(),
            shards: shards.clone(),
            stopping: stopping.clone(),
            drained: drained.clone(),
        };
        let name = format!("holdfast-worker-{}", seat.worker.id().0);
        threads.push(thread::Builder::new().name(name).spawn(move || seat.run())?);
    }
    Ok(QuicServer { addresses, pushes, since, stop, drain, threads })
}

/// The threads that serve the binary protocol.
pub struct QuicServer {
    addresses: Vec<SocketAddr>,
    pushes: Pushes,
    /// When it began to listen.
    since: Timestamp,
    stop: watch::Sender<bool>,
    drain: mpsc::Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

impl QuicServer {
    /// Where the workers listen; the first is the one to advertise.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Tells those who are connected what people decided about payments of their agents. Without it among the engine's followers
    /// nobody is told.
    #[must_use]
    pub fn follower(&self) -> Box<dyn Follower> {
        self.pushes.follower(self.since)
    }

    /// Accepts no more connections and reads no more requests, answers those that were read, and closes the connections; blocks
    /// until that is done, at most [`DRAIN_WAIT_MAX`]. The workers go on: call [`Engine::shut_down`] next, and then [`QuicServer::join`].
    pub fn drain(&self) {
        self.stop.send_replace(true);
        let end = Instant::now() + DRAIN_WAIT_MAX;
        for _ in &self.threads {
            // Who does not finish in time is cut off by the end of its thread.
            if self.drain.recv_timeout(end.saturating_duration_since(Instant::now())).is_err() {
                return;
            }
        }
    }

    /// Waits until every worker is over, which [`Engine::shut_down`] asks them to be.
    pub fn join(self) {
        self.stop.send_replace(true);
        for thread in self.threads {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for QuicServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// What a worker's thread starts with.
struct Seat {
    worker: Worker,
    socket: UdpSocket,
    listening: Listening,
    engine: Engine,
    identity: Arc<Identity>,
    clock: Arc<dyn Clock>,
    pushes: Pushes,
    workers: Vec<Address>,
    shards: Vec<u16>,
    stopping: watch::Receiver<bool>,
    drained: mpsc::Sender<()>,
}

impl Seat {
    fn run(self) {
        let id = self.worker.id();
        if let Err(error) = self.serve() {
            tracing::error!(worker = id.0, %error, "the worker cannot serve");
        }
    }

    fn serve(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let Seat { worker, socket, listening, engine, identity, clock, pushes, workers, shards, stopping, drained } =
            self;
        let host = Rc::new(Host {
            worker: RefCell::new(worker),
            engine,
            identity,
            clock,
            pushes,
            workers,
            shards,
            peers: RefCell::new(HashMap::new()),
            entered: Cell::new(0),
        });
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, async {
            let endpoint = listening.endpoint(socket)?;
            let told = move || {
                // Whoever drains may have stopped waiting.
                let _ = drained.send(());
            };
            host::run(host, endpoint.clone(), stopping, told).await;
            endpoint.wait_idle().await;
            Ok(())
        })
    }
}
