//! Is something wrong with how an agent pays? One file a detector; each compares a payment with the agent's own past, or counts
//! what went wrong in a row. What is found becomes an alert, and freezes the agent where its operators want that. `docs/ALERTS.md`
//! says what is found when.
//!
//! Everything here is arithmetic on integers and on what the events say. What is expected of a payment is worked out once for each
//! ten seconds in which an agent pays, so that an ordinary payment costs a few additions and comparisons in one line of the cache.

mod alert;
mod alerts;
mod consecutive_failures;
mod consecutive_violations;
mod duplicate_payment;
mod failed_streak;
mod high_frequency;
mod large_transaction;
mod new_service;
mod price_spike;
mod recipients;
mod rolling;
mod spend_limit;
mod spend_velocity;
mod threshold;
mod trust;
mod unauthorized;
mod watch;

pub use alert::{Alert, AlertKind, AlertNumber, AlertStatus, Finding, Severity};
pub use alerts::{ALERTS_MAX, ALERTS_PER_AGENT_MAX, Alerts};
pub use threshold::{Group, Threshold, Thresholds, Unit, Watching, WatchingChange};
pub use watch::{Paid, Watch};

pub(crate) use spend_limit::{Look, denied_for, exceeded_by_denial};
pub(crate) use unauthorized::{another_recipient, beyond_hold, without_hold};
pub(crate) use watch::{Alarm, Alarms};
