//! Who must not be paid by anybody: a list of addresses and countries that operators load. It comes to a shard in parts, since it is
//! longer than an event, and is in force all at once.

use bincode::{Decode, Encode};

use super::{Failure, Name};

/// The most addresses of a list.
pub const SANCTIONED_ADDRESSES_MAX: usize = 100_000;
/// The most countries of a list; there are about 250.
pub const SANCTIONED_COUNTRIES_MAX: usize = 300;
/// The longest name of where a list comes from, or of who loaded it, in bytes.
pub const SANCTIONS_TEXT_BYTES_MAX: usize = 256;
/// The texts of one part have at most this many bytes.
pub const PART_BYTES_MAX: usize = 64 * 1024;

/// A country, ISO 3166-1 alpha-2, in upper case.
pub type CountryCode = [u8; 2];

/// A whole list: addresses in canonical form and countries, each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SanctionsList {
    addresses: Vec<Box<str>>,
    countries: Vec<CountryCode>,
}

/// What is known of a list without its entries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SanctionsSummary {
    /// BLAKE3 of its entries in order, so that two lists are the same if and only if this is.
    pub digest: [u8; 32],
    /// How many addresses.
    pub addresses: u32,
    /// How many countries.
    pub countries: u32,
    /// Where it comes from, for people; at most [`SANCTIONS_TEXT_BYTES_MAX`].
    pub source: Box<str>,
    /// Who loaded it, for people; at most [`SANCTIONS_TEXT_BYTES_MAX`].
    pub loaded_by: Box<str>,
}

/// A part of a list on its way into a shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SanctionsPart {
    /// The digest of the whole list.
    pub list: [u8; 32],
    /// Which part, from 0 on; the first one takes the place of whatever was on its way.
    pub number: u32,
    /// Some of its addresses, in canonical form.
    pub addresses: Vec<Box<str>>,
    /// Some of its countries.
    pub countries: Vec<CountryCode>,
}

impl SanctionsList {
    /// A list of these, in whatever order and form.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for what is no address or country, [`Failure::Capacity`] for too many.
    pub fn new(addresses: &[&str], countries: &[&str]) -> Result<SanctionsList, Failure> {
        let canonical = |text: &&str| Ok(Name::recipient(text).map_err(|_| ADDRESS_EXPECTED)?.text().into());
        let mut addresses = addresses.iter().map(canonical).collect::<Result<Vec<Box<str>>, Failure>>()?;
        let mut countries = countries.iter().map(|text| country(text)).collect::<Result<Vec<_>, Failure>>()?;
        addresses.sort_unstable();
        addresses.dedup();
        countries.sort_unstable();
        countries.dedup();
        check_size(addresses.len(), countries.len())?;
        Ok(SanctionsList { addresses, countries })
    }

    /// Whether there is nobody on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.countries.is_empty()
    }

    /// What is known of it without its entries; texts are cut where they are too long.
    #[must_use]
    pub fn summary(&self, source: &str, loaded_by: &str) -> SanctionsSummary {
        let mut hasher = blake3::Hasher::new();
        for address in &self.addresses {
            hasher.update(address.as_bytes()).update(b"\n");
        }
        for country in &self.countries {
            hasher.update(country).update(b"\n");
        }
        SanctionsSummary {
            digest: *hasher.finalize().as_bytes(),
            addresses: self.addresses.len() as u32,
            countries: self.countries.len() as u32,
            source: cut(source).into(),
            loaded_by: cut(loaded_by).into(),
        }
    }

    /// The list in parts, in order; there is always one.
    #[must_use]
    pub fn parts(&self, digest: [u8; 32]) -> Vec<SanctionsPart> {
        parts(digest, self.addresses.iter().map(|address| &**address), &self.countries)
    }
}

/// Entries in parts, in order; there is always one.
pub(crate) fn parts<'a>(
    list: [u8; 32],
    addresses: impl Iterator<Item = &'a str>,
    countries: &[CountryCode],
) -> Vec<SanctionsPart> {
    let part = |number| SanctionsPart { list, number, addresses: Vec::new(), countries: Vec::new() };
    let mut parts = vec![SanctionsPart { countries: countries.to_vec(), ..part(0) }];
    let mut bytes = 0;
    for address in addresses {
        bytes += address.len();
        if bytes > PART_BYTES_MAX {
            parts.push(part(parts.len() as u32));
            bytes = address.len();
        }
        if let Some(last) = parts.last_mut() {
            last.addresses.push(address.into());
        }
    }
    parts
}

