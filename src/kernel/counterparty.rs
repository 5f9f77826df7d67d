//! Who is paid, as the organization's own directory describes them.

use bincode::{Decode, Encode};

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

/// One payee of the directory. What is empty or absent is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Counterparty {
    /// What they sell.
    pub category: Box<str>,
    /// Where they are: ISO 3166-1 alpha-2.
    pub country: Box<str>,
    /// What kind of merchant they are: four digits.
    pub merchant_category_code: Box<str>,
    /// How far they are trusted, from 0 to [`SCORE_MAX`](super::facts::SCORE_MAX).
    pub trust_score: Option<u32>,
    /// Their FairScale score, from 0 to [`SCORE_MAX`](super::facts::SCORE_MAX).
    pub fairscale_score: Option<u32>,
    /// What they are to the organization.
    pub standing: Option<Standing>,
}

impl Counterparty {
    /// What they sell, where it is known.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        Some(&*self.category).filter(|text| !text.is_empty())
    }

    /// Where they are, where it is known.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        Some(&*self.country).filter(|text| !text.is_empty())
    }

    /// What kind of merchant they are, where it is known.
    #[must_use]
    pub fn merchant_category_code(&self) -> Option<&str> {
        Some(&*self.merchant_category_code).filter(|text| !text.is_empty())
    }
}
