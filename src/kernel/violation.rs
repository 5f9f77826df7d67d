//! A violation in words: the stable code that programs read, and the sentence that people read.

use super::{
    Amount,
    outcome::{AgentStatusCode, Measure, Violation, ViolationKind},
    policy::RuleKind,
};

impl ViolationKind {
    /// Whether it may be of a limit on money that adds up, of which it can be said how much is used.
    #[must_use]
    pub const fn is_of_total(self) -> bool {
        match self {
            ViolationKind::Rule(kind) => kind.is_of_total(),
            ViolationKind::SessionDeposit
            | ViolationKind::BudgetExceeded
            | ViolationKind::BudgetExhausted
            | ViolationKind::WalletPerDay
            | ViolationKind::WalletPerWeek
            | ViolationKind::WalletPerMonth
            | ViolationKind::Balance => true,
            ViolationKind::AgentNotActive(_)
            | ViolationKind::Sanctioned
            | ViolationKind::CounterpartyBlocked
            | ViolationKind::NoWallet
            | ViolationKind::WalletFrozen
            | ViolationKind::WalletPerPayment
            | ViolationKind::WalletTime
            | ViolationKind::SessionEnded
            | ViolationKind::SessionPayee
            | ViolationKind::Declined
            | ViolationKind::Unreadable => false,
        }
    }

    /// The stable code, as in Conto's responses where Conto has one.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ViolationKind::AgentNotActive(_) => "AGENT_NOT_ACTIVE",
            ViolationKind::Sanctioned => "SANCTIONED",
            ViolationKind::CounterpartyBlocked => "BLOCKED_COUNTERPARTY",
            ViolationKind::NoWallet => "NO_WALLET",
            ViolationKind::WalletFrozen => "WALLET_FROZEN",
            ViolationKind::WalletPerPayment => "PER_TX_LIMIT",
            ViolationKind::WalletTime => "TIME_WINDOW",
            ViolationKind::SessionEnded => "SESSION_ENDED",
            ViolationKind::SessionPayee => "SESSION_PAYEE",
            ViolationKind::SessionDeposit => "SESSION_DEPOSIT_EXCEEDED",
            ViolationKind::BudgetExceeded => "BUDGET_EXCEEDED",
            ViolationKind::BudgetExhausted => "BUDGET_EXHAUSTED",
            ViolationKind::Rule(kind) => kind.violation_type(),
            ViolationKind::WalletPerDay => "DAILY_LIMIT",
            ViolationKind::WalletPerWeek => "WEEKLY_LIMIT",
            ViolationKind::WalletPerMonth => "MONTHLY_LIMIT",
            ViolationKind::Balance => "INSUFFICIENT_BALANCE",
            ViolationKind::Declined => "APPROVAL_DECLINED",
            ViolationKind::Unreadable => "POLICY_UNREADABLE",
        }
    }
}

impl Violation {
    /// What stands against the payment, in a sentence.
    #[must_use]
    pub fn message(&self) -> String {
        let what = match self.kind {
            ViolationKind::AgentNotActive(AgentStatusCode::Paused) => "The agent is paused",
            ViolationKind::AgentNotActive(AgentStatusCode::Suspended) => "The agent is suspended",
            ViolationKind::AgentNotActive(AgentStatusCode::Revoked) => "The agent is revoked",
            ViolationKind::Sanctioned => "The recipient or its country is on the list of sanctions",
            ViolationKind::CounterpartyBlocked => "The recipient is blocked in the directory of counterparties",
            ViolationKind::NoWallet => "The agent has no such wallet",
            ViolationKind::WalletFrozen => "The wallet is frozen",
            ViolationKind::WalletPerPayment => "Amount exceeds the wallet's limit per payment",
            ViolationKind::WalletTime => "The wallet may not pay at this time",
            ViolationKind::SessionEnded => "The session is over",
            ViolationKind::SessionPayee => "The session's deposit is for another recipient or service",
            ViolationKind::SessionDeposit => "Amount exceeds what is left of the session's deposit",
            ViolationKind::BudgetExceeded => "Amount exceeds what is left of the approved budget request",
            ViolationKind::BudgetExhausted => "The approved budget request is spent; ask for another one",
            ViolationKind::Rule(kind) => rule(kind),
            ViolationKind::WalletPerDay => "Amount exceeds the wallet's daily limit",
            ViolationKind::WalletPerWeek => "Amount exceeds the wallet's weekly limit",
            ViolationKind::WalletPerMonth => "Amount exceeds the wallet's monthly limit",
            ViolationKind::Balance => "Amount exceeds the wallet's available balance",
            ViolationKind::Declined => "The payment was not approved by as many as must",
            ViolationKind::Unreadable => "A policy of the agent cannot be read by this version; write it anew",
        };
        match (self.limit, self.current) {
            (Measure::Money(limit), Measure::Money(current)) => format!("{what}: {current} > {limit}"),
            (Measure::Count(limit), Measure::Count(current)) => format!("{what}: {current} > {limit}"),
            (Measure::Time(limit), Measure::Time(current)) => {
                format!("{what}: {} s > {} s", current.as_secs(), limit.as_secs())
            }
            (Measure::Score(limit), Measure::Score(current)) => {
                format!("{what}: {} < {}", percent(current), percent(limit))
            }
            (_, Measure::Missing(fact)) => {
                format!("{what}: it is not known; say `{}` when you ask for the payment", fact.field())
            }
            _ => what.to_owned(),
        }
    }
}

