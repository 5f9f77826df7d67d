//! All agents of a shard, by their place and by their id.

use std::hash::BuildHasher;

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::agent::Agent;
use crate::kernel::{AgentId, AgentIndex};

/// Agents in a piece. A piece is made when the one before is full and never moves: one array for all would be copied whenever it
/// grows, and would be half empty afterwards.
const PIECE: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Agents {
    pieces: Vec<Vec<Agent>>,
    index: HashTable<AgentIndex>,
    hasher: DefaultHashBuilder,
}

impl Agents {
    /// Adds an agent that is new, at the next place.
    pub fn push(&mut self, agent: Agent) {
        let (index, hash) = (AgentIndex(self.len() as u32), self.hasher.hash_one(agent.id));
        if self.pieces.last().is_none_or(|last| last.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        if let Some(last) = self.pieces.last_mut() {
            last.push(agent);
        }
        let (pieces, hasher) = (&self.pieces, &self.hasher);
        self.index.insert_unique(hash, index, |&index| at(pieces, index).map_or(0, |agent| hasher.hash_one(agent.id)));
    }

    /// The agent at a place.
    #[must_use]
    #[inline]
    pub fn get(&self, index: AgentIndex) -> Option<&Agent> {
        at(&self.pieces, index)
    }

    /// The agent at a place, to change it.
    #[inline]
    pub fn get_mut(&mut self, index: AgentIndex) -> Option<&mut Agent> {
        self.pieces.get_mut(index.0 as usize / PIECE)?.get_mut(index.0 as usize % PIECE)
    }

    /// The place of an agent.
    #[must_use]
    pub fn find(&self, id: AgentId) -> Option<AgentIndex> {
        let same = |&index: &AgentIndex| self.get(index).is_some_and(|agent| agent.id == id);
        self.index.find(self.hasher.hash_one(id), same).copied()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of them in the order of creation.
    pub fn iter(&self) -> impl Iterator<Item = (AgentIndex, &Agent)> {
        self.pieces.iter().flatten().enumerate().map(|(index, agent)| (AgentIndex(index as u32), agent))
    }

    /// All of them in the order of creation, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (AgentIndex, &mut Agent)> {
        self.pieces.iter_mut().flatten().enumerate().map(|(index, agent)| (AgentIndex(index as u32), agent))
    }
}

fn at(pieces: &[Vec<Agent>], index: AgentIndex) -> Option<&Agent> {
    pieces.get(index.0 as usize / PIECE)?.get(index.0 as usize % PIECE)
}

impl Encode for Agents {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.len() as u64).encode(encoder)?;
        self.iter().try_for_each(|(_, agent)| agent.encode(encoder))
    }
}

impl<C> Decode<C> for Agents {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let mut agents = Agents::default();
        for _ in 0..u64::decode(decoder)? {
            agents.push(Agent::decode(decoder)?);
        }
        Ok(agents)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Agents {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Agents::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Timestamp, request::AgentStatus};

    #[test]
    fn agents_are_found_by_place_and_by_id_over_many_pieces() {
        let mut agents = Agents::default();
        let count = 2 * PIECE as u32 + 1;
        for index in 0..count {
            let id = AgentId(u128::from(index) << 64);
            assert_eq!(agents.find(id), None);
            agents.push(Agent::new(id, AgentStatus::Active, "", "", Timestamp::ZERO));
        }
        assert_eq!(agents.len(), count as usize);
        for index in (0..count).map(AgentIndex) {
            let id = agents.get(index).unwrap().id;
            assert_eq!(agents.find(id), Some(index));
        }
        assert!(agents.get(AgentIndex(count)).is_none());
        assert!(agents.iter().map(|(index, _)| index.0).eq(0..count));
    }
}
