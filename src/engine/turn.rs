//! The events of one turn of a worker on their way to the committer, and the numbers that turns are known by.

use std::time::Instant;

use crate::{
    journal::codec::Section,
    kernel::{ShardId, Timestamp},
};

/// The number of a worker's turn, from 1. Durability is counted in turns: a turn is durable when the worker's last durable turn
/// is that one or a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TurnNumber(pub u64);

impl TurnNumber {
    /// Before every turn: durable at once.
    pub(super) const NONE: TurnNumber = TurnNumber(0);

    pub(super) fn next(self) -> TurnNumber {
        TurnNumber(self.0 + 1)
    }
}

/// The sections of one turn, one after the other.
#[derive(Debug)]
pub(super) struct TurnRecord {
    pub number: TurnNumber,
    /// When the turn was handed over: its wait for the commit counts from here.
    pub handed_over_at: Instant,
    bytes: Vec<u8>,
    sections: Vec<(ShardId, usize)>,
}

impl TurnRecord {
    pub(super) fn new() -> TurnRecord {
        TurnRecord { number: TurnNumber::NONE, handed_over_at: Instant::now(), bytes: Vec::new(), sections: Vec::new() }
    }

    /// Moves what a shard kept over.
    pub(super) fn take_section(&mut self, shard: ShardId, moment: Timestamp, section: &mut Section) {
        let length = section.close(moment, &mut self.bytes);
        if length > 0 {
            self.sections.push((shard, length));
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.sections.clear();
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = (ShardId, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.sections.iter().map(move |&(shard, length)| {
            let (section, after) = rest.split_at(length);
            rest = after;
            (shard, section)
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
