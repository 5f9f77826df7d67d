//! Which connection leads to the worker that keeps an agent.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use hashbrown::HashMap;

use super::lane::Lane;
use crate::wire::{Address, Handle, Welcome};

/// Lanes to every worker, as of one welcome.
#[derive(Debug)]
pub(super) struct Routes {
    /// The addresses of the workers and the map from shards to workers, as the gateway said.
    workers: Vec<Address>,
    shards: Vec<u16>,
    /// Lanes to the address that the client was told, which serves every agent.
    first: Vec<Lane>,
    /// For each worker its address and lanes.
    lanes: Vec<(SocketAddr, Vec<Lane>)>,
    /// Takes lanes in turn.
    turn: AtomicUsize,
}

impl Routes {
    /// Routes for what `welcome` says. Lanes that exist are kept; `spawn` makes the others. `address` is what the client was told.
    pub(super) fn new(
        welcome: &Welcome,
        address: SocketAddr,
        existing: &HashMap<SocketAddr, Vec<Lane>>,
        mut spawn: impl FnMut(SocketAddr) -> Vec<Lane>,
    ) -> Routes {
        let mut known = existing.clone();
        let mut lanes_to = |to: SocketAddr| known.entry(to).or_insert_with(|| spawn(to)).clone();
        let first = lanes_to(address);
        let lanes = welcome.workers.iter().map(|worker| {
            let to = resolve(worker, address);
            (to, lanes_to(to))
        });
        let lanes = lanes.collect();
        Routes {
            workers: welcome.workers.clone(),
            shards: welcome.shards.clone(),
            first,
            lanes,
            turn: AtomicUsize::new(0),
        }
    }

    /// Whether `welcome` says the same as when these routes were made.
    pub(super) fn agree_with(&self, welcome: &Welcome) -> bool {
        self.workers == welcome.workers && self.shards == welcome.shards
    }

    /// Every lane by its address.
    pub(super) fn by_address(&self, address: SocketAddr) -> HashMap<SocketAddr, Vec<Lane>> {
        let mut all: HashMap<_, _> = self.lanes.iter().cloned().collect();
        all.insert(address, self.first.clone());
        all
    }

    /// The number of the worker that keeps `handle`, where the gateway said so.
    pub(super) fn owner(&self, handle: Handle) -> Option<u16> {
        self.shards.get(usize::from(handle.shard.0)).copied()
    }

    /// The lane for requests about `handle`: to the worker that keeps it, or to the first address while that one is not known or
    /// not reached.
    pub(super) fn lane(&self, handle: Option<Handle>) -> Option<&Lane> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let owner = handle
            .and_then(|handle| self.shards.get(usize::from(handle.shard.0)))
            .and_then(|&worker| self.lanes.get(usize::from(worker)))
            .and_then(|(_, lanes)| in_turn(lanes, turn));
        owner.filter(|lane| lane.reachable()).or_else(|| in_turn(&self.first, turn))
    }
}

fn in_turn(lanes: &[Lane], turn: usize) -> Option<&Lane> {
    lanes.get(turn.checked_rem(lanes.len())?)
}

/// Where a worker listens. A host that is not an IP address is taken as that of `told`: the worker is reached through its peers then.
fn resolve(worker: &Address, told: SocketAddr) -> SocketAddr {
    match worker.host.parse::<IpAddr>() {
        Ok(host) => SocketAddr::new(host, worker.port),
        Err(_) if worker.host.is_empty() => SocketAddr::new(told.ip(), worker.port),
        Err(_) => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_on_the_host_that_was_told_unless_they_say_otherwise() {
        let told: SocketAddr = "10.1.1.1:7440".parse().unwrap();
        for (host, port, expected) in
            [("", 7441, "10.1.1.1:7441"), ("10.2.2.2", 7441, "10.2.2.2:7441"), ("a.name", 7441, "10.1.1.1:7440")]
        {
            assert_eq!(resolve(&Address { host: host.to_owned(), port }, told).to_string(), expected);
        }
    }
}
