//! Which session a payment belongs to.

use crate::kernel::{
    NameId, Protocol, Timestamp,
    options::Options,
    request::{Authorize, Intent},
    state::{agent::Agent, session::Session},
};

/// How a payment relates to the agent's sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Join<'s> {
    /// It belongs to none.
    None,
    /// It is the deposit of a new one.
    Deposit,
    /// It begins the implicit session anew.
    BeginImplicit,
    /// It begins a session of a name not seen before.
    BeginRun,
    /// It joins this one, which may be over.
    In(&'s Session),
    /// It joins this envelope, which takes the payment's session name.
    Name(&'s Session),
}

impl<'s> Join<'s> {
    /// The session that exists already.
    pub(crate) fn session(self) -> Option<&'s Session> {
        match self {
            Join::In(session) | Join::Name(session) => Some(session),
            Join::None | Join::Deposit | Join::BeginImplicit | Join::BeginRun => None,
        }
    }

    /// Whether no session has anything to do with it.
    pub(crate) fn is_outside_sessions(self) -> bool {
        matches!(self, Join::None)
    }

    /// The session of a request for authorization.
    pub(crate) fn of(
        agent: &'s Agent,
        now: Timestamp,
        asked: &Authorize<'_>,
        payee: Option<(NameId, NameId)>,
        options: &Options,
    ) -> Join<'s> {
        match (asked.protocol, asked.intent, asked.session) {
            (Protocol::Payment | Protocol::Card, _, _) | (Protocol::Mpp, Intent::Charge, "") => Join::None,
            (Protocol::Mpp, Intent::Session { .. }, _) => Join::Deposit,
            (Protocol::X402, _, name) => Join::x402(agent, now, name, options),
            (Protocol::Mpp, Intent::Charge, name) => {
                let still_open = |session: &Session| session.envelope().is_some_and(|e| now < e.ends_at);
                Join::mpp(agent, name, payee, still_open).unwrap_or(Join::BeginRun)
            }
        }
    }

    /// The x402 session of that name, or the implicit one.
    pub(crate) fn x402(agent: &'s Agent, now: Timestamp, name: &str, options: &Options) -> Join<'s> {
        if name.is_empty() {
            let lasts =
                |session: &&Session| session.is_open() && now < session.last_request.after(options.session_idle);
            agent.implicit_session().filter(lasts).map_or(Join::BeginImplicit, Join::In)
        } else {
            agent.session_named(Protocol::X402, name).map_or(Join::BeginRun, Join::In)
        }
    }

    /// The MPP session of that name, or the oldest envelope for the same payee that is open, fits and has no name yet.
    pub(crate) fn mpp(
        agent: &'s Agent,
        name: &str,
        payee: Option<(NameId, NameId)>,
        fits: impl Fn(&Session) -> bool,
    ) -> Option<Join<'s>> {
        if let Some(session) = agent.session_named(Protocol::Mpp, name) {
            return Some(Join::In(session));
        }
        let unnamed = |session: &&Session| {
            let its_payee = session.envelope().map(|envelope| (envelope.recipient, envelope.service));
            session.is_open() && session.name.is_empty() && its_payee.is_some() && its_payee == payee && fits(session)
        };
        agent.sessions().iter().find(unnamed).map(Join::Name)
    }
}
