//! Texts that carry JSON in base64, in either alphabet, with or without padding: clients and servers mix them.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::CHALLENGE_BYTES_MAX;

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes behind `text`; nothing where it is no base64 or longer than allowed.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > CHALLENGE_BYTES_MAX {
        return None;
    }
    let standard: String = text
        .trim()
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    ANY_PADDING.decode(standard).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_with_and_without_padding() {
        for text in ["-_8=", "+/8=", "-_8", "+/8", " +/8 "] {
            assert_eq!(decode(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        for text in ["+", "a b", "äöü", &"A".repeat(CHALLENGE_BYTES_MAX + 4)] {
            assert_eq!(decode(text), None, "{text:.20}");
        }
        assert_eq!(
            decode(&"A".repeat(CHALLENGE_BYTES_MAX)).map(|bytes| bytes.len()),
            Some(CHALLENGE_BYTES_MAX / 4 * 3)
        );
    }
}
