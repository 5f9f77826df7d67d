//! Leads from the hash of a key to the slot in which its value is kept.

use super::slots::{NIL, Slot};

/// An index is this many tables. Each grows by itself: one table for all would be copied as a whole whenever it grows, and a shard
/// with a million holds would stand still for tens of milliseconds.
const TABLES: usize = 64;
/// The lowest bit of a hash that tells its table.
const TABLE_SHIFT: u32 = u32::BITS - TABLES.ilog2();

/// See the module. The keys themselves are with the values, so whoever searches says how to compare.
#[derive(Debug)]
pub(super) struct Index {
    tables: Box<[Table; TABLES]>,
}

impl Default for Index {
    fn default() -> Self {
        Index { tables: Box::new(std::array::from_fn(|_| Table::default())) }
    }
}

impl Index {
    /// The slot whose hash is `hash` and whose value is the `same`.
    pub(super) fn find(&self, hash: u32, same: impl Fn(Slot) -> bool) -> Option<Slot> {
        self.tables[table_of(hash)].find(hash, same)
    }

    /// Adds a slot, unless there is one that is the `same`: it says whether it was added.
    pub(super) fn insert(&mut self, hash: u32, slot: Slot, same: impl Fn(Slot) -> bool) -> bool {
        self.tables[table_of(hash)].insert(Entry { hash, slot }, same)
    }

    /// Removes a slot.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        self.tables[table_of(hash)].remove(hash, slot);
    }
}

fn table_of(hash: u32) -> usize {
    (hash >> TABLE_SHIFT) as usize
}

/// The hash is kept so that neither a search nor growth has to look at other values, which are rarely in the cache.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    slot: Slot,
}

impl Entry {
    const EMPTY: Entry = Entry { hash: 0, slot: NIL };

    fn is_empty(self) -> bool {
        self.slot == NIL
    }
}

/// A hash table whose entries lie where their hash says, or next to there: what a search looks at is mostly one cache line, where
/// a table with its control bytes apart takes two.
#[derive(Debug, Default)]
struct Table {
    /// A power of two of them, or none; at most three quarters are in use.
    entries: Vec<Entry>,
    count: usize,
}

/// Where an entry is, or would be.
enum Place {
    Taken(usize),
    Free(usize),
}

/// How many entries a table has at first.
const ENTRIES_MIN: usize = 8;

impl Table {
    fn find(&self, hash: u32, same: impl Fn(Slot) -> bool) -> Option<Slot> {
        if self.count == 0 {
            return None;
        }
        match self.place(hash, same) {
            Place::Taken(place) => Some(self.entries[place].slot),
            Place::Free(_) => None,
        }
    }

    /// Where the entry of this hash is that is the `same`, or would be. Requires that there are entries.
    fn place(&self, hash: u32, same: impl Fn(Slot) -> bool) -> Place {
        let mut place = self.home(hash);
        loop {
            let entry = self.entries[place];
            if entry.is_empty() {
                return Place::Free(place);
            }
            if entry.hash == hash && same(entry.slot) {
                return Place::Taken(place);
            }
            place = self.after(place);
        }
    }

    fn insert(&mut self, entry: Entry, same: impl Fn(Slot) -> bool) -> bool {
        if (self.count + 1) * 4 > self.entries.len() * 3 {
            self.grow();
        }
        match self.place(entry.hash, same) {
            Place::Free(place) => {
                self.entries[place] = entry;
                self.count += 1;
                true
            }
            Place::Taken(_) => false,
        }
    }

    /// Removes a slot; what stands behind it and belongs nearer to the hole moves up.
    fn remove(&mut self, hash: u32, slot: Slot) {
        if self.count == 0 {
            return;
        }
        let Place::Taken(mut hole) = self.place(hash, |other| other == slot) else { return };
        let mut next = self.after(hole);
        while !self.entries[next].is_empty() {
            let home = self.home(self.entries[next].hash);
            if self.distance(home, next) >= self.distance(hole, next) {
                self.entries[hole] = self.entries[next];
                hole = next;
            }
            next = self.after(next);
        }
        self.entries[hole] = Entry::EMPTY;
        self.count -= 1;
    }

    fn grow(&mut self) {
        let larger = vec![Entry::EMPTY; (self.entries.len() * 2).max(ENTRIES_MIN)];
        let before = std::mem::replace(&mut self.entries, larger);
        for entry in before.into_iter().filter(|entry| !entry.is_empty()) {
            if let Place::Free(place) = self.place(entry.hash, |_| false) {
                self.entries[place] = entry;
            }
        }
    }

    /// The place of a hash, where it is free.
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.entries.len() - 1)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.entries.len() - 1)
    }

    /// How many steps it is from one place to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.entries.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn slots_of_one_hash_are_told_apart() {
        let mut index = Index::default();
        for hash in [0, 7, u32::MAX] {
            assert_eq!(index.find(hash, |_| true), None);
            assert!(index.insert(hash, 1, |slot| slot == 1));
            assert!(index.insert(hash, 2, |slot| slot == 2));
            assert!(!index.insert(hash, 3, |slot| slot == 2), "there is one that is the same");
            assert_eq!(index.find(hash, |slot| slot == 2), Some(2));
            assert_eq!(index.find(hash, |slot| slot == 3), None);
            index.remove(hash, 2);
            index.remove(hash, 9);
            assert_eq!(index.find(hash, |slot| slot == 2), None);
            assert_eq!(index.find(hash, |_| true), Some(1));
        }
    }

    /// Few distinct hashes, which lie next to each other and at both ends of the tables, so that everything collides.
    #[test]
    fn an_index_keeps_what_was_added_and_not_removed() {
        let (mut index, mut expected) = (Index::default(), BTreeMap::new());
        let mut random = 1_u64;
        for slot in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let hash = ((random >> 33) as u32 % 2000).wrapping_sub(1000);
            assert!(index.insert(hash, slot, |other| other == slot));
            expected.insert(slot, hash);
            let victim = (random >> 40) as u32 % (slot + 1);
            if !random.is_multiple_of(3)
                && let Some(hash) = expected.remove(&victim)
            {
                index.remove(hash, victim);
                assert_eq!(index.find(hash, |slot| slot == victim), None);
            }
        }
        for (&slot, &hash) in &expected {
            assert_eq!(index.find(hash, |other| other == slot), Some(slot));
        }
        let count: usize = index.tables.iter().map(|table| table.count).sum();
        assert_eq!(count, expected.len());
    }
}
