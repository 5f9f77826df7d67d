//! Which agent pays over which connection: one to the worker that keeps the agent, where there is one.

use std::net::SocketAddr;

use holdfast::{
    client::Connector,
    wire::{Handle, Welcome, reply::Budget},
};
use tokio::runtime::{Builder, Runtime};

use crate::{book::Book, budgets, error::LoadError, gateway::Gateway, lane::Payer};

/// A multiplier that is prime: multiples of it scatter agents that were made one after the other.
const SCATTER: u64 = 2_654_435_761;

/// All agents of the load test, as the gateway knows them before the load.
pub(crate) struct Fleet {
    pub(crate) handles: Vec<Handle>,
    pub(crate) budgets: Vec<Budget>,
    welcome: Welcome,
    addr: SocketAddr,
}

/// One connection to be: where to, and who pays over it.
pub(crate) struct LanePlan {
    pub(crate) addr: SocketAddr,
    pub(crate) payers: Vec<Payer>,
}

impl Fleet {
    pub(crate) fn muster(gateway: &Gateway, key: &str, agents: u32) -> Result<Fleet, LoadError> {
        let addr = gateway.addr;
        runtime()?.block_on(async {
            let mut connection = Connector::new(gateway.client_options(key))?.connect(addr).await?;
            let (mut writer, mut reader) = connection.stream().await?;
            let handles = budgets::resolve(&mut writer, &mut reader, agents).await?;
            let budgets = budgets::budgets(&mut writer, &mut reader, &handles).await?;
            let welcome = Welcome::clone(connection.welcome());
            Ok(Fleet { handles, budgets, welcome, addr })
        })
    }

    /// The budgets as of now.
    pub(crate) fn budgets_now(&self, gateway: &Gateway, key: &str) -> Result<Vec<Budget>, LoadError> {
        runtime()?.block_on(async {
            let mut connection = Connector::new(gateway.client_options(key))?.connect(self.addr).await?;
            let (mut writer, mut reader) = connection.stream().await?;
            budgets::budgets(&mut writer, &mut reader, &self.handles).await
        })
    }

    pub(crate) fn in_flight_max(&self) -> u32 {
        self.welcome.limits.in_flight_max
    }

    pub(crate) fn workers(&self) -> usize {
        self.welcome.workers.len().max(1)
    }

    /// Divides the agents among so many connections.
    pub(crate) fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        let (lanes, workers) = (usize::from(connections), self.workers());
        let mut plans: Vec<LanePlan> =
            (0..lanes).map(|lane| LanePlan { addr: self.addr_of(lane % workers), payers: Vec::new() }).collect();
        for (number, handle) in self.handles.iter().enumerate() {
            let worker = self.welcome.shards.get(usize::from(handle.shard.0)).map_or(0, |worker| usize::from(*worker));
            let payer = Payer { number: number as u32, handle: *handle, book: Book::default() };
            plans[lane_of(number, worker, workers, lanes)].payers.push(payer);
        }
        for plan in &mut plans {
            plan.payers.sort_by_key(|payer| u64::from(payer.number) * SCATTER % u64::from(u32::MAX));
        }
        plans
    }

    fn addr_of(&self, worker: usize) -> SocketAddr {
        match self.welcome.workers.get(worker) {
            Some(address) => SocketAddr::new(address.host.parse().unwrap_or(self.addr.ip()), address.port),
            None => self.addr,
        }
    }
}

/// The connection of an agent: one of those to its worker, in turn; with fewer connections than workers, any.
fn lane_of(number: usize, worker: usize, workers: usize, lanes: usize) -> usize {
    if worker >= lanes {
        return number % lanes;
    }
    let to_worker = (lanes - worker).div_ceil(workers);
    worker + number % to_worker * workers
}

pub(crate) fn runtime() -> Result<Runtime, LoadError> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_pay_over_connections_to_their_worker_evenly() {
        for (workers, lanes) in [(1, 1), (2, 4), (2, 5), (3, 4), (4, 4)] {
            let mut used = vec![0; lanes];
            for number in 0..600 {
                for worker in 0..workers {
                    let lane = lane_of(number, worker, workers, lanes);
                    assert_eq!(lane % workers, worker);
                    used[lane] += 1;
                }
            }
            assert!(used.iter().all(|count| *count > 0), "{workers} workers, {lanes} lanes: {used:?}");
        }
        assert!((0..10).all(|number| lane_of(number, 3, 4, 2) < 2));
    }
}
