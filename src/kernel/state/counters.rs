//! The counters of an agent that only some rules look at: zones, rolling spans, endpoints, the pace of wallets. An agent whose policies
//! ask for none has none.

use bincode::{Decode, Encode};

use super::{
    past::Past,
    rolling::{Parts, Rolling},
    velocity::Velocity,
    window::{Calendar, Weight, Windows},
    zoned::Zoned,
};
use crate::kernel::{
    Amount, EndpointId, NameId, Period, Protocol, Timestamp,
    policy::counted::{Counted, CountedSet, Over, Whose},
};

/// The counters of one agent, ordered by scope and by the time they count over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Counters {
    /// Of the set that a program asked for last.
    digest: u64,
    /// That set, and what goes on being counted without it.
    counted: Vec<Counted>,
    list: Vec<Counter>,
    /// What services had got when their endpoints began to be counted, by protocol.
    before: Vec<Before>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Counter {
    scope: Scope,
    over: Over,
    count: Count,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
enum Count {
    /// What there is beyond the amount came before it was counted, and may have been of another scope.
    Utc(Windows, Amount),
    Calendar(Zoned),
    Rolling(Box<Rolling>),
    Calls(Box<Velocity>),
}

/// What payments a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Scope {
    /// All of the agent's.
    Agent,
    /// Those from the wallet at this position.
    Wallet(u8),
    /// Those to a service.
    Service(Protocol, NameId),
    /// Those to an endpoint of a service.
    Endpoint(Protocol, EndpointId),
    /// Those that a crash may have lost: nobody knows from which wallet and to which endpoint.
    Lost,
}

/// The scopes of one payment.
#[derive(Clone, Copy, Debug)]
pub struct Scopes {
    /// Through which protocol.
    pub protocol: Protocol,
    /// From which wallet.
    pub wallet: Option<u8>,
    /// To which service.
    pub service: Option<NameId>,
    /// To which endpoint, where endpoints are counted.
    pub endpoint: Option<EndpointId>,
}

/// A change of what a hold weighs.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// When the hold was placed.
    pub placed: Timestamp,
    /// What it was approved for then.
    pub approved: Amount,
    /// What it weighed.
    pub before: Weight,
    /// What it weighs.
    pub after: Weight,
}

/// What is known of the scopes that exist when counters begin.
#[derive(Clone, Copy)]
pub(super) struct Basis<'a> {
    pub(super) windows: &'a Windows,
    pub(super) wallets: &'a [Windows],
    pub(super) services: &'a [super::activity::Service],
    /// Of the agent, as of the moment.
    pub(super) past: Past,
}

/// What the services of a protocol had got at a moment: any of their endpoints may have got all of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Before {
    protocol: Protocol,
    at: Timestamp,
    past: Past,
    /// In the order of their services.
    services: Vec<(NameId, Windows)>,
}

impl Scopes {
    /// The scope of a kind.
    #[must_use]
    pub fn of(&self, whose: Whose) -> Option<Scope> {
        match whose {
            Whose::Agent => Some(Scope::Agent),
            Whose::Wallet => self.wallet.map(Scope::Wallet),
            Whose::Service(protocol) if protocol == self.protocol => {
                self.service.map(|service| Scope::Service(protocol, service))
            }
            Whose::Endpoint(protocol) if protocol == self.protocol => {
                self.endpoint.map(|endpoint| Scope::Endpoint(protocol, endpoint))
            }
            Whose::Service(_) | Whose::Endpoint(_) => None,
        }
    }
}

impl Scope {
    fn is_of(self, whose: Whose) -> bool {
        match (self, whose) {
            (Scope::Agent, Whose::Agent) | (Scope::Wallet(_), Whose::Wallet) => true,
            (Scope::Service(of, _), Whose::Service(protocol)) => of == protocol,
            (Scope::Endpoint(of, _), Whose::Endpoint(protocol)) => of == protocol,
            (Scope::Agent | Scope::Wallet(_) | Scope::Service(..) | Scope::Endpoint(..) | Scope::Lost, _) => false,
        }
    }
}

