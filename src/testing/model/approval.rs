//! Payments that wait for people.

use super::{
    Model,
    agent::{Agent, Hold, Place},
    examine::{Question, Verdict},
    place::check,
    sum::amount,
};
use crate::kernel::{
    AgentIndex, ApprovalRequestId, Duration, Failure, KeyId, Outcome, Timestamp,
    outcome::{
        ApprovalAnswerView, ApprovalRequestView, ApprovalRequired, ApprovalStatus, Denial, HoldStatus, Measure,
        Violation, ViolationKind,
    },
    policy::{ApprovalTerms, CheckedPolicy},
    request::{AgentStatus, DecideApproval},
};

/// What people were asked about a hold.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) status: ApprovalStatus,
    pub(super) about: Vec<Violation>,
    required: u16,
    approvers: Vec<KeyId>,
    answers: Vec<ApprovalAnswerView>,
    lasts: Duration,
    pub(super) decide_by: Timestamp,
    decided_at: Option<Timestamp>,
}

impl Waiting {
    pub(super) fn new(about: Vec<Violation>, terms: &ApprovalTerms, lasts: Duration, decide_by: Timestamp) -> Waiting {
        let (required, approvers) = (terms.required, terms.approvers.clone());
        let (status, answers) = (ApprovalStatus::Waiting, Vec::new());
        Waiting { status, about, required, approvers, answers, lasts, decide_by, decided_at: None }
    }

    fn given(&self) -> u16 {
        self.answers.iter().filter(|answer| answer.approves).count() as u16
    }
}

impl Hold {
    pub(super) fn is_waiting(&self) -> bool {
        self.is_open() && self.waiting.as_ref().is_some_and(|waiting| waiting.status == ApprovalStatus::Waiting)
    }

    /// The hold ended while it waited.
    pub(super) fn stop_waiting(&mut self, status: HoldStatus, at: Timestamp) {
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.status == ApprovalStatus::Waiting) else {
            return;
        };
        waiting.decided_at = Some(at);
        waiting.status = match status {
            HoldStatus::Captured => ApprovalStatus::Bypassed,
            HoldStatus::Expired => ApprovalStatus::Expired,
            HoldStatus::Voided | HoldStatus::Open => ApprovalStatus::Withdrawn,
        };
    }
}

impl Model {
    /// The terms of all policies that ask about the payment together, which must be some: those of the highest priority, with as many
    /// approvals as any of them wants.
    pub(super) fn terms(&self, agent: usize, question: &Question<'_>) -> ApprovalTerms {
        let id = self.agents[agent].id;
        let mut concerned: Vec<&super::shard::Policy> = self
            .policies
            .iter()
            .filter(|policy| policy.source.active)
            .filter(|policy| policy.source.is_for(id))
            .collect();
        concerned.sort_by_key(|policy| (std::cmp::Reverse(policy.source.priority), policy.source.id));
        let default = crate::kernel::policy::check(&self.options.default_policy);
        let mut checked: Vec<&CheckedPolicy> = concerned.iter().map(|policy| &policy.checked).collect();
        if concerned.iter().all(|policy| policy.source.is_for_wallets()) {
            checked.extend(&default);
            checked.sort_by_key(|policy| (std::cmp::Reverse(policy.priority()), policy.id()));
        }
        let inside = question.is_inside_envelope();
        let asks = |policy: &&&CheckedPolicy| {
            let mut verdict = Verdict::default();
            policy.asking().iter().for_each(|rule| question.rule(rule, inside, None, &mut verdict));
            !verdict.violations.is_empty()
        };
        let mut terms: Vec<ApprovalTerms> = Vec::new();
        terms.extend(checked.iter().filter(asks).filter_map(|policy| policy.approval().cloned()));
        let required = terms.iter().map(|terms| terms.required).max().unwrap_or(1);
        ApprovalTerms { required, ..terms.into_iter().next().unwrap_or_default() }
    }

    /// What a hold that was asked for is.
    pub(super) fn standing(&self, agent: usize, position: usize) -> Outcome {
        let hold = &self.agents[agent].holds[position];
        match &hold.waiting {
            Some(waiting) if waiting.status == ApprovalStatus::Waiting => {
                Outcome::ApprovalRequired(Box::new(self.required(agent, hold, waiting, true)))
            }
            Some(waiting) if waiting.status != ApprovalStatus::Approved => {
                let count = |count: u16| Measure::Count(u64::from(count));
                let (limit, current) = (count(waiting.required), count(waiting.given()));
                let violations = vec![Violation { kind: ViolationKind::Declined, limit, current }];
                Outcome::Denied(Denial { violations, policy_revision: hold.approval.policy_revision })
            }
            _ => Outcome::Approved(crate::kernel::outcome::Approval { repeated: true, ..hold.approval.clone() }),
        }
    }

    pub(super) fn required(&self, agent: usize, hold: &Hold, waiting: &Waiting, repeated: bool) -> ApprovalRequired {
        ApprovalRequired {
            request: ApprovalRequestId::of(self.agents[agent].id, hold.id),
            id: hold.id,
            decide_by: waiting.decide_by,
            required: waiting.required,
            given: waiting.given(),
            about: waiting.about.clone(),
            policy_revision: hold.approval.policy_revision,
            repeated,
        }
    }

