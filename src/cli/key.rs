//! `holdfast key`: credentials of agents, platforms and operators. A secret is shown once, when it is made.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{
    CliError,
    agent::rows,
    exit::SUCCESS,
    output::{Column, Output, table},
    rest::GatewayArgs,
};
use crate::kernel::{AgentId, KeyId};

const COLUMNS: &[Column] =
    &[("id", "id"), ("name", "name"), ("prefix", "keyPrefix"), ("for", "type"), ("expires", "expiresAt")];

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and show its secret, once
    Create(CreateArgs),
    /// List keys, without their secrets
    List(ListArgs),
    /// Make a key worthless, on connections that are open as well
    Revoke(RevokeArgs),
}

/// A key to be.
#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    principal: PrincipalArgs,
    /// What it is for, for people
    #[arg(long, default_value = "cli")]
    name: String,
    /// What it may do, such as payments:request; repeat for more [default: everything that is usual for its kind]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Days until it stops working, at most 730 [default: 365]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=730))]
    expires_in_days: Option<u16>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Whom a key speaks for.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct PrincipalArgs {
    /// This agent
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentId>,
    /// A platform that acts for these agents, separated by commas; for all agents where none is named
    #[arg(long, value_name = "AGENTS", num_args = 0..=1, value_delimiter = ',')]
    platform: Option<Vec<AgentId>>,
    /// The people who run the gateway
    #[arg(long)]
    operator: bool,
}

/// Whose keys to list.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// The keys of this agent [default: those of operators and platforms]
    #[arg(long)]
    agent: Option<AgentId>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which key to revoke.
#[derive(Args, Debug)]
pub(super) struct RevokeArgs {
    /// The key
    #[arg(value_name = "KEY")]
    id: KeyId,
    /// The agent that it belongs to [default: none, it is an operator's or a platform's]
    #[arg(long)]
    agent: Option<AgentId>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(command: KeyCommand, output: Output) -> Result<u8, CliError> {
    match command {
        KeyCommand::Create(arguments) => create(&arguments, output)?,
        KeyCommand::List(arguments) => {
            let answer = arguments.gateway.connect()?.get(&collection(arguments.agent))?;
            output.answer(&answer, |json| table(&rows(json, "keys"), COLUMNS, "no keys"))?;
        }
        KeyCommand::Revoke(arguments) => {
            let path = format!("{}/{}", collection(arguments.agent), arguments.id);
            let answer = arguments.gateway.connect()?.delete(&path)?;
            output.answer(&answer, |_| format!("revoked {}", arguments.id))?;
        }
    }
    Ok(SUCCESS)
}

fn create(arguments: &CreateArgs, output: Output) -> Result<(), CliError> {
    let mut body = Map::new();
    body.insert("name".to_owned(), arguments.name.clone().into());
    if !arguments.scopes.is_empty() {
        body.insert("scopes".to_owned(), arguments.scopes.clone().into());
    }
    if let Some(days) = arguments.expires_in_days {
        body.insert("expiresInDays".to_owned(), days.into());
    }
    let principal = &arguments.principal;
    if principal.operator {
        body.insert("type".to_owned(), "operator".into());
    }
    if let Some(agents) = &principal.platform {
        body.insert("type".to_owned(), "platform".into());
        body.insert("agentIds".to_owned(), agents.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    }
    let answer = arguments.gateway.connect()?.post(&collection(principal.agent), &Value::Object(body))?;
    output.answer(&answer, |json| {
        format!("{}\n\nThis is {}. It is shown only now.", json.text_at("key"), json.text_at("id"))
    })
}

/// Where the keys of an agent, or of operators and platforms, are found.
fn collection(agent: Option<AgentId>) -> String {
    agent.map_or_else(|| "/api/api-keys".to_owned(), |agent| format!("/api/agents/{agent}/sdk-keys"))
}
