//! What a credential may do, in the words that clients of the agent API know.

use std::fmt;

macro_rules! scopes {
    ($($name:ident = $word:literal,)*) => {
        /// One thing that a credential may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is its word")]
        pub enum Scope { $($name,)* }

        impl Scope {
            /// Every scope.
            pub const ALL: &'static [Scope] = &[$(Scope::$name),*];

            /// The word for it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Scope::$name => $word,)* }
            }
        }
    };
}

scopes! {
    PaymentsRequest = "payments:request",
    WalletsRead = "wallets:read",
    PoliciesRead = "policies:read",
    TransactionsRead = "transactions:read",
    CounterpartiesRead = "counterparties:read",
    AlertsRead = "alerts:read",
    AgentsRead = "agents:read",
    AnalyticsRead = "analytics:read",
    NetworkRead = "network:read",
    TransactionsWrite = "transactions:write",
    PaymentsExecute = "payments:execute",
    PaymentsApprove = "payments:approve",
    PaymentsConfirm = "payments:confirm",
    PaymentsStatus = "payments:status",
    PoliciesExceptions = "policies:exceptions",
    PoliciesWrite = "policies:write",
    CounterpartiesWrite = "counterparties:write",
    AlertsWrite = "alerts:write",
    AuditRead = "audit:read",
    AgentsWrite = "agents:write",
    WalletsWrite = "wallets:write",
    TeamRead = "team:read",
    TeamWrite = "team:write",
}

impl Scope {
    /// The scope that is called `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|scope| scope.word() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Several scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(u32);

const _: () = assert!(Scope::ALL.len() <= 32, "a set is one word of bits");

impl ScopeSet {
    /// Everything.
    pub const ALL: ScopeSet = ScopeSet::of(Scope::ALL);

    /// What a key has that names no scopes: the standard reads, asking for holds, and reporting what was paid. Reporting is
    /// part of it so that one key serves the whole flow of a payment; a key that may not report would leave its spend unknown.
    pub const STANDARD: ScopeSet = ScopeSet::of(&[
        Scope::PaymentsRequest,
        Scope::WalletsRead,
        Scope::PoliciesRead,
        Scope::TransactionsRead,
        Scope::CounterpartiesRead,
        Scope::AlertsRead,
        Scope::AgentsRead,
        Scope::AnalyticsRead,
        Scope::NetworkRead,
        Scope::TransactionsWrite,
    ]);

    /// Exactly these.
    #[must_use]
    pub const fn of(scopes: &[Scope]) -> ScopeSet {
        let mut bits = 0;
        let mut rest = scopes;
        while let [scope, tail @ ..] = rest {
            bits |= 1 << *scope as u32;
            rest = tail;
        }
        ScopeSet(bits)
    }

    /// The scopes that `words` name. A word that this release does not know grants nothing.
    #[must_use]
    pub fn of_words(words: &[String]) -> ScopeSet {
        let known: Vec<Scope> = words.iter().filter_map(|word| Scope::parse(word)).collect();
        ScopeSet::of(&known)
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u32) != 0
    }

    /// The words, in the order of [`Scope`].
    #[must_use]
    pub fn words(self) -> Vec<String> {
        Scope::ALL.iter().filter(|scope| self.contains(**scope)).map(|scope| scope.word().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_scopes() {
        for &scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.word()), Some(scope));
        }
        for unknown in ["", "payments", "payments:Request", "payments:request ", "*"] {
            assert_eq!(Scope::parse(unknown), None, "{unknown}");
        }
        assert_eq!(ScopeSet::of_words(&ScopeSet::ALL.words()), ScopeSet::ALL);
        assert_eq!(ScopeSet::of_words(&["of:tomorrow".to_owned()]), ScopeSet::default());
    }

    #[test]
    fn a_standard_key_pays_and_reports_but_does_not_administer() {
        for (scope, expected) in [
            (Scope::PaymentsRequest, true),
            (Scope::TransactionsWrite, true),
            (Scope::PoliciesRead, true),
            (Scope::PoliciesWrite, false),
            (Scope::AgentsWrite, false),
            (Scope::PaymentsApprove, false),
        ] {
            assert_eq!(ScopeSet::STANDARD.contains(scope), expected, "{scope}");
        }
    }
}
