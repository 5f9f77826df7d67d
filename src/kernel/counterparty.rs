//! Who is paid, as the organization's own directory describes them.

use bincode::{Decode, Encode};

#[cfg(doc)]
use super::facts::SCORE_MAX;
use super::{
    CounterpartyId, Failure, Name,
    facts::{FACT_BYTES_MAX, is_country},
    state::texts::Texts,
};

/// The longest description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 2000;

/// What a payee is to the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Standing {
    /// Known and trusted.
    Trusted,
    /// Known to be who they say they are.
    Verified,
    /// Nothing is known.
    Unknown,
    /// Gets nothing.
    Blocked,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 4] = [Standing::Trusted, Standing::Verified, Standing::Unknown, Standing::Blocked];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Trusted => "TRUSTED",
            Standing::Verified => "VERIFIED",
            Standing::Unknown => "UNKNOWN",
            Standing::Blocked => "BLOCKED",
        }
    }

    /// The standing of that word, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Standing> {
        Standing::ALL.into_iter().find(|standing| standing.word().eq_ignore_ascii_case(word))
    }
}

/// A set of standings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standings(u8);

impl Standings {
    /// Whether `standing` is in the set.
    #[must_use]
    pub const fn contains(self, standing: Standing) -> bool {
        self.0 & (1 << standing as u8) != 0
    }
}

impl FromIterator<Standing> for Standings {
    fn from_iter<I: IntoIterator<Item = Standing>>(standings: I) -> Standings {
        Standings(standings.into_iter().fold(0, |bits, standing| bits | 1 << standing as u8))
    }
}

/// How a payee is described.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterpartyTexts<'a> {
    /// For people.
    pub name: &'a str,
    /// What kind of payee, such as `VENDOR`.
    pub kind: &'a str,
    /// Who gets the money, as on the wire: it decides which payments the description is of.
    pub address: &'a str,
    /// What they sell; empty where it is not known.
    pub category: &'a str,
    /// Where they are, ISO 3166-1 alpha-2; empty where it is not known.
    pub country: &'a str,
    /// What kind of merchant they are, four digits; empty where it is not known.
    pub merchant_category_code: &'a str,
    /// For people.
    pub description: &'a str,
}

/// One payee of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Counterparty {
    /// Names the entry.
    pub id: CounterpartyId,
    /// In the order of [`CounterpartyTexts`]; then the address in canonical form.
    texts: Texts<8>,
    /// How far they are trusted, from 0 to [`SCORE_MAX`]; absent where it is not known.
    pub trust_score: Option<u32>,
    /// Their FairScale score, from 0 to [`SCORE_MAX`]; absent where it is not known.
    pub fairscale_score: Option<u32>,
    /// What they are to the organization; absent where nobody has said.
    pub standing: Option<Standing>,
}

impl Counterparty {
    /// An entry of which nothing but the texts is known.
    ///
    /// # Errors
    /// [`Failure::Invalid`] with the first text that cannot be one of a payee.
    pub fn new(id: CounterpartyId, texts: &CounterpartyTexts<'_>) -> Result<Counterparty, Failure> {
        let CounterpartyTexts { name, kind, address, category, country, merchant_category_code, description } = *texts;
        let plain = |text: &str| text.len() <= FACT_BYTES_MAX && !text.bytes().any(|byte| byte.is_ascii_control());
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let recipient = Name::recipient(address);
        let address_expected = "an address of 1 to 256 bytes without white space or control characters";
        let text_expected = "at most 256 bytes without control characters";
        for (holds, field, expected) in [
            (!name.trim().is_empty() && plain(name), "name", "a name of 1 to 256 bytes without control characters"),
            (recipient.is_ok(), "address", address_expected),
            (plain(kind), "type", text_expected),
            (plain(category), "category", text_expected),
            (is_country(country), "country", "two letters, ISO 3166-1 alpha-2, such as `DE`"),
            (
                matches!(merchant_category_code.len(), 0 | 4) && digits(merchant_category_code),
                "merchantCategory",
                "a merchant category code of four digits, such as `5411`",
            ),
            (description.len() <= DESCRIPTION_BYTES_MAX, "description", "at most 2000 bytes"),
        ] {
            if !holds {
                return Err(Failure::Invalid { field, expected });
            }
        }
        let recipient = recipient.as_ref().map_or("", |name| name.text());
        let texts =
            Texts::new([name, kind, address, category, country, merchant_category_code, description, recipient]);
        Ok(Counterparty { id, texts, trust_score: None, fairscale_score: None, standing: None })
    }

    /// Its texts.
    #[must_use]
    pub fn texts(&self) -> CounterpartyTexts<'_> {
        CounterpartyTexts {
            name: self.texts.text(0),
            kind: self.texts.text(1),
            address: self.texts.text(2),
            category: self.texts.text(3),
            country: self.texts.text(4),
            merchant_category_code: self.texts.text(5),
            description: self.texts.text(6),
        }
    }

    /// What they sell, where it is known.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        Some(self.texts.text(3)).filter(|text| !text.is_empty())
    }

    /// Where they are, where it is known.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        Some(self.texts.text(4)).filter(|text| !text.is_empty())
    }

    /// What kind of merchant they are, where it is known.
    #[must_use]
    pub fn merchant_category_code(&self) -> Option<&str> {
        Some(self.texts.text(5)).filter(|text| !text.is_empty())
    }

    /// Who gets the money, in canonical form.
    #[must_use]
    pub fn recipient(&self) -> Name<'_> {
        Name::canonical(self.texts.text(7).into())
    }

    /// Whether it describes this recipient.
    #[must_use]
    pub fn describes(&self, recipient: &Name<'_>) -> bool {
        self.texts.text(7) == recipient.text()
    }
}