/// A score of 100.
fn percent(score: u32) -> Amount {
    Amount::from_micros(u64::from(score) * 10_000)
}

fn rule(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::MaxAmount => "Amount exceeds the limit per payment",
        RuleKind::X402MaxPerRequest => "Amount exceeds the x402 limit per request",
        RuleKind::MppMaxPerRequest => "Amount exceeds the MPP limit per request",
        RuleKind::X402PriceCeiling => "Amount exceeds x402 price ceiling",
        RuleKind::MppPriceCeiling => "Amount exceeds MPP price ceiling",
        RuleKind::CardMaxAmount => "Amount exceeds the limit per card payment",
        RuleKind::AllowedCounterparties => "The recipient is not on the list of allowed counterparties",
        RuleKind::BlockedCounterparties => "The recipient is on the list of blocked counterparties",
        RuleKind::X402AllowedServices => "The service is not on the list of allowed x402 services",
        RuleKind::MppAllowedServices => "The service is not on the list of allowed MPP services",
        RuleKind::X402BlockedServices => "The service is on the list of blocked x402 services",
        RuleKind::MppBlockedServices => "The service is on the list of blocked MPP services",
        RuleKind::TimeWindow => "Nothing is paid at this time of the day",
        RuleKind::DayOfWeek => "Nothing is paid on this day of the week",
        RuleKind::DateRange => "Nothing is paid on this date",
        RuleKind::BlackoutPeriod => "Nothing is paid during a blackout",
        RuleKind::Expiration => "The permission has expired",
        RuleKind::AllowedCategories => "The category is not on the list of allowed categories",
        RuleKind::BlockedCategories => "The category is on the list of blocked categories",
        RuleKind::GeographicRestriction => "The recipient's country is not allowed",
        RuleKind::TrustScore => "The recipient is not trusted enough",
        RuleKind::CounterpartyStatus => "The recipient's status is not allowed",
        RuleKind::FairscaleMinScore => "The recipient's FairScale score is too low",
        RuleKind::ContractAllowlist => "The contract is not on the list of allowed contracts",
        RuleKind::MppBlockSessionIntent => "MPP sessions may not be opened for this",
        RuleKind::MppAllowedMethods => "The HTTP method is not on the list of allowed MPP methods",
        RuleKind::CardAllowedMccs => "The merchant's category is not on the list of allowed categories",
        RuleKind::CardBlockedMccs => "The merchant's category is on the list of blocked categories",
        RuleKind::CardAllowedMerchants => "The merchant is not on the list of allowed merchants",
        RuleKind::CardBlockedMerchants => "The merchant is on the list of blocked merchants",
        RuleKind::Composite => "The conditions of a composite rule stand against the payment",
        RuleKind::X402SessionBudget => "Amount exceeds the x402 session budget",
        RuleKind::MppSessionBudget => "Amount exceeds the MPP session budget",
        RuleKind::MppMaxSessionDeposit => "Amount exceeds the largest MPP session deposit",
        RuleKind::MppMaxConcurrentSessions => "Too many MPP sessions are open",
        RuleKind::MppMaxSessionDuration => "The MPP session would last too long",
        RuleKind::DailyLimit => "Amount exceeds the daily limit",
        RuleKind::WeeklyLimit => "Amount exceeds the weekly limit",
        RuleKind::MonthlyLimit => "Amount exceeds the monthly limit",
        RuleKind::RollingLimit => "Amount exceeds the rolling limit",
        RuleKind::BudgetCap => "Amount exceeds the budget",
        RuleKind::X402MaxPerService => "Amount exceeds the x402 budget of the service",
        RuleKind::MppMaxPerService => "Amount exceeds the MPP budget of the service",
        RuleKind::X402MaxPerEndpoint => "Amount exceeds the x402 budget of the endpoint",
        RuleKind::MppMaxPerEndpoint => "Amount exceeds the MPP budget of the endpoint",
        RuleKind::VelocityLimit => "Too many payments in the period",
        RuleKind::X402VelocityPerEndpoint => "Too many x402 payments to the endpoint in the period",
        RuleKind::MppVelocityPerEndpoint => "Too many MPP payments to the endpoint in the period",
        RuleKind::RequireApprovalAbove => "Amount needs the approval of a human",
    }
}
