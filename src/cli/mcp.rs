//! `holdfast mcp`: serves one language model over its standard input and output, and asks a running gateway over REST.

use std::{path::PathBuf, sync::Arc};

use axum::http::request::Parts;
use clap::Args;
use rmcp::{ServiceExt, transport::stdio};

use super::{
    CliError,
    exit::{SUCCESS, USAGE},
    key_file,
    rest::Gateway,
};
use crate::server::{
    mcp::{Answer, Call, McpService, Way},
    rest::openapi_document,
};

/// Which gateway, and on whose behalf. No key is looked for: a model gets the one that was meant for it, never an operator's by accident.
#[derive(Args, Debug)]
pub(super) struct McpArgs {
    /// Where the gateway serves REST
    #[arg(long, env = "HOLDFAST_URL", default_value = "http://127.0.0.1:8402")]
    url: String,
    /// The agent's key
    #[arg(long, env = "HOLDFAST_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The file that the agent's key stands in
    #[arg(long, conflicts_with = "key")]
    key_file: Option<PathBuf>,
}

impl McpArgs {
    fn gateway(&self) -> Result<Gateway, CliError> {
        let key = match (&self.key, &self.key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => key_file::read("the agent's key", file)?,
            (None, None) => {
                return Err(CliError::new("no key is given")
                    .help("pass the agent's key with --key-file or HOLDFAST_KEY; `holdfast key create` issues one")
                    .exit(USAGE));
            }
        };
        Ok(Gateway::at(&self.url, key))
    }
}

/// The way to a gateway elsewhere.
#[derive(Clone)]
struct OverRest(Arc<Gateway>);

impl Way for OverRest {
    async fn ask(&self, call: Call, _: Option<&Parts>) -> Result<Answer, String> {
        let gateway = Arc::clone(&self.0);
        let asked = tokio::task::spawn_blocking(move || gateway.answer(&call.method, &call.path, call.body));
        match asked.await {
            Ok(Ok((status, text))) => Ok(Answer { status, text }),
            // What went wrong on the way, and the next step; nothing of it is a secret.
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                Err("the request to the gateway was cut off; its outcome is unknown, so retry with the same id"
                    .to_owned())
            }
        }
    }
}

pub(super) fn run(arguments: &McpArgs) -> Result<u8, CliError> {
    let gateway = OverRest(Arc::new(arguments.gateway()?));
    let failed = |error: &dyn std::fmt::Display| CliError::new(format!("failed to serve: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    let served = runtime.block_on(async {
        let service = McpService::new(gateway, &openapi_document()).serve(stdio()).await;
        service.map_err(|error| failed(&error))?.waiting().await.map_err(|error| failed(&error))
    });
    // A read of standard input cannot be taken back, and nothing is left to do.
    runtime.shutdown_background();
    served.map(|_| SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_looked_for() {
        let arguments = McpArgs { url: "http://127.0.0.1:1".to_owned(), key: None, key_file: None };
        let error = arguments.gateway().err().unwrap();
        assert_eq!(error.exit, USAGE);
        assert!(error.help.unwrap().contains("--key-file"));
    }
}
