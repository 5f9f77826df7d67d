//! The gateway as its operator sees it, over REST.

use std::time::Duration;

use serde_json::Value;
use ureq::{Agent, http::Request};

use crate::error::LoadError;

/// The longest that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Asks with the operator's key. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Operator {
    agent: Agent,
    url: String,
    key: String,
}

impl Operator {
    pub(crate) fn new(url: &str, key: &str, connections: usize) -> Operator {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build();
        Operator { agent: config.into(), url: url.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, LoadError> {
        self.ask("GET", path, String::new())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, LoadError> {
        self.ask("POST", path, body.to_string())
    }

    fn ask(&self, method: &'static str, path: &str, body: String) -> Result<Value, LoadError> {
        let unreachable = |reason: String| LoadError::Unreachable { url: self.url.clone(), reason };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        let answered = if body.is_empty() {
            request.body(()).map(|request| self.agent.run(request))
        } else {
            request.body(body).map(|request| self.agent.run(request))
        };
        let mut response = answered
            .map_err(|error| unreachable(error.to_string()))?
            .map_err(|error| unreachable(error.to_string()))?;
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        match serde_json::from_str(&text) {
            Ok(json) if status.is_success() => Ok(json),
            Ok(_) | Err(_) => {
                Err(LoadError::Rest { method, path: path.to_owned(), status: status.as_u16(), body: text })
            }
        }
    }
}
