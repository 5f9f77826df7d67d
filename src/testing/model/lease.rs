//! What may be approved ahead of the disk, and what a crash leaves of it.

use super::{
    Model,
    agent::UnknownHold,
    counted::NarrowCall,
    sum::{amount, micros},
};
use crate::kernel::{AgentIndex, Amount, Duration, Period, Protocol, Timestamp, policy::Rule};

impl Model {
    /// The lease of an agent: how much, how many, and whether it is armed.
    #[must_use]
    pub fn lease(&self, agent: AgentIndex) -> (Amount, u32, bool) {
        let (amount, count) = self.lease_of(agent.0 as usize);
        (amount, count, self.agents[agent.0 as usize].armed.is_some())
    }

    /// The process stopped and let the shard go with everything durable.
    pub fn stop(&mut self, now: Timestamp) {
        self.pass(now);
        for agent in &mut self.agents {
            agent.armed = None;
        }
    }

    /// A process takes the shard over. Without a stop before, what was armed is assumed to be spent.
    pub fn restart(&mut self, now: Timestamp) {
        self.pass(now);
        self.incarnation += 1;
        self.sanctions.abandon();
        let until = self.now.after(self.options.lease.hold_max).after(self.options.grace);
        for agent in &mut self.agents {
            if let Some((amount, count)) = agent.armed.take() {
                agent.unknown_holds.push(UnknownHold { amount: micros(amount), until });
                agent.paces.push((self.now, u64::from(count)));
                agent.narrow_calls.push(NarrowCall {
                    at: self.now,
                    count: u64::from(count),
                    wallet: None,
                    protocol: Protocol::Payment,
                    endpoint: None,
                    lost: true,
                });
            }
        }
    }

    /// The first approval that lasts no longer than what rides on a lease arms it.
    pub(super) fn arm(&mut self, agent: usize, lasts: Duration) {
        let (amount, count) = self.lease_of(agent);
        let rides = count > 0 && !amount.is_zero() && lasts <= self.options.lease.hold_max;
        if rides && self.agents[agent].armed.is_none() {
            self.agents[agent].armed = Some((amount, count));
        }
    }

    pub(super) fn disarm_changed_leases(&mut self) {
        for agent in 0..self.agents.len() {
            let lease = self.lease_of(agent);
            self.agents[agent].armed = self.agents[agent].armed.filter(|armed| *armed == lease);
        }
    }

    /// Each period is counted from when a policy first asks for it.
    pub(super) fn begin_counting_calls(&mut self) {
        for agent in 0..self.agents.len() {
            for rule in self.all_rules(agent) {
                if let Rule::Velocity { period, .. } = rule {
                    let agent = &mut self.agents[agent];
                    let index = Period::ALL.iter().position(|each| *each == period).expect("all periods are listed");
                    agent.paced_from[index].get_or_insert(agent.paces.len());
                }
            }
        }
    }

    fn lease_of(&self, agent: usize) -> (Amount, u32) {
        let lease = &self.options.lease;
        let count = match self.velocity_maxima(agent).min() {
            Some(smallest) => share(u64::from(smallest), lease.share_percent).min(i128::from(lease.count_max)),
            None => i128::from(lease.count_max),
        };
        let within = |cap: Amount| {
            let share = share(cap.micros(), lease.share_percent);
            amount(share.max(micros(lease.floor)).min(micros(lease.ceiling)))
        };
        let ruled = self.cumulative_caps(agent).min().map_or(lease.ceiling, within);
        let own = self.agents[agent].own_lease.filter(|_| !lease.ceiling.is_zero());
        (own.unwrap_or(ruled), u32::try_from(count).expect("a share of a u32"))
    }

    fn velocity_maxima(&self, agent: usize) -> impl Iterator<Item = u32> {
        self.all_rules(agent).into_iter().filter_map(|rule| match inner(rule) {
            Rule::Velocity { max_count, .. } | Rule::VelocityPerEndpoint { max_count, .. } => Some(max_count),
            _ => None,
        })
    }

    fn cumulative_caps(&self, agent: usize) -> impl Iterator<Item = Amount> {
        let rules = self.all_rules(agent).into_iter().filter_map(|rule| match inner(rule) {
            Rule::WindowLimit { cap, .. }
            | Rule::BudgetCap { cap, .. }
            | Rule::RollingLimit { cap, .. }
            | Rule::MaxPerEndpoint { cap, .. }
            | Rule::SessionBudget { cap, .. }
            | Rule::MaxPerService { cap, .. } => Some(cap),
            _ => None,
        });
        let wallets = self.agents[agent].wallets.iter().flat_map(|wallet| {
            [wallet.source.limit_per_day, wallet.source.limit_per_week, wallet.source.limit_per_month]
        });
        let budget = self.agents[agent].budget_in_force().map(|budget| budget.approved);
        rules.chain(wallets.flatten()).chain(budget)
    }
}

/// What a rule says, whichever wallets it is for.
pub(super) fn inner(rule: Rule) -> Rule {
    if let Rule::OnWallets { rule, .. } = rule { *rule } else { rule }
}

fn share(whole: u64, percent: u8) -> i128 {
    i128::from(whole) * i128::from(percent) / 100
}
