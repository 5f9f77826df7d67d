//! A snapshot's bytes as a chain of records: each chunk is a record of its own chain, which begins with the chain hash
//! of the journal at the position that the snapshot covers. So every chunk is checked as it is read, a missing or
//! moved one is noticed, and a snapshot cannot be taken for one of another position.

use std::io::{self, Read, Write};

use super::{
    position::{Position, Sequence},
    record::{PAYLOAD_BYTES_MAX, Record},
    store::{SnapshotChunks, SnapshotSink, Store, StoreError, StoredSnapshot},
};
use crate::kernel::ShardId;

/// Begins a snapshot of a shard's state as it is after `position`, which must be the end of a group.
///
/// # Errors
/// [`StoreError`], when another snapshot is underway or the position is not one that the store has.
pub fn write_snapshot(store: &dyn Store, shard: ShardId, position: Position) -> Result<SnapshotWriter<'_>, StoreError> {
    Ok(SnapshotWriter::new(store.begin_snapshot(shard, position)?, shard, position))
}

/// Begins a base of a shard: its state as it is after `position`, which must be the end of a group.
///
/// # Errors
/// As for [`Store::begin_base`].
pub fn write_base(store: &dyn Store, shard: ShardId, position: Position) -> Result<SnapshotWriter<'_>, StoreError> {
    Ok(SnapshotWriter::new(store.begin_base(shard, position)?, shard, position))
}

/// The newest snapshot of a shard, with what it covers. It must not be replaced while it is read.
///
/// # Errors
/// When the store cannot read.
pub fn read_snapshot(store: &dyn Store, shard: ShardId) -> Result<Option<(Position, SnapshotReader<'_>)>, StoreError> {
    Ok(store.snapshot(shard)?.map(|stored| SnapshotReader::new(shard, stored)))
}

/// The base of a shard, with where the journal begins after it. It must not be replaced while it is read.
///
/// # Errors
/// When the store cannot read.
pub fn read_base(store: &dyn Store, shard: ShardId) -> Result<Option<(Position, SnapshotReader<'_>)>, StoreError> {
    Ok(store.base(shard)?.map(|stored| SnapshotReader::new(shard, stored)))
}

/// Chunks count from one; their chain begins with the journal's.
fn chunk_chain(position: Position) -> Position {
    Position { sequence: Sequence::NONE, chain: position.chain }
}

/// Writes a snapshot piece by piece. Nobody sees it until it is [finished](Self::finish); dropped before, it leaves no trace.
pub struct SnapshotWriter<'s> {
    sink: Box<dyn SnapshotSink + 's>,
    shard: ShardId,
    chain: Position,
    pending: Vec<u8>,
    encoded: Vec<u8>,
}

impl<'s> SnapshotWriter<'s> {
    fn new(sink: Box<dyn SnapshotSink + 's>, shard: ShardId, position: Position) -> SnapshotWriter<'s> {
        let pending = Vec::with_capacity(PAYLOAD_BYTES_MAX);
        SnapshotWriter { sink, shard, chain: chunk_chain(position), pending, encoded: Vec::new() }
    }

    /// Makes the snapshot durable and visible in place of the earlier one.
    ///
    /// # Errors
    /// [`StoreError`]; the earlier snapshot then stays.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.write_chunk(false)?;
        self.sink.finish()
    }

    fn write_chunk(&mut self, continues: bool) -> Result<(), StoreError> {
        self.encoded.clear();
        let record = Record { continues, previous: self.chain.chain, payload: &self.pending };
        record.encode_into(&mut self.encoded).expect("a chunk is no longer than a payload may be");
        self.chain = self.chain.after(self.shard, &self.encoded);
        self.pending.clear();
        self.sink.chunk(&self.encoded)
    }
}

impl Write for SnapshotWriter<'_> {
    /// A full chunk is written only when more bytes come, so that the last one can be marked as the last.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() == PAYLOAD_BYTES_MAX && !bytes.is_empty() {
            self.write_chunk(true).map_err(io::Error::other)?;
        }
        let free = PAYLOAD_BYTES_MAX.saturating_sub(self.pending.len());
        let (taken, _) = bytes.split_at(bytes.len().min(free));
        self.pending.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Nothing is durable before the snapshot is finished, so there is nothing to do.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a snapshot piece by piece, checking each chunk before it hands out a byte of it.
pub struct SnapshotReader<'s> {
    chunks: SnapshotChunks<'s>,
    shard: ShardId,
    chain: Position,
    chunk: Vec<u8>,
    read: usize,
    is_last: bool,
}

impl<'s> SnapshotReader<'s> {
    fn new(shard: ShardId, stored: StoredSnapshot<'s>) -> (Position, SnapshotReader<'s>) {
        let (chain, chunks) = (chunk_chain(stored.position), stored.chunks);
        (stored.position, SnapshotReader { chunks, shard, chain, chunk: Vec::new(), read: 0, is_last: false })
    }

    /// Takes the next chunk; false after the last one.
    fn next_chunk(&mut self) -> io::Result<bool> {
        if self.is_last {
            return match self.chunks.next() {
                None => Ok(false),
                Some(_) => Err(self.damaged("has chunks after its last one")),
            };
        }
        let Some(chunk) = self.chunks.next() else { return Err(self.damaged("ends before its last chunk")) };
        let chunk = chunk.map_err(io::Error::other)?;
        let record = Record::decode(&chunk).map_err(|error| self.damaged(&error.to_string()))?;
        if record.previous != self.chain.chain {
            return Err(self.damaged("does not continue its chain"));
        }
        self.is_last = !record.continues;
        self.chunk.clear();
        self.chunk.extend_from_slice(record.payload);
        self.read = 0;
        self.chain = self.chain.after(self.shard, &chunk);
        Ok(true)
    }

    fn damaged(&self, what: &str) -> io::Error {
        let (shard, chunk) = (self.shard.0, self.chain.sequence.next());
        io::Error::new(io::ErrorKind::InvalidData, format!("snapshot of shard {shard}, chunk {chunk}: {what}"))
    }
}

impl Read for SnapshotReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() {
            if !self.next_chunk()? {
                return Ok(0);
            }
        }
        let rest = self.chunk.get(self.read..).unwrap_or_default();
        let (taken, _) = rest.split_at(rest.len().min(buffer.len()));
        let (target, _) = buffer.split_at_mut(taken.len());
        target.copy_from_slice(taken);
        self.read += taken.len();
        Ok(taken.len())
    }
}
