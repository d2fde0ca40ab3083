//! `whodunit import`: records from a file or standard input into the log.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncRead, AsyncReadExt};
use whodunit_core::api::write::ImportReport;
use whodunit_core::mapping::Mapping;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::show::number;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, ImportQuery};

/// Bytes sent at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Mappings that come with the program, by name.
const BUILT_IN: [(&str, &str); 1] =
    [("cloudtrail", include_str!("../../mappings/cloudtrail.toml"))];

/// Arguments of `whodunit import`.
#[derive(Debug, Args)]
#[command(after_help = "Importing the same file twice adds nothing.

Examples:
  whodunit import backup.ndjson                       what `whodunit export` wrote
  whodunit import cloudtrail.ndjson --mapping cloudtrail
  zcat log.gz | whodunit import - --mapping shop.toml")]
pub(crate) struct ImportArgs {
    /// One JSON record a line; `-` for standard input
    file: PathBuf,
    /// How records become events: a mapping file (TOML), or the name of one that comes with whodunit (`cloudtrail`)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Stop at the first bad record
    #[arg(long)]
    strict: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &ImportArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let query = ImportQuery {
        strict: args.strict,
        mapping: args.mapping.as_deref().map(mapping).transpose()?,
    };
    let report = if args.file.as_os_str() == "-" {
        let bar = spinner(terminal);
        send(client, &query, tokio::io::stdin(), bar).await?
    } else {
        let (file, bytes) = open(&args.file).await?;
        let bar = byte_bar(terminal, bytes);
        send(client, &query, file, bar).await?
    };
    print(&report, terminal)?;
    Ok(exit(&report))
}

/// A mapping's text: of a file, or of one that is built in. Checked here, so that a mistake is found before anything is
/// sent.
pub(crate) fn mapping(path: &Path) -> Result<String, CliError> {
    let built_in = path
        .to_str()
        .and_then(|name| BUILT_IN.iter().find(|(known, _)| *known == name));
    let text = match built_in {
        Some((_, text)) if !path.exists() => (*text).to_owned(),
        _ => super::files::read_text(path)?,
    };
    match Mapping::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CliError::usage(
            format!("`{}`: {error}", path.display()),
            "docs/MAPPING.md says how a mapping file is written",
        )),
    }
}

async fn open(path: &Path) -> Result<(tokio::fs::File, u64), CliError> {
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let metadata = file.metadata().await.map_err(failed)?;
    if metadata.is_dir() {
        return Err(CliError::usage(
            format!("`{}` is a folder", path.display()),
            "name a file of one JSON record a line",
        ));
    }
    Ok((file, metadata.len()))
}

/// Sends what the reader brings, and shows how far it is.
pub(crate) async fn send<R>(
    client: &Client,
    query: &ImportQuery,
    reader: R,
    bar: ProgressBar,
) -> Result<ImportReport, CliError>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let progress = bar.clone();
    let pieces = stream::try_unfold((reader, progress), |(mut reader, progress)| async move {
        let mut piece = vec![0; PIECE_BYTES];
        let read = reader.read(&mut piece).await?;
        if read == 0 {
            return Ok::<_, io::Error>(None);
        }
        piece.truncate(read);
        progress.inc(read as u64);
        Ok(Some((piece, (reader, progress))))
    });
    let report = client.import(query, pieces).await;
    bar.finish_and_clear();
    Ok(report?)
}

fn byte_bar(terminal: &Terminal<'_>, bytes: u64) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let template = "importing {bar:30} {bytes}/{total_bytes}  {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

fn spinner(terminal: &Terminal<'_>) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("importing {spinner} {bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

/// A record that could not be imported is a finding.
fn exit(report: &ImportReport) -> Exit {
    if report.failed > 0 || report.stopped {
        Exit::No
    } else {
        Exit::Ok
    }
}

fn print(report: &ImportReport, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if terminal.form.json {
        return terminal.document(report);
    }
    let mut table = Table::new([Column::new(""), Column::new("").right(), Column::new("")]);
    let mut add = |name: &str, n: u64, note: &str| {
        table.row([name.into(), number(n).into(), Cell::new(note, Token::Muted)]);
    };
    add("records read", report.read, "");
    add("events added", report.added, "");
    if report.decisions > 0 {
        add("decisions added", report.decisions, "");
    }
    add("repeated", report.repeated, "on record already");
    if !report.rules.is_empty() {
        add(
            "skipped",
            report.skipped,
            "no rule takes them, or one says to skip them",
        );
    }
    add("failed", report.failed, "");
    add("head", report.head, "");
    let widths = table.widths(None);
    let colours = terminal.form.colours;
    for line in table.lines(&widths, colours) {
        terminal.line(line)?;
    }
    let used: Vec<_> = report
        .rules
        .iter()
        .filter(|rule| rule.records > 0)
        .collect();
    if !used.is_empty() {
        let mut rules = Table::new([
            Column::new("rule").shrinks_to(20),
            Column::new("records").right(),
        ]);
        for rule in used {
            rules.row([Cell::from(&rule.rule), number(rule.records).into()]);
        }
        terminal.line("")?;
        terminal.table(&rules)?;
    }
    for error in &report.errors {
        terminal.note(format!("line {}: {}", error.line, shown(&error.reason)))?;
    }
    let named = report.errors.len() as u64;
    if report.failed > named {
        terminal.note(format!("… and {} more", number(report.failed - named)))?;
    }
    if report.stopped {
        terminal.note(
            "stopped at the first bad record, as `--strict` asks; what came before it is stored",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Form;
    use serde_json::json;

    #[test]
    fn built_in_mappings_fit() {
        for (name, _) in BUILT_IN {
            assert!(mapping(Path::new(name)).is_ok(), "{name}");
        }
        let error = mapping(Path::new("no/such.toml")).unwrap_err();
        assert_eq!(error.exit(), Exit::NotFound);
    }

    #[test]
    fn a_report_is_a_table_and_bad_records_are_messages() {
        let report: ImportReport = serde_json::from_value(json!({
            "read": 2900, "added": 570, "repeated": 3, "decisions": 0, "skipped": 2326, "failed": 1,
            "errors": [{"line": 7, "reason": "not JSON\u{1b}"}], "stopped": false, "head": 574,
            "rules": [{"rule": "reads", "records": 0}, {"rule": "IAM users: deleted", "records": 4}]
        }))
        .unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        print(&report, &mut terminal).unwrap();
        assert_eq!(exit(&report), Exit::No);
        assert_eq!(String::from_utf8(err).unwrap(), "line 7: not JSON␛\n");
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        records read  2,900
        events added    570
        repeated          3  on record already
        skipped       2,326  no rule takes them, or one says to skip them
        failed            1
        head            574

        rule                records
        IAM users: deleted        4
        ");
    }
}
