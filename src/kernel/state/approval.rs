//! Payments that wait for people: what is asked of them, and what they said.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};

use crate::kernel::{
    AgentIndex, ApprovalRequestId, AuthorizationId, Duration, KeyId, Timestamp,
    event::ApprovalAsked,
    outcome::{ApprovalStatus, HoldStatus, Violation},
};

/// A person has so long to decide where neither the policy nor the request says more; then the payment is declined.
pub const APPROVAL_TIMEOUT: Duration = Duration::from_secs(300);
/// So many payments of an agent may wait at one time: people are to read them.
pub const WAITING_PER_AGENT_MAX: usize = 100;
/// So many approval requests are looked at for one list.
pub const APPROVALS_LOOKED_AT_MAX: usize = 100_000;

/// What is asked about a hold that waits, or waited, for people.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ApprovalRequest {
    /// Its name for people; follows from the agent and the hold.
    pub id: ApprovalRequestId,
    /// How far it is.
    pub status: ApprovalStatus,
    /// What the policies ask about.
    pub about: Vec<Violation>,
    /// How many must approve.
    pub required: u16,
    /// The credentials of those who may; empty for every operator.
    pub approvers: Vec<KeyId>,
    /// Who approved, in their order, and last who rejected.
    pub answers: Vec<ApprovalAnswer>,
    /// What is bought, why, what kind of spend it is, and on which chain, as the agent said.
    pub texts: [Box<str>; 4],
    /// How long the caller may pay once it is approved.
    pub lasts: Duration,
    /// When it is declined unless it is decided.
    pub decide_by: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ApprovalAnswer {
    /// The credential.
    pub approver: KeyId,
    /// Approved or rejected.
    pub approves: bool,
    /// When.
    pub at: Timestamp,
    /// Why; may be empty.
    pub comment: Box<str>,
}

impl ApprovalRequest {
    /// It waits from now on.
    #[must_use]
    pub fn asked(event: &ApprovalAsked, now: Timestamp) -> ApprovalRequest {
        ApprovalRequest {
            id: event.request,
            status: ApprovalStatus::Waiting,
            about: event.about.clone(),
            required: event.required,
            approvers: event.approvers.clone(),
            answers: Vec::new(),
            texts: event.texts.clone(),
            lasts: event.lasts,
            decide_by: now.after(event.hold.expires_after),
            decided_at: None,
        }
    }

    /// How many approved.
    #[must_use]
    pub fn given(&self) -> u16 {
        self.answers.iter().filter(|answer| answer.approves).count() as u16
    }

    /// What this person said, if anything.
    #[must_use]
    pub fn answer_of(&self, approver: KeyId) -> Option<&ApprovalAnswer> {
        self.answers.iter().find(|answer| answer.approver == approver)
    }

    /// Whether the holder of this credential may decide.
    #[must_use]
    pub fn may_decide(&self, approver: KeyId) -> bool {
        self.approvers.is_empty() || self.approvers.contains(&approver)
    }

    /// The hold ended in this way while it waited.
    pub fn end(&mut self, hold: HoldStatus, now: Timestamp) {
        self.status = match hold {
            HoldStatus::Open => return,
            HoldStatus::Captured => ApprovalStatus::Bypassed,
            HoldStatus::Voided => ApprovalStatus::Withdrawn,
            HoldStatus::Expired => ApprovalStatus::Expired,
        };
        self.decided_at = Some(now);
    }
}

/// Where the approval requests of a shard are. Rebuilt from the holds.
#[derive(Debug, Default)]
pub struct Approvals {
    by_id: BTreeMap<ApprovalRequestId, (AgentIndex, AuthorizationId)>,
    by_time: BTreeSet<(Timestamp, ApprovalRequestId)>,
    by_agent: BTreeSet<(AgentIndex, Timestamp, ApprovalRequestId)>,
    waiting: BTreeSet<(AgentIndex, ApprovalRequestId)>,
}

impl Approvals {
    /// A hold with an approval request is remembered.
    pub fn add(&mut self, agent: AgentIndex, hold: AuthorizationId, placed_at: Timestamp, request: &ApprovalRequest) {
        self.by_id.insert(request.id, (agent, hold));
        self.by_time.insert((placed_at, request.id));
        self.by_agent.insert((agent, placed_at, request.id));
        if request.status == ApprovalStatus::Waiting {
            self.waiting.insert((agent, request.id));
        }
    }

    /// A request waits no more.
    pub fn decided(&mut self, agent: AgentIndex, request: ApprovalRequestId) {
        self.waiting.remove(&(agent, request));
    }

    /// The hold is remembered no more.
    pub fn forget(&mut self, agent: AgentIndex, placed_at: Timestamp, request: ApprovalRequestId) {
        self.by_id.remove(&request);
        self.by_time.remove(&(placed_at, request));
        self.by_agent.remove(&(agent, placed_at, request));
        self.waiting.remove(&(agent, request));
    }

    /// The hold that a request is about.
    #[must_use]
    pub fn find(&self, request: ApprovalRequestId) -> Option<(AgentIndex, AuthorizationId)> {
        self.by_id.get(&request).copied()
    }

    /// How many payments of an agent wait.
    #[must_use]
    pub fn waiting_of(&self, agent: AgentIndex) -> usize {
        self.waiting.range((agent, ApprovalRequestId(0))..=(agent, ApprovalRequestId(u128::MAX))).count()
    }

    /// Newest first; of one agent, or of all.
    pub fn latest(&self, agent: Option<AgentIndex>) -> impl Iterator<Item = ApprovalRequestId> {
        let of_agent = agent.into_iter().flat_map(|agent| {
            let first = (agent, Timestamp::ZERO, ApprovalRequestId(0));
            self.by_agent.range(first..=(agent, Timestamp::MAX, ApprovalRequestId(u128::MAX))).rev()
        });
        let of_all = agent.is_none().then(|| self.by_time.iter().rev()).into_iter().flatten();
        of_agent.map(|(.., id)| *id).chain(of_all.map(|(_, id)| *id)).take(APPROVALS_LOOKED_AT_MAX)
    }
}
