//! The release rule: which approvals may be answered before they are durable.
//!
//! What callers were told ahead of the disk must never exceed what recovery assumes, which is the agent's lease. So everything
//! approved and not yet durable counts against the lease, whether it was released or waits.

use std::collections::VecDeque;

use super::turn::TurnNumber;
use crate::kernel::{AgentIndex, Amount, Duration, Lease, event::Approved};

/// What each agent of a shard has approved and not yet durable.
#[derive(Debug, Default)]
pub(super) struct LeaseBook {
    uses: Vec<LeaseUse>,
    /// What to free when a turn is durable; turns ascend.
    queue: VecDeque<(TurnNumber, AgentIndex, Amount)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LeaseUse {
    amount: Amount,
    count: u32,
    /// The turn of the approval that armed the lease last.
    armed_in: TurnNumber,
}

/// What the rule asks about an approval itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rider {
    pub agent: AgentIndex,
    expires_after: Duration,
    is_deposit: bool,
}

impl LeaseBook {
    /// Counts an approval that happened in `turn`.
    pub(super) fn count(&mut self, turn: TurnNumber, approved: &Approved) -> Rider {
        let Approved { agent, amount, expires_after, deposit: is_deposit, arms, .. } = *approved;
        let place = agent.0 as usize;
        if place >= self.uses.len() {
            self.uses.resize(place + 1, LeaseUse::default());
        }
        let lease_use = &mut self.uses[place];
        lease_use.amount = lease_use.amount.saturating_add(amount);
        lease_use.count = lease_use.count.saturating_add(1);
        if arms {
            lease_use.armed_in = turn;
        }
        self.queue.push_back((turn, agent, amount));
        Rider { agent, expires_after, is_deposit }
    }

    /// Whether an approval that was counted may be released at once.
    pub(super) fn covers(&self, rider: Rider, lease: Lease, hold_max: Duration, durable: TurnNumber) -> bool {
        let lease_use = self.uses.get(rider.agent.0 as usize).copied().unwrap_or_default();
        lease.armed
            && lease_use.armed_in <= durable
            && !rider.is_deposit
            && rider.expires_after <= hold_max
            && lease_use.amount <= lease.amount
            && lease_use.count <= lease.count
    }

    /// Frees what is durable.
    pub(super) fn free(&mut self, durable: TurnNumber) {
        while let Some(&(turn, agent, amount)) = self.queue.front()
            && turn <= durable
        {
            self.queue.pop_front();
            let lease_use = &mut self.uses[agent.0 as usize];
            lease_use.amount = lease_use.amount.saturating_sub(amount);
            lease_use.count = lease_use.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{AuthorizationId, NameId, Protocol, SessionNumber, reason::Reasons};

    const HOLD_MAX: Duration = Duration::from_secs(600);

    fn approved(amount: u64) -> Approved {
        Approved {
            agent: AgentIndex(3),
            id: AuthorizationId(1),
            amount: Amount::from_micros(amount),
            protocol: Protocol::X402,
            recipient: NameId(0),
            service: None,
            session: SessionNumber::NONE,
            from_deposit: false,
            deposit: false,
            wallet: None,
            expires_after: Duration::from_secs(300),
            remaining: None,
            reasons: Reasons::default(),
            policy_revision: 1,
            fingerprint: 0,
            arms: false,
            endpoint: None,
        }
    }

    fn lease(amount: u64, count: u32, armed: bool) -> Lease {
        Lease { amount: Amount::from_micros(amount), count, armed }
    }

    /// An agent with approvals (turn, amount) before, and one more in turn 5 that is changed by `change`.
    fn check(name: &str, before: &[(u64, u64)], change: fn(&mut Approved), lease: Lease, durable: u64, expected: bool) {
        let mut book = LeaseBook::default();
        for &(turn, amount) in before {
            book.count(TurnNumber(turn), &approved(amount));
        }
        book.free(TurnNumber(durable));
        let mut last = approved(10);
        change(&mut last);
        let rider = book.count(TurnNumber(5), &last);
        assert_eq!(book.covers(rider, lease, HOLD_MAX, TurnNumber(durable)), expected, "{name}");
    }

    #[test]
    fn only_what_the_lease_covers_is_released() {
        let same: fn(&mut Approved) = |_| ();
        check("alone", &[], same, lease(100, 10, true), 4, true);
        check("exactly the amount", &[(4, 90)], same, lease(100, 10, true), 3, true);
        check("one over the amount", &[(4, 91)], same, lease(100, 10, true), 3, false);
        check("the amount is free again when durable", &[(4, 91)], same, lease(100, 10, true), 4, true);
        check("exactly the count", &[(4, 1), (5, 1)], same, lease(100, 3, true), 3, true);
        check("one over the count", &[(4, 1), (5, 1)], same, lease(100, 2, true), 3, false);
        check("the count is free again when durable", &[(4, 1), (5, 1)], same, lease(100, 2, true), 4, true);
        check("not armed", &[], same, lease(100, 10, false), 4, false);
        check("no lease", &[], same, lease(0, 10, true), 4, false);
        check("no count", &[], same, lease(100, 0, true), 4, false);
        check("a deposit", &[], |a| a.deposit = true, lease(100, 10, true), 4, false);
        check("the longest hold", &[], |a| a.expires_after = HOLD_MAX, lease(100, 10, true), 4, true);
        let longer: fn(&mut Approved) = |a| a.expires_after = Duration::from_micros(HOLD_MAX.micros() + 1);
        check("a longer hold", &[], longer, lease(100, 10, true), 4, false);
        check("the one that arms", &[], |a| a.arms = true, lease(100, 10, true), 4, false);
        check("the one that arms, durable", &[], |a| a.arms = true, lease(100, 10, true), 5, true);
    }

    #[test]
    fn an_arming_that_is_not_durable_releases_nobody() {
        let mut book = LeaseBook::default();
        book.count(TurnNumber(5), &Approved { arms: true, ..approved(1) });
        let rider = book.count(TurnNumber(6), &approved(1));
        assert!(!book.covers(rider, lease(100, 10, true), HOLD_MAX, TurnNumber(4)));
        assert!(book.covers(rider, lease(100, 10, true), HOLD_MAX, TurnNumber(5)));
    }

    #[test]
    fn agents_do_not_share_a_lease() {
        let mut book = LeaseBook::default();
        book.count(TurnNumber(5), &Approved { agent: AgentIndex(0), ..approved(1000) });
        let rider = book.count(TurnNumber(5), &approved(10));
        assert!(book.covers(rider, lease(10, 1, true), HOLD_MAX, TurnNumber(4)));
    }
}
