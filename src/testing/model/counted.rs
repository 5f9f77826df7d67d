//! What only some rules look at: zones, rolling spans, endpoints, wallets. A counter of the kernel begins when a policy asks for it, with the
//! most that may have been used before; here that is a surplus over what the list says, which lasts as long as that moment counts.

use super::{
    Model,
    agent::{Agent, Hold, Place},
    sum::{Scope, micros},
};
use crate::kernel::{
    Duration, Period, Protocol, Timestamp, Zone,
    policy::{Counted, CountedSet, Over, SpendWindow, Whose},
    time::{month_begins, month_of, week_begins, week_of},
};

const PERIODS: [SpendWindow; 3] = [SpendWindow::Day, SpendWindow::Week, SpendWindow::Month];

/// What was used in the windows before the current ones, and on the last days of those.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    previous: [i128; 3],
    eve: [i128; 3],
}

/// Something began to be counted.
#[derive(Clone, Debug)]
pub(super) struct Start {
    counted: Counted,
    at: Timestamp,
    /// How long the lists were then.
    payments: usize,
    growths: usize,
    calls: usize,
    /// By scope: how much more was assumed to be used than the list says, in each window or in the span.
    surplus: Vec<(Known, [i128; 3])>,
}

/// A scope, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Agent,
    Wallet(usize),
    Service(Protocol, String),
    Endpoint(Protocol, String),
}

/// What a service had got when its endpoints began to be counted.
#[derive(Clone, Debug)]
pub(super) struct Before {
    protocol: Protocol,
    service: String,
    at: Timestamp,
    windows: Windows,
    past: Past,
}

/// What is known of a scope in UTC.
#[derive(Clone, Copy, Debug)]
struct Windows {
    used: [i128; 3],
    total: i128,
}

/// A payment, or several, as narrow counts see it.
#[derive(Clone, Debug)]
pub(super) struct NarrowCall {
    pub(super) at: Timestamp,
    pub(super) count: u64,
    pub(super) wallet: Option<usize>,
    pub(super) protocol: Protocol,
    pub(super) endpoint: Option<String>,
    /// Whether a crash may have lost it, so that it counts everywhere.
    pub(super) lost: bool,
}

impl Model {
    /// What the rules of an agent want counted.
    pub(super) fn asked(&self, agent: usize) -> CountedSet {
        self.all_rules(agent).iter().filter_map(|rule| rule.counted(Whose::Agent)).collect()
    }

    /// Begins to count what is asked for and not counted yet; what is not asked for any more is forgotten, where it can be.
    pub(super) fn ask(&mut self, agent: usize) {
        let (asked, now) = (self.asked(agent), self.now);
        let agent = &mut self.agents[agent];
        agent.starts.retain(|start| start.counted.goes_on() || asked.as_slice().contains(&start.counted));
        let is_new = |counted: &&Counted| !agent.starts.iter().any(|start| start.counted == **counted);
        let new: Vec<Counted> = asked.as_slice().iter().filter(is_new).cloned().collect();
        for counted in new {
            agent.start(counted, now);
        }
    }

    pub(super) fn ask_active_agents(&mut self) {
        for agent in 0..self.agents.len() {
            if self.agents[agent].active {
                self.ask(agent);
            }
        }
    }

    /// The endpoint of a payment, where the agent's endpoints are counted.
    pub(super) fn endpoint(&self, agent: usize, protocol: Protocol, service: &str, resource: &str) -> Option<String> {
        let whose = Whose::Endpoint(protocol);
        let asked = self.asked(agent).as_slice().iter().any(|counted| counted.whose == whose);
        let counted = self.agents[agent].starts.iter().any(|start| start.counted.whose == whose);
        (asked || counted).then(|| format!("{service} {}", crate::kernel::endpoint::path(resource)))
    }
}

