//! `whodunit open`: the screens on a store or an export, without a daemon beside.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::TempDir;
use whodunit_daemon::builtin::BuiltIn;
use whodunit_daemon::store::redb::FILE_NAME;

use super::embedded::{Embedded, Plan, asked_to_end};
use super::screens;
use crate::cli::import;
use crate::cli::import_report;
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::client::ImportQuery;
use crate::text::counted;
use crate::text::number;

/// Arguments of `whodunit open`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A file of records is read into a temporary store, which is gone when you leave.

Examples:
  whodunit open ~/.local/share/whodunit            the store of a daemon that is not running
  whodunit open backup.ndjson                      what `whodunit export` wrote
  whodunit open cloudtrail.ndjson --mapping cloudtrail"
)]
pub(crate) struct OpenArgs {
    /// A daemon's data folder, or a file of one JSON record a line
    path: PathBuf,
    /// How records become events: a mapping file (TOML), or the name of one that comes with whodunit (`cloudtrail`)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// A model to fold and decide by: `users` for category `user`. May be given several times. Categories without a model
    /// are folded by JSON Merge Patch, and have no commands
    #[arg(long, value_name = "NAME")]
    model: Vec<BuiltIn>,
    /// No screens: print the address, and keep serving until interrupted
    #[arg(long)]
    no_tui: bool,
    /// The port to serve on; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Runs it.
pub(crate) async fn run(args: &OpenArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let asked = asked_to_end();
    tokio::pin!(asked);
    let source = Source::of(args)?;
    let (folder, plan) = match &source {
        Source::Store(_) => (None, Plan::default()),
        Source::Records(_) => (
            Some(temporary()?),
            Plan {
                thrown_away: true,
                ..Plan::default()
            },
        ),
    };
    let plan = Plan {
        port: args.port,
        models: args.model.clone(),
        ..plan
    };
    let data = match (&source, &folder) {
        (Source::Store(data), _) => data.as_path(),
        (Source::Records(_), Some(folder)) => folder.path(),
        (Source::Records(_), None) => Path::new("."),
    };
    let embedded = Embedded::start(data, plan).await?;
    let result = tokio::select! {
        result = show(args, &source, &embedded, terminal) => result,
        () = &mut asked => Ok(Exit::Ok),
    };
    embedded.stop().await?;
    drop(folder);
    result
}

/// What is opened.
enum Source {
    /// A data folder.
    Store(PathBuf),
    /// A file of records.
    Records(PathBuf),
}

impl Source {
    fn of(args: &OpenArgs) -> Result<Self, CliError> {
        let path = &args.path;
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CliError::NotThere {
                message: format!("there is no `{}`", path.display()),
                hint: "name a daemon's data folder, or a file of one JSON record a line; \
                    `whodunit serve --data DIR` makes a new store"
                    .into(),
            },
            _ => CliError::File {
                place: path.display().to_string(),
                error,
            },
        })?;
        let store = if metadata.is_dir() {
            if !path.join(FILE_NAME).is_file() {
                return Err(CliError::usage(
                    format!(
                        "`{}` is not a store: it has no `{FILE_NAME}`",
                        path.display()
                    ),
                    "name a daemon's data folder, or a file of one JSON record a line",
                ));
            }
            path.clone()
        } else if path.file_name().is_some_and(|name| name == FILE_NAME) {
            path.parent().unwrap_or(Path::new(".")).to_path_buf()
        } else {
            return Ok(Self::Records(path.clone()));
        };
        if args.mapping.is_some() {
            return Err(CliError::usage(
                "a store needs no mapping",
                "leave `--mapping` out, or name a file of records",
            ));
        }
        Ok(Self::Store(store))
    }
}

fn temporary() -> Result<TempDir, CliError> {
    tempfile::Builder::new()
        .prefix("whodunit-open-")
        .tempdir()
        .map_err(|error| CliError::File {
            place: "a temporary folder".to_owned(),
            error,
        })
}

async fn show(
    args: &OpenArgs,
    source: &Source,
    embedded: &Embedded,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if let Source::Records(path) = source {
        fill(path, args, embedded, terminal).await?;
    }
    for model in embedded.daemon.forgotten_models().unwrap_or_default() {
        terminal.warn(format!(
            "category `{}` has decisions on record, but its model was not asked for: its states are merged from the events; \
             add `--model {model}` to use its rules",
            model.category()
        ))?;
    }
    if !args.no_tui {
        return screens::of_daemon(&embedded.client, None, terminal).await;
    }
    terminal.line(format!("listening on {}", embedded.client.url()))?;
    terminal.flush()?;
    // Until the caller is asked to end.
    std::future::pending::<()>().await;
    Ok(Exit::Ok)
}

async fn fill(
    path: &Path,
    args: &OpenArgs,
    embedded: &Embedded,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let query = ImportQuery {
        mapping: args.mapping.as_deref().map(import::mapping).transpose()?,
        ..ImportQuery::default()
    };
    import::check_format(path).await?;
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let bytes = file.metadata().await.map_err(failed)?.len();
    let bar = bar(terminal, bytes);
    let report = import::send(&embedded.client, &query, file, bar).await?;
    if report.failed > 0 {
        import_report::print_notes(&report, terminal)?;
        if report.read > 0 && report.failed == report.read {
            return Err(CliError::usage(
                format!("no record of `{}` could be read", path.display()),
                "name an export, or a file of JSON records together with `--mapping`",
            ));
        }
        terminal.warn(format!(
            "{} of {} could not be read",
            number(report.failed),
            counted(report.read, "record")
        ))?;
    } else if report.incomplete
        || !report.partial.is_empty()
        || report.changed
        || report.future.records > 0
        || report.redacted_copy
        || report.clock_used > 0
        || report.backwards.records > 0
    {
        import_report::print_notes(&report, terminal)?;
    }
    if report.clock_used > 0 {
        terminal.warn(format!(
            "{} of their own and were given the import's",
            match report.clock_used {
                1 => "1 event has no time".to_owned(),
                n => format!("{} events have no time", number(n)),
            }
        ))?;
    }
    Ok(())
}

fn bar(terminal: &Terminal<'_>, bytes: u64) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let template = "reading {bar:30} {bytes}/{total_bytes}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}
