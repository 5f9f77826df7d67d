//! The client for programs: one call a request, typed answers, retries that are safe.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
    time::Duration,
};

use hashbrown::HashMap;
use tokio::time::Instant;

use super::{
    ClientError, ClientOptions, ConnectError, Connector, Decisions,
    lane::{Lane, random},
    routes::Routes,
};
use crate::{
    kernel::{AgentId, Amount, AuthorizationId, OperationId, Protocol, Timestamp},
    wire::{
        Handle, Identified, Operation, Reply, Request, Welcome,
        reply::{
            ApprovalRequired, Approved, Authorization, Budget as BudgetReply, BudgetRequest, Captured, Denied,
            Increased, Recorded, Service, SessionClosed,
        },
        request::{Authorize, Budget, Capture, CloseSession, Extend, Increment, Record, Refund},
    },
};

/// A client of the gateway. Clones share the connections, which close when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connector: Connector,
    welcome: Arc<Welcome>,
    routes: RwLock<Arc<Routes>>,
}

/// What the gateway has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<T = Approved> {
    /// Yes, and how.
    Approved(T),
    /// No, and why.
    Denied(Denied),
    /// Not yet: the money is held while people decide. Asking again with the same id tells what they decided.
    ApprovalRequired(Box<ApprovalRequired>),
}

/// An id for an authorization that nobody has used.
#[must_use]
pub fn new_authorization_id() -> AuthorizationId {
    AuthorizationId(uuid::Uuid::now_v7().as_u128())
}

/// An id for an operation that nobody has used.
#[must_use]
pub fn new_operation_id() -> OperationId {
    OperationId(uuid::Uuid::now_v7().as_u128())
}

impl Client {
    /// Connects to the gateway; the first connection is made before this returns, the others when they are needed.
    ///
    /// # Errors
    /// [`ConnectError`] where the gateway is not reached, is not who it should be, or refuses the credential.
    pub async fn connect(options: ClientOptions) -> Result<Client, ConnectError> {
        let connector = Connector::new(options)?;
        let address = connector.options().address;
        let first = connector.connect(address).await?;
        let welcome = Arc::clone(first.welcome());
        let told = Arc::new(OnceLock::new());
        let mut lanes = vec![Lane::spawn(connector.clone(), address, Some(first), follow(&told))];
        for _ in 1..connector.options().connections_per_worker {
            lanes.push(Lane::spawn(connector.clone(), address, None, follow(&told)));
        }
        let routes =
            Routes::new(&welcome, address, &HashMap::from([(address, lanes)]), |to| spawn_lanes(&connector, to));
        let shared = Arc::new(Shared { connector, welcome, routes: RwLock::new(Arc::new(routes)) });
        // The lanes to the first address tell when the gateway's workers have changed.
        let _ = told.set(Arc::downgrade(&shared));
        Ok(Client { shared })
    }

    /// What people decide about payments of the credential's agents from now on, told by the gateway as it happens, on a connection of
    /// its own.
    ///
    /// # Errors
    /// [`ConnectError`] where the gateway is not reached or refuses the credential.
    pub async fn decisions(&self) -> Result<Decisions, ConnectError> {
        let connector = &self.shared.connector;
        Ok(Decisions::on(connector.connect(connector.options().address).await?))
    }

