//! The rules of a program drawn together for one rail: what an ordinary charge must stay within. One that does is known to at once;
//! of any other, the rules are asked one by one, since all violations are told.

use super::{
    Circumstance, Judgement, NameSet, Over, Rule, RuleKind, Scene, ServiceSet, ServiceWindow, SpendWindow, WalletSet,
    Whose,
};
use crate::kernel::{Amount, Period, Protocol, reason::Reasons};

/// The tightest caps on charges over one rail that neither open nor draw from an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    payment: Option<Amount>,
    recipients: Box<[List<NameSet>]>,
    services: Box<[List<ServiceSet>]>,
    circumstances: Box<[Circumstance]>,
    /// On one session.
    pub session: Option<Amount>,
    /// On the calendar day, week and month.
    pub windows: [Option<Amount>; 3],
    /// On the same at one service.
    pub service_windows: [Option<Amount>; 3],
    /// On everything ever paid to one service.
    pub service_total: Option<Amount>,
    /// On payments in rolling periods.
    pub calls: Box<[(Period, u32)]>,
    /// On what has counters of its own.
    pub totals: Box<[Total]>,
    /// The same for numbers of payments.
    pub paces: Box<[Pace]>,
    /// Wallets from which payments must pass rules of their own.
    pub wallets: WalletSet,
    /// What passed when everything passed.
    pub reasons: Reasons,
}

/// The tightest cap on the money of one counter that only some rules look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Whose payments it counts.
    pub whose: Whose,
    /// Over which time.
    pub over: Over,
    /// Which window of a calendar; all of the time where absent.
    pub window: Option<SpendWindow>,
    /// What it may come to.
    pub cap: Amount,
}

/// The tightest cap on the payments that one counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Whose payments it counts.
    pub whose: Whose,
    /// In any span of this length.
    pub period: Period,
    /// How many there may be.
    pub max_count: u32,
}

/// Names of which one must be, or must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct List<Names> {
    names: Names,
    allows: bool,
}

impl Caps {
    /// The caps that `rules` put on charges of `protocol`.
    #[must_use]
    pub fn new<'r>(rules: impl IntoIterator<Item = &'r Rule>, protocol: Protocol) -> Caps {
        let mut caps = Caps::default();
        let (mut recipients, mut services, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        let (mut circumstances, mut totals, mut paces) = (Vec::new(), Vec::new(), Vec::new());
        for rule in rules.into_iter().filter(|rule| rule.applies().covers(protocol)) {
            let list = |names: &NameSet, allows| List { names: names.clone(), allows };
            let services_of = |names: &ServiceSet, allows| List { names: names.clone(), allows };
            match rule {
                Rule::MaxAmount { cap }
                | Rule::MaxPerRequest { cap, .. }
                | Rule::PriceCeiling { cap, .. }
                | Rule::CardMaxAmount { cap }
                | Rule::ApprovalAbove { cap } => {
                    tighten(&mut caps.payment, *cap);
                }
                Rule::AllowedCounterparties(names) => recipients.push(list(names, true)),
                Rule::BlockedCounterparties(names) => recipients.push(list(names, false)),
                Rule::AllowedServices { services: names, .. } => services.push(services_of(names, true)),
                Rule::BlockedServices { services: names, .. } => services.push(services_of(names, false)),
                Rule::SessionBudget { cap, .. } => tighten(&mut caps.session, *cap),
                Rule::Circumstance(Circumstance { kind: RuleKind::MppBlockSessionIntent, .. }) => continue,
                Rule::Circumstance(circumstance) => circumstances.push(circumstance.clone()),
                // They look at deposits only.
                Rule::SessionDeposit { .. } | Rule::ConcurrentSessions { .. } | Rule::SessionDuration { .. } => {
                    continue;
                }
                Rule::WindowLimit { window, cap } | Rule::BudgetCap { window, cap } => {
                    if window.is_utc() {
                        tighten(&mut caps.windows[place(window.period)], *cap);
                    } else {
                        add_total(&mut totals, Whose::Agent, &window.over, Some(window.period), *cap);
                    }
                }
                Rule::MaxPerService { window: ServiceWindow::Lifetime, cap, .. } => {
                    tighten(&mut caps.service_total, *cap);
                }
                Rule::MaxPerService { window: ServiceWindow::Calendar(window), cap, .. } if window.is_utc() => {
                    tighten(&mut caps.service_windows[place(window.period)], *cap);
                }
                Rule::MaxPerService { rail, window: ServiceWindow::Calendar(window), cap } => {
                    let whose = Whose::Service(rail.protocol());
                    add_total(&mut totals, whose, &window.over, Some(window.period), *cap);
                }
                Rule::RollingLimit { length, cap } => {
                    add_total(&mut totals, Whose::Agent, &Over::Rolling(*length), None, *cap);
                }
                Rule::MaxPerEndpoint { rail, window, cap } => {
                    add_total(&mut totals, Whose::Endpoint(rail.protocol()), window.over(), window.period(), *cap);
                }
                Rule::VelocityPerEndpoint { rail, period, max_count } => {
                    add_pace(&mut paces, Whose::Endpoint(rail.protocol()), *period, *max_count);
                }
                Rule::OnWallets { wallets, .. } => {
                    caps.wallets.add(wallets);
                    continue;
                }
                Rule::Velocity { period, max_count } => calls.push((*period, *max_count)),
            }
            caps.reasons.insert(rule.reason());
        }
        Caps {
            recipients: recipients.into(),
            services: services.into(),
            circumstances: circumstances.into(),
            calls: calls.into(),
            totals: totals.into(),
            paces: paces.into(),
            ..caps
        }
    }

    /// Whether a charge passes all that is asked of it alone.
    #[must_use]
    pub fn admit(&self, scene: &Scene<'_>) -> bool {
        let Scene { amount, recipient, service, .. } = *scene;
        self.payment.is_none_or(|cap| amount <= cap)
            && self.recipients.iter().all(|list| list.names.contains(recipient) == list.allows)
            && self.services.iter().all(|list| service.is_some_and(|name| list.names.contains(name)) == list.allows)
            && self.circumstances.iter().all(|circumstance| circumstance.judge(scene) == Judgement::Passes)
    }
}

