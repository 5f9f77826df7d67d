//! What a rule limits, and what counts against it, as somebody sees it who only looks.

use super::limits::calendar;
use crate::kernel::{
    Amount, Protocol, Timestamp,
    outcome::{LimitView, Measure, ViolationKind},
    policy::{CalendarWindow, Over, Rule, ServiceWindow, Whose},
    state::{agent::Agent, counters::Scope},
};

/// An agent on one rail, whatever the service. Of what it has several, such as endpoints, the one that has used most is shown.
pub(super) struct LookedAt<'a> {
    pub(super) agent: &'a Agent,
    pub(super) now: Timestamp,
    pub(super) protocol: Protocol,
    /// The position of the wallet that pays where none is named.
    pub(super) wallet: Option<u8>,
    /// What counts in the session that was asked for.
    pub(super) used_in_session: Amount,
}

impl LookedAt<'_> {
    /// The limit of a rule that covers the rail, if it limits anything that adds up.
    pub(super) fn limit(&self, rule: &Rule, whose: Whose) -> Option<LimitView> {
        let kind = ViolationKind::Rule(rule.kind());
        let money = |cap: Amount, used: Amount| {
            Some(LimitView { kind, limit: Measure::Money(cap), used: Measure::Money(used) })
        };
        let count = |max: u32, used: u64| {
            Some(LimitView { kind, limit: Measure::Count(u64::from(max)), used: Measure::Count(used) })
        };
        let unknown = self.agent.unknown_amount();
        let lost = unknown.saturating_add(self.agent.unattributed());
        match rule {
            Rule::SessionBudget { cap, .. } => money(*cap, self.used_in_session.saturating_add(lost)),
            Rule::WindowLimit { window, cap } | Rule::BudgetCap { window, cap } => {
                money(*cap, self.used_in_window(whose, window).saturating_add(unknown))
            }
            Rule::RollingLimit { length, cap } => {
                let scope = self.scope(whose)?;
                let used = self.agent.activity().counted(scope, &Over::Rolling(*length), None, None, self.now);
                money(*cap, used.saturating_add(unknown))
            }
            Rule::MaxPerService { window, cap, .. } => money(*cap, self.used_at_a_service(window).saturating_add(lost)),
            Rule::MaxPerEndpoint { window, cap, .. } => {
                let used = self.used_most(Whose::Endpoint(self.protocol), window);
                money(*cap, used.saturating_add(lost))
            }
            Rule::ConcurrentSessions { max } => {
                let open = self.agent.sessions().iter().filter(|s| s.is_open() && s.envelope().is_some()).count();
                count(*max, open as u64)
            }
            Rule::Velocity { period, max_count } => match whose {
                Whose::Agent => count(*max_count, self.agent.calls(*period, self.now)),
                Whose::Wallet | Whose::Service(_) | Whose::Endpoint(_) => {
                    let scope = self.scope(whose)?;
                    count(*max_count, self.agent.activity().counted_calls(scope, *period, self.now))
                }
            },
            Rule::VelocityPerEndpoint { period, max_count, .. } => {
                let (activity, over) = (self.agent.activity(), Over::Calls(*period));
                let endpoints = activity.counted_scopes(Whose::Endpoint(self.protocol), &over);
                let calls = endpoints.map(|scope| activity.counted_calls(scope, *period, self.now)).max();
                count(*max_count, calls.unwrap_or_else(|| activity.counted_calls(Scope::Lost, *period, self.now)))
            }
            Rule::OnWallets { wallets, rule } => {
                let wallet = self.agent.wallets.get(usize::from(self.wallet?))?;
                wallets.contains(wallet.id()).then(|| self.limit(rule, Whose::Wallet))?
            }
            Rule::ApprovalAbove { .. }
            | Rule::MaxAmount { .. }
            | Rule::MaxPerRequest { .. }
            | Rule::PriceCeiling { .. }
            | Rule::CardMaxAmount { .. }
            | Rule::Circumstance(_)
            | Rule::SessionDeposit { .. }
            | Rule::AllowedCounterparties(_)
            | Rule::BlockedCounterparties(_)
            | Rule::AllowedServices { .. }
            | Rule::BlockedServices { .. }
            | Rule::SessionDuration { .. } => None,
        }
    }

    fn scope(&self, whose: Whose) -> Option<Scope> {
        match whose {
            Whose::Agent => Some(Scope::Agent),
            Whose::Wallet => self.wallet.map(Scope::Wallet),
            Whose::Service(_) | Whose::Endpoint(_) => None,
        }
    }

    fn used_in_window(&self, whose: Whose, window: &CalendarWindow) -> Amount {
        let calendar = calendar(window.period);
        match self.scope(whose) {
            Some(scope) if !window.is_utc() => {
                self.agent.activity().counted(scope, &window.over, None, Some(calendar), self.now)
            }
            Some(Scope::Wallet(position)) => self.agent.wallet_windows(usize::from(position)).used(calendar, self.now),
            _ => self.agent.windows().used(calendar, self.now),
        }
    }

    fn used_at_a_service(&self, window: &ServiceWindow) -> Amount {
        if *window.over() != Over::Utc {
            return self.used_most(Whose::Service(self.protocol), window);
        }
        let services = self.agent.activity().services.iter().filter(|service| service.key.0 == self.protocol);
        let used = services.map(|service| match window.period() {
            None => service.windows.total().used,
            Some(period) => service.windows.used(calendar(period), self.now),
        });
        used.max().unwrap_or_default()
    }

    /// The most that any scope of a kind has used.
    fn used_most(&self, whose: Whose, window: &ServiceWindow) -> Amount {
        let activity = self.agent.activity();
        let used = activity
            .counted_scopes(whose, window.over())
            .map(|scope| activity.counted(scope, window.over(), None, window.period().map(calendar), self.now));
        used.max().unwrap_or_default()
    }
}
