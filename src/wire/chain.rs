//! Which chains do payments name, and how are their assets counted? A table that is embedded in the program.

use std::sync::LazyLock;

use serde::Deserialize;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../config/chains.toml"))
        .unwrap_or_else(|error| unreachable!("the embedded table of chains is not readable: {error}"))
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    chain: Vec<Chain>,
    currency: Vec<Currency>,
}

/// Money that is on no chain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Currency {
    code: String,
    decimals: u8,
}

/// A chain that is known by more than its id.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// As wallets and approvals name it, such as `8453`.
    pub id: String,
    /// For people.
    pub name: String,
    /// `EVM` or `SOLANA`.
    pub kind: String,
    /// What amounts on it are counted in unless a payment says otherwise.
    pub currency: String,
    /// The address of its explorer, without a slash at the end.
    pub explorer: String,
    names: Vec<String>,
    assets: Vec<Asset>,
}

/// An asset whose decimals are known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// For people.
    pub symbol: String,
    /// How many decimal places its base unit is below one.
    pub decimals: u8,
    address: String,
}

impl Chain {
    /// The chain that is called `name`: its id, or another name such as `eip155:8453` or `base-sepolia`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Chain> {
        let lower = name.to_ascii_lowercase();
        TABLE.chain.iter().find(|chain| chain.id == lower || chain.names.contains(&lower))
    }

    /// The asset at `address`. Hexadecimal addresses do not differ by case, others do.
    #[must_use]
    pub fn asset(&self, address: &str) -> Option<&Asset> {
        let hexadecimal = address.starts_with("0x") || address.starts_with("0X");
        self.assets
            .iter()
            .find(|asset| asset.address == address || hexadecimal && asset.address.eq_ignore_ascii_case(address))
    }

    /// Where people see a transaction.
    #[must_use]
    pub fn transaction_url(&self, transaction: &str) -> String {
        format!("{}/tx/{transaction}", self.explorer)
    }
}

/// The decimals of a currency that is on no chain, by its ISO 4217 code in any case; nothing for one that limits are not counted in.
#[must_use]
pub fn currency(code: &str) -> Option<u8> {
    TABLE.currency.iter().find(|currency| currency.code.eq_ignore_ascii_case(code)).map(|currency| currency.decimals)
}

/// The one id of a chain that may be known by several names: what is compared and bound. An EVM chain that is not in the table is its
/// number; any other name stands for itself.
#[must_use]
pub fn canonical(name: &str) -> &str {
    match Chain::find(name) {
        Some(chain) => &chain.id,
        None => name.strip_prefix("eip155:").unwrap_or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_one_id_under_all_its_names() {
        for (name, id) in [
            ("8453", "8453"),
            ("eip155:8453", "8453"),
            ("base", "8453"),
            ("Base-Sepolia", "84532"),
            ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana-mainnet"),
            ("eip155:99999", "99999"),
            ("stellar:pubnet", "stellar:pubnet"),
            ("", ""),
        ] {
            assert_eq!(canonical(name), id, "{name}");
        }
    }

    #[test]
    fn no_name_and_no_asset_is_told_twice() {
        let mut names: Vec<&str> = TABLE.chain.iter().flat_map(|chain| &chain.names).map(String::as_str).collect();
        names.extend(TABLE.chain.iter().map(|chain| chain.id.as_str()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for chain in TABLE.chain.iter() {
            assert!(chain.names.iter().all(|name| *name == name.to_ascii_lowercase()), "{}", chain.id);
            let mut addresses: Vec<_> = chain.assets.iter().map(|asset| asset.address.to_ascii_lowercase()).collect();
            addresses.dedup();
            assert_eq!(addresses.len(), chain.assets.len(), "{}", chain.id);
        }
    }

    #[test]
    fn assets_are_found_by_their_address_on_their_chain_alone() {
        let base = Chain::find("base").unwrap();
        assert_eq!(base.asset("0x833589FCD6EDB6E08F4C7C32D4F71B54BDA02913").unwrap().decimals, 6);
        assert!(base.asset("0x036CbD53842c5426634e7929541eC2318f3dCF7e").is_none());
        let solana = Chain::find("solana").unwrap();
        assert!(solana.asset("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v").is_some());
        assert!(solana.asset("epjfwdd5aufqssqem2qn1xzybapc8g4weggkzwytdt1v").is_none());
    }
}