    pub(super) fn decide_approval(&mut self, agent: usize, request: &DecideApproval<'_>) -> Result<Outcome, Failure> {
        let now = self.now;
        let position = self.agents[agent].hold(request.id).ok_or(Failure::UnknownApprovalRequest)?;
        let active = self.agents[agent].status == AgentStatus::Active;
        let stopped = self.is_stopped(&self.agents[agent].holds[position].recipient);
        let hold = &mut self.agents[agent].holds[position];
        let (place, session) = (hold.place, hold.session);
        let waiting = hold.waiting.as_mut().ok_or(Failure::UnknownApprovalRequest)?;
        check(request.comment.len() <= 1024, "comment")?;
        if !waiting.approvers.is_empty() && !waiting.approvers.contains(&request.approver) {
            return Err(Failure::NotAnApprover);
        }
        let said = waiting.answers.iter().find(|answer| answer.approver == request.approver);
        if said.is_some_and(|said| said.approves == request.approves) {
            return Ok(Outcome::ApprovalRequest(Box::new(self.view_of_approval(agent, position))));
        }
        if waiting.status != ApprovalStatus::Waiting {
            return Err(Failure::ApprovalRequestOver(waiting.status));
        }
        if request.approves && !active {
            return Err(Failure::AgentStopped);
        }
        if request.approves && stopped {
            return Err(Failure::PayeeStopped);
        }
        let comment = request.comment.to_owned();
        waiting.answers.push(ApprovalAnswerView {
            approver: request.approver,
            approves: request.approves,
            at: now,
            comment,
        });
        if !request.approves {
            (waiting.status, waiting.decided_at) = (ApprovalStatus::Rejected, Some(now));
            if place != Place::Deposit {
                hold.released = Some(amount(hold.reserved()));
            }
            self.agents[agent].end_hold(position, HoldStatus::Voided, now);
        } else if waiting.given() >= waiting.required {
            (waiting.status, waiting.decided_at) = (ApprovalStatus::Approved, Some(now));
            let lasts = waiting.lasts;
            let end = self.agents[agent].session(session).and_then(super::agent::Session::ends_at);
            let until = match (place, end) {
                (Place::Envelope, Some(end)) => now.after(lasts).min(end).max(now),
                _ => now.after(lasts),
            };
            let hold = &mut self.agents[agent].holds[position];
            (hold.expires_at, hold.approval.expires_at) = (until, until);
            if place == Place::Deposit
                && let Some(session) = self.agents[agent].session_mut(session)
            {
                session.sort = super::agent::SessionSort::Envelope { ends_at: until };
            }
            self.watch_approval(agent, position);
        }
        Ok(Outcome::ApprovalRequest(Box::new(self.view_of_approval(agent, position))))
    }

    /// What people were asked, newest first.
    pub(super) fn latest_approvals(
        &self,
        agent: Option<AgentIndex>,
        status: Option<ApprovalStatus>,
        count: u32,
    ) -> Vec<ApprovalRequestView> {
        let mut found = Vec::new();
        for index in 0..self.agents.len() {
            for position in 0..self.agents[index].holds.len() {
                let hold = &self.agents[index].holds[position];
                let wanted = agent.is_none_or(|agent| agent.0 as usize == index) && !hold.forgotten;
                if wanted && hold.waiting.is_some() {
                    found.push(self.view_of_approval(index, position));
                }
            }
        }
        found.retain(|view| status.is_none_or(|status| view.status == status));
        found.sort_by_key(|view| std::cmp::Reverse((view.created_at, view.id)));
        found.truncate(count as usize);
        found
    }

    fn view_of_approval(&self, index: usize, position: usize) -> ApprovalRequestView {
        let agent = &self.agents[index];
        let hold = &agent.holds[position];
        let waiting = hold.waiting.as_ref().expect("the caller has seen it");
        ApprovalRequestView {
            id: ApprovalRequestId::of(agent.id, hold.id),
            authorization: hold.id,
            agent: agent.id,
            agent_name: agent.name.clone(),
            status: waiting.status,
            amount: hold.approval.amount,
            protocol: hold.protocol,
            deposit: hold.place == Place::Deposit,
            recipient: hold.recipient.clone(),
            service: hold.service.clone(),
            session: agent.remembered_name(hold.session),
            resource: hold.content.texts[2].clone(),
            // The words of the agent are not counted in anything, so they are not compared.
            purpose: String::new(),
            category: String::new(),
            chain: String::new(),
            about: waiting.about.clone(),
            required: waiting.required,
            approvers: waiting.approvers.clone(),
            answers: waiting.answers.clone(),
            created_at: hold.placed_at,
            decide_by: waiting.decide_by,
            decided_at: waiting.decided_at,
            expires_at: (waiting.status == ApprovalStatus::Approved).then_some(hold.expires_at),
        }
    }
}

impl Agent {
    /// How people stand to a hold, where they were asked.
    pub(super) fn approval_of(&self, hold: &Hold) -> Option<(ApprovalRequestId, ApprovalStatus)> {
        Some((ApprovalRequestId::of(self.id, hold.id), hold.waiting.as_ref()?.status))
    }

    /// What is deposited for a session: nothing while people decide.
    pub(super) fn deposited(&self, deposit: &Hold) -> crate::kernel::Amount {
        if deposit.is_waiting() { crate::kernel::Amount::ZERO } else { amount(deposit.amount) }
    }
}
