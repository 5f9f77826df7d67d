//! The directory of known credentials. It is built from what the shards hold and follows their durable facts.

use std::sync::Arc;

use dashmap::DashMap;
use subtle::ConstantTimeEq;

use crate::{
    engine::Observer,
    kernel::{Event, KeyId, ShardId, State, Timestamp, request::KeySource},
};

use super::{AuthError, Credential, KeyKind, secret};

/// Finds credentials by their secrets. Many threads read it; only the engine writes it, through [`Observer`].
#[derive(Debug, Default)]
pub struct Identity {
    credentials: DashMap<KeyId, Arc<Credential>>,
}

impl Identity {
    /// A directory that knows nobody yet.
    #[must_use]
    pub fn new() -> Identity {
        Identity::default()
    }

    /// Finds the credential whose secret this is.
    ///
    /// An unknown key and a key with a wrong ending cost the same and get the same answer: each is hashed and compared once,
    /// in constant time, an unknown one against a hash that nothing has.
    ///
    /// # Errors
    /// [`AuthError::Failed`] for a text that is no live key, [`AuthError::Expired`] for one that was.
    pub fn authenticate(&self, secret: &str, now: Timestamp) -> Result<Arc<Credential>, AuthError> {
        if secret.len() > secret::SECRET_BYTES_MAX {
            return Err(AuthError::Failed);
        }
        let (id, hash) = secret::digest(secret);
        let found = self.credential(id);
        let kept = found.as_ref().map_or([0; 32], |credential| credential.source().hash);
        let same = bool::from(kept.ct_eq(&hash));
        let credential = found.filter(|_| same).ok_or(AuthError::Failed)?;
        credential.check(now)?;
        Ok(credential)
    }

    /// The credential of this name. The guard of the map never leaves this function.
    #[must_use]
    pub fn credential(&self, id: KeyId) -> Option<Arc<Credential>> {
        self.credentials.get(&id).map(|entry| Arc::clone(entry.value()))
    }

    /// Every credential of this kind, in the order of their ids.
    #[must_use]
    pub fn credentials(&self, kind: KeyKind) -> Vec<Arc<Credential>> {
        let mut found: Vec<_> = self
            .credentials
            .iter()
            .filter(|entry| entry.value().kind() == kind)
            .map(|entry| Arc::clone(entry.value()))
            .collect();
        found.sort_by_key(|credential| credential.id());
        found
    }

    fn admit(&self, source: KeySource) {
        self.credentials.insert(source.id, Arc::new(Credential::new(source)));
    }

    fn dismiss(&self, id: KeyId) {
        if let Some((_, credential)) = self.credentials.remove(&id) {
            credential.revoke();
        }
    }
}

impl Observer for Identity {
    fn recovered(&self, _shard: ShardId, state: &State) {
        state.keys().for_each(|source| self.admit(source.clone()));
    }

