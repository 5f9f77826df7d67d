//! What a client may ask, and how it becomes a request of the kernel.

use bincode::{BorrowDecode, Decode, Encode};

use super::{
    codec::{self, Malformed, decode_length},
    error_code::{ErrorCode, Refusal},
    frame::{BatchWriter, Item, ItemTooLarge},
    greeting::Handle,
    hot::{self, Hot},
    limits::CAPTURES_MAX,
};
use crate::kernel::{
    self, AgentId, Amount, AuthorizationId, Duration, Facts, OperationId, Protocol,
    request::{Intent, Query},
};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Is anybody there?
    Ping,
    /// Which handle has this agent?
    Resolve(AgentId),
    /// Something about one agent.
    Agent(Handle, Operation<'a>),
    /// Many captures, of one agent or many, that are answered together; at most [`CAPTURES_MAX`].
    Captures(Vec<(Handle, Capture)>),
}

/// What can be asked about one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Ask for a hold.
    Authorize(Authorize<'a>),
    /// Report what was paid against a hold.
    Capture(Capture),
    /// Release a hold.
    Void(AuthorizationId),
    /// Lengthen a hold.
    Extend(Extend),
    /// Enlarge a hold.
    Increment(Increment),
    /// Give captured spend back.
    Refund(Refund),
    /// Report a payment by its facts.
    Record(Record<'a>),
    /// End a session.
    CloseSession(CloseSession<'a>),
    /// Look at a hold.
    Authorization(AuthorizationId),
    /// Look at the limits of a rail and what is left of them.
    Budget(Budget<'a>),
    /// Look at what was spent at each service of a rail.
    Services(Protocol),
    /// The budget request in force.
    BudgetInForce,
}

/// Asks for a hold of `amount` for one payment, or for the deposit of a session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Authorize<'a> {
    /// Chosen by the client at random; asking again with the same id and content returns the same approval.
    pub id: AuthorizationId,
    /// What the payment may cost at most; above zero.
    pub amount: Amount,
    /// The rail.
    pub protocol: Protocol,
    /// One payment, or the deposit of a session.
    pub intent: Intent,
    /// Who gets the money.
    pub recipient: &'a str,
    /// The domain of the paid service; empty for a payment outside any service.
    pub service: &'a str,
    /// What is bought (a URL).
    pub resource: &'a str,
    /// The client's name for the session; empty for none.
    pub session: &'a str,
    /// Which of the agent's wallets pays; empty for the first that may.
    pub wallet: &'a str,
    /// How long the caller may pay; the gateway's default where absent.
    pub hold_for: Option<Duration>,
    /// What else is known of the payment; absent where nothing is.
    pub facts: Option<Box<Facts<'a>>>,
}

impl<'a> Authorize<'a> {
    /// Asks for one payment of `amount` to `recipient`, of no particular rail, service or session.
    #[must_use]
    pub fn payment(id: AuthorizationId, amount: Amount, recipient: &'a str) -> Authorize<'a> {
        Authorize {
            id,
            amount,
            protocol: Protocol::Payment,
            intent: Intent::Charge,
            recipient,
            service: "",
            resource: "",
            session: "",
            wallet: "",
            hold_for: None,
            facts: None,
        }
    }
}

/// Reports what was really paid against a hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Capture {
    /// The hold.
    pub id: AuthorizationId,
    /// This report; repeating it returns the first answer.
    pub operation: OperationId,
    /// What was paid; zero is allowed.
    pub amount: Amount,
    /// Whether this is the last report: what is left of the hold is then released.
    pub last: bool,
}

/// Lengthens a hold: the caller may pay until `now + by`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extend {
    /// The hold.
    pub id: AuthorizationId,
    /// This request; repeating it returns the first answer.
    pub operation: OperationId,
    /// From now on.
    pub by: Duration,
}

/// Enlarges a hold by `amount`, if every limit allows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Increment {
    /// The hold.
    pub id: AuthorizationId,
    /// This request; repeating it returns the first answer.
    pub operation: OperationId,
    /// How much more; above zero.
    pub amount: Amount,
}

