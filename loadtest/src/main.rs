//! How many payments a second does a gateway authorize, how long does each wait, and was every answer right?
//!
//! `loadtest run --start-gateway` starts the built gateway in a temporary directory, makes agents that are held to every rule, asks
//! for payments over QUIC as fast as the gateway answers (or at a stated rate), and afterwards compares what it was told with
//! what the gateway has booked, agent by agent. The exit code is 0 only if not one approval is too many and none is missing.

mod arguments;
mod book;
mod budgets;
mod check;
mod error;
mod fleet;
mod gateway;
mod lane;
mod machine;
mod operator;
mod pace;
mod plan;
mod progress;
#[allow(dead_code, reason = "the report moves over to it next")]
mod record;
#[allow(dead_code, unused_imports, reason = "runs move over to it next")]
mod report;
mod run;
mod setup;
mod tally;
mod transport;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

/// As in the gateway: many small allocations, few threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The gateway and the load test disagree, or a limit was exceeded.
const EXIT_WRONG: u8 = 1;
/// The load test could not be carried out.
const EXIT_FAILED: u8 = 2;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Setup(arguments) => setup::command(&arguments).map(|()| true),
        Command::Run(arguments) => run::command(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_WRONG),
        Err(error) => {
            eprintln!("loadtest: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}
