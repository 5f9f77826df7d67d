//! The policies of the gateway as one shard knows them, and the programs made from them.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;

use crate::kernel::{
    AgentId, PolicyId,
    policy::{CheckedPolicy, CountedSet, PolicySource, Program, check, compile},
};

/// One policy, or what is left of one that was removed.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The change that wrote it.
    pub revision: u32,
    /// As written; `None` once removed.
    pub source: Option<PolicySource>,
    /// Ready to compile; `None` where this version cannot read it.
    checked: Option<Arc<CheckedPolicy>>,
}

/// See the module.
#[derive(Debug)]
pub struct Catalogue {
    entries: BTreeMap<PolicyId, Entry>,
    revision: u32,
    default: Option<CheckedPolicy>,
    programs: Vec<Arc<Program>>,
    /// The program of agents that no policy lists.
    base: u32,
    /// The programs of the others.
    listed: HashMap<AgentId, u32>,
}

impl Catalogue {
    /// No policies but the default one.
    #[must_use]
    pub fn new(default: &PolicySource) -> Catalogue {
        let default = check(default).ok();
        Catalogue {
            entries: BTreeMap::new(),
            revision: 0,
            default,
            programs: Vec::new(),
            base: 0,
            listed: HashMap::new(),
        }
    }

    /// What agents without a policy get from now on.
    pub fn set_default(&mut self, default: &PolicySource) {
        self.default = check(default).ok();
    }

    /// Writes a policy.
    pub fn put(&mut self, source: PolicySource, revision: u32) {
        let checked = check(&source).ok().map(Arc::new);
        self.entries.insert(source.id, Entry { revision, source: Some(source), checked });
        self.revision = self.revision.max(revision);
    }

    /// Removes a policy, remembering that it was.
    pub fn remove(&mut self, id: PolicyId, revision: u32) {
        self.entries.insert(id, Entry { revision, source: None, checked: None });
        self.revision = self.revision.max(revision);
    }

    /// The change that wrote or removed the policy last; 0 for one that never was.
    #[must_use]
    pub fn revision_of(&self, id: PolicyId) -> u32 {
        self.entries.get(&id).map_or(0, |entry| entry.revision)
    }

    /// A change that is none of these policies took this revision.
    pub fn reach(&mut self, revision: u32) {
        self.revision = self.revision.max(revision);
    }

    /// How many different counters the policies in force would ask for with this one.
    #[must_use]
    pub fn counted_with(&self, policy: &CheckedPolicy) -> usize {
        let others = self.entries.iter().filter(|(id, entry)| **id != policy.id() && entry.is_active());
        let others = others.filter_map(|(_, entry)| entry.checked.as_deref());
        let all = others.chain([policy].into_iter().filter(|policy| policy.is_active()));
        let counted: CountedSet = all.flat_map(CheckedPolicy::counted).collect();
        counted.as_slice().len()
    }