fn tighten(tightest: &mut Option<Amount>, cap: Amount) {
    *tightest = Some(tightest.map_or(cap, |known| known.min(cap)));
}

fn add_total(totals: &mut Vec<Total>, whose: Whose, over: &Over, window: Option<SpendWindow>, cap: Amount) {
    let is_it = |known: &&mut Total| known.whose == whose && known.over == *over && known.window == window;
    match totals.iter_mut().find(is_it) {
        Some(known) => known.cap = known.cap.min(cap),
        None => totals.push(Total { whose, over: over.clone(), window, cap }),
    }
}

fn add_pace(paces: &mut Vec<Pace>, whose: Whose, period: Period, max_count: u32) {
    match paces.iter_mut().find(|known| known.whose == whose && known.period == period) {
        Some(known) => known.max_count = known.max_count.min(max_count),
        None => paces.push(Pace { whose, period, max_count }),
    }
}

/// Where a window stands among day, week and month.
fn place(window: SpendWindow) -> usize {
    match window {
        SpendWindow::Day => 0,
        SpendWindow::Week => 1,
        SpendWindow::Month => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Duration, Name, Timestamp, policy::Rail, reason::Reason};

    fn units(units: u32) -> Amount {
        Amount::from_units(units)
    }

    fn names<Set: for<'n> FromIterator<Name<'n>>>(texts: &[&str]) -> Set {
        texts.iter().map(|text| Name::recipient(text).unwrap()).collect()
    }

    fn reasons(expected: &[Reason]) -> Reasons {
        let mut reasons = Reasons::default();
        expected.iter().for_each(|reason| reasons.insert(*reason));
        reasons
    }

    #[test]
    fn the_tightest_of_the_caps_that_cover_the_rail_counts() {
        let rules = [
            Rule::MaxAmount { cap: units(9) },
            Rule::MaxPerRequest { rail: Rail::X402, cap: units(7) },
            Rule::PriceCeiling { rail: Rail::Mpp, cap: units(8) },
            Rule::SessionBudget { rail: Rail::Mpp, cap: units(30) },
            Rule::ConcurrentSessions { max: 1 },
            Rule::SessionDuration { max: Duration::from_secs(1) },
            Rule::WindowLimit { window: SpendWindow::Week.in_utc(), cap: units(60) },
            Rule::WindowLimit { window: SpendWindow::Week.in_utc(), cap: units(50) },
            Rule::WindowLimit { window: SpendWindow::Month.in_utc(), cap: units(70) },
            Rule::BudgetCap { window: SpendWindow::Month.in_utc(), cap: units(71) },
            Rule::MaxPerService { rail: Rail::X402, window: ServiceWindow::Lifetime, cap: units(90) },
            Rule::MaxPerService {
                rail: Rail::X402,
                window: ServiceWindow::Calendar(SpendWindow::Day.in_utc()),
                cap: units(80),
            },
            Rule::MaxPerService { rail: Rail::Mpp, window: ServiceWindow::Lifetime, cap: units(40) },
            Rule::Velocity { period: Period::Hour, max_count: 3 },
        ];
        let windows = [None, Some(units(50)), Some(units(70))];
        let all = [Reason::PaymentCap, Reason::SpendLimits, Reason::Velocity];
        let calls: Box<[(Period, u32)]> = Box::new([(Period::Hour, 3)]);
        let common = Caps { windows, calls, reasons: reasons(&all), ..Caps::default() };
        let check = |protocol, expected: &Caps| assert_eq!(Caps::new(&rules, protocol), *expected, "{protocol:?}");
        check(Protocol::Payment, &Caps { payment: Some(units(9)), ..common.clone() });
        check(
            Protocol::X402,
            &Caps {
                payment: Some(units(7)),
                service_windows: [Some(units(80)), None, None],
                service_total: Some(units(90)),
                reasons: reasons(&[&all[..], &[Reason::ServiceBudget]].concat()),
                ..common.clone()
            },
        );
        check(
            Protocol::Mpp,
            &Caps {
                payment: Some(units(8)),
                session: Some(units(30)),
                service_total: Some(units(40)),
                reasons: reasons(&[&all[..], &[Reason::SessionBudget, Reason::ServiceBudget]].concat()),
                ..common
            },
        );
        assert_eq!(Caps::new(&[], Protocol::X402), Caps::default());
    }

    #[test]
    fn a_charge_is_admitted_when_every_list_and_cap_lets_it_pass() {
        let rules = [
            Rule::MaxAmount { cap: units(9) },
            Rule::AllowedCounterparties(names(&["0xa", "0xb"])),
            Rule::BlockedCounterparties(names(&["0xb"])),
            Rule::AllowedServices { rail: Rail::X402, services: names(&["a.example", "b.example"]) },
            Rule::BlockedServices { rail: Rail::X402, services: names(&["b.example"]) },
        ];
        let check = |protocol, amount: u32, recipient, service: &str, expected| {
            let service = (!service.is_empty()).then(|| Name::service(service).unwrap());
            let recipient = Name::recipient(recipient).unwrap();
            let scene = Scene {
                protocol,
                amount: units(amount),
                is_deposit: false,
                is_judged: false,
                recipient: &recipient,
                service: service.as_ref(),
                facts: None,
                is_first: true,
                entry: None,
                now: Timestamp::ZERO,
            };
            let admitted = Caps::new(&rules, protocol).admit(&scene);
            assert_eq!(admitted, expected, "{protocol:?} {amount} {recipient:?} {service:?}");
        };
        check(Protocol::X402, 9, "0xA", "A.example", true);
        check(Protocol::X402, 10, "0xa", "a.example", false);
        check(Protocol::X402, 9, "0xb", "a.example", false);
        check(Protocol::X402, 9, "0xc", "a.example", false);
        check(Protocol::X402, 9, "0xa", "b.example", false);
        check(Protocol::X402, 9, "0xa", "c.example", false);
        check(Protocol::X402, 9, "0xa", "", false);
        check(Protocol::Mpp, 9, "0xa", "c.example", true);
        check(Protocol::Payment, 9, "0xa", "", true);
    }
}
