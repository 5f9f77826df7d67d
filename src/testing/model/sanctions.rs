//! Who must not be paid.

use super::{Model, place::check};
use crate::kernel::{
    Failure, Outcome, Timestamp,
    outcome::SanctionsView,
    sanctions::{SanctionsPart, SanctionsSummary},
};

/// The parts of the next list, and the list in force with who is on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sanctions {
    coming: Vec<SanctionsPart>,
    in_force: Option<(SanctionsView, Vec<String>)>,
}

impl Sanctions {
    /// Whether an address or a country is on the list.
    pub(super) fn lists(&self, address: &str, country: &str) -> bool {
        let is_it = |entry: &String| entry == address || *entry == country.to_uppercase();
        self.in_force.as_ref().is_some_and(|(_, entries)| entries.iter().any(is_it))
    }

    pub(super) fn view(&self) -> Option<Box<SanctionsView>> {
        self.in_force.as_ref().map(|(view, _)| Box::new(view.clone()))
    }

    /// What was on its way comes no further.
    pub(super) fn abandon(&mut self) {
        self.coming.clear();
    }

    fn entries(&self) -> Vec<String> {
        let country = |code: &[u8; 2]| String::from_utf8_lossy(code).into_owned();
        let of_part = |part: &SanctionsPart| {
            let addresses = part.addresses.iter().map(|address| address.to_string());
            addresses.chain(part.countries.iter().map(country)).collect::<Vec<_>>()
        };
        self.coming.iter().flat_map(of_part).collect()
    }
}

impl Model {
    pub(super) fn stage_sanctions(&mut self, part: &SanctionsPart) -> Result<Outcome, Failure> {
        let coming = &mut self.sanctions.coming;
        if part.number == 0 {
            coming.clear();
        } else {
            let follows = coming.last().is_some_and(|last| last.list == part.list && last.number + 1 == part.number);
            check(follows, "part")?;
        }
        coming.push(part.clone());
        Ok(Outcome::Done)
    }

    pub(super) fn switch_sanctions(
        &mut self,
        summary: Option<&SanctionsSummary>,
        revision: Option<u32>,
    ) -> Result<Outcome, Failure> {
        let coming = &self.sanctions.coming;
        if let Some(summary) = summary {
            let whole = summary.addresses + summary.countries;
            let is_it = coming.first().is_some_and(|part| part.list == summary.digest);
            check(is_it && self.sanctions.entries().len() == whole as usize, "list")?;
        } else if self.sanctions.in_force.is_none() {
            return Err(Failure::NoSanctions);
        }
        self.revision = revision.unwrap_or(self.revision + 1);
        let since: Timestamp = self.now;
        let view = summary.map(|summary| SanctionsView { summary: summary.clone(), revision: self.revision, since });
        self.sanctions.in_force = view.map(|view| (view, self.sanctions.entries()));
        self.sanctions.coming.clear();
        Ok(Outcome::PolicyChanged { revision: self.revision })
    }
}
