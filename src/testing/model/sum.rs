//! Every sum that a limit looks at, taken from the list of what happened.

use super::agent::{Agent, Hold, Payment, Place};
use crate::kernel::{
    Amount, Period, Protocol, Timestamp,
    policy::SpendWindow,
    time::{month_of, week_of},
};

/// Over which part of the list a sum runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'a> {
    Agent,
    Service(Protocol, &'a str),
    Wallet(usize),
    Session(u32),
    Rail(Protocol),
    Endpoint(Protocol, &'a str),
}

/// Held and captured, and captured alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) used: i128,
    pub(super) spent: i128,
}

impl Sum {
    pub(super) fn held(self) -> i128 {
        self.used - self.spent
    }
}

/// A hold or a payment, as it counts.
struct Entry<'a> {
    at: Timestamp,
    protocol: Option<Protocol>,
    service: &'a str,
    session: u32,
    wallets: &'a [usize],
    endpoint: Option<&'a str>,
    sum: Sum,
}

impl Entry<'_> {
    fn is_in(&self, scope: Scope<'_>) -> bool {
        match scope {
            Scope::Agent => true,
            Scope::Service(protocol, service) => self.protocol == Some(protocol) && self.service == service,
            Scope::Wallet(wallet) => self.wallets.contains(&wallet),
            Scope::Session(session) => self.session == session,
            Scope::Rail(protocol) => self.protocol == Some(protocol),
            Scope::Endpoint(protocol, endpoint) => self.protocol == Some(protocol) && self.endpoint == Some(endpoint),
        }
    }
}

/// An amount; a negative sum means that the model itself is wrong.
pub(super) fn amount(micros: i128) -> Amount {
    Amount::from_micros(u64::try_from(micros).expect("sums of the model are never negative"))
}

/// What is left, where less than nothing is nothing.
pub(super) fn left(micros: i128) -> Amount {
    amount(micros.max(0))
}

pub(super) fn micros(amount: Amount) -> i128 {
    i128::from(amount.micros())
}

/// Whether `at` lies in the calendar window that `now` lies in.
pub(super) fn is_current(window: SpendWindow, at: Timestamp, now: Timestamp) -> bool {
    match window {
        SpendWindow::Day => at.day() == now.day(),
        SpendWindow::Week => week_of(at.day()) == week_of(now.day()),
        SpendWindow::Month => month_of(at.day()) == month_of(now.day()),
    }
}

impl Agent {
    /// The sum since the agent exists.
    pub(super) fn total(&self, scope: Scope<'_>) -> Sum {
        let mut sum = Sum::default();
        for entry in self.entries().filter(|entry| entry.is_in(scope)) {
            sum.used += entry.sum.used;
            sum.spent += entry.sum.spent;
        }
        sum
    }

    /// What was placed in the window that is current now, and by what older holds grew in it.
    pub(super) fn used_in_window(&self, scope: Scope<'_>, window: SpendWindow, now: Timestamp) -> i128 {
        self.used_where(scope, |at, now| is_current(window, at, now), now)
    }

    /// The same where `is_current` says whether two moments lie in one window.
    pub(super) fn used_where(
        &self,
        scope: Scope<'_>,
        is_current: impl Fn(Timestamp, Timestamp) -> bool,
        now: Timestamp,
    ) -> i128 {
        let placed = self.entries().filter(|entry| entry.is_in(scope) && is_current(entry.at, now));
        let placed: i128 = placed.map(|entry| entry.sum.used).sum();
        let beyond = self.growths.iter().filter(|growth| {
            let hold = &self.holds[growth.hold];
            let outlived_its_window = !is_current(hold.placed_at, growth.at);
            self.is_in(hold, scope) && outlived_its_window && is_current(growth.at, now)
        });
        let beyond: i128 = beyond.map(|growth| growth.amount).sum();
        placed + beyond
    }

    /// Used in the current day, week and month.
    pub(super) fn used_now(&self, scope: Scope<'_>, now: Timestamp) -> [Amount; 3] {
        [SpendWindow::Day, SpendWindow::Week, SpendWindow::Month]
            .map(|window| amount(self.used_in_window(scope, window, now)))
    }

    /// What the open charges of an envelope reserve of its deposit.
    pub(super) fn held_inside(&self, session: u32) -> i128 {
        let inside = self.holds.iter().filter(|hold| hold.session == session && hold.place == Place::Envelope);
        inside.map(Hold::reserved).sum()
    }

    /// What a deposit still has for new charges.
    pub(super) fn free_of_deposit(&self, deposit: &Hold) -> i128 {
        let closed = self.session(deposit.session).is_none_or(|session| session.closed);
        if closed || !deposit.is_open() {
            0
        } else {
            (deposit.amount - deposit.captured - self.held_inside(deposit.session)).max(0)
        }
    }

    /// What a hold weighs on the agent's counters.
    pub(super) fn weight(&self, hold: &Hold) -> Sum {
        let spent = hold.captured - hold.refunded;
        match hold.place {
            Place::Envelope => Sum::default(),
            Place::Own => Sum { used: spent + hold.reserved(), spent },
            Place::Deposit if !hold.is_open() => Sum { used: spent, spent },
            Place::Deposit => {
                let reserved = self.held_inside(hold.session) + self.free_of_deposit(hold);
                Sum { used: spent + reserved, spent }
            }
        }
    }

    /// Calls that velocity counts at `now`: each until the end of its sixtieth of the period, one period later.
    pub(super) fn pace(&self, period: Period, now: Timestamp) -> u64 {
        let step = period.length().micros() / 60;
        let still = |at: Timestamp| now.micros() / step <= at.micros() / step + 60;
        let from = Period::ALL.iter().position(|each| *each == period).and_then(|index| self.paced_from[index]);
        let counted = &self.paces[from.unwrap_or(self.paces.len())..];
        counted.iter().filter(|(at, _)| still(*at)).map(|(_, count)| count).sum()
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.holds.iter().map(|hold| self.entry(hold)).chain(self.payments.iter().map(Payment::entry))
    }

    /// Whether a hold counts in a scope.
    pub(super) fn is_in(&self, hold: &Hold, scope: Scope<'_>) -> bool {
        self.entry(hold).is_in(scope)
    }

    fn entry<'a>(&self, hold: &'a Hold) -> Entry<'a> {
        Entry {
            at: hold.placed_at,
            protocol: Some(hold.protocol),
            service: &hold.service,
            session: hold.session,
            wallets: hold.wallet.as_slice(),
            endpoint: hold.endpoint.as_deref(),
            sum: self.weight(hold),
        }
    }
}

impl Payment {
    /// Whether it counts in a scope.
    pub(super) fn is_in(&self, scope: Scope<'_>) -> bool {
        self.entry().is_in(scope)
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            at: self.at,
            protocol: self.protocol,
            service: &self.service,
            session: self.session,
            wallets: &self.wallets,
            endpoint: self.endpoint.as_deref(),
            sum: Sum { used: self.amount, spent: self.amount },
        }
    }
}
