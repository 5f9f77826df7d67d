//! Files of sanctions as they are published: addresses one a line, CSV with or without a header, JSON lines, and the remarks of OFAC's own
//! list. Every line must mean something, since a list that is read by half is no list.

use serde_json::Value;
use thiserror::Error;

use crate::kernel::{Failure, sanctions::SanctionsList};

/// What OFAC writes before a digital currency address, which the code of the currency follows.
const OFAC_MARK: &str = "Digital Currency Address - ";
/// The names of the members and columns that hold an address.
const ADDRESS_NAMES: [&str; 5] = ["address", "wallet", "walletaddress", "digitalcurrencyaddress", "recipientaddress"];
/// The names of the members and columns that hold a country.
const COUNTRY_NAMES: [&str; 3] = ["country", "countrycode", "iso2"];

/// Why a text is no list of sanctions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SanctionsFileError {
    /// A line means nothing.
    #[error("line {line} is no address and no country: {expected}")]
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What could stand there.
        expected: &'static str,
    },
    /// Nothing is in it.
    #[error("it names nobody; to check payments against no list, remove the one in force")]
    Empty,
    /// What is in it cannot be a list.
    #[error("{0}")]
    List(#[from] Failure),
}

/// Reads a file. Blank lines, and lines that begin with `#`, say nothing.
///
/// | a line | means |
/// |---|---|
/// | `0x1234…`, `12QtD5…` | an address |
/// | `KP` | a country |
/// | `address,currency,name` and below | a CSV whose columns of addresses and countries are named; other columns are ignored |
/// | `0x1234…,ETH,Somebody` | without such a header: the first column counts |
/// | `{"address": "0x1234…"}`, `{"country": "KP"}` | JSON lines |
/// | `… Digital Currency Address - XBT 12QtD5…; …` | a line of OFAC's list; its other lines (`36,"SOMEBODY",…`) are of no address |
///
/// # Errors
/// [`SanctionsFileError`].
pub fn read(text: &str) -> Result<SanctionsList, SanctionsFileError> {
    let mut found = Found { is_ofac: text.contains(OFAC_MARK), ..Found::default() };
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            found.line(line).ok_or(SanctionsFileError::Line { line: number, expected: EXPECTED })?;
        }
    }
    let list = SanctionsList::new(&borrowed(&found.addresses), &borrowed(&found.countries))?;
    if list.is_empty() { Err(SanctionsFileError::Empty) } else { Ok(list) }
}

const EXPECTED: &str = "expected an address, two letters of a country, CSV that begins with one or has a header with `address` or `country`, \
    or a JSON object with `address` or `country`";

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[derive(Default)]
struct Found {
    is_ofac: bool,
    /// The columns of addresses and countries, once a header named them.
    columns: Option<Vec<(usize, bool)>>,
    addresses: Vec<String>,
    countries: Vec<String>,
}

impl Found {
    /// Takes what a line says; nothing where it says nothing.
    fn line(&mut self, line: &str) -> Option<()> {
        if self.is_ofac {
            self.ofac(line);
            return Some(());
        }
        if line.starts_with('{') {
            return self.json(line);
        }
        let fields = fields(line);
        if let Some(columns) = self.columns.clone() {
            return self.named(&fields, &columns);
        }
        let columns = header(&fields);
        if !columns.is_empty() && self.addresses.is_empty() && self.countries.is_empty() {
            self.columns = Some(columns);
            return Some(());
        }
        self.entry(fields.first()?)
    }

