//! Does an export prove itself? Without the gateway: only the lines are needed.

use std::io::{self, BufRead};

use serde::Deserialize;
use thiserror::Error;

use super::{
    canonical::{canonical, members},
    chain::{EntryHash, Link},
    export::{EXPORT_FORMAT, Head, HeadBody, LinkBody, Seal, head_bodies},
};
use crate::{engine::FeedPosition, wire::json::print};

/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What an export that proves itself comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last entry of each shard. Two exports of one gateway agree in them as far as both go.
    pub heads: Vec<EntryHash>,
    /// The hash of the whole file but its last line.
    pub digest: EntryHash,
}

/// The first line that is wrong, and why.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The file cannot be read.
    #[error("failed to read the export: {0}")]
    Unreadable(#[from] io::Error),
    /// A line is not what belongs there.
    #[error("line {line} {what}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong, to be read after the number.
        what: &'static str,
    },
}

/// Verifies an export.
///
/// # Errors
/// [`VerifyError`], for the first line that was changed, removed, moved or added.
pub fn verify(mut lines: impl BufRead) -> Result<Verified, VerifyError> {
    let mut line = String::new();
    let mut next = |line: &mut String| -> io::Result<bool> {
        line.clear();
        let read = io::Read::take(&mut lines, LINE_BYTES_MAX).read_line(line)?;
        if line.ends_with('\n') {
            line.pop();
        }
        Ok(read > 0)
    };
    let wrong = |line: u64, what: &'static str| VerifyError::Line { line, what };
    if !next(&mut line)? {
        return Err(wrong(1, "is missing: the file is empty"));
    }
    let mut seal = first_line(&line).ok_or(wrong(1, "is not the first line of an export"))?;
    seal.take(&line);
    let mut last_places: Vec<Option<FeedPosition>> = vec![None; seal.heads.len()];
    loop {
        let number = seal.lines + 1;
        if !next(&mut line)? {
            return Err(wrong(number, "is missing: the export has no last line"));
        }
        if canonical(&line).as_deref() != Some(&line) {
            return Err(wrong(number, "is not in the form that exports have: it was changed"));
        }
        if members(&line).is_some_and(|members| members.contains_key("end")) {
            last_line(&line, &seal).map_err(|what| wrong(number, what))?;
            let verified = Verified {
                entries: seal.lines - 1,
                heads: seal.heads.iter().map(|head| head.hash).collect(),
                digest: seal.digest(),
            };
            return match next(&mut line)? {
                true => Err(wrong(number + 1, "was added: it stands after the last line")),
                false => Ok(verified),
            };
        }
        entry_line(&line, number, &mut seal, &mut last_places).map_err(|what| wrong(number, what))?;
        seal.take(&line);
    }
}

fn first_line(line: &str) -> Option<Seal> {
    #[derive(Deserialize)]
    struct First {
        format: String,
        heads: Vec<HeadBody>,
    }
    let First { format, heads } = serde_json::from_str(line).ok()?;
    let seal = Seal::new(heads.len());
    let is_ours = format == EXPORT_FORMAT && canonical(line).as_deref() == Some(line) && heads == head_bodies(&seal);
    is_ours.then_some(seal)
}

fn entry_line(
    line: &str,
    number: u64,
    seal: &mut Seal,
    last_places: &mut [Option<FeedPosition>],
) -> Result<(), &'static str> {
    let mut entry = members(line).ok_or("is no entry")?;
    let link: LinkBody =
        entry.remove("chain").and_then(|link| serde_json::from_str(link.get()).ok()).ok_or("has no chain")?;
    let id = entry.get("id").and_then(|id| serde_json::from_str::<String>(id.get()).ok());
    let place: FeedPosition = id.and_then(|id| id.parse().ok()).ok_or("has no id")?;
    let content = canonical(&print(&entry)).ok_or("is no entry")?;
    let head = seal.head_mut(place.shard).ok_or("is of a shard that the first line does not name")?;
    let expected = Link::after(head.hash, &content);
    let told = [&link.content, &link.previous, &link.hash].map(|hash| EntryHash::parse(hash));
    if told[0] != Some(expected.content) {
        return Err("was changed: its hash is another one");
    }
    if link.line != number {
        return Err("is not where it was: a line before it was removed, moved or added");
    }
    if told[1] != Some(expected.previous) {
        return Err("does not follow the entry before it in its shard: a line was removed, moved or added");
    }
    if told[2] != Some(expected.hash) {
        return Err("was changed: its chain is another one");
    }
    let last = last_places.get_mut(usize::from(place.shard.0)).ok_or("is of an unknown shard")?;
    if last.is_some_and(|last| last >= place) {
        return Err("is not in the order of its shard");
    }
    *last = Some(place);
    *head = Head { hash: expected.hash, entries: head.entries + 1 };
    Ok(())
}

fn last_line(line: &str, seal: &Seal) -> Result<(), &'static str> {
    #[derive(Deserialize)]
    struct Last {
        end: bool,
        entries: u64,
        heads: Vec<HeadBody>,
        digest: String,
    }
    let last: Last = serde_json::from_str(line).map_err(|_| "is not the last line of an export")?;
    if !last.end || last.entries != seal.lines - 1 {
        return Err("tells another number of entries than there are before it: lines were removed or added");
    }
    if last.heads != head_bodies(seal) {
        return Err("tells another end of the chains: lines before it were removed or changed");
    }
    if EntryHash::parse(&last.digest) != Some(seal.digest()) {
        return Err("tells another hash of the file: lines before it were changed");
    }
    Ok(())
}
