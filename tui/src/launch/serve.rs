//! `whodunit serve`: `whodunitd`, without a second program.

/// Its arguments: those of `whodunitd`.
pub(crate) use whodunit_daemon::run::ServeArgs;

use whodunit_daemon::run::RunError;

use crate::cli::{CliError, Exit};

/// Runs it until a signal ends it. Brings its own runtime.
pub(crate) fn run(args: ServeArgs) -> Result<Exit, CliError> {
    match whodunit_daemon::run::run(args) {
        Ok(()) => Ok(Exit::Ok),
        Err(error @ (RunError::LogFilter { .. } | RunError::Remote { .. })) => {
            let said = error.to_string();
            let (message, hint) = said.split_once("\nhint: ").unwrap_or((said.as_str(), ""));
            Err(CliError::usage(message, hint))
        }
        Err(error) => Err(CliError::daemon(error.to_string())),
    }
}
