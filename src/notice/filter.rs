//! Which notices somebody wants.

use std::collections::BTreeSet;

use thiserror::Error;

use super::NoticeKind;
use crate::kernel::AgentId;

/// Some kinds of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindSet(u64);

const _: () = assert!(NoticeKind::ALL.len() < 64, "a set has a bit for each kind");

/// A word that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no kind of event; expected words such as `payment.approved`, or `payment.*` for all that begin like it"
)]
pub struct UnknownKind(pub String);

impl KindSet {
    /// Every kind.
    pub const ALL: KindSet = KindSet(u64::MAX);
    /// No kind.
    pub const NONE: KindSet = KindSet(0);

    /// The kinds that the words name: one each, or, of the form `payment.*`, all of a family. No words name every kind.
    ///
    /// # Errors
    /// [`UnknownKind`] with the first word that names none.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<KindSet, UnknownKind> {
        let mut set = KindSet(0);
        for word in words {
            let named = KindSet::of_word(word).filter(|named| named.0 != 0);
            set.0 |= named.ok_or_else(|| UnknownKind(word.to_owned()))?.0;
        }
        Ok(if set.0 == 0 { KindSet::ALL } else { set })
    }

    fn of_word(word: &str) -> Option<KindSet> {
        if word == "*" {
            return Some(KindSet::ALL);
        }
        let Some(family) = word.strip_suffix(".*") else { return NoticeKind::parse(word).map(KindSet::of) };
        let kinds = NoticeKind::ALL.iter().copied().filter(|kind| kind.family() == family);
        Some(kinds.fold(KindSet(0), |set, kind| KindSet(set.0 | KindSet::of(kind).0)))
    }

    const fn of(kind: NoticeKind) -> KindSet {
        KindSet(1 << kind as u64)
    }

    /// Whether it has this kind.
    #[must_use]
    pub const fn contains(self, kind: NoticeKind) -> bool {
        self.0 & KindSet::of(kind).0 != 0
    }
}

/// Which notices somebody wants, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeFilter {
    /// Of these kinds.
    pub kinds: KindSet,
    /// Of these agents; empty for everybody's, and those of no agent.
    pub agents: BTreeSet<AgentId>,
}

impl NoticeFilter {
    /// Wants everything.
    pub const ALL: NoticeFilter = NoticeFilter { kinds: KindSet::ALL, agents: BTreeSet::new() };

    /// Whether a notice of this kind, of this agent, is wanted.
    #[must_use]
    pub fn wants(&self, kind: NoticeKind, agent: Option<AgentId>) -> bool {
        self.kinds.contains(kind) && (self.agents.is_empty() || agent.is_some_and(|agent| self.agents.contains(&agent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_kinds_and_families() {
        let set = KindSet::of_words(["payment.*", "agent.frozen"]).unwrap();
        for kind in NoticeKind::ALL {
            let expected = kind.word().starts_with("payment.") || *kind == NoticeKind::AgentFrozen;
            assert_eq!(set.contains(*kind), expected, "{kind}");
        }
        for all in [vec![], vec!["*"], vec!["*", "payment.approved"]] {
            assert_eq!(KindSet::of_words(all), Ok(KindSet::ALL));
        }
        for bad in ["", "payment", "payment.", "payment.*.x", "nothing.*", ".*", "PAYMENT.APPROVED"] {
            assert_eq!(KindSet::of_words([bad]), Err(UnknownKind(bad.to_owned())));
        }
    }

    #[test]
    fn kinds_lead_back_from_their_words() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::parse(kind.word()), Some(*kind));
            assert!(kind.word().starts_with(kind.family()) && kind.family().len() < kind.word().len());
        }
    }

    #[test]
    fn who_wants_some_agents_is_told_nothing_of_others_and_of_nobody() {
        let filter = NoticeFilter { kinds: KindSet::ALL, agents: BTreeSet::from([AgentId(1)]) };
        for (agent, wanted) in [(Some(AgentId(1)), true), (Some(AgentId(2)), false), (None, false)] {
            assert_eq!(filter.wants(NoticeKind::PaymentApproved, agent), wanted);
            assert!(NoticeFilter::ALL.wants(NoticeKind::PaymentApproved, agent));
        }
    }
}
