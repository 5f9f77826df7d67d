//! One agent: what is known of it whether it ever paid or not. A gateway has far more agents than agents that pay, so everything that
//! payments leave behind is an [`Activity`], made by the first of them.

use bincode::{Decode, Encode};

use super::{
    activity::{Activity, Service, UnknownHold},
    budget::{BudgetRequest, BudgetRequests},
    few::Few,
    holds::OpenHolds,
    rebuilt::Rebuilt,
    session::Session,
    texts::Texts,
    velocity::Velocity,
    wallet::Wallet,
    window::Windows,
};
use crate::kernel::{
    AgentId, Amount, NameId, Period, Protocol, SessionNumber, Timestamp,
    anomaly::{Watch, Watching},
    policy::{CountedSet, PeriodSet},
    request::AgentStatus,
};

/// What is seen of an agent that never paid.
static IDLE: Activity = Activity::NONE;

/// How an agent is watched that nobody said anything about.
static UNTOUCHED: Watching = Watching::DEFAULT;

/// The payer. What every decision looks at comes first, so that it lies in one or two lines of the cache.
#[derive(Clone, Debug, Encode, Decode)]
#[repr(C)]
pub struct Agent {
    activity: Option<Box<Activity>>,
    /// What may be approved ahead of the disk.
    pub lease_amount: Amount,
    /// How many may be approved ahead of the disk.
    pub lease_count: u32,
    /// The incarnation of the shard in which the lease was armed; 0 for not at all.
    pub armed_in: u32,
    /// Its open holds, oldest first.
    pub open_holds: Rebuilt<OpenHolds>,
    /// The position of its program in the catalogue.
    pub program: Rebuilt<u32>,
    /// How many sessions there ever were.
    pub sessions_opened: u32,
    /// Whether it may pay.
    pub status: AgentStatus,
    /// The rolling periods in which its calls are counted.
    pub counted: PeriodSet,
    /// In the order of linking.
    pub wallets: Few<Wallet>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its name and its type, for people.
    texts: Texts<2>,
    /// Unique in the gateway.
    pub id: AgentId,
    /// The lease that its operator gave it, if any.
    pub own_lease: Option<Amount>,
}

impl Agent {
    /// An agent without a wallet, a policy or a lease.
    #[must_use]
    pub fn new(id: AgentId, status: AgentStatus, name: &str, agent_type: &str, created_at: Timestamp) -> Agent {
        Agent {
            activity: None,
            lease_amount: Amount::ZERO,
            lease_count: 0,
            armed_in: 0,
            open_holds: Rebuilt::default(),
            program: Rebuilt::default(),
            sessions_opened: 0,
            status,
            counted: PeriodSet::default(),
            wallets: Few::None,
            created_at,
            id,
            own_lease: None,
            texts: Texts::new([name, agent_type]),
        }
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: &str) {
        self.texts = Texts::new([name, self.agent_type()]);
    }

    /// What its payments left behind, made if need be.
    #[inline]
    pub fn activity_mut(&mut self) -> &mut Activity {
        self.activity.get_or_insert_with(|| Box::new(Activity::NONE))
    }

    /// How it pays, as far as that is watched already.
    pub fn watch_mut(&mut self) -> Option<&mut Watch> {
        self.activity.as_mut()?.watch.as_deref_mut()
    }

    /// Counts calls in every rolling period.
    pub fn count_calls(&mut self, now: Timestamp, calls: u32) {
        let counted = self.counted;
        self.activity_mut().count_calls(counted, now, calls);
    }

    /// Counts from `now` on what a program asks for, if it ever paid; of others, counting begins with their first payment.
    pub fn ask(&mut self, asked: &CountedSet, now: Timestamp) {
        if let Some(activity) = self.activity.as_mut().filter(|activity| activity.has_booked()) {
            activity.ask(asked, now);
        }
    }

    /// Takes up to `amount` from the unknown holds, the oldest first, and returns what was taken.
    pub fn draw_unknown(&mut self, amount: Amount) -> Amount {
        let mut left = amount;
        let lost = self.activity.as_mut().and_then(|activity| activity.lost.as_mut());
        for unknown in lost.into_iter().flat_map(|lost| &mut lost.unknown) {
            let part = unknown.amount.min(left);
            unknown.amount = unknown.amount.saturating_sub(part);
            left = left.saturating_sub(part);
        }
        amount.saturating_sub(left)
    }

    /// In the order of opening, to change them.
    pub fn sessions_mut(&mut self) -> &mut [Session] {
        self.activity.as_mut().map_or(&mut [], |activity| &mut activity.sessions)
    }

    /// A session by its number, to change it.
    pub fn session_mut(&mut self, number: SessionNumber) -> Option<&mut Session> {
        self.activity.as_mut()?.session_mut(number)
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.texts.text(0)
    }