impl Agent {
    /// The wallet that pays for a hold.
    pub(super) fn payer(&self, hold: &Hold) -> Option<usize> {
        match hold.place {
            Place::Own | Place::Deposit => hold.wallet,
            Place::Envelope => self.deposit(hold.session).and_then(|deposit| self.holds[deposit].wallet),
        }
    }

    /// Remembers what windows are about to forget, since the day turns.
    pub(super) fn turn(&mut self, was: Timestamp, now: Timestamp) {
        let used = PERIODS.map(|period| self.used_in_window(Scope::Agent, period, was));
        for (at, period) in PERIODS.into_iter().enumerate() {
            let (before, after) = (number(period, was.day()), number(period, now.day()));
            if before != after {
                self.past.previous[at] = if before + 1 == after { used[at] } else { 0 };
                self.past.eve[at] = if was.day() + 1 == begins(period, now.day()) { used[0] } else { 0 };
            }
        }
    }

    /// What counts in a scope, of which `service` is paid: in a calendar window, or without one in all of the time.
    pub(super) fn used_over(
        &self,
        scope: Scope<'_>,
        service: &str,
        over: &Over,
        period: Option<SpendWindow>,
        now: Timestamp,
    ) -> i128 {
        let whose = match scope {
            Scope::Wallet(_) => Whose::Wallet,
            Scope::Service(protocol, _) => Whose::Service(protocol),
            Scope::Endpoint(protocol, _) => Whose::Endpoint(protocol),
            Scope::Agent | Scope::Session(_) | Scope::Rail(_) => Whose::Agent,
        };
        let counted = Counted { whose, over: over.clone() };
        match self.starts.iter().find(|start| start.counted == counted) {
            Some(start) => {
                self.listed(scope, over, period, start, now) + self.surplus(start, scope, service, period, now)
            }
            None => self.unlisted(scope, service, over, period, now),
        }
    }

    /// The calls that count in a scope: those of it, and those that nobody knows the scope of.
    pub(super) fn calls_over(
        &self,
        wallet: Option<usize>,
        endpoint: Option<(Protocol, &str)>,
        period: Period,
        now: Timestamp,
    ) -> u64 {
        let whose = endpoint.map_or(Whose::Wallet, |(protocol, _)| Whose::Endpoint(protocol));
        let lost_from = self.starts.iter().filter(|start| start.counted.over == Over::Calls(period));
        let lost_from = lost_from.map(|start| start.calls).min().unwrap_or(usize::MAX);
        let counted = Counted { whose, over: Over::Calls(period) };
        let from = self.starts.iter().find(|start| start.counted == counted).map_or(usize::MAX, |start| start.calls);
        let step = period.length().micros() / 60;
        let is_current = |call: &NarrowCall| now.micros() / step <= call.at.micros() / step + 60;
        let is_its = |call: &NarrowCall| match endpoint {
            Some((protocol, endpoint)) => call.protocol == protocol && call.endpoint.as_deref() == Some(endpoint),
            None => wallet.is_some() && call.wallet == wallet,
        };
        let counts = |(place, call): &(usize, &NarrowCall)| {
            is_current(call) && if call.lost { *place >= lost_from } else { *place >= from && is_its(call) }
        };
        self.narrow_calls.iter().enumerate().filter(counts).map(|(_, call)| call.count).sum()
    }

    /// The endpoints at which money was booked, or calls counted.
    pub(super) fn endpoints(&self, protocol: Protocol) -> Vec<&str> {
        let holds = self.holds.iter().filter(|hold| hold.place != Place::Envelope && hold.protocol == protocol);
        let payments = self.payments.iter().filter(|payment| payment.protocol == Some(protocol));
        let mut endpoints: Vec<&str> = holds
            .filter_map(|hold| hold.endpoint.as_deref())
            .chain(payments.filter_map(|payment| payment.endpoint.as_deref()))
            .collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        endpoints
    }

