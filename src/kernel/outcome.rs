//! What a shard answers. A denial is an outcome with reasons; a failure is an error that says what was wrong with the request.

use bincode::{Decode, Encode};
use thiserror::Error;

use super::{
    Amount, Duration, Fact, Protocol, Timestamp,
    anomaly::{Alert, Watching},
    id::{AgentId, AgentIndex, ApprovalRequestId, AuthorizationId, BudgetRequestId, KeyId, OperationId, SessionNumber},
    policy::{PolicyError, PolicySource, RuleKind},
    reason::Reasons,
    request::{AgentStatus, KeySource, WalletSource},
    sanctions::SanctionsSummary,
    state::{counterparties, shadow::Shadow},
    webhook::Webhook,
};

/// The answer to a request that could be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is held; the caller may pay.
    Approved(Approval),
    /// The payment may not happen.
    Denied(Denial),
    /// The report is booked.
    Captured(Captured),
    /// The rest of the hold is taken for paid.
    Settled(Settled),
    /// The hold is released.
    Voided {
        /// What was still held.
        released: Amount,
    },
    /// The hold lasts longer.
    Extended {
        /// The caller may pay until then.
        expires_at: Timestamp,
    },
    /// The hold is larger.
    Increased {
        /// The whole hold now.
        amount: Amount,
        /// What is left under the tightest limit.
        remaining: Option<Amount>,
    },
    /// The spend is given back.
    Refunded {
        /// All refunds of this hold together.
        refunded: Amount,
    },
    /// The reported payment is booked, or was before.
    Recorded(Recorded),
    /// The session is over.
    SessionClosed {
        /// What was captured in it.
        spent: Amount,
        /// What of it was released.
        released: Amount,
    },
    /// The agent exists.
    AgentCreated(AgentIndex),
    /// The policies are changed; this is their revision now.
    PolicyChanged {
        /// Counts the changes of the catalogue, from 1.
        revision: u32,
    },
    /// The change is made.
    Done,
    /// A budget request as it is now.
    BudgetRequest(Box<BudgetRequestView>),
    /// The money is held while people decide; the caller may not pay yet.
    ApprovalRequired(Box<ApprovalRequired>),
    /// What people were asked, as it is now.
    ApprovalRequest(Box<ApprovalRequestView>),
    /// What was looked at.
    View(View),
}

/// A hold was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The hold.
    pub id: AuthorizationId,
    /// What is held.
    pub amount: Amount,
    /// The caller may pay until then.
    pub expires_at: Timestamp,
    /// What is left under the tightest cumulative limit; absent where no cumulative limit applies.
    pub remaining: Option<Amount>,
    /// The position of the wallet that pays among the agent's wallets; absent where none is needed.
    pub wallet: Option<u8>,
    /// What the wallet has left, where its balance is known.
    pub available: Option<Amount>,
    /// Why, in short.
    pub reasons: Reasons,
    /// The session that the hold belongs to.
    pub session: SessionNumber,
    /// The revision of the policies that decided.
    pub policy_revision: u32,
    /// Whether this answer was given before.
    pub repeated: bool,
}

/// The money is held while people decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRequired {
    /// The name of what is asked.
    pub request: ApprovalRequestId,
    /// The hold.
    pub id: AuthorizationId,
    /// The payment is declined then, unless it is decided.
    pub decide_by: Timestamp,
    /// How many must approve.
    pub required: u16,
    /// How many have approved.
    pub given: u16,
    /// What the policies ask about.
    pub about: Vec<Violation>,
    /// The revision of the policies that ask.
    pub policy_revision: u32,
    /// Whether it waited before.
    pub repeated: bool,
}

/// A payment may not happen, and why: every limit that stands against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// All of them, in the order of [`ViolationKind`]; never empty.
    pub violations: Vec<Violation>,
    /// The revision of the policies that decided.
    pub policy_revision: u32,
}

/// One limit that stands against a payment. `Violation::code` and `Violation::message` put it in words.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Violation {
    /// Which kind of limit.
    pub kind: ViolationKind,
    /// The cap.
    pub limit: Measure,
    /// What it would have come to.
    pub current: Measure,
}

/// The value that a limit caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Measure {
    /// Money.
    Money(Amount),
    /// Calls or sessions.
    Count(u64),
    /// A length of time.
    Time(Duration),
    /// A score, from 0 to [`SCORE_MAX`](super::facts::SCORE_MAX).
    Score(u32),
    /// This fact would have to be known.
    Missing(Fact),
    /// The limit is a list or a state, not a number.
    None,
}

