//! Operator commands ask the gateway over REST.

use std::{
    io::{self, BufRead, BufReader},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use ureq::{Agent, http::Request};

use super::{CliError, exit::USAGE, json::Json, key_file};
use crate::server::data_dir::DataDir;

/// The longest that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Which gateway, and on whose behalf.
#[derive(Args, Clone, Debug)]
pub(super) struct GatewayArgs {
    /// Where the gateway serves REST
    #[arg(long, env = "HOLDFAST_URL", default_value = "http://127.0.0.1:8402", global = true)]
    url: String,
    /// The operator's key [default: read from <data-dir>/operator.key]
    #[arg(long, env = "HOLDFAST_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    /// The gateway's data directory, where it runs on this machine
    #[arg(long, env = "HOLDFAST_DATA__DIR", default_value = "holdfast-data", global = true)]
    data_dir: PathBuf,
}

/// A gateway to ask.
pub(super) struct Gateway {
    agent: Agent,
    url: String,
    key: String,
}

impl GatewayArgs {
    pub(super) fn connect(&self) -> Result<Gateway, CliError> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => key_file::read("an operator's key", &DataDir::new(&self.data_dir).operator_key())?,
        };
        Ok(Gateway::at(&self.url, key))
    }
}

impl Gateway {
    /// The gateway that serves REST at `url`, asked with `key`.
    pub(super) fn at(url: &str, key: String) -> Gateway {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
        Gateway { agent: config.into(), url: url.trim_end_matches('/').to_owned(), key }
    }

    pub(super) fn get(&self, path: &str) -> Result<Json, CliError> {
        self.ask("GET", path, None)
    }

    pub(super) fn post(&self, path: &str, body: &serde_json::Value) -> Result<Json, CliError> {
        self.ask("POST", path, Some(body))
    }

    pub(super) fn put(&self, path: &str, body: &serde_json::Value) -> Result<Json, CliError> {
        self.ask("PUT", path, Some(body))
    }

    pub(super) fn patch(&self, path: &str, body: &serde_json::Value) -> Result<Json, CliError> {
        self.ask("PATCH", path, Some(body))
    }

    pub(super) fn delete(&self, path: &str) -> Result<Json, CliError> {
        self.ask("DELETE", path, None)
    }

    /// Asks for an answer of one JSON document a line, which may take as long as it takes.
    pub(super) fn lines(
        &self,
        path: &str,
        body: &serde_json::Value,
        mut line: impl FnMut(Json) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let config = Agent::config_builder().http_status_as_error(false).timeout_connect(Some(TIMEOUT)).build();
        let url = format!("{}{path}", self.url);
        let request = Agent::from(config)
            .post(&url)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        let mut response = request.send(body.to_string()).map_err(|error| unreachable(&self.url, &error))?;
        let status = response.status();
        for text in BufReader::new(response.body_mut().as_reader()).lines() {
            let text = text.map_err(|error| {
                CliError::new(format!("the gateway broke off: {error}")).help("is it still running?")
            })?;
            match Json::parse(&text) {
                Some(json) if status.is_success() => line(json)?,
                Some(json) => return Err(refused(status.as_u16(), &json)),
                None => return Err(CliError::new(format!("{url} answered {status} without JSON"))),
            }
        }
        Ok(())
    }

    /// Copies a long answer, which may take as long as it takes.
    pub(super) fn download(&self, path: &str, writer: &mut impl io::Write) -> Result<(), CliError> {
        let config = Agent::config_builder().http_status_as_error(false).timeout_connect(Some(TIMEOUT)).build();
        let request = Agent::from(config)
            .get(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key));
        let mut response = request.call().map_err(|error| unreachable(&self.url, &error))?;
        let status = response.status();
        if !status.is_success() {
            let text = response.body_mut().read_to_string().unwrap_or_default();
            let without_json = || CliError::new(format!("{}{path} answered {status} without JSON", self.url));
            return Err(Json::parse(&text).map_or_else(without_json, |json| refused(status.as_u16(), &json)));
        }
        io::copy(&mut response.body_mut().as_reader(), writer)
            .map(|_| ())
            .map_err(|error| CliError::new(format!("the gateway broke off: {error}")).help("is it still running?"))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&serde_json::Value>) -> Result<Json, CliError> {
        let (status, text) = self.answer(method, path, body.map(serde_json::Value::to_string))?;
        let json = Json::parse(if text.is_empty() { "{}" } else { &text });
        match json {
            Some(json) if (200..300).contains(&status) => Ok(json),
            Some(json) => Err(refused(status, &json)),
            None => Err(CliError::new(format!("{} answered {status} without JSON", self.url))
                .help("is --url the address of a Holdfast gateway?")),
        }
    }

    /// The status and the body of whatever the gateway answers.
    pub(super) fn answer(&self, method: &str, path: &str, body: Option<String>) -> Result<(u16, String), CliError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        let unusable = |error| CliError::new(format!("`{}` is not a URL: {error}", self.url)).exit(USAGE);
        let answered = match body {
            Some(body) => self.agent.run(request.body(body).map_err(unusable)?),
            None => self.agent.run(request.body(()).map_err(unusable)?),
        };
        let unreachable = |error: ureq::Error| unreachable(&self.url, &error);
        let mut response = answered.map_err(unreachable)?;
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(unreachable)?;
        Ok((response.status().as_u16(), text))
    }
}

fn unreachable(url: &str, error: &ureq::Error) -> CliError {
    CliError::new(format!("failed to reach the gateway at {url}: {error}"))
        .help("is it running? start it with `holdfast serve`, or name another with --url")
}

/// A refusal in the gateway's own words.
fn refused(status: u16, json: &Json) -> CliError {
    let (code, message) = (json.text_at("error.code"), json.text_at("error.message"));
    let error = CliError::new(format!("{message} ({code}, {status})"));
    match status {
        401 => error.help("pass a live key with --key or HOLDFAST_KEY"),
        403 => error.help("this needs an operator's key; the gateway keeps its first one in <data>/operator.key"),
        _ => error,
    }
}
