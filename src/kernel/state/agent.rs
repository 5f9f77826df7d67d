//! One agent: everything that a decision about it needs.

use bincode::{Decode, Encode};

use super::{
    holds::OpenHolds,
    rebuilt::Rebuilt,
    session::Session,
    velocity::Velocity,
    window::{Calendar, Weight, Windows},
};
use crate::kernel::{
    AgentId, Amount, NameId, Protocol, SessionNumber, Timestamp,
    request::{AgentStatus, WalletSource},
};

/// The payer and all its counters.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Agent {
    /// Unique in the gateway.
    pub id: AgentId,
    /// For people.
    pub name: Box<str>,
    /// For people.
    pub agent_type: Box<str>,
    /// Whether it may pay.
    pub status: AgentStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// Over everything it pays.
    pub windows: Windows,
    /// By rail and service, in that order.
    pub services: Vec<Service>,
    /// In the order of linking.
    pub wallets: Vec<Wallet>,
    /// In the order of opening.
    pub sessions: Vec<Session>,
    /// How many sessions there ever were.
    pub sessions_opened: u32,
    /// One for each rolling period that its policies ask for.
    pub velocities: Vec<Velocity>,
    /// What crashes may have left.
    pub unknown: Vec<UnknownHold>,
    /// Captures of holds that a crash lost, which could be in any session and at any service.
    pub unattributed: Amount,
    /// Payments denied.
    pub denied: u64,
    /// The lease that its operator gave it, if any.
    pub own_lease: Option<Amount>,
    /// What may be approved ahead of the disk.
    pub lease_amount: Amount,
    /// How many may be approved ahead of the disk.
    pub lease_count: u32,
    /// The incarnation of the shard in which the lease was armed; 0 for not at all.
    pub armed_in: u32,
    /// Its open holds, oldest first.
    pub open_holds: Rebuilt<OpenHolds>,
    /// The position of its program in the catalogue.
    pub program: Rebuilt<u32>,
}

/// What an agent spends at one service, or outside any, over one rail.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Service {
    /// Which rail and service; none for payments outside any service.
    pub key: (Protocol, Option<NameId>),
    /// Its counters.
    pub windows: Windows,
    /// Payments.
    pub calls: u64,
    /// The last approval or report.
    pub last_at: Timestamp,
}

/// A wallet of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Wallet {
    /// As its operator described it.
    pub source: WalletSource,
    /// Its counters.
    pub windows: Windows,
    /// What had been spent when the balance was told.
    pub spent_when_told: Amount,
}

/// Money that a lost approval may hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UnknownHold {
    /// What captures have not yet claimed.
    pub amount: Amount,
    /// When it runs out.
    pub until: Timestamp,
}

impl Agent {
    /// What crashes may have left.
    #[must_use]
    pub fn unknown_amount(&self) -> Amount {
        self.unknown.iter().fold(Amount::ZERO, |sum, unknown| sum.saturating_add(unknown.amount))
    }

    /// Takes up to `amount` from the unknown holds, the oldest first, and returns what was taken.
    pub fn draw_unknown(&mut self, amount: Amount) -> Amount {
        let mut left = amount;
        for unknown in &mut self.unknown {
            let part = unknown.amount.min(left);
            unknown.amount = unknown.amount.saturating_sub(part);
            left = left.saturating_sub(part);
        }
        amount.saturating_sub(left)
    }

    /// The counters of a service, if anything was ever paid there.
    #[must_use]
    pub fn service(&self, protocol: Protocol, service: Option<NameId>) -> Option<&Service> {
        let position = self.services.binary_search_by_key(&(protocol, service), |entry| entry.key).ok()?;
        self.services.get(position)
    }

    /// The counters of a service, made if need be.
    pub fn service_mut(&mut self, protocol: Protocol, service: Option<NameId>) -> &mut Service {
        let key = (protocol, service);
        let position = match self.services.binary_search_by_key(&key, |entry| entry.key) {
            Ok(position) => position,
            Err(position) => {
                let new = Service { key, windows: Windows::default(), calls: 0, last_at: Timestamp::ZERO };
                self.services.insert(position, new);
                position
            }
        };
        &mut self.services[position]
    }

    /// A session by its number.
    #[must_use]
    pub fn session(&self, number: SessionNumber) -> Option<&Session> {
        let position = self.sessions.binary_search_by_key(&number, |session| session.number).ok()?;
        self.sessions.get(position)
    }

    /// A session by its number, to change it.
    pub fn session_mut(&mut self, number: SessionNumber) -> Option<&mut Session> {
        let position = self.sessions.binary_search_by_key(&number, |session| session.number).ok()?;
        self.sessions.get_mut(position)
    }

    /// A session by the client's name for it.
    #[must_use]
    pub fn session_named(&self, protocol: Protocol, name: &str) -> Option<&Session> {
        self.sessions.iter().rev().find(|session| {
            session.protocol == protocol && !session.is_implicit() && !name.is_empty() && *session.name == *name
        })
    }

    /// The latest implicit x402 session, over or not.
    #[must_use]
    pub fn implicit_session(&self) -> Option<&Session> {
        self.sessions.iter().rev().find(|session| session.is_implicit())
    }

    /// The position of the wallet that pays: the named one, else the preferred one.
    #[must_use]
    pub fn wallet_for(&self, name: &str) -> Option<usize> {
        if !name.is_empty() {
            return self.wallets.iter().position(|wallet| wallet.source.id == name);
        }
        // Most agents have one wallet: no need to look at it.
        if self.wallets.len() == 1 {
            return Some(0);
        }
        let order = |(position, wallet): &(usize, &Wallet)| (wallet.source.frozen, wallet.preference(), *position);
        self.wallets.iter().enumerate().min_by_key(order).map(|(position, _)| position)
    }

    /// The smallest limit of its wallets that adds up over payments.
    #[must_use]
    pub fn smallest_wallet_limit(&self) -> Option<Amount> {
        self.wallets.iter().flat_map(|wallet| Calendar::ALL.into_iter().filter_map(|c| wallet.limit(c))).min()
    }
}

impl Wallet {
    /// The custody that is preferred comes first.
    fn preference(&self) -> u8 {
        match self.source.custody.as_str() {
            "PRIVY" => 0,
            "SPONGE" => 1,
            "SMART_CONTRACT" => 2,
            "EXTERNAL" => 3,
            _ => 4,
        }
    }

    /// The cap on a calendar window.
    #[must_use]
    pub fn limit(&self, calendar: Calendar) -> Option<Amount> {
        match calendar {
            Calendar::Day => self.source.limit_per_day,
            Calendar::Week => self.source.limit_per_week,
            Calendar::Month => self.source.limit_per_month,
        }
    }

    /// The balance as told, less what is held and was paid since; `None` where it is not known.
    #[must_use]
    pub fn available(&self) -> Option<Amount> {
        let Weight { used, .. } = self.windows.total();
        self.source.balance.map(|told| told.saturating_add(self.spent_when_told).saturating_sub(used))
    }

    /// Whether it may pay at this hour and on this day.
    #[must_use]
    pub fn allows_time(&self, now: Timestamp) -> bool {
        let hour = now.time_of_day().as_secs() / 3600;
        let in_hours = self.source.allowed_hours.is_none_or(|(from, to)| {
            let (from, to) = (u64::from(from), u64::from(to));
            match from.cmp(&to) {
                std::cmp::Ordering::Less => (from..to).contains(&hour),
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => hour >= from || hour < to,
            }
        });
        let days = self.source.allowed_days;
        in_hours && (days == 0 || days & (1 << now.weekday()) != 0)
    }
}