/// Every reason for a denial, in the order in which they are checked and reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum ViolationKind {
    /// The agent is PAUSED, SUSPENDED or REVOKED.
    AgentNotActive(AgentStatusCode),
    /// Somebody who gets a part of the payment is on the list of sanctions, or in a country that is.
    Sanctioned,
    /// The directory says that somebody who gets a part of the payment gets nothing.
    CounterpartyBlocked,
    /// The agent has no wallet, or not the one that was named.
    NoWallet,
    /// The wallet is frozen.
    WalletFrozen,
    /// A cap of the wallet on one payment.
    WalletPerPayment,
    /// The wallet may not pay at this hour or on this day.
    WalletTime,
    /// The session is over.
    SessionEnded,
    /// The deposit of the session is for another recipient or service.
    SessionPayee,
    /// The deposit of the session does not cover the charge.
    SessionDeposit,
    /// The budget that was approved for the agent does not cover the payment.
    BudgetExceeded,
    /// The budget that was approved for the agent is spent.
    BudgetExhausted,
    /// A rule of a policy.
    Rule(RuleKind),
    /// A cap of the wallet on a calendar day.
    WalletPerDay,
    /// A cap of the wallet on a calendar week.
    WalletPerWeek,
    /// A cap of the wallet on a calendar month.
    WalletPerMonth,
    /// The wallet does not hold enough.
    Balance,
    /// People were asked, and it was not approved.
    Declined,
    /// No policy could be understood; nothing is allowed until one is written anew.
    Unreadable,
}

/// An [`AgentStatus`] other than active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum AgentStatusCode {
    /// Stopped for a while by its operator.
    Paused,
    /// Frozen.
    Suspended,
    /// Never to pay again.
    Revoked,
}

/// A capture was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Captured {
    /// All captures of the hold together.
    pub captured: Amount,
    /// What this capture booked beyond the hold.
    pub overage: Amount,
    /// What is still held.
    pub held: Amount,
    /// Whether the hold was over before (voided, expired or captured) or lost in a crash.
    pub late: bool,
}

/// The rest of a hold was taken for paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Names the settlement.
    pub operation: OperationId,
    /// What it booked.
    pub amount: Amount,
    /// As a capture would have answered.
    pub captured: Captured,
    /// How the hold had ended before, where it had: it is booked since the money has moved, but it was not authorized any more.
    pub over: Option<HoldStatus>,
    /// Whether this answer was given before.
    pub repeated: bool,
}

/// A reported payment was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Recorded {
    /// How it was booked.
    pub booking: Booking,
    /// The hold or deposit that paid for it.
    pub authorization: Option<AuthorizationId>,
    /// What was booked beyond the hold or deposit.
    pub overage: Amount,
}

/// How a reported payment was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Booking {
    /// Against a hold.
    Matched,
    /// Against the deposit of a session.
    Session,
    /// Against the unknown hold that a crash left: it was probably approved, and the approval was lost.
    Recovered,
    /// Against nothing: it was never approved, and counts against every limit.
    Unauthorized,
    /// It was reported before; counted once.
    Duplicate,
    /// It was reported against a hold, but somebody else was paid than the hold is for: never authorized, it counts against every limit,
    /// and the hold stays as it is.
    Misdirected,
}

