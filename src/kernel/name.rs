//! Recipients and services: outside texts in one canonical form, hashed once a request.

use std::borrow::Cow;

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// The longest recipient or service name, in bytes. A domain name has at most 253, an address far less.
pub const NAME_BYTES_MAX: usize = 256;

/// Why a text cannot name a recipient or a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Over [`NAME_BYTES_MAX`].
    #[error("it is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// White space or control characters.
    #[error("it contains white space or control characters")]
    Malformed,
    /// A service with letters outside ASCII: one domain has two spellings then, of which a list would know one.
    #[error("it has letters outside ASCII; write the domain as `xn--…`")]
    International,
}

/// A recipient or service in canonical form, with its hash: two names are equal if and only if they mean the same payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    text: Cow<'a, str>,
    hash: u64,
}

impl<'a> Name<'a> {
    /// The canonical form of a payee's address: hexadecimal addresses (`0x…`) do not differ by case, others (base58) do.
    ///
    /// # Errors
    /// [`NameError`] for an empty, overlong or unprintable text.
    pub fn recipient(text: &'a str) -> Result<Name<'a>, NameError> {
        let has_upper = check(text)?;
        let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
        Ok(Name::canonical(if has_upper && hexadecimal { lower(text) } else { Cow::Borrowed(text) }))
    }

    /// The canonical form of a service's domain: lower case, without the root's trailing dot.
    ///
    /// # Errors
    /// [`NameError`] for an empty, overlong or unprintable text, and for one that is not in ASCII.
    pub fn service(text: &'a str) -> Result<Name<'a>, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let has_upper = check(text)?;
        if !text.is_ascii() {
            return Err(NameError::International);
        }
        Ok(Name::canonical(if has_upper { lower(text) } else { Cow::Borrowed(text) }))
    }

    /// A text that is canonical already, such as one that came out of [`Name::text`].
    #[must_use]
    pub fn canonical(text: Cow<'a, str>) -> Name<'a> {
        let hash = xxh3_64(text.as_bytes());
        Name { text, hash }
    }

    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A hash of the text that never changes between versions.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// Says whether there are upper case letters. Every byte is looked at, so that the compiler can look at many at once.
fn check(text: &str) -> Result<bool, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let (mut malformed, mut upper) = (false, false);
    for byte in text.bytes() {
        malformed |= byte <= b' ' || byte == 0x7f;
        upper |= byte.is_ascii_uppercase();
    }
    if malformed { Err(NameError::Malformed) } else { Ok(upper) }
}

fn lower(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_payee_has_one_name() {
        assert_eq!(Name::recipient("0xAbC").unwrap(), Name::recipient("0xabc").unwrap());
        assert_ne!(Name::recipient("9xQeWv").unwrap(), Name::recipient("9xqewv").unwrap());
        assert_eq!(Name::service("API.Example.com.").unwrap().text(), "api.example.com");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        assert_eq!(Name::recipient(""), Err(NameError::Empty));
        assert_eq!(Name::service("."), Err(NameError::Empty));
        assert_eq!(Name::service("a b"), Err(NameError::Malformed));
        assert_eq!(Name::recipient("a\n"), Err(NameError::Malformed));
        assert_eq!(Name::recipient(&"x".repeat(257)), Err(NameError::TooLong));
        assert_eq!(Name::service("bücher.example"), Err(NameError::International));
        assert_eq!(Name::service("BÜCHER.example"), Err(NameError::International));
        assert!(Name::service("xn--bcher-kva.example").is_ok());
    }
}
