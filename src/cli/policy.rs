//! `holdfast policy`: policies as files, applied to a running gateway or checked without one.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError,
    agent::rows,
    backtest,
    exit::{SUCCESS, USAGE},
    output::{Column, Output, print, table},
    rest::GatewayArgs,
};
use crate::{
    config::policy_file,
    kernel::{
        PolicyId,
        policy::{PolicySource, check},
    },
    wire::json::PolicyBody,
};

const COLUMNS: &[Column] = &[
    ("id", "id"),
    ("name", "name"),
    ("type", "policyType"),
    ("priority", "priority"),
    ("active", "isActive"),
    ("scope", "scope"),
];
const RULE_COLUMNS: &[Column] =
    &[("rule", "ruleType"), ("operator", "operator"), ("value", "value"), ("action", "action")];

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Put the policy of a file in force, or replace it
    Apply(ApplyArgs),
    /// List the policies in force
    List(ListArgs),
    /// Show a policy with its rules
    Show(ShowArgs),
    /// Take a policy out of force
    Remove(ShowArgs),
    /// Check a file without a gateway
    Check(CheckArgs),
    /// Judge the payments of the past by the policy of a file: what would it have denied?
    Backtest(BacktestArgs),
}

/// Which file to judge the past by, and which past.
#[derive(Args, Debug)]
pub(super) struct BacktestArgs {
    /// A policy in TOML; it takes the place of the policy of the same id
    file: PathBuf,
    /// From when on: `7d`, `12h` or `30m` ago, or a moment such as 2026-11-01T00:00:00Z [default: everything]
    #[arg(long)]
    since: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which file to apply.
#[derive(Args, Debug)]
pub(super) struct ApplyArgs {
    /// A policy in TOML, as in config/policies/
    file: PathBuf,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which policies to list.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which policy.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The policy
    policy: PolicyId,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which file to check.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// A policy in TOML
    file: PathBuf,
}

pub(super) fn run(command: PolicyCommand, output: Output) -> Result<u8, CliError> {
    match command {
        PolicyCommand::Apply(arguments) => apply(&arguments, output)?,
        PolicyCommand::List(arguments) => {
            let answer = arguments.gateway.connect()?.get("/api/policies")?;
            output.answer(&answer, |json| {
                let empty = "no policies; agents get the default policy until you `holdfast policy apply FILE`";
                table(&rows(json, "policies"), COLUMNS, empty)
            })?;
        }
        PolicyCommand::Show(arguments) => show(&arguments, output)?,
        PolicyCommand::Remove(arguments) => {
            let answer = arguments.gateway.connect()?.delete(&format!("/api/policies/{}", arguments.policy))?;
            output.answer(&answer, |_| format!("removed {}", arguments.policy))?;
        }
        PolicyCommand::Backtest(arguments) => {
            let policy = read(&arguments.file)?;
            backtest::run(&arguments.gateway.connect()?, &body(&policy), arguments.since.as_deref(), output)?;
        }
        PolicyCommand::Check(arguments) => {
            let policy = read(&arguments.file)?;
            let count = policy.rules.len();
            match output {
                Output::Machines => {
                    print(&json!({ "valid": true, "id": policy.id.to_string(), "rules": count }).to_string())?
                }
                Output::People => {
                    print(&format!("`{}` is a valid policy with {count} rules", arguments.file.display()))?
                }
            }
        }
    }
    Ok(SUCCESS)
}

fn apply(arguments: &ApplyArgs, output: Output) -> Result<(), CliError> {
    let policy = read(&arguments.file)?;
    let answer = arguments.gateway.connect()?.post("/api/policies", &body(&policy))?;
    output.answer(&answer, |json| format!("{} is in force: {}", json.text_at("id"), policy.name))
}

fn show(arguments: &ShowArgs, output: Output) -> Result<(), CliError> {
    let list = arguments.gateway.connect()?.get("/api/policies")?;
    let id = arguments.policy.to_string();
    let Some(policy) = rows(&list, "policies").into_iter().find(|policy| policy.text_at("id") == id) else {
        return Err(CliError::new(format!("no policy in force is {id}")).help("see `holdfast policy list`"));
    };
    output.answer(&policy, |json| {
        let rules = json.at("rules").map(|rules| rules.items()).unwrap_or_default();
        let policy = table(std::slice::from_ref(json), COLUMNS, "");
        format!("{policy}\n\n{}", table(&rules, RULE_COLUMNS, "no rules: it allows everything"))
    })
}

/// Reads a policy and makes sure that it means something, so that a mistake is found before the gateway is asked.
fn read(file: &PathBuf) -> Result<PolicySource, CliError> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| CliError::new(format!("failed to read `{name}`: {error}")).exit(USAGE))?;
    let policy = policy_file::parse(&text)
        .map_err(|error| CliError::new(format!("`{name}` is not a policy: {error}")).exit(USAGE))?;
    check(&policy).map_err(|error| CliError::new(format!("`{name}` is not a valid policy: {error}")).exit(USAGE))?;
    Ok(policy)
}

/// The policy as REST takes it, which is as REST shows it but for the revision, which REST gives.
fn body(policy: &PolicySource) -> Value {
    let mut body = serde_json::to_value(PolicyBody::of(policy, 0)).expect("memory takes a policy");
    if let Some(members) = body.as_object_mut() {
        members.remove("revision");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::json::Json,
        wire::json::{Object, read_policy},
    };

    #[test]
    fn a_policy_file_becomes_the_body_of_a_request() {
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/config/policies/example-x402.toml"));
        let json = Json::parse(&body(&read(&file).unwrap()).to_string()).unwrap();
        assert!(json.text_at("id").starts_with("pol_"));
        assert!(!json.at("rules").unwrap().items().is_empty());
    }

    #[test]
    fn nothing_of_a_policy_is_lost_on_the_way() {
        let text = r#"
            name = "large"
            description = "two of them decide"
            policy_type = "APPROVAL_THRESHOLD"
            priority = 70
            active = false
            scope = "wallet"
            agents = ["agt_000102030405060708090a0b0c0d0e0f"]
            wallets = ["wal_petty_cash"]
            timezone = "Europe/Berlin"
            approval = { required = 2, approvers = ["key_0000000000000007", "key_0000000000000008"], timeout_seconds = 60 }
            [[rules]]
            rule_type = "VELOCITY_LIMIT"
            operator = "LTE"
            value = { maxCount = 3, period = "HOUR" }
            action = "REQUIRE_APPROVAL"
        "#;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("large.toml");
        fs::write(&file, text).unwrap();
        let policy = read(&file).unwrap();
        let body = body(&policy).to_string();
        let arrived = read_policy(&Object::read(body.as_bytes()).unwrap(), policy.id).unwrap();
        assert_eq!(arrived, policy);
    }

    #[test]
    fn a_bad_file_is_named() {
        let error = read(&PathBuf::from("nowhere.toml")).unwrap_err();
        assert!(error.message.contains("nowhere.toml"));
        assert_eq!(error.exit, USAGE);
    }
}
