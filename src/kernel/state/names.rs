//! The recipients and services that a shard has met, each kept once.

use hashbrown::HashTable;

use crate::kernel::{Name, NameId};

/// Texts by the order of first meeting, and back.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    by_hash: HashTable<u32>,
    hashes: Vec<u64>,
}

impl Names {
    /// Keeps `text`, which must be canonical and new, under the next id.
    pub fn add(&mut self, text: Box<str>) -> NameId {
        let name = Name::canonical((&*text).into());
        debug_assert!(self.find(&name).is_none(), "a name is met once");
        let (id, hash) = (self.texts.len() as u32, name.hash());
        self.texts.push(text);
        self.hashes.push(hash);
        self.by_hash.insert_unique(hash, id, |&id| self.hashes[id as usize]);
        NameId(id)
    }

    /// The id of a name that was met.
    #[must_use]
    pub fn find(&self, name: &Name<'_>) -> Option<NameId> {
        self.by_hash.find(name.hash(), |&id| *self.texts[id as usize] == *name.text()).map(|&id| NameId(id))
    }

    /// The text of a name; empty for an id that was never given.
    #[must_use]
    pub fn text(&self, id: NameId) -> &str {
        self.texts.get(id.0 as usize).map_or("", |text| text)
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.texts.len()
    }

    /// All texts in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}
