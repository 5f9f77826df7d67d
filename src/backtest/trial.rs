//! One shard on trial: the past happens to it once more, with the draft in force.
//!
//! An agent whose payments are all decided as they were then gets the very events of the past. From the first payment on that is decided
//! otherwise, what the past says of its sessions and holds need not be true any more: then the requests behind the events are asked again,
//! and what concerns a hold that was never placed is passed over.

use hashbrown::HashSet;

use super::{
    past::{self, SessionNames},
    report::{Example, Report},
};
use crate::kernel::{
    AgentIndex, AuthorizationId, EndpointId, Event, Failure, NameId, Outcome, PolicyId, Protocol, Request, Timestamp,
    anomaly::AlertKind,
    event::{
        AlertRaised, ApprovalAsked, Approved, CaptureBooked, Denied, Frozen, Increased, RecordBooked, SettlementBooked,
    },
    outcome::{Booking, Violation},
    policy::PolicySource,
    request::CloseSession,
    state::{State, hold::Hold},
};

pub(super) struct Trial {
    pub(super) state: State,
    draft: PolicyId,
    report: Report,
    /// Agents who were denied a payment that they got.
    changed: HashSet<AgentIndex>,
    /// What the sessions of those agents were called.
    sessions: SessionNames,
    /// What happened to a session in the request at hand, whose approval or report comes next.
    begun: Vec<Event>,
    /// The facts of the payment whose approval comes next, in bincode; empty without any.
    facts: Box<[u8]>,
    /// What is due, or what a request brings about.
    events: Vec<Event>,
}

impl Trial {
    /// The draft comes into force in a shard as it was. It must be one that can be read.
    pub(super) fn new(state: State, draft: &PolicySource) -> Result<Trial, Failure> {
        let mut trial = Trial {
            state,
            draft: draft.id,
            report: Report::default(),
            changed: HashSet::new(),
            sessions: SessionNames::default(),
            begun: Vec::new(),
            facts: Box::default(),
            events: Vec::new(),
        };
        let now = trial.state.moment();
        trial.state.decide(now, &Request::PutPolicy(draft.clone(), None), &mut trial.events)?;
        trial.apply_events(now);
        Ok(trial)
    }

    /// What was found so far.
    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    /// What was found.
    pub(super) fn into_report(self) -> Report {
        self.report
    }

