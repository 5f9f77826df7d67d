//! The program `holdfast`: reads the command line, runs the command, prints what went wrong.

use std::process::ExitCode;

use holdfast::cli;

/// Decisions allocate little and from few threads; mimalloc is the fastest at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Installed first, so that no part can choose another one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = cli::parse();
    let as_json = arguments.json;
    match cli::run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let text = if as_json { error.json() } else { error.to_string() };
            eprintln!("{text}");
            ExitCode::from(error.exit)
        }
    }
}
