//! Which agents' handles a connection may name.

use hashbrown::HashSet;

use crate::{
    engine::{AgentHandle, Engine},
    kernel::{AgentId, request::Principal},
};

/// Whom the principal of a connection acts for, by handle.
#[derive(Debug)]
pub(super) enum Access {
    /// One agent.
    One(AgentHandle),
    /// These agents; a handle is known once its agent exists.
    Listed { agents: Vec<AgentId>, known: HashSet<AgentHandle> },
    /// Every agent.
    Every,
}

impl Access {
    /// The access of `principal`; `None` for one agent's where the agent does not exist.
    pub(super) fn of(principal: &Principal, engine: &Engine) -> Option<Access> {
        match principal {
            Principal::Agent(agent) => engine.agent(*agent).map(Access::One),
            Principal::Platform(agents) if !agents.is_empty() => {
                Some(Access::Listed { agents: agents.clone(), known: HashSet::new() })
            }
            Principal::Platform(_) | Principal::Operator => Some(Access::Every),
        }
    }

    /// Whether requests may be about `handle`.
    pub(super) fn allows(&mut self, handle: AgentHandle, engine: &Engine) -> bool {
        match self {
            Access::One(own) => *own == handle,
            Access::Every => true,
            Access::Listed { agents, known } => {
                // An agent of the list may have been created since; once all are known, a stranger costs one look.
                if !known.contains(&handle) && known.len() < agents.len() {
                    known.extend(agents.iter().filter_map(|agent| engine.agent(*agent)));
                }
                known.contains(&handle)
            }
        }
    }
}
