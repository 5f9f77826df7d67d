//! One entry: what happened, to what, by whom, and the state before and after.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    action::{Action, Resource},
    canonical::{canonical, members},
    change::Change,
    snapshot,
};
use crate::{
    engine::{Fact, FeedPosition},
    journal::ChainHash,
    kernel::{Actor, ActorKind, AgentId, Event, Former, ShardId, Timestamp},
    wire::json::print,
};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The event's name for ever.
    pub position: FeedPosition,
    /// When it happened.
    pub moment: Timestamp,
    /// The chain hash of the journal's record that it became durable in.
    pub record: ChainHash,
    /// What happened.
    pub change: Change,
    /// What was there before, as JSON.
    pub previous_state: Option<String>,
    /// Who asked for it, where somebody is named.
    pub actor: Option<Actor>,
}

/// Makes entries from facts; remembers only what the journal says was there before a change that follows.
///
/// Requires the facts of a shard in order, a group from its beginning.
#[derive(Debug, Default)]
pub struct Recorder {
    former: HashMap<ShardId, Former>,
}

impl Recorder {
    /// The entry of a fact, if there is one.
    pub fn entry(&mut self, fact: &Fact<'_>) -> Option<Entry> {
        let shard = fact.position.shard;
        if let Event::Before(former) = fact.event {
            self.former.insert(shard, (**former).clone());
            return None;
        }
        let former = if self.former.is_empty() { None } else { self.former.remove(&shard) };
        let change = Change::of(fact, former.as_ref())?;
        Some(Entry {
            position: fact.position,
            moment: fact.moment,
            record: fact.chain,
            change,
            previous_state: former.as_ref().map(snapshot::former),
            actor: fact.actor.cloned(),
        })
    }
}

impl Entry {
    /// What was done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.change.action
    }

    /// To what.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.change.resource
    }

    /// What kind of actor.
    #[must_use]
    pub fn actor_kind(&self) -> ActorKind {
        self.actor.as_ref().map_or(self.change.doer, |actor| actor.kind)
    }

    /// Who did it: the credential, or the agent itself.
    #[must_use]
    pub fn actor_id(&self) -> Option<String> {
        match &self.actor {
            Some(actor) => actor.key.map(|key| key.to_string()),
            None if self.change.doer == ActorKind::Agent => self.change.agent.map(|agent: AgentId| agent.to_string()),
            None => None,
        }
    }

    /// The canonical text: what is hashed, exported and shown.
    #[must_use]
    pub fn canonical(&self) -> String {
        let actor = self.actor.as_ref();
        let known = |text: fn(&Actor) -> &str| actor.map(text).filter(|text| !text.is_empty());
        let diff = match (&self.previous_state, &self.change.new_state) {
            (Some(before), Some(after)) => Some(difference(before, after)),
            _ => None,
        };
        let body = EntryBody {
            id: self.position.to_string(),
            created_at: self.moment.to_string(),
            action: self.change.action.word(),
            resource: self.change.resource.word(),
            resource_id: &self.change.resource_id,
            agent_id: self.change.agent.map(|agent| agent.to_string()),
            actor_type: actor_word(self.actor_kind()),
            actor_id: self.actor_id(),
            actor_name: known(|actor| &actor.name),
            ip_address: known(|actor| &actor.address),
            user_agent: known(|actor| &actor.user_agent),
            previous_state: self.previous_state.as_deref().and_then(raw),
            new_state: self.change.new_state.as_deref().and_then(raw),
            metadata: Metadata {
                record_hash: self.record.to_string(),
                diff,
                details: self.change.metadata.as_deref().and_then(raw),
            },
        };
        let text = print(&body);
        canonical(&text).unwrap_or(text)
    }
}

/// The names of the members that are different.
fn difference(before: &str, after: &str) -> Vec<String> {
    let (Some(before), Some(after)) = (members(before), members(after)) else { return Vec::new() };
    let changed = |name: &&String| before.get(*name).map(|raw| raw.get()) != after.get(*name).map(|raw| raw.get());
    let mut names: Vec<String> = before.keys().chain(after.keys()).filter(changed).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

/// How a kind of actor is written.
#[must_use]
pub(super) fn actor_word(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::User => "USER",
        ActorKind::Api => "API",
        ActorKind::Agent => "AGENT",
        ActorKind::System => "SYSTEM",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryBody<'a> {
    id: String,
    created_at: String,
    action: &'static str,
    resource: &'static str,
    resource_id: &'a str,
    agent_id: Option<String>,
    actor_type: &'static str,
    actor_id: Option<String>,
    actor_name: Option<&'a str>,
    ip_address: Option<&'a str>,
    user_agent: Option<&'a str>,
    previous_state: Option<Box<RawValue>>,
    new_state: Option<Box<RawValue>>,
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    record_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
}
