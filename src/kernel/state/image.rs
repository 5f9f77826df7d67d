//! The whole state as bytes, in one canonical form: for snapshots, and for the digest that tells two states apart.

use std::{collections::BTreeSet, io};

use bincode::{Decode, Encode, config, error::EncodeError};
use thiserror::Error;

use super::{
    State,
    agents::Agents,
    approval::Approvals,
    budget::BudgetRequests,
    catalogue::Catalogue,
    counterparties::Counterparties,
    deadline::{Deadline, Deadlines, Due},
    history::{History, Operation},
    hold::Hold,
    holds::{Holds, OpenHolds},
    names::Names,
    sanctions::Sanctions,
    shadow::{self, Shadows},
};
use crate::kernel::{
    Options, PolicyId, Timestamp, anomaly::Alerts, counterparty::Counterparty, operation::Found, policy::PolicySource,
    request::KeySource, webhook::Webhook,
};

/// Why bytes are not a state.
#[derive(Debug, Error)]
pub enum ImageError {
    /// Not the form that this version writes.
    #[error("the snapshot cannot be read: {0}")]
    Malformed(#[from] bincode::error::DecodeError),
    /// Something is left over.
    #[error("the snapshot has {0} bytes too many")]
    TrailingBytes(usize),
}

/// What is stored of a state; the rest is rebuilt.
#[derive(Decode)]
struct Image {
    options: Options,
    moment: Timestamp,
    incarnation: u32,
    clean: bool,
    serial: u64,
    names: Vec<Box<str>>,
    policies: Vec<(PolicyId, u32, Option<PolicySource>)>,
    shadows: Vec<(PolicyId, shadow::Entry)>,
    counterparties: Vec<(u32, Counterparty)>,
    sanctions: Sanctions,
    /// The last change of policies and payees: of payees that are forgotten nothing else remembers theirs.
    revision: u32,
    keys: Vec<KeySource>,
    webhooks: Vec<Webhook>,
    agents: Agents,
    /// In the order of placement.
    open: Vec<Hold>,
    /// In the order in which they ended.
    finished: Vec<(Timestamp, Hold)>,
    /// In the order in which they were carried out.
    operations: Vec<(Timestamp, Operation)>,
    alerts: Alerts,
    found: Vec<Found>,
}

/// The same, of a state that lives.
#[derive(Encode)]
struct Likeness<'a> {
    options: &'a Options,
    moment: Timestamp,
    incarnation: u32,
    clean: bool,
    serial: u64,
    names: Vec<&'a str>,
    policies: Vec<(PolicyId, u32, Option<&'a PolicySource>)>,
    shadows: Vec<(PolicyId, &'a shadow::Entry)>,
    counterparties: Vec<(u32, &'a Counterparty)>,
    sanctions: &'a Sanctions,
    revision: u32,
    keys: Vec<&'a KeySource>,
    webhooks: Vec<&'a Webhook>,
    agents: &'a Agents,
    open: Vec<&'a Hold>,
    finished: Vec<(Timestamp, &'a Hold)>,
    operations: Vec<(Timestamp, Operation)>,
    alerts: &'a Alerts,
    found: &'a [Found],
}

impl State {
    /// The whole state as bytes. Equal states give equal bytes.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let mut image = Vec::new();
        self.write_image(&mut image).expect("INVARIANT: a state can be written to memory");
        image
    }

    /// Writes the image piece by piece, so that nobody needs memory for all of it.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_image(&self, writer: &mut impl io::Write) -> io::Result<()> {
        match bincode::encode_into_std_write(self.likeness(), writer, config::standard()) {
            Ok(_) => Ok(()),
            Err(EncodeError::Io { inner, .. }) => Err(inner),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn likeness(&self) -> Likeness<'_> {
        let mut open: Vec<&Hold> = self.holds.iter().filter(|hold| hold.is_open()).collect();
        open.sort_unstable_by_key(|hold| hold.serial);
        Likeness {
            options: &self.options,
            moment: self.moment,
            incarnation: self.incarnation,
            clean: self.clean,
            serial: self.serial,
            names: self.names.iter().collect(),
            policies: self.catalogue.entries().map(|(id, entry)| (id, entry.revision, entry.source.as_ref())).collect(),
            shadows: self.shadows.entries().collect(),
            counterparties: self.counterparties.entries().map(|entry| (entry.revision, &entry.counterparty)).collect(),
            sanctions: &self.sanctions,
            revision: self.catalogue.revision(),
            keys: self.keys.values().collect(),
            webhooks: self.webhooks.values().collect(),
            agents: &self.agents,
            open,
            finished: self.history.finished().map(|(at, slot)| (at, self.holds.at(slot))).collect(),
            operations: self.history.operations().collect(),
            alerts: &self.alerts,
            found: &self.found,
        }
    }

    /// BLAKE3 of the image.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.image()).as_bytes()
    }

    /// The state that has this image.
    ///
    /// # Errors
    /// [`ImageError`] where the bytes are none of [`State::image`] of this version.
    pub fn from_image(bytes: &[u8]) -> Result<State, ImageError> {
        let (image, read): (Image, usize) = bincode::decode_from_slice(bytes, config::standard())?;
        if read != bytes.len() {
            return Err(ImageError::TrailingBytes(bytes.len() - read));
        }
        let mut state = State {
            moment: image.moment,
            incarnation: image.incarnation,
            clean: image.clean,
            serial: image.serial,
            agents: image.agents,
            names: Names::default(),
            holds: Holds::default(),
            history: History::default(),
            catalogue: Catalogue::new(&image.options.default_policy),
            shadows: Shadows::restore(image.shadows),
            counterparties: Counterparties::default(),
            sanctions: image.sanctions,
            keys: image.keys.into_iter().map(|key| (key.id, key)).collect(),
            webhooks: image.webhooks.into_iter().map(|webhook| (webhook.source.id, webhook)).collect(),
            deadlines: Deadlines::default(),
            approvals: Approvals::default(),
            budget_index: BTreeSet::new(),
            budget_ids: BTreeSet::new(),
            alerts: image.alerts,
            found: image.found,
            options: image.options,
        };
        image.names.into_iter().for_each(|text| {
            state.names.add(text);
        });
        for (id, revision, source) in image.policies {
            match source {
                Some(source) => state.catalogue.put(source, revision),
                None => state.catalogue.remove(id, revision),
            }
        }
        for (_, entry) in state.shadows.entries() {
            state.catalogue.reach(entry.revision);
        }
        state.catalogue.reach(image.revision);
        for (revision, counterparty) in image.counterparties {
            state.counterparty_put(&counterparty, revision);
        }
        state.assign_programs();
        state.restore_holds(image.open, image.finished);
        image.operations.into_iter().for_each(|(at, operation)| state.history.remember(at, operation));
        state.restore_unknown_deadlines();
        state.restore_session_deadlines();
        state.restore_budgets();
        state.restore_void_deadlines();
        Ok(state)
    }

    fn restore_holds(&mut self, open: Vec<Hold>, finished: Vec<(Timestamp, Hold)>) {
        for hold in open {
            let agent = hold.agent;
            self.restore_approval(&hold);
            let mut list = self.agent_mut(agent).open_holds.0;
            let slot = self.holds.insert(hold, &mut list);
            self.agent_mut(agent).open_holds.0 = list;
            self.deadlines.push_hold(slot, self.holds.at(slot));
        }
        for (at, hold) in finished {
            self.restore_approval(&hold);
            let slot = self.holds.insert(hold, &mut OpenHolds::default());
            self.history.finish(at, slot);
        }
    }

    fn restore_unknown_deadlines(&mut self) {
        for (index, agent) in self.agents.iter() {
            for unknown in agent.unknown() {
                self.deadlines.push(Deadline { due: unknown.until, what: Due::Unknown(index) });
            }
        }
    }

    fn restore_approval(&mut self, hold: &Hold) {
        if let Some(request) = hold.approval_request() {
            self.approvals.add(hold.agent, hold.id, hold.placed_at, request);
        }
    }

    fn restore_budgets(&mut self) {
        for (index, agent) in self.agents.iter() {
            for request in agent.budgets().into_iter().flat_map(BudgetRequests::iter) {
                self.budget_index.insert((request.created_at, index, request.number));
                self.budget_ids.insert((request.id, index));
                if request.expires_by(Timestamp::MAX) {
                    let what = Due::Budget(index, request.number);
                    self.deadlines.push(Deadline { due: request.expires_at, what });
                }
            }
        }
    }

    fn restore_void_deadlines(&mut self) {
        for (index, agent) in self.agents.iter() {
            if let Some(due) = agent.activity().watch.as_ref().and_then(|watch| watch.voids_at) {
                self.deadlines.push(Deadline { due, what: Due::Voids(index) });
            }
        }
    }

    /// Sets a deadline for every session, under the options as they are now.
    pub(crate) fn restore_session_deadlines(&mut self) {
        for (index, agent) in self.agents.iter_mut() {
            for session in agent.sessions_mut() {
                let due = session.forgotten_at(self.options.session_kept);
                let what = Due::Session(index, session.number);
                self.deadlines.push(Deadline { due, what });
                session.awaits_deadline.0 = true;
            }
        }
    }
}
