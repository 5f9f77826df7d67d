//! A payment waits for people, who approve it or reject it; silence declines.

use super::limits::Verdict;
use crate::kernel::{
    AgentIndex, ApprovalRequestId, AuthorizationId, Duration, Event, Failure, Name, Outcome, Timestamp,
    event::{ApprovalAsked, ApprovalGiven, ApprovalRejected, Approved},
    outcome::{
        ApprovalAnswerView, ApprovalRequestView, ApprovalRequired, ApprovalStatus, Denial, HoldStatus, Measure,
        Violation, ViolationKind,
    },
    request::{AgentStatus, Authorize, DecideApproval},
    state::{
        State,
        approval::{APPROVAL_TIMEOUT, ApprovalAnswer, ApprovalRequest},
        hold::Hold,
        session::SessionEnd,
        slots::Slot,
    },
};

/// The longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 1024;

/// How long people have to decide about a payment, where they must.
pub(crate) fn timeout(verdict: &Verdict, asked: &Authorize<'_>) -> Option<Duration> {
    let terms = verdict.terms.as_ref()?;
    Some(terms.timeout.unwrap_or(APPROVAL_TIMEOUT.max(asked.hold_for.unwrap_or(Duration::ZERO))))
}

/// What a hold that was asked for is: approved, waiting, or declined.
pub(crate) fn standing(hold: &Hold) -> Outcome {
    match hold.approval_request().map(|request| (request, request.status)) {
        None | Some((_, ApprovalStatus::Approved)) => Outcome::Approved(hold.approval()),
        Some((request, ApprovalStatus::Waiting)) => Outcome::ApprovalRequired(Box::new(required(hold, request))),
        Some((
            request,
            ApprovalStatus::Rejected | ApprovalStatus::Expired | ApprovalStatus::Withdrawn | ApprovalStatus::Bypassed,
        )) => {
            let declined = Violation {
                kind: ViolationKind::Declined,
                limit: Measure::Count(u64::from(request.required)),
                current: Measure::Count(u64::from(request.given())),
            };
            Outcome::Denied(Denial { violations: vec![declined], policy_revision: hold.approval().policy_revision })
        }
    }
}

fn required(hold: &Hold, request: &ApprovalRequest) -> ApprovalRequired {
    ApprovalRequired {
        request: request.id,
        id: hold.id,
        decide_by: request.decide_by,
        required: request.required,
        given: request.given(),
        about: request.about.clone(),
        policy_revision: hold.approval().policy_revision,
        repeated: true,
    }
}

impl State {
    /// The hold waits instead of being approved.
    pub(crate) fn ask_people(
        &self,
        now: Timestamp,
        asked: &Authorize<'_>,
        verdict: Verdict,
        lasts: Duration,
        hold: Approved,
    ) -> (ApprovalRequired, Event) {
        let agent =
            self.agents.get(hold.agent).map(|agent| agent.id).expect("INVARIANT: the payment of an agent was checked");
        let terms = verdict.terms.unwrap_or_default();
        let facts = asked.facts.as_deref();
        let text = |text: Option<&str>| text.unwrap_or_default().into();
        let event = ApprovalAsked {
            request: ApprovalRequestId::of(agent, hold.id),
            about: verdict.approvals,
            required: terms.required,
            approvers: terms.approvers,
            texts: [
                asked.resource.into(),
                text(facts.map(|facts| facts.purpose)),
                text(facts.map(|facts| facts.category)),
                text(facts.map(|facts| facts.chain)),
            ],
            lasts,
            hold,
        };
        let answer = ApprovalRequired {
            request: event.request,
            id: event.hold.id,
            decide_by: now.after(event.hold.expires_after),
            required: event.required,
            given: 0,
            about: event.about.clone(),
            policy_revision: event.hold.policy_revision,
            repeated: false,
        };
        (answer, Event::ApprovalAsked(Box::new(event)))
    }

    pub(crate) fn approval_asked(&mut self, now: Timestamp, event: &ApprovalAsked) {
        let request = ApprovalRequest::asked(event, now);
        self.approvals.add(event.hold.agent, event.hold.id, now, &request);
        self.place_hold(now, &event.hold, Some(request));
    }

    pub(crate) fn decide_approval(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &DecideApproval<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let slot = self.holds.find(index, asked.id).ok_or(Failure::UnknownApprovalRequest)?;
        let hold = self.holds.at(slot);
        let request = hold.approval_request().ok_or(Failure::UnknownApprovalRequest)?;
        if asked.comment.len() > COMMENT_BYTES_MAX {
            return Err(Failure::Invalid { field: "comment", expected: "at most 1024 bytes" });
        }
        if !request.may_decide(asked.approver) {
            return Err(Failure::NotAnApprover);
        }
        let told = |hold: &Hold| Ok(Outcome::ApprovalRequest(Box::new(self.approval_view(index, hold)?)));
        if request.answer_of(asked.approver).is_some_and(|answer| answer.approves == asked.approves) {
            return told(hold);
        }
        if request.status != ApprovalStatus::Waiting {
            return Err(Failure::ApprovalRequestOver(request.status));
        }
        if asked.approves && agent.status != AgentStatus::Active {
            return Err(Failure::AgentStopped);
        }
        if asked.approves && self.is_stopped(&Name::canonical(self.names.text(hold.recipient).into())) {
            return Err(Failure::PayeeStopped);
        }
        let comment = asked.comment.into();
        let mut decided = hold.clone();
        if asked.approves {
            let last = request.given() + 1 >= request.required;
            let until = last.then(|| self.payable_until(now, hold, request));
            decided.answer(answer_of(asked, now), until, self.options.grace, now);
            let approver = asked.approver;
            let given = ApprovalGiven { agent: index, id: asked.id, approver, comment, until };
            events.push(Event::ApprovalGiven(Box::new(given)));
        } else {
            decided.answer(answer_of(asked, now), None, self.options.grace, now);
            let approver = asked.approver;
            events.push(Event::ApprovalRejected(Box::new(ApprovalRejected {
                agent: index,
                id: asked.id,
                approver,
                comment,
            })));
        }
        told(&decided)
    }

