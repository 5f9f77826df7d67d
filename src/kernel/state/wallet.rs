//! A wallet of an agent: what decisions ask of it in numbers, and the rest in texts.

use bincode::{Decode, Encode};

use super::{
    texts::Texts,
    window::{Calendar, Weight, Windows},
};
use crate::kernel::{Amount, Timestamp, request::WalletSource};

/// A wallet. Its counters are the agent's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Wallet {
    balance: Option<Amount>,
    /// What had been spent when the balance was told.
    spent_when_told: Amount,
    limits: Option<Box<WalletLimits>>,
    frozen: bool,
    rank: u8,
    allowed_days: u8,
    allowed_hours: Option<(u8, u8)>,
    /// Id, address, chain and custody.
    texts: Texts<4>,
}

/// The limits that an operator gave a wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WalletLimits {
    /// The most a payment may cost.
    pub per_payment: Option<Amount>,
    /// The most a calendar window may cost, in the order of [`Calendar::ALL`].
    pub per_window: [Option<Amount>; 3],
}

impl Wallet {
    /// The wallet that an operator described. Where `before` is known of it, without a balance of its own it keeps the one that was
    /// told; with one, what was spent until now is `spent`.
    #[must_use]
    pub fn new(source: &WalletSource, before: Option<&Wallet>, spent: Amount) -> Wallet {
        let (balance, spent_when_told) = match (source.balance, before) {
            (None, Some(before)) => (before.balance, before.spent_when_told),
            (told, _) => (told, spent),
        };
        let limits = WalletLimits {
            per_payment: source.limit_per_payment,
            per_window: [source.limit_per_day, source.limit_per_week, source.limit_per_month],
        };
        Wallet {
            balance,
            spent_when_told,
            limits: (limits != WalletLimits::default()).then(|| Box::new(limits)),
            frozen: source.frozen,
            rank: rank(&source.custody),
            allowed_days: source.allowed_days,
            allowed_hours: source.allowed_hours,
            texts: Texts::new([&source.id, &source.address, &source.chain_id, &source.custody]),
        }
    }

    /// Whether it lives at this address; hexadecimal ones do not differ by case.
    #[must_use]
    pub fn is_at(&self, address: &str) -> bool {
        let own = self.texts.text(1);
        own == address || own.starts_with("0x") && own.eq_ignore_ascii_case(address)
    }

    /// As its operator described it.
    #[must_use]
    pub fn source(&self) -> WalletSource {
        let WalletLimits { per_payment, per_window: [per_day, per_week, per_month] } =
            self.limits().copied().unwrap_or_default();
        let text = |position| self.texts.text(position).to_owned();
        WalletSource {
            id: text(0),
            address: text(1),
            chain_id: text(2),
            custody: text(3),
            frozen: self.frozen,
            balance: self.balance,
            limit_per_payment: per_payment,
            limit_per_day: per_day,
            limit_per_week: per_week,
            limit_per_month: per_month,
            allowed_hours: self.allowed_hours,
            allowed_days: self.allowed_days,
        }
    }

    /// Unique within the agent.
    #[must_use]
    pub fn id(&self) -> &str {
        self.texts.text(0)
    }

    /// Whether it may pay.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The lowest is preferred, by who keeps the keys.
    #[must_use]
    pub fn rank(&self) -> u8 {
        self.rank
    }

    /// Its limits, if it has any.
    #[must_use]
    pub fn limits(&self) -> Option<&WalletLimits> {
        self.limits.as_deref()
    }

    /// The cap on a calendar window.
    #[must_use]
    pub fn limit(&self, calendar: Calendar) -> Option<Amount> {
        self.limits.as_ref().and_then(|limits| limits.per_window[calendar as usize])
    }

    /// The balance as told, less what is held and was paid since according to its counters; `None` where it is not known.
    #[must_use]
    pub fn available(&self, windows: &Windows) -> Option<Amount> {
        let Weight { used, .. } = windows.total();
        self.balance.map(|told| told.saturating_add(self.spent_when_told).saturating_sub(used))
    }

    /// Whether it may pay at this hour and on this day.
    #[must_use]
    pub fn allows_time(&self, now: Timestamp) -> bool {
        let in_hours = self.allowed_hours.is_none_or(|(from, to)| {
            let hour = now.time_of_day().as_secs() / 3600;
            let (from, to) = (u64::from(from), u64::from(to));
            match from.cmp(&to) {
                std::cmp::Ordering::Less => (from..to).contains(&hour),
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => hour >= from || hour < to,
            }
        });
        in_hours && (self.allowed_days == 0 || self.allowed_days & (1 << now.weekday()) != 0)
    }
}

/// The custody that is preferred comes first.
fn rank(custody: &str) -> u8 {
    match custody {
        "PRIVY" => 0,
        "SPONGE" => 1,
        "SMART_CONTRACT" => 2,
        "EXTERNAL" => 3,
        _ => 4,
    }
}
