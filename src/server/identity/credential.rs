//! A credential that was found, shared by every connection that uses it.

use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use crate::{
    kernel::{
        AgentId, KeyId, Timestamp,
        request::{KeySource, Principal},
    },
    wire::ErrorCode,
};

use super::{KeyKind, Need, Scope, ScopeSet, need::Realm};

/// Why somebody may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// No key, an unknown one, or one that was revoked: the three are not told apart.
    #[error("the key is missing or not valid; send a valid key as `Authorization: Bearer <key>`")]
    Failed,
    /// The key was good once.
    #[error("the key has expired; ask an operator for a new one")]
    Expired,
    /// The key is good for other things.
    #[error("the key lacks the scope `{0}`; ask an operator for a key that has it")]
    Scope(Scope),
    /// The key is good for other agents.
    #[error("the key may not act for this agent; use a key of the agent itself")]
    OtherAgent,
    /// The key speaks for agents, and this is for those who run the gateway.
    #[error("this is for operators; use an operator key")]
    NotOperator,
}

impl AuthError {
    /// The stable code that clients see.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            AuthError::Failed => ErrorCode::AuthFailed,
            AuthError::Expired => ErrorCode::ExpiredKey,
            AuthError::Scope(_) | AuthError::OtherAgent | AuthError::NotOperator => ErrorCode::InsufficientScope,
        }
    }
}

/// A known credential. It is shared, so that its revocation reaches every holder at once.
#[derive(Debug)]
pub struct Credential {
    source: KeySource,
    scopes: ScopeSet,
    revoked: AtomicBool,
}

impl Credential {
    /// The credential that `source` describes. No scopes means all that its principal has by default: everything for
    /// operators, [`ScopeSet::STANDARD`] for agents and platforms.
    #[must_use]
    pub(in crate::server) fn new(source: KeySource) -> Credential {
        let scopes = match (source.scopes.is_empty(), &source.principal) {
            (false, _) => ScopeSet::of_words(&source.scopes),
            (true, Principal::Operator) => ScopeSet::ALL,
            (true, Principal::Agent(_) | Principal::Platform(_)) => ScopeSet::STANDARD,
        };
        Credential { source, scopes, revoked: AtomicBool::new(false) }
    }

    pub(super) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// Whether the credential still works. Connections that live longer than a request ask again before each use.
    ///
    /// # Errors
    /// [`AuthError::Failed`] once revoked, [`AuthError::Expired`] from its expiry on.
    pub fn check(&self, now: Timestamp) -> Result<(), AuthError> {
        if self.revoked.load(Ordering::Acquire) {
            Err(AuthError::Failed)
        } else if now >= self.source.expires_at {
            Err(AuthError::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether it may do this at all.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether it may speak for `agent`. Operators may, for they could issue themselves a key of any agent.
    #[must_use]
    pub fn acts_for(&self, agent: AgentId) -> bool {
        match &self.source.principal {
            Principal::Agent(own) => *own == agent,
            Principal::Operator => true,
            Principal::Platform(agents) => agents.is_empty() || agents.contains(&agent),
        }
    }

    /// Whether it may ask for something that needs `need`, about `agent` where it is about one.
    ///
    /// # Errors
    /// The first of [`AuthError::NotOperator`], [`AuthError::OtherAgent`] and [`AuthError::Scope`] that stands against it.
    pub fn allow(&self, need: Need, agent: Option<AgentId>) -> Result<(), AuthError> {
        if need.realm == Realm::Operators && self.kind() != KeyKind::Operator {
            Err(AuthError::NotOperator)
        } else if agent.is_some_and(|agent| !self.acts_for(agent)) {
            Err(AuthError::OtherAgent)
        } else if !self.may(need.scope) {
            Err(AuthError::Scope(need.scope))
        } else {
            Ok(())
        }
    }

    /// The one agent that it speaks for, where there is just one.
    #[must_use]
    pub fn agent(&self) -> Option<AgentId> {
        match &self.source.principal {
            Principal::Agent(agent) => Some(*agent),
            Principal::Operator => None,
            Principal::Platform(agents) => match agents.as_slice() {
                [agent] => Some(*agent),
                _ => None,
            },
        }
    }

    /// Whom it speaks for.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.source.principal
    }

    /// Whether it is an agent's, an operator's or a platform's.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        KeyKind::of(&self.source.principal)
    }

    /// Its public name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.source.id
    }

    /// What is kept of it; the secret is not.
    #[must_use]
    pub fn source(&self) -> &KeySource {
        &self.source
    }
}
