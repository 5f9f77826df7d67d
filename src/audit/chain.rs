//! The chain of the entries of a shard: each carries a hash of itself and of everything before it.

use std::fmt;

use sha2::{Digest, Sha256};

/// SHA-256 of an entry, or of an entry and what stands before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryHash(pub [u8; 32]);

impl EntryHash {
    /// Before the first entry of a shard.
    pub const GENESIS: EntryHash = EntryHash([0; 32]);

    /// The hash of an entry alone: of its canonical text.
    #[must_use]
    pub fn of_content(canonical: &str) -> EntryHash {
        EntryHash(Sha256::digest(canonical.as_bytes()).into())
    }

    /// The hash of an entry and everything before it.
    #[must_use]
    pub fn after(previous: EntryHash, content: EntryHash) -> EntryHash {
        EntryHash(Sha256::new().chain_update(previous.0).chain_update(content.0).finalize().into())
    }

    /// Reads 64 hexadecimal digits in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<EntryHash> {
        let mut bytes = [0; 32];
        let is_plain = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_plain {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(EntryHash(bytes))
    }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entry's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of the entry alone.
    pub content: EntryHash,
    /// Of everything before it.
    pub previous: EntryHash,
    /// Of it and everything before it.
    pub hash: EntryHash,
}

impl Link {
    /// The link of an entry with this canonical text after `previous`.
    #[must_use]
    pub fn after(previous: EntryHash, canonical: &str) -> Link {
        let content = EntryHash::of_content(canonical);
        Link { content, previous, hash: EntryHash::after(previous, content) }
    }
}