/// What was wrong with a request. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// No such agent in the shard.
    #[error("no agent has this id")]
    UnknownAgent,
    /// No such hold of the agent, or it is long over.
    #[error("no authorization of this agent has this id")]
    UnknownAuthorization,
    /// No such session of the agent.
    #[error("no session of this agent has this id")]
    UnknownSession,
    /// No such credential.
    #[error("no key has this id")]
    UnknownKey,
    /// No such alert.
    #[error("no alert has this id")]
    UnknownAlert,
    /// No such payee in the directory.
    #[error("no counterparty has this id")]
    UnknownCounterparty,
    /// There is no list of sanctions to take out of force.
    #[error("no list of sanctions is in force")]
    NoSanctions,
    /// No such policy.
    #[error("no policy has this id")]
    UnknownPolicy,
    /// No such webhook.
    #[error("no webhook has this id")]
    UnknownWebhook,
    /// The id was used for something else before.
    #[error("the id was used before with other content; choose a new id for a new request")]
    IdReused,
    /// The hold is over, so it can no longer change.
    #[error("the authorization is {0}; ask for a new one")]
    AuthorizationOver(HoldStatus),
    /// The field's value is out of range.
    #[error("`{field}` is not valid: {expected}")]
    Invalid {
        /// The request's field, in the words of the API.
        field: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A named maximum is reached.
    #[error("the maximum of {what} is reached ({maximum}); close what is no longer needed and try again")]
    Capacity {
        /// What there are too many of.
        what: &'static str,
        /// The named maximum.
        maximum: u64,
    },
    /// No such approval request.
    #[error("no approval request has this id")]
    UnknownApprovalRequest,
    /// The policy names others.
    #[error("this key is not among those that may decide about the payment")]
    NotAnApprover,
    /// It was decided, or its time is over.
    #[error("the approval request is {0}; only one that is pending can be decided")]
    ApprovalRequestOver(ApprovalStatus),
    /// The agent is paused, suspended or revoked.
    #[error("the agent is not active; a payment of it can be rejected, or approved once it is active again")]
    AgentStopped,
    /// The directory has blocked whom the payment is for since it was asked for.
    #[error(
        "the recipient is blocked by now; a payment to it can be rejected, or approved once nothing stands against it"
    )]
    PayeeStopped,
    /// The hold waits for people.
    #[error("the authorization waits for approval; wait for the decision, or void it")]
    AwaitsApproval,
    /// No such budget request of the agent.
    #[error("no budget request of this agent has this id")]
    UnknownBudgetRequest,
    /// One budget request at a time.
    #[error("the agent has a budget request that is waiting or approved; wait until it is over, then ask again")]
    BudgetRequestExists,
    /// It was decided, or is over.
    #[error("the budget request is {0}; only one that is pending can be decided")]
    BudgetRequestOver(BudgetStatus),
    /// The policy cannot be understood.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// What has become of a payment that people were asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum ApprovalStatus {
    /// It waits; the money is held.
    Waiting,
    /// Enough approved.
    Approved,
    /// One rejected.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The agent released the hold.
    Withdrawn,
    /// It was paid without waiting.
    Bypassed,
}

impl ApprovalStatus {
    /// All of them, in the order of their numbers.
    pub const ALL: [ApprovalStatus; 6] = [
        ApprovalStatus::Waiting,
        ApprovalStatus::Approved,
        ApprovalStatus::Rejected,
        ApprovalStatus::Expired,
        ApprovalStatus::Withdrawn,
        ApprovalStatus::Bypassed,
    ];

    /// The word for it in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ApprovalStatus::Waiting => "PENDING",
            ApprovalStatus::Approved => "APPROVED",
            ApprovalStatus::Rejected => "REJECTED",
            ApprovalStatus::Expired => "EXPIRED",
            ApprovalStatus::Withdrawn => "WITHDRAWN",
            ApprovalStatus::Bypassed => "BYPASSED",
        }
    }
}

impl std::fmt::Display for ApprovalStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What has become of a budget request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum BudgetStatus {
    /// It waits for a person.
    Pending,
    /// It is in force.
    Approved,
    /// It was refused.
    Rejected,
    /// It was not decided in time, or its time is over.
    Expired,
    /// All of it is spent.
    Exhausted,
}

impl BudgetStatus {
    /// All of them, in the order of their numbers.
    pub const ALL: [BudgetStatus; 5] = [
        BudgetStatus::Pending,
        BudgetStatus::Approved,
        BudgetStatus::Rejected,
        BudgetStatus::Expired,
        BudgetStatus::Exhausted,
    ];

    /// The word for it in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            BudgetStatus::Pending => "PENDING",
            BudgetStatus::Approved => "APPROVED",
            BudgetStatus::Rejected => "REJECTED",
            BudgetStatus::Expired => "EXPIRED",
            BudgetStatus::Exhausted => "EXHAUSTED",
        }
    }
}

impl std::fmt::Display for BudgetStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What has become of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum HoldStatus {
    /// Money is held.
    Open,
    /// Captured for the last time.
    Captured,
    /// Released by its caller.
    Voided,
    /// Released by time.
    Expired,
}

impl std::fmt::Display for HoldStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            HoldStatus::Open => "open",
            HoldStatus::Captured => "captured",
            HoldStatus::Voided => "voided",
            HoldStatus::Expired => "expired",
        })
    }
}

