//! `whodunit check`: scenarios are asked again, and their answers judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::Value;
use whodunit_core::bundle::Bundle;
use whodunit_core::scenario::{Scenario, Source};
use whodunit_daemon::builtin::BuiltIn;

use super::embedded::asked_to_end;
use super::history::{self, History, Opened};
use super::incident;
use crate::cli::check::{self, Checked, Verdict, junit};
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::client::{Client, ClientError};

/// Arguments of `whodunit check`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A scenario is a what-if with what is expected of its answer, as a file (docs/SCENARIOS.md). Nothing is written to the log.

Examples:
  whodunit check scenarios/                        every scenario in a folder, on the daemon
  whodunit check scenarios/ --on backup.ndjson --model users
                                                   on an export, without a daemon: for CI
  whodunit check incident.toml --junit report.xml

`whodunit what-if … --save FILE` and `whodunit scenario from --decision ID` write scenarios.
Exit code 1: an expectation does not hold, or a scenario could not be run. Exit code 2: a file is not a scenario."
)]
pub(crate) struct CheckArgs {
    /// Scenario files, folders of them (`*.toml`, subfolders included), or incident files, whose scenarios run on the incident's own events
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Check them on this data folder or file of records, not on a daemon; a scenario's own history takes precedence
    #[arg(long, value_name = "PATH")]
    on: Option<PathBuf>,
    /// A model to fold and decide by, as for `whodunit serve`; only with `--on`. May be given several times
    #[arg(long, value_name = "NAME", requires = "on")]
    model: Vec<BuiltIn>,
    /// Write the results to this file as well, in the form that CI systems read.
    #[arg(
        long,
        value_name = "FILE",
        help = "Write the results to this file as well, as JUnit XML for CI systems"
    )]
    junit: Option<PathBuf>,
}

/// A file, and what it says if it is a scenario.
struct Found {
    file: String,
    folder: PathBuf,
    scenario: Result<Scenario, String>,
    /// The incident file that it stands in, and the models for it.
    within: Option<(PathBuf, Vec<String>)>,
}

/// Where a scenario is asked: histories that are the same are opened once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A daemon.
    Daemon,
    /// A data folder or a file of records, and the models for it.
    Path(PathBuf, Vec<String>),
    /// Records that stand in a scenario.
    Records(String, Vec<String>),
}

/// Runs it.
pub(crate) async fn run(
    args: &CheckArgs,
    client: impl FnOnce() -> Result<Client, CliError>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let found = find(&args.paths)?;
    let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    let mut checked: Vec<Option<Checked>> = Vec::new();
    for (n, found) in found.iter().enumerate() {
        match &found.scenario {
            Ok(scenario) => {
                places
                    .entry(place(args, found, scenario))
                    .or_default()
                    .push(n);
                checked.push(None);
            }
            Err(error) => checked.push(Some(Checked {
                file: found.file.clone(),
                name: String::new(),
                verdict: Verdict::NoScenario(error.clone()),
                took: std::time::Duration::ZERO,
            })),
        }
    }
    let asked = asked_to_end();
    tokio::pin!(asked);
    let mut client = Some(client);
    for (place, members) in places {
        let opened = match open(&place, &mut client, terminal).await {
            Ok(opened) => opened,
            // Without its daemon there is nothing to check.
            Err(error) if place == Place::Daemon => return Err(error),
            Err(error) => {
                for n in members {
                    if let (Some(slot), Some(found)) = (checked.get_mut(n), found.get(n)) {
                        *slot = Some(not_asked(found, &error));
                    }
                }
                continue;
            }
        };
        for n in members {
            let Some(found) = found.get(n) else { continue };
            let done = tokio::select! {
                done = ask(found, opened.client()) => done,
                () = &mut asked => {
                    opened.stop().await?;
                    return Err(CliError::daemon("it was asked to end before all scenarios were checked"));
                }
            };
            if let Some(slot) = checked.get_mut(n) {
                *slot = Some(done?);
            }
        }
        opened.stop().await?;
    }
    let checked: Vec<Checked> = checked.into_iter().flatten().collect();
    if let Some(path) = &args.junit {
        std::fs::write(path, junit::report(&checked)).map_err(|error| CliError::File {
            place: path.display().to_string(),
            error,
        })?;
    }
    check::report(&checked, terminal)
}

fn not_asked(found: &Found, error: &CliError) -> Checked {
    let name = found
        .scenario
        .as_ref()
        .map(|scenario| scenario.name.clone());
    Checked {
        file: found.file.clone(),
        name: name.unwrap_or_default(),
        verdict: Verdict::not_asked(error),
        took: std::time::Duration::ZERO,
    }
}

