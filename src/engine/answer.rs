//! What the engine answers, and where the answers go.

use thiserror::Error;

use crate::kernel::{Failure, Outcome};

/// The answer to one request.
pub type Answer = Result<Outcome, EngineError>;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The request was wrong; nothing was changed.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// More is decided than the disk keeps up with, or a queue is full; nothing was changed.
    #[error("the gateway has more to do than it can keep up with; try again in a moment")]
    Overloaded,
    /// The shard stopped after an error, or the gateway shuts down. A change that was asked for may have happened or not:
    /// asking again with the same id, once the gateway is back, gives the answer.
    #[error("the shard is not available; try again with the same id when the gateway is back")]
    Unavailable,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The request's.
    Caller,
    /// The gateway's.
    Gateway,
}

impl EngineError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            EngineError::Failure(_) => Fault::Caller,
            EngineError::Overloaded | EngineError::Unavailable => Fault::Gateway,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        // What has reached a maximum may have been closed by then.
        self.fault() == Fault::Gateway || matches!(self, EngineError::Failure(Failure::Capacity { .. }))
    }
}

/// The asker's own number for a request; it comes back with the answer and means nothing to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Where answers go.
///
/// It is called on the worker's thread and must not block. An answer that never comes, because the worker is gone, shows
/// as the drop of the last reference.
pub trait Replies: Send + Sync {
    /// Takes answers, many at a time. What is not taken is lost.
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>);
}