/// What a query shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// One hold.
    Authorization(Box<AuthorizationView>),
    /// One agent.
    Agent(Box<AgentView>),
    /// The wallets of one agent, in the order of their positions.
    Wallets(Vec<WalletSource>),
    /// Limits and what is left.
    Budget(Box<BudgetView>),
    /// Spend by service.
    Services(Vec<ServiceView>),
    /// Credentials, in the order of issue.
    Keys(Vec<KeySource>),
    /// Agents, in the order of creation.
    Agents(Vec<AgentView>),
    /// Policies in force with the revision that wrote each.
    Policies(Vec<(PolicySource, u32)>),
    /// Payees of the directory, in the order of their ids, each with the revision that wrote it.
    Counterparties(Vec<counterparties::Entry>),
    /// The list of sanctions in force, without its entries.
    Sanctions(Option<Box<SanctionsView>>),
    /// One alert.
    Alert(Box<AlertView>),
    /// Alerts, the latest first.
    Alerts(Vec<AlertView>),
    /// The shard.
    Shard(ShardView),
    /// Webhooks, in the order of their ids.
    Webhooks(Vec<Webhook>),
    /// Policies in shadow, each with the change that wrote it and the ids of the agents of its examples.
    Shadows(Vec<ShadowView>),
    /// What would be decided.
    Simulation(SimulationView),
    /// Payments that people were asked about, newest first.
    ApprovalRequests(Vec<ApprovalRequestView>),
    /// Budget requests, newest first.
    BudgetRequests(Vec<BudgetRequestView>),
    /// The budget in force, if there is one.
    BudgetInForce(Option<Box<BudgetRequestView>>),
}

/// A policy in shadow, as one shard knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowView {
    /// The change of the catalogue that wrote it.
    pub revision: u32,
    /// What it would have changed.
    pub shadow: Shadow,
    /// The agents of its examples, in their order.
    pub agents: Vec<AgentId>,
}

/// What would be decided about payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationView {
    /// Whether the draft would be among the policies of the agent; true where there is no draft.
    pub applies: bool,
    /// The answer to each payment, in their order. No hold is placed.
    pub answers: Vec<Result<Outcome, Failure>>,
}

/// One hold, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the words of the design")]
pub struct AuthorizationView {
    pub id: AuthorizationId,
    pub status: HoldStatus,
    pub protocol: Protocol,
    pub amount: Amount,
    pub captured: Amount,
    pub refunded: Amount,
    pub recipient: String,
    pub service: String,
    pub session: String,
    pub placed_at: Timestamp,
    pub expires_at: Timestamp,
    /// The transaction that the settlement named; empty where it named none, absent where nothing was settled after the payment.
    pub transaction: Option<String>,
    /// What people were asked about it, and how far that is; absent where nobody was asked.
    pub approval: Option<(ApprovalRequestId, ApprovalStatus)>,
}

/// A payment that people were asked about, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the request, the hold and the policy's terms")]
pub struct ApprovalRequestView {
    pub id: ApprovalRequestId,
    pub authorization: AuthorizationId,
    pub agent: AgentId,
    pub agent_name: String,
    pub status: ApprovalStatus,
    pub amount: Amount,
    pub protocol: Protocol,
    /// Whether it is the deposit of a session.
    pub deposit: bool,
    pub recipient: String,
    pub service: String,
    pub session: String,
    pub resource: String,
    pub purpose: String,
    pub category: String,
    pub chain: String,
    /// What the policies ask about.
    pub about: Vec<Violation>,
    pub required: u16,
    /// The credentials of those who may decide; empty for every operator.
    pub approvers: Vec<KeyId>,
    pub answers: Vec<ApprovalAnswerView>,
    pub created_at: Timestamp,
    pub decide_by: Timestamp,
    pub decided_at: Option<Timestamp>,
    /// The caller may pay until then; absent unless it was approved.
    pub expires_at: Option<Timestamp>,
}

/// What one person said about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct ApprovalAnswerView {
    pub approver: KeyId,
    pub approves: bool,
    pub at: Timestamp,
    pub comment: String,
}