/// Gives captured spend back to the windows that it came from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refund {
    /// The hold that was captured.
    pub id: AuthorizationId,
    /// This request; repeating it returns the first answer.
    pub operation: OperationId,
    /// How much came back; above zero.
    pub amount: Amount,
}

/// Reports a payment by its facts: it is matched to a hold where there is one, and counted in any case.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Record<'a> {
    /// The hold it was paid under, where the reporter knows it.
    pub authorization: Option<AuthorizationId>,
    /// What was paid; above zero.
    pub amount: Amount,
    /// The rail.
    pub protocol: Protocol,
    /// Who got the money.
    pub recipient: &'a str,
    /// The domain of the paid service; empty for none.
    pub service: &'a str,
    /// What was bought (a URL).
    pub resource: &'a str,
    /// The client's name for the session; empty for none.
    pub session: &'a str,
    /// The wallet that paid; empty for the first.
    pub wallet: &'a str,
    /// The rail's own id of the payment; empty where it has none.
    pub payment_id: &'a str,
    /// The settlement's hash; empty where there is none.
    pub transaction: &'a str,
    /// How many calls the payment settles; at least 1.
    pub calls: u32,
}

/// Ends a session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct CloseSession<'a> {
    /// Its rail.
    pub protocol: Protocol,
    /// The client's name for it; empty for the implicit x402 session.
    pub session: &'a str,
}

/// Looks at the limits of a rail.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Budget<'a> {
    /// The rail.
    pub protocol: Protocol,
    /// The client's name for a session to look at too; empty for the current one.
    pub session: &'a str,
}

mod kind {
    pub(super) const PING: u8 = 1;
    pub(super) const RESOLVE: u8 = 2;
    pub(super) const AUTHORIZE: u8 = 3;
    pub(super) const CAPTURE: u8 = 4;
    pub(super) const VOID: u8 = 5;
    pub(super) const EXTEND: u8 = 6;
    pub(super) const INCREMENT: u8 = 7;
    pub(super) const REFUND: u8 = 8;
    pub(super) const RECORD: u8 = 9;
    pub(super) const CLOSE_SESSION: u8 = 10;
    pub(super) const AUTHORIZATION: u8 = 11;
    pub(super) const BUDGET: u8 = 12;
    pub(super) const SERVICES: u8 = 13;
    pub(super) const CAPTURES: u8 = 14;
    pub(super) const BUDGET_IN_FORCE: u8 = 15;
}

/// Why an item is not a request.
#[derive(Debug, thiserror::Error)]
pub enum NotARequest {
    /// No such kind in this version.
    #[error("requests of kind {0} are not known in this version")]
    UnknownKind(u8),
    /// The body is not what its kind says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Over [`CAPTURES_MAX`].
    #[error("the message has {0} captures; at most {CAPTURES_MAX} are allowed")]
    TooManyCaptures(u64),
}

impl From<&NotARequest> for Refusal {
    fn from(error: &NotARequest) -> Refusal {
        let code = match error {
            NotARequest::UnknownKind(_) => ErrorCode::UnknownMessage,
            NotARequest::Malformed(_) => ErrorCode::ProtocolError,
            NotARequest::TooManyCaptures(_) => ErrorCode::BatchTooLarge,
        };
        Refusal::new(code, error.to_string())
    }
}

