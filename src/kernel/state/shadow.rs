//! Policies in shadow: versions that decide beside the live ones, so that people see what they would change before they do.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use bincode::{Decode, Encode};
use hashbrown::{HashMap, HashSet};

use super::catalogue::Catalogue;
use crate::kernel::{
    AgentId, AgentIndex, Amount, AuthorizationId, PolicyId, Timestamp,
    event::ShadowDiffered,
    outcome::ViolationKind,
    policy::{CountedSet, PeriodSet, PolicySource, Program},
};

/// The most policies that are in shadow at one time: each decides about every payment once more.
pub const SHADOWS_MAX: usize = 4;
/// The most disagreements of one shadow that a shard shows one by one.
pub const EXAMPLES_MAX: usize = 50;

/// All policies that are, or were, in shadow.
#[derive(Debug, Default)]
pub struct Shadows {
    entries: BTreeMap<PolicyId, Entry>,
    /// Ready to run, those in shadow alone.
    running: Vec<Running>,
}

/// One policy in shadow, or what is left of one.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Entry {
    /// The change of the catalogue that wrote or removed it.
    pub revision: u32,
    /// `None` once it is in shadow no more.
    pub shadow: Option<Shadow>,
}

/// A policy in shadow and what it would have changed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Shadow {
    /// As written; its id is that of the live policy whose place it would take.
    pub source: PolicySource,
    /// When it began to decide.
    pub since: Timestamp,
    /// Payments of agents whom it concerns, decided since then.
    pub decisions: u64,
    /// Approved payments that it would have refused.
    pub stricter: Tally,
    /// Denied payments that it would have approved.
    pub looser: Tally,
    /// The refused ones by their first reason.
    pub by_kind: Vec<(ViolationKind, Tally)>,
    /// The latest disagreements, at most [`EXAMPLES_MAX`], the oldest first.
    pub examples: Vec<Example>,
}

/// Payments and what they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// All of them together.
    pub amount: Amount,
}

/// One payment about which the shadow disagreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct Example {
    pub at: Timestamp,
    pub agent: AgentIndex,
    pub authorization: AuthorizationId,
    pub amount: Amount,
    /// The first reason that the live policies had against it; `None` where they approved.
    pub live: Option<ViolationKind>,
    /// The first reason that the shadow has against it; `None` where it approves.
    pub shadow: Option<ViolationKind>,
}

/// A shadow as it decides.
#[derive(Debug)]
struct Running {
    policy: PolicyId,
    /// For agents that nothing lists; `None` where the shadow changes nothing for them.
    base: Option<Arc<Program>>,
    listed: HashMap<AgentId, Option<Arc<Program>>>,
}

impl Tally {
    fn add(&mut self, amount: Amount) {
        self.count += 1;
        self.amount = self.amount.saturating_add(amount);
    }
}

impl Shadow {
    fn new(source: PolicySource, since: Timestamp) -> Shadow {
        Shadow {
            source,
            since,
            decisions: 0,
            stricter: Tally::default(),
            looser: Tally::default(),
            by_kind: Vec::new(),
            examples: Vec::new(),
        }
    }

    fn differed(&mut self, now: Timestamp, event: &ShadowDiffered) {
        match event.shadow {
            Some(kind) => {
                self.stricter.add(event.amount);
                match self.by_kind.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, tally)) => tally.add(event.amount),
                    None => self.by_kind.push((kind, Tally { count: 1, amount: event.amount })),
                }
            }
            None => self.looser.add(event.amount),
        }
        if self.examples.len() == EXAMPLES_MAX {
            self.examples.remove(0);
        }
        self.examples.push(Example {
            at: now,
            agent: event.agent,
            authorization: event.id,
            amount: event.amount,
            live: event.live,
            shadow: event.shadow,
        });
    }
}

impl Shadows {
    /// As they were stored; they run once they are compiled.
    #[must_use]
    pub fn restore(entries: Vec<(PolicyId, Entry)>) -> Shadows {
        Shadows { entries: entries.into_iter().collect(), running: Vec::new() }
    }

    /// A policy is in shadow from now on, without a past.
    pub fn put(&mut self, source: PolicySource, revision: u32, now: Timestamp) {
        self.entries.insert(source.id, Entry { revision, shadow: Some(Shadow::new(source, now)) });
    }

    /// A policy is in shadow no more.
    pub fn remove(&mut self, id: PolicyId, revision: u32) {
        self.entries.insert(id, Entry { revision, shadow: None });
    }

    /// A shadow disagreed.
    pub fn differed(&mut self, now: Timestamp, event: &ShadowDiffered) {
        if let Some(shadow) = self.entries.get_mut(&event.policy).and_then(|entry| entry.shadow.as_mut()) {
            shadow.differed(now, event);
        }
    }

    /// Payments of an agent were decided.
    pub fn count(&mut self, agent: AgentId, decisions: u32) {
        for running in &self.running {
            if running.program(agent).is_some()
                && let Some(shadow) = self.entries.get_mut(&running.policy).and_then(|entry| entry.shadow.as_mut())
            {
                shadow.decisions += u64::from(decisions);
            }
        }
    }

