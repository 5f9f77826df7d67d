//! The program `holdfast`: reads the command line, runs the command, prints what went wrong.

use std::process::ExitCode;

use holdfast::cli;

/// Decisions allocate little and from few threads; mimalloc is the fastest at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prefer_small_pages();
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

/// Memory that is touched for the first time is cleared by the kernel within the access. For a huge page that is 2 MiB at once,
/// which held a worker up for milliseconds: at 200,000 decisions a second the 99th percentile was 10 ms with them and 1.5 ms
/// without (docs/PERFORMANCE.md). The allocator asks for them; a kernel that knows none has nothing to refuse.
fn prefer_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
