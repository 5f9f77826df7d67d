//! Files of what was cut from the journal: for people one event after the other, for machines the exact bytes, so that the chain can be
//! proved again from a file alone. `docs/JOURNAL.md` specifies the lines.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::json;

use super::feed::FeedPosition;
use crate::{
    journal::{
        Position, Sequence,
        codec::visit_events,
        record::{PAYLOAD_BYTES_MAX, Record},
    },
    kernel::ShardId,
};

/// A file that is being written. It has its name only when it is whole and durable.
pub(super) struct Archive {
    shard: ShardId,
    /// The end of what was written.
    position: Position,
    file: BufWriter<File>,
    unfinished: PathBuf,
    finished: PathBuf,
}

impl Archive {
    /// Begins the file of the records after `base` up to `end`; the directory is made if need be.
    pub(super) fn begin(directory: &Path, shard: ShardId, base: Position, end: Sequence) -> io::Result<Archive> {
        fs::create_dir_all(directory)?;
        let (first, last) = (base.sequence.next().0, end.0);
        let name = format!("shard-{:05}-records-{first:020}-{last:020}.jsonl", shard.0);
        let (finished, unfinished) = (directory.join(&name), directory.join(format!("{name}.unfinished")));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // As private as the journal.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = BufWriter::new(options.open(&unfinished)?);
        Ok(Archive { shard, position: base, file, unfinished, finished })
    }

    /// Adds the next group.
    pub(super) fn group(&mut self, payload: &[u8]) -> io::Result<()> {
        let first = self.position.sequence.next();
        self.pass(payload)?;
        let mut events = Vec::new();
        visit_events(payload, &mut |moment, event| {
            let index = u32::try_from(events.len()).unwrap_or(u32::MAX);
            let id = FeedPosition { shard: self.shard, sequence: first, index };
            events.push(json!({"id": id.to_string(), "at": moment.to_string(), "event": format!("{event:?}")}));
        })
        .map_err(io::Error::other)?;
        let line = json!({
            "shard": self.shard.0,
            "firstRecord": first.0,
            "lastRecord": self.position.sequence.0,
            "chainHash": self.position.chain.to_string(),
            "events": events,
            "payload": hexadecimal(payload),
        });
        writeln!(self.file, "{line}")
    }

    /// Makes the file durable, and gives it its name.
    ///
    /// # Errors
    /// Also when what was written is not what the journal's chain says, up to `end`.
    pub(super) fn finish(self, end: Position) -> io::Result<()> {
        if self.position != end {
            return Err(io::Error::other("what was exported is not what the journal holds"));
        }
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.unfinished, &self.finished)?;
        let directory = self.finished.parent().unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    }

    /// The chain over the records that the group was written as.
    fn pass(&mut self, payload: &[u8]) -> io::Result<()> {
        let (mut rest, mut bytes) = (payload, Vec::new());
        loop {
            let (part, after) = rest.split_at(rest.len().min(PAYLOAD_BYTES_MAX));
            bytes.clear();
            let record = Record { continues: !after.is_empty(), previous: self.position.chain, payload: part };
            record.encode_into(&mut bytes).map_err(io::Error::other)?;
            self.position = self.position.after(self.shard, &bytes);
            rest = after;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
