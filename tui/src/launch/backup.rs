//! `whodunit backup`: the whole store of a running daemon into one file.
//!
//! Owns the file: it is written under a name that says that it is not whole, read again and checked from its first byte to
//! its last, and only then given its own name.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use whodunit_daemon::store::backup::{self, BackupHeader, Checked};

use super::restore::refusal;
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::client::{ByteStream, Client};
use crate::text::counted;

/// Arguments of `whodunit backup`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A backup is a copy of the whole store, secrets such as password hashes included: only its owner may read the file.
Writes continue while it is taken. Once written, it is read back and checked; a file that ends in `.part` is not a backup.
Read models are not in it: a daemon rebuilds them.

Examples:
  whodunit backup /backups/                        a new file in that folder, with its position and time in its name
  whodunit backup shop.backup --replace            in place of an older backup of the same store
  whodunit backup - | age -r KEY > shop.backup.age
  whodunit restore shop.backup new-folder          makes a store of it"
)]
pub(crate) struct BackupArgs {
    /// The file to write, a folder to write a new file into, or `-` for standard output
    to: PathBuf,
    /// Replace the file if it is an older backup of the same store
    #[arg(long)]
    replace: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &BackupArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if args.to == Path::new("-") {
        return to_output(client, terminal).await;
    }
    let folder = args.to.is_dir();
    if !folder && args.to.exists() && !args.replace {
        let hint = "name another file or a folder, or add `--replace` to replace an older backup of the same store";
        return Err(in_the_way(
            format!("`{}` already exists", args.to.display()),
            hint,
        ));
    }
    let (mut pieces, bytes, unreadable) = client.backup().await?;
    warn(unreadable.as_deref(), terminal)?;
    let (first, header) = begin(&mut pieces).await?;
    let to = if folder {
        args.to.join(file_name(&header))
    } else {
        args.to.clone()
    };
    if to.exists() {
        replaceable(&to, &header)?;
    }
    let part = Part::begin(&to)?;
    match write(&part, first, pieces, bytes, terminal).await {
        Ok(checked) => {
            part.finish(&to)?;
            report(&checked, &to, terminal)
        }
        Err(error) => {
            part.give_up();
            Err(error)
        }
    }
}

pub(super) fn in_the_way(message: String, hint: &'static str) -> CliError {
    CliError::Refused {
        message,
        hint,
        exit: Exit::Conflict,
    }
}

pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> CliError {
    let place = path.display().to_string();
    move |error| CliError::File { place, error }
}

/// Says that notes are not in a backup, where that is so.
fn warn(unreadable: Option<&str>, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    match unreadable {
        None => Ok(()),
        Some("all") => terminal.warn("the notes are not in the backup: their file cannot be used"),
        Some(lines) => terminal.warn(format!(
            "notes that are damaged are not in the backup: {lines}"
        )),
    }
}

/// The first piece, and what the backup says of itself in it.
async fn begin(pieces: &mut ByteStream) -> Result<(Vec<u8>, BackupHeader), CliError> {
    let mut first = Vec::new();
    while !first.contains(&b'\n') {
        let Some(piece) = pieces.next().await? else {
            break;
        };
        first.extend(piece);
    }
    let header =
        backup::read_header(first.as_slice()).map_err(|error| refusal("the reply", error))?;
    Ok((first, header))
}

/// A name that tells backups of one folder apart, and sorts them.
fn file_name(header: &BackupHeader) -> String {
    let id: String = header.store_id.chars().take(8).collect();
    let at: String = header
        .taken_at
        .to_string()
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .take_while(|c| *c != '.')
        .collect();
    let at = at.trim_end_matches('Z');
    format!("whodunit-{id}-{at}Z-{}.backup", header.position)
}

/// Refuses to replace what is no older backup of the same store.
fn replaceable(path: &Path, header: &BackupHeader) -> Result<(), CliError> {
    let hint = "name another file: only an older backup of the same store is replaced";
    let refused = |what: &str| in_the_way(format!("`{}` {what}", path.display()), hint);
    let file = File::open(path).map_err(file_error(path))?;
    let Ok(found) = backup::read_header(BufReader::new(file)) else {
        return Err(refused("is not a backup"));
    };
    if found.store_id != header.store_id {
        return Err(refused(&format!(
            "is a backup of another store, {}",
            found.store_id
        )));
    }
    if (found.position, found.decisions) > (header.position, header.decisions) {
        return Err(refused(&format!(
            "goes up to position {}, which is beyond the end of this store",
            found.position
        )));
    }
    Ok(())
}