impl<'a> Request<'a> {
    /// Reads the request that `item` holds.
    ///
    /// # Errors
    /// [`NotARequest`] for a kind that is not known and a body that is not of its kind.
    pub fn decode(item: Item<'a>) -> Result<Request<'a>, NotARequest> {
        fn about<'a, T: BorrowDecode<'a, ()>>(
            body: &'a [u8],
            operation: impl FnOnce(T) -> Operation<'a>,
        ) -> Result<Request<'a>, NotARequest> {
            let (handle, message) = codec::decode::<(Handle, T)>(body)?;
            Ok(Request::Agent(handle, operation(message)))
        }
        fn often<'a, T: Hot<'a> + BorrowDecode<'a, ()>>(
            body: &'a [u8],
            operation: impl FnOnce(T) -> Operation<'a>,
        ) -> Result<Request<'a>, NotARequest> {
            let (handle, message) = hot::decode::<(Handle, T)>(body)?;
            Ok(Request::Agent(handle, operation(message)))
        }
        let body = item.body;
        match item.kind {
            kind::PING => codec::decode::<()>(body).map(|()| Request::Ping).map_err(NotARequest::from),
            kind::RESOLVE => codec::decode(body).map(Request::Resolve).map_err(NotARequest::from),
            kind::AUTHORIZE => often(body, Operation::Authorize),
            kind::CAPTURE => often(body, Operation::Capture),
            kind::VOID => about(body, Operation::Void),
            kind::EXTEND => about(body, Operation::Extend),
            kind::INCREMENT => about(body, Operation::Increment),
            kind::REFUND => about(body, Operation::Refund),
            kind::RECORD => about(body, Operation::Record),
            kind::CLOSE_SESSION => about(body, Operation::CloseSession),
            kind::AUTHORIZATION => about(body, Operation::Authorization),
            kind::BUDGET => about(body, Operation::Budget),
            kind::SERVICES => about(body, Operation::Services),
            kind::BUDGET_IN_FORCE => about(body, |()| Operation::BudgetInForce),
            kind::CAPTURES => match captures_in(body) {
                too_many if too_many > CAPTURES_MAX as u64 => Err(NotARequest::TooManyCaptures(too_many)),
                _ => hot::decode(body).map(Request::Captures).map_err(NotARequest::from),
            },
            unknown => Err(NotARequest::UnknownKind(unknown)),
        }
    }

    /// As how many requests `item` counts among those in flight, judged by its first bytes.
    #[must_use]
    pub fn weight(item: &Item<'_>) -> usize {
        match item.kind {
            kind::CAPTURES => captures_in(item.body).clamp(1, CAPTURES_MAX as u64) as usize,
            _ => 1,
        }
    }

    /// The number of its kind.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Request::Captures(_) => kind::CAPTURES,
            Request::Ping => kind::PING,
            Request::Resolve(_) => kind::RESOLVE,
            Request::Agent(_, operation) => operation.kind(),
        }
    }

    /// Appends its body.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Request::Ping => {}
            Request::Resolve(agent) => codec::encode(agent, bytes),
            Request::Agent(handle, operation) => {
                handle.put(bytes);
                operation.encode(bytes);
            }
            Request::Captures(captures) => captures.put(bytes),
        }
    }

    /// Adds it to a batch.
    ///
    /// # Errors
    /// [`ItemTooLarge`] where no frame can hold it.
    pub fn write(&self, tag: u64, batch: &mut BatchWriter) -> Result<(), ItemTooLarge> {
        batch.push(tag, self.kind(), |bytes| self.encode(bytes))
    }
}

/// How many captures the body of a message of captures announces.
fn captures_in(body: &[u8]) -> u64 {
    decode_length(body).map_or(0, |(count, _)| count)
}

impl<'a> Operation<'a> {
    fn kind(&self) -> u8 {
        match self {
            Operation::Authorize(_) => kind::AUTHORIZE,
            Operation::Capture(_) => kind::CAPTURE,
            Operation::Void(_) => kind::VOID,
            Operation::Extend(_) => kind::EXTEND,
            Operation::Increment(_) => kind::INCREMENT,
            Operation::Refund(_) => kind::REFUND,
            Operation::Record(_) => kind::RECORD,
            Operation::CloseSession(_) => kind::CLOSE_SESSION,
            Operation::Authorization(_) => kind::AUTHORIZATION,
            Operation::Budget(_) => kind::BUDGET,
            Operation::Services(_) => kind::SERVICES,
            Operation::BudgetInForce => kind::BUDGET_IN_FORCE,
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Operation::Authorize(message) => message.put(bytes),
            Operation::Capture(message) => message.put(bytes),
            Operation::Void(id) | Operation::Authorization(id) => codec::encode(id, bytes),
            Operation::Extend(message) => codec::encode(message, bytes),
            Operation::Increment(message) => codec::encode(message, bytes),
            Operation::Refund(message) => codec::encode(message, bytes),
            Operation::Record(message) => codec::encode(message, bytes),
            Operation::CloseSession(message) => codec::encode(message, bytes),
            Operation::Budget(message) => codec::encode(message, bytes),
            Operation::Services(protocol) => codec::encode(protocol, bytes),
            Operation::BudgetInForce => {}
        }
    }

