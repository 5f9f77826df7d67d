//! Agents of a rival, which gives them no handles of its own.

use holdfast::{
    kernel::{AgentIndex, ShardId},
    wire::Handle,
};

use crate::{
    fleet::{self, LanePlan},
    scenario::Scenario,
};

/// Handles look as if the agents lived in so many shards, so that they have the size of a gateway's.
const SHARDS: u32 = 16;

/// Divides the scenario's agents among so many connections to so many workers, as a gateway's are.
pub(super) fn deal(scenario: &Scenario, workers: usize, connections: u16) -> Vec<LanePlan> {
    let handle = |number| Handle { shard: ShardId((number % SHARDS) as u16), index: AgentIndex(number / SHARDS) };
    let handles: Vec<Handle> = (0..scenario.agents).map(handle).collect();
    fleet::divide(&handles, |handle| usize::from(handle.shard.0) % workers, workers, connections, scenario.hot_share)
}
