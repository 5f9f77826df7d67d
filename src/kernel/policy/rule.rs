//! A rule that can be run: no text is left to interpret, and no combination that means nothing can be built.

use super::{Circumstance, NameSet, Over, RuleKind, ServiceSet, WalletSet};
use crate::kernel::{Amount, Duration, Period, Protocol, Zone, reason::Reason};

/// One thing that must hold. Variants stand in the order in which they run: what needs nothing but the request comes first.
///
/// Every cap lets pass what equals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No payment is larger.
    MaxAmount {
        /// The largest amount that passes.
        cap: Amount,
    },
    /// No payment on this rail is larger.
    MaxPerRequest {
        /// Where it applies.
        rail: Rail,
        /// The largest amount that passes.
        cap: Amount,
    },
    /// The same under the name that operators give to the price of a call.
    PriceCeiling {
        /// Where it applies.
        rail: Rail,
        /// The largest amount that passes.
        cap: Amount,
    },
    /// No card payment is larger.
    CardMaxAmount {
        /// The largest amount that passes.
        cap: Amount,
    },
    /// Only these recipients are paid; an empty set means nobody.
    AllowedCounterparties(NameSet),
    /// These recipients are not paid.
    BlockedCounterparties(NameSet),
    /// Only these services are paid; an empty set means none.
    AllowedServices {
        /// Where it applies.
        rail: Rail,
        /// The services that pass.
        services: ServiceSet,
    },
    /// These services are not paid.
    BlockedServices {
        /// Where it applies.
        rail: Rail,
        /// The services that do not pass.
        services: ServiceSet,
    },
    /// The payment itself, its facts and its moment are as they must be.
    Circumstance(Circumstance),
    /// One session spends no more; for an MPP session that is its deposit.
    SessionBudget {
        /// Where it applies.
        rail: Rail,
        /// The largest total that passes.
        cap: Amount,
    },
    /// No MPP session has a larger deposit.
    SessionDeposit {
        /// The largest deposit that passes.
        cap: Amount,
    },
    /// No more MPP sessions are open at once.
    ConcurrentSessions {
        /// The largest number that passes.
        max: u32,
    },
    /// No MPP session lasts longer.
    SessionDuration {
        /// The longest duration that passes.
        max: Duration,
    },
    /// No more is spent in a calendar period, whatever the protocol.
    WindowLimit {
        /// The calendar period.
        window: CalendarWindow,
        /// The largest total that passes.
        cap: Amount,
    },
    /// No more is spent in any span as long as this, whatever the protocol.
    RollingLimit {
        /// How long.
        length: Duration,
        /// The largest total that passes.
        cap: Amount,
    },
    /// No more is spent of a budget in its calendar period, whatever the protocol.
    BudgetCap {
        /// The calendar period.
        window: CalendarWindow,
        /// The largest total that passes.
        cap: Amount,
    },
    /// No single service gets more over this rail.
    MaxPerService {
        /// Where it applies.
        rail: Rail,
        /// Over which time the total runs.
        window: ServiceWindow,
        /// The largest total that passes.
        cap: Amount,
    },
    /// No single endpoint of a service gets more over this rail.
    MaxPerEndpoint {
        /// Where it applies.
        rail: Rail,
        /// Over which time the total runs.
        window: ServiceWindow,
        /// The largest total that passes.
        cap: Amount,
    },
    /// No more payments are made in any span as long as the period.
    Velocity {
        /// The rolling period.
        period: Period,
        /// The largest number that passes.
        max_count: u32,
    },
    /// No more payments are made to one endpoint in any span as long as the period.
    VelocityPerEndpoint {
        /// Where it applies.
        rail: Rail,
        /// The rolling period.
        period: Period,
        /// The largest number that passes.
        max_count: u32,
    },
    /// A rule for the payments from some wallets; its totals of an agent are those of the wallet.
    OnWallets {
        /// The wallets.
        wallets: WalletSet,
        /// What must hold; never another rule on wallets.
        rule: Box<Rule>,
    },
    /// No payment is larger unless a human approves it.
    ApprovalAbove {
        /// The largest amount that passes.
        cap: Amount,
    },
}

