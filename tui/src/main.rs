//! The whodunit terminal program.

use std::process::ExitCode;

fn main() -> ExitCode {
    whodunit_tui::cli::main(std::env::args_os())
}
