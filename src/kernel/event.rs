//! Facts that happened to one shard: the only thing journalled. Their encoding is the journal's format, so variants and fields
//! are only ever appended. All events of one turn share the turn's moment, which is kept once beside them.

use bincode::{Decode, Encode};

use super::{
    Actor, Amount, Duration, EndpointId, Former, Protocol, Timestamp,
    anomaly::{AlertKind, AlertNumber, AlertStatus, Finding, Severity, WatchingChange},
    counterparty::Counterparty,
    id::{
        AgentId, AgentIndex, ApprovalRequestId, AuthorizationId, BudgetRequestId, CounterpartyId, KeyId, NameId,
        OperationId, PolicyId, SessionNumber,
    },
    options::Options,
    outcome::{Booking, BudgetStatus, Violation, ViolationKind},
    policy::PolicySource,
    reason::Reasons,
    request::{AgentStatus, KeySource, WalletSource},
    sanctions::{SanctionsPart, SanctionsSummary},
    webhook::WebhookChange,
};

/// One fact about one shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// The shard met a recipient or service for the first time; its [`NameId`] is the count of names before.
    NameMet(Box<str>),
    /// A hold was placed.
    Approved(Approved),
    /// Payments were denied; floods are counted together.
    Denied(Denied),
    /// A capture was booked.
    Captured(CaptureBooked),
    /// A hold was released by its caller.
    Voided(AgentIndex, AuthorizationId),
    /// A hold was released by time.
    Expired(AgentIndex, AuthorizationId),
    /// A hold lasts longer.
    Extended(Extended),
    /// A hold is larger.
    Increased(Increased),
    /// Captured spend came back.
    Refunded(RefundBooked),
    /// A payment was reported by its facts.
    Recorded(Box<RecordBooked>),
    /// A session began.
    SessionOpened(SessionOpened),
    /// The first name seen for a session that had none.
    SessionNamed(AgentIndex, SessionNumber, Box<str>),
    /// A session ended, and what was left of it was released.
    SessionClosed(AgentIndex, SessionNumber),
    /// A session that was long over is remembered no more.
    SessionForgotten(AgentIndex, SessionNumber),
    /// The oldest finished holds and operations are remembered no more: this many of each.
    HistoryForgotten {
        /// Holds.
        holds: u32,
        /// Operations.
        operations: u32,
    },
    /// The unknown hold that a crash left on an agent has run out.
    UnknownExpired(AgentIndex),
    /// An agent exists; its index is the count of agents before.
    AgentCreated(Box<AgentCreated>),
    /// An agent is different; what is absent stays.
    AgentUpdated(AgentIndex, Option<AgentStatus>, Option<Box<str>>, Option<Amount>),
    /// An agent has this wallet.
    WalletPut(AgentIndex, Box<WalletSource>),
    /// A credential is known.
    KeyIssued(Box<KeySource>),
    /// A credential is worthless.
    KeyRevoked(KeyId),
    /// A policy is in force, as of this revision of the catalogue.
    PolicyPut(Box<PolicySource>, u32),
    /// A policy is no longer in force, as of this revision of the catalogue.
    PolicyRemoved(PolicyId, u32),
    /// Decisions depend on these options from now on.
    OptionsSet(Box<Options>),
    /// A process took the shard over. Every agent whose lease the process before it had armed gets an unknown hold of that lease.
    Started {
        /// Counts the starts, from 1.
        incarnation: u32,
    },
    /// The process let the shard go with everything durable: no lease is armed any more.
    Stopped,
    /// The digest of the whole state before this event; a replay must come to the same.
    Checkpoint([u8; 32]),
    /// Who asked for what follows: so many events after this one. Without it, what happens to an agent is the agent's doing, or the
    /// gateway's own where time brings it about.
    By(Box<Actor>, u32),
    /// A webhook is different, or how far it has been told.
    Webhook(Box<WebhookChange>),
    /// What the change that follows replaces or removes.
    Before(Box<Former>),
    /// An agent asked for a budget.
    BudgetRequested(Box<BudgetRequested>),
    /// A budget is in force; the one before it no longer is.
    BudgetApproved(Box<BudgetApproved>),
    /// A budget was refused.
    BudgetRejected(Box<BudgetRejected>),
    /// So much is spent of the budget in force by now. It changes nothing: what was booked just before did.
    BudgetSpent(AgentIndex, BudgetRequestId, Amount),
    /// The whole budget is spent. It stays in force until it expires, and lets nothing pass.
    BudgetExhausted(AgentIndex, BudgetRequestId),
    /// A budget request was not decided in time, or the budget has ended; its status from then on, since what is exhausted stays so.
    BudgetExpired(AgentIndex, BudgetRequestId, BudgetStatus),
    /// The rest of a hold was taken for paid.
    Settled(Box<SettlementBooked>),
    /// Something was found about an agent, or an operator froze it.
    Alerted(Box<AlertRaised>),
    /// People have made something of an alert about an agent.
    AlertChanged(AgentIndex, AlertNumber, AlertStatus),
    /// An agent pays nothing any more until an operator lets it.
    AgentFrozen(Box<Frozen>),
    /// An agent that was frozen pays again, and is watched anew.
    AgentUnfrozen(AgentIndex),
    /// Open holds of a frozen agent were voided; more of them are at this moment, if any.
    HoldsVoided(AgentIndex, Option<Timestamp>),
    /// An agent is watched in another way; what is absent stays.
    WatchingChanged(AgentIndex, Box<WatchingChange>),
    /// How far the payee of the payment before is trusted, in ten-thousandths.
    TrustSeen(AgentIndex, u32),
    /// A policy decides in shadow, as of this revision of the catalogue.
    ShadowPut(Box<PolicySource>, u32),
    /// A policy is in shadow no more, as of this revision of the catalogue.
    ShadowRemoved(PolicyId, u32),
    /// A policy in shadow would have decided otherwise.
    ShadowDiffered(Box<ShadowDiffered>),
    /// The facts that came with the payment whose approval follows, in bincode as in the binary protocol.
    FactsTold(AgentIndex, Box<[u8]>),
    /// The audit was exported: what of it, in words.
    AuditExported(Box<str>),
    /// A hold was placed that waits for people: nobody may pay yet.
    ApprovalAsked(Box<ApprovalAsked>),
    /// A person approved; the last of them lets the caller pay.
    ApprovalGiven(Box<ApprovalGiven>),
    /// A person rejected: the hold is released.
    ApprovalRejected(Box<ApprovalRejected>),
    /// Nobody decided in time: the hold is released.
    ApprovalExpired(AgentIndex, AuthorizationId),
    /// A payee is described, as of this revision of the catalogue.
    CounterpartyPut(Box<Counterparty>, u32),
    /// A payee is described no more, as of this revision of the catalogue.
    CounterpartyRemoved(CounterpartyId, u32),
    /// A part of the next list of sanctions has come.
    SanctionsStaged(Box<SanctionsPart>),
    /// The list of sanctions whose parts have come is in force, or none is any more, as of this revision of the catalogue.
    SanctionsSwitched(Option<Box<SanctionsSummary>>, u32),
}

