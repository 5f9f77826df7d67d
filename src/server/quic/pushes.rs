//! What connections are told without asking: that people have decided about a payment of their agent.
//!
//! A push is a courtesy. It is told once, to whoever is connected then and has room for it; what was decided is known to whoever asks.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use hashbrown::HashMap;
use quinn::Connection;
use tokio::sync::mpsc;

use crate::{
    engine::{Fact, Follower},
    kernel::{
        AgentId, AgentIndex, ApprovalRequestId, AuthorizationId, Event, ShardId, State, Timestamp, request::Principal,
    },
    server::identity::Credential,
    wire::{BatchWriter, FrameKind, Handle, Reply, reply::ApprovalDecided},
};

/// So many decisions wait to be sent on one connection; a client that reads none misses the rest, and may ask.
pub const PUSHES_WAITING_MAX: usize = 64;
/// The tag of what nobody has asked for.
const NOBODY: u64 = 0;

/// The connections that are to be told, over all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Pushes(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    listeners: Mutex<HashMap<u64, Listener>>,
    entered: AtomicU64,
}

#[derive(Debug)]
struct Listener {
    credential: Arc<Credential>,
    decisions: mpsc::Sender<ApprovalDecided>,
}

impl Listener {
    /// Whether the connection acts for the agent. Operators see lists instead.
    fn acts_for(&self, agent: AgentId) -> bool {
        match self.credential.principal() {
            Principal::Agent(own) => *own == agent,
            Principal::Platform(agents) => agents.is_empty() || agents.contains(&agent),
            Principal::Operator => false,
        }
    }
}

/// What a connection is told; it is told no more once this is dropped.
#[derive(Debug)]
pub(super) struct Inbox {
    pushes: Pushes,
    key: u64,
    decisions: mpsc::Receiver<ApprovalDecided>,
}

impl Pushes {
    /// A connection is to be told what concerns those that its credential acts for.
    pub(super) fn enter(&self, credential: &Arc<Credential>) -> Inbox {
        let (sender, decisions) = mpsc::channel(PUSHES_WAITING_MAX);
        let key = self.0.entered.fetch_add(1, Ordering::Relaxed);
        self.listeners().insert(key, Listener { credential: Arc::clone(credential), decisions: sender });
        Inbox { pushes: self.clone(), key, decisions }
    }

    /// Tells who is connected of decisions that are made from `since` on.
    pub(super) fn follower(&self, since: Timestamp) -> Box<dyn Follower> {
        Box::new(Teller { pushes: self.clone(), since })
    }

    fn tell(&self, agent: AgentId, decided: ApprovalDecided) {
        for listener in self.listeners().values().filter(|listener| listener.acts_for(agent)) {
            // A full inbox is that of a client that does not read.
            let _ = listener.decisions.try_send(decided);
        }
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn listeners(&self) -> MutexGuard<'_, HashMap<u64, Listener>> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// Sends what comes, on one stream of its own. The stream is opened with the first decision, and a client that allows none is sent
    /// none.
    pub(super) async fn send(mut self, connection: Connection) {
        let mut stream = None;
        while let Some(decided) = self.decisions.recv().await {
            let mut batch = BatchWriter::new(FrameKind::Replies);
            Reply::ApprovalDecided(decided).write(NOBODY, &mut batch);
            let send = match &mut stream {
                Some(send) => send,
                None => match connection.open_uni().await {
                    Ok(opened) => stream.insert(opened),
                    Err(_) => return,
                },
            };
            if send.write_all(&batch.take(Vec::new())).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.pushes.listeners().remove(&self.key);
    }
}

/// Follows the engine's events and tells what was decided.
struct Teller {
    pushes: Pushes,
    since: Timestamp,
}

impl Teller {
    fn decided(&self, fact: &Fact<'_>, index: AgentIndex, id: AuthorizationId, expires_at: Option<Timestamp>) {
        let shard: ShardId = fact.position.shard;
        let Some(agent) = fact.directory.agent(shard, index).filter(|_| fact.moment >= self.since) else { return };
        let request = ApprovalRequestId::of(agent, id);
        self.pushes.tell(agent, ApprovalDecided { agent: Handle { shard, index }, id, request, expires_at });
    }
}

impl Follower for Teller {
    fn name(&self) -> &'static str {
        "pushes"
    }

    fn begin(&mut self, _: ShardId, _: &State) {}

    fn event(&mut self, fact: &Fact<'_>) {
        match fact.event {
            Event::ApprovalGiven(given) if given.until.is_some() => {
                self.decided(fact, given.agent, given.id, given.until);
            }
            Event::ApprovalRejected(rejected) => self.decided(fact, rejected.agent, rejected.id, None),
            Event::ApprovalExpired(agent, id) => self.decided(fact, *agent, *id, None),
            _ => {}
        }
    }

    fn caught_up(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::identity::{KeyKind, ScopeSet, Secret};

    fn credential(principal: Principal) -> Arc<Credential> {
        let secret = Secret::random(KeyKind::of(&principal)).unwrap();
        Arc::new(Credential::new(secret.source(principal, "test", ScopeSet::STANDARD, Timestamp::MAX)))
    }

    fn decided(number: u128) -> ApprovalDecided {
        let agent = Handle { shard: ShardId(0), index: AgentIndex(0) };
        let id = AuthorizationId(number);
        ApprovalDecided { agent, id, request: ApprovalRequestId(number), expires_at: None }
    }

    #[test]
    fn only_those_are_told_who_act_for_the_agent() {
        let pushes = Pushes::default();
        let (own, other) = (AgentId(1), AgentId(2));
        let mut told = [
            (Principal::Agent(own), true),
            (Principal::Agent(other), false),
            (Principal::Platform(vec![other, own]), true),
            (Principal::Platform(vec![other]), false),
            (Principal::Platform(Vec::new()), true),
            (Principal::Operator, false),
        ]
        .map(|(principal, expected)| (pushes.enter(&credential(principal)), expected));
        pushes.tell(own, decided(7));
        for (inbox, expected) in &mut told {
            assert_eq!(inbox.decisions.try_recv().ok(), expected.then(|| decided(7)));
        }
        drop(told);
        assert!(pushes.listeners().is_empty(), "who is gone is told no more");
    }

    #[test]
    fn who_does_not_read_misses_what_there_is_no_room_for() {
        let pushes = Pushes::default();
        let mut inbox = pushes.enter(&credential(Principal::Agent(AgentId(1))));
        for number in 0..PUSHES_WAITING_MAX as u128 + 5 {
            pushes.tell(AgentId(1), decided(number));
        }
        let waiting = std::iter::from_fn(|| inbox.decisions.try_recv().ok()).count();
        assert_eq!(waiting, PUSHES_WAITING_MAX);
    }
}
