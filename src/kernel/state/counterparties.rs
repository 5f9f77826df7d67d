//! The payees that the organization describes, as one shard knows them.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashTable;

use crate::kernel::{
    CounterpartyId, Name,
    counterparty::{Counterparty, Standing},
};

/// Entries by their ids, found by their addresses.
#[derive(Debug, Default)]
pub struct Counterparties {
    entries: BTreeMap<CounterpartyId, Arc<Entry>>,
    /// The same by the hashes of their addresses.
    by_address: HashTable<(u64, Arc<Entry>)>,
    /// How many get nothing.
    blocked: usize,
}

/// One payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The change of the catalogue that wrote it.
    pub revision: u32,
    /// As written.
    pub counterparty: Counterparty,
}

impl Counterparties {
    /// Writes an entry, in the place of the one of its id, and of one of its address that a shard has not been told to forget: an
    /// address means one payee.
    pub fn put(&mut self, counterparty: Counterparty, revision: u32) {
        let id = counterparty.id;
        self.remove(id);
        if let Some(outdated) = self.find(&counterparty.recipient()).map(|other| other.id) {
            self.remove(outdated);
        }
        let hash = counterparty.recipient().hash();
        self.blocked += usize::from(counterparty.standing == Some(Standing::Blocked));
        let entry = Arc::new(Entry { revision, counterparty });
        self.by_address.insert_unique(hash, (hash, Arc::clone(&entry)), |(hash, _)| *hash);
        self.entries.insert(id, entry);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, id: CounterpartyId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        let hash = entry.counterparty.recipient().hash();
        if let Ok(found) = self.by_address.find_entry(hash, |(_, known)| known.counterparty.id == id) {
            found.remove();
        }
        self.blocked -= usize::from(entry.counterparty.standing == Some(Standing::Blocked));
    }

    /// An entry by its id.
    #[must_use]
    pub fn get(&self, id: CounterpartyId) -> Option<&Entry> {
        self.entries.get(&id).map(|entry| &**entry)
    }

    /// The change that wrote an entry; 0 for one that is not there.
    #[must_use]
    pub fn revision_of(&self, id: CounterpartyId) -> u32 {
        self.entries.get(&id).map_or(0, |entry| entry.revision)
    }

    /// What is known of a recipient.
    #[must_use]
    pub fn find(&self, recipient: &Name<'_>) -> Option<&Counterparty> {
        let is_it = |(_, entry): &(u64, Arc<Entry>)| entry.counterparty.describes(recipient);
        let (_, entry) = self.by_address.find(recipient.hash(), is_it)?;
        Some(&entry.counterparty)
    }

    /// Whether some get nothing.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.blocked > 0
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is described.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries in the order of their ids.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|entry| &**entry)
    }

    /// The entries after one, in the order of their ids.
    pub fn after(&self, id: Option<CounterpartyId>) -> impl Iterator<Item = &Entry> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = id.map_or(Unbounded, Excluded);
        self.entries.range((from, Unbounded)).map(|(_, entry)| &**entry)
    }
}
