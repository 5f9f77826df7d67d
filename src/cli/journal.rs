//! `holdfast journal verify`: proves the journal of a gateway that is not running, and that its replay gives what was recorded.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError,
    exit::{JOURNAL_BROKEN, SUCCESS},
    output::{Output, plain_table, print},
    serve::DataDirArgs,
};
use crate::{
    config::{Config, DataOptions, StoreKind},
    engine::first_state,
    journal::{ReplayError, Store, StoreError, VerifyError, VerifyReport, codec::visit_events, verify},
    kernel::{Event, Options, ShardId, State, Timestamp},
    server::{data_dir::DataDir, store},
};

/// What to do with a journal.
#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Prove the chain of every shard, replay it, and compare the state with every digest that was recorded
    Verify(VerifyArgs),
}

/// Which journal.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    data: DataDirArgs,
}

/// What one shard's journal says.
struct Verified {
    report: VerifyReport,
    events: u64,
    checkpoints: u64,
    digest: String,
}

pub(super) fn run(command: &JournalCommand, output: Output) -> Result<u8, CliError> {
    match command {
        JournalCommand::Verify(arguments) => verify_all(&arguments.data.config()?, output),
    }
}

fn verify_all(config: &Config, output: Output) -> Result<u8, CliError> {
    let store = open(&config.data)?;
    let mut verified = Vec::new();
    for shard in 0..store.shards().get() {
        verified.push(verify_shard(&*store, ShardId(shard), &config.engine.kernel)?);
    }
    match output {
        Output::Machines => print(&machine_report(&verified).to_string())?,
        Output::People => print(&report(&verified))?,
    }
    Ok(SUCCESS)
}

fn open(data: &DataOptions) -> Result<Box<dyn Store>, CliError> {
    if data.store == StoreKind::Memory {
        return Err(CliError::new("the memory store keeps no journal").help("set data.store = \"sled\""));
    }
    Ok(store::open_existing(&DataDir::new(&data.dir), data.durability)?)
}

/// Replays one shard from where its journal begins. The options are those of the journal; the ones given here are replaced by its first events.
fn verify_shard(store: &dyn Store, shard: ShardId, options: &Options) -> Result<Verified, CliError> {
    let (_, state) = first_state(store, shard, options).map_err(|error| CliError::new(error).exit(JOURNAL_BROKEN))?;
    let mut replay = Replay { state, events: 0, checkpoints: 0, wrong: None };
    let mut visit = |_, payload: &[u8]| {
        visit_events(payload, &mut |moment, event| replay.apply(moment, &event))?;
        Ok(())
    };
    let mut progress = progress_of(shard);
    let report = verify(store, shard, &mut visit, &mut progress).map_err(|error| broken(&error))?;
    if let Some(events) = replay.wrong {
        let message = format!("the replay of shard {} differs from the digest recorded after {events} events", shard.0);
        return Err(CliError::new(message).help(RESTORE).exit(JOURNAL_BROKEN));
    }
    let digest = hexadecimal(&replay.state.digest());
    Ok(Verified { report, events: replay.events, checkpoints: replay.checkpoints, digest })
}

const RESTORE: &str = "restore the data directory from a backup, and keep this one to find out why";

/// A state that follows the journal.
struct Replay {
    state: State,
    events: u64,
    checkpoints: u64,
    /// How many events stood before the first digest that the state did not have.
    wrong: Option<u64>,
}

impl Replay {
    fn apply(&mut self, moment: Timestamp, event: &Event) {
        if let Event::Checkpoint(recorded) = event {
            self.checkpoints += 1;
            if self.state.digest() != *recorded && self.wrong.is_none() {
                self.wrong = Some(self.events);
            }
        }
        self.state.apply(moment, event);
        self.events += 1;
    }
}

/// What cannot be read may be read tomorrow; what does not prove itself is broken.
fn broken(error: &VerifyError) -> CliError {
    let message = CliError::new(error);
    match error {
        VerifyError::Journal(ReplayError::Store(StoreError::Medium { .. } | StoreError::Failed)) => message,
        VerifyError::Journal(_) | VerifyError::Base { .. } | VerifyError::Snapshot { .. } => {
            message.help(RESTORE).exit(JOURNAL_BROKEN)
        }
    }
}

/// Tells a person at a terminal how far it is.
fn progress_of(shard: ShardId) -> impl FnMut(u64) {
    let shown = io::stderr().is_terminal();
    move |records| {
        if shown {
            // A terminal that is gone is no reason to stop.
            let _ = write!(io::stderr(), "\rshard {}: {records} records", shard.0);
        }
    }
}

fn report(verified: &[Verified]) -> String {
    let mut table =
        plain_table(["shard", "cut", "records", "events", "bytes", "sequence", "snapshot", "checkpoints", "digest"]);
    let mut text = String::new();
    for Verified { report, events, checkpoints, digest } in verified {
        let journal = &report.journal;
        table.add_row([
            journal.shard.0.to_string(),
            report.begins_after.sequence.to_string(),
            journal.records.to_string(),
            events.to_string(),
            journal.record_bytes.to_string(),
            journal.end.sequence.to_string(),
            report.snapshot.map_or_else(String::new, |position| position.sequence.to_string()),
            checkpoints.to_string(),
            digest.clone(),
        ]);
        if let Some(torn) = &journal.torn {
            let _ = write!(
                text,
                "\nshard {}: {} records from {} on are the rest of a write that was cut short; it was never acknowledged, \
                 and the next start removes it",
                journal.shard.0, torn.records, torn.from
            );
        }
    }
    format!("{}{text}\nthe journal proves itself", table.trim_fmt())
}

fn machine_report(verified: &[Verified]) -> Value {
    let shard = |Verified { report, events, checkpoints, digest }: &Verified| {
        json!({
            "shard": report.journal.shard.0,
            "beginsAfter": report.begins_after.sequence.0,
            "records": report.journal.records,
            "events": events,
            "bytes": report.journal.record_bytes,
            "sequence": report.journal.end.sequence.0,
            "snapshot": report.snapshot.map(|position| position.sequence.0),
            "checkpoints": checkpoints,
            "tornRecords": report.journal.torn.as_ref().map_or(0, |torn| torn.records),
            "digest": digest,
        })
    };
    json!({ "valid": true, "shards": verified.iter().map(shard).collect::<Vec<_>>() })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
