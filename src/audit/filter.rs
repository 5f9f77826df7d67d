//! Which entries are asked for.

use super::{
    action::{Action, Resource},
    entry::Entry,
};
use crate::kernel::{AgentId, Timestamp};

/// What entries must have; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub agent: Option<AgentId>,
    /// What was done.
    pub action: Option<Action>,
    /// To what.
    pub resource: Option<Resource>,
    /// To which.
    pub resource_id: Option<String>,
    /// By whom: a credential or an agent.
    pub actor_id: Option<String>,
    /// At this moment or later.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether an entry is asked for.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let Filter { agent, action, resource, resource_id, actor_id, from, to } = self;
        agent.is_none_or(|agent| entry.change.agent == Some(agent))
            && action.is_none_or(|action| entry.action() == action)
            && resource.is_none_or(|resource| entry.resource() == resource)
            && resource_id.as_ref().is_none_or(|id| entry.change.resource_id == *id)
            && actor_id.as_ref().is_none_or(|id| entry.actor_id().as_ref() == Some(id))
            && from.is_none_or(|from| entry.moment >= from)
            && to.is_none_or(|to| entry.moment < to)
    }

    /// Whether everything is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}
