//! What the gateway answers, and how it comes from an outcome of the kernel.

use bincode::{BorrowDecode, Decode, Encode};

use super::{
    codec::{self, Malformed},
    error_code::{ErrorCode, Refusal},
    frame::{BatchWriter, Item},
    greeting::Handle,
    hot::{self, Hot},
};
use crate::{
    engine::Answer,
    kernel::{
        Amount, ApprovalRequestId, AuthorizationId, BudgetRequestId, Duration, Outcome, Protocol, Timestamp,
        outcome::{self, Approval, Booking, HoldStatus, View},
    },
};

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing was done.
    Error(ErrorReply),
    /// The payment may not happen.
    Denied(Denied),
    /// The money is held.
    Approved(Approved),
    /// The report is booked.
    Captured(Captured),
    /// The hold is released; so much was still held.
    Voided(Amount),
    /// The hold lasts until then.
    Extended(Timestamp),
    /// The hold is larger.
    Increased(Increased),
    /// All refunds of the hold together.
    Refunded(Amount),
    /// The payment is booked, or was before.
    Recorded(Recorded),
    /// The session is over.
    SessionClosed(SessionClosed),
    /// The agent's handle.
    Resolved(Handle),
    /// A hold.
    Authorization(Box<Authorization>),
    /// Limits and what is left of them.
    Budget(Box<Budget>),
    /// Spend by service.
    Services(Vec<Service>),
    /// Somebody is there; the gateway's time.
    Pong(Timestamp),
    /// The report of each capture of a message, in their order: booked, or why not.
    CaptureResults(Vec<CaptureResult>),
    /// The money is held while people decide; the caller may not pay yet.
    ApprovalRequired(Box<ApprovalRequired>),
    /// People have decided about a payment. Answers no request.
    ApprovalDecided(ApprovalDecided),
    /// The budget that was approved for the agent and limits it now, if there is one.
    BudgetInForce(Option<Box<BudgetRequest>>),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ErrorReply {
    /// For programs; see [`ErrorCode`]. A newer gateway may know more codes.
    pub code: String,
    /// For people.
    pub message: String,
    /// After how many milliseconds the same request, unchanged, may well succeed; absent where it will not.
    pub retry_after_ms: Option<u32>,
}

/// Why the payment may not happen.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Denied {
    /// Every limit that stands against it.
    pub violations: Vec<Violation>,
    /// The revision of the policies that decided.
    pub policy_revision: u32,
}

/// One limit that stands against a payment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Violation {
    /// For programs, such as `DAILY_LIMIT`.
    pub code: String,
    /// The cap.
    pub limit: Measure,
    /// What it would have come to.
    pub current: Measure,
    /// For people.
    pub message: String,
}

/// The value that a limit caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Measure {
    /// The limit is a list or a state.
    None,
    /// Money.
    Money(Amount),
    /// Calls or sessions.
    Count(u64),
    /// A length of time.
    Time(Duration),
    /// A score, from 0 to 10 000 for 100 of 100.
    Score(u32),
}

/// The money is held; the caller may pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Approved {
    /// The caller may pay until then.
    pub expires_at: Timestamp,
    /// What is left under the tightest cumulative limit; absent where none applies.
    pub remaining: Option<Amount>,
    /// The position of the wallet that pays among the agent's wallets; absent where none is needed.
    pub wallet: Option<u8>,
    /// What the wallet has left, where its balance is known.
    pub available: Option<Amount>,
    /// Which kinds of limits were passed, as a set of bits.
    pub reasons: u32,
    /// The number of the session; 0 for none.
    pub session: u32,
    /// The revision of the policies that decided.
    pub policy_revision: u32,
    /// Whether this answer was given before.
    pub repeated: bool,
}

/// The money is held while people decide. Asking again with the same id tells what they decided.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ApprovalRequired {
    /// The name of what people are asked.
    pub request: ApprovalRequestId,
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

