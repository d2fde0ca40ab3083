//! `whodunit serve`: `whodunitd`, without a second program.

/// Its arguments: those of `whodunitd`.
pub(crate) use whodunit_daemon::run::ServeArgs;

use crate::cli::{CliError, Exit};

/// Runs it until a signal ends it. Brings its own runtime.
pub(crate) fn run(args: ServeArgs) -> Result<Exit, CliError> {
    match whodunit_daemon::run::run(args) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(CliError::Daemon(error.to_string())),
    }
}