impl Rule {
    /// Its rule type.
    #[must_use]
    pub fn kind(&self) -> RuleKind {
        match self {
            Rule::MaxAmount { .. } => RuleKind::MaxAmount,
            Rule::MaxPerRequest { rail: Rail::X402, .. } => RuleKind::X402MaxPerRequest,
            Rule::MaxPerRequest { rail: Rail::Mpp, .. } => RuleKind::MppMaxPerRequest,
            Rule::PriceCeiling { rail: Rail::X402, .. } => RuleKind::X402PriceCeiling,
            Rule::PriceCeiling { rail: Rail::Mpp, .. } => RuleKind::MppPriceCeiling,
            Rule::CardMaxAmount { .. } => RuleKind::CardMaxAmount,
            Rule::AllowedCounterparties(_) => RuleKind::AllowedCounterparties,
            Rule::BlockedCounterparties(_) => RuleKind::BlockedCounterparties,
            Rule::AllowedServices { rail: Rail::X402, .. } => RuleKind::X402AllowedServices,
            Rule::AllowedServices { rail: Rail::Mpp, .. } => RuleKind::MppAllowedServices,
            Rule::BlockedServices { rail: Rail::X402, .. } => RuleKind::X402BlockedServices,
            Rule::BlockedServices { rail: Rail::Mpp, .. } => RuleKind::MppBlockedServices,
            Rule::SessionBudget { rail: Rail::X402, .. } => RuleKind::X402SessionBudget,
            Rule::SessionBudget { rail: Rail::Mpp, .. } => RuleKind::MppSessionBudget,
            Rule::Circumstance(circumstance) => circumstance.kind,
            Rule::SessionDeposit { .. } => RuleKind::MppMaxSessionDeposit,
            Rule::ConcurrentSessions { .. } => RuleKind::MppMaxConcurrentSessions,
            Rule::SessionDuration { .. } => RuleKind::MppMaxSessionDuration,
            Rule::WindowLimit { window: CalendarWindow { period: SpendWindow::Day, .. }, .. } => RuleKind::DailyLimit,
            Rule::WindowLimit { window: CalendarWindow { period: SpendWindow::Week, .. }, .. } => RuleKind::WeeklyLimit,
            Rule::WindowLimit { window: CalendarWindow { period: SpendWindow::Month, .. }, .. } => {
                RuleKind::MonthlyLimit
            }
            Rule::BudgetCap { .. } => RuleKind::BudgetCap,
            Rule::MaxPerService { rail: Rail::X402, .. } => RuleKind::X402MaxPerService,
            Rule::MaxPerService { rail: Rail::Mpp, .. } => RuleKind::MppMaxPerService,
            Rule::RollingLimit { .. } => RuleKind::RollingLimit,
            Rule::MaxPerEndpoint { rail: Rail::X402, .. } => RuleKind::X402MaxPerEndpoint,
            Rule::MaxPerEndpoint { rail: Rail::Mpp, .. } => RuleKind::MppMaxPerEndpoint,
            Rule::Velocity { .. } => RuleKind::VelocityLimit,
            Rule::VelocityPerEndpoint { rail: Rail::X402, .. } => RuleKind::X402VelocityPerEndpoint,
            Rule::VelocityPerEndpoint { rail: Rail::Mpp, .. } => RuleKind::MppVelocityPerEndpoint,
            Rule::OnWallets { rule, .. } => rule.kind(),
            Rule::ApprovalAbove { .. } => RuleKind::RequireApprovalAbove,
        }
    }

    /// Which requests it looks at.
    #[must_use]
    pub fn applies(&self) -> Applies {
        match self {
            Rule::MaxAmount { .. }
            | Rule::AllowedCounterparties(_)
            | Rule::BlockedCounterparties(_)
            | Rule::WindowLimit { .. }
            | Rule::BudgetCap { .. }
            | Rule::RollingLimit { .. }
            | Rule::Velocity { .. }
            | Rule::ApprovalAbove { .. } => Applies::All,
            Rule::MaxPerRequest { rail, .. }
            | Rule::PriceCeiling { rail, .. }
            | Rule::AllowedServices { rail, .. }
            | Rule::BlockedServices { rail, .. }
            | Rule::SessionBudget { rail, .. }
            | Rule::MaxPerService { rail, .. }
            | Rule::MaxPerEndpoint { rail, .. }
            | Rule::VelocityPerEndpoint { rail, .. } => Applies::Only(*rail),
            Rule::CardMaxAmount { .. } => Applies::Cards,
            Rule::Circumstance(circumstance) => circumstance.applies(),
            Rule::OnWallets { rule, .. } => rule.applies(),
            Rule::SessionDeposit { .. } | Rule::ConcurrentSessions { .. } | Rule::SessionDuration { .. } => {
                Applies::Only(Rail::Mpp)
            }
        }
    }

    /// Whether it asks for what the directory may know of a payee.
    #[must_use]
    pub fn asks_about_payee(&self) -> bool {
        match self {
            Rule::OnWallets { rule, .. } => rule.asks_about_payee(),
            rule => matches!(rule, Rule::Circumstance(circumstance) if circumstance.condition.asks_about_payee()),
        }
    }

