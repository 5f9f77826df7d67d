//! Describe a payee, or forget one.

use crate::kernel::{
    CounterpartyId, Event, Failure, Name, Outcome, counterparty::Counterparty, facts::SCORE_MAX, policy::Program,
    state::State,
};

impl State {
    pub(crate) fn put_counterparty(
        &self,
        counterparty: &Counterparty,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let known = self.counterparties.get(counterparty.id);
        if revision.is_none() {
            self.check_counterparty(counterparty)?;
            if let Some(known) = known.filter(|known| known.counterparty == *counterparty) {
                return Ok(Outcome::PolicyChanged { revision: known.revision });
            }
        }
        let put = |revision| Event::CounterpartyPut(Box::new(counterparty.clone()), revision);
        self.change_directory(counterparty.id, revision, events, put)
    }

    pub(crate) fn remove_counterparty(
        &self,
        id: CounterpartyId,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        if revision.is_none() && self.counterparties.get(id).is_none() {
            return Err(Failure::UnknownCounterparty);
        }
        self.change_directory(id, revision, events, |revision| Event::CounterpartyRemoved(id, revision))
    }

    fn check_counterparty(&self, counterparty: &Counterparty) -> Result<(), Failure> {
        for (score, field) in
            [(counterparty.trust_score, "trustScore"), (counterparty.fairscale_score, "fairscaleScore")]
        {
            if score.is_some_and(|score| score > SCORE_MAX) {
                return Err(Failure::Invalid { field, expected: "a score of at most 100 of 100" });
            }
        }
        let same_address = self.counterparties.find(&counterparty.recipient());
        if same_address.is_some_and(|other| other.id != counterparty.id) {
            let expected = "an address that no other counterparty has; change that one instead";
            return Err(Failure::Invalid { field: "address", expected });
        }
        let maximum = self.options.maxima.counterparties;
        let is_new = self.counterparties.get(counterparty.id).is_none();
        if is_new && self.counterparties.len() >= maximum as usize {
            return Err(Failure::Capacity { what: "counterparties", maximum: u64::from(maximum) });
        }
        Ok(())
    }

    /// As for policies, from whose revisions these are taken: the revision of a decision says which policies and which directory made it.
    fn change_directory(
        &self,
        id: CounterpartyId,
        revision: Option<u32>,
        events: &mut Vec<Event>,
        event: impl FnOnce(u32) -> Event,
    ) -> Result<Outcome, Failure> {
        let full = Failure::Capacity { what: "policy revisions", maximum: u64::from(u32::MAX) };
        let revision = revision.or(self.catalogue.revision().checked_add(1)).ok_or(full)?;
        if revision > self.counterparties.revision_of(id) {
            events.push(event(revision));
        }
        Ok(Outcome::PolicyChanged { revision })
    }

    pub(crate) fn counterparty_put(&mut self, counterparty: &Counterparty, revision: u32) {
        self.counterparties.put(counterparty.clone(), revision);
        self.catalogue.reach(revision);
    }

    pub(crate) fn counterparty_removed(&mut self, id: CounterpartyId, revision: u32) {
        self.counterparties.remove(id);
        self.catalogue.reach(revision);
    }

    /// What the directory says of a recipient, where somebody may ask for it: nobody does who has no rule on it.
    pub(crate) fn described(&self, program: &Program, recipient: &Name<'_>) -> Option<&Counterparty> {
        if self.counterparties.is_empty() {
            return None;
        }
        let screens = self.counterparties.blocks() || self.sanctions.names_countries();
        let is_asked = screens || program.asks_about_payees() || !self.shadows.is_empty();
        if is_asked { self.counterparties.find(recipient) } else { None }
    }
}
