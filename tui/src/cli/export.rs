//! `whodunit export`: the log, or a part of it, as NDJSON on standard output.

use std::io::{self, IsTerminal};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use whodunit_core::transfer::{ExportEnd, Line};

use super::args::given;
use super::events::FilterArgs;
use super::exit::{CliError, Exit};
use super::find::{check_names, read_line};
use super::names::{self, StreamArg};
use super::show::number;
use super::terminal::{Terminal, json_safe};
use crate::client::{Client, ExportQuery};
use crate::text::counted;

/// Arguments of `whodunit export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit export > log.ndjson             secrets are redacted, and the export says so
  whodunit export --reveal > all.ndjson    with them: what `whodunit import` restores exactly
  whodunit export --category user --since 7d > week.ndjson
  whodunit export --stream user-7f3c --reveal > one.ndjson
  whodunit export --query 'actor:job:* -reason:test' > part.ndjson

With a filter, the export is part of the log: its first line says which part; it has no decisions, but it has the notes about its
events and streams. `whodunit import` says that it is a part, and which streams have events missing.")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only this stream
    #[arg(long, value_name = "NAME", value_parser = StreamArg::parse)]
    stream: Option<StreamArg>,
    /// Only events that match this query line (see `whodunit find --help`)
    #[arg(long, value_name = "LINE", value_parser = given)]
    query: Option<String>,
    /// Include secrets (the daemon logs that you did): without them an import is a redacted copy
    #[arg(long)]
    reveal: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &ExportArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = match &args.stream {
        Some(named) => Some(names::resolve_to_read(named, client, terminal).await?),
        None => None,
    };
    let zone = terminal.form.zone;
    let line = args.query.as_deref().map(|text| read_line(text, zone));
    let line = line.transpose()?.map(|line| line.to_string());
    let is_part = stream.is_some() || line.is_some() || !args.filter.is_empty();
    let health = client.health().await?;
    // How many lines a filter lets through is known at the end only; then the bar is a rough one.
    let bar = bar(terminal, health.head + health.decisions);
    let query = ExportQuery {
        filter: args.filter.query(),
        stream,
        line,
        reveal: args.reveal,
    };
    let mut export = client.export(&query).await?;
    let mut lines = Lines::new(io::stdout().is_terminal());
    let mut last = LastLine::default();
    while let Some(piece) = export.next().await? {
        last.take(&piece);
        bar.inc(piece.split(|byte| *byte == b'\n').count() as u64 - 1);
        terminal.bytes(&lines.pass(piece))?;
    }
    terminal.bytes(&lines.rest())?;
    terminal.flush()?;
    bar.finish_and_clear();
    if is_part {
        part(&last, health.head, terminal)?;
        if last.end().is_some_and(|end| end.events == 0) {
            let names: Vec<_> = args.filter.names().into_iter().flatten().collect();
            names::check_known(&names, client, terminal).await?;
            if let Some(line) = &query.line {
                check_names(line, client, terminal).await?;
            }
        }
    }
    let damaged = last.end().map_or(0, |end| end.notes_unreadable);
    if damaged > 0 {
        terminal.warn(format!(
            "{} of the store are damaged and left out; `whodunit verify` says where",
            counted(damaged, "note")
        ))?;
    }
    Ok(Exit::Ok)
}

/// Says what an export of a part leaves out.
fn part(last: &LastLine, head: u64, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let Some(end) = last.end() else {
        return Ok(());
    };
    terminal.note(format!(
        "part of the log: {} of {}, {}, no decisions",
        number(end.events),
        counted(head.max(end.events), "event"),
        counted(end.notes, "note")
    ))?;
    if end.undecided > 0 {
        terminal.warn(format!(
            "left out because the line could not be evaluated for them: {}",
            counted(end.undecided, "event")
        ))?;
    }
    Ok(())
}

/// The last line of what passes.
#[derive(Default)]
struct LastLine {
    line: Vec<u8>,
    is_over: bool,
}

impl LastLine {
    fn take(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if std::mem::take(&mut self.is_over) {
                self.line.clear();
            }
            self.line.extend_from_slice(part);
            self.is_over = part.ends_with(b"\n");
        }
    }

    fn end(&self) -> Option<ExportEnd> {
        match Line::parse(self.line.trim_ascii_end()) {
            Ok(Line::End(end)) => Some(end),
            _ => None,
        }
    }
}

fn bar(terminal: &Terminal<'_>, lines: u64) -> ProgressBar {
    // On a terminal, the lines themselves show how far it is.
    if !terminal.form.progress || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "exporting {bar:30} {pos}/{len}  {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(lines).with_style(style)
}

/// Passes bytes through: as they are into a file, made safe line by line onto a terminal.
struct Lines {
    safe: bool,
    begun: Vec<u8>,
}

impl Lines {
    fn new(safe: bool) -> Self {
        Self {
            safe,
            begun: Vec::new(),
        }
    }

    fn pass(&mut self, piece: Vec<u8>) -> Vec<u8> {
        if !self.safe {
            return piece;
        }
        self.begun.extend_from_slice(&piece);
        let end = self
            .begun
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let complete: Vec<u8> = self.begun.drain(..end).collect();
        json_safe(&String::from_utf8_lossy(&complete)).into_bytes()
    }

    fn rest(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.begun);
        json_safe(&String::from_utf8_lossy(&rest)).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_safe_lines_and_a_file_the_bytes() {
        let text = "{\"a\":\"\u{9b}ü\"}\n{\"b\":\"\u{202e}\"}\n";
        for size in 1..text.len() {
            let mut last = LastLine::default();
            text.as_bytes()
                .chunks(size)
                .for_each(|piece| last.take(piece));
            assert_eq!(last.line, "{\"b\":\"\u{202e}\"}\n".as_bytes());
            let mut safe = Lines::new(true);
            let mut raw = Lines::new(false);
            let (mut shown, mut kept) = (Vec::new(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                shown.extend(safe.pass(piece.to_vec()));
                kept.extend(raw.pass(piece.to_vec()));
            }
            shown.extend(safe.rest());
            assert_eq!(kept, text.as_bytes());
            assert_eq!(
                String::from_utf8(shown).unwrap(),
                "{\"a\":\"\\u009bü\"}\n{\"b\":\"\\u202e\"}\n",
                "cut every {size} bytes"
            );
        }
    }
}
