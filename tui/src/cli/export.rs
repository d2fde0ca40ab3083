//! `whodunit export`: the whole log as NDJSON on standard output.

use std::io::{self, IsTerminal};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::events::FilterArgs;
use super::exit::{CliError, Exit};
use super::terminal::{Terminal, json_safe};
use crate::client::{Client, ExportQuery};

/// Arguments of `whodunit export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit export > log.ndjson             secrets are redacted, and the export says so
  whodunit export --reveal > all.ndjson    with them: what `whodunit import` restores exactly
  whodunit export --category user --since 7d > week.ndjson")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
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
    let health = client.health().await?;
    // How many lines a filter lets through is known at the end only; then the bar is a rough one.
    let bar = bar(terminal, health.head + health.decisions);
    let query = ExportQuery {
        filter: args.filter.query(),
        reveal: args.reveal,
    };
    let mut export = client.export(&query).await?;
    let mut lines = Lines::new(io::stdout().is_terminal());
    while let Some(piece) = export.next().await? {
        bar.inc(piece.split(|byte| *byte == b'\n').count() as u64 - 1);
        terminal.bytes(&lines.pass(piece))?;
    }
    terminal.bytes(&lines.rest())?;
    terminal.flush()?;
    bar.finish_and_clear();
    Ok(Exit::Ok)
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
