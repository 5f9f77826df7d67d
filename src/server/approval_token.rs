//! How does a client show which payment was approved? By a token that only the gateway can make: it carries what was approved, and a keyed
//! hash over it. Nothing is remembered for it beside the hold.

use std::{fmt, fs, io};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::data_dir::{self, DataDir};
use crate::kernel::{AgentId, Amount, AuthorizationId};

/// The longest token, in bytes: recipient and chain take at most 256 each.
const TOKEN_BYTES_MAX: usize = 2048;
const KEY_BYTES: usize = 32;

/// What was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedPayment {
    /// Whose.
    pub agent: AgentId,
    /// The hold.
    pub authorization: AuthorizationId,
    /// How much.
    pub amount: Amount,
    /// To whom.
    pub recipient: String,
    /// On which chain.
    pub chain: String,
}

/// The same as it stands in a token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    agent: String,
    authorization: String,
    micros: u64,
    recipient: String,
    chain: String,
}

/// The key that makes tokens and knows them again. It is kept in the data directory, so that a token outlives the process.
#[derive(Clone)]
pub struct TokenKey([u8; KEY_BYTES]);

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// A key of its own.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn random() -> io::Result<TokenKey> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(TokenKey(key))
    }

    /// The key of the data directory, which is made where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or is no key.
    pub(super) fn of(data: &DataDir) -> io::Result<TokenKey> {
        let path = data.approval_key();
        match fs::read_to_string(&path) {
            Ok(text) => {
                let hash = blake3::Hash::from_hex(text.trim_ascii());
                let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not 64 hexadecimal digits");
                hash.map(|hash| TokenKey(hash.into())).map_err(wrong)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = TokenKey::random()?;
                data_dir::write_secret(&path, &format!("{}\n", blake3::Hash::from(key.0).to_hex()))?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    /// The token of a payment that was approved.
    #[must_use]
    pub fn token(&self, payment: &ApprovedPayment) -> String {
        let claims = Claims {
            agent: payment.agent.to_string(),
            authorization: payment.authorization.to_string(),
            micros: payment.amount.micros(),
            recipient: payment.recipient.clone(),
            chain: payment.chain.clone(),
        };
        let claims = serde_json::to_vec(&claims).unwrap_or_else(|error| unreachable!("texts do not print: {error}"));
        let mac = blake3::keyed_hash(&self.0, &claims);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(mac.as_bytes()))
    }

    /// What a token of this key says; nothing for any other text.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<ApprovedPayment> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (claims, mac) = token.split_once('.')?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let mac: [u8; KEY_BYTES] = URL_SAFE_NO_PAD.decode(mac).ok()?.try_into().ok()?;
        // Compares in constant time.
        if blake3::keyed_hash(&self.0, &claims) != blake3::Hash::from(mac) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        Some(ApprovedPayment {
            agent: claims.agent.parse().ok()?,
            authorization: claims.authorization.parse().ok()?,
            amount: Amount::from_micros(claims.micros),
            recipient: claims.recipient,
            chain: claims.chain,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payment() -> ApprovedPayment {
        ApprovedPayment {
            agent: AgentId(1),
            authorization: AuthorizationId(2),
            amount: Amount::from_units(3),
            recipient: "0xAa".to_owned(),
            chain: "8453".to_owned(),
        }
    }

    #[test]
    fn a_token_says_what_was_approved_to_its_key_alone() {
        let (key, other) = (TokenKey::random().unwrap(), TokenKey::random().unwrap());
        let token = key.token(&payment());
        assert_eq!(key.read(&token), Some(payment()));
        assert_eq!(other.read(&token), None);
        assert_eq!(key.token(&payment()), token);
        assert!(token.len() <= TOKEN_BYTES_MAX);
    }

    #[test]
    fn every_byte_counts() {
        let key = TokenKey::random().unwrap();
        let token = key.token(&payment());
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last letter of each part carries bits that mean nothing; a part that has any of them set is refused as well.
            assert_eq!(key.read(&changed), None, "{place}");
        }
    }

    #[test]
    fn the_longest_payment_fits() {
        let (recipient, chain) = ("x".repeat(256), "\u{1}".repeat(128));
        let key = TokenKey::random().unwrap();
        let longest = ApprovedPayment { recipient, chain, amount: Amount::MAX, ..payment() };
        assert_eq!(key.read(&key.token(&longest)), Some(longest));
        assert_eq!(key.read(&"x".repeat(TOKEN_BYTES_MAX + 1)), None);
    }

    #[test]
    fn the_key_is_kept_in_the_data_directory() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::new(parent.path());
        let token = TokenKey::of(&data).unwrap().token(&payment());
        assert_eq!(TokenKey::of(&data).unwrap().read(&token), Some(payment()));
        fs::write(data.approval_key(), "nonsense").unwrap();
        assert_eq!(TokenKey::of(&data).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn any_text_is_no_token(text in "\\PC{0,100}", claims in "[A-Za-z0-9_-]{0,60}", mac in "[A-Za-z0-9_-]{43}") {
            let key = TokenKey::random().unwrap();
            prop_assert_eq!(key.read(&text), None);
            prop_assert_eq!(key.read(&format!("{claims}.{mac}")), None);
        }
    }
}
