//! `holdfast status`: how the gateway does.

use clap::Args;

use super::{
    CliError,
    exit::SUCCESS,
    output::{Column, Output, table},
    rest::GatewayArgs,
};

const SHARD_COLUMNS: &[Column] = &[
    ("shard", "shard"),
    ("worker", "worker"),
    ("agents", "agents"),
    ("holds", "openHolds"),
    ("sequence", "durableSequence"),
    ("starts", "incarnation"),
    ("poisoned", "poisoned"),
];
const WORKER_COLUMNS: &[Column] = &[
    ("worker", "worker"),
    ("decisions", "decisions"),
    ("approvals", "approvals"),
    ("leased", "leased"),
    ("denials", "denials"),
    ("waited", "waited"),
    ("overloaded", "overloaded"),
];

/// Which gateway.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// Compute the digest of every shard's whole state as well, to compare with `holdfast journal verify`
    #[arg(long)]
    digest: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(arguments: &StatusArgs, output: Output) -> Result<u8, CliError> {
    let answer = arguments.gateway.connect()?.get(&format!("/api/status?digest={}", arguments.digest))?;
    output.answer(&answer, |json| {
        let rows = |name| json.at(name).map(|list| list.items()).unwrap_or_default();
        let mut columns = SHARD_COLUMNS.to_vec();
        if arguments.digest {
            columns.push(("digest", "digest"));
        }
        let (shards, workers) = (rows("shards"), rows("workers"));
        format!("{}\n\n{}", table(&workers, WORKER_COLUMNS, "no workers"), table(&shards, &columns, "no shards"))
    })?;
    Ok(SUCCESS)
}
