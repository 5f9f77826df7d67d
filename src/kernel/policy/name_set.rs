//! Which names a list rule holds. A request's names are hashed once, before the first rule asks.

use std::{borrow::Cow, fmt, sync::Arc};

use hashbrown::HashTable;

use crate::kernel::Name;

/// A set of canonical names, probed by the hash that a [`Name`] carries. Clones share one table.
#[derive(Clone, Default)]
pub struct NameSet(Arc<HashTable<Box<str>>>);

impl NameSet {
    /// Whether `name` is in the set.
    #[must_use]
    pub fn contains(&self, name: &Name<'_>) -> bool {
        self.0.find(name.hash(), |entry| **entry == *name.text()).is_some()
    }

    /// The names, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// The number of different names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<Name<'a>> for NameSet {
    fn from_iter<I: IntoIterator<Item = Name<'a>>>(names: I) -> NameSet {
        let mut table: HashTable<Box<str>> = HashTable::new();
        for name in names {
            table
                .entry(name.hash(), |entry| **entry == *name.text(), |entry| hash_of(entry))
                .or_insert_with(|| name.text().into());
        }
        table.shrink_to_fit(|entry| hash_of(entry));
        NameSet(Arc::new(table))
    }
}

impl PartialEq for NameSet {
    fn eq(&self, other: &NameSet) -> bool {
        let all_in_other = || self.0.iter().all(|entry| other.contains(&Name::canonical(Cow::Borrowed(entry))));
        Arc::ptr_eq(&self.0, &other.0) || (self.len() == other.len() && all_in_other())
    }
}

impl Eq for NameSet {}

impl fmt::Debug for NameSet {
    /// Sorted, so that equal sets print alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries: Vec<&str> = self.0.iter().map(|entry| &**entry).collect();
        entries.sort_unstable();
        f.debug_set().entries(entries).finish()
    }
}

fn hash_of(canonical: &str) -> u64 {
    Name::canonical(Cow::Borrowed(canonical)).hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(recipients: &[&str]) -> NameSet {
        recipients.iter().map(|text| Name::recipient(text).unwrap()).collect()
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let names: Vec<String> = (0..10_000).map(|i| format!("payee-{i}")).collect();
        let big: NameSet = names.iter().map(|text| Name::recipient(text).unwrap()).collect();
        assert_eq!(big.len(), 10_000);
        assert!(names.iter().all(|text| big.contains(&Name::recipient(text).unwrap())));
        assert!(!big.contains(&Name::recipient("payee-10000").unwrap()));
        assert!(set(&[]).is_empty());
        assert!(!set(&[]).contains(&Name::recipient("0xa").unwrap()));
    }

    #[test]
    fn sets_are_equal_when_they_hold_the_same_names() {
        assert_eq!(set(&["0xA", "0xb", "0xa"]), set(&["0xB", "0xa"]));
        assert_ne!(set(&["0xa", "0xb"]), set(&["0xa", "0xc"]));
        assert_ne!(set(&["0xa"]), set(&["0xa", "0xc"]));
    }
}
