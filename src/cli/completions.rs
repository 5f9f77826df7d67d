//! `holdfast completions`: a script that completes commands in a shell.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError, exit::SUCCESS};

/// What to print completions for.
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArgs) -> Result<u8, CliError> {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "holdfast", &mut io::stdout());
    Ok(SUCCESS)
}