    /// Something of the past happens.
    pub(super) fn happen(&mut self, now: Timestamp, event: Event) {
        // Within a moment, what is due happens when it did: a request may be several events, and nothing happens between them.
        if now > self.state.moment() || is_of_time(&event) {
            self.pass(now);
        }
        match event {
            // Time brings about what is due now, which need not be what was due then.
            Event::Expired(..)
            | Event::UnknownExpired(_)
            | Event::SessionForgotten(..)
            | Event::HistoryForgotten { .. }
            | Event::BudgetExpired(..)
            // It only tells what a payment before it did.
            | Event::BudgetSpent(..)
            | Event::ApprovalExpired(..)
            | Event::HoldsVoided(..) => {}
            // A payment that is made anew says so itself.
            Event::BudgetExhausted(agent, _) if self.changed.contains(&agent) => {}
            Event::Alerted(raised) => self.alerted(now, *raised),
            Event::AgentFrozen(frozen) => self.frozen(now, *frozen),
            Event::TrustSeen(agent, _) => {
                if !self.changed.contains(&agent) {
                    self.state.apply(now, &event);
                }
            }
            // What a shadow would have decided is another question.
            Event::ShadowPut(..) | Event::ShadowRemoved(..) | Event::ShadowDiffered(_) => {}
            // People decided about what was asked of them then.
            Event::ApprovalAsked(asked) => self.asked_people(now, *asked),
            Event::ApprovalGiven(ref given) if self.changed.contains(&given.agent) => {}
            Event::ApprovalRejected(ref rejected) if self.changed.contains(&rejected.agent) => {}
            Event::ApprovalGiven(_) | Event::ApprovalRejected(_) => self.state.apply(now, &event),
            Event::FactsTold(_, facts) => self.facts = facts,
            Event::PolicyPut(ref policy, _) if policy.id == self.draft => {}
            Event::PolicyRemoved(policy, _) if policy == self.draft => {}
            Event::NameMet(_)
            | Event::AgentCreated(_)
            | Event::AgentUpdated(..)
            | Event::WalletPut(..)
            | Event::KeyIssued(_)
            | Event::KeyRevoked(_)
            | Event::PolicyPut(..)
            | Event::PolicyRemoved(..)
            | Event::CounterpartyPut(..)
            | Event::CounterpartyRemoved(..)
            | Event::SanctionsStaged(_)
            | Event::SanctionsSwitched(..)
            | Event::OptionsSet(_)
            | Event::AlertChanged(..)
            | Event::AgentUnfrozen(_)
            | Event::WatchingChanged(..)
            | Event::Started { .. }
            | Event::Stopped
            | Event::Checkpoint(_)
            | Event::By(..)
            | Event::Webhook(_)
            | Event::Before(_)
            | Event::AuditExported(_)
            | Event::BudgetRequested(_)
            | Event::BudgetApproved(_)
            | Event::BudgetRejected(_)
            | Event::BudgetExhausted(..) => self.state.apply(now, &event),
            Event::SessionOpened(_) | Event::SessionNamed(..) => self.begin(event),
            Event::Approved(approved) => self.approved(now, approved),
            Event::Denied(denied) => self.denied(now, denied),
            Event::Increased(increased) => self.increased(now, increased),
            Event::Captured(booked) => self.captured(now, booked),
            Event::Settled(booked) => self.settled(now, booked),
            Event::Recorded(booked) => self.recorded(now, booked),
            // The holds of a frozen agent are voided by time.
            Event::Voided(agent, id) if !self.is_open(agent, id) => {}
            Event::Voided(agent, id) => self.again(now, agent, &Request::Void(agent, id), Event::Voided(agent, id)),
            Event::Extended(extended) => {
                let (agent, asked) = (extended.agent, past::extend(&extended));
                self.again(now, agent, &Request::Extend(agent, asked), Event::Extended(extended));
            }
            Event::Refunded(booked) => {
                let (agent, asked) = (booked.agent, past::refund(&booked));
                self.again(now, agent, &Request::Refund(agent, asked), Event::Refunded(booked));
            }
            Event::SessionClosed(agent, number) => {
                let known = self.sessions.of(agent, number).map(|(protocol, name)| (protocol, name.to_owned()));
                match known {
                    Some((protocol, name)) if self.changed.contains(&agent) => {
                        self.ask(now, &Request::CloseSession(agent, CloseSession { protocol, session: &name }));
                    }
                    Some(_) | None if self.changed.contains(&agent) => {}
                    Some(_) | None => self.state.apply(now, &event),
                }
            }
        }
    }

    /// What detectors find is found here, too, and said when it is due; what an operator wanted is not.
    fn alerted(&mut self, now: Timestamp, raised: AlertRaised) {
        if raised.finding.kind == AlertKind::Manual {
            let number = self.state.alerts.next_number();
            self.state.apply(now, &Event::Alerted(Box::new(AlertRaised { number, ..raised })));
        }
    }

    fn frozen(&mut self, now: Timestamp, frozen: Frozen) {
        if frozen.trigger == AlertKind::Manual {
            self.state.apply(now, &Event::AgentFrozen(Box::new(frozen)));
        }
    }

    fn is_open(&self, agent: AgentIndex, id: AuthorizationId) -> bool {
        let hold = self.state.holds.find(agent, id).map(|slot| self.state.holds.at(slot));
        hold.is_none_or(Hold::is_open)
    }

    /// Everything that is due happens.
    fn pass(&mut self, now: Timestamp) {
        loop {
            self.state.advance(now, &mut self.events);
            if self.events.is_empty() {
                return;
            }
            self.apply_events(now);
        }
    }

    fn begin(&mut self, event: Event) {
        match &event {
            Event::SessionOpened(opened) if self.changed.contains(&opened.agent) => self.sessions.opened(opened),
            Event::SessionNamed(agent, number, name) if self.changed.contains(agent) => {
                self.sessions.named(*agent, *number, name);
            }
            _ => {}
        }
        self.begun.push(event);
    }

