//! `holdfast sanctions`: who must not be paid, loaded from a file into a running gateway.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    CliError,
    exit::{SUCCESS, USAGE},
    json::Json,
    output::Output,
    rest::GatewayArgs,
};
use crate::wire::sanctions_file;

/// What to do with the list of sanctions.
#[derive(Debug, Subcommand)]
pub(super) enum SanctionsCommand {
    /// Put the list of a file in force, in the place of the one before
    Load(LoadArgs),
    /// Show which list is in force
    Show(ListArgs),
    /// Check payments against no list
    Remove(ListArgs),
}

/// Which file.
#[derive(Args, Debug)]
pub(super) struct LoadArgs {
    /// Addresses and countries: one a line, CSV, JSON lines, or OFAC's list
    file: PathBuf,
    /// Where the list comes from, for people [default: the name of the file]
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which gateway.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(command: SanctionsCommand, output: Output) -> Result<u8, CliError> {
    let answer = match command {
        SanctionsCommand::Load(arguments) => load(&arguments)?,
        SanctionsCommand::Show(arguments) => arguments.gateway.connect()?.get("/api/sanctions")?,
        SanctionsCommand::Remove(arguments) => arguments.gateway.connect()?.delete("/api/sanctions")?,
    };
    output.answer(&answer, summary)?;
    Ok(SUCCESS)
}

/// The file is read here too, so that what is wrong with it is said without a gateway.
fn load(arguments: &LoadArgs) -> Result<Json, CliError> {
    let path = arguments.file.display();
    let wrong = |error: String| CliError::new(format!("failed to load `{path}`: {error}")).exit(USAGE);
    let content = fs::read_to_string(&arguments.file).map_err(|error| wrong(error.to_string()))?;
    sanctions_file::read(&content).map_err(|error| wrong(error.to_string()))?;
    let name = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let source = arguments.source.clone().or(name).unwrap_or_default();
    arguments.gateway.connect()?.put("/api/sanctions", &json!({ "source": source, "content": content }))
}

fn summary(json: &Json) -> String {
    let text = |name: &str| json.text_at(name);
    if text("checked") != "true" {
        return "no list of sanctions is in force: payments are not checked".to_owned();
    }
    format!(
        "{} addresses and {} countries of {}\nloaded {} by {}\ndigest {}",
        text("addresses"),
        text("countries"),
        text("source"),
        text("loadedAt"),
        text("loadedBy"),
        text("digest"),
    )
}
