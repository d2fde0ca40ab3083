//! The whodunit terminal program.

use std::process::ExitCode;

fn main() -> ExitCode {
    whodunit_tui::program::main(std::env::args_os().collect())
}
