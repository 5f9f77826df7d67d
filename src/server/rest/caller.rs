//! Who is asking, and for which agent.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use crate::{
    engine::AgentHandle,
    kernel::{Actor, ActorKind, AgentId, Outcome, Request, ShardId},
    server::{
        identity::{AuthError, Credential, KeyKind, Need},
        submit::AskError,
    },
    wire::json::Refusal,
};

use super::{RestState, answer::Rejection, body::Parameters};

/// The header with which keys that act for many agents name the one that they act for.
const AGENT_HEADER: &str = "x-holdfast-agent";
const AGENT_EXPECTED: &str = "`agt_` followed by 32 hexadecimal digits";
/// The most bytes of a `User-Agent` that are kept.
const USER_AGENT_BYTES_MAX: usize = 256;

/// Where a connection comes from. Behind a proxy it is the proxy's address: a header that says otherwise could be written by anybody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Whoever sent the request, with a live key.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) credential: Arc<Credential>,
    /// The agent that the request names in a header or in its query.
    named: Option<AgentId>,
    peer: Option<Peer>,
    user_agent: Box<str>,
}

impl Caller {
    /// The agent that the request is made for: the key's own, or the named one.
    pub(super) fn agent(&self, state: &RestState, need: Need) -> Result<AgentHandle, Rejection> {
        self.about(state, need, self.agent_id()?)
    }

    /// The agent that the request names, beside its key.
    pub(super) fn named(&self) -> Option<AgentId> {
        self.named
    }

    /// The id of the agent that the request is made for.
    pub(super) fn agent_id(&self) -> Result<AgentId, Rejection> {
        let missing = || Refusal::invalid("X-Holdfast-Agent", "is missing", AGENT_EXPECTED);
        Ok(self.named.or(self.credential.agent()).ok_or_else(missing)?)
    }

    /// The agent that the request names, of all; nothing where it names none.
    pub(super) fn named_or_all(&self, state: &RestState, need: Need) -> Result<Option<AgentHandle>, Rejection> {
        match self.named {
            Some(id) => self.about(state, need, id).map(Some),
            None => self.allow(need).map(|()| None),
        }
    }

    /// An agent that the path names.
    pub(super) fn about(&self, state: &RestState, need: Need, id: AgentId) -> Result<AgentHandle, Rejection> {
        self.credential.allow(need, Some(id))?;
        state.engine.agent(id).ok_or_else(|| Rejection::not_found("no agent has this id"))
    }

    /// Something that is about no agent.
    pub(super) fn allow(&self, need: Need) -> Result<(), Rejection> {
        Ok(self.credential.allow(need, None)?)
    }

    /// Asks for a change in the caller's name: the journal says who wanted it. Everything but payments is changed this way.
    pub(super) async fn change(
        &self,
        state: &RestState,
        shard: ShardId,
        request: Request<'_>,
    ) -> Result<Outcome, AskError> {
        state.ask(shard, &self.asks(request)).await
    }

    /// The request in the caller's name.
    pub(super) fn asks<'r>(&self, request: Request<'r>) -> Request<'r> {
        Request::By(Box::new(self.actor()), Box::new(request))
    }

    /// A request of an agent about itself; in the caller's name where that is somebody who acts for the agent.
    pub(super) fn asks_for_agent<'r>(&self, request: Request<'r>) -> Request<'r> {
        if self.credential.kind() == KeyKind::Agent { request } else { self.asks(request) }
    }

    /// The caller, as the journal knows it.
    pub(super) fn actor(&self) -> Actor {
        let kind = match self.credential.kind() {
            KeyKind::Operator => ActorKind::User,
            KeyKind::Platform => ActorKind::Api,
            KeyKind::Agent => ActorKind::Agent,
        };
        let source = self.credential.source();
        Actor {
            kind,
            key: Some(source.id),
            name: source.name.as_str().into(),
            address: self.peer.map_or_else(Box::default, |Peer(address)| address.ip().to_string().into()),
            user_agent: self.user_agent.clone(),
        }
    }
}

impl FromRequestParts<RestState> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Caller, Rejection> {
        let secret = bearer(&parts.headers).ok_or(AuthError::Failed)?;
        let credential = state.identity.authenticate(secret, state.now())?;
        let peer = parts.extensions.get::<Peer>().copied();
        Ok(Caller { credential, named: named_agent(parts)?, peer, user_agent: user_agent(&parts.headers) })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

/// What the program calls itself, as far as there is room.
fn user_agent(headers: &HeaderMap) -> Box<str> {
    let text = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Only ASCII is text for `to_str`, so every byte begins a character.
    text.get(..USER_AGENT_BYTES_MAX).unwrap_or(text).into()
}

fn named_agent(parts: &Parts) -> Result<Option<AgentId>, Refusal> {
    let in_header = parts.headers.get(AGENT_HEADER).map(|value| value.to_str().unwrap_or_default().to_owned());
    let in_query = Parameters::read(parts)?.text("agentId").map(str::to_owned);
    let (field, text) = match (in_header, in_query) {
        (Some(header), Some(query)) if header != query => {
            return Err(Refusal::invalid("agentId", "contradicts `X-Holdfast-Agent`", "only one of the two"));
        }
        (Some(text), _) => ("X-Holdfast-Agent", text),
        (None, Some(text)) => ("agentId", text),
        (None, None) => return Ok(None),
    };
    text.parse().map(Some).map_err(|_| Refusal::invalid(field, "is no agent's id", AGENT_EXPECTED))
}
