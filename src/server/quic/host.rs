//! One worker's thread: the worker, its endpoint, and the connections that came to it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use hashbrown::HashMap;
use quinn::{Endpoint, VarInt};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{connection, peer::Peer, pushes::Pushes};
use crate::{
    engine::{Clock, Engine, Turn, Worker},
    kernel::Timestamp,
    server::identity::Identity,
    wire::{Address, limits::close},
};

/// The longest sleep of a worker that nobody wakes.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// How often connections are looked through for credentials that no longer work: a revoked key stops within a second.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// The most connections of one worker; more are refused.
const CONNECTIONS_MAX: usize = 16_384;
/// From so many connections on, a client has to prove its address before it costs any memory.
const VALIDATED_FROM: usize = 1024;

/// What all tasks of one worker's thread share.
pub(super) struct Host {
    /// Never borrowed across an await.
    pub(super) worker: RefCell<Worker>,
    pub(super) engine: Engine,
    pub(super) identity: Arc<Identity>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pushes: Pushes,
    /// Where each worker listens, and which keeps each shard: what every welcome says.
    pub(super) workers: Vec<Address>,
    pub(super) shards: Vec<u16>,
    pub(super) peers: RefCell<HashMap<u64, Rc<Peer>>>,
    pub(super) entered: Cell<u64>,
}

impl Host {
    /// Remembers a client; returns what to [`leave`](Self::leave) with.
    pub(super) fn enter(&self, peer: &Rc<Peer>) -> u64 {
        let key = self.entered.get();
        self.entered.set(key + 1);
        self.peers.borrow_mut().insert(key, Rc::clone(peer));
        key
    }

    pub(super) fn leave(&self, key: u64) {
        self.peers.borrow_mut().remove(&key);
    }

    fn turn(&self) -> (Timestamp, Turn) {
        let now = self.clock.now();
        (now, self.worker.borrow_mut().turn(now))
    }
}

/// Serves until the gateway stops and the worker is over. `drained` is called when every connection has ended.
pub(super) async fn run(
    host: Rc<Host>,
    endpoint: Endpoint,
    mut stopping: watch::Receiver<bool>,
    drained: impl FnOnce() + 'static,
) {
    let woken = Arc::new(Notify::new());
    let waker = Arc::clone(&woken);
    host.worker.borrow_mut().set_waker(Arc::new(move || waker.notify_one()));
    let sweeping = tokio::task::spawn_local(sweep(Rc::clone(&host)));
    let (served, listening, told) = (Rc::clone(&host), endpoint.clone(), stopping.clone());
    let accepting = tokio::task::spawn_local(async move {
        accept(&served, &listening, told).await;
        drained();
    });
    turn(&host, &woken).await;
    // A worker that is over because the engine failed goes on to answer `unavailable` until the gateway stops.
    // It fails only when whoever could stop the gateway is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    accepting.abort();
    sweeping.abort();
    endpoint.close(VarInt::from_u32(close::SHUTTING_DOWN), b"");
}

/// Turns the worker whenever it is woken or something is due.
async fn turn(host: &Host, woken: &Notify) {
    loop {
        let (now, turn) = host.turn();
        if turn.over {
            return;
        }
        if turn.more {
            // The connections take their part before the next batch.
            tokio::task::yield_now().await;
            continue;
        }
        let due = turn.next.map_or(SLEEP_MAX, |next| Duration::from_micros(next.since(now).micros()));
        // Nothing but the time can have passed, so either way the worker is turned.
        let _ = tokio::time::timeout(due.min(SLEEP_MAX), woken.notified()).await;
    }
}

/// Accepts connections until the gateway stops, and returns when all have ended.
async fn accept(host: &Rc<Host>, endpoint: &Endpoint, mut stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let told = stopping.clone();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                if connections.len() >= CONNECTIONS_MAX {
                    incoming.refuse();
                } else if connections.len() >= VALIDATED_FROM && !incoming.remote_address_validated() {
                    // It fails only for an address that is validated.
                    let _ = incoming.retry();
                } else {
                    connections.spawn_local(connection::serve(Rc::clone(host), incoming, told.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    endpoint.set_server_config(None);
    while connections.join_next().await.is_some() {}
}

async fn sweep(host: Rc<Host>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let now = host.clock.now();
        host.peers.borrow().values().for_each(|peer| peer.close_if_dismissed(now));
    }
}
