//! A few texts that nobody looks at while deciding, kept in one piece.

use bincode::{Decode, Encode};

/// `N` texts of at most 65 535 bytes together.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Texts<const N: usize> {
    all: Box<str>,
    /// Where each ends.
    ends: [u16; N],
}

impl<const N: usize> Texts<N> {
    /// Keeps `texts`, which whoever made the event has found short enough.
    #[must_use]
    pub fn new(texts: [&str; N]) -> Texts<N> {
        let mut end = 0;
        let ends = texts.map(|text| {
            end += text.len();
            u16::try_from(end).expect("INVARIANT: what operators write is short")
        });
        Texts { all: texts.concat().into_boxed_str(), ends }
    }

    /// One of them; empty where there is none at this position.
    #[must_use]
    pub fn text(&self, position: usize) -> &str {
        let end = |position: usize| self.ends.get(position).copied().map_or(0, usize::from);
        let start = if position == 0 { 0 } else { end(position - 1) };
        self.all.get(start..end(position)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        let long = "ä".repeat(32_767);
        for texts in [["", "", ""], ["a", "", "ü"], ["", "bc", ""], [&long, "x", ""]] {
            let kept = Texts::new(texts);
            assert_eq!([0, 1, 2].map(|position| kept.text(position)), texts);
            assert_eq!(kept.text(3), "");
        }
    }
}