/// A budget that was approved for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BudgetRequest {
    /// Its id.
    pub id: BudgetRequestId,
    /// Whether all of it is spent: it lets nothing pass until it ends.
    pub exhausted: bool,
    /// What was asked for.
    pub requested: Amount,
    /// What was approved.
    pub approved: Amount,
    /// What was paid of it.
    pub spent: Amount,
    /// What is held of it.
    pub held: Amount,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl From<&outcome::BudgetRequestView> for BudgetRequest {
    fn from(view: &outcome::BudgetRequestView) -> BudgetRequest {
        BudgetRequest {
            id: view.id,
            exhausted: view.status == outcome::BudgetStatus::Exhausted,
            requested: view.requested,
            approved: view.approved.unwrap_or_default(),
            spent: view.spent,
            held: view.held,
            expires_at: view.expires_at,
        }
    }
}

/// People have decided about a payment, or have not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ApprovalDecided {
    /// Whose payment.
    pub agent: Handle,
    /// The hold.
    pub id: AuthorizationId,
    /// What they were asked.
    pub request: ApprovalRequestId,
    /// The caller may pay until then; absent where it was declined.
    pub expires_at: Option<Timestamp>,
}

/// The report is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Captured {
    /// All captures of the hold together.
    pub captured: Amount,
    /// What this capture booked beyond the hold.
    pub overage: Amount,
    /// What is still held.
    pub held: Amount,
    /// Whether the hold was over before.
    pub late: bool,
}

/// What became of one of many captures.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CaptureResult {
    /// The report is booked.
    Captured(Captured),
    /// Nothing was done.
    Refused(Refused),
}

/// Why one of many captures was not booked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    /// For programs; see [`ErrorCode`]. A newer gateway may know more codes.
    pub code: String,
    /// After how many milliseconds the same capture, unchanged, may well succeed; absent where it will not.
    pub retry_after_ms: Option<u32>,
}

/// The hold is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Increased {
    /// The whole hold now.
    pub amount: Amount,
    /// What is left under the tightest limit.
    pub remaining: Option<Amount>,
}

/// A reported payment is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Recorded {
    /// How.
    pub booking: Booking,
    /// The hold or deposit that paid for it.
    pub authorization: Option<AuthorizationId>,
    /// What was booked beyond the hold or deposit.
    pub overage: Amount,
}

/// A session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionClosed {
    /// What was captured in it.
    pub spent: Amount,
    /// What of it was released.
    pub released: Amount,
}

/// A hold, as of now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are the words of the requests")]
pub struct Authorization {
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
}

/// Limits and what is left of them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Budget {
    /// Every cumulative limit that applies.
    pub limits: Vec<Limit>,
    /// The tightest of what is left; absent without a cumulative limit.
    pub remaining: Option<Amount>,
    /// Captured on this rail since the agent exists.
    pub spent: Amount,
    /// Payments on this rail.
    pub calls: u64,
    /// Money in open holds, over all rails.
    pub held: Amount,
    /// Held and captured in the current calendar day, week and month, over all rails.
    pub used: [Amount; 3],
    /// The session that was asked for, or the current one.
    pub session: Option<Session>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limit {
    /// The code of the violation that it causes.
    pub code: String,
    /// The cap.
    pub limit: Measure,
    /// What counts against it.
    pub used: Measure,
}

/// A session, as of now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Session {
    /// The client's name for it; empty for the implicit one.
    pub name: String,
    /// Its rail.
    pub protocol: Protocol,
    /// Its deposit; absent where only rules limit it.
    pub deposit: Option<Amount>,
    /// Captured in it.
    pub spent: Amount,
    /// Held in it.
    pub held: Amount,
    /// Whether payments may still join it.
    pub open: bool,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// The hold that is its deposit.
    pub authorization: Option<AuthorizationId>,
}

/// What an agent spent at one service.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Service {
    /// Its domain.
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

mod kind {
    pub(super) const ERROR: u8 = 128;
    pub(super) const DENIED: u8 = 129;
    pub(super) const APPROVED: u8 = 130;
    pub(super) const CAPTURED: u8 = 131;
    pub(super) const VOIDED: u8 = 132;
    pub(super) const EXTENDED: u8 = 133;
    pub(super) const INCREASED: u8 = 134;
    pub(super) const REFUNDED: u8 = 135;
    pub(super) const RECORDED: u8 = 136;
    pub(super) const SESSION_CLOSED: u8 = 137;
    pub(super) const RESOLVED: u8 = 138;
    pub(super) const AUTHORIZATION: u8 = 139;
    pub(super) const BUDGET: u8 = 140;
    pub(super) const SERVICES: u8 = 141;
    pub(super) const PONG: u8 = 142;
    pub(super) const CAPTURE_RESULTS: u8 = 143;
    pub(super) const APPROVAL_REQUIRED: u8 = 144;
    pub(super) const APPROVAL_DECIDED: u8 = 145;
    pub(super) const BUDGET_IN_FORCE: u8 = 146;
}

