//! `whodunit salvage`: what can be read of a damaged store, as an export, without a daemon.

use std::fmt::Write as _;
use std::io::BufWriter;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use whodunit_core::text::shown;
use whodunit_daemon::store::salvage::{self, Progress, Range, SalvageError, Salvaged};

use super::backup::{Part, file_error, in_the_way};
use crate::cli::show::number;
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::text::{clause, counted};

/// Streams and ranges that the text names; `--json` has all.
const SHOWN_MAX: usize = 20;

/// Arguments of `whodunit salvage`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Nothing in the folder is changed, and no file of it is opened for writing. The file that is written is an export with its secrets:
only its owner may read it. Its records have the positions and revisions that they were recorded with, so `whodunit import` sees
every hole: a stream is imported up to its first missing revision, and what follows is refused and counted; with `--renumber`
it is closed up, and the gap is reported. Jobs and snapshots are not in an export, and are not salvaged.

Exit code 1: something is missing, or a file is too damaged to tell.

Examples:
  whodunit salvage /var/lib/whodunit salvaged.ndjson
  whodunit salvage /var/lib/whodunit salvaged.ndjson --json > report.json
  whodunit import salvaged.ndjson --dry-run"
)]
pub(crate) struct SalvageArgs {
    /// The data folder; its daemon must not be running
    data: PathBuf,
    /// The file to write; it must not exist
    file: PathBuf,
}

/// Runs it.
pub(crate) async fn run(args: SalvageArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if args.file.exists() {
        let message = format!("`{}` already exists", args.file.display());
        return Err(in_the_way(message, "name another file"));
    }
    let part = Part::begin(&args.file)?;
    let bar = bar(terminal);
    let working = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::new(&part.file);
        let found = salvage::salvage(&args.data, &mut out, &mut |at| show(&bar, at));
        drop(out);
        bar.finish_and_clear();
        match found {
            Ok(found) => {
                part.file.sync_all().map_err(file_error(&part.path))?;
                part.finish(&args.file)?;
                Ok((found, args.file))
            }
            Err(error) => {
                part.give_up();
                Err(refusal(&error))
            }
        }
    });
    let (found, output) = working
        .await
        .map_err(|error| CliError::daemon(format!("salvaging failed: {error}")))??;
    if terminal.form.json {
        terminal.document(&found)?;
    } else {
        terminal.line(format!("{}: {}", output.display(), summary(&found)))?;
        for line in details(&found) {
            terminal.line(line)?;
        }
    }
    Ok(if found.is_whole() { Exit::Ok } else { Exit::No })
}

fn bar(terminal: &Terminal<'_>) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, at: Progress) {
    let (doing, done, all, what) = match at {
        Progress::Reading(done, all) => ("reading", done, all, "pages"),
        Progress::Checking(done, all) => ("checking", done, all, "events"),
        Progress::Writing(done, all) => ("writing", done, all, "events"),
    };
    bar.set_message(format!(
        "{doing} {} of {} {what}",
        number(done),
        number(all)
    ));
}

fn refusal(error: &SalvageError) -> CliError {
    let (exit, hint) = match error {
        SalvageError::NoStore { .. } => (Exit::NotFound, "name a daemon's data folder"),
        SalvageError::InUse { .. } => (
            Exit::Conflict,
            "a store that opens needs no salvage: `whodunit backup` and `whodunit export` ask its daemon",
        ),
        SalvageError::Format { .. } => (Exit::Usage, "nothing was written"),
        _ => (Exit::Internal, "nothing was written"),
    };
    CliError::Refused {
        message: error.to_string(),
        hint,
        exit,
    }
}

fn summary(found: &Salvaged) -> String {
    let mut text = format!(
        "{} of {} and {} of {} of store {}",
        number(found.events),
        counted(found.expected_events, "event"),
        number(found.decisions),
        counted(found.expected_decisions, "decision"),
        found.store_id,
    );
    if found.is_whole() {
        text.push_str(": nothing is missing");
    }
    text
}

fn ranges(what: &str, ranges: &[Range]) -> Option<String> {
    if ranges.is_empty() {
        return None;
    }
    let count: u64 = ranges.iter().map(|range| range.to - range.from + 1).sum();
    let mut text = format!("{what}: {} (", number(count));
    for (index, range) in ranges.iter().take(SHOWN_MAX).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        // Writing into a text does not fail.
        let _ = if range.from == range.to {
            write!(text, "{comma}{}", range.from)
        } else {
            write!(text, "{comma}{}-{}", range.from, range.to)
        };
    }
    if ranges.len() > SHOWN_MAX {
        let _ = write!(
            text,
            " and {}",
            counted(ranges.len() - SHOWN_MAX, "more range")
        );
    }
    text.push(')');
    Some(text)
}

/// What is missing, line by line.
fn details(found: &Salvaged) -> Vec<String> {
    let mut lines: Vec<String> = [
        ranges("missing events, by position", &found.missing_events),
        ranges("missing decisions, by sequence", &found.missing_decisions),
        ranges(
            "events left out that are not what was written",
            &found.altered_events,
        ),
        ranges(
            "decisions left out that are not what was written",
            &found.altered_decisions,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    for hole in found.streams.iter().take(SHOWN_MAX) {
        let what = format!("missing revisions of {}", shown(&hole.stream));
        lines.extend(ranges(&what, &hole.revisions));
    }
    let more = found.streams.len().saturating_sub(SHOWN_MAX) as u64 + found.more_streams;
    if more > 0 {
        lines.push(format!(
            "{} holes; `--json` names them",
            clause(more, "more stream", "has")
        ));
    }
    if found.unplaced_events > 0 {
        lines.push(format!(
            "the stream or revision of {} is unknown: it may be the newest of any stream",
            counted(found.unplaced_events, "missing event")
        ));
    }
    let without = found.decisions_without_events.len() as u64 + found.more_decisions_without_events;
    if without > 0 {
        lines.push(format!(
            "{} missing events (the file has such decisions, but an import refuses them)",
            clause(without, "decision", "names")
        ));
    }
    if found.unproven_events + found.unproven_decisions > 0 {
        lines.push(format!(
            "{} and {} next to a hole: each checksum is right, but the chain cannot prove them",
            counted(found.unproven_events, "event"),
            counted(found.unproven_decisions, "decision")
        ));
    }
    if found.user_notes > 0 {
        lines.push(format!("notes: {}", number(found.user_notes)));
    }
    if found.redacted_copy {
        lines.push("the store is a redacted copy".to_owned());
    }
    lines.extend(found.notes.iter().map(|note| format!("note: {note}")));
    lines
}
