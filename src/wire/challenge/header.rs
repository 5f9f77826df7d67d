//! The challenges of a `WWW-Authenticate` header, as HTTP writes them (RFC 9110, section 11.6.1).

use std::collections::BTreeMap;

use super::{CHALLENGE_BYTES_MAX, CHALLENGES_MAX, PARAMETERS_MAX};

/// The parameters of one `Payment` challenge, by their names in lower case.
pub(super) type Parameters = BTreeMap<String, String>;

/// The `Payment` challenges of a header; those of other schemes are passed over.
///
/// # Errors
/// What is wrong with the header, to complete "the header …".
pub(super) fn payment_challenges(header: &str) -> Result<Vec<Parameters>, &'static str> {
    if header.len() > CHALLENGE_BYTES_MAX {
        return Err("is too long");
    }
    let mut rest = Reader(header);
    let mut challenges: Vec<Parameters> = Vec::new();
    let mut is_payment = None;
    let mut count = 0_usize;
    loop {
        rest.skip(|letter| letter.is_ascii_whitespace() || letter == ',');
        if rest.0.is_empty() {
            return Ok(challenges);
        }
        let word = rest.token().ok_or("has a character where none belongs")?;
        if rest.equals() {
            let value = rest.value()?;
            let name = word.to_ascii_lowercase();
            match (is_payment, challenges.last_mut()) {
                (Some(true), Some(_)) if count == PARAMETERS_MAX => return Err("has too many parameters"),
                (Some(true), Some(challenge)) => {
                    if challenge.insert(name, value).is_some() {
                        return Err("names a parameter twice");
                    }
                    count += 1;
                }
                (Some(_), _) => {}
                (None, _) => return Err("does not begin with a scheme"),
            }
        } else {
            let named = word.eq_ignore_ascii_case("payment");
            if named && challenges.len() == CHALLENGES_MAX {
                return Err("has too many challenges");
            }
            if named {
                challenges.push(Parameters::new());
            } else {
                rest.skip_token68();
            }
            (is_payment, count) = (Some(named), 0);
        }
    }
}

/// What is left of the header.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(what);
    }

    fn take(&mut self, what: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|letter| !what(letter)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> Option<&'a str> {
        Some(self.take(is_token)).filter(|token| !token.is_empty())
    }

    /// Whether a value follows.
    fn equals(&mut self) -> bool {
        let after = self.0.trim_start_matches([' ', '\t']);
        match after.strip_prefix('=') {
            Some(rest) => {
                self.0 = rest.trim_start_matches([' ', '\t']);
                true
            }
            None => false,
        }
    }

    /// The credentials that some schemes have in place of parameters: one word that no parameter can be.
    fn skip_token68(&mut self) {
        let mut ahead = Reader(self.0.trim_start_matches([' ', '\t']));
        let word = ahead.take(|letter| letter.is_ascii_alphanumeric() || "-._~+/".contains(letter));
        let padding = ahead.take(|letter| letter == '=');
        let ends = ahead.0.trim_start_matches([' ', '\t']);
        if !word.is_empty() && (ends.is_empty() || ends.starts_with(',')) {
            let _ = padding;
            self.0 = ahead.0;
        }
    }

    fn value(&mut self) -> Result<String, &'static str> {
        match self.0.strip_prefix('"') {
            Some(quoted) => {
                self.0 = quoted;
                self.quoted()
            }
            // Base64 is often left without quotes; its letters are no separators.
            None => Ok(self.take(|letter| is_token(letter) || letter == '/' || letter == '=').to_owned()),
        }
    }

    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut text = String::new();
        let mut letters = self.0.chars();
        loop {
            match letters.next() {
                Some('"') => break,
                Some('\\') => text.push(letters.next().ok_or("ends inside quotes")?),
                // A header that was folded over lines, as examples print it.
                Some('\r' | '\n') => letters = letters.as_str().trim_start().chars(),
                Some(letter) => text.push(letter),
                None => return Err("ends inside quotes"),
            }
        }
        self.0 = letters.as_str();
        Ok(text)
    }
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Vec<Vec<(String, String)>>, &'static str> {
        payment_challenges(header).map(|challenges| challenges.into_iter().map(|c| c.into_iter().collect()).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_payment_challenges_are_found_among_others() {
        for (header, expected) in [
            (r#"Payment id="a", realm="x, y""#, vec![pairs(&[("id", "a"), ("realm", "x, y")])]),
            (r#"payment ID=a,request=eyJhIjoxfQ=="#, vec![pairs(&[("id", "a"), ("request", "eyJhIjoxfQ==")])]),
            (r#"Payment id="q\"uo\\te""#, vec![pairs(&[("id", r#"q"uo\te"#)])]),
            (
                "Payment id=\"a\",\n  realm = \"r\" , Payment id=b",
                vec![pairs(&[("id", "a"), ("realm", "r")]), pairs(&[("id", "b")])],
            ),
            (r#"Bearer realm="api", Payment id=a"#, vec![pairs(&[("id", "a")])]),
            (r#"Negotiate abc123==, Payment id=a, Basic realm="x""#, vec![pairs(&[("id", "a")])]),
            ("Negotiate, Payment id=a", vec![pairs(&[("id", "a")])]),
            ("Payment request=\"ab\r\n   cd\"", vec![pairs(&[("request", "abcd")])]),
            ("Payment", vec![vec![]]),
            ("Bearer", vec![]),
            ("", vec![]),
            (" , ,", vec![]),
        ] {
            assert_eq!(read(header), Ok(expected), "{header}");
        }
    }

    #[test]
    fn what_is_malformed_or_too_much_is_refused() {
        for header in
            ["id=a", "Payment id=a, id=b", "Payment id=\"a", "Payment id=\"a\\", "Payment @", "Payment id=a; b"]
        {
            assert!(read(header).is_err(), "{header}");
        }
        let parameters = |count: usize| {
            let list: Vec<String> = (0..count).map(|index| format!("p{index}=1")).collect();
            format!("Payment {}", list.join(","))
        };
        assert!(read(&parameters(PARAMETERS_MAX)).is_ok());
        assert_eq!(read(&parameters(PARAMETERS_MAX + 1)), Err("has too many parameters"));
        assert_eq!(read(&vec!["Payment id=a"; CHALLENGES_MAX].join(",")).map(|c| c.len()), Ok(CHALLENGES_MAX));
        assert_eq!(read(&vec!["Payment id=a"; CHALLENGES_MAX + 1].join(",")), Err("has too many challenges"));
        assert_eq!(read(&"x".repeat(CHALLENGE_BYTES_MAX + 1)), Err("is too long"));
    }
}