/// A file that is being written, under a name that says so.
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Locked as long as it is written.
    pub(super) file: File,
}

impl Part {
    pub(super) fn begin(to: &Path) -> Result<Self, CliError> {
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let path = to.with_file_name(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(file_error(&path))?;
        if file.try_lock().is_err() {
            let message = format!("`{}` is being written by another process", path.display());
            return Err(in_the_way(
                message,
                "wait until it has ended, or name another file",
            ));
        }
        // What a process left that did not come to its end.
        file.set_len(0).map_err(file_error(&path))?;
        Ok(Self { path, file })
    }

    pub(super) fn give_up(self) {
        // That it is left is no harm: its name says what it is.
        drop(std::fs::remove_file(&self.path));
    }

    /// Gives it its name, durably.
    pub(super) fn finish(self, to: &Path) -> Result<(), CliError> {
        std::fs::rename(&self.path, to).map_err(file_error(to))?;
        let above = to.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        if cfg!(unix) {
            let synced = File::open(above).and_then(|folder| folder.sync_all());
            synced.map_err(file_error(above))?;
        }
        Ok(())
    }
}

/// Writes the pieces, then reads and checks what was written.
async fn write(
    part: &Part,
    first: Vec<u8>,
    mut pieces: ByteStream,
    bytes: Option<u64>,
    terminal: &Terminal<'_>,
) -> Result<Checked, CliError> {
    let failed = || file_error(&part.path);
    let mut file = &part.file;
    let bar = bar(terminal, "backing up", bytes);
    let mut written = first.len() as u64;
    file.write_all(&first).map_err(failed())?;
    while let Some(piece) = pieces.next().await? {
        file.write_all(&piece).map_err(failed())?;
        written += piece.len() as u64;
        bar.set_position(written);
    }
    file.sync_all().map_err(failed())?;
    bar.finish_and_clear();
    let bar = self::bar(terminal, "checking", Some(written));
    let path = part.path.clone();
    let checking = tokio::task::spawn_blocking(move || {
        let file = File::open(&path).map_err(file_error(&path))?;
        let checked = backup::check(BufReader::new(file), &mut |at| bar.set_position(at));
        bar.finish_and_clear();
        checked
            .map_err(|error| refusal(&format!("what was written to `{}`", path.display()), error))
    });
    checking
        .await
        .map_err(|error| CliError::daemon(format!("checking failed: {error}")))?
}

pub(super) fn bar(terminal: &Terminal<'_>, doing: &str, bytes: Option<u64>) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let template = match bytes {
        Some(_) => format!("{doing} {{bar:30}} {{bytes}}/about {{total_bytes}}  {{bytes_per_sec}}"),
        None => format!("{doing} {{bytes}}  {{bytes_per_sec}}"),
    };
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes.unwrap_or(0)).with_style(style)
}

fn report(checked: &Checked, to: &Path, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let header = &checked.header;
    if terminal.form.json {
        terminal.document(&json!({
            "file": to.display().to_string(),
            "bytes": checked.bytes,
            "sha256": checked.end.sha256,
            "backup": header,
            "parts": checked.end.parts,
        }))?;
        return Ok(Exit::Ok);
    }
    terminal.line(format!(
        "{}: {} and {}, {}, checked",
        to.display(),
        counted(header.position, "event"),
        counted(header.decisions, "decision"),
        counted(checked.bytes, "byte"),
    ))?;
    terminal.line(format!("store {}", header.store_id))?;
    terminal.line(format!("head hash {}", header.head_hash))?;
    Ok(Exit::Ok)
}

/// Hands the pieces on as they come. They are checked by the program that they are handed to, or not at all.
async fn to_output(client: &Client, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if io::stdout().is_terminal() {
        return Err(CliError::usage(
            "a backup is binary: it is not written to a terminal",
            "name a file, or pipe it: `whodunit backup - | age -r KEY > shop.backup.age`",
        ));
    }
    let (mut pieces, _, unreadable) = client.backup().await?;
    warn(unreadable.as_deref(), terminal)?;
    let (mut piece, _) = begin(&mut pieces).await?;
    loop {
        terminal.bytes(&piece)?;
        match pieces.next().await? {
            Some(next) => piece = next,
            None => break,
        }
    }
    terminal.flush()?;
    terminal.note(
        "not checked: `whodunit restore --check FILE` checks a backup from first byte to last",
    )?;
    Ok(Exit::Ok)
}