/// Why an item is not a reply.
#[derive(Debug, thiserror::Error)]
pub enum NotAReply {
    /// No such kind in this version.
    #[error("replies of kind {0} are not known in this version")]
    UnknownKind(u8),
    /// The body is not what its kind says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Reply {
    /// Reads the reply that `item` holds.
    ///
    /// # Errors
    /// [`NotAReply`] for a kind that is not known and a body that is not of its kind.
    pub fn decode(item: Item<'_>) -> Result<Reply, NotAReply> {
        fn read<'a, T: BorrowDecode<'a, ()>>(
            body: &'a [u8],
            reply: impl FnOnce(T) -> Reply,
        ) -> Result<Reply, NotAReply> {
            Ok(reply(codec::decode(body)?))
        }
        fn often<'a, T: Hot<'a> + BorrowDecode<'a, ()>>(
            body: &'a [u8],
            reply: impl FnOnce(T) -> Reply,
        ) -> Result<Reply, NotAReply> {
            Ok(reply(hot::decode(body)?))
        }
        let body = item.body;
        match item.kind {
            kind::ERROR => read(body, Reply::Error),
            kind::DENIED => read(body, Reply::Denied),
            kind::APPROVED => often(body, Reply::Approved),
            kind::CAPTURED => often(body, Reply::Captured),
            kind::VOIDED => read(body, Reply::Voided),
            kind::EXTENDED => read(body, Reply::Extended),
            kind::INCREASED => read(body, Reply::Increased),
            kind::REFUNDED => read(body, Reply::Refunded),
            kind::RECORDED => read(body, Reply::Recorded),
            kind::SESSION_CLOSED => read(body, Reply::SessionClosed),
            kind::RESOLVED => read(body, Reply::Resolved),
            kind::AUTHORIZATION => read(body, Reply::Authorization),
            kind::BUDGET => read(body, Reply::Budget),
            kind::SERVICES => read(body, Reply::Services),
            kind::PONG => read(body, Reply::Pong),
            kind::CAPTURE_RESULTS => often(body, Reply::CaptureResults),
            kind::APPROVAL_REQUIRED => read(body, Reply::ApprovalRequired),
            kind::APPROVAL_DECIDED => read(body, Reply::ApprovalDecided),
            kind::BUDGET_IN_FORCE => read(body, Reply::BudgetInForce),
            unknown => Err(NotAReply::UnknownKind(unknown)),
        }
    }

    /// The number of its kind.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Reply::Error(_) => kind::ERROR,
            Reply::Denied(_) => kind::DENIED,
            Reply::Approved(_) => kind::APPROVED,
            Reply::Captured(_) => kind::CAPTURED,
            Reply::Voided(_) => kind::VOIDED,
            Reply::Extended(_) => kind::EXTENDED,
            Reply::Increased(_) => kind::INCREASED,
            Reply::Refunded(_) => kind::REFUNDED,
            Reply::Recorded(_) => kind::RECORDED,
            Reply::SessionClosed(_) => kind::SESSION_CLOSED,
            Reply::Resolved(_) => kind::RESOLVED,
            Reply::Authorization(_) => kind::AUTHORIZATION,
            Reply::Budget(_) => kind::BUDGET,
            Reply::Services(_) => kind::SERVICES,
            Reply::Pong(_) => kind::PONG,
            Reply::CaptureResults(_) => kind::CAPTURE_RESULTS,
            Reply::ApprovalRequired(_) => kind::APPROVAL_REQUIRED,
            Reply::ApprovalDecided(_) => kind::APPROVAL_DECIDED,
            Reply::BudgetInForce(_) => kind::BUDGET_IN_FORCE,
        }
    }

    /// Appends its body.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Reply::Error(message) => codec::encode(message, bytes),
            Reply::Denied(message) => codec::encode(message, bytes),
            Reply::Approved(message) => message.put(bytes),
            Reply::Captured(message) => message.put(bytes),
            Reply::Voided(amount) | Reply::Refunded(amount) => codec::encode(amount, bytes),
            Reply::Extended(moment) | Reply::Pong(moment) => codec::encode(moment, bytes),
            Reply::Increased(message) => codec::encode(message, bytes),
            Reply::Recorded(message) => codec::encode(message, bytes),
            Reply::SessionClosed(message) => codec::encode(message, bytes),
            Reply::Resolved(handle) => codec::encode(handle, bytes),
            Reply::Authorization(message) => codec::encode(message, bytes),
            Reply::Budget(message) => codec::encode(message, bytes),
            Reply::Services(services) => codec::encode(services, bytes),
            Reply::CaptureResults(results) => results.put(bytes),
            Reply::ApprovalRequired(message) => codec::encode(message, bytes),
            Reply::ApprovalDecided(message) => codec::encode(message, bytes),
            Reply::BudgetInForce(budget) => codec::encode(budget, bytes),
        }
    }

    /// Adds it to a batch. A reply that no frame can hold is replaced by an error that says so.
    pub fn write(&self, tag: u64, batch: &mut BatchWriter) {
        if let Err(too_large) = batch.push(tag, self.kind(), |bytes| self.encode(bytes)) {
            let refusal = Refusal::new(ErrorCode::FrameTooLarge, too_large.to_string());
            let written = batch.push(tag, kind::ERROR, |bytes| codec::encode(&ErrorReply::from(&refusal), bytes));
            debug_assert!(written.is_ok(), "a short message fits");
        }
    }
}

