//! What of a challenge the decision is bound to, in 32 bytes.

use serde_json::Value;

/// BLAKE3 over parts with their lengths, so that no part can pass for a piece of its neighbour; an absent part differs from an empty one.
pub(super) fn digest(kind: &str, parts: &[Option<&str>]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("holdfast challenge 1");
    for part in std::iter::once(&Some(kind)).chain(parts) {
        match part {
            None => hasher.update(&[0]),
            Some(text) => hasher.update(&[1]).update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes()),
        };
    }
    *hasher.finalize().as_bytes()
}

/// One text for all spellings of a JSON value: members in order, no white space. Nothing for what is nested too deeply to be read.
pub(super) fn canonical(json: &str) -> Option<String> {
    // The map of this library keeps its members in order.
    serde_json::from_str::<Value>(json).ok().map(|value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let digests = [
            digest("a", &[Some("b"), Some("")]),
            digest("a", &[Some("b"), None]),
            digest("a", &[Some(""), Some("b")]),
            digest("ab", &[Some(""), Some("")]),
            digest("a", &[Some("b")]),
        ];
        for (index, one) in digests.iter().enumerate() {
            assert!(digests[index + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn spelling_does_not_matter_and_content_does() {
        let one = canonical(r#"{"b": [1, "x"], "a": {"d":null,"c":"\u0041"}}"#);
        assert_eq!(one.as_deref(), Some(r#"{"a":{"c":"A","d":null},"b":[1,"x"]}"#));
        assert_ne!(canonical(r#"{"a":"1"}"#), canonical(r#"{"a":1}"#));
        assert_eq!(canonical(&"[".repeat(10_000)), None);
    }
}