/// A budget request, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRequestView {
    /// Its id.
    pub id: BudgetRequestId,
    /// Who asked for it.
    pub agent: AgentId,
    /// The agent's name, for people.
    pub agent_name: String,
    /// What has become of it.
    pub status: BudgetStatus,
    /// What was asked for.
    pub requested: Amount,
    /// What was approved; absent unless it was.
    pub approved: Option<Amount>,
    /// What was paid of it.
    pub spent: Amount,
    /// What is held of it.
    pub held: Amount,
    /// What for.
    pub purpose: String,
    /// What kind of spend; empty where it was not said.
    pub category: String,
    /// A JSON object, or nothing.
    pub metadata: String,
    /// What its approver said.
    pub comment: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was approved or rejected.
    pub decided_at: Option<Timestamp>,
    /// When it expires or ends.
    pub expires_at: Timestamp,
}

impl BudgetRequestView {
    /// What may still be held of it; absent unless it was approved.
    #[must_use]
    pub fn remaining(&self) -> Option<Amount> {
        self.approved.map(|approved| approved.saturating_sub(self.spent).saturating_sub(self.held))
    }
}

/// An agent, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// Its id.
    pub id: AgentId,
    /// Its place in the shard.
    pub index: AgentIndex,
    /// For people.
    pub name: String,
    /// For people.
    pub agent_type: String,
    /// Whether it may pay.
    pub status: AgentStatus,
    /// Its own lease, where it has one.
    pub lease: Option<Amount>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Money in open holds.
    pub held: Amount,
    /// Held and captured in the current calendar day, week and month.
    pub used: [Amount; 3],
    /// Its wallets.
    pub wallets: Vec<WalletView>,
    /// How it is watched.
    pub watching: Watching,
}

/// An alert, as of now, with the names of what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertView {
    /// The alert.
    pub alert: Alert,
    /// Whose.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// The wallet that it is about, if it is about one.
    pub wallet: Option<String>,
    /// Who was to be paid; empty where it is not about a payment.
    pub recipient: String,
    /// For which service; empty for none.
    pub service: String,
}

/// A wallet, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletView {
    /// As its operator described it.
    pub source: WalletSource,
    /// Known balance, less what is held and was paid since.
    pub available: Option<Amount>,
    /// Held and captured in the current calendar day, week and month.
    pub used: [Amount; 3],
}

/// Limits and what is left of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetView {
    /// Every cumulative limit that applies.
    pub limits: Vec<LimitView>,
    /// The tightest of what is left; absent without a cumulative limit.
    pub remaining: Option<Amount>,
    /// Captured on this rail since the agent exists, but for what a crash lost and was captured by its id alone.
    pub spent: Amount,
    /// Payments on this rail.
    pub calls: u64,
    /// Money in open holds, over all rails.
    pub held: Amount,
    /// Held and captured in the current calendar day, week and month, over all rails.
    pub used: [Amount; 3],
    /// The session that was asked for, or the current one.
    pub session: Option<SessionView>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitView {
    /// Which kind of limit.
    pub kind: ViolationKind,
    /// The cap.
    pub limit: Measure,
    /// What counts against it.
    pub used: Measure,
}

/// A session, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The client's name for it; empty for the implicit one.
    pub name: String,
    /// Its rail.
    pub protocol: Protocol,
    /// What may be spent in it: the deposit; absent where only rules limit it.
    pub deposit: Option<Amount>,
    /// Captured in it.
    pub spent: Amount,
    /// Held in it.
    pub held: Amount,
    /// Whether payments may still join it.
    pub open: bool,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ends by itself, if nothing more happens in it.
    pub ends_at: Timestamp,
    /// The hold that is its deposit.
    pub authorization: Option<AuthorizationId>,
}

/// What an agent spent at one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// The service's domain.
    pub service: String,
    /// Captured there since the agent exists.
    pub spent: Amount,
    /// Held there.
    pub held: Amount,
    /// Payments there.
    pub calls: u64,
    /// The last approval or report.
    pub last_at: Timestamp,
}

/// A shard, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// Agents.
    pub agents: u64,
    /// Open holds.
    pub holds: u64,
    /// Policies in force.
    pub policies: u64,
    /// The revision of the policies.
    pub policy_revision: u32,
    /// How often the shard was started.
    pub incarnation: u32,
    /// BLAKE3 of the whole state in its canonical form.
    pub digest: Option<[u8; 32]>,
}

/// The list of sanctions in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionsView {
    /// What is known of it.
    pub summary: SanctionsSummary,
    /// The change of the catalogue that put it in force.
    pub revision: u32,
    /// Since when it is in force.
    pub since: Timestamp,
}