    /// The endpoints that were called.
    pub(super) fn called_endpoints(&self, protocol: Protocol) -> Vec<&str> {
        let calls = self.narrow_calls.iter().filter(|call| call.protocol == protocol);
        calls.filter_map(|call| call.endpoint.as_deref()).collect()
    }

    fn start(&mut self, counted: Counted, now: Timestamp) {
        if let (Whose::Endpoint(protocol), Over::Utc) = (counted.whose, &counted.over) {
            let before: Vec<Before> = self
                .paid_services(protocol)
                .into_iter()
                .map(|service| {
                    let windows = self.windows(Scope::Service(protocol, &service), now);
                    Before { protocol, service, at: now, windows, past: self.past }
                })
                .collect();
            self.before.extend(before);
        }
        let known: Vec<Known> = match (counted.whose, &counted.over) {
            (_, Over::Calls(_) | Over::Utc) => Vec::new(),
            (Whose::Agent, _) => vec![Known::Agent],
            (Whose::Wallet, _) => (0..self.wallets.len()).map(Known::Wallet).collect(),
            (Whose::Service(protocol), _) => {
                let services = self.paid_services(protocol).into_iter();
                services.map(|service| Known::Service(protocol, service)).collect()
            }
            (Whose::Endpoint(protocol), _) => {
                let endpoints = self.endpoints(protocol).into_iter();
                endpoints.map(|endpoint| Known::Endpoint(protocol, endpoint.to_owned())).collect()
            }
        };
        let mut start = Start {
            counted,
            at: now,
            payments: self.payments.len(),
            growths: self.growths.len(),
            calls: self.narrow_calls.len(),
            surplus: Vec::new(),
        };
        for known in known {
            let surplus = self.surplus_of(&known, &start, now);
            start.surplus.push((known, surplus));
        }
        self.starts.push(start);
    }

    fn surplus_of(&self, known: &Known, start: &Start, now: Timestamp) -> [i128; 3] {
        let scope = known.scope();
        let mut windows = self.windows(scope, now);
        if let Scope::Endpoint(_, endpoint) = scope {
            let service = endpoint.split(' ').next().unwrap_or_default();
            windows.used = PERIODS.map(|period| self.used_over(scope, service, &Over::Utc, Some(period), now));
            let before = self.before.iter().find(|before| before.is_of(scope, service));
            windows.total += before.map_or(0, |before| before.windows.total);
        }
        let bound = |from| self.past.bound(&windows, from, now);
        match &start.counted.over {
            Over::Calendar(zone) => PERIODS.map(|period| {
                let exact = self.listed(scope, &start.counted.over, Some(period), start, now);
                bound(begins_in_zone(zone, period, now)) - exact
            }),
            Over::Rolling(length) => {
                let exact = self.listed(scope, &start.counted.over, None, start, now);
                [bound(before(now, *length)) - exact, 0, 0]
            }
            Over::Utc | Over::Calls(_) => [0; 3],
        }
    }

    /// What counts according to the list.
    fn listed(
        &self,
        scope: Scope<'_>,
        over: &Over,
        period: Option<SpendWindow>,
        start: &Start,
        now: Timestamp,
    ) -> i128 {
        match (over, period) {
            (Over::Utc, Some(period)) => self.used_in_window(scope, period, now),
            (Over::Utc, None) => self.total(scope).used,
            (Over::Calendar(zone), Some(period)) => {
                self.used_where(scope, |at, now| is_current_in_zone(zone, period, at, now), now)
            }
            (Over::Rolling(length), _) => self.rolled(scope, *length, start, now),
            (Over::Calendar(_), None) | (Over::Calls(_), _) => unreachable!("no rule asks for this"),
        }
    }

