//! What the payments of one agent leave behind: the counters of everything that limits look at.

use bincode::{Decode, Encode};

use super::{budget::BudgetRequests, few::Few, session::Session, velocity::Velocity, window::Windows};
use crate::kernel::{Amount, NameId, Protocol, SessionNumber, Timestamp, anomaly::Watch, policy::PeriodSet};

/// The counters of an agent. Most agents pay one service from one wallet in one session at a time, and then a decision
/// finds everything in neighbouring lines of the cache.
#[derive(Clone, Debug, Encode, Decode)]
#[repr(C)]
pub struct Activity {
    /// Over everything it pays.
    pub windows: Windows,
    /// What a crash may have lost; mostly nothing.
    pub lost: Option<Box<Lost>>,
    /// How it pays, as far as that is watched.
    pub watch: Option<Box<Watch>>,
    /// The budgets that it asked for; mostly none.
    pub budgets: Option<Box<BudgetRequests>>,
    /// By the position of the wallet, as far as any was paid from.
    pub wallets: Few<Windows>,
    /// By rail and service, in that order.
    pub services: Few<Service>,
    /// In the order of opening.
    pub sessions: Few<Session>,
    /// By period, as far as calls were counted.
    pub velocities: Few<Velocity>,
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
    /// What those were to cost when they were approved or reported, so that there is a mean price.
    pub asked: Amount,
    /// The last approval or report.
    pub last_at: Timestamp,
}

/// What crashes left on an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Lost {
    /// Approvals that may have been told, the oldest first.
    pub unknown: Vec<UnknownHold>,
    /// Captures of holds that a crash lost, which could be in any session and at any service.
    pub unattributed: Amount,
}

/// Money that a lost approval may hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UnknownHold {
    /// What captures have not yet claimed.
    pub amount: Amount,
    /// When it runs out.
    pub until: Timestamp,
}

impl Activity {
    /// No payments yet.
    pub const NONE: Activity = Activity {
        windows: Windows::EMPTY,
        lost: None,
        budgets: None,
        watch: None,
        wallets: Few::None,
        services: Few::None,
        sessions: Few::None,
        velocities: Few::None,
    };

    /// What a crash may have lost, made if need be.
    pub fn lost_mut(&mut self) -> &mut Lost {
        self.lost.get_or_insert_default()
    }

    /// The budgets that it asked for, made if need be.
    pub fn budgets_mut(&mut self) -> &mut BudgetRequests {
        self.budgets.get_or_insert_default()
    }

    /// How it pays, made if need be.
    #[inline]
    pub fn watch_mut(&mut self) -> &mut Watch {
        self.watch.get_or_insert_default()
    }

    /// The counters of a wallet, made if need be.
    pub fn wallet_mut(&mut self, position: usize) -> &mut Windows {
        while self.wallets.len() <= position {
            self.wallets.push(Windows::EMPTY);
        }
        &mut self.wallets[position]
    }

    /// The counters of a service, made if need be.
    pub fn service_mut(&mut self, protocol: Protocol, service: Option<NameId>) -> &mut Service {
        let key = (protocol, service);
        let position = match Service::search(&self.services, key) {
            Ok(position) => position,
            Err(position) => {
                let new =
                    Service { key, windows: Windows::EMPTY, calls: 0, asked: Amount::ZERO, last_at: Timestamp::ZERO };
                self.services.insert(position, new);
                position
            }
        };
        &mut self.services[position]
    }

    /// A session by its number, to change it.
    pub fn session_mut(&mut self, number: SessionNumber) -> Option<&mut Session> {
        let position = Session::search(&self.sessions, number)?;
        self.sessions.get_mut(position)
    }

    /// Counts calls in every period of `counted`.
    pub fn count_calls(&mut self, counted: PeriodSet, now: Timestamp, calls: u32) {
        if self.velocities.len() != counted.len() {
            self.begin_to_count(counted);
        }
        for velocity in self.velocities.iter_mut() {
            velocity.add(now, calls);
        }
    }

    fn begin_to_count(&mut self, counted: PeriodSet) {
        for (position, period) in counted.iter().enumerate() {
            if self.velocities.get(position).is_none_or(|velocity| velocity.period() != period) {
                self.velocities.insert(position, Velocity::new(period));
            }
        }
    }
}

impl Service {
    /// Where the service is among `sorted` ones, or belongs.
    pub(crate) fn search(sorted: &[Service], key: (Protocol, Option<NameId>)) -> Result<usize, usize> {
        match sorted {
            [only] if only.key == key => Ok(0),
            _ => sorted.binary_search_by_key(&key, |service| service.key),
        }
    }
}
