//! `whodunit verify`: of a daemon's store, or of a store in a folder that no daemon has open.

use std::path::{Path, PathBuf};

use clap::Args;
use whodunit_core::model::Models;
use whodunit_core::stop::Stop;
use whodunit_daemon::builtin::{self, BuiltIn};
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::Scope;
use whodunit_daemon::verify::verify_directory;

use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit, verify};
use crate::client::Client;

/// Arguments of `whodunit verify`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  whodunit verify                          everything in the daemon's store, while it keeps running
  whodunit verify --quick                  its ends and counts, as at every start
  whodunit verify --data ~/whodunit-data   a store that no daemon has open

Nothing is repaired. Exit code 1: there is an error.")]
pub(crate) struct VerifyArgs {
    /// Check only the ends of the log and the counts of the indexes
    #[arg(long)]
    quick: bool,
    /// A data directory that no daemon has open, instead of a daemon's store
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A model to fold by, as for `whodunit serve`; only with `--data`. May be given several times
    #[arg(long, value_name = "NAME", requires = "data")]
    model: Vec<BuiltIn>,
}

/// Runs it.
pub(crate) async fn run(
    args: &VerifyArgs,
    client: impl FnOnce() -> Result<Client, CliError>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match &args.data {
        None => verify::run(args.quick, &client()?, terminal).await,
        Some(data) => run_on(args, data, terminal),
    }
}

/// The models of these names.
pub(super) fn models(names: &[BuiltIn]) -> Result<Models, CliError> {
    builtin::models(names, Cost::Standard).map_err(|error| {
        CliError::daemon(format!(
            "cannot use the models that were asked for: {error}"
        ))
    })
}

fn run_on(args: &VerifyArgs, data: &Path, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let models = models(&args.model)?;
    let scope = if args.quick { Scope::Quick } else { Scope::All };
    let bar = verify::bar(terminal);
    let done = verify_directory(data, &models, scope, &Stop::new(), &mut |progress| {
        verify::show(&bar, &progress);
    });
    bar.finish_and_clear();
    let out = done.map_err(|error| {
        let data = data.display();
        CliError::daemon(format!(
            "cannot verify the store in `{data}`: {}",
            error.with_cause()
        ))
    })?;
    verify::report(&out, terminal)
}
