//! How many payments a second does a gateway authorize, how long does each wait, and was every answer right?
//!
//! `loadtest run steady` starts the built gateway in a temporary directory, makes agents that are held to every rule, asks for
//! payments as the scenario says, and afterwards compares what it was told with what the gateway has booked, agent by agent. The exit code is 0 only if not one approval is too many and none is missing.

mod arguments;
mod balance;
mod book;
mod budgets;
mod capacity;
mod check;
mod crash;
mod error;
mod fleet;
mod gateway;
mod lane;
mod load;
mod machine;
mod mix;
mod operator;
mod outputs;
mod pace;
mod plan;
mod progress;
mod record;
mod report;
mod rivals;
mod run;
mod scenario;
mod settings;
mod setup;
mod summary;
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
    // As in the gateway, whose engine and echo run in this program too.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run::command(&arguments),
        Command::FindCapacity(arguments) => capacity::command(&arguments),
        Command::Scenarios => {
            println!("{}", scenario::list());
            Ok(true)
        }
        Command::Compare(arguments) => outputs::compare(&arguments).map(|()| true),
        Command::Echo(arguments) => rivals::echo::command(&arguments).map(|()| true),
        Command::Document(arguments) => outputs::document(&arguments).map(|()| true),
        Command::Setup(arguments) => setup::command(&arguments).map(|()| true),
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