/// Every scenario file that is named or stands in a folder that is, in the order of their names.
fn find(paths: &[PathBuf]) -> Result<Vec<Found>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            in_folder(path, &mut files)?;
            if files.len() == before {
                return Err(CliError::NotThere {
                    message: format!("there is no scenario in `{}`", path.display()),
                    hint: "scenarios are files that end in `.toml`".into(),
                });
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut found = Vec::new();
    for path in files {
        let (file, folder) = (
            path.display().to_string(),
            path.parent().unwrap_or(Path::new("")).to_path_buf(),
        );
        if let Some(read) = incident::at(&path)? {
            found.extend(of_incident(&path, read)?);
            continue;
        }
        let text = crate::cli::files::read_text(&path)?;
        found.push(Found {
            file,
            folder,
            scenario: Scenario::parse(&text).map_err(|error| error.to_string()),
            within: None,
        });
    }
    Ok(found)
}

/// The scenarios of an incident file, which are asked on what is in it.
fn of_incident(path: &Path, read: Result<Box<Bundle>, String>) -> Result<Vec<Found>, CliError> {
    let bundle = read.map_err(|why| {
        CliError::usage(
            format!("`{}`: {why}", path.display()),
            "write it again with `whodunit bundle`",
        )
    })?;
    let models = incident::models(&bundle);
    let models: Vec<String> = models.iter().map(ToString::to_string).collect();
    let found = bundle.scenarios.iter().enumerate();
    Ok(found
        .map(|(index, scenario)| Found {
            file: format!("{}#{}", path.display(), index + 1),
            folder: PathBuf::new(),
            scenario: Scenario::parse(&scenario.toml).map_err(|error| error.to_string()),
            within: Some((path.to_path_buf(), models.clone())),
        })
        .collect())
}

fn in_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let failed = |error| CliError::File {
        place: folder.display().to_string(),
        error,
    };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    for path in paths {
        // A link may lead in a circle.
        if path.is_dir() && !path.is_symlink() {
            in_folder(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

fn place(args: &CheckArgs, found: &Found, scenario: &Scenario) -> Place {
    if let (Some((path, models)), None) = (&found.within, &args.on) {
        return Place::Path(path.clone(), models.clone());
    }
    match (&scenario.history, &args.on) {
        (Some(history), _) => {
            let models = history.models.clone();
            match &history.source {
                Source::Path(path) => Place::Path(found.folder.join(path), models),
                Source::Events(records) => Place::Records(lines(records), models),
            }
        }
        (None, Some(path)) => {
            let models = args.model.iter().map(ToString::to_string).collect();
            Place::Path(path.clone(), models)
        }
        (None, None) => Place::Daemon,
    }
}

fn lines(records: &[Value]) -> String {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    lines.join("\n")
}

/// Where scenarios are asked, while it is open.
enum Asked {
    Daemon(Client),
    Here(Opened),
}

impl Asked {
    fn client(&self) -> &Client {
        match self {
            Self::Daemon(client) => client,
            Self::Here(opened) => &opened.embedded.client,
        }
    }

    async fn stop(self) -> Result<(), CliError> {
        match self {
            Self::Daemon(_) => Ok(()),
            Self::Here(opened) => opened.stop().await,
        }
    }
}

async fn open(
    place: &Place,
    client: &mut Option<impl FnOnce() -> Result<Client, CliError>>,
    terminal: &mut Terminal<'_>,
) -> Result<Asked, CliError> {
    match place {
        Place::Daemon => match client.take() {
            Some(client) => Ok(Asked::Daemon(client()?)),
            None => Err(CliError::daemon("the daemon was asked twice")),
        },
        Place::Path(path, models) => opened(&History::at(path)?, models, terminal).await,
        Place::Records(text, models) => {
            let folder = history::temporary()?;
            let path = folder.path().join("records.ndjson");
            std::fs::write(&path, text).map_err(|error| CliError::File {
                place: path.display().to_string(),
                error,
            })?;
            opened(&History::Records(path), models, terminal).await
        }
    }
}

async fn opened(
    history: &History,
    models: &[String],
    terminal: &mut Terminal<'_>,
) -> Result<Asked, CliError> {
    let models = models
        .iter()
        .map(|name| {
            name.parse().map_err(|message: String| {
                CliError::usage(
                    message,
                    "`models` of a scenario names models that come with whodunit",
                )
            })
        })
        .collect::<Result<Vec<BuiltIn>, _>>()?;
    let opened = history.open(&models, 0).await?;
    match opened.fill(history, None, terminal).await {
        Ok(()) => Ok(Asked::Here(opened)),
        Err(error) => {
            opened.stop().await?;
            Err(error)
        }
    }
}

/// Asks a scenario and judges the answer.
///
/// # Errors
/// When the daemon does not answer: then no scenario has one.
async fn ask(found: &Found, client: &Client) -> Result<Checked, CliError> {
    let begun = Instant::now();
    let (name, verdict) = match &found.scenario {
        Err(error) => (String::new(), Verdict::NoScenario(error.clone())),
        Ok(scenario) => {
            let verdict = match client.what_if_whole(&scenario.asked()).await {
                Ok(out) => Verdict::of(scenario.judge(&out)),
                Err(ClientError::Problem(problem)) => {
                    Verdict::not_asked(&ClientError::Problem(problem).into())
                }
                Err(error) => return Err(error.into()),
            };
            (scenario.name.clone(), verdict)
        }
    };
    Ok(Checked {
        file: found.file.clone(),
        name,
        verdict,
        took: begun.elapsed(),
    })
}
