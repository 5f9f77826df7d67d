//! How long does a gateway take to start on a large data directory, and how much memory does it then have?
//!
//! ```text
//! cargo bench --no-default-features --features sled --bench cold_start -- --agents 10000 --events 10000000
//! cargo bench --no-default-features --features sled --bench cold_start -- --agents 1000000 --events 0
//! ```
//!
//! Fills a new directory under `TMPDIR`, then starts on it in fresh processes: first from the journal alone, then, after every shard has
//! written a snapshot, from the snapshots. Not a bench of criterion's, since one start says it all.

mod fixture;

use std::{
    error::Error,
    fs,
    num::NonZeroU16,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use fixture::Gateway;
use holdfast::journal::{SledOptions, SledStore, Survives, sled::CACHE_BYTES_DEFAULT};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: Option<NonZeroU16> = NonZeroU16::new(8);

/// What the command line asks for; small where nobody asks to measure.
struct Size {
    agents: u32,
    events: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let position = arguments.iter().position(|argument| argument == name)?;
        arguments.get(position + 1).cloned()
    };
    if let Some(directory) = value("--start-on") {
        return start(Path::new(&directory));
    }
    if let Some(directory) = value("--snapshot") {
        return snapshot(Path::new(&directory));
    }
    let is_measured = arguments.iter().any(|argument| argument == "--bench")
        && !arguments.iter().any(|argument| argument == "--test");
    let usual =
        if is_measured { Size { agents: 10_000, events: 1_000_000 } } else { Size { agents: 100, events: 1000 } };
    let size = Size {
        agents: value("--agents").map_or(Ok(usual.agents), |agents| agents.parse())?,
        events: value("--events").map_or(Ok(usual.events), |events| events.parse())?,
    };
    measure(&size)
}

fn measure(size: &Size) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    let begun = Instant::now();
    fill(path, size)?;
    report("fill", begun.elapsed());
    println!("cold start/journal on disk: {} MB", bytes_under(path)? / 1_000_000);
    again("--start-on", path, "from the journal")?;
    again("--snapshot", path, "snapshot")?;
    again("--start-on", path, "from snapshots")
}

fn report(what: &str, took: Duration) {
    println!("cold start/{what}: {:.2} s", took.as_secs_f64());
}

/// Half of the events are authorizations, half captures.
fn fill(directory: &Path, size: &Size) -> Result<(), Box<dyn Error>> {
    let mut gateway = open(directory, u64::MAX)?;
    gateway.create_agents(size.agents);
    gateway.pay(size.events / 2);
    Ok(())
}

/// Runs this program again, for a process without a past.
fn again(argument: &str, directory: &Path, what: &str) -> Result<(), Box<dyn Error>> {
    let status = Command::new(std::env::current_exe()?).arg(argument).arg(directory).env("WHAT", what).status()?;
    if status.success() { Ok(()) } else { Err(format!("{what} failed").into()) }
}

fn start(directory: &Path) -> Result<(), Box<dyn Error>> {
    let what = std::env::var("WHAT")?;
    let begun = Instant::now();
    let gateway = open(directory, u64::MAX)?;
    report(&what, begun.elapsed());
    let agents: u64 = gateway.engine.status().shards.iter().map(|shard| shard.agents).sum();
    if let Some(resident) = resident_bytes() {
        println!("cold start/resident memory {what}, {agents} agents: {} MB", resident / 1_000_000);
    }
    Ok(())
}

/// Waits until every shard has written a snapshot.
fn snapshot(directory: &Path) -> Result<(), Box<dyn Error>> {
    let mut gateway = open(directory, 1)?;
    let begun = Instant::now();
    gateway.nudge();
    loop {
        let status = gateway.engine.status();
        if let Some(failure) = status.commits.snapshot_failure {
            return Err(failure.into());
        }
        if status.shards.iter().all(|shard| shard.snapshot.0 > 0) {
            report("snapshots written", begun.elapsed());
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn open(directory: &Path, snapshot_bytes: u64) -> Result<Gateway, Box<dyn Error>> {
    let options = SledOptions { create_with: SHARDS, survives: Survives::Process, cache_bytes: CACHE_BYTES_DEFAULT };
    let store = SledStore::open(directory, &options)?;
    Ok(Gateway::open(Arc::new(store), snapshot_bytes)?)
}

fn bytes_under(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_under(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

/// What the system says that this process has in memory; nothing where the system does not say it in Linux's way.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