/// The code of a country, in whatever case.
///
/// # Errors
/// [`Failure::Invalid`] where it is none.
pub(crate) fn country(text: &str) -> Result<CountryCode, Failure> {
    match text.as_bytes() {
        [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
            Ok([first.to_ascii_uppercase(), second.to_ascii_uppercase()])
        }
        _ => Err(Failure::Invalid { field: "countries", expected: "two letters, ISO 3166-1 alpha-2, such as `KP`" }),
    }
}

pub(crate) fn check_size(addresses: usize, countries: usize) -> Result<(), Failure> {
    let fits = |what, count: usize, maximum: usize| {
        if count <= maximum { Ok(()) } else { Err(Failure::Capacity { what, maximum: maximum as u64 }) }
    };
    fits("sanctioned addresses", addresses, SANCTIONED_ADDRESSES_MAX)?;
    fits("sanctioned countries", countries, SANCTIONED_COUNTRIES_MAX)
}

pub(crate) const ADDRESS_EXPECTED: Failure = Failure::Invalid {
    field: "addresses",
    expected: "addresses of 1 to 256 bytes without white space or control characters",
};

/// Whether an address is in the form in which lists keep it.
pub(crate) fn is_canonical(address: &str) -> bool {
    Name::recipient(address).is_ok_and(|name| name.text() == address)
}

fn cut(text: &str) -> &str {
    let mut end = SANCTIONS_TEXT_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entries_in_any_form_and_order_are_the_same_list() {
        let list = SanctionsList::new(&["0xAb", "9xQe", "0xab"], &["kp", "IR", "KP"]).unwrap();
        assert_eq!(list, SanctionsList::new(&["9xQe", "0xAB"], &["IR", "KP"]).unwrap());
        let summary = list.summary("file", "me");
        assert_eq!((summary.addresses, summary.countries), (2, 2));
        for other in [
            SanctionsList::new(&["9xqe", "0xAB"], &["IR", "KP"]),
            SanctionsList::new(&["9xQe"], &["IR", "KP"]),
            SanctionsList::new(&["9xQe", "0xAB"], &["IR"]),
        ] {
            assert_ne!(other.unwrap().summary("file", "me").digest, summary.digest);
        }
    }

    #[test]
    fn what_is_no_entry_and_what_is_too_much_is_refused() {
        assert!(matches!(SanctionsList::new(&["a b"], &[]), Err(Failure::Invalid { field: "addresses", .. })));
        assert!(matches!(SanctionsList::new(&[], &["KPR"]), Err(Failure::Invalid { field: "countries", .. })));
        let addresses: Vec<String> = (0..=SANCTIONED_ADDRESSES_MAX).map(|number| format!("0x{number:040x}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let too_many = SanctionsList::new(&addresses, &[]);
        assert_eq!(too_many, Err(Failure::Capacity { what: "sanctioned addresses", maximum: 100_000 }));
        let most = SanctionsList::new(&addresses[1..], &[]).unwrap();
        let parts = most.parts([7; 32]);
        assert!(parts.iter().all(|part| part.addresses.iter().map(|text| text.len()).sum::<usize>() <= PART_BYTES_MAX));
        assert!((0..).zip(&parts).all(|(number, part)| part.number == number && part.list == [7; 32]));
        assert_eq!(parts.iter().map(|part| part.addresses.len()).sum::<usize>(), SANCTIONED_ADDRESSES_MAX);
        let codes: Vec<String> = (b'A'..=b'Z')
            .flat_map(|first| (b'A'..=b'Z').map(move |second| format!("{}{}", first as char, second as char)))
            .collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        assert!(matches!(SanctionsList::new(&[], &codes[..301]), Err(Failure::Capacity { maximum: 300, .. })));
        assert!(SanctionsList::new(&[], &codes[..300]).is_ok());
    }

    #[test]
    fn a_list_of_nothing_is_one_part() {
        let nothing = SanctionsList::new(&[], &[]).unwrap();
        assert!(nothing.is_empty() && nothing.parts([0; 32]).len() == 1);
    }

    #[test]
    fn long_names_are_cut_between_letters() {
        let summary = SanctionsList::default().summary(&"ä".repeat(200), "me");
        assert_eq!(summary.source.len(), 256);
        assert_eq!(SanctionsList::default().summary(&format!("a{}", "ä".repeat(200)), "").source.len(), 255);
    }
}
