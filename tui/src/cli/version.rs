//! `whodunit version`: which build this is.

use serde_json::json;

use super::exit::{CliError, Exit};
use super::terminal::Terminal;

/// The version, and the commit it was built from.
pub(crate) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("WHODUNIT_COMMIT"),
    ")"
);

/// Runs it.
pub(crate) fn run(terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if terminal.form.json {
        let document =
            json!({"version": env!("CARGO_PKG_VERSION"), "commit": env!("WHODUNIT_COMMIT")});
        terminal.document(&document)?;
    } else {
        terminal.line(format!("whodunit {VERSION}"))?;
    }
    Ok(Exit::Ok)
}
