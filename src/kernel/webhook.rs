//! Webhooks: who is told of events, how far each has been told, and what could not be delivered. How an event looks and how it is sent
//! is no matter of the kernel; it keeps what must survive a restart.

use std::fmt;

use bincode::{Decode, Encode};

use super::{AgentId, ShardId, Timestamp, id::WebhookId};

/// The most bytes of a webhook's URL.
pub const URL_BYTES_MAX: usize = 2048;
/// The most kinds of events that a webhook lists.
pub const EVENTS_MAX: usize = 64;
/// The most agents that a webhook lists.
pub const AGENTS_MAX: usize = 10_000;
/// The most agents of a webhook that may be behind the others.
pub const BEHIND_MAX: usize = 1024;
/// The most deliveries of a webhook that are kept as failed; the oldest makes room for the next.
pub const DEAD_LETTERS_MAX: usize = 1000;

/// Where an event stands in the journal; its name for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct EventPlace {
    /// The shard that it happened to.
    pub shard: ShardId,
    /// The first record of the group that holds it.
    pub sequence: u64,
    /// Its place among the events of the group, from 0.
    pub index: u32,
}

/// What signs the deliveries of a webhook. It never appears in a log.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SigningSecret(Box<str>);

impl SigningSecret {
    /// The secret that is written `text`.
    #[must_use]
    pub fn new(text: &str) -> SigningSecret {
        SigningSecret(text.into())
    }

    /// The secret itself, for signing and for the answer that shows it once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// A webhook as its operator describes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WebhookSource {
    /// Names it.
    pub id: WebhookId,
    /// Where deliveries go.
    pub url: String,
    /// Signs them.
    pub secret: SigningSecret,
    /// For people.
    pub description: String,
    /// Which kinds of events are told, such as `payment.approved`; empty for all.
    pub events: Vec<String>,
    /// Whose events are told; empty for everybody's, and those of no agent.
    pub agents: Vec<AgentId>,
    /// Whether anything is delivered. What happens meanwhile is delivered once it is active again.
    pub active: bool,
}

/// How far a webhook has been told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WebhookProgress {
    /// Of each shard, the next event to look at: those before are done with, but for what is in `behind`.
    pub told: Vec<EventPlace>,
    /// Agents (none for events of no agent) that are behind the others, each with its first event that is not done with. A place here is
    /// before the shard's in `told`.
    pub behind: Vec<(Option<AgentId>, EventPlace)>,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeadLetter {
    /// The event.
    pub place: EventPlace,
    /// Its kind.
    pub event: Box<str>,
    /// Whose it is.
    pub agent: Option<AgentId>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub failed_at: Timestamp,
    /// What went wrong the last time.
    pub reason: Box<str>,
}

/// A webhook and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Webhook {
    /// As its operator described it.
    pub source: WebhookSource,
    /// How far it has been told.
    pub progress: WebhookProgress,
    /// Deliveries that were given up, the oldest first.
    pub dead_letters: Vec<DeadLetter>,
}

/// A change of webhooks: both what is asked for and what happens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum WebhookChange {
    /// The webhook is described anew, or for the first time. A first description comes with where to begin; later ones leave the progress.
    Put(Box<WebhookSource>, WebhookProgress),
    /// The webhook is gone.
    Remove(WebhookId),
    /// The webhook has been told so far.
    Told(WebhookId, WebhookProgress),
    /// A delivery is given up.
    Buried(WebhookId, Box<DeadLetter>),
    /// A delivery that had been given up is done with.
    Revived(WebhookId, EventPlace),
}
