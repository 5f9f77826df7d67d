//! Why a policy is refused: the place, what stands there, and what should.

use thiserror::Error;

/// How much of a refused text is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Why a policy means nothing, and where. Completes "failed to read the policy: …".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A word that this release does not know.
    #[error("`{place}`: `{found}` is not supported; expected {expected}{}", did_you_mean(suggestion))]
    Unsupported {
        /// For example `rules[2].rule_type`.
        place: String,
        /// The word, cut where it is long.
        found: String,
        /// What would be understood.
        expected: String,
        /// The known word that it resembles.
        suggestion: Option<&'static str>,
    },
    /// A text that cannot be read as what it should be.
    #[error("`{place}`: found `{found}`, expected {expected}")]
    Invalid {
        /// For example `rules[2].value`.
        place: String,
        /// The text, cut where it is long.
        found: String,
        /// What would be understood.
        expected: String,
    },
    /// More than a named maximum.
    #[error("`{place}` has {found} {unit}, at most {max} are allowed")]
    TooMuch {
        /// For example `rules`.
        place: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
}

impl PolicyError {
    /// The field that is wrong, for example `rules[2].value`; `policy` for the whole of it.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            PolicyError::Unsupported { place, .. }
            | PolicyError::Invalid { place, .. }
            | PolicyError::TooMuch { place, .. } => place,
        }
    }

    /// A word at `place` that is none of `known`; `expected` describes those.
    pub(super) fn unsupported(
        place: impl Into<String>,
        found: &str,
        expected: impl Into<String>,
        known: impl IntoIterator<Item = &'static str>,
    ) -> PolicyError {
        PolicyError::Unsupported {
            place: place.into(),
            found: shown(found),
            expected: expected.into(),
            suggestion: nearest(found, known),
        }
    }

    pub(super) fn invalid(place: impl Into<String>, found: &str, expected: impl Into<String>) -> PolicyError {
        PolicyError::Invalid { place: place.into(), found: shown(found), expected: expected.into() }
    }

    /// Refuses `found` where it is over `max`.
    pub(super) fn at_most(place: &str, found: usize, max: usize, unit: &'static str) -> Result<(), PolicyError> {
        if found <= max { Ok(()) } else { Err(PolicyError::TooMuch { place: place.to_owned(), found, max, unit }) }
    }
}

fn did_you_mean(suggestion: &Option<&'static str>) -> String {
    suggestion.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default()
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The known word that differs in the fewest letters, where those are few for its length.
fn nearest(found: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let found: String = found.trim().chars().take(SHOWN_CHARS_MAX).collect::<String>().to_ascii_uppercase();
    let distances = known.into_iter().map(|word| (distance(&found, &word.to_ascii_uppercase()), word));
    distances.filter(|(distance, word)| *distance <= (word.len() / 3).min(3)).min().map(|(_, word)| word)
}

/// The edit distance: how many letters must be put in, taken out or changed to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((other, above), diagonal) in to.chars().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(usize::MAX);
            next.push((diagonal + usize::from(letter != other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_known_pairs() {
        for (from, to, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("LTE", "LTE", 0)] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
            assert_eq!(distance(to, from), expected, "{to} {from}");
        }
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let known = ["MAX_AMOUNT", "DAILY_LIMIT", "LTE"];
        for (found, expected) in [
            ("MAX_AMMOUNT", Some("MAX_AMOUNT")),
            ("max_amount", Some("MAX_AMOUNT")),
            ("DAYLY_LIMIT", Some("DAILY_LIMIT")),
            ("LTEE", Some("LTE")),
            ("TIME_WINDOW", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, known), expected, "{found}");
        }
        assert_eq!(nearest(&"MAX_AMOUNT".repeat(100_000), known), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shown(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
        assert_eq!(shown("abc"), "abc");
    }
}
