//! The command line as a whole: what may be typed, and which command runs.

use clap::{Parser, Subcommand};

use super::{
    CliError, agent, audit, authorize, capture, completions, exit, journal, key, mcp, output::Output, policy,
    sanctions, serve, status, void,
};

/// An authorization gateway for machine payments
///
/// Without a command it serves: agents ask whether they may pay, over QUIC and REST, and the money is held until it is captured.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 110, after_help = exit::CODES)]
pub struct Cli {
    /// Print JSON for machines
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default)
    Serve(serve::ServeArgs),
    /// Create, list, show and change agents, and give them wallets
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Create, list and revoke keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Apply, list, show, remove and check policies
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Load, show and remove the list of sanctions
    #[command(subcommand)]
    Sanctions(sanctions::SanctionsCommand),
    /// Ask for a hold: may this payment happen?
    Authorize(authorize::AuthorizeArgs),
    /// Report what was paid against a hold
    Capture(capture::CaptureArgs),
    /// Release a hold
    Void(void::VoidArgs),
    /// Show how the gateway does
    Status(status::StatusArgs),
    /// Serve language models over the Model Context Protocol on standard input and output
    Mcp(mcp::McpArgs),
    /// Show, export and prove what happened
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Work on the journal of a gateway that is not running
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Print a completion script
    Completions(completions::CompletionsArgs),
}

/// Reads the command line; prints help or a usage error and ends the program where that is all there is to do.
#[must_use]
pub fn parse() -> Cli {
    Cli::parse()
}

/// Runs the command.
///
/// # Errors
/// [`CliError`], which knows what to print and how to exit.
pub fn run(cli: Cli) -> Result<u8, CliError> {
    let output = if cli.json { Output::Machines } else { Output::People };
    match cli.command.unwrap_or_else(|| Command::Serve(serve::ServeArgs::default())) {
        Command::Serve(arguments) => serve::run(&arguments, output),
        Command::Agent(command) => agent::run(command, output),
        Command::Key(command) => key::run(command, output),
        Command::Policy(command) => policy::run(command, output),
        Command::Sanctions(command) => sanctions::run(command, output),
        Command::Authorize(arguments) => authorize::run(&arguments, output),
        Command::Capture(arguments) => capture::run(&arguments, output),
        Command::Void(arguments) => void::run(&arguments, output),
        Command::Status(arguments) => status::run(&arguments, output),
        Command::Mcp(arguments) => mcp::run(&arguments),
        Command::Audit(command) => audit::run(command, output),
        Command::Journal(command) => journal::run(&command, output),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_at_all_means_serve() {
        assert!(Cli::try_parse_from(["holdfast"]).unwrap().command.is_none());
        assert!(Cli::try_parse_from(["holdfast", "--json", "status"]).unwrap().json);
        assert!(Cli::try_parse_from(["holdfast", "agent", "list", "--json"]).unwrap().json);
        assert!(Cli::try_parse_from(["holdfast", "agnet"]).is_err());
    }
}