    fn approved(&mut self, now: Timestamp, approved: Approved) {
        let (begun, facts) = (std::mem::take(&mut self.begun), std::mem::take(&mut self.facts));
        let (agent, amount) = (approved.agent, approved.amount);
        self.report.count(now, amount);
        let asked = past::authorize(&self.state, &self.sessions, &approved, &begun, &facts);
        let answer = self.state.authorize_again(now, agent, &asked, approved.endpoint, &mut self.events);
        match answer {
            Ok(Outcome::Denied(denial)) => {
                self.change(agent, &begun);
                self.apply_events(now);
                self.deny(now, &approved, denial.violations);
            }
            Ok(_) if self.changed.contains(&agent) => self.apply_events(now),
            Ok(_) => {
                self.events.clear();
                begun.iter().for_each(|event| self.state.apply(now, event));
                // The policies of here have judged it: a larger amount is not asked for its facts again.
                let policy_revision = self.state.catalogue.revision();
                let endpoint = self.endpoint(agent, approved.protocol, approved.service, approved.endpoint);
                self.state.apply(now, &Event::Approved(Approved { policy_revision, endpoint, ..approved }));
            }
            Err(_) => {
                self.report.unknown.add(1, amount);
                self.change(agent, &begun);
            }
        }
    }

    /// A payment that waited then waits now, unless its agent's history is another one already.
    fn asked_people(&mut self, now: Timestamp, mut asked: ApprovalAsked) {
        let begun = std::mem::take(&mut self.begun);
        self.facts = Box::default();
        if self.changed.contains(&asked.hold.agent) {
            return;
        }
        begun.iter().for_each(|event| self.state.apply(now, event));
        let hold = &asked.hold;
        asked.hold.endpoint = self.endpoint(hold.agent, hold.protocol, hold.service, hold.endpoint);
        self.state.apply(now, &Event::ApprovalAsked(Box::new(asked)));
    }

    fn deny(&mut self, now: Timestamp, approved: &Approved, violations: Vec<Violation>) {
        let text = |name: Option<NameId>| name.map_or("", |name| self.state.names.text(name)).to_owned();
        let example = Example {
            at: now,
            agent: self.state.agents.get(approved.agent).expect("INVARIANT: a payment has an agent").id,
            authorization: approved.id,
            amount: approved.amount,
            recipient: text(Some(approved.recipient)),
            service: text(approved.service),
            violations,
        };
        self.report.deny(example);
    }

    fn denied(&mut self, now: Timestamp, denied: Denied) {
        self.report.denied_before.add(u64::from(denied.count), denied.amount);
        if !self.changed.contains(&denied.agent) {
            self.state.apply(now, &Event::Denied(denied));
        }
    }

    fn increased(&mut self, now: Timestamp, increased: Increased) {
        let (agent, id, by) = (increased.agent, increased.id, increased.by);
        let Some(slot) = self.state.holds.find(agent, id) else { return };
        let hold = self.state.holds.at(slot);
        let (recipient, service) = (hold.recipient, hold.service());
        self.report.count(now, by);
        let asked = past::increment(&increased);
        match self.state.decide(now, &Request::Increment(agent, asked), &mut self.events) {
            Ok(Outcome::Denied(denial)) => {
                self.change(agent, &[]);
                self.apply_events(now);
                let name = |name: Option<NameId>| name.map_or("", |name| self.state.names.text(name)).to_owned();
                let example = Example {
                    at: now,
                    agent: self.state.agents.get(agent).expect("INVARIANT: a hold has an agent").id,
                    authorization: id,
                    amount: by,
                    recipient: name(Some(recipient)),
                    service: name(service),
                    violations: denial.violations,
                };
                self.report.deny(example);
            }
            Ok(_) => {
                self.events.clear();
                self.state.apply(now, &Event::Increased(increased));
            }
            // The hold is over by now, or was placed on another day.
            Err(_) => self.report.unknown.add(1, by),
        }
    }

    fn captured(&mut self, now: Timestamp, booked: CaptureBooked) {
        let (agent, id, amount) = (booked.agent, booked.id, booked.amount);
        if self.was_denied(agent, id) {
            self.report.spent = self.report.spent.saturating_add(amount);
            return;
        }
        self.again(now, agent, &Request::Capture(agent, past::capture(&booked)), Event::Captured(booked));
    }

