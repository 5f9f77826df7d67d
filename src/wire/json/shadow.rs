//! A policy in shadow: what it would have changed.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentId, AuthorizationId, PolicyId, Timestamp,
    outcome::{ShadowView, ViolationKind},
    state::shadow::{EXAMPLES_MAX, Example, Shadow, Tally},
};

use super::{Money, PolicyBody};

/// A policy in shadow, over all shards.
#[derive(Debug)]
pub struct ShadowSum {
    revision: u32,
    shadow: Shadow,
    examples: Vec<(AgentId, Example)>,
}

impl ShadowSum {
    /// What the shards know of the policy `id`; `None` where it is in shadow in none.
    #[must_use]
    pub fn of(id: PolicyId, views: Vec<ShadowView>) -> Option<ShadowSum> {
        let sums = views.into_iter().filter(|view| view.shadow.source.id == id).map(ShadowSum::one);
        let mut sum = sums.reduce(ShadowSum::join)?;
        sum.examples.sort_by_key(|(_, example)| (example.at, example.authorization));
        let surplus = sum.examples.len().saturating_sub(EXAMPLES_MAX);
        sum.examples.drain(..surplus);
        Some(sum)
    }

    fn one(mut view: ShadowView) -> ShadowSum {
        let examples = view.agents.into_iter().zip(std::mem::take(&mut view.shadow.examples)).collect();
        ShadowSum { revision: view.revision, shadow: view.shadow, examples }
    }

    fn join(mut self, other: ShadowSum) -> ShadowSum {
        // A shard that is told later began later: what the earliest says holds for the gateway.
        self.shadow.since = self.shadow.since.min(other.shadow.since);
        self.shadow.decisions += other.shadow.decisions;
        self.shadow.stricter = sum(self.shadow.stricter, other.shadow.stricter);
        self.shadow.looser = sum(self.shadow.looser, other.shadow.looser);
        for (kind, tally) in other.shadow.by_kind {
            match self.shadow.by_kind.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, known)) => *known = sum(*known, tally),
                None => self.shadow.by_kind.push((kind, tally)),
            }
        }
        self.examples.extend(other.examples);
        self
    }

    /// The policy as it was written, to be put in force.
    #[must_use]
    pub fn into_source(self) -> crate::kernel::policy::PolicySource {
        self.shadow.source
    }
}

fn sum(one: Tally, other: Tally) -> Tally {
    Tally { count: one.count + other.count, amount: one.amount.saturating_add(other.amount) }
}

/// A policy in shadow and what it would have changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShadowBody<'a> {
    policy: PolicyBody<'a>,
    /// When it began to decide.
    #[schema(value_type = Timestamp)]
    since: String,
    /// Payments of agents whom it concerns, decided since then.
    decisions: u64,
    /// Approved payments that it would have refused.
    stricter: ShadowTally,
    /// Denied payments that it would have approved.
    looser: ShadowTally,
    /// Those that it would have refused, by their first reason.
    by_rule: Vec<ShadowRow>,
    /// The latest disagreements, the oldest first.
    #[schema(max_items = 50)]
    examples: Vec<ShadowExample>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ShadowTally {
    count: u64,
    amount: Money,
}

#[derive(Debug, Serialize, ToSchema)]
struct ShadowRow {
    /// The code of the violation.
    name: &'static str,
    count: u64,
    amount: Money,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShadowExample {
    #[schema(value_type = Timestamp)]
    at: String,
    #[schema(value_type = AgentId)]
    agent_id: String,
    #[schema(value_type = AuthorizationId)]
    authorization_id: String,
    amount: Money,
    /// What the live policies had against it first; `null` where they approved.
    live: Option<&'static str>,
    /// What the shadow has against it first; `null` where it approves.
    shadow: Option<&'static str>,
}

impl<'a> ShadowBody<'a> {
    /// What was found over all shards.
    #[must_use]
    pub fn of(sum: &'a ShadowSum) -> ShadowBody<'a> {
        let shadow = &sum.shadow;
        let mut by_kind = shadow.by_kind.clone();
        by_kind.sort_by_key(|(kind, tally)| (std::cmp::Reverse(tally.amount), *kind));
        let row = |(kind, tally): &(ViolationKind, Tally)| ShadowRow {
            name: kind.code(),
            count: tally.count,
            amount: Money(tally.amount),
        };
        ShadowBody {
            policy: PolicyBody::of(&shadow.source, sum.revision),
            since: shadow.since.to_string(),
            decisions: shadow.decisions,
            stricter: ShadowTally::of(shadow.stricter),
            looser: ShadowTally::of(shadow.looser),
            by_rule: by_kind.iter().map(row).collect(),
            examples: sum.examples.iter().map(|(agent, example)| ShadowExample::of(*agent, example)).collect(),
        }
    }
}

impl ShadowTally {
    fn of(tally: Tally) -> ShadowTally {
        ShadowTally { count: tally.count, amount: Money(tally.amount) }
    }
}

impl ShadowExample {
    fn of(agent: AgentId, example: &Example) -> ShadowExample {
        ShadowExample {
            at: example.at.to_string(),
            agent_id: agent.to_string(),
            authorization_id: example.authorization.to_string(),
            amount: Money(example.amount),
            live: example.live.map(ViolationKind::code),
            shadow: example.shadow.map(ViolationKind::code),
        }
    }
}
