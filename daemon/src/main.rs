//! `whodunitd`: the daemon as a program.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use whodunit_daemon::run::{ServeArgs, run};

/// The event store and HTTP API of whodunit.
#[derive(Debug, Parser)]
#[command(name = "whodunitd", version, about)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> ExitCode {
    match run(Cli::parse().serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where not even stderr can be written to, the exit code must do.
            drop(writeln!(std::io::stderr(), "whodunitd: {error}"));
            ExitCode::FAILURE
        }
    }
}