    /// What it means to pass it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Rule::MaxAmount { .. }
            | Rule::MaxPerRequest { .. }
            | Rule::PriceCeiling { .. }
            | Rule::CardMaxAmount { .. }
            | Rule::ApprovalAbove { .. } => Reason::PaymentCap,
            Rule::AllowedCounterparties(_) | Rule::BlockedCounterparties(_) => Reason::RecipientAllowed,
            Rule::AllowedServices { .. } | Rule::BlockedServices { .. } => Reason::ServiceAllowed,
            Rule::SessionBudget { .. } => Reason::SessionBudget,
            Rule::Circumstance(circumstance) => circumstance.reason(),
            Rule::SessionDeposit { .. } | Rule::ConcurrentSessions { .. } | Rule::SessionDuration { .. } => {
                Reason::SessionLimits
            }
            Rule::WindowLimit { .. } | Rule::BudgetCap { .. } | Rule::RollingLimit { .. } => Reason::SpendLimits,
            Rule::MaxPerService { .. } | Rule::MaxPerEndpoint { .. } => Reason::ServiceBudget,
            Rule::Velocity { .. } | Rule::VelocityPerEndpoint { .. } => Reason::Velocity,
            Rule::OnWallets { rule, .. } => rule.reason(),
        }
    }

    /// The cap of a limit that adds up over several payments; `None` for a cap on one payment and for what is not money.
    #[must_use]
    pub fn cumulative_cap(&self) -> Option<Amount> {
        match self {
            Rule::SessionBudget { cap, .. }
            | Rule::WindowLimit { cap, .. }
            | Rule::BudgetCap { cap, .. }
            | Rule::RollingLimit { cap, .. }
            | Rule::MaxPerService { cap, .. }
            | Rule::MaxPerEndpoint { cap, .. } => Some(*cap),
            Rule::OnWallets { rule, .. } => rule.cumulative_cap(),
            Rule::MaxAmount { .. }
            | Rule::MaxPerRequest { .. }
            | Rule::PriceCeiling { .. }
            | Rule::AllowedCounterparties(_)
            | Rule::BlockedCounterparties(_)
            | Rule::AllowedServices { .. }
            | Rule::BlockedServices { .. }
            | Rule::CardMaxAmount { .. }
            | Rule::Circumstance(_)
            | Rule::SessionDeposit { .. }
            | Rule::ConcurrentSessions { .. }
            | Rule::SessionDuration { .. }
            | Rule::Velocity { .. }
            | Rule::VelocityPerEndpoint { .. }
            | Rule::ApprovalAbove { .. } => None,
        }
    }
}

/// A machine-payment protocol that has rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rail {
    /// `X402_…` rules.
    X402,
    /// `MPP_…` rules.
    Mpp,
}

impl Rail {
    /// The protocol of the requests on this rail.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Rail::X402 => Protocol::X402,
            Rail::Mpp => Protocol::Mpp,
        }
    }
}

/// Which requests a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applies {
    /// Every request.
    All,
    /// The requests of one rail.
    Only(Rail),
    /// Card payments.
    Cards,
}

impl Applies {
    /// Whether a request of `protocol` is looked at.
    #[must_use]
    pub fn covers(self, protocol: Protocol) -> bool {
        match self {
            Applies::All => true,
            Applies::Only(rail) => rail.protocol() == protocol,
            Applies::Cards => protocol == Protocol::Card,
        }
    }
}

/// A calendar period that a spend limit counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpendWindow {
    /// Midnight to midnight.
    Day,
    /// Monday to Sunday.
    Week,
    /// The first to the last of a month.
    Month,
}

impl SpendWindow {
    /// The period by the calendar of UTC.
    #[must_use]
    pub const fn in_utc(self) -> CalendarWindow {
        CalendarWindow { period: self, over: Over::Utc }
    }

    /// The same as a period.
    #[must_use]
    pub const fn period(self) -> Period {
        match self {
            SpendWindow::Day => Period::Day,
            SpendWindow::Week => Period::Week,
            SpendWindow::Month => Period::Month,
        }
    }
}

/// A calendar period by the calendar of some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarWindow {
    /// Which period.
    pub period: SpendWindow,
    /// Where: [`Over::Utc`], or [`Over::Calendar`] of a zone.
    pub over: Over,
}

impl CalendarWindow {
    /// The period in a zone; in UTC without one.
    #[must_use]
    pub fn new(period: SpendWindow, zone: Option<&Zone>) -> CalendarWindow {
        let zone = zone.filter(|zone| !zone.is_utc());
        CalendarWindow { period, over: zone.map_or(Over::Utc, |zone| Over::Calendar(zone.clone())) }
    }

    /// Whether its calendar is that of everybody.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        self.over == Over::Utc
    }
}

/// Over which time the total of one service or endpoint runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceWindow {
    /// From the first payment on, for ever.
    Lifetime,
    /// A calendar period.
    Calendar(CalendarWindow),
}

impl ServiceWindow {
    /// The counter that knows it.
    #[must_use]
    pub fn over(&self) -> &Over {
        match self {
            ServiceWindow::Lifetime => &Over::Utc,
            ServiceWindow::Calendar(window) => &window.over,
        }
    }

    /// The calendar period; none for a lifetime.
    #[must_use]
    pub fn period(&self) -> Option<SpendWindow> {
        match self {
            ServiceWindow::Lifetime => None,
            ServiceWindow::Calendar(window) => Some(window.period),
        }
    }
}