impl Basis<'_> {
    /// The most that can have been used in a scope which is not counted.
    pub(super) fn used(
        &self,
        scope: Scope,
        over: &Over,
        service: Option<NameId>,
        calendar: Option<Calendar>,
        now: Timestamp,
    ) -> Amount {
        let of_service = |protocol, service: Option<NameId>| {
            let found = super::activity::Service::search(self.services, (protocol, service));
            found.ok().and_then(|at| self.services.get(at)).map(|service| &service.windows)
        };
        let windows = match scope {
            Scope::Agent | Scope::Lost => Some(self.windows),
            Scope::Wallet(position) => self.wallets.get(usize::from(position)),
            Scope::Service(protocol, name) => of_service(protocol, Some(name)),
            Scope::Endpoint(protocol, _) => of_service(protocol, service),
        };
        windows.map_or(Amount::ZERO, |windows| Count::begin(over, windows, &self.past, now).used(calendar, now))
    }
}

impl Counters {
    /// Whether these are what a program asks for.
    pub(super) fn are_for(&self, asked: &CountedSet) -> bool {
        self.digest == asked.digest()
    }

    /// Whether nothing is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// Counts from `now` on what is asked for; what is not asked for any more is dropped, unless it goes on being counted.
    pub(super) fn ask(&mut self, asked: &CountedSet, basis: &Basis<'_>, now: Timestamp) {
        let known = std::mem::take(&mut self.counted);
        self.counted = asked.as_slice().to_vec();
        self.counted.extend(known.iter().filter(|counted| counted.goes_on()).cloned());
        self.counted.sort();
        self.counted.dedup();
        self.digest = asked.digest();
        let counted = &self.counted;
        self.list.retain(|counter| match (counter.scope, &counter.over) {
            (Scope::Lost, over) => counted.iter().any(|counted| counted.over == *over),
            (scope, over) => counted.iter().any(|counted| counted.over == *over && scope.is_of(counted.whose)),
        });
        let new: Vec<Counted> = counted.iter().filter(|counted| !known.contains(counted)).cloned().collect();
        for counted in new {
            self.begin(&counted, basis, now);
        }
    }

    /// The counters of scopes that exist already, with the most that can have been used in them.
    fn begin(&mut self, counted: &Counted, basis: &Basis<'_>, now: Timestamp) {
        let count = |windows: &Windows| Count::begin(&counted.over, windows, &basis.past, now);
        let positions = 0..=u8::MAX;
        let services = |protocol| basis.services.iter().filter(move |service| service.key.0 == protocol);
        let begun: Vec<(Scope, Count)> = match (counted.whose, &counted.over) {
            (_, Over::Calls(_)) => Vec::new(),
            (Whose::Agent, _) => vec![(Scope::Agent, count(basis.windows))],
            (Whose::Wallet, _) => {
                basis.wallets.iter().zip(positions).map(|(windows, at)| (Scope::Wallet(at), count(windows))).collect()
            }
            (Whose::Service(protocol), _) => services(protocol)
                .filter_map(|service| Some((Scope::Service(protocol, service.key.1?), count(&service.windows))))
                .collect(),
            (Whose::Endpoint(protocol), Over::Utc) => {
                let named = services(protocol).filter_map(|service| Some((service.key.1?, service.windows.clone())));
                self.before.push(Before { protocol, at: now, past: basis.past, services: named.collect() });
                Vec::new()
            }
            (Whose::Endpoint(_), Over::Calendar(_) | Over::Rolling(_)) => self
                .list
                .iter()
                .filter(|counter| counter.scope.is_of(counted.whose))
                .filter_map(|counter| match &counter.count {
                    Count::Utc(windows, _) => Some((counter.scope, count(windows))),
                    Count::Calendar(_) | Count::Rolling(_) | Count::Calls(_) => None,
                })
                .collect(),
        };
        for (scope, count) in begun {
            self.insert(scope, &counted.over, count);
        }
    }

    /// Books a change in every counter of its scopes.
    pub(super) fn book(&mut self, scopes: &Scopes, change: &Change, now: Timestamp) {
        self.book_in(scopes, change, now, |_| true);
    }