    /// A line of OFAC's list names any number of addresses, or none.
    fn ofac(&mut self, line: &str) {
        for rest in line.split(OFAC_MARK).skip(1) {
            let mut words = rest.split(|letter: char| letter.is_whitespace() || matches!(letter, ';' | '"' | ','));
            let (_, address) = (words.next(), words.next());
            if let Some(address) = address.map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty()) {
                self.addresses.push(address.to_owned());
            }
        }
    }

    fn json(&mut self, line: &str) -> Option<()> {
        let Ok(Value::Object(members)) = serde_json::from_str(line) else { return None };
        let mut said = None;
        for (name, value) in &members {
            match (kind(name), value.as_str()) {
                (Some(is_country), Some(text)) if !text.is_empty() => {
                    self.add(text, is_country);
                    said = Some(());
                }
                (Some(_), None) if !value.is_null() => return None,
                _ => {}
            }
        }
        said
    }

    fn named(&mut self, fields: &[String], columns: &[(usize, bool)]) -> Option<()> {
        let mut said = None;
        for (place, is_country) in columns {
            if let Some(text) = fields.get(*place).filter(|text| !text.is_empty()) {
                self.add(text, *is_country);
                said = Some(());
            }
        }
        said
    }

    /// Two letters are a country: no address is so short.
    fn entry(&mut self, text: &str) -> Option<()> {
        if text.is_empty() || text.contains(char::is_whitespace) {
            return None;
        }
        self.add(text, text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()));
        Some(())
    }

    fn add(&mut self, text: &str, is_country: bool) {
        let entries = if is_country { &mut self.countries } else { &mut self.addresses };
        entries.push(text.trim().to_owned());
    }
}

/// Whether a name is one of a country (`true`), of an address (`false`), or of something else.
fn kind(name: &str) -> Option<bool> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if ADDRESS_NAMES.contains(&plain.as_str()) {
        return Some(false);
    }
    COUNTRY_NAMES.contains(&plain.as_str()).then_some(true)
}

/// The columns that a header names.
fn header(fields: &[String]) -> Vec<(usize, bool)> {
    fields.iter().enumerate().filter_map(|(place, name)| Some((place, kind(name)?))).collect()
}

/// The fields of a line of CSV, without blanks around them. A quoted field may hold commas, and quotes that stand twice.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' | ';' if !is_quoted => fields.push(std::mem::take(&mut field).trim().to_owned()),
            other => field.push(other),
        }
    }
    fields.push(field.trim().to_owned());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, addresses: &[&str], countries: &[&str]) {
        assert_eq!(read(text), Ok(SanctionsList::new(addresses, countries).unwrap()), "{text}");
    }

    #[test]
    fn every_form_in_which_lists_are_published_is_read() {
        check("0xAb\n\n# a comment\n12QtD5\r\nkp\n", &["0xab", "12QtD5"], &["KP"]);
        check("\u{feff}0xab,ETH,\"Somebody, Ltd\"\n12QtD5,XBT,\n", &["0xab", "12QtD5"], &[]);
        check("name,Address,Country\n\"A, B\",0xab,KP\nC,,ir\n", &["0xab"], &["KP", "IR"]);
        check("country_code\nKP\n", &[], &["KP"]);
        check(
            "{\"address\":\"0xab\",\"currency\":\"ETH\"}\n{\"country\":\"KP\"}\n{\"walletAddress\":\"x1\",\"country\":null}",
            &["0xab", "x1"],
            &["KP"],
        );
        let ofac = "36,\"AEROCARIBBEAN\",-0- ,\"CUBA\",-0- \n\
            9999,\"SOMEBODY\",\"individual\",\"Digital Currency Address - XBT 12QtD5B; Digital Currency Address - ETH 0xAb; alt.\"\n";
        check(ofac, &["12QtD5B", "0xab"], &[]);
    }

    #[test]
    fn a_line_that_means_nothing_refuses_the_whole() {
        for (text, line) in [
            ("0xab\nsome words\n", 2),
            ("0xab\n{\"name\":\"x\"}\n", 2),
            ("{\"address\":7}", 1),
            ("{\"address\"", 1),
            ("address,country\n0xab,\n,\n", 3),
        ] {
            match read(text) {
                Err(SanctionsFileError::Line { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        for empty in ["", "# nothing\n", "address\n"] {
            assert_eq!(read(empty), Err(SanctionsFileError::Empty));
        }
        assert!(matches!(read("country\nNorth\n"), Err(SanctionsFileError::List(_))));
    }
}