    fn rolled(&self, scope: Scope<'_>, length: Duration, start: &Start, now: Timestamp) -> i128 {
        let is_current = |at: Timestamp, now: Timestamp| is_in_span(length, at, now);
        let approved = |hold: &Hold| micros(hold.approval.amount);
        let counts_by_itself = |hold: &Hold, now| hold.placed_at >= start.at && is_current(hold.placed_at, now);
        let in_scope = |hold: &&Hold| self.is_in(hold, scope);
        let holds = self.holds.iter().filter(in_scope).filter(|hold| counts_by_itself(hold, now));
        let held: i128 = holds.map(|hold| self.weight(hold).used.min(approved(hold))).sum();
        let payments = self.payments.iter().skip(start.payments).filter(|paid| paid.is_in(scope));
        let paid: i128 = payments.filter(|paid| is_current(paid.at, now)).map(|paid| paid.amount).sum();
        let growths = self.growths.iter().skip(start.growths).filter(|growth| is_current(growth.at, now));
        let grown = growths.filter(|growth| self.is_in(&self.holds[growth.hold], scope)).map(|growth| {
            let hold = &self.holds[growth.hold];
            let beyond = |used: i128| (used - approved(hold)).max(0);
            let whole = counts_by_itself(hold, growth.at);
            if whole { beyond(growth.from + growth.amount) - beyond(growth.from) } else { growth.amount }
        });
        held + paid + grown.sum::<i128>()
    }

    /// What counts beyond the list, since counting began in the middle of it.
    fn surplus(
        &self,
        start: &Start,
        scope: Scope<'_>,
        service: &str,
        period: Option<SpendWindow>,
        now: Timestamp,
    ) -> i128 {
        let at = period.map_or(0, |period| period as usize);
        let known = start.surplus.iter().find(|(known, _)| known.is(scope)).map(|(_, surplus)| surplus[at]);
        let lasts = |began: Timestamp| match (&start.counted.over, period) {
            (Over::Utc, Some(period)) => number(period, began.day()) == number(period, now.day()),
            (Over::Calendar(zone), Some(period)) => is_current_in_zone(zone, period, began, now),
            (Over::Rolling(length), _) => is_in_span(*length, began, now),
            (Over::Utc | Over::Calendar(_) | Over::Calls(_), _) => false,
        };
        match (known, scope) {
            (Some(surplus), _) => surplus * i128::from(lasts(start.at)),
            (None, Scope::Endpoint(..)) => {
                let known = self.before.iter().find(|before| before.is_of(scope, service));
                let Some(before) = known.filter(|before| lasts(before.at)) else { return 0 };
                match &start.counted.over {
                    Over::Calendar(zone) => {
                        let from = begins_in_zone(zone, PERIODS[at], before.at);
                        before.past.bound(&before.windows, from, before.at)
                    }
                    _ => before.windows.used[at],
                }
            }
            _ => 0,
        }
    }

    /// The most that can count where nothing is counted.
    fn unlisted(
        &self,
        scope: Scope<'_>,
        service: &str,
        over: &Over,
        period: Option<SpendWindow>,
        now: Timestamp,
    ) -> i128 {
        let scope = match scope {
            Scope::Endpoint(protocol, _) => Scope::Service(protocol, service),
            other => other,
        };
        let windows = self.windows(scope, now);
        match (over, period) {
            (Over::Utc, Some(period)) => windows.used[period as usize],
            (Over::Calendar(zone), Some(period)) => self.past.bound(&windows, begins_in_zone(zone, period, now), now),
            (Over::Rolling(length), _) => self.past.bound(&windows, before(now, *length), now),
            (Over::Utc | Over::Calendar(_), None) | (Over::Calls(_), _) => 0,
        }
    }

    fn windows(&self, scope: Scope<'_>, now: Timestamp) -> Windows {
        let used = PERIODS.map(|period| self.used_in_window(scope, period, now));
        Windows { used, total: self.total(scope).used }
    }

    fn paid_services(&self, protocol: Protocol) -> Vec<String> {
        let holds = self.holds.iter().filter(|hold| hold.protocol == protocol).map(|hold| &hold.service);
        let payments = self.payments.iter().filter(|payment| payment.protocol == Some(protocol));
        let mut services: Vec<String> = holds.chain(payments.map(|payment| &payment.service)).cloned().collect();
        services.sort_unstable();
        services.dedup();
        services
    }
}