    /// Whether carrying it out twice does the same as carrying it out once. A record is recognised by its payment id or its
    /// transaction; without either, a second report is a second payment.
    #[must_use]
    pub fn repeatable(&self) -> bool {
        match self {
            Operation::Record(record) => !record.payment_id.is_empty() || !record.transaction.is_empty(),
            Operation::Authorize(_)
            | Operation::Capture(_)
            | Operation::Void(_)
            | Operation::Extend(_)
            | Operation::Increment(_)
            | Operation::Refund(_)
            | Operation::CloseSession(_)
            | Operation::Authorization(_)
            | Operation::Budget(_)
            | Operation::Services(_)
            | Operation::BudgetInForce => true,
        }
    }

    /// The same in the kernel's words, about the agent at `index` of its shard.
    ///
    /// # Errors
    /// [`Refusal`] for an amount beyond [`Amount::MAX`]: the kernel's sums rely on it.
    pub fn to_kernel(&self, index: kernel::AgentIndex) -> Result<kernel::Request<'a>, Refusal> {
        Ok(match *self {
            Operation::Authorize(ref message) => kernel::Request::Authorize(index, message.to_kernel()?),
            Operation::Capture(Capture { id, operation, amount, last }) => {
                let amount = bounded(amount)?;
                kernel::Request::Capture(index, kernel::request::Capture { id, operation, amount, last })
            }
            Operation::Void(id) => kernel::Request::Void(index, id),
            Operation::Extend(Extend { id, operation, by }) => {
                kernel::Request::Extend(index, kernel::request::Extend { id, operation, by })
            }
            Operation::Increment(Increment { id, operation, amount }) => {
                let amount = bounded(amount)?;
                kernel::Request::Increment(index, kernel::request::Increment { id, operation, amount })
            }
            Operation::Refund(Refund { id, operation, amount }) => {
                let amount = bounded(amount)?;
                kernel::Request::Refund(index, kernel::request::Refund { id, operation, amount })
            }
            Operation::Record(ref message) => kernel::Request::Record(index, message.to_kernel()?),
            Operation::CloseSession(CloseSession { protocol, session }) => {
                kernel::Request::CloseSession(index, kernel::request::CloseSession { protocol, session })
            }
            Operation::Authorization(id) => kernel::Request::Read(Query::Authorization(index, id)),
            Operation::Budget(Budget { protocol, session }) => {
                kernel::Request::Read(Query::Budget(index, protocol, session))
            }
            Operation::Services(protocol) => kernel::Request::Read(Query::Services(index, protocol)),
            Operation::BudgetInForce => kernel::Request::Read(Query::BudgetInForce(index)),
        })
    }
}

impl<'a> Authorize<'a> {
    fn to_kernel(&self) -> Result<kernel::request::Authorize<'a>, Refusal> {
        let Authorize {
            id,
            amount,
            protocol,
            intent,
            recipient,
            service,
            resource,
            session,
            wallet,
            hold_for,
            ref facts,
        } = *self;
        let amount = bounded(amount)?;
        Ok(kernel::request::Authorize {
            id,
            amount,
            protocol,
            intent,
            recipient,
            service,
            resource,
            session,
            wallet,
            hold_for,
            facts: facts.clone(),
        })
    }
}

impl<'a> Record<'a> {
    fn to_kernel(&self) -> Result<kernel::request::Record<'a>, Refusal> {
        Ok(kernel::request::Record {
            authorization: self.authorization,
            amount: bounded(self.amount)?,
            protocol: self.protocol,
            recipient: self.recipient,
            service: self.service,
            resource: self.resource,
            session: self.session,
            wallet: self.wallet,
            payment_id: self.payment_id,
            transaction: self.transaction,
            calls: self.calls,
        })
    }
}

fn bounded(amount: Amount) -> Result<Amount, Refusal> {
    if amount <= Amount::MAX {
        return Ok(amount);
    }
    Err(Refusal::new(ErrorCode::InvalidAmount, format!("`amount` is not valid: expected at most {}", Amount::MAX)))
}
