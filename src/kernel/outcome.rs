//! What a shard answers. A denial is an outcome with reasons; a failure is an error that says what was wrong with the request.

mod view;

use bincode::{Decode, Encode};
use thiserror::Error;

pub use view::{
    AgentView, AlertView, ApprovalAnswerView, ApprovalRequestView, AuthorizationView, BudgetRequestView, BudgetView,
    LimitView, SanctionsView, ServiceView, SessionView, ShadowView, ShardView, SimulationView, View, WalletView,
};

use super::{
    Amount, Duration, Fact, Timestamp,
    id::{AgentIndex, ApprovalRequestId, AuthorizationId, OperationId, SessionNumber},
    policy::{PolicyError, RuleKind},
    reason::Reasons,
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

/// An [`AgentStatus`](super::request::AgentStatus) other than active.
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
