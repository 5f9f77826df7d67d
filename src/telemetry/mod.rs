//! What can be seen of the running gateway? Logs through `tracing`, and one table of metrics. No payload and no key is ever in them.

mod logging;
mod metrics;

pub use logging::{LogError, LogFormat, start_logging};
pub use metrics::{CONTENT_TYPE, Metrics, WebhookMetrics};
