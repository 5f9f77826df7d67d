//! Where a shard's journal stands: its last record, and the hash that ties the next one to everything before it.

use std::fmt;

use crate::kernel::ShardId;

/// The number of a record within its shard. The first record is 1; zero stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first record.
    pub const NONE: Sequence = Sequence(0);

    /// The number that follows. It saturates, so that a damaged number read from a disk cannot overflow;
    /// a million records a second would need half a million years to get there.
    #[must_use]
    pub const fn next(self) -> Sequence {
        Sequence(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hash over a record and, through the hash it carries, over every record before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// What the first record of a shard carries.
    pub const GENESIS: ChainHash = ChainHash([0; 32]);

    /// The hash of the record whose encoded bytes are given. Shard and sequence take part, so that a record that
    /// was moved to another place breaks the chain even where its bytes are sound.
    #[must_use]
    pub fn of(shard: ShardId, sequence: Sequence, record: &[u8]) -> ChainHash {
        let mut place = [0; 10];
        place[..2].copy_from_slice(&shard.0.to_be_bytes());
        place[2..].copy_from_slice(&sequence.0.to_be_bytes());
        ChainHash(*blake3::Hasher::new().update(&place).update(record).finalize().as_bytes())
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in a shard's journal: everything up to and including `sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last record.
    pub sequence: Sequence,
    /// Its hash, which the next record carries.
    pub chain: ChainHash,
}

impl Position {
    /// Before the first record.
    pub const START: Position = Position { sequence: Sequence::NONE, chain: ChainHash::GENESIS };

    /// The place after one more record, whose encoded bytes are given.
    #[must_use]
    pub fn after(self, shard: ShardId, record: &[u8]) -> Position {
        let sequence = self.sequence.next();
        Position { sequence, chain: ChainHash::of(shard, sequence, record) }
    }
}
