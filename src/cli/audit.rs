//! `holdfast audit`: what happened, an export of it, and the proof of an export.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    CliError,
    exit::{JOURNAL_BROKEN, SUCCESS, USAGE},
    json::Json,
    output::{Column, Output, print, table},
    rest::GatewayArgs,
};
use crate::audit::{Verified, VerifyError, verify};

const COLUMNS: &[Column] = &[
    ("at", "createdAt"),
    ("action", "action"),
    ("resource", "resource"),
    ("id", "resourceId"),
    ("by", "actorType"),
    ("name", "actorName"),
];

/// What to do with the audit.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show the newest entries
    List(ListArgs),
    /// Export all entries as lines that prove themselves
    Export(ExportArgs),
    /// Prove an export, without a gateway
    Verify(VerifyArgs),
}

/// Which entries.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Only entries about this agent
    #[arg(long)]
    agent: Option<String>,
    /// Only this action, such as PAYMENT_DENIED
    #[arg(long)]
    action: Option<String>,
    /// Only this kind of resource, such as policy
    #[arg(long)]
    resource: Option<String>,
    /// The most entries
    #[arg(long, default_value_t = 50)]
    limit: u16,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Where to.
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The file to write; standard output where it is `-`
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which export.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// The file; standard input where it is `-`
    file: PathBuf,
}

pub(super) fn run(command: AuditCommand, output: Output) -> Result<u8, CliError> {
    match command {
        AuditCommand::List(arguments) => list(&arguments, output),
        AuditCommand::Export(arguments) => export(&arguments),
        AuditCommand::Verify(arguments) => prove(&arguments.file, output),
    }
}

fn list(arguments: &ListArgs, output: Output) -> Result<u8, CliError> {
    let ListArgs { agent, action, resource, limit, gateway } = arguments;
    let mut path = format!("/api/audit?limit={limit}");
    for (name, value) in [("agentId", agent), ("action", action), ("resource", resource)] {
        if let Some(value) = value {
            if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(CliError::new(format!("`{value}` is no {name}")).exit(USAGE));
            }
            path.extend(["&", name, "=", value]);
        }
    }
    let words = |json: &Json| {
        table(&json.at("entries").map(|entries| entries.items()).unwrap_or_default(), COLUMNS, "nothing happened")
    };
    output.answer(&gateway.connect()?.get(&path)?, words)?;
    Ok(SUCCESS)
}

/// Writes the file only when the export is whole.
fn export(arguments: &ExportArgs) -> Result<u8, CliError> {
    let ExportArgs { file, gateway } = arguments;
    let gateway = gateway.connect()?;
    if file == Path::new("-") {
        gateway.download("/api/audit/export", &mut io::stdout().lock())?;
        return Ok(SUCCESS);
    }
    let unwritable = |error: io::Error| CliError::new(format!("failed to write `{}`: {error}", file.display()));
    let part = file.with_extension("part");
    let mut writer = BufWriter::new(File::create(&part).map_err(unwritable)?);
    gateway.download("/api/audit/export", &mut writer)?;
    writer.into_inner().map_err(|error| unwritable(error.into_error()))?.sync_all().map_err(unwritable)?;
    std::fs::rename(&part, file).map_err(unwritable)?;
    Ok(SUCCESS)
}

fn prove(file: &Path, output: Output) -> Result<u8, CliError> {
    let unreadable = |error: io::Error| CliError::new(format!("failed to read `{}`: {error}", file.display()));
    let reader: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file).map_err(unreadable)?),
    };
    match verify(BufReader::new(reader)) {
        Ok(verified) => print(&words(&verified, output))?,
        Err(VerifyError::Unreadable(error)) => return Err(unreadable(error)),
        Err(error @ VerifyError::Line { .. }) => {
            let help = "the export is not as the gateway made it; make a new one, and keep this one to find out why";
            return Err(CliError::new(error).help(help).exit(JOURNAL_BROKEN));
        }
    }
    Ok(SUCCESS)
}

fn words(verified: &Verified, output: Output) -> String {
    let Verified { entries, heads, digest } = verified;
    match output {
        Output::Machines => {
            let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
            json!({ "valid": true, "entries": entries, "heads": heads, "digest": digest.to_string() }).to_string()
        }
        Output::People => format!("the export proves itself: {entries} entries, digest {digest}"),
    }
}
