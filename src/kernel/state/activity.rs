//! What the payments of one agent leave behind: the counters of everything that limits look at.

use bincode::{Decode, Encode};

use super::{
    budget::BudgetRequests,
    counters::{Basis, Change, Counters, Scope, Scopes},
    few::Few,
    past::Past,
    session::Session,
    velocity::Velocity,
    window::{Calendar, Weight, Windows},
};
use crate::kernel::{
    Amount, NameId, Period, Protocol, SessionNumber, Timestamp,
    anomaly::Watch,
    policy::{CountedSet, Over, PeriodSet, Whose},
};

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
    /// What only some rules look at; mostly nothing.
    counters: Option<Box<Counters>>,
    /// By the position of the wallet, as far as any was paid from.
    pub wallets: Few<Windows>,
    /// By rail and service, in that order.
    pub services: Few<Service>,
    /// In the order of opening.
    pub sessions: Few<Session>,
    /// By period, as far as calls were counted.
    pub velocities: Few<Velocity>,
    /// What the agent's windows have forgotten, for counters that begin later; nothing where that is nothing.
    past: Option<Box<Past>>,
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
        counters: None,
        wallets: Few::None,
        services: Few::None,
        sessions: Few::None,
        velocities: Few::None,
        past: None,
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

    /// Counts from `now` on what a program asks for.
    ///
    /// Requires that nothing is booked between a change of the program and this.
    #[inline]
    pub fn ask(&mut self, asked: &CountedSet, now: Timestamp) {
        if self.counters.is_some() || !asked.is_empty() {
            self.ask_counters(asked, now);
        }
    }

    fn ask_counters(&mut self, asked: &CountedSet, now: Timestamp) {
        if self.counters.as_ref().is_some_and(|counters| counters.are_for(asked)) {
            return;
        }
        let mut counters = self.counters.take().unwrap_or_default();
        counters.ask(asked, &self.basis(now), now);
        self.counters = (!counters.is_empty()).then_some(counters);
    }

    fn basis(&self, now: Timestamp) -> Basis<'_> {
        Basis {
            windows: &self.windows,
            wallets: &self.wallets,
            services: &self.services,
            past: self.past().as_of(&self.windows, now),
        }
    }

    /// Whether a payment was ever booked.
    #[must_use]
    pub fn has_booked(&self) -> bool {
        self.windows.day() > 0
    }

    /// Books a change in the agent's own windows, and remembers what they forget when they turn.
    #[inline]
    pub fn book_windows(&mut self, placed: Timestamp, now: Timestamp, before: Weight, after: Weight) {
        if now.day() != self.windows.day() {
            self.turn(now.day());
        }
        self.windows.book(placed, now, before, after);
    }

    #[cold]
    fn turn(&mut self, today: u32) {
        let mut past = self.past();
        past.turn(&self.windows, today);
        match &mut self.past {
            Some(known) => **known = past,
            None if past == Past::EMPTY => {}
            None => self.past = Some(Box::new(past)),
        }
    }

    fn past(&self) -> Past {
        self.past.as_deref().copied().unwrap_or(Past::EMPTY)
    }

    /// Books a change in the counters that only some rules look at.
    #[inline]
    pub fn book_counters(&mut self, now: Timestamp, scopes: impl FnOnce() -> Scopes, change: Change) {
        if let Some(counters) = &mut self.counters {
            counters.book(&scopes(), &change, now);
        }
    }

    /// Books what was paid against a hold that a crash has lost, from any of so many wallets: to which service or endpoint, nobody knows.
    pub fn book_lost(&mut self, now: Timestamp, weight: Weight, wallets: usize) {
        if let Some(counters) = &mut self.counters {
            counters.book_lost(weight, wallets, now);
        }
    }

    /// Whether anything is counted that only some rules look at.
    #[must_use]
    #[inline]
    pub fn has_counters(&self) -> bool {
        self.counters.is_some()
    }

    /// Counts payments in the scopes of a payment, where somebody wants to know.
    pub fn count_calls_in(&mut self, now: Timestamp, scopes: &Scopes, calls: u32) {
        if let Some(counters) = &mut self.counters {
            counters.count_calls(scopes, now, calls);
        }
    }

    /// Counts payments that a crash may have lost, in every scope.
    pub fn count_lost_calls(&mut self, now: Timestamp, calls: u32) {
        if let Some(counters) = &mut self.counters {
            counters.count_lost_calls(now, calls);
        }
    }

    /// What counts in a scope of a payment, of which `service` is paid: in a calendar window, or without one in all of `over`. Where it is not
    /// counted, the most that it can be.
    #[must_use]
    pub fn counted(
        &self,
        scope: Scope,
        over: &Over,
        service: Option<NameId>,
        calendar: Option<Calendar>,
        now: Timestamp,
    ) -> Amount {
        let counters = self.counters.as_deref();
        let counted = counters.and_then(|counters| counters.used(scope, over, service, calendar, now));
        counted.unwrap_or_else(|| self.basis(now).used(scope, over, service, calendar, now))
    }

    /// The payments that count in a scope.
    #[must_use]
    pub fn counted_calls(&self, scope: Scope, period: Period, now: Timestamp) -> u64 {
        self.counters.as_ref().map_or(0, |counters| counters.calls(scope, period, now))
    }

    /// Every scope of a kind that has a counter over some time.
    pub fn counted_scopes(&self, whose: Whose, over: &Over) -> impl Iterator<Item = Scope> {
        self.counters.iter().flat_map(move |counters| counters.scopes(whose, over))
    }

    /// Whether endpoints are counted for a protocol, whoever asked for it.
    #[must_use]
    pub fn has_endpoints(&self, protocol: Protocol) -> bool {
        self.counters.as_ref().is_some_and(|counters| counters.has_endpoints(protocol))
    }

    /// Whether an endpoint is counted already, or may be as one of at most `maximum`.
    #[must_use]
    pub fn has_room_for(&self, scope: Scope, maximum: u32) -> bool {
        let counters = self.counters.as_ref();
        counters.is_none_or(|counters| counters.knows(scope) || counters.endpoints() < maximum as usize)
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
