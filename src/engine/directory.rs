//! Where each agent lives: what many threads read, and only durable agents.

use dashmap::DashMap;
use xxhash_rust::xxh3::xxh3_64;

use crate::kernel::{AgentId, AgentIndex, ShardId};

/// A place in the engine: which shard, and where in it. Clients resolve an agent once and then send this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgentHandle {
    /// The shard that the agent lives in.
    pub shard: ShardId,
    /// Its place there.
    pub index: AgentIndex,
}

/// The shard in which an agent lives or would live: a hash of its id that never changes between versions.
pub(super) fn shard_of(agent: AgentId, shards: u16) -> ShardId {
    let hash = xxh3_64(&agent.0.to_le_bytes());
    // The remainder is below `shards`, so it fits.
    ShardId((hash % u64::from(shards.max(1))) as u16)
}

/// The durable agents. No guard of the map leaves this file.
#[derive(Debug, Default)]
pub(super) struct Directory {
    agents: DashMap<AgentId, AgentHandle>,
}

impl Directory {
    pub(super) fn insert(&self, agent: AgentId, handle: AgentHandle) {
        self.agents.insert(agent, handle);
    }

    pub(super) fn find(&self, agent: AgentId) -> Option<AgentHandle> {
        self.agents.get(&agent).map(|entry| *entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_never_moves() {
        // These are on disks: another hash would lose the agents.
        for (id, shards, expected) in [(0_u128, 16, 8), (1, 16, 1), (0x1234, 16, 8), (u128::MAX, 16, 3), (7, 1, 0)] {
            assert_eq!(shard_of(AgentId(id), shards), ShardId(expected), "agent {id} of {shards} shards");
        }
    }

    #[test]
    fn agents_spread_over_the_shards() {
        let mut counts = [0_u32; 16];
        for id in 0..16_000 {
            counts[usize::from(shard_of(AgentId(id), 16).0)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
