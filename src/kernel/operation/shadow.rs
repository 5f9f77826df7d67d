//! A policy decides in shadow, beside the live ones.

use super::limits::{self, Payment, Verdict};
use crate::kernel::{
    AgentIndex, AuthorizationId, Event, Failure, Outcome, PolicyId, Timestamp,
    event::ShadowDiffered,
    policy::{PolicySource, check},
    state::{State, agent::Agent, shadow::SHADOWS_MAX},
};

impl State {
    pub(crate) fn put_shadow(
        &self,
        source: &PolicySource,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        check(source)?;
        let running = self.shadows.entries().filter(|(_, entry)| entry.shadow.is_some()).count();
        let new = revision.is_none() && self.shadows.shadow(source.id).is_none();
        if new && running >= SHADOWS_MAX {
            return Err(Failure::Capacity { what: "policies in shadow", maximum: SHADOWS_MAX as u64 });
        }
        if revision.is_none() && self.shadows.shadow(source.id).is_some_and(|shadow| shadow.source == *source) {
            return Ok(Outcome::PolicyChanged { revision: self.shadows.revision_of(source.id) });
        }
        let put = |revision| Event::ShadowPut(Box::new(source.clone()), revision);
        self.change_everywhere(self.shadows.revision_of(source.id), revision, events, put)
    }

    pub(crate) fn remove_shadow(
        &self,
        id: PolicyId,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        if revision.is_none() && self.shadows.shadow(id).is_none() {
            return Err(Failure::UnknownPolicy);
        }
        let known = self.shadows.revision_of(id);
        self.change_everywhere(known, revision, events, |revision| Event::ShadowRemoved(id, revision))
    }

    /// Says where the shadows disagree with the verdict on a payment.
    #[expect(clippy::too_many_arguments, reason = "all that was found out on the way to the verdict")]
    pub(crate) fn compare_with_shadows(
        &self,
        agent: &Agent,
        index: AgentIndex,
        id: AuthorizationId,
        payment: &Payment<'_>,
        now: Timestamp,
        live: &Verdict,
        events: &mut Vec<Event>,
    ) {
        let live = live.first_refusal().map(|violation| violation.kind);
        for (policy, program) in self.shadows.programs(agent.id) {
            let verdict = limits::check(agent, program, &self.options, payment, now);
            let shadow = verdict.first_refusal().map(|violation| violation.kind);
            if live.is_some() != shadow.is_some() {
                let differed = ShadowDiffered { policy, agent: index, id, amount: payment.amount, live, shadow };
                events.push(Event::ShadowDiffered(Box::new(differed)));
            }
        }
    }

    /// Payments of an agent were decided.
    #[inline]
    pub(crate) fn count_in_shadow(&mut self, index: AgentIndex, decisions: u32) {
        if !self.shadows.is_empty()
            && let Some(agent) = self.agents.get(index)
        {
            self.shadows.count(agent.id, decisions);
        }
    }

    pub(crate) fn shadow_put(&mut self, now: Timestamp, source: &PolicySource, revision: u32) {
        self.shadows.put(source.clone(), revision, now);
        self.catalogue.reach(revision);
        self.recompile();
    }

    pub(crate) fn shadow_removed(&mut self, id: PolicyId, revision: u32) {
        self.shadows.remove(id, revision);
        self.catalogue.reach(revision);
        self.recompile();
    }
}
