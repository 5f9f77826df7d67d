//! All entries as lines of JSON, chained so that they prove themselves: `docs/OPERATIONS.md` specifies the format.

use std::collections::VecDeque;

use super::{
    canonical::canonical,
    chain::{EntryHash, Link},
    entry::Recorder,
};
use crate::{
    engine::{Feed, FeedCursor, FeedError, READ_EVENTS_MAX},
    kernel::{ShardId, Timestamp},
    wire::json::print,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The name of the format, in the first line.
pub const EXPORT_FORMAT: &str = "holdfast-audit-1";

/// An export under way: everything that was durable when it began. Give the lines in order, each without its end.
#[derive(Debug)]
pub struct Export {
    feed: Feed,
    next: FeedCursor,
    until: FeedCursor,
    recorder: Recorder,
    seal: Seal,
    ready: VecDeque<String>,
    is_ended: bool,
}

/// What the lines so far come to.
#[derive(Debug)]
pub(super) struct Seal {
    pub(super) heads: Vec<Head>,
    pub(super) lines: u64,
    digest: Sha256,
}

/// How far the chain of a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) hash: EntryHash,
    pub(super) entries: u64,
}

impl Seal {
    pub(super) fn new(shards: usize) -> Seal {
        Seal { heads: vec![Head { hash: EntryHash::GENESIS, entries: 0 }; shards], lines: 0, digest: Sha256::new() }
    }

    /// Takes a line of any kind.
    pub(super) fn take(&mut self, line: &str) {
        self.lines += 1;
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
    }

    pub(super) fn head_mut(&mut self, shard: ShardId) -> Option<&mut Head> {
        self.heads.get_mut(usize::from(shard.0))
    }

    pub(super) fn digest(&self) -> EntryHash {
        EntryHash(self.digest.clone().finalize().into())
    }
}

impl Export {
    /// Begins an export.
    #[must_use]
    pub fn begin(feed: Feed, now: Timestamp) -> Export {
        let (next, until) = (feed.oldest(), feed.newest());
        let mut seal = Seal::new(until.positions().count());
        let first = FirstLine {
            format: EXPORT_FORMAT,
            exported_at: now.to_string(),
            from: next.to_string(),
            until: until.to_string(),
            heads: head_bodies(&seal),
        };
        let line = canonical_line(&print(&first));
        seal.take(&line);
        Export { feed, next, until, recorder: Recorder::default(), seal, ready: [line].into(), is_ended: false }
    }

    /// The next line; nothing after the last.
    ///
    /// # Errors
    /// [`FeedError`]. What was given before is then not an export: it lacks the last line.
    pub fn next_line(&mut self) -> Result<Option<String>, FeedError> {
        while self.ready.is_empty() && !self.is_ended {
            self.read_on()?;
        }
        Ok(self.ready.pop_front())
    }

    fn read_on(&mut self) -> Result<(), FeedError> {
        let Export { feed, next, until, recorder, seal, ready, .. } = self;
        let behind = next.positions().zip(until.positions()).find(|(next, until)| next < until);
        let Some((from, end)) = behind else {
            let last = LastLine {
                end: true,
                entries: seal.lines - 1,
                heads: head_bodies(seal),
                digest: seal.digest().to_string(),
            };
            ready.push_back(canonical_line(&print(&last)));
            self.is_ended = true;
            return Ok(());
        };
        let reached = feed.read_shard(from, READ_EVENTS_MAX, &mut |fact| {
            if fact.position >= end {
                return;
            }
            if let Some(entry) = recorder.entry(fact)
                && let Some(head) = seal.head_mut(from.shard)
            {
                let text = entry.canonical();
                let link = Link::after(head.hash, &text);
                *head = Head { hash: link.hash, entries: head.entries + 1 };
                let line = chained(&text, link, seal.lines + 1);
                seal.take(&line);
                ready.push_back(line);
            }
        })?;
        *next =
            FeedCursor::before(next.positions().map(|place| if place.shard == from.shard { reached } else { place }));
        Ok(())
    }
}

/// The entry with its link.
fn chained(text: &str, link: Link, line: u64) -> String {
    let link = LinkBody {
        content: link.content.to_string(),
        previous: link.previous.to_string(),
        hash: link.hash.to_string(),
        line,
    };
    let members = text.strip_suffix('}').unwrap_or(text);
    canonical_line(&format!("{members},\"chain\":{}}}", print(&link)))
}

fn canonical_line(text: &str) -> String {
    canonical(text).unwrap_or_else(|| text.to_owned())
}

pub(super) fn head_bodies(seal: &Seal) -> Vec<HeadBody> {
    let body = |(shard, head): (usize, &Head)| HeadBody { shard, entries: head.entries, hash: head.hash.to_string() };
    seal.heads.iter().enumerate().map(body).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FirstLine {
    format: &'static str,
    exported_at: String,
    from: String,
    until: String,
    heads: Vec<HeadBody>,
}

#[derive(Serialize)]
struct LastLine {
    end: bool,
    entries: u64,
    heads: Vec<HeadBody>,
    digest: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(super) struct HeadBody {
    pub(super) shard: usize,
    pub(super) entries: u64,
    pub(super) hash: String,
}

#[derive(Serialize, serde::Deserialize)]
pub(super) struct LinkBody {
    pub(super) content: String,
    pub(super) previous: String,
    pub(super) hash: String,
    pub(super) line: u64,
}
