//! Whether an ordinary charge passes everything, found out without asking every limit by itself.

use super::limits::{Payment, Verdict};
use crate::kernel::{
    Amount, Timestamp,
    options::Options,
    outcome::BudgetStatus,
    policy::{Pace, Program, Whose},
    reason::{Reason, Reasons},
    request::AgentStatus,
    state::{agent::Agent, wallet::Wallet, window::Windows},
};

/// The verdict on an ordinary charge that passes. `None` says nothing about a payment but that [`limits`](super::limits) must be asked.
pub(crate) fn pass(
    agent: &Agent,
    program: &Program,
    options: &Options,
    payment: &Payment<'_>,
    now: Timestamp,
) -> Option<Verdict> {
    let session = payment.join.session();
    let is_ordinary =
        payment.is_charge() && !payment.stops.any() && agent.status == AgentStatus::Active && !program.denies_all();
    if !is_ordinary || session.is_some_and(|session| !session.is_open()) {
        return None;
    }
    let caps = program.caps(payment.protocol);
    let payer = || payment.wallet.and_then(|at| agent.wallets.get(at));
    if !caps.wallets.is_empty() && payer().is_some_and(|wallet| caps.wallets.contains(wallet.id())) {
        return None;
    }
    if !payment.others.is_empty() || !caps.admit(&payment.scene(now)) {
        return None;
    }
    let unknown = agent.unknown_amount();
    let lost = unknown.saturating_add(agent.unattributed());
    let mut room = Room { amount: payment.amount, least: None };
    if payment.join.is_outside_sessions() {
        // Such a payment is its own session.
        room.fit(caps.session, Amount::ZERO, Amount::ZERO)?;
    } else {
        room.fit(caps.session, session.map_or(Amount::ZERO, |session| session.weight.used), lost)?;
    }
    room.fit_all(caps.windows, agent.windows().all_used(now), unknown)?;
    let service = payment.service_id.and_then(|id| agent.service(payment.protocol, Some(id)));
    let at_service = service.map_or(&Windows::EMPTY, |service| &service.windows);
    room.fit_all(caps.service_windows, at_service.all_used(now), lost)?;
    room.fit(caps.service_total, at_service.total().used, lost)?;
    let may_call = |&(period, max): &(_, u32)| agent.calls(period, now) < u64::from(max);
    if !caps.calls.iter().all(may_call) {
        return None;
    }
    for total in &caps.totals {
        let used = payment.counted(agent, total.whose, &total.over, total.window, now);
        // Of a crash nobody knows what was paid to whom.
        let lost = match total.whose {
            Whose::Agent | Whose::Wallet => unknown,
            Whose::Service(_) | Whose::Endpoint(_) => lost,
        };
        room.fit(Some(total.cap), used, lost)?;
    }
    let may_pay = |pace: &Pace| payment.counted_calls(agent, pace.whose, pace.period, now) < u64::from(pace.max_count);
    if !caps.paces.iter().all(may_pay) {
        return None;
    }
    let mut reasons = caps.reasons;
    if let Some(budget) = agent.budget_in_force() {
        if budget.status == BudgetStatus::Exhausted {
            return None;
        }
        room.fit(Some(budget.approved), budget.weight.used, unknown)?;
        reasons.insert(Reason::BudgetRequest);
    }
    match payment.wallet.and_then(|at| Some((agent.wallets.get(at)?, agent.wallet_windows(at)))) {
        Some((wallet, windows)) => fit_wallet(&mut room, &mut reasons, wallet, windows, unknown, now)?,
        None if options.require_wallet || payment.wallet_named => return None,
        None => {}
    }
    Some(Verdict::passed(room.least, reasons))
}

fn fit_wallet(
    room: &mut Room,
    reasons: &mut Reasons,
    wallet: &Wallet,
    windows: &Windows,
    unknown: Amount,
    now: Timestamp,
) -> Option<()> {
    if wallet.is_frozen() || !wallet.allows_time(now) {
        return None;
    }
    if let Some(limits) = wallet.limits() {
        if limits.per_payment.is_some_and(|cap| room.amount > cap) {
            return None;
        }
        room.fit_all(limits.per_window, windows.all_used(now), unknown)?;
        reasons.insert(Reason::WalletLimits);
    }
    if let Some(available) = wallet.available(windows) {
        room.fit(Some(available), Amount::ZERO, unknown)?;
        reasons.insert(Reason::Balance);
    }
    Some(())
}

/// What is left under the tightest of the caps that an amount was fitted under.
struct Room {
    amount: Amount,
    least: Option<Amount>,
}

impl Room {
    /// `None` where the amount does not fit. `cap == used + lost + amount` fits.
    #[inline]
    fn fit(&mut self, cap: Option<Amount>, used: Amount, lost: Amount) -> Option<()> {
        if let Some(cap) = cap {
            let left = cap.checked_sub(used.saturating_add(lost).saturating_add(self.amount))?;
            self.least = Some(self.least.map_or(left, |least| least.min(left)));
        }
        Some(())
    }

    #[inline]
    fn fit_all(&mut self, caps: [Option<Amount>; 3], used: [Amount; 3], lost: Amount) -> Option<()> {
        caps.into_iter().zip(used).try_for_each(|(cap, used)| self.fit(cap, used, lost))
    }
}
