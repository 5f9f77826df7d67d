//! Which wallets a policy is for.

use std::{collections::BTreeSet, sync::Arc};

/// Ids of wallets. Clones share one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletSet(Arc<BTreeSet<Box<str>>>);

impl WalletSet {
    /// Whether a wallet with this id is in the set, whichever agent's it is.
    #[must_use]
    pub fn contains(&self, wallet: &str) -> bool {
        self.0.contains(wallet)
    }

    /// Whether it has no wallet.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the wallets of another set, too.
    pub fn add(&mut self, other: &WalletSet) {
        if self.is_empty() {
            self.0 = Arc::clone(&other.0);
        } else if *self != *other {
            self.0 = Arc::new(self.0.union(&other.0).cloned().collect());
        }
    }
}

impl<'a> FromIterator<&'a str> for WalletSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(wallets: I) -> WalletSet {
        WalletSet(Arc::new(wallets.into_iter().map(Box::from).collect()))
    }
}
