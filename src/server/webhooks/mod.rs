//! Who is told of events over HTTP? Webhooks: each has a cursor into the journal, lanes that keep the order of every agent's events, and
//! retries over hours. What is delivered and what was given up is kept in the journal, so that a restart goes on where it was; what was
//! delivered a moment before a crash is delivered again, under the same id.
//!
//! One thread reads for all webhooks and decides what is sent when; a few more send. Workers and the committer know nothing of it.

mod deliverer;
mod delivery;
mod guard;
mod handle;
mod lanes;
mod pool;
mod sender;
mod signature;

pub use delivery::REDELIVERIES_MAX;
pub use guard::Allowed;
pub use handle::{WebhookThread, Webhooks};
pub use lanes::{IN_FLIGHT_MAX, LANE_EVENTS_MAX, LETTER_AGE_MAX, LETTERS_MAX, RETRY_AFTER};
pub use pool::SENDERS_MAX;
pub use sender::ATTEMPT_WAIT_MAX;
pub use signature::SECRET_PREFIX;
