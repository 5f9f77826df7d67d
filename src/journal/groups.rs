//! Reads groups from the middle of a journal that is being written, for whoever follows it or looks something up.
//!
//! It checks each record's checksum, and that each follows the one before; where its chain begins it believes the first record. A
//! recovery believes nothing: that is [`replay`](fn@super::replay).

use std::ops::ControlFlow;

use thiserror::Error;

use super::{
    position::{ChainHash, Sequence},
    record::{Record, RecordError},
    store::{Store, StoreError},
    writer::GROUP_BYTES_MAX,
};
use crate::kernel::ShardId;

/// Receives a group: its first and its last record, and its bytes.
pub type SpanVisitor<'v> = dyn FnMut(GroupSpan, &[u8]) -> ControlFlow<()> + 'v;

/// The records of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSpan {
    /// The first.
    pub first: Sequence,
    /// The last; mostly the same.
    pub last: Sequence,
    /// The chain hash of the last, which speaks for everything before it.
    pub chain: ChainHash,
}

/// Why groups cannot be read.
#[derive(Debug, Error)]
pub enum GroupsError {
    /// A record that belongs there is not: it was cut, or the journal is damaged.
    #[error("shard {} has no record {expected}", shard.0)]
    Missing {
        /// The shard.
        shard: ShardId,
        /// The record that belongs there.
        expected: Sequence,
    },
    /// The first record asked for is the middle of a group.
    #[error("record {sequence} of shard {} does not begin a group", shard.0)]
    MidGroup {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: Sequence,
    },
    /// Bytes that are no record.
    #[error("record {sequence} of shard {}: {source}", shard.0)]
    Record {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: Sequence,
        /// What is wrong with it.
        source: RecordError,
    },
    /// A sound record that does not follow the one before it.
    #[error("record {sequence} of shard {} does not carry the hash of the record before it", shard.0)]
    BrokenChain {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: Sequence,
    },
    /// Records that never end their group.
    #[error("the group that ends with record {sequence} of shard {} is longer than {GROUP_BYTES_MAX} bytes", shard.0)]
    GroupTooLong {
        /// The shard.
        shard: ShardId,
        /// The record that went over.
        sequence: Sequence,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Visits the groups of a shard whose records are `from` to `until`, in order, while the visitor goes on. Both must be durable; `from`
/// begins a group, and `until` ends one. Gives the record after the last group that was visited.
///
/// # Errors
/// [`GroupsError`]; the groups before were visited.
pub fn read_groups(
    store: &dyn Store,
    shard: ShardId,
    from: Sequence,
    until: Sequence,
    visit: &mut SpanVisitor<'_>,
) -> Result<Sequence, GroupsError> {
    let mut reading = Reading { shard, next: from, done: from, chain: None, open: Vec::new() };
    if from > until {
        return Ok(from);
    }
    let mut failure = None;
    // The record before says whether `from` begins a group; it is not there when the journal begins here.
    let before = Sequence(from.0.saturating_sub(1)).max(Sequence(1));
    store.read(shard, before, &mut |sequence, bytes| {
        let step =
            if sequence < from { reading.begin_after(sequence, bytes) } else { reading.step(sequence, bytes, visit) };
        match step {
            Ok(ControlFlow::Continue(())) if sequence < until => ControlFlow::Continue(()),
            Ok(_) => ControlFlow::Break(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match failure {
        Some(error) => Err(error),
        // Nothing was visited although there should be something.
        None if reading.next == from => Err(GroupsError::Missing { shard, expected: from }),
        None => Ok(reading.done),
    }
}

struct Reading {
    shard: ShardId,
    /// The next record.
    next: Sequence,
    /// The record after the last whole group.
    done: Sequence,
    chain: Option<ChainHash>,
    /// The records of a group before its last one.
    open: Vec<u8>,
}

impl Reading {
    fn begin_after(&mut self, sequence: Sequence, bytes: &[u8]) -> Result<ControlFlow<()>, GroupsError> {
        let record = self.decode(sequence, bytes)?;
        if record.continues {
            return Err(GroupsError::MidGroup { shard: self.shard, sequence: self.next });
        }
        self.chain = Some(ChainHash::of(self.shard, sequence, bytes));
        Ok(ControlFlow::Continue(()))
    }

    fn step(
        &mut self,
        sequence: Sequence,
        bytes: &[u8],
        visit: &mut SpanVisitor<'_>,
    ) -> Result<ControlFlow<()>, GroupsError> {
        let shard = self.shard;
        if sequence != self.next {
            return Err(GroupsError::Missing { shard, expected: self.next });
        }
        let record = self.decode(sequence, bytes)?;
        if self.chain.is_some_and(|chain| chain != record.previous) {
            return Err(GroupsError::BrokenChain { shard, sequence });
        }
        let chain = ChainHash::of(shard, sequence, bytes);
        self.chain = Some(chain);
        self.next = sequence.next();
        if self.open.len() + record.payload.len() > GROUP_BYTES_MAX {
            return Err(GroupsError::GroupTooLong { shard, sequence });
        }
        let is_alone = self.open.is_empty() && !record.continues;
        if !is_alone {
            self.open.extend_from_slice(record.payload);
        }
        if record.continues {
            return Ok(ControlFlow::Continue(()));
        }
        let span = GroupSpan { first: self.done, last: sequence, chain };
        self.done = self.next;
        let goes_on = visit(span, if is_alone { record.payload } else { &self.open });
        self.open.clear();
        Ok(goes_on)
    }

    fn decode<'b>(&self, sequence: Sequence, bytes: &'b [u8]) -> Result<Record<'b>, GroupsError> {
        Record::decode(bytes).map_err(|source| GroupsError::Record { shard: self.shard, sequence, source })
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU16, sync::Arc};

    use super::*;
    use crate::journal::{Group, Journal, MemoryStore, Position, record::PAYLOAD_BYTES_MAX};

    const SHARD: ShardId = ShardId(0);

    /// Groups of one, three and one records: 1, 2 to 4, 5.
    fn written() -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::new(NonZeroU16::MIN));
        let mut journal = Journal::new(Arc::<MemoryStore>::clone(&store));
        journal.replay(SHARD, Position::START, &mut |_, _| Ok(())).unwrap();
        for payload in [&b"a"[..], &[7; 2 * PAYLOAD_BYTES_MAX + 1], b"c"] {
            journal.commit(&[Group { shard: SHARD, payload }]).unwrap();
        }
        store
    }

    #[expect(clippy::type_complexity, reason = "said once")]
    fn read(store: &MemoryStore, from: u64, until: u64) -> Result<(Vec<(u64, u64, usize)>, u64), GroupsError> {
        let mut seen = Vec::new();
        let next = read_groups(store, SHARD, Sequence(from), Sequence(until), &mut |span, payload| {
            seen.push((span.first.0, span.last.0, payload.len()));
            ControlFlow::Continue(())
        })?;
        Ok((seen, next.0))
    }

    #[test]
    fn groups_are_read_from_any_group_to_any_other() {
        let store = written();
        let long = 2 * PAYLOAD_BYTES_MAX + 1;
        assert_eq!(read(&store, 1, 5).unwrap(), (vec![(1, 1, 1), (2, 4, long), (5, 5, 1)], 6));
        assert_eq!(read(&store, 2, 4).unwrap(), (vec![(2, 4, long)], 5));
        assert_eq!(read(&store, 5, 5).unwrap(), (vec![(5, 5, 1)], 6));
        assert_eq!(read(&store, 6, 5).unwrap(), (vec![], 6));
    }

    #[test]
    fn a_visitor_that_stops_is_asked_for_the_next_group_later() {
        let store = written();
        let mut visits = 0;
        let next = read_groups(&*store, SHARD, Sequence(1), Sequence(5), &mut |_, _| {
            visits += 1;
            if visits == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((next.unwrap(), visits), (Sequence(5), 2));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let store = written();
        assert!(matches!(read(&store, 3, 5), Err(GroupsError::MidGroup { sequence: Sequence(3), .. })));
        assert!(matches!(read(&store, 6, 7), Err(GroupsError::Missing { expected: Sequence(6), .. })));
        let tampered = |change: &dyn Fn(&mut crate::journal::memory::MemoryRecords)| {
            let store = written();
            store.tamper(SHARD, |records| change(records)).unwrap();
            store
        };
        let cut = tampered(&|records| records.retain(|sequence, _| *sequence > Sequence(4)));
        assert!(matches!(read(&cut, 2, 5), Err(GroupsError::Missing { expected: Sequence(2), .. })));
        assert_eq!(read(&cut, 5, 5).unwrap().1, 6);
        let hole = tampered(&|records| _ = records.remove(&Sequence(3)));
        assert!(matches!(read(&hole, 2, 5), Err(GroupsError::Missing { expected: Sequence(3), .. })));
        let moved = tampered(&|records| {
            let first = records[&Sequence(1)].clone();
            records.insert(Sequence(5), first);
        });
        assert!(matches!(read(&moved, 2, 5), Err(GroupsError::BrokenChain { sequence: Sequence(5), .. })));
        let damaged = tampered(&|records| _ = records.insert(Sequence(5), vec![1; 50].into()));
        assert!(matches!(read(&damaged, 2, 5), Err(GroupsError::Record { sequence: Sequence(5), .. })));
    }
}
