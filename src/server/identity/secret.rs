//! The secret texts that credentials are, and what is kept of them.

use std::fmt;

use thiserror::Error;

use crate::kernel::{
    KeyId, Timestamp,
    request::{KeySource, Principal},
};

use super::ScopeSet;

/// The fewest characters of an operator key that its operator chose. Made keys have 256 random bits; a chosen one should come near.
pub const OPERATOR_KEY_CHARS_MIN: usize = 32;

/// The most bytes of any secret; a longer text is nobody's.
pub(super) const SECRET_BYTES_MAX: usize = 512;

/// How many of the random characters may be shown for recognition.
const SHOWN_CHARS: usize = 6;

/// Which kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Speaks for one agent.
    Agent,
    /// Runs the gateway.
    Operator,
    /// Speaks for many agents.
    Platform,
}

impl KeyKind {
    /// The kind of credential that speaks for `principal`.
    #[must_use]
    pub fn of(principal: &Principal) -> KeyKind {
        match principal {
            Principal::Agent(_) => KeyKind::Agent,
            Principal::Operator => KeyKind::Operator,
            Principal::Platform(_) => KeyKind::Platform,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            KeyKind::Agent => "agent",
            KeyKind::Operator => "operator",
            KeyKind::Platform => "platform",
        }
    }
}

/// A credential's secret text. It is shown once, to whoever asked for it; debugging output does not contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why there is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    /// The chosen key is too short to be a secret.
    #[error(
        "an operator key has at least {OPERATOR_KEY_CHARS_MIN} characters without white space, and at most {SECRET_BYTES_MAX} bytes"
    )]
    Weak,
    /// The system has no random bytes.
    #[error("the system gave no random bytes; try again")]
    NoRandomness,
}

impl Secret {
    /// Makes a key with 256 random bits.
    ///
    /// # Errors
    /// [`SecretError::NoRandomness`] where the system gives none.
    pub fn random(kind: KeyKind) -> Result<Secret, SecretError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| SecretError::NoRandomness)?;
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Secret(format!("holdfast_{}_{hexadecimal}", kind.word())))
    }

    /// An operator's own choice of key.
    ///
    /// # Errors
    /// [`SecretError::Weak`] for fewer than [`OPERATOR_KEY_CHARS_MIN`] characters, for white space (a header could not carry it), and for
    /// a text that is far too long.
    pub fn chosen(text: &str) -> Result<Secret, SecretError> {
        let printable = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        let long_enough = text.chars().count() >= OPERATOR_KEY_CHARS_MIN;
        if printable && long_enough && text.len() <= SECRET_BYTES_MAX {
            Ok(Secret(text.to_owned()))
        } else {
            Err(SecretError::Weak)
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The first characters, for recognition: at most six of a made key's 64 random ones, and four of a chosen one.
    #[must_use]
    pub fn prefix(&self) -> String {
        let random_from = self.0.rfind('_').filter(|_| self.0.starts_with("holdfast_"));
        let shown = random_from.map_or(4, |index| index + 1 + SHOWN_CHARS);
        self.0.chars().take(shown).collect()
    }

    /// What is kept: the hash, and who may do what until when.
    #[must_use]
    pub fn source(&self, principal: Principal, name: &str, scopes: ScopeSet, expires_at: Timestamp) -> KeySource {
        let (id, hash) = digest(&self.0);
        let scopes = scopes.words();
        KeySource { id, hash, principal, name: name.to_owned(), prefix: self.prefix(), scopes, expires_at }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The name and the hash of a secret. The name is a quarter of the hash, so it says nothing about the secret.
pub(super) fn digest(secret: &str) -> (KeyId, [u8; 32]) {
    let hash = *blake3::hash(secret.as_bytes()).as_bytes();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    (KeyId(u64::from_be_bytes([a, b, c, d, e, f, g, h])), hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_keys_have_their_kind_and_64_random_digits() {
        for kind in [KeyKind::Agent, KeyKind::Operator, KeyKind::Platform] {
            let secret = Secret::random(kind).unwrap();
            let digits = secret.text().strip_prefix(&format!("holdfast_{}_", kind.word())).unwrap();
            assert_eq!(digits.len(), 64);
            assert!(digits.bytes().all(|b| b.is_ascii_hexdigit()));
            assert_eq!(secret.prefix(), format!("holdfast_{}_{}", kind.word(), &digits[..6]));
            assert_ne!(secret, Secret::random(kind).unwrap());
            assert!(!format!("{secret:?}").contains(digits));
        }
    }

    #[test]
    fn a_chosen_key_must_be_long_and_fit_a_header() {
        let good = "correct-horse-battery-staple-2026";
        assert_eq!(Secret::chosen(good).unwrap().prefix(), "corr");
        for bad in ["", "short", "a key with spaces in it that is long enough", &"x".repeat(31), &"x".repeat(513)] {
            assert_eq!(Secret::chosen(bad), Err(SecretError::Weak), "{bad}");
        }
    }

    #[test]
    fn only_the_hash_is_kept() {
        let secret = Secret::chosen("correct-horse-battery-staple-2026").unwrap();
        let source = secret.source(Principal::Operator, "ops", ScopeSet::ALL, Timestamp::MAX);
        assert_eq!(source.hash, *blake3::hash(secret.text().as_bytes()).as_bytes());
        assert_eq!(source.id.0.to_be_bytes(), source.hash[..8]);
        assert!(!format!("{source:?}").contains(secret.text()));
    }
}