    fn book_in(&mut self, scopes: &Scopes, change: &Change, now: Timestamp, wanted: impl Fn(Scope) -> bool) {
        for at in 0..self.counted.len() {
            let Counted { whose, over } = &self.counted[at];
            let money = !matches!(over, Over::Calls(_));
            let Some(scope) = scopes.of(*whose).filter(|scope| money && wanted(*scope)) else { continue };
            let over = over.clone();
            match self.count_mut(scope, &over, scopes.service, now) {
                Count::Utc(windows, _) => windows.book(change.placed, now, change.before, change.after),
                Count::Calendar(zoned) => zoned.book(change.placed, now, change.before.used, change.after.used),
                Count::Rolling(rolling) => {
                    let parts = |weight: Weight| Parts::of(weight.used, change.approved);
                    rolling.book(change.placed, now, parts(change.before), parts(change.after));
                }
                Count::Calls(_) => {}
            }
        }
    }

    /// Books what was paid now by the agent, and from any of so many wallets.
    pub(super) fn book_lost(&mut self, weight: Weight, wallets: usize, now: Timestamp) {
        let change = Change { placed: now, approved: weight.used, before: Weight::default(), after: weight };
        let nowhere = Scopes { protocol: Protocol::Payment, wallet: None, service: None, endpoint: None };
        self.book(&nowhere, &change, now);
        for (_, wallet) in (0..wallets).zip(0..=u8::MAX) {
            self.book_in(&Scopes { wallet: Some(wallet), ..nowhere }, &change, now, |scope| scope != Scope::Agent);
        }
    }

    /// Counts payments in every counter of their scopes that counts payments.
    pub(super) fn count_calls(&mut self, scopes: &Scopes, now: Timestamp, calls: u32) {
        self.add_calls(now, calls, |whose| scopes.of(whose));
    }

    /// Counts payments that a crash may have lost.
    pub(super) fn count_lost_calls(&mut self, now: Timestamp, calls: u32) {
        self.add_calls(now, calls, |_| Some(Scope::Lost));
    }

    fn add_calls(&mut self, now: Timestamp, calls: u32, scope_of: impl Fn(Whose) -> Option<Scope>) {
        let mut added: Vec<(Scope, Period)> = Vec::new();
        for at in 0..self.counted.len() {
            let Counted { whose, over: Over::Calls(period) } = self.counted[at] else { continue };
            let Some(scope) = scope_of(whose).filter(|scope| !added.contains(&(*scope, period))) else { continue };
            if let Count::Calls(velocity) = self.count_mut(scope, &Over::Calls(period), None, now) {
                velocity.add(now, calls);
                added.push((scope, period));
            }
        }
    }

    /// What counts in a scope: in a calendar window, or where `calendar` is none in all of the time that is counted over. `None` where
    /// such scopes are not counted.
    pub(super) fn used(
        &self,
        scope: Scope,
        over: &Over,
        service: Option<NameId>,
        calendar: Option<Calendar>,
        now: Timestamp,
    ) -> Option<Amount> {
        if let Ok(at) = self.find(scope, over) {
            return Some(self.list[at].count.used(calendar, now));
        }
        let is_counted = self.counted.iter().any(|counted| counted.over == *over && scope.is_of(counted.whose));
        is_counted.then(|| self.fresh(scope, over, service, now).used(calendar, now))
    }

    /// The payments that count in a scope.
    pub(super) fn calls(&self, scope: Scope, period: Period, now: Timestamp) -> u64 {
        let count = |scope| match self.find(scope, &Over::Calls(period)).map(|at| &self.list[at].count) {
            Ok(Count::Calls(velocity)) => velocity.count(now),
            Ok(Count::Utc(..) | Count::Calendar(_) | Count::Rolling(_)) | Err(_) => 0,
        };
        let lost = if scope == Scope::Lost { 0 } else { count(Scope::Lost) };
        count(scope) + lost
    }

    /// Whether anything is counted of a scope already.
    pub(super) fn knows(&self, scope: Scope) -> bool {
        self.list.binary_search_by_key(&scope, |counter| counter.scope).is_ok()
    }

