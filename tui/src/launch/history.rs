//! A history that is opened here, without a daemon beside: a store in a folder, or a file of records in a temporary store.

use std::io;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::TempDir;
use whodunit_core::bundle::Bundle;
use whodunit_daemon::builtin::BuiltIn;
use whodunit_daemon::store::redb::FILE_NAME;

use super::embedded::{Embedded, Plan};
use super::incident;
use crate::cli::CliError;
use crate::cli::import;
use crate::cli::import_report;
use crate::cli::terminal::Terminal;
use crate::client::ImportQuery;
use crate::text::number;
use crate::text::{clause, counted};

/// What is opened.
pub(super) enum History {
    /// A data folder.
    Store(PathBuf),
    /// A file of records.
    Records(PathBuf),
    /// An incident file, or why it is damaged: then its records are opened as far as they are sound.
    Incident(PathBuf, Result<Box<Bundle>, String>),
}

/// A history that is open, until it is stopped.
pub(super) struct Opened {
    pub(super) embedded: Embedded,
    /// Where the temporary store is.
    folder: Option<TempDir>,
}

impl History {
    /// What there is at this path.
    pub(super) fn at(path: &Path) -> Result<Self, CliError> {
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CliError::NotThere {
                message: format!("there is no `{}`", path.display()),
                hint: "name a daemon's data folder, or a file with one JSON record per line; \
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
                    "name a daemon's data folder, or a file with one JSON record per line",
                ));
            }
            path.to_path_buf()
        } else if path.file_name().is_some_and(|name| name == FILE_NAME) {
            path.parent().unwrap_or(Path::new(".")).to_path_buf()
        } else {
            let path = path.to_path_buf();
            return Ok(match incident::at(&path)? {
                None => Self::Records(path),
                Some(read) => Self::Incident(path, read),
            });
        };
        Ok(Self::Store(store))
    }

    /// Serves it on a loopback port. Records still have to be read, by [`Opened::fill`].
    pub(super) async fn open(&self, models: &[BuiltIn], port: u16) -> Result<Opened, CliError> {
        let folder = match self {
            Self::Store(_) => None,
            Self::Records(_) | Self::Incident(..) => Some(temporary()?),
        };
        let data = match (self, &folder) {
            (Self::Store(data), _) => data.as_path(),
            (_, Some(folder)) => folder.path(),
            (_, None) => Path::new("."),
        };
        let mut models = models.to_vec();
        if let Self::Incident(_, Ok(bundle)) = self {
            let own = incident::models(bundle).into_iter();
            let missing: Vec<_> = own.filter(|model| !models.contains(model)).collect();
            models.extend(missing);
        }
        let plan = Plan {
            thrown_away: folder.is_some(),
            port,
            models,
            ..Plan::default()
        };
        Ok(Opened {
            embedded: Embedded::start(data, plan).await?,
            folder,
        })
    }
}

impl Opened {
    /// Reads the records into the store, if it is of records, and warns of models that were not asked for.
    pub(super) async fn fill(
        &self,
        history: &History,
        mapping: Option<&Path>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), CliError> {
        match history {
            History::Store(_) => {}
            History::Records(path) => fill(path, mapping, &self.embedded, terminal).await?,
            History::Incident(path, Err(why)) => {
                terminal.warn(format!(
                    "{why}; its undamaged events are opened, without its branches and scenarios"
                ))?;
                fill(path, mapping, &self.embedded, terminal).await?;
            }
            History::Incident(path, Ok(bundle)) => {
                fill(path, mapping, &self.embedded, terminal).await?;
                incident::fill(bundle, &self.embedded, terminal).await?;
            }
        }
        for model in self.embedded.daemon.forgotten_models().unwrap_or_default() {
            terminal.warn(format!(
                "category `{}` has decisions on record, but its model was not asked for: its states are merged from the events; \
                 add `--model {model}` to use its rules",
                model.category()
            ))?;
        }
        Ok(())
    }

    /// Stops it, and removes the temporary store.
    pub(super) async fn stop(self) -> Result<(), CliError> {
        self.embedded.stop().await?;
        drop(self.folder);
        Ok(())
    }
}

pub(super) fn temporary() -> Result<TempDir, CliError> {
    tempfile::Builder::new()
        .prefix("whodunit-open-")
        .tempdir()
        .map_err(|error| CliError::File {
            place: "a temporary folder".to_owned(),
            error,
        })
}

async fn fill(
    path: &Path,
    mapping: Option<&Path>,
    embedded: &Embedded,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let query = ImportQuery {
        mapping: mapping.map(import::mapping).transpose()?,
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
        || (!report.partial.is_empty() && report.parts == 0)
        || report.changed
        || report.future.records > 0
        || (report.redacted_copy && report.parts == 0)
        || report.clock_used > 0
        || report.backwards.records > 0
    {
        import_report::print_notes(&report, terminal)?;
    }
    if report.clock_used > 0 {
        terminal.warn(format!(
            "{} no time and got the time of the import",
            clause(report.clock_used, "event", "has")
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
