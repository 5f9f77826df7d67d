//! Load a list of sanctions, and put it in force.

use super::limits::Party;
use crate::kernel::{
    Event, Facts, Failure, Name, Outcome, Timestamp,
    counterparty::{Counterparty, Standing},
    sanctions::{
        ADDRESS_EXPECTED, SANCTIONS_TEXT_BYTES_MAX, SanctionsPart, SanctionsSummary, check_size, is_canonical,
    },
    state::State,
};

/// What stops a payment whatever the policies say, whoever of those who get a part of it it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stops {
    /// An address or country is on the list of sanctions.
    pub(crate) sanctioned: bool,
    /// The directory blocks somebody.
    pub(crate) blocked: bool,
}

impl Stops {
    pub(crate) fn any(self) -> bool {
        self.sanctioned || self.blocked
    }
}

impl State {
    pub(crate) fn stage_sanctions(&self, part: &SanctionsPart, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        if !part.addresses.iter().all(|address| is_canonical(address)) {
            return Err(ADDRESS_EXPECTED);
        }
        let expected = "the part after the last one of the same list";
        let (addresses, countries) =
            self.sanctions.size_with(part).ok_or(Failure::Invalid { field: "part", expected })?;
        check_size(addresses, countries)?;
        events.push(Event::SanctionsStaged(Box::new(part.clone())));
        Ok(Outcome::Done)
    }

    /// As for policies, from whose revisions these are taken. The list must have come before, as a whole.
    pub(crate) fn switch_sanctions(
        &self,
        summary: Option<&SanctionsSummary>,
        revision: Option<u32>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        if summary.is_some_and(|summary| !self.sanctions.has_staged(summary)) {
            let expected = "a list whose parts have all come, and no other in between; load it again";
            return Err(Failure::Invalid { field: "list", expected });
        }
        let is_short = |text: &str| text.len() <= SANCTIONS_TEXT_BYTES_MAX;
        if summary.is_some_and(|summary| !is_short(&summary.source) || !is_short(&summary.loaded_by)) {
            return Err(Failure::Invalid { field: "source", expected: "at most 256 bytes" });
        }
        if revision.is_none() && summary.is_none() && self.sanctions.in_force().is_none() {
            return Err(Failure::NoSanctions);
        }
        let full = Failure::Capacity { what: "policy revisions", maximum: u64::from(u32::MAX) };
        let revision = revision.or(self.catalogue.revision().checked_add(1)).ok_or(full)?;
        if revision > self.sanctions.revision() {
            events.push(Event::SanctionsSwitched(summary.cloned().map(Box::new), revision));
        }
        Ok(Outcome::PolicyChanged { revision })
    }

    pub(crate) fn sanctions_switched(&mut self, now: Timestamp, summary: Option<&SanctionsSummary>, revision: u32) {
        self.sanctions.switch(summary.cloned(), revision, now);
        self.catalogue.reach(revision);
    }

    /// What stops a payment to these. The country is what the directory says, else what the request says of the first recipient; one
    /// that is not known is on no list.
    pub(crate) fn stops(
        &self,
        recipient: &Name<'_>,
        entry: Option<&Counterparty>,
        others: &[Party<'_>],
        facts: Option<&Facts<'_>>,
    ) -> Stops {
        let blocked = is_blocked(entry) || others.iter().any(|party| is_blocked(party.entry));
        if self.sanctions.in_force().is_none() {
            return Stops { sanctioned: false, blocked };
        }
        let claimed = facts.map(|facts| facts.country).filter(|country| !country.is_empty());
        let of_first = entry.and_then(Counterparty::country).or(claimed);
        let of_others = others.iter().filter_map(|party| party.entry?.country());
        let sanctioned = self.sanctions.has_address(recipient)
            || others.iter().any(|party| self.sanctions.has_address(&party.name))
            || of_first.into_iter().chain(of_others).any(|country| self.sanctions.has_country(country));
        Stops { sanctioned, blocked }
    }

    /// Whether a recipient of whom nothing else is known any more gets nothing, whatever the policies say.
    pub(crate) fn is_stopped(&self, recipient: &Name<'_>) -> bool {
        let entry = self.counterparties.find(recipient);
        let country = entry.and_then(Counterparty::country);
        is_blocked(entry)
            || self.sanctions.has_address(recipient)
            || country.is_some_and(|country| self.sanctions.has_country(country))
    }
}

fn is_blocked(entry: Option<&Counterparty>) -> bool {
    entry.is_some_and(|entry| entry.standing == Some(Standing::Blocked))
}
