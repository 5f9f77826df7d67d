//! `holdfast agent`: the payers and their wallets.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    CliError,
    exit::SUCCESS,
    json::Json,
    output::{Column, Output, table},
    rest::GatewayArgs,
};
use crate::kernel::{AgentId, Amount};

const COLUMNS: &[Column] =
    &[("id", "id"), ("name", "name"), ("type", "agentType"), ("status", "status"), ("created", "createdAt")];
const WALLET_COLUMNS: &[Column] = &[
    ("wallet", "walletId"),
    ("chain", "chainId"),
    ("custody", "custodyType"),
    ("status", "status"),
    ("available", "availableBalance"),
    ("address", "address"),
];

/// What to do with agents.
#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Add an agent
    Create(CreateArgs),
    /// List the agents
    List(ListArgs),
    /// Show an agent with its wallets
    Show(ShowArgs),
    /// Change an agent
    Update(UpdateArgs),
    /// Give an agent a wallet, or change one
    Wallet(WalletArgs),
}

/// An agent to be.
#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// Its name, for people
    name: String,
    /// What kind of agent, for people
    #[arg(long = "type", default_value = "CUSTOM")]
    agent_type: String,
    /// The most that may be approved ahead of the disk; "0" for nothing [default: the gateway's rule]
    #[arg(long, value_parser = Amount::parse)]
    lease: Option<Amount>,
    /// Print only the agent's id
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which agents to list.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which agent to show.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The agent
    agent: AgentId,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// What to change about an agent.
#[derive(Args, Debug)]
#[group(required = true, multiple = true, args = ["status", "name", "lease"])]
pub(super) struct UpdateArgs {
    /// The agent
    agent: AgentId,
    /// Whether it may pay
    #[arg(long, ignore_case = true)]
    status: Option<Status>,
    /// Its name, for people
    #[arg(long)]
    name: Option<String>,
    /// The most that may be approved ahead of the disk; "0" for nothing
    #[arg(long, value_parser = Amount::parse)]
    lease: Option<Amount>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Whether an agent may pay.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Status {
    Active,
    Paused,
    Suspended,
    Revoked,
}

/// A wallet as its operator describes it.
#[derive(Args, Debug)]
pub(super) struct WalletArgs {
    /// The agent
    agent: AgentId,
    /// The wallet's id, unique within the agent
    wallet: String,
    /// Where it lives on its chain
    #[arg(long)]
    address: String,
    /// The chain, such as 8453
    #[arg(long)]
    chain: String,
    /// Who keeps its keys: PRIVY, SPONGE, SMART_CONTRACT or EXTERNAL
    #[arg(long, default_value = "EXTERNAL")]
    custody: String,
    /// What it holds now; from then on a limit
    #[arg(long, value_parser = Amount::parse)]
    balance: Option<Amount>,
    /// The most a payment may cost
    #[arg(long, value_parser = Amount::parse)]
    limit_per_payment: Option<Amount>,
    /// The most a calendar day may cost
    #[arg(long, value_parser = Amount::parse)]
    limit_per_day: Option<Amount>,
    /// The most a calendar week may cost
    #[arg(long, value_parser = Amount::parse)]
    limit_per_week: Option<Amount>,
    /// The most a calendar month may cost
    #[arg(long, value_parser = Amount::parse)]
    limit_per_month: Option<Amount>,
    /// It may not pay
    #[arg(long)]
    frozen: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(command: AgentCommand, output: Output) -> Result<u8, CliError> {
    match command {
        AgentCommand::Create(arguments) => create(&arguments, output)?,
        AgentCommand::List(arguments) => {
            let answer = arguments.gateway.connect()?.get("/api/agents")?;
            output.answer(&answer, |json| {
                table(&rows(json, "agents"), COLUMNS, "no agents yet; add one with `holdfast agent create NAME`")
            })?;
        }
        AgentCommand::Show(arguments) => {
            let answer = arguments.gateway.connect()?.get(&format!("/api/agents/{}", arguments.agent))?;
            output.answer(&answer, words)?;
        }
        AgentCommand::Update(arguments) => update(&arguments, output)?,
        AgentCommand::Wallet(arguments) => put_wallet(&arguments, output)?,
    }
    Ok(SUCCESS)
}

fn create(arguments: &CreateArgs, output: Output) -> Result<(), CliError> {
    let mut body = json!({ "name": arguments.name, "agentType": arguments.agent_type });
    if let (Some(lease), Some(fields)) = (arguments.lease, body.as_object_mut()) {
        fields.insert("lease".to_owned(), money(lease));
    }
    let answer = arguments.gateway.connect()?.post("/api/agents", &body)?;
    output.answer(&answer, |json| {
        let id = json.text_at("id");
        if arguments.quiet {
            return id;
        }
        format!("created {id}\nnext: holdfast agent wallet {id} ..., then holdfast key create --agent {id}")
    })
}

fn update(arguments: &UpdateArgs, output: Output) -> Result<(), CliError> {
    let mut body = Map::new();
    if let Some(status) = arguments.status.and_then(|status| status.to_possible_value()) {
        body.insert("status".to_owned(), status.get_name().into());
    }
    if let Some(name) = &arguments.name {
        body.insert("name".to_owned(), name.clone().into());
    }
    if let Some(lease) = arguments.lease {
        body.insert("lease".to_owned(), money(lease));
    }
    let path = format!("/api/agents/{}", arguments.agent);
    let answer = arguments.gateway.connect()?.patch(&path, &Value::Object(body))?;
    output.answer(&answer, words)
}

fn put_wallet(arguments: &WalletArgs, output: Output) -> Result<(), CliError> {
    let mut body = Map::new();
    for (field, value) in [
        ("id", &arguments.wallet),
        ("address", &arguments.address),
        ("chainId", &arguments.chain),
        ("custodyType", &arguments.custody),
    ] {
        body.insert(field.to_owned(), value.clone().into());
    }
    body.insert("status".to_owned(), if arguments.frozen { "FROZEN" } else { "ACTIVE" }.into());
    for (field, amount) in [
        ("balance", arguments.balance),
        ("spendLimitPerTx", arguments.limit_per_payment),
        ("spendLimitDaily", arguments.limit_per_day),
        ("spendLimitWeekly", arguments.limit_per_week),
        ("spendLimitMonthly", arguments.limit_per_month),
    ] {
        if let Some(amount) = amount {
            body.insert(field.to_owned(), money(amount));
        }
    }
    let path = format!("/api/agents/{}/wallets", arguments.agent);
    let answer = arguments.gateway.connect()?.post(&path, &Value::Object(body))?;
    output.answer(&answer, |_| format!("{} has the wallet {}", arguments.agent, arguments.wallet))
}

/// Money crosses as a decimal text, which no JSON library can round.
fn money(amount: Amount) -> Value {
    amount.to_string().into()
}

/// The rows of a list, whether it stands alone or under its name.
pub(super) fn rows(json: &Json, name: &str) -> Vec<Json> {
    json.at(name).map_or_else(|| json.items(), |list| list.items())
}

fn words(json: &Json) -> String {
    let agent = table(std::slice::from_ref(json), COLUMNS, "");
    let wallets = json.at("wallets").map(|wallets| wallets.items()).unwrap_or_default();
    format!("{agent}\n\n{}", table(&wallets, WALLET_COLUMNS, "no wallet; add one with `holdfast agent wallet`"))
}
