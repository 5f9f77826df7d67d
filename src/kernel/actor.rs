//! Who did something: every state change of an operator says so in the journal, for the audit.

use bincode::{Decode, Encode};

use super::KeyId;

/// Who asked for a change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Actor {
    /// What kind of asker.
    pub kind: ActorKind,
    /// The credential that was shown; absent for the gateway itself.
    pub key: Option<KeyId>,
    /// The credential's name, or what else people call the asker.
    pub name: Box<str>,
    /// The network address that the request came from; empty where it is not known.
    pub address: Box<str>,
    /// The program that the request came from, as it called itself; empty where it is not known.
    pub user_agent: Box<str>,
}

/// What kind of asker, in the words of the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum ActorKind {
    /// A person who operates the gateway.
    User,
    /// A platform or another program with a key of its own.
    Api,
    /// An agent.
    Agent,
    /// The gateway itself.
    System,
}
