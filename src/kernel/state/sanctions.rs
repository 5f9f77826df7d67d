//! The list of sanctions as one shard knows it: the one in force, and the next one on its way.

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::kernel::{
    Name, Timestamp,
    sanctions::{CountryCode, SanctionsPart, SanctionsSummary, parts},
};

/// See the module.
#[derive(Debug, Default, Encode, Decode)]
pub struct Sanctions {
    in_force: Option<InForce>,
    /// The change of the catalogue that put it in force, or took the last one out of force; 0 for none ever.
    revision: u32,
    staged: Option<Staged>,
}

/// The list in force.
#[derive(Debug, Encode, Decode)]
pub struct InForce {
    /// What is known of it.
    pub summary: SanctionsSummary,
    /// Since when.
    pub since: Timestamp,
    entries: Entries,
}

/// A list on its way.
#[derive(Debug, Encode, Decode)]
struct Staged {
    list: [u8; 32],
    /// The number of the part that comes next.
    next: u32,
    entries: Entries,
}

/// Who is on a list. All addresses are one text, so that a shard does not stand still to let a list go.
#[derive(Debug, Default)]
struct Entries {
    addresses: String,
    /// Where each address ends.
    ends: Vec<u32>,
    countries: Vec<CountryCode>,
    /// The hash of each address, and its place.
    by_hash: HashTable<(u64, u32)>,
}

impl Sanctions {
    /// Takes a part of the next list. Parts that do not follow the one before change nothing.
    pub fn stage(&mut self, part: &SanctionsPart) {
        if part.number == 0 {
            self.staged = Some(Staged { list: part.list, next: 0, entries: Entries::default() });
        }
        let is_next = |staged: &&mut Staged| staged.list == part.list && staged.next == part.number;
        if let Some(staged) = self.staged.as_mut().filter(is_next) {
            staged.next += 1;
            part.addresses.iter().for_each(|address| staged.entries.add(address));
            staged.entries.countries.extend(&part.countries);
        }
    }

    /// Puts the list that was on its way in force, or takes the one in force out of it.
    pub fn switch(&mut self, summary: Option<SanctionsSummary>, revision: u32, now: Timestamp) {
        let staged = self.staged.take();
        let in_force =
            |summary| InForce { summary, since: now, entries: staged.map(|staged| staged.entries).unwrap_or_default() };
        self.in_force = summary.map(in_force);
        self.revision = revision;
    }

    /// Forgets what was on its way: whoever sent it sends no more.
    pub fn abandon(&mut self) {
        self.staged = None;
    }

    /// The list in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_ref()
    }

    /// The last change of which list is in force; 0 for none ever.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Whether the list of this summary is here as a whole, so that it can be put in force.
    #[must_use]
    pub fn has_staged(&self, summary: &SanctionsSummary) -> bool {
        self.staged.as_ref().is_some_and(|staged| {
            let entries = &staged.entries;
            staged.list == summary.digest
                && entries.ends.len() == summary.addresses as usize
                && entries.countries.len() == summary.countries as usize
        })
    }

    /// Whether this part is the next one of the list on its way, and how many addresses and countries there are with it; nothing for a
    /// part that is not.
    #[must_use]
    pub fn size_with(&self, part: &SanctionsPart) -> Option<(usize, usize)> {
        let own = (part.addresses.len(), part.countries.len());
        if part.number == 0 {
            return Some(own);
        }
        let staged = self.staged.as_ref().filter(|staged| staged.list == part.list && staged.next == part.number)?;
        Some((staged.entries.ends.len() + own.0, staged.entries.countries.len() + own.1))
    }

    /// Whether a recipient is on the list in force.
    #[inline]
    #[must_use]
    pub fn has_address(&self, recipient: &Name<'_>) -> bool {
        self.in_force.as_ref().is_some_and(|list| list.entries.has(recipient))
    }

    /// Whether a country is on the list in force.
    #[must_use]
    pub fn has_country(&self, country: &str) -> bool {
        let is_it = |listed: &CountryCode| country.as_bytes().eq_ignore_ascii_case(listed);
        self.in_force.as_ref().is_some_and(|list| list.entries.countries.iter().any(is_it))
    }

    /// Whether the list in force has countries at all.
    #[inline]
    #[must_use]
    pub fn names_countries(&self) -> bool {
        self.in_force.as_ref().is_some_and(|list| !list.entries.countries.is_empty())
    }
}

impl InForce {
    /// The list in parts, as it came.
    #[must_use]
    pub fn parts(&self) -> Vec<SanctionsPart> {
        parts(self.summary.digest, self.entries.addresses(), &self.entries.countries)
    }
}

impl Entries {
    /// Requires that there is room: the addresses of a list have less than 2³² bytes.
    fn add(&mut self, address: &str) {
        let (hash, place) = (xxh3_64(address.as_bytes()), self.ends.len() as u32);
        self.addresses.push_str(address);
        self.ends.push(self.addresses.len() as u32);
        self.by_hash.insert_unique(hash, (hash, place), |(hash, _)| *hash);
    }

    /// The address at a place; empty where there is none.
    fn address(&self, place: usize) -> &str {
        let end = |place: usize| self.ends.get(place).map_or(0, |end| *end as usize);
        let start = place.checked_sub(1).map_or(0, end);
        self.addresses.get(start..end(place)).unwrap_or_default()
    }

    fn addresses(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|place| self.address(place))
    }

    fn has(&self, recipient: &Name<'_>) -> bool {
        let is_it = |(_, place): &(u64, u32)| self.address(*place as usize) == recipient.text();
        self.by_hash.find(recipient.hash(), is_it).is_some()
    }
}

impl Encode for Entries {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.ends.len() as u64).encode(encoder)?;
        self.addresses().try_for_each(|address| address.encode(encoder))?;
        self.countries.encode(encoder)
    }
}

impl<C> Decode<C> for Entries {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let mut entries = Entries::default();
        for _ in 0..u64::decode(decoder)? {
            entries.add(&String::decode(decoder)?);
        }
        entries.countries = Vec::decode(decoder)?;
        Ok(entries)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Entries {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Entries::decode(decoder)
    }
}
