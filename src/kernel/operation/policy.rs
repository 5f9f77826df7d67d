//! Write a policy, or take one out of force.

use crate::kernel::{
    Event, Failure, Outcome, PolicyId,
    policy::{PolicySource, check, counted::COUNTED_MAX},
    state::State,
};

impl State {
    pub(crate) fn put_policy(
        &self,
        source: &PolicySource,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let checked = check(source)?;
        if revision.is_none() && self.catalogue.counted_with(&checked) > COUNTED_MAX {
            return Err(Failure::Capacity { what: "counters that policies ask for", maximum: COUNTED_MAX as u64 });
        }
        let in_force = self.policies().find(|(policy, _)| policy.id == source.id);
        let new = revision.is_none() && in_force.is_none();
        if new && self.policies().count() >= self.options.maxima.policies as usize {
            return Err(Failure::Capacity { what: "policies", maximum: u64::from(self.options.maxima.policies) });
        }
        if revision.is_none()
            && let Some((policy, revision)) = in_force
            && policy == source
        {
            return Ok(Outcome::PolicyChanged { revision });
        }
        let known = self.catalogue.revision_of(source.id);
        self.change_everywhere(known, revision, events, |revision| Event::PolicyPut(Box::new(source.clone()), revision))
    }

    pub(crate) fn remove_policy(
        &self,
        id: PolicyId,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        if revision.is_none() && !self.policies().any(|(policy, _)| policy.id == id) {
            return Err(Failure::UnknownPolicy);
        }
        let known = self.catalogue.revision_of(id);
        self.change_everywhere(known, revision, events, |revision| Event::PolicyRemoved(id, revision))
    }

    /// A change of something that every shard has, of which this one knows the change `known`.
    ///
    /// The shard that keeps the catalogue gives the next revision; the others are told it, skip what is older than what they have, and
    /// refuse nothing that is newer: a limit that one shard does not know is no limit.
    pub(super) fn change_everywhere(
        &self,
        known: u32,
        revision: Option<u32>,
        events: &mut Vec<Event>,
        event: impl FnOnce(u32) -> Event,
    ) -> Result<Outcome, Failure> {
        let full = Failure::Capacity { what: "policy revisions", maximum: u64::from(u32::MAX) };
        let revision = revision.or(self.catalogue.revision().checked_add(1)).ok_or(full)?;
        if revision > known {
            events.push(event(revision));
        }
        Ok(Outcome::PolicyChanged { revision })
    }

    pub(crate) fn policy_put(&mut self, source: &PolicySource, revision: u32) {
        self.catalogue.put(source.clone(), revision);
        self.recompile();
    }

    pub(crate) fn policy_removed(&mut self, id: PolicyId, revision: u32) {
        self.catalogue.remove(id, revision);
        self.recompile();
    }
}