    /// Until when the caller may pay after the last approval; a charge inside an envelope at most to its end.
    fn payable_until(&self, now: Timestamp, hold: &Hold, request: &ApprovalRequest) -> Timestamp {
        let until = now.after(request.lasts);
        let session = self.agents.get(hold.agent).and_then(|agent| agent.session(hold.session));
        let end = session.filter(|_| hold.from_deposit).and_then(|session| session.envelope());
        end.map_or(until, |envelope| until.min(envelope.ends_at).max(now))
    }

    pub(crate) fn approval_given(&mut self, now: Timestamp, event: &ApprovalGiven) {
        let Some(slot) = self.waiting_hold(event.agent, event.id) else { return };
        let grace = self.options.grace;
        let hold = self.holds.at_mut(slot);
        let before = hold.due();
        let answer =
            ApprovalAnswer { approver: event.approver, approves: true, at: now, comment: event.comment.clone() };
        hold.answer(answer, event.until, grace, now);
        let Some(until) = event.until else { return };
        let (deposit, session) = (hold.deposit, hold.session);
        self.approval_decided(slot);
        self.deadlines.outdate_hold(before, &self.holds);
        self.deadlines.push_hold(slot, self.holds.at(slot));
        if deposit {
            self.session_ends_at(event.agent, session, until);
        }
        self.watch_approved_by_people(now, slot);
    }

    pub(crate) fn approval_rejected(&mut self, now: Timestamp, event: &ApprovalRejected) {
        let Some(slot) = self.waiting_hold(event.agent, event.id) else { return };
        let grace = self.options.grace;
        let hold = self.holds.at_mut(slot);
        let answer =
            ApprovalAnswer { approver: event.approver, approves: false, at: now, comment: event.comment.clone() };
        hold.answer(answer, None, grace, now);
        let (deposit, session) = (hold.deposit, hold.session);
        self.approval_decided(slot);
        if deposit {
            self.session_closed(now, event.agent, session, SessionEnd::Closed);
        } else {
            self.release(now, slot, HoldStatus::Voided);
        }
    }

    /// The request about a hold waits no more.
    pub(crate) fn approval_decided(&mut self, slot: Slot) {
        let hold = self.holds.at(slot);
        if let Some(request) = hold.approval_request() {
            self.approvals.decided(hold.agent, request.id);
        }
    }

    fn waiting_hold(&self, agent: AgentIndex, id: AuthorizationId) -> Option<Slot> {
        self.holds.find(agent, id).filter(|slot| self.holds.at(*slot).is_waiting())
    }

    /// The request with this id.
    pub(crate) fn find_approval(&self, id: ApprovalRequestId) -> Result<ApprovalRequestView, Failure> {
        let (agent, hold) = self.approvals.find(id).ok_or(Failure::UnknownApprovalRequest)?;
        let slot = self.holds.find(agent, hold).ok_or(Failure::UnknownApprovalRequest)?;
        self.approval_view(agent, self.holds.at(slot))
    }

    /// The latest requests, newest first.
    pub(crate) fn latest_approvals(
        &self,
        agent: Option<AgentIndex>,
        status: Option<ApprovalStatus>,
        count: u32,
    ) -> Vec<ApprovalRequestView> {
        let views = self.approvals.latest(agent).filter_map(|id| self.find_approval(id).ok());
        views.filter(|view| status.is_none_or(|status| view.status == status)).take(count as usize).collect()
    }

    fn approval_view(&self, index: AgentIndex, hold: &Hold) -> Result<ApprovalRequestView, Failure> {
        let agent = self.agent(index)?;
        let request = hold.approval_request().ok_or(Failure::UnknownApprovalRequest)?;
        let [resource, purpose, category, chain] = request.texts.clone().map(String::from);
        let answer = |answer: &ApprovalAnswer| ApprovalAnswerView {
            approver: answer.approver,
            approves: answer.approves,
            at: answer.at,
            comment: answer.comment.to_string(),
        };
        Ok(ApprovalRequestView {
            id: request.id,
            authorization: hold.id,
            agent: agent.id,
            agent_name: agent.name().to_owned(),
            status: request.status,
            amount: hold.approved_amount(),
            protocol: hold.protocol,
            deposit: hold.deposit,
            recipient: self.names.text(hold.recipient).to_owned(),
            service: hold.service().map_or("", |service| self.names.text(service)).to_owned(),
            session: agent.session(hold.session).map_or("", |session| &session.name).to_owned(),
            resource,
            purpose,
            category,
            chain,
            about: request.about.clone(),
            required: request.required,
            approvers: request.approvers.clone(),
            answers: request.answers.iter().map(answer).collect(),
            created_at: hold.placed_at,
            decide_by: request.decide_by,
            decided_at: request.decided_at,
            expires_at: (request.status == ApprovalStatus::Approved).then(|| hold.expires_at()),
        })
    }
}

fn answer_of(asked: &DecideApproval<'_>, now: Timestamp) -> ApprovalAnswer {
    ApprovalAnswer { approver: asked.approver, approves: asked.approves, at: now, comment: asked.comment.into() }
}
