//! Leads from the hash of a key to the slot in which its value is kept.

use hashbrown::{HashTable, hash_table};

use super::slots::Slot;

/// An index is this many tables. Each grows by itself: one table for all would be copied as a whole whenever it grows, and a shard
/// with a million holds would stand still for tens of milliseconds.
const TABLES: usize = 64;
/// The lowest bit of a hash that tells its table.
const TABLE_SHIFT: u32 = u32::BITS - TABLES.ilog2();

/// See the module. The keys themselves are with the values, so whoever searches says how to compare.
#[derive(Debug)]
pub(super) struct Index {
    tables: Box<[HashTable<Entry>; TABLES]>,
}

/// The hash is kept so that neither a search nor the growth of a table has to look at other values, which are rarely in the cache.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    slot: Slot,
}

impl Entry {
    /// The hash as the table wants it: it looks at the lowest and the highest bits, and a multiple by an odd number has both.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Default for Index {
    fn default() -> Self {
        Index { tables: Box::new(std::array::from_fn(|_| HashTable::new())) }
    }
}

impl Index {
    /// The slot whose hash is `hash` and whose value is the `same`.
    pub(super) fn find(&self, hash: u32, same: impl Fn(Slot) -> bool) -> Option<Slot> {
        let table = &self.tables[Self::table_of(hash)];
        let entry = table.find(Entry::spread(hash), |entry| entry.hash == hash && same(entry.slot));
        entry.map(|entry| entry.slot)
    }

    /// Adds a slot, unless there is one that is the `same`: it says whether it was added.
    pub(super) fn insert(&mut self, hash: u32, slot: Slot, same: impl Fn(Slot) -> bool) -> bool {
        let table = &mut self.tables[Self::table_of(hash)];
        let is_same = |entry: &Entry| entry.hash == hash && same(entry.slot);
        match table.entry(Entry::spread(hash), is_same, |entry| Entry::spread(entry.hash)) {
            hash_table::Entry::Occupied(_) => false,
            hash_table::Entry::Vacant(vacant) => {
                vacant.insert(Entry { hash, slot });
                true
            }
        }
    }

    /// Removes a slot.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        let table = &mut self.tables[Self::table_of(hash)];
        if let Ok(entry) = table.find_entry(Entry::spread(hash), |entry| entry.slot == slot) {
            entry.remove();
        }
    }

    fn table_of(hash: u32) -> usize {
        (hash >> TABLE_SHIFT) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_one_hash_are_told_apart() {
        let mut index = Index::default();
        for hash in [0, 7, u32::MAX] {
            assert!(index.insert(hash, 1, |slot| slot == 1));
            assert!(index.insert(hash, 2, |slot| slot == 2));
            assert!(!index.insert(hash, 3, |slot| slot == 2), "there is one that is the same");
            assert_eq!(index.find(hash, |slot| slot == 2), Some(2));
            assert_eq!(index.find(hash, |slot| slot == 3), None);
            index.remove(hash, 2);
            assert_eq!(index.find(hash, |slot| slot == 2), None);
            assert_eq!(index.find(hash, |_| true), Some(1));
        }
    }
}