/// A hold was placed that waits for people.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ApprovalAsked {
    /// The name of what is asked.
    pub request: ApprovalRequestId,
    /// The hold, as it would be approved; it lasts until it must be decided.
    pub hold: Approved,
    /// What the policies ask about.
    pub about: Vec<Violation>,
    /// How many must approve.
    pub required: u16,
    /// The credentials of those who may; empty for every operator.
    pub approvers: Vec<KeyId>,
    /// What is bought, why, what kind of spend it is, and on which chain, as the agent said.
    pub texts: [Box<str>; 4],
    /// How long the caller may pay from the last approval on.
    pub lasts: Duration,
}

/// A person approved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct ApprovalGiven {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub approver: KeyId,
    pub comment: Box<str>,
    /// The caller may pay until then; absent while more must approve.
    pub until: Option<Timestamp>,
}

/// A person rejected.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct ApprovalRejected {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub approver: KeyId,
    pub comment: Box<str>,
}

/// An agent asked for a budget.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct BudgetRequested {
    pub agent: AgentIndex,
    pub id: BudgetRequestId,
    pub amount: Amount,
    pub purpose: Box<str>,
    pub category: Box<str>,
    pub metadata: Box<str>,
}

/// A budget is in force.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct BudgetApproved {
    pub agent: AgentIndex,
    pub id: BudgetRequestId,
    pub amount: Amount,
    pub expires_at: Timestamp,
    pub comment: Box<str>,
}

/// A budget was refused.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct BudgetRejected {
    pub agent: AgentIndex,
    pub id: BudgetRequestId,
    pub comment: Box<str>,
}

/// Something was found about an agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AlertRaised {
    /// Names the alert within its shard.
    pub number: AlertNumber,
    /// Whose.
    pub agent: AgentIndex,
    /// What was found.
    pub finding: Finding,
    /// How much it matters.
    pub severity: Severity,
    /// Whether the agent is frozen for it.
    pub froze: bool,
    /// Why, in an operator's words; empty where no operator is behind it.
    pub reason: Box<str>,
}