impl From<&Refusal> for ErrorReply {
    fn from(refusal: &Refusal) -> ErrorReply {
        ErrorReply {
            code: refusal.code.text().to_owned(),
            message: refusal.message.clone(),
            retry_after_ms: refusal.code.retry_after_ms(),
        }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Refused {
        Refused { code: code.text().to_owned(), retry_after_ms: code.retry_after_ms() }
    }
}

impl From<Answer> for CaptureResult {
    fn from(answer: Answer) -> CaptureResult {
        match answer {
            Ok(Outcome::Captured(outcome::Captured { captured, overage, held, late })) => {
                CaptureResult::Captured(Captured { captured, overage, held, late })
            }
            Ok(_) => CaptureResult::Refused(Refused::from(ErrorCode::InternalError)),
            Err(error) => CaptureResult::Refused(Refused::from(ErrorCode::from(&error))),
        }
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Reply {
        Reply::Error(ErrorReply::from(refusal))
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Reply {
        match answer {
            Ok(outcome) => Reply::from(outcome),
            Err(error) => Reply::from(&Refusal::from(&error)),
        }
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Reply {
        match outcome {
            Outcome::Approved(approval) => Reply::Approved(Approved::from(&approval)),
            Outcome::Denied(denial) => Reply::Denied(Denied::from(&denial)),
            Outcome::Captured(outcome::Captured { captured, overage, held, late }) => {
                Reply::Captured(Captured { captured, overage, held, late })
            }
            Outcome::Voided { released } => Reply::Voided(released),
            Outcome::Extended { expires_at } => Reply::Extended(expires_at),
            Outcome::Increased { amount, remaining } => Reply::Increased(Increased { amount, remaining }),
            Outcome::Refunded { refunded } => Reply::Refunded(refunded),
            Outcome::Recorded(outcome::Recorded { booking, authorization, overage }) => {
                Reply::Recorded(Recorded { booking, authorization, overage })
            }
            Outcome::SessionClosed { spent, released } => Reply::SessionClosed(SessionClosed { spent, released }),
            Outcome::View(view) => Reply::from(view),
            Outcome::ApprovalRequired(required) => {
                Reply::ApprovalRequired(Box::new(ApprovalRequired::from(&*required)))
            }
            Outcome::Settled(_)
            | Outcome::ApprovalRequest(_)
            | Outcome::BudgetRequest(_)
            | Outcome::AgentCreated(_)
            | Outcome::PolicyChanged { .. }
            | Outcome::Done => Reply::from(&foreign()),
        }
    }
}

impl From<View> for Reply {
    fn from(view: View) -> Reply {
        match view {
            View::Authorization(view) => Reply::Authorization(Box::new(Authorization::from(*view))),
            View::Budget(view) => Reply::Budget(Box::new(Budget::from(*view))),
            View::BudgetInForce(budget) => {
                Reply::BudgetInForce(budget.map(|view| Box::new(BudgetRequest::from(&*view))))
            }
            View::Services(services) => Reply::Services(services.into_iter().map(Service::from).collect()),
            View::Agent(_)
            | View::Wallets(_)
            | View::Keys(_)
            | View::Agents(_)
            | View::Policies(_)
            | View::Counterparties(_)
            | View::Sanctions(_)
            | View::Webhooks(_)
            | View::Shadows(_)
            | View::Simulation(_)
            | View::BudgetRequests(_)
            | View::ApprovalRequests(_)
            | View::Alert(_)
            | View::Alerts(_)
            | View::Shard(_) => Reply::from(&foreign()),
        }
    }
}

/// An answer that no request of this protocol asks for.
fn foreign() -> Refusal {
    Refusal::new(ErrorCode::InternalError, "the answer does not belong to this protocol")
}

impl From<&Approval> for Approved {
    fn from(approval: &Approval) -> Approved {
        Approved {
            expires_at: approval.expires_at,
            remaining: approval.remaining,
            wallet: approval.wallet,
            available: approval.available,
            reasons: approval.reasons.0,
            session: approval.session.0,
            policy_revision: approval.policy_revision,
            repeated: approval.repeated,
        }
    }
}

impl From<&outcome::ApprovalRequired> for ApprovalRequired {
    fn from(required: &outcome::ApprovalRequired) -> ApprovalRequired {
        ApprovalRequired {
            request: required.request,
            decide_by: required.decide_by,
            required: required.required,
            given: required.given,
            about: required.about.iter().map(Violation::from).collect(),
            policy_revision: required.policy_revision,
            repeated: required.repeated,
        }
    }
}

impl From<&outcome::Denial> for Denied {
    fn from(denial: &outcome::Denial) -> Denied {
        Denied {
            violations: denial.violations.iter().map(Violation::from).collect(),
            policy_revision: denial.policy_revision,
        }
    }
}

impl From<&outcome::Violation> for Violation {
    fn from(violation: &outcome::Violation) -> Violation {
        Violation {
            code: violation.kind.code().to_owned(),
            limit: Measure::from(violation.limit),
            current: Measure::from(violation.current),
            message: violation.message(),
        }
    }
}

impl From<outcome::Measure> for Measure {
    fn from(measure: outcome::Measure) -> Measure {
        match measure {
            outcome::Measure::Money(amount) => Measure::Money(amount),
            outcome::Measure::Count(count) => Measure::Count(count),
            outcome::Measure::Time(duration) => Measure::Time(duration),
            outcome::Measure::Score(score) => Measure::Score(score),
            outcome::Measure::None | outcome::Measure::Missing(_) => Measure::None,
        }
    }
}

impl From<outcome::AuthorizationView> for Authorization {
    fn from(view: outcome::AuthorizationView) -> Authorization {
        Authorization {
            id: view.id,
            status: view.status,
            protocol: view.protocol,
            amount: view.amount,
            captured: view.captured,
            refunded: view.refunded,
            recipient: view.recipient,
            service: view.service,
            session: view.session,
            placed_at: view.placed_at,
            expires_at: view.expires_at,
        }
    }
}

impl From<outcome::BudgetView> for Budget {
    fn from(view: outcome::BudgetView) -> Budget {
        let limit = |limit: outcome::LimitView| Limit {
            code: limit.kind.code().to_owned(),
            limit: Measure::from(limit.limit),
            used: Measure::from(limit.used),
        };
        Budget {
            limits: view.limits.into_iter().map(limit).collect(),
            remaining: view.remaining,
            spent: view.spent,
            calls: view.calls,
            held: view.held,
            used: view.used,
            session: view.session.map(Session::from),
        }
    }
}

impl From<outcome::SessionView> for Session {
    fn from(view: outcome::SessionView) -> Session {
        Session {
            name: view.name,
            protocol: view.protocol,
            deposit: view.deposit,
            spent: view.spent,
            held: view.held,
            open: view.open,
            opened_at: view.opened_at,
            ends_at: view.ends_at,
            authorization: view.authorization,
        }
    }
}

impl From<outcome::ServiceView> for Service {
    fn from(view: outcome::ServiceView) -> Service {
        Service { service: view.service, spent: view.spent, held: view.held, calls: view.calls, last_at: view.last_at }
    }
}
