//! Which wallets a policy is assigned to.

use std::{collections::BTreeMap, sync::Arc};

use crate::kernel::AgentId;

/// Wallets of agents. Clones share one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletSet(Arc<BTreeMap<AgentId, Box<[Box<str>]>>>);

impl WalletSet {
    /// Whether a wallet of an agent is in the set.
    #[must_use]
    pub fn contains(&self, agent: AgentId, wallet: &str) -> bool {
        self.0.get(&agent).is_some_and(|wallets| wallets.iter().any(|listed| **listed == *wallet))
    }
}

impl<'a> FromIterator<(AgentId, &'a str)> for WalletSet {
    fn from_iter<I: IntoIterator<Item = (AgentId, &'a str)>>(wallets: I) -> WalletSet {
        let mut lists: BTreeMap<AgentId, Vec<Box<str>>> = BTreeMap::new();
        for (agent, wallet) in wallets {
            lists.entry(agent).or_default().push(wallet.into());
        }
        let sorted = |(agent, mut list): (AgentId, Vec<Box<str>>)| {
            list.sort_unstable();
            list.dedup();
            (agent, list.into_boxed_slice())
        };
        WalletSet(Arc::new(lists.into_iter().map(sorted).collect()))
    }
}
