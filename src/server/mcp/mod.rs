//! How do language models reach the gateway? Over the Model Context Protocol, with tools for what an agent does about its payments. A tool is
//! an operation of the REST façade under a name: its schema is the one of the OpenAPI document, and a call of it is a request to
//! that façade with the caller's own key. There are no rules in here, and no way around the scopes of a key.
//!
//! Deliberately absent: sessions, and what the server would ask of the model. Every call stands for itself.

mod arguments;
mod http;
mod service;
mod tool;

pub use arguments::Call;
pub use http::{HttpServer, ToRouter, http_server};
pub use service::{Answer, McpService, Way};
