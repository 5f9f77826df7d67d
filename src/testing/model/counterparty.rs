//! The directory of payees.

use super::{Model, operator::room, place::check};
use crate::kernel::{
    CounterpartyId, Failure, Outcome,
    counterparty::{Counterparty, Standing},
    outcome::View,
    request::Query,
    state::counterparties::Entry,
};

impl Model {
    pub(super) fn put_counterparty(
        &mut self,
        counterparty: &Counterparty,
        revision: Option<u32>,
    ) -> Result<Outcome, Failure> {
        let position = self.counterparties.iter().position(|(known, _)| known.id == counterparty.id);
        if let (Some(position), None) = (position, revision)
            && self.counterparties[position].0 == *counterparty
        {
            return Ok(Outcome::PolicyChanged { revision: self.counterparties[position].1 });
        }
        let address = counterparty.recipient();
        let mut others = self.counterparties.iter().filter(|(known, _)| known.id != counterparty.id);
        check(!others.any(|(known, _)| known.recipient() == address), "address")?;
        if position.is_none() {
            room("counterparties", self.counterparties.len(), self.options.maxima.counterparties)?;
        }
        self.revision = revision.unwrap_or(self.revision + 1);
        let entry = (counterparty.clone(), self.revision);
        match position {
            Some(position) => self.counterparties[position] = entry,
            None => self.counterparties.push(entry),
        }
        Ok(Outcome::PolicyChanged { revision: self.revision })
    }

    pub(super) fn remove_counterparty(
        &mut self,
        id: CounterpartyId,
        revision: Option<u32>,
    ) -> Result<Outcome, Failure> {
        let position = self.counterparties.iter().position(|(known, _)| known.id == id);
        self.counterparties.remove(position.ok_or(Failure::UnknownCounterparty)?);
        self.revision = revision.unwrap_or(self.revision + 1);
        Ok(Outcome::PolicyChanged { revision: self.revision })
    }

    /// The entry about a recipient.
    pub(super) fn described(&self, recipient: &str) -> Option<&Counterparty> {
        self.counterparties.iter().map(|(entry, _)| entry).find(|entry| entry.recipient().text() == recipient)
    }

    pub(super) fn is_stopped(&self, recipient: &str) -> bool {
        let entry = self.described(recipient);
        let country = entry.and_then(Counterparty::country).unwrap_or_default();
        let is_blocked = entry.is_some_and(|entry| entry.standing == Some(Standing::Blocked));
        is_blocked || self.sanctions.lists(recipient, country)
    }

    pub(super) fn view_of_counterparties(&self, query: &Query<'_>) -> Result<View, Failure> {
        let (one, after, count) = match query {
            Query::Counterparty(id) => (Some(*id), None, 1),
            Query::Counterparties { after, count } => (None, *after, *count as usize),
            _ => unreachable!("the caller asks about payees"),
        };
        let entry = |(counterparty, revision): &(Counterparty, u32)| Entry {
            revision: *revision,
            counterparty: counterparty.clone(),
        };
        let mut shown: Vec<Entry> = self.counterparties.iter().map(entry).collect();
        shown.retain(|entry| one.is_none_or(|id| entry.counterparty.id == id));
        shown.retain(|entry| after.is_none_or(|after| entry.counterparty.id > after));
        shown.sort_by_key(|entry| entry.counterparty.id);
        shown.truncate(count);
        if one.is_some() && shown.is_empty() {
            Err(Failure::UnknownCounterparty)
        } else {
            Ok(View::Counterparties(shown))
        }
    }
}