    /// For people.
    #[must_use]
    pub fn agent_type(&self) -> &str {
        self.texts.text(1)
    }

    /// What its payments left behind.
    #[must_use]
    #[inline]
    pub fn activity(&self) -> &Activity {
        self.activity.as_deref().unwrap_or(&IDLE)
    }

    /// How it is watched.
    #[must_use]
    pub fn watching(&self) -> &Watching {
        self.activity().watch.as_ref().map_or(&UNTOUCHED, |watch| watch.watching())
    }

    /// What crashes may have left.
    #[must_use]
    pub fn unknown(&self) -> &[UnknownHold] {
        self.activity().lost.as_ref().map_or(&[], |lost| &lost.unknown)
    }

    /// The sum of what crashes may have left.
    #[must_use]
    pub fn unknown_amount(&self) -> Amount {
        self.unknown().iter().fold(Amount::ZERO, |sum, unknown| sum.saturating_add(unknown.amount))
    }

    /// Captures of holds that a crash lost, which could be in any session and at any service.
    #[must_use]
    pub fn unattributed(&self) -> Amount {
        self.activity().lost.as_ref().map_or(Amount::ZERO, |lost| lost.unattributed)
    }

    /// The budgets that it asked for, if there were any.
    #[must_use]
    #[inline]
    pub fn budgets(&self) -> Option<&BudgetRequests> {
        self.activity().budgets.as_deref()
    }

    /// The budget that limits what it pays.
    #[must_use]
    #[inline]
    pub fn budget_in_force(&self) -> Option<&BudgetRequest> {
        self.budgets()?.in_force()
    }

    /// Over everything it pays.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.activity().windows
    }

    /// What was paid from a wallet.
    #[must_use]
    pub fn wallet_windows(&self, position: usize) -> &Windows {
        self.activity().wallets.get(position).unwrap_or(&IDLE.windows)
    }

    /// The counters of a service, if anything was ever paid there.
    #[must_use]
    pub fn service(&self, protocol: Protocol, service: Option<NameId>) -> Option<&Service> {
        let services = &self.activity().services;
        services.get(Service::search(services, (protocol, service)).ok()?)
    }

    /// In the order of opening.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.activity().sessions
    }

    /// A session by its number.
    #[must_use]
    pub fn session(&self, number: SessionNumber) -> Option<&Session> {
        let sessions = self.sessions();
        sessions.get(Session::search(sessions, number)?)
    }

    /// A session by the client's name for it.
    #[must_use]
    pub fn session_named(&self, protocol: Protocol, name: &str) -> Option<&Session> {
        self.sessions().iter().rev().find(|session| {
            session.protocol == protocol && !session.is_implicit() && !name.is_empty() && *session.name == *name
        })
    }

    /// The latest implicit x402 session, over or not.
    #[must_use]
    pub fn implicit_session(&self) -> Option<&Session> {
        self.sessions().iter().rev().find(|session| session.is_implicit())
    }

    /// The calls that count at `now`.
    #[must_use]
    pub fn calls(&self, period: Period, now: Timestamp) -> u64 {
        let mut velocities = self.activity().velocities.iter();
        velocities.find(|velocity: &&Velocity| velocity.period() == period).map_or(0, |velocity| velocity.count(now))
    }

    /// The position of the wallet that pays: the named one, else the preferred one.
    #[must_use]
    pub fn wallet_for(&self, name: &str) -> Option<usize> {
        if !name.is_empty() {
            let by_id = self.wallets.iter().position(|wallet| wallet.id() == name);
            return by_id.or_else(|| self.wallets.iter().position(|wallet| wallet.is_at(name)));
        }
        // Most agents have one wallet: no need to look at it.
        if self.wallets.len() == 1 {
            return Some(0);
        }
        let order = |(position, wallet): &(usize, &Wallet)| (wallet.is_frozen(), wallet.rank(), *position);
        self.wallets.iter().enumerate().min_by_key(order).map(|(position, _)| position)
    }

    /// The balance of a wallet as told, less what is held and was paid since; `None` where it is not known.
    #[must_use]
    pub fn available(&self, position: usize) -> Option<Amount> {
        self.wallets.get(position)?.available(self.wallet_windows(position))
    }

    /// The smallest limit of its wallets that adds up over payments.
    #[must_use]
    pub fn smallest_wallet_limit(&self) -> Option<Amount> {
        self.wallets.iter().filter_map(Wallet::limits).flat_map(|limits| limits.per_window).flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_agent_with_a_wallet_is_small() {
        assert!(size_of::<Agent>() <= 176, "{} bytes", size_of::<Agent>());
        assert!(size_of::<Activity>() <= 640, "{} bytes", size_of::<Activity>());
    }
}