    /// What the gateway said when the client first connected.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.shared.welcome
    }

    /// The agent that the credential speaks for, where it is one agent's.
    #[must_use]
    pub fn agent(&self) -> Option<Handle> {
        match self.shared.welcome.principal {
            Identified::Agent(handle) => Some(handle),
            Identified::Platform | Identified::Operator => None,
        }
    }

    /// Asks whether the gateway is there; its time.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn ping(&self) -> Result<Timestamp, ClientError> {
        match self.ask(None, &Request::Ping, true).await? {
            Reply::Pong(moment) => Ok(moment),
            other => Err(unexpected(other)),
        }
    }

    /// The handle of an agent. It never changes, so ask once.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn resolve(&self, agent: AgentId) -> Result<Handle, ClientError> {
        match self.ask(None, &Request::Resolve(agent), true).await? {
            Reply::Resolved(handle) => Ok(handle),
            other => Err(unexpected(other)),
        }
    }

    /// Asks for a hold.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn authorize(&self, agent: Handle, request: &Authorize<'_>) -> Result<Decision, ClientError> {
        decision(self.operate(agent, Operation::Authorize(request.clone())).await?)
    }

    /// Asks for many holds at one time, which costs little more than one; the answers are in the order of the requests.
    pub async fn authorize_batch(&self, requests: &[(Handle, Authorize<'_>)]) -> Vec<Result<Decision, ClientError>> {
        let deadline = self.deadline();
        let mut begun = Vec::with_capacity(requests.len());
        for (agent, request) in requests {
            let encoded = Encoded::new(&Request::Agent(*agent, Operation::Authorize(request.clone())));
            let answer = self.lane(Some(*agent)).begin(encoded.kind, &encoded.body).await;
            begun.push((*agent, encoded, answer));
        }
        let mut decisions = Vec::with_capacity(requests.len());
        for (agent, encoded, answer) in begun {
            let reply = match answer {
                Ok(answer) => match tokio::time::timeout_at(deadline, answer).await {
                    Ok(Ok(reply)) => reply,
                    // The task that would have answered is gone; the retry finds out why.
                    Ok(Err(_)) => Err(ClientError::TimedOut),
                    Err(_) => Err(ClientError::TimedOut),
                },
                Err(error) => Err(error),
            };
            let reply = self.settle(Some(agent), &encoded, deadline, reply).await;
            decisions.push(reply.and_then(decision));
        }
        decisions
    }

    /// Reports what was paid against a hold.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn capture(&self, agent: Handle, request: &Capture) -> Result<Captured, ClientError> {
        match self.operate(agent, Operation::Capture(request.clone())).await? {
            Reply::Captured(captured) => Ok(captured),
            other => Err(unexpected(other)),
        }
    }

    /// Releases a hold; returns what was still held.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn void(&self, agent: Handle, id: AuthorizationId) -> Result<Amount, ClientError> {
        match self.operate(agent, Operation::Void(id)).await? {
            Reply::Voided(released) => Ok(released),
            other => Err(unexpected(other)),
        }
    }

    /// Lengthens a hold; returns until when the caller may pay.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn extend(&self, agent: Handle, request: &Extend) -> Result<Timestamp, ClientError> {
        match self.operate(agent, Operation::Extend(request.clone())).await? {
            Reply::Extended(expires_at) => Ok(expires_at),
            other => Err(unexpected(other)),
        }
    }

    /// Enlarges a hold.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn increment(&self, agent: Handle, request: &Increment) -> Result<Decision<Increased>, ClientError> {
        match self.operate(agent, Operation::Increment(request.clone())).await? {
            Reply::Increased(increased) => Ok(Decision::Approved(increased)),
            Reply::Denied(denied) => Ok(Decision::Denied(denied)),
            other => Err(unexpected(other)),
        }
    }

    /// Gives captured spend back; returns all refunds of the hold together.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn refund(&self, agent: Handle, request: &Refund) -> Result<Amount, ClientError> {
        match self.operate(agent, Operation::Refund(request.clone())).await? {
            Reply::Refunded(refunded) => Ok(refunded),
            other => Err(unexpected(other)),
        }
    }

    /// Reports a payment by its facts. Repeated only where the payment has an id or a transaction of its own: otherwise a second report is a second payment.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn record(&self, agent: Handle, request: &Record<'_>) -> Result<Recorded, ClientError> {
        match self.operate(agent, Operation::Record(request.clone())).await? {
            Reply::Recorded(recorded) => Ok(recorded),
            other => Err(unexpected(other)),
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn close_session(&self, agent: Handle, request: &CloseSession<'_>) -> Result<SessionClosed, ClientError> {
        match self.operate(agent, Operation::CloseSession(request.clone())).await? {
            Reply::SessionClosed(closed) => Ok(closed),
            other => Err(unexpected(other)),
        }
    }

    /// Looks at a hold.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn authorization(&self, agent: Handle, id: AuthorizationId) -> Result<Authorization, ClientError> {
        match self.operate(agent, Operation::Authorization(id)).await? {
            Reply::Authorization(authorization) => Ok(*authorization),
            other => Err(unexpected(other)),
        }
    }

    /// Looks at the limits of a rail and what is left of them.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn budget(&self, agent: Handle, request: &Budget<'_>) -> Result<BudgetReply, ClientError> {
        match self.operate(agent, Operation::Budget(request.clone())).await? {
            Reply::Budget(budget) => Ok(*budget),
            other => Err(unexpected(other)),
        }
    }

    /// Looks at what was spent at each service of a rail.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn services(&self, agent: Handle, protocol: Protocol) -> Result<Vec<Service>, ClientError> {
        match self.operate(agent, Operation::Services(protocol)).await? {
            Reply::Services(services) => Ok(services),
            other => Err(unexpected(other)),
        }
    }

    /// Looks at the budget that was approved for the agent, if one is in force.
    ///
    /// # Errors
    /// [`ClientError`], as for every request.
    pub async fn budget_in_force(&self, agent: Handle) -> Result<Option<Box<BudgetRequest>>, ClientError> {
        match self.operate(agent, Operation::BudgetInForce).await? {
            Reply::BudgetInForce(budget) => Ok(budget),
            other => Err(unexpected(other)),
        }
    }

    async fn operate(&self, agent: Handle, operation: Operation<'_>) -> Result<Reply, ClientError> {
        let repeatable = operation.repeatable();
        self.ask(Some(agent), &Request::Agent(agent, operation), repeatable).await
    }

    async fn ask(&self, agent: Option<Handle>, request: &Request<'_>, repeatable: bool) -> Result<Reply, ClientError> {
        let encoded = Encoded { repeatable, ..Encoded::new(request) };
        let deadline = self.deadline();
        let first = self.attempt(agent, &encoded, deadline).await;
        self.settle(agent, &encoded, deadline, first).await
    }

    async fn attempt(&self, agent: Option<Handle>, encoded: &Encoded, deadline: Instant) -> Result<Reply, ClientError> {
        let asked = self.lane(agent);
        let reply = tokio::time::timeout_at(deadline, asked.ask(encoded.kind, &encoded.body)).await;
        reply.unwrap_or(Err(ClientError::TimedOut))
    }

    /// Repeats what may be repeated until there is an answer that stands. An error reply becomes an error.
    pub(super) async fn settle(
        &self,
        agent: Option<Handle>,
        encoded: &Encoded,
        deadline: Instant,
        first: Result<Reply, ClientError>,
    ) -> Result<Reply, ClientError> {
        let retry = self.options().retry;
        let mut reply = first;
        for attempt in 0..retry.attempts_max.saturating_sub(1) {
            let Some(asked) = pause_asked(&reply, encoded.repeatable) else { break };
            let end = Instant::now() + retry.pause(attempt, asked, random());
            if end >= deadline {
                break;
            }
            tokio::time::sleep_until(end).await;
            reply = self.attempt(agent, encoded, deadline).await;
        }
        match reply {
            Ok(Reply::Error(error)) => Err(ClientError::Refused(error)),
            reply => reply,
        }
    }

    /// The number of the worker that keeps an agent, where it is known.
    pub(super) fn owner(&self, agent: Handle) -> Option<u16> {
        self.shared.routes().owner(agent)
    }

    pub(super) fn options(&self) -> &ClientOptions {
        self.shared.connector.options()
    }

    pub(super) fn lane(&self, agent: Option<Handle>) -> Lane {
        let routes = self.shared.routes();
        routes.lane(agent).expect("there is at least one lane to the first address").clone()
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options().timeout
    }
}