impl Past {
    fn bound(&self, windows: &Windows, from: Timestamp, at: Timestamp) -> i128 {
        let (from, today) = (from.day(), at.day());
        let within = |(at, period): (usize, SpendWindow)| {
            if from >= begins(period, today) {
                Some(windows.used[at])
            } else if from + 1 == begins(period, today) {
                Some(windows.used[at] + self.eve[at])
            } else {
                let reaches = number(period, from) + 1 == number(period, today);
                reaches.then(|| windows.used[at] + self.previous[at])
            }
        };
        PERIODS.into_iter().enumerate().filter_map(within).chain([windows.total]).min().unwrap_or_default()
    }
}

impl Before {
    fn is_of(&self, scope: Scope<'_>, service: &str) -> bool {
        matches!(scope, Scope::Endpoint(protocol, _) if protocol == self.protocol) && self.service == service
    }
}

impl Known {
    fn scope(&self) -> Scope<'_> {
        match self {
            Known::Agent => Scope::Agent,
            Known::Wallet(wallet) => Scope::Wallet(*wallet),
            Known::Service(protocol, service) => Scope::Service(*protocol, service),
            Known::Endpoint(protocol, endpoint) => Scope::Endpoint(*protocol, endpoint),
        }
    }

    fn is(&self, scope: Scope<'_>) -> bool {
        match (self, scope) {
            (Known::Agent, Scope::Agent) => true,
            (Known::Wallet(one), Scope::Wallet(other)) => *one == other,
            (Known::Service(protocol, one), Scope::Service(of, other))
            | (Known::Endpoint(protocol, one), Scope::Endpoint(of, other)) => *protocol == of && one == other,
            _ => false,
        }
    }
}

fn number(period: SpendWindow, day: u32) -> u32 {
    match period {
        SpendWindow::Day => day,
        SpendWindow::Week => week_of(day),
        SpendWindow::Month => month_of(day),
    }
}

fn begins(period: SpendWindow, day: u32) -> u32 {
    match period {
        SpendWindow::Day => day,
        SpendWindow::Week => week_begins(day),
        SpendWindow::Month => month_begins(day),
    }
}

fn before(now: Timestamp, length: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_sub(length.micros()))
}

/// Whether what happened at `at` still counts at `now`, to the end of its sixtieth of the span.
fn is_in_span(length: Duration, at: Timestamp, now: Timestamp) -> bool {
    let step = length.micros().div_ceil(60);
    now.micros() / step <= at.micros() / step + 60
}

/// The date on which a window of a zone began.
fn window_in_zone(zone: &Zone, period: SpendWindow, at: Timestamp) -> jiff::civil::Date {
    let local = zone.local(at).expect("the workload stays within the calendar");
    let (year, month, day) = local.date;
    let date = jiff::civil::date(year, month as i8, day as i8);
    match period {
        SpendWindow::Day => date,
        SpendWindow::Week => date.saturating_sub(jiff::Span::new().days(local.weekday)),
        SpendWindow::Month => date.first_of_month(),
    }
}

fn is_current_in_zone(zone: &Zone, period: SpendWindow, at: Timestamp, now: Timestamp) -> bool {
    window_in_zone(zone, period, at) == window_in_zone(zone, period, now)
}

/// When the window of a zone began: the first moment of its date.
fn begins_in_zone(zone: &Zone, period: SpendWindow, now: Timestamp) -> Timestamp {
    let date = window_in_zone(zone, period, now);
    let midnight = date.to_zoned(jiff::tz::TimeZone::get(zone.name()).expect("the zone exists"));
    let micros = midnight.expect("the workload stays within the calendar").timestamp().as_microsecond();
    Timestamp::from_micros(micros.unsigned_abs())
}