/// An agent pays nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Frozen {
    /// Which.
    pub agent: AgentIndex,
    /// The alert that says why.
    pub alert: AlertNumber,
    /// What was found, or that an operator wanted it.
    pub trigger: AlertKind,
    /// Whether its open holds are voided.
    pub voids: bool,
}

/// A hold was placed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request and of the approval")]
pub struct Approved {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub amount: Amount,
    pub protocol: Protocol,
    pub recipient: NameId,
    pub service: Option<NameId>,
    pub session: SessionNumber,
    /// Whether the session is an envelope whose deposit the hold draws from.
    pub from_deposit: bool,
    /// Whether the hold *is* the deposit of the session.
    pub deposit: bool,
    pub wallet: Option<u8>,
    /// From the turn's moment.
    pub expires_after: Duration,
    pub remaining: Option<Amount>,
    pub reasons: Reasons,
    pub policy_revision: u32,
    /// Of the request's content, to recognise a repeated id.
    pub fingerprint: u64,
    /// Whether this approval arms the agent's lease.
    pub arms: bool,
    /// Where endpoints are counted.
    pub endpoint: Option<EndpointId>,
}

/// A policy in shadow would have decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct ShadowDiffered {
    pub policy: PolicyId,
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub amount: Amount,
    /// The first reason of the live policies against it; `None` where they approved.
    pub live: Option<ViolationKind>,
    /// The first reason of the shadow against it; `None` where it approves.
    pub shadow: Option<ViolationKind>,
}

/// Payments were denied.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Denied {
    /// Whose.
    pub agent: AgentIndex,
    /// The first reason.
    pub kind: ViolationKind,
    /// How many.
    pub count: u32,
    /// All of them together.
    pub amount: Amount,
    /// The session that they were asked for, where it exists: it counts as a request in it.
    pub session: SessionNumber,
}

/// A capture was booked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct CaptureBooked {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub operation: OperationId,
    pub amount: Amount,
    pub last: bool,
}

/// The rest of a hold was taken for paid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct SettlementBooked {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub operation: OperationId,
    pub amount: Amount,
    /// What paid, which may be empty; absent where the caller was about to pay.
    pub transaction: Option<Box<str>>,
}

/// A hold lasts longer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request and of the answer")]
pub struct Extended {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub operation: OperationId,
    pub by: Duration,
    pub expires_at: Timestamp,
}

/// A hold is larger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request and of the answer")]
pub struct Increased {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub operation: OperationId,
    pub by: Amount,
    pub remaining: Option<Amount>,
}

/// Captured spend came back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct RefundBooked {
    pub agent: AgentIndex,
    pub id: AuthorizationId,
    pub operation: OperationId,
    pub amount: Amount,
}

/// A payment was reported by its facts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct RecordBooked {
    pub agent: AgentIndex,
    /// How it was booked; never [`Booking::Duplicate`].
    pub booking: Booking,
    /// The hold that is captured, or the deposit that is drawn from; of a misdirected payment the hold that it was reported against.
    pub authorization: Option<AuthorizationId>,
    /// Names the payment, where anything does.
    pub operation: Option<OperationId>,
    pub amount: Amount,
    pub protocol: Protocol,
    pub recipient: NameId,
    pub service: Option<NameId>,
    pub session: SessionNumber,
    pub wallet: Option<u8>,
    pub calls: u32,
    /// Where endpoints are counted, of a payment without a hold.
    pub endpoint: Option<EndpointId>,
}

/// A session began.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct SessionOpened {
    pub agent: AgentIndex,
    pub number: SessionNumber,
    pub protocol: Protocol,
    pub kind: SessionKind,
    /// The client's name for it; empty where it has none (yet).
    pub name: Box<str>,
}

/// What kind of session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SessionKind {
    /// The x402 session of requests that name none.
    Implicit,
    /// A task run: payments of one name, limited by rules only.
    Run,
    /// A deposit that charges draw from.
    Envelope {
        /// Who may draw.
        recipient: NameId,
        /// For which service.
        service: NameId,
        /// The hold that is the deposit.
        deposit: AuthorizationId,
        /// When it ends by itself.
        ends_at: Timestamp,
    },
}

/// An agent exists.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct AgentCreated {
    pub id: AgentId,
    pub name: Box<str>,
    pub agent_type: Box<str>,
    pub status: AgentStatus,
    pub lease: Option<Amount>,
}