impl Shared {
    fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes new routes where the gateway's workers are not those of before.
    fn follow(&self, welcome: &Welcome) {
        let routes = self.routes();
        if routes.agree_with(welcome) {
            return;
        }
        let address = self.connector.options().address;
        let lanes = routes.by_address(address);
        let routes = Routes::new(welcome, address, &lanes, |to| spawn_lanes(&self.connector, to));
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }
}

/// Tells the client, once it exists, what each new connection to the first address was welcomed with.
fn follow(told: &Arc<OnceLock<Weak<Shared>>>) -> super::lane::OnWelcome {
    let told = Arc::clone(told);
    Box::new(move |welcome| {
        if let Some(shared) = told.get().and_then(Weak::upgrade) {
            shared.follow(welcome);
        }
    })
}

fn spawn_lanes(connector: &Connector, to: std::net::SocketAddr) -> Vec<Lane> {
    let count = connector.options().connections_per_worker.max(1);
    (0..count).map(|_| Lane::spawn(connector.clone(), to, None, Box::new(|_| {}))).collect()
}

/// A request in bytes, so that a retry sends the same.
pub(super) struct Encoded {
    pub(super) kind: u8,
    pub(super) body: Arc<[u8]>,
    /// Whether carrying it out twice does the same as once.
    repeatable: bool,
}

impl Encoded {
    pub(super) fn new(request: &Request<'_>) -> Encoded {
        let mut body = Vec::new();
        request.encode(&mut body);
        Encoded { kind: request.kind(), body: body.into(), repeatable: true }
    }
}

/// How long to wait at least before asking again; `None` where the answer stands.
fn pause_asked(reply: &Result<Reply, ClientError>, repeatable: bool) -> Option<Duration> {
    match reply {
        // Nothing was done, so anything may be repeated.
        Ok(Reply::Error(error)) => error.retry_after_ms.map(|ms| Duration::from_millis(u64::from(ms))),
        Err(ClientError::Unreachable(error)) if !error.retry() => None,
        Err(ClientError::Unreachable(_)) => Some(Duration::ZERO),
        Err(ClientError::Lost(_)) if repeatable => Some(Duration::ZERO),
        Ok(_)
        | Err(
            ClientError::Lost(_)
            | ClientError::Refused(_)
            | ClientError::TimedOut
            | ClientError::Unexpected(_)
            | ClientError::TooLarge(_),
        ) => None,
    }
}

fn decision(reply: Reply) -> Result<Decision, ClientError> {
    match reply {
        Reply::Approved(approved) => Ok(Decision::Approved(approved)),
        Reply::Denied(denied) => Ok(Decision::Denied(denied)),
        Reply::ApprovalRequired(required) => Ok(Decision::ApprovalRequired(required)),
        other => Err(unexpected(other)),
    }
}

pub(super) fn unexpected(reply: Reply) -> ClientError {
    ClientError::Unexpected(reply.kind())
}