    /// Every scope of a kind that has a counter over some time.
    pub(super) fn scopes(&self, whose: Whose, over: &Over) -> impl Iterator<Item = Scope> {
        let is_asked = move |counter: &&Counter| counter.over == *over && counter.scope.is_of(whose);
        self.list.iter().filter(is_asked).map(|counter| counter.scope)
    }

    /// Of how many endpoints anything is counted.
    pub(super) fn endpoints(&self) -> usize {
        let of_scopes = self.list.chunk_by(|counter, next| counter.scope == next.scope).filter_map(<[Counter]>::first);
        of_scopes.filter(|counter| matches!(counter.scope, Scope::Endpoint(..))).count()
    }

    /// Whether endpoints are counted for a protocol.
    pub(super) fn has_endpoints(&self, protocol: Protocol) -> bool {
        self.before.iter().any(|before| before.protocol == protocol)
    }

    /// The most that any endpoint of a service can have got before its endpoints were counted.
    fn before(&self, protocol: Protocol, service: Option<NameId>) -> Option<(&Before, &Windows)> {
        let before = self.before.iter().find(|before| before.protocol == protocol)?;
        let at = before.services.binary_search_by_key(&service?, |(name, _)| *name).ok()?;
        Some((before, &before.services[at].1))
    }

    fn count_mut(&mut self, scope: Scope, over: &Over, service: Option<NameId>, now: Timestamp) -> &mut Count {
        let at = match self.find(scope, over) {
            Ok(at) => at,
            Err(_) => {
                let fresh = self.fresh(scope, over, service, now);
                self.insert(scope, over, fresh)
            }
        };
        &mut self.list[at].count
    }

    /// A counter of a scope that was never used since such scopes are counted.
    fn fresh(&self, scope: Scope, over: &Over, service: Option<NameId>, now: Timestamp) -> Count {
        let before = match scope {
            Scope::Endpoint(protocol, _) => self.before(protocol, service),
            Scope::Agent | Scope::Wallet(_) | Scope::Service(..) | Scope::Lost => None,
        };
        match (over, before) {
            (Over::Utc, Some((_, windows))) => Count::Utc(windows.clone(), windows.total().used),
            (Over::Calendar(zone), Some((before, windows))) => {
                Count::Calendar(Zoned::begin_late(zone, windows, &before.past, before.at, now))
            }
            (over, _) => Count::begin(over, &Windows::EMPTY, &Past::EMPTY, now),
        }
    }

    fn insert(&mut self, scope: Scope, over: &Over, count: Count) -> usize {
        match self.find(scope, over) {
            Ok(at) => at,
            Err(at) => {
                self.list.insert(at, Counter { scope, over: over.clone(), count });
                at
            }
        }
    }

    fn find(&self, scope: Scope, over: &Over) -> Result<usize, usize> {
        self.list.binary_search_by(|counter| counter.scope.cmp(&scope).then_with(|| counter.over.cmp(over)))
    }
}

impl Count {
    fn begin(over: &Over, windows: &Windows, past: &Past, now: Timestamp) -> Count {
        match over {
            Over::Utc => Count::Utc(windows.clone(), windows.total().used),
            Over::Calendar(zone) => Count::Calendar(Zoned::begin(zone, windows, past, now)),
            Over::Rolling(length) => {
                let from = Timestamp::from_micros(now.micros().saturating_sub(length.micros()));
                Count::Rolling(Box::new(Rolling::begin(*length, past.bound(windows, from, now), now)))
            }
            Over::Calls(period) => Count::Calls(Box::new(Velocity::new(*period))),
        }
    }

    fn used(&self, calendar: Option<Calendar>, now: Timestamp) -> Amount {
        match (self, calendar) {
            (Count::Utc(windows, _), Some(calendar)) => windows.used(calendar, now),
            (Count::Utc(windows, before), None) => windows.total().used.saturating_sub(*before),
            (Count::Calendar(zoned), Some(calendar)) => zoned.used(calendar, now),
            (Count::Rolling(rolling), None) => rolling.used(now),
            // No rule asks a counter what it does not count.
            (Count::Calendar(_), None) | (Count::Rolling(_), Some(_)) | (Count::Calls(_), _) => Amount::MAX,
        }
    }
}