    /// Makes the programs anew, beside those of the catalogue.
    pub fn compile(&mut self, catalogue: &Catalogue) {
        let shadows = self.entries.values().filter_map(|entry| entry.shadow.as_ref());
        self.running = shadows.map(|shadow| Running::new(&shadow.source, catalogue)).collect();
    }

    /// Whether nothing is in shadow.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// What decides about an agent's payments in shadow, each with its policy.
    pub fn programs(&self, agent: AgentId) -> impl Iterator<Item = (PolicyId, &Program)> {
        self.running.iter().filter_map(move |running| Some((running.policy, &**running.program(agent)?)))
    }

    /// The periods in which an agent's calls must be counted for them.
    #[must_use]
    pub fn velocity_periods(&self, agent: AgentId) -> PeriodSet {
        self.programs(agent).fold(PeriodSet::default(), |set, (_, program)| set.union(program.velocity_periods()))
    }

    /// What must be counted of an agent for them and for its live program, which asks for `live`.
    #[must_use]
    pub fn counted<'a>(&'a self, agent: AgentId, live: &'a CountedSet) -> Cow<'a, CountedSet> {
        self.programs(agent).fold(Cow::Borrowed(live), |all, (_, program)| {
            // A shadow's set has what the live program asks for, too.
            match (all.digest(), program.counted()) {
                (digest, more) if digest == more.digest() => all,
                (digest, more) if digest == live.digest() => Cow::Borrowed(more),
                (_, more) => Cow::Owned(all.as_slice().iter().chain(more.as_slice()).cloned().collect()),
            }
        })
    }

    /// All of them, those that are in shadow no more included.
    pub fn entries(&self) -> impl Iterator<Item = (PolicyId, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// The one that has the id of a live policy.
    #[must_use]
    pub fn shadow(&self, id: PolicyId) -> Option<&Shadow> {
        self.entries.get(&id)?.shadow.as_ref()
    }

    /// The change that wrote or removed it last; 0 for one that never was.
    #[must_use]
    pub fn revision_of(&self, id: PolicyId) -> u32 {
        self.entries.get(&id).map_or(0, |entry| entry.revision)
    }
}

impl Running {
    /// A policy lists up to ten thousand agents, most of whom have the same policies besides: each set of policies is compiled once.
    fn new(source: &PolicySource, catalogue: &Catalogue) -> Running {
        let live = catalogue.source(source.id).map(Reach::of);
        let draft = Reach::of(source);
        let mut compiled: HashMap<(u32, bool), Option<Arc<Program>>> = HashMap::new();
        let mut program = |agent: Option<AgentId>| {
            let (live_program, applies) = (catalogue.program_of(agent), draft.holds(agent));
            let made = compiled.entry((live_program, applies)).or_insert_with(|| {
                let changes = applies || live.as_ref().is_some_and(|live| live.holds(agent));
                changes.then(|| {
                    let mut program = catalogue.program_with(agent, source).0;
                    program.count_also(catalogue.program(live_program).counted());
                    Arc::new(program)
                })
            });
            made.clone()
        };
        let agents = catalogue.listed().chain(source.agents.iter().copied());
        let listed = agents.map(|agent| (agent, program(Some(agent)))).collect();
        Running { policy: source.id, base: program(None), listed }
    }

    fn program(&self, agent: AgentId) -> Option<&Arc<Program>> {
        self.listed.get(&agent).unwrap_or(&self.base).as_ref()
    }
}

/// Whom a policy concerns.
struct Reach {
    everybody: bool,
    agents: HashSet<AgentId>,
}

impl Reach {
    fn of(policy: &PolicySource) -> Reach {
        Reach {
            everybody: policy.active && policy.is_for_everybody(),
            agents: policy.agents.iter().filter(|_| policy.active).copied().collect(),
        }
    }

    fn holds(&self, agent: Option<AgentId>) -> bool {
        self.everybody || agent.is_some_and(|agent| self.agents.contains(&agent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::policy::{PolicyScope, RuleSource},
        testing::policy_for_everybody,
    };

    fn capped(id: u128, agents: impl IntoIterator<Item = u128>) -> PolicySource {
        let cap = RuleSource {
            rule_type: "MAX_AMOUNT".into(),
            operator: "LTE".into(),
            value: "5".into(),
            action: "DENY".into(),
        };
        PolicySource {
            id: PolicyId(id),
            scope: PolicyScope::Assigned,
            agents: agents.into_iter().map(AgentId).collect(),
            ..policy_for_everybody(vec![cap])
        }
    }

    #[test]
    fn agents_with_the_same_policies_share_a_program() {
        let mut catalogue = Catalogue::new(&capped(0, []));
        catalogue.put(capped(1, 0..4000), 1);
        catalogue.put(capped(2, 2000..6000), 2);
        catalogue.compile();
        let shadow = Running::new(&capped(1, 1000..10_000), &catalogue);
        let mut programs: Vec<_> = shadow.listed.values().flatten().map(Arc::as_ptr).collect();
        assert_eq!(programs.len(), 10_000);
        programs.sort_unstable();
        programs.dedup();
        // By what they have now, and whether the draft lists them: 0.., 1000.., 2000.., 4000.. and 6000..
        assert_eq!(programs.len(), 5);
        assert!(shadow.base.is_none(), "nobody else has either version");
    }
}