    fn settled(&mut self, now: Timestamp, booked: Box<SettlementBooked>) {
        let (agent, id, amount) = (booked.agent, booked.id, booked.amount);
        if self.was_denied(agent, id) {
            self.report.spent = self.report.spent.saturating_add(amount);
            return;
        }
        let event = Event::Settled(booked.clone());
        self.again(now, agent, &Request::Settle(agent, past::settle(&booked)), event);
    }

    fn recorded(&mut self, now: Timestamp, booked: Box<RecordBooked>) {
        let begun = std::mem::take(&mut self.begun);
        let (agent, amount) = (booked.agent, booked.amount);
        let is_alone = matches!(booked.booking, Booking::Unauthorized | Booking::Recovered);
        let endpoint = match booked.endpoint {
            None if is_alone => self.endpoint(agent, booked.protocol, booked.service, None),
            known => known,
        };
        if !self.changed.contains(&agent) {
            begun.iter().for_each(|event| self.state.apply(now, event));
            self.state.apply(now, &Event::Recorded(Box::new(RecordBooked { endpoint, ..*booked })));
        } else if booked.booking != Booking::Misdirected
            && booked.authorization.is_some_and(|id| self.was_denied(agent, id))
        {
            self.report.spent = self.report.spent.saturating_add(amount);
        } else {
            let asked = past::record(&self.state, &self.sessions, &booked);
            let answer = self.state.decide(now, &Request::Record(agent, asked), &mut self.events);
            self.events.iter_mut().for_each(|event| {
                if let Event::Recorded(again) = event
                    && again.endpoint.is_some()
                {
                    again.endpoint = endpoint.or(again.endpoint);
                }
            });
            if answer.is_ok() { self.apply_events(now) } else { self.events.clear() }
        }
    }

    /// The endpoint of a payment. Where none was counted at the time and is now, all of a service is one.
    fn endpoint(
        &self,
        agent: AgentIndex,
        protocol: Protocol,
        service: Option<NameId>,
        known: Option<EndpointId>,
    ) -> Option<EndpointId> {
        known.or_else(|| self.state.endpoint_somewhere(agent, protocol, service))
    }

    /// Whether a hold of the past was never placed.
    fn was_denied(&self, agent: AgentIndex, id: AuthorizationId) -> bool {
        self.changed.contains(&agent) && self.state.holds.find(agent, id).is_none()
    }

    /// What happened to a hold happens again, unless its agent's holds are others by now: then its request is asked.
    fn again(&mut self, now: Timestamp, agent: AgentIndex, request: &Request<'_>, event: Event) {
        if self.changed.contains(&agent) {
            self.ask(now, request);
        } else {
            self.state.apply(now, &event);
        }
    }

    /// Asks what was asked. That it fails here is no news: what it was about did not happen.
    fn ask(&mut self, now: Timestamp, request: &Request<'_>) {
        match self.state.decide(now, request, &mut self.events) {
            Ok(_) => self.apply_events(now),
            Err(_) => self.events.clear(),
        }
    }

    /// From here on, the agent's sessions and holds are others than they were.
    fn change(&mut self, agent: AgentIndex, begun: &[Event]) {
        if self.changed.insert(agent) {
            self.sessions.learn(&self.state, agent);
            for event in begun {
                match event {
                    Event::SessionOpened(opened) => self.sessions.opened(opened),
                    Event::SessionNamed(agent, number, name) => self.sessions.named(*agent, *number, name),
                    _ => {}
                }
            }
        }
    }

    fn apply_events(&mut self, now: Timestamp) {
        for event in &self.events {
            self.state.apply(now, event);
        }
        self.events.clear();
    }
}

/// Whether the gateway brings the event about by itself, between requests.
fn is_of_time(event: &Event) -> bool {
    matches!(
        event,
        Event::Expired(..)
            | Event::UnknownExpired(_)
            | Event::SessionForgotten(..)
            | Event::HistoryForgotten { .. }
            | Event::BudgetExpired(..)
            | Event::ApprovalExpired(..)
            | Event::HoldsVoided(..)
            | Event::Alerted(_)
            | Event::AgentFrozen(_)
    )
}
