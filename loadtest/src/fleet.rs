//! Which agent pays over which connection: one to the worker that keeps the agent, where there is one.

use std::net::SocketAddr;

use holdfast::{
    client::Connector,
    kernel::Protocol,
    wire::{Handle, Welcome},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    balance::Balance,
    book::{Book, Payer},
    budgets,
    error::LoadError,
    gateway::Gateway,
    scenario::Scenario,
};

/// A multiplier that is prime: multiples of it scatter agents that were made one after the other.
const SCATTER: u64 = 2_654_435_761;

/// All agents of the load test, as the gateway knows them.
pub(crate) struct Fleet {
    /// The platform's key that acts for all of them.
    pub(crate) key: String,
    handles: Vec<Handle>,
    welcome: Welcome,
    addr: SocketAddr,
    /// The share of all requests that is the first agent's.
    hot_share: Option<f64>,
    /// Which rails agents pay on.
    rails: Vec<Protocol>,
}

/// One connection to be: where to, and who pays over it.
#[derive(Debug)]
pub(crate) struct LanePlan {
    /// The worker that it leads to.
    pub(crate) worker: usize,
    pub(crate) payers: Vec<Payer>,
    /// Its part of all requests, above 0, at most 1.
    pub(crate) share: f64,
    /// The share of its requests that is its first payer's; `None` where all take turns.
    pub(crate) hot_share: Option<f64>,
}

impl LanePlan {
    /// The same connection, for somebody else's payers.
    pub(crate) fn without_payers(&self) -> LanePlan {
        LanePlan { payers: Vec::new(), ..*self }
    }
}

impl Fleet {
    pub(crate) fn muster(gateway: &Gateway, key: &str, scenario: &Scenario) -> Result<Fleet, LoadError> {
        runtime()?.block_on(async {
            let mut connection = Connector::new(gateway.client_options(key))?.connect(gateway.addr).await?;
            let (mut writer, mut reader) = connection.stream().await?;
            Ok(Fleet {
                key: key.to_owned(),
                handles: budgets::resolve(&mut writer, &mut reader, scenario.agents).await?,
                welcome: Welcome::clone(connection.welcome()),
                addr: gateway.addr,
                hot_share: scenario.hot_share,
                rails: scenario.rails(),
            })
        })
    }

    /// What the gateway has booked of each agent as of now.
    pub(crate) fn balances(&self, gateway: &Gateway) -> Result<Vec<Balance>, LoadError> {
        runtime()?.block_on(async {
            let mut connection = Connector::new(gateway.client_options(&self.key))?.connect(self.addr).await?;
            let (mut writer, mut reader) = connection.stream().await?;
            budgets::balances(&mut writer, &mut reader, &self.handles, &self.rails).await
        })
    }

    pub(crate) fn in_flight_max(&self) -> u32 {
        self.welcome.limits.in_flight_max
    }

    pub(crate) fn workers(&self) -> usize {
        self.welcome.workers.len().max(1)
    }

    pub(crate) fn shards(&self) -> usize {
        self.welcome.shards.len()
    }

    /// Divides the agents among so many connections.
    pub(crate) fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        divide(&self.handles, |handle| self.worker_of(handle), self.workers(), connections, self.hot_share)
    }

    fn worker_of(&self, handle: Handle) -> usize {
        self.welcome.shards.get(usize::from(handle.shard.0)).map_or(0, |worker| usize::from(*worker))
    }
}

/// Divides agents among so many connections to workers, evenly but for the first agent where it has a share of its own.
pub(crate) fn divide(
    handles: &[Handle],
    worker_of: impl Fn(Handle) -> usize,
    workers: usize,
    connections: u16,
    hot_share: Option<f64>,
) -> Vec<LanePlan> {
    let lanes = usize::from(connections);
    let plan =
        |lane| LanePlan { worker: lane % workers, payers: Vec::new(), share: 1.0 / lanes as f64, hot_share: None };
    let mut plans: Vec<LanePlan> = (0..lanes).map(plan).collect();
    for (number, handle) in handles.iter().enumerate() {
        plans[lane_of(number, worker_of(*handle), workers, lanes)].payers.push(payer(number, *handle));
    }
    for plan in &mut plans {
        plan.payers.sort_by_key(|payer| u64::from(payer.number) * SCATTER % u64::from(u32::MAX));
    }
    if let (Some(share), Some(handle)) = (hot_share, handles.first()) {
        let worker = worker_of(*handle);
        heat(&mut plans, payer(0, *handle), if worker < lanes { worker } else { 0 }, share);
    }
    plans
}

/// Where a worker of the gateway at `addr` listens.
pub(crate) fn addr_of(welcome: &Welcome, worker: usize, addr: SocketAddr) -> SocketAddr {
    match welcome.workers.get(worker) {
        Some(address) => SocketAddr::new(address.host.parse().unwrap_or(addr.ip()), address.port),
        None => addr,
    }
}

fn payer(number: usize, handle: Handle) -> Payer {
    Payer { number: number as u32, handle, book: Book::default() }
}

/// Gives one payer a share of all requests: it pays over every connection to its worker, and these carry so much more.
fn heat(plans: &mut [LanePlan], hot: Payer, worker: usize, share: f64) {
    let to_worker = plans.iter().filter(|plan| plan.worker == worker).count().max(1) as f64;
    let lanes = plans.len() as f64;
    for plan in plans {
        plan.payers.retain(|payer| payer.number != hot.number);
        let (mine, others) = (if plan.worker == worker { share / to_worker } else { 0.0 }, (1.0 - share) / lanes);
        plan.share = (mine + others).max(f64::MIN_POSITIVE);
        if mine > 0.0 {
            plan.payers.insert(0, hot);
            plan.hot_share = Some(mine / plan.share);
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
    use holdfast::kernel::{AgentIndex, ShardId};

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

    #[test]
    fn a_hot_agent_gets_its_share_of_all_requests() {
        let handle = |number: u16| Handle { shard: ShardId(number), index: AgentIndex(0) };
        for (lanes, workers, share) in [(4, 2, 0.8), (3, 2, 0.5), (1, 1, 1.0)] {
            let plan = |lane: usize| LanePlan {
                worker: lane % workers,
                payers: vec![payer(lane, handle(0))],
                share: 1.0 / lanes as f64,
                hot_share: None,
            };
            let mut plans: Vec<LanePlan> = (0..lanes).map(plan).collect();
            heat(&mut plans, payer(0, handle(0)), 0, share);
            let hot: f64 = plans.iter().map(|plan| plan.share * plan.hot_share.unwrap_or(0.0)).sum();
            let all: f64 = plans.iter().map(|plan| plan.share).sum();
            assert!((hot - share).abs() < 1e-9 && (all - 1.0).abs() < 1e-9, "{hot} {all}");
        }
    }
}
