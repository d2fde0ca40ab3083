//! `whodunit restore`: a store of a backup, without a daemon.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use whodunit_core::api::verify::VerifyOut;
use whodunit_core::model::Models;
use whodunit_core::stop::Stop;
use whodunit_daemon::builtin::BuiltIn;
use whodunit_daemon::store::Scope;
use whodunit_daemon::store::backup::{self, BackupError, Checked};
use whodunit_daemon::verify::verify_directory;

use super::backup::bar;
use super::verify::models;
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit, verify};
use crate::text::counted;

/// Arguments of `whodunit restore`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Everything is checked before the folder gets its name: each block's checksum, that no record is missing, that their chain leads to
the head's hash, and that the store opens. A folder that ends in `.restoring` is not a store. The store keeps its id; what was
written after the backup is not in it. Then the store is verified as by `whodunit verify --data`, and what is found is reported:
exit code 1 means that it has an error, which was already in the store that was backed up.

Examples:
  whodunit restore shop.backup /var/lib/whodunit-restored
  whodunit restore --check shop.backup              reads and checks it; nothing is written
  age -d shop.backup.age | whodunit restore - restored"
)]
pub(crate) struct RestoreArgs {
    /// The backup: a file, a folder with one in it, or `-` for standard input
    backup: PathBuf,
    /// The folder to create: it must be absent or empty
    #[arg(required_unless_present = "check")]
    to: Option<PathBuf>,
    /// Read and check the backup, and write nothing
    #[arg(long, conflicts_with = "to")]
    check: bool,
    /// A model to verify the store by, as for `whodunit serve`: without it, unique keys are not compared with states. May be given
    /// several times
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    model: Vec<BuiltIn>,
}

/// Runs it.
pub(crate) async fn run(args: RestoreArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let (from, name, bytes) = open(&args.backup)?;
    let doing = if args.check { "checking" } else { "restoring" };
    let bar = bar(terminal, doing, bytes);
    let models = models(&args.model)?;
    let to = args.to.clone();
    let working = tokio::task::spawn_blocking(move || {
        let mut progress = |at| bar.set_position(at);
        let done = match &to {
            Some(to) => backup::restore(from, to, &mut progress).map(|restored| restored.backup),
            None => backup::check(from, &mut progress),
        };
        bar.finish_and_clear();
        done
    });
    let done = working
        .await
        .map_err(|error| CliError::daemon(format!("restoring failed: {error}")))?;
    let checked = done.map_err(|error| refusal(&name, error))?;
    let verified = match &args.to {
        Some(to) => Some(verified(to, models, terminal).await?),
        None => None,
    };
    report(
        &checked,
        args.to.as_deref().zip(verified.as_ref()),
        terminal,
    )
}

/// Verifies the store that was made, as it would be found by a daemon.
async fn verified(
    to: &Path,
    models: Models,
    terminal: &Terminal<'_>,
) -> Result<VerifyOut, CliError> {
    let bar = verify::bar(terminal);
    let data = to.to_owned();
    let working = tokio::task::spawn_blocking(move || {
        let mut say = |progress| verify::show(&bar, &progress);
        let done = verify_directory(&data, &models, Scope::All, &Stop::new(), &mut say);
        bar.finish_and_clear();
        done
    });
    let done = working.await.map_err(|error| {
        CliError::daemon(format!(
            "the store was restored, but verifying it failed: {error}"
        ))
    })?;
    done.map_err(|error| {
        let (to, error) = (to.display(), error.with_cause());
        CliError::daemon(format!(
            "the store was restored to `{to}`, but it cannot be verified: {error}"
        ))
    })
}

/// What is read, its name, and how many bytes it has.
type Opened = (Box<dyn Read + Send>, String, Option<u64>);

fn open(path: &Path) -> Result<Opened, CliError> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), "standard input".to_owned(), None));
    }
    let path = if path.is_dir() {
        only_backup(path)?
    } else {
        path.to_owned()
    };
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let name = format!("`{}`", path.display());
    Ok((Box::new(BufReader::new(file)), name, Some(bytes)))
}

/// The one backup in a folder.
fn only_backup(folder: &Path) -> Result<PathBuf, CliError> {
    let failed = |error| CliError::File {
        place: folder.display().to_string(),
        error,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "backup")
        {
            found.push(path);
        }
    }
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CliError::NotThere {
            message: format!("`{}` has no file that ends in `.backup`", folder.display()),
            hint: "name the backup's file".into(),
        }),
        several => {
            let names = several.iter().map(|path| format!("`{}`", path.display()));
            let names: Vec<_> = names.collect();
            Err(CliError::usage(
                format!("there are several backups: {}", names.join(", ")),
                "name one of them",
            ))
        }
    }
}

/// Why a backup is of no use, or the place is not free.
#[expect(clippy::needless_pass_by_value, reason = "it is the end of the error")]
pub(super) fn refusal(name: &str, error: BackupError) -> CliError {
    let exit = match &error {
        BackupError::InTheWay { .. } => Exit::Conflict,
        BackupError::NotOne | BackupError::Format { .. } => Exit::Usage,
        BackupError::CutShort { .. } | BackupError::Damaged { .. } | BackupError::Store(_) => {
            Exit::No
        }
        _ => Exit::Internal,
    };
    let hint = match &error {
        BackupError::InTheWay { .. } => "name a folder that is absent or empty",
        BackupError::NotOne => {
            "name a file that `whodunit backup` wrote; `whodunit import` reads exports"
        }
        BackupError::CutShort { .. } | BackupError::Damaged { .. } => {
            "no store was made of it; use another backup"
        }
        _ => "no store was made",
    };
    let message = match &error {
        BackupError::InTheWay { .. } | BackupError::Disk { .. } => error.to_string(),
        _ => format!("{name}: {error}"),
    };
    CliError::Refused {
        message,
        hint,
        exit,
    }
}

fn report(
    checked: &Checked,
    made: Option<(&Path, &VerifyOut)>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let (to, verified) = made.unzip();
    let exit = match verified {
        Some(verified) if !verified.ok => Exit::No,
        _ => Exit::Ok,
    };
    let header = &checked.header;
    if terminal.form.json {
        terminal.document(&json!({
            "restored_to": to.map(|to| to.display().to_string()),
            "bytes": checked.bytes,
            "sha256": checked.end.sha256,
            "backup": header,
            "parts": checked.end.parts,
            "verified": verified,
        }))?;
        return Ok(exit);
    }
    terminal.line(format!(
        "{} and {} of store {}, as of {}: {}",
        counted(header.position, "event"),
        counted(header.decisions, "decision"),
        header.store_id,
        header.taken_at,
        match to {
            Some(to) => format!("restored to {}", to.display()),
            None => "the backup is complete and undamaged".to_owned(),
        },
    ))?;
    terminal.line(format!("head hash {}", header.head_hash))?;
    if let Some(verified) = verified {
        verify::report(verified, terminal)?;
    }
    if let Some(to) = to {
        terminal.note(format!(
            "hint: `whodunit serve --data {}` runs a daemon on it; read models are built again",
            to.display()
        ))?;
    }
    Ok(exit)
}