    /// The last change.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// All policies, removed ones included.
    pub fn entries(&self) -> impl Iterator<Item = (PolicyId, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// The policies in force, each with the change that wrote it.
    pub fn sources(&self) -> impl Iterator<Item = (&PolicySource, u32)> {
        self.entries.values().filter_map(|entry| entry.source.as_ref().map(|source| (source, entry.revision)))
    }

    /// The program at a position given by [`Catalogue::program_of`].
    #[must_use]
    pub fn program(&self, position: u32) -> &Arc<Program> {
        &self.programs[position as usize]
    }

    /// The position of an agent's program; with `None`, of the one of agents that nothing lists.
    #[must_use]
    pub fn program_of(&self, agent: impl Into<Option<AgentId>>) -> u32 {
        agent.into().and_then(|agent| self.listed.get(&agent).copied()).unwrap_or(self.base)
    }

    /// The program that an agent would have if `draft` were in force, in place of the policy of its id; and whether the draft is part
    /// of it. With `None`, the program of agents that nothing lists.
    #[must_use]
    pub fn program_with(&self, agent: impl Into<Option<AgentId>>, draft: &PolicySource) -> (Program, bool) {
        let agent = agent.into();
        let checked = check(draft).ok().map(Arc::new);
        let draft = Entry { revision: self.revision.saturating_add(1), source: Some(draft.clone()), checked };
        let others = self.entries.iter().filter(|(id, _)| draft.source.as_ref().is_none_or(|own| own.id != **id));
        let entries = others.map(|(_, entry)| entry).chain([&draft]);
        let chosen: Vec<&Entry> = entries.filter(|entry| entry.is_active() && entry.applies_to(agent)).collect();
        let applies = chosen.iter().any(|entry| std::ptr::eq(*entry, &draft));
        (program(&chosen, self.default.as_ref()), applies)
    }

    /// The policy in force that has this id.
    #[must_use]
    pub fn source(&self, id: PolicyId) -> Option<&PolicySource> {
        self.entries.get(&id)?.source.as_ref()
    }

    /// The agents that policies in force list.
    pub fn listed(&self) -> impl Iterator<Item = AgentId> {
        self.listed.keys().copied()
    }

    /// Makes the programs anew; positions given before mean nothing any more.
    pub fn compile(&mut self) {
        let in_force: Vec<&Entry> = self.entries.values().filter(|entry| entry.is_active()).collect();
        let everybody: Vec<usize> = positions(&in_force, PolicySource::is_for_everybody);
        let mut listed: HashMap<AgentId, Vec<usize>> = HashMap::new();
        for (position, entry) in in_force.iter().enumerate() {
            for agent in entry.source.iter().filter(|s| !s.is_for_everybody()).flat_map(|s| &s.agents) {
                let policies = listed.entry(*agent).or_default();
                if policies.last() != Some(&position) {
                    policies.push(position);
                }
            }
        }
        let mut sets: HashMap<Vec<usize>, u32> = HashMap::new();
        let mut programs = Vec::new();
        let mut position_of = |set: Vec<usize>| {
            *sets.entry(set).or_insert_with_key(|set| {
                let chosen: Vec<&Entry> = set.iter().map(|&position| in_force[position]).collect();
                programs.push(Arc::new(program(&chosen, self.default.as_ref())));
                (programs.len() - 1) as u32
            })
        };
        self.base = position_of(everybody.clone());
        self.listed = listed
            .into_iter()
            .map(|(agent, own)| {
                let mut set = everybody.clone();
                set.extend(own);
                set.sort_unstable();
                (agent, position_of(set))
            })
            .collect();
        self.programs = programs;
    }
}

impl Entry {
    fn applies_to(&self, agent: Option<AgentId>) -> bool {
        self.source.as_ref().is_some_and(|source| {
            source.is_for_everybody() || agent.is_some_and(|agent| source.agents.contains(&agent))
        })
    }

    fn is_active(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.active)
    }
}

fn positions(entries: &[&Entry], wanted: impl Fn(&PolicySource) -> bool) -> Vec<usize> {
    let wanted = |(_, entry): &(usize, &&Entry)| entry.source.as_ref().is_some_and(&wanted);
    entries.iter().enumerate().filter(wanted).map(|(position, _)| position).collect()
}

/// A policy that cannot be read denies everything: fail closed.
fn program(chosen: &[&Entry], default: Option<&CheckedPolicy>) -> Program {
    // A policy for wallets says nothing of what others pay, so it takes the place of no other.
    let limits_all = chosen.iter().any(|entry| entry.source.as_ref().is_some_and(|source| !source.is_for_wallets()));
    let default = (!limits_all).then(|| Some((default?, 0)));
    let own = chosen.iter().map(|entry| entry.checked.as_deref().map(|checked| (checked, entry.revision)));
    let readable: Option<Vec<_>> = default.into_iter().chain(own).collect();
    readable.map_or_else(Program::deny_all, compile)
}