    fn observe(&self, _shard: ShardId, event: &Event) {
        if let Event::KeyIssued(source) = event {
            self.admit(KeySource::clone(source));
        } else if let Event::KeyRevoked(id) = event {
            self.dismiss(*id);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        kernel::{
            AgentId, AgentIndex, AuthorizationId, Request,
            request::{Principal, Query},
        },
        server::identity::{Need, Scope, ScopeSet, Secret},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);
    const ALICE: AgentId = AgentId(1);
    const BOB: AgentId = AgentId(2);

    fn issued(identity: &Identity, principal: Principal, scopes: ScopeSet) -> (Secret, KeyId) {
        let secret = Secret::random(KeyKind::of(&principal)).unwrap();
        let source = secret.source(principal, "test", scopes, Timestamp::from_micros(2_000_000));
        let id = source.id;
        identity.observe(ShardId(0), &Event::KeyIssued(Box::new(source)));
        (secret, id)
    }

    #[test]
    fn a_key_works_from_its_issue_to_its_expiry() {
        let identity = Identity::new();
        let (secret, id) = issued(&identity, Principal::Agent(ALICE), ScopeSet::STANDARD);
        assert_eq!(identity.authenticate(secret.text(), NOW).unwrap().id(), id);
        let end = Timestamp::from_micros(2_000_000);
        assert_eq!(identity.authenticate(secret.text(), end).unwrap_err(), AuthError::Expired);
        let before = Timestamp::from_micros(1_999_999);
        assert!(identity.authenticate(secret.text(), before).is_ok());
    }

    #[test]
    fn what_is_no_key_fails_alike() {
        let identity = Identity::new();
        let (secret, _) = issued(&identity, Principal::Operator, ScopeSet::ALL);
        let other_ending = format!("{}0", &secret.text()[..secret.text().len() - 1]);
        let other_ending = if other_ending == secret.text() { format!("{other_ending}1") } else { other_ending };
        for text in ["", "x", &other_ending, &format!("{} ", secret.text()), &"x".repeat(100_000)] {
            assert_eq!(identity.authenticate(text, NOW).unwrap_err(), AuthError::Failed, "{text:.80}");
        }
    }

    #[test]
    fn a_text_with_the_same_id_and_another_hash_is_not_the_key() {
        let identity = Identity::new();
        let secret = Secret::random(KeyKind::Operator).unwrap();
        let mut source = secret.source(Principal::Operator, "test", ScopeSet::ALL, Timestamp::MAX);
        source.hash[31] ^= 1;
        identity.observe(ShardId(0), &Event::KeyIssued(Box::new(source)));
        assert_eq!(identity.authenticate(secret.text(), NOW).unwrap_err(), AuthError::Failed);
    }

    #[test]
    fn a_revocation_reaches_those_who_hold_the_credential_already() {
        let identity = Identity::new();
        let (secret, id) = issued(&identity, Principal::Agent(ALICE), ScopeSet::STANDARD);
        let held = identity.authenticate(secret.text(), NOW).unwrap();
        assert_eq!(held.check(NOW), Ok(()));
        identity.observe(ShardId(0), &Event::KeyRevoked(id));
        assert_eq!(held.check(NOW), Err(AuthError::Failed));
        assert_eq!(identity.authenticate(secret.text(), NOW).unwrap_err(), AuthError::Failed);
        identity.observe(ShardId(0), &Event::KeyRevoked(id));
    }

    #[test]
    fn keys_act_for_their_own_agents_only() {
        let identity = Identity::new();
        for (principal, alice, bob) in [
            (Principal::Agent(ALICE), true, false),
            (Principal::Platform(vec![BOB]), false, true),
            (Principal::Platform(vec![]), true, true),
            (Principal::Operator, true, true),
        ] {
            let (secret, _) = issued(&identity, principal.clone(), ScopeSet::ALL);
            let credential = identity.authenticate(secret.text(), NOW).unwrap();
            assert_eq!((credential.acts_for(ALICE), credential.acts_for(BOB)), (alice, bob), "{principal:?}");
        }
    }

    #[test]
    fn a_request_needs_its_realm_its_agent_and_its_scope() {
        let identity = Identity::new();
        let void = Need::of(&Request::Void(AgentIndex(0), AuthorizationId(1)));
        let policies = Need::of(&Request::Read(Query::Policies));
        for (principal, scopes, need, agent, expected) in [
            (Principal::Agent(ALICE), ScopeSet::STANDARD, void, Some(ALICE), Ok(())),
            (Principal::Agent(ALICE), ScopeSet::STANDARD, void, Some(BOB), Err(AuthError::OtherAgent)),
            (
                Principal::Agent(ALICE),
                ScopeSet::of(&[Scope::AlertsRead]),
                void,
                Some(ALICE),
                Err(AuthError::Scope(Scope::PaymentsRequest)),
            ),
            (Principal::Agent(ALICE), ScopeSet::ALL, policies, None, Err(AuthError::NotOperator)),
            (Principal::Platform(vec![]), ScopeSet::ALL, policies, None, Err(AuthError::NotOperator)),
            (Principal::Operator, ScopeSet::ALL, policies, None, Ok(())),
            (
                Principal::Operator,
                ScopeSet::of(&[Scope::AgentsRead]),
                policies,
                None,
                Err(AuthError::Scope(Scope::PoliciesRead)),
            ),
        ] {
            let (secret, _) = issued(&identity, principal.clone(), scopes);
            let credential = identity.authenticate(secret.text(), NOW).unwrap();
            assert_eq!(credential.allow(need, agent), expected, "{principal:?} {need:?}");
        }
    }

    #[test]
    fn a_key_without_scopes_has_those_of_its_principal() {
        for (principal, reports, administers) in [
            (Principal::Agent(ALICE), true, false),
            (Principal::Platform(vec![]), true, false),
            (Principal::Operator, true, true),
        ] {
            let secret = Secret::random(KeyKind::Agent).unwrap();
            let credential = Credential::new(secret.source(principal, "", ScopeSet::default(), NOW));
            assert_eq!(credential.may(Scope::TransactionsWrite), reports);
            assert_eq!(credential.may(Scope::AgentsWrite), administers);
        }
    }
}
