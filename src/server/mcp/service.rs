//! The server of the protocol: which tools there are, and what a call of one gives.

use std::{future::Future, sync::Arc};

use axum::http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as Described, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::wire::json::print;

use super::{
    arguments::Call,
    tool::{TOOLS, Tool},
};

const INSTRUCTIONS: &str = "Holdfast decides whether payments may happen. Before paying for anything, call pre_authorize_payment; pay only if \
    `authorized` is true, and then call record_payment. For transfers there are request_payment and execute_payment, for cards approve_card_payment and \
    confirm_card_payment. Amounts are in whole currency units, such as 0.05; send them as text to be exact. A denial is \
    final for this amount and moment: do not retry it unchanged, look at get_budget instead. An error names its code and what to do next.";

/// What the REST façade answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

/// The way to the REST façade.
pub trait Way: Clone + Send + Sync + 'static {
    /// Asks it. `parts` is the HTTP request that brought the call, where one did.
    ///
    /// # Errors
    /// A text for people where no answer came.
    fn ask(&self, call: Call, parts: Option<&Parts>) -> impl Future<Output = Result<Answer, String>> + Send;
}

/// A server that reaches the REST façade in the way `W`.
#[derive(Clone)]
pub struct McpService<W> {
    way: W,
    offered: Arc<[(&'static Tool, Described, Vec<String>)]>,
}

impl<W: Way> McpService<W> {
    /// A server of all tools, which are described as the document of the REST façade describes their operations.
    #[must_use]
    pub fn new(way: W, document: &OpenApi) -> McpService<W> {
        // A document prints as JSON by construction, and without it there would be nothing to offer.
        let document = serde_json::to_value(document).unwrap_or_default();
        let offered = TOOLS.iter().map(|tool| (tool, described(tool, &document), tool.query(&document))).collect();
        McpService { way, offered }
    }

    async fn call(&self, request: CallToolRequestParams, parts: Option<&Parts>) -> Result<CallToolResult, ErrorData> {
        let Some((tool, _, query)) = self.offered.iter().find(|(tool, ..)| tool.name == request.name) else {
            let known: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            return Err(ErrorData::invalid_params(
                format!("no tool has this name; there are {}", known.join(", ")),
                None,
            ));
        };
        let call = match Call::of(tool, query, request.arguments.unwrap_or_default()) {
            Ok(call) => call,
            Err(refusal) => return Ok(refused(&print(&refusal.body()))),
        };
        match self.way.ask(call, parts).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answered(&answer.text)),
            Ok(answer) => Ok(refused(&answer.text)),
            Err(message) => Ok(CallToolResult::error(vec![ContentBlock::text(message)])),
        }
    }
}

fn described(tool: &Tool, document: &Value) -> Described {
    let hints = ToolAnnotations::new().read_only(tool.reads_only).destructive(false).open_world(false);
    Described::new(tool.name, tool.description, Arc::new(tool.schema(document)))
        .with_title(tool.title)
        .with_annotations(hints)
}

/// The text is the answer to the digit; the structure is for programs.
fn answered(text: &str) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::from_str(text).ok();
    result
}

/// `CODE: what was wrong and what to do`, with the reasons of a denial, and the whole refusal for programs.
fn refused(text: &str) -> CallToolResult {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let (code, message) = (body["error"]["code"].as_str(), body["error"]["message"].as_str());
    let words = match (code, message) {
        (Some(code), Some(message)) if body["error"]["retryable"] == true => {
            format!("{code}: {message}. Trying again later may help.")
        }
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => "the gateway answered in a way that is not understood".to_owned(),
    };
    let reasons = body["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words = std::iter::once(words.as_str()).chain(reasons).collect::<Vec<_>>().join(". ");
    let mut result = CallToolResult::error(vec![ContentBlock::text(words)]);
    result.structured_content = Some(body).filter(Value::is_object);
    result
}

impl<W: Way> ServerHandler for McpService<W> {
    fn get_info(&self) -> ServerConfig {
        let mut server = Implementation::new("holdfast", env!("CARGO_PKG_VERSION"));
        server.title = Some("Holdfast".to_owned());
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = server;
        info.instructions = Some(INSTRUCTIONS.to_owned());
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.offered.iter().map(|(_, described, _)| described.clone()).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(self.call(request, context.extensions.get::<Parts>()).await?.into())
    }

    fn get_tool(&self, name: &str) -> Option<Described> {
        self.offered.iter().find(|(tool, ..)| tool.name == name).map(|(_, described, _)| described.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::json::Refusal;

    use super::*;

    #[test]
    fn a_refusal_says_its_code_and_the_next_step() {
        let refusal = print(&Refusal::invalid("amount", "is missing", "an amount above zero").body());
        let result = refused(&refusal);
        assert_eq!(result.is_error, Some(true));
        let text = serde_json::to_string(&result.content).unwrap();
        assert!(text.contains("VALIDATION_ERROR: `amount` is missing; expected an amount above zero"), "{text}");
        assert_eq!(result.structured_content.unwrap()["error"]["field"], "amount");
        let denial = r#"{"reasons":["Over the day","Over the week"],"error":{"code":"PAYMENT_DENIED","message":"no"}}"#;
        let text = serde_json::to_string(&refused(denial).content).unwrap();
        assert!(text.contains("PAYMENT_DENIED: no. Over the day. Over the week"), "{text}");
        assert!(serde_json::to_string(&refused("<html>").content).unwrap().contains("not understood"));
    }

    #[test]
    fn an_answer_is_told_to_the_digit() {
        let result = answered(r#"{"remaining":100000000000.000001}"#);
        assert!(serde_json::to_string(&result.content).unwrap().contains("100000000000.000001"));
    }
}
