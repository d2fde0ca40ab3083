//! `whodunit import`: records from a file or standard input into the log.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncRead, AsyncReadExt};
use whodunit_core::api::write::{ImportReport, RuleCount};
use whodunit_core::event::Event;
use whodunit_core::mapping::Mapping;
use whodunit_core::text::shown;
use whodunit_core::transfer::format::{SNIFFED_BYTES, foreign};

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
  whodunit import shop.ndjson --mapping shop.toml --dry-run
  zcat log.gz | whodunit import - --mapping shop.toml")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, as its caller writes it"
)]
pub(crate) struct ImportArgs {
    /// One JSON record a line; `-` for standard input
    file: PathBuf,
    /// How records become events: a mapping file (TOML), or the name of one that comes with whodunit (`cloudtrail`)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Import nothing, and show what would be
    #[arg(long)]
    dry_run: bool,
    /// Stop at the first bad record
    #[arg(long)]
    strict: bool,
    /// Give events that cannot keep their own revision the next one; theirs stays in their metadata
    #[arg(long)]
    renumber: bool,
    /// Take a redacted export into a log that holds other history; it is labelled as a redacted copy then
    #[arg(long)]
    allow_redacted: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &ImportArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let query = ImportQuery {
        strict: args.strict,
        renumber: args.renumber,
        allow_redacted: args.allow_redacted,
        dry_run: args.dry_run,
        mapping: args.mapping.as_deref().map(mapping).transpose()?,
    };
    let report = if args.file.as_os_str() == "-" {
        let bar = spinner(terminal);
        send(client, &query, tokio::io::stdin(), bar).await?
    } else {
        let (file, bytes) = open(&args.file).await?;
        check_format(&args.file).await?;
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

/// Refuses a file of another format before anything is sent, with the words that the daemon would have for it.
pub(crate) async fn check_format(path: &Path) -> Result<(), CliError> {
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut first = Vec::new();
    let mut reader = file.take(SNIFFED_BYTES as u64);
    reader.read_to_end(&mut first).await.map_err(failed)?;
    match foreign(&first, first.len() < SNIFFED_BYTES) {
        None => Ok(()),
        Some(said) => {
            let place = path.display();
            Err(CliError::usage(
                format!("`{place}`: {said}"),
                "nothing was imported",
            ))
        }
    }
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
    if report.failed > 0 || report.missing > 0 || report.stopped {
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
    for (name, count, note) in counts(report) {
        let note = Cell::new(note, Token::Muted);
        table.row([name.into(), number(count).into(), note]);
    }
    let widths = table.widths(None);
    let colours = terminal.form.colours;
    for line in table.lines(&widths, colours) {
        terminal.line(line)?;
    }
    print_rules(report, terminal)?;
    if !report.preview.is_empty() {
        terminal.line("")?;
        terminal.line("the first events would be")?;
        for event in &report.preview {
            terminal.line(preview(event))?;
        }
    }
    print_notes(report, terminal)
}

/// What was counted; what is zero and says nothing is left out.
fn counts(report: &ImportReport) -> Vec<(&'static str, u64, &'static str)> {
    let (added, decisions) = if report.dry_run {
        ("events to add", "decisions to add")
    } else {
        ("events added", "decisions added")
    };
    let mut rows = vec![("records read", report.read, ""), (added, report.added, "")];
    let mut some = |name, count, note| {
        if count > 0 {
            rows.push((name, count, note));
        }
    };
    some("streams", report.streams, "they go to");
    some(decisions, report.decisions, "");
    some("repeated", report.repeated, "on record already");
    some(
        "skipped",
        report.skipped - report.unmatched.min(report.skipped),
        "a rule says to skip them",
    );
    some("unmatched", report.unmatched, "no rule takes them");
    some(
        "daemon's time",
        report.clock_used,
        "they say no time of their own",
    );
    some(
        "texts cut",
        report.texts_cut,
        "too long; the whole is in the metadata",
    );
    some(
        "new positions",
        report.renumbered,
        "theirs was not the next one",
    );
    some(
        "new revisions",
        report.gaps.records,
        "theirs is in the metadata",
    );
    some(
        "back in time",
        report.backwards.records,
        "earlier than an event before them in their stream",
    );
    some("missing", report.missing, "the file was cut short");
    rows.push(("failed", report.failed, ""));
    rows.push(("head", report.head, ""));
    rows
}

fn print_rules(report: &ImportReport, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let used = |rule: &&RuleCount| rule.records + rule.skipped + rule.failed > 0;
    let used: Vec<_> = report.rules.iter().filter(used).collect();
    if used.is_empty() {
        return Ok(());
    }
    let mut rules = Table::new([
        Column::new("rule").shrinks_to(20),
        Column::new("records").right(),
        Column::new(""),
    ]);
    for rule in used {
        let note = Cell::new(note(rule), Token::Muted);
        rules.row([Cell::from(&rule.rule), number(rule.records).into(), note]);
    }
    terminal.line("")?;
    terminal.table(&rules)
}

/// What a rule did beside making events.
fn note(rule: &RuleCount) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (rule.skipped, "skipped"),
        (rule.failed, "failed"),
        (rule.clock_used, "with the daemon's time"),
        (rule.texts_cut, "with a text cut"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", number(count)));
        }
    }
    for dropped in &rule.dropped {
        parts.push(format!(
            "{} of `{}` left out in {} records",
            number(dropped.elements),
            dropped.list,
            number(dropped.records)
        ));
    }
    parts.join(", ")
}

/// An event of a dry run on one line.
fn preview(event: &Event) -> String {
    shown(&format!(
        "  {} {} {} by {} at {}: {}",
        event.stream,
        event.revision,
        event.event_type,
        event.actor.as_deref().unwrap_or("-"),
        event.recorded_at,
        event.data.as_str().chars().take(200).collect::<String>()
    ))
    .into_owned()
}

/// What a person has to know beside the counts.
pub(crate) fn print_notes(
    report: &ImportReport,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    for error in &report.errors {
        let also = match error.count {
            0 | 1 => String::new(),
            count => format!(" ({} records, the first of them)", number(count)),
        };
        let reason = shown(&error.reason);
        terminal.note(format!("line {}: {reason}{also}", error.line))?;
    }
    let named: u64 = report.errors.iter().map(|error| error.count).sum();
    if report.failed > named {
        let more = number(report.failed - named);
        terminal.note(format!("… and {more} more, for other reasons"))?;
    }
    for (counts, what) in [
        (&report.backwards, "go back in time"),
        (&report.gaps, "have new revisions"),
    ] {
        for count in &counts.first {
            let (stream, records) = (shown(&count.stream), number(count.records));
            terminal.note(format!(
                "`{stream}`: {records} {what}, from line {}",
                count.line
            ))?;
        }
        let unnamed = counts.streams - counts.first.len() as u64;
        if unnamed > 0 {
            let more = if counts.more { " or more" } else { "" };
            let unnamed = number(unnamed);
            terminal.note(format!("… and {unnamed}{more} more streams {what}"))?;
        }
    }
    if report.redacted_copy {
        terminal.note(
            "this log is a redacted copy: values shown as `[redacted]` are not what was recorded",
        )?;
    }
    if report.stopped {
        terminal.note(
            "stopped at the first bad record, as `--strict` asks; what came before it is stored",
        )?;
    }
    if report.dry_run {
        terminal.note(
            "a dry run: nothing was imported; unique keys, and the events that decisions name, are looked at only then",
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
            "read": 2900, "added": 570, "repeated": 3, "decisions": 0, "skipped": 2326, "unmatched": 6,
            "failed": 3, "clock_used": 2,
            "errors": [{"line": 7, "reason": "not JSON\u{1b}"}, {"line": 9, "reason": "no", "count": 2, "lines": [9, 11]}],
            "stopped": false, "head": 574,
            "backwards": {"records": 5, "streams": 2, "more": false, "first": [{"stream": "a-1", "line": 4, "records": 5}]},
            "rules": [{"rule": "reads", "records": 0}, {"rule": "IAM users: deleted", "records": 4, "clock_used": 2,
                "dropped": [{"list": "/events", "records": 1, "elements": 3}]}]
        }))
        .unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        print(&report, &mut terminal).unwrap();
        assert_eq!(exit(&report), Exit::No);
        assert_eq!(
            String::from_utf8(err).unwrap(),
            "line 7: not JSON␛\nline 9: no (2 records, the first of them)\n\
             `a-1`: 5 go back in time, from line 4\n… and 1 more streams go back in time\n"
        );
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        records read   2,900
        events added     570
        repeated           3  on record already
        skipped        2,320  a rule says to skip them
        unmatched          6  no rule takes them
        daemon's time      2  they say no time of their own
        back in time       5  earlier than an event before them in their stream
        failed             3
        head             574

        rule                records
        IAM users: deleted        4  2 with the daemon's time, 3 of `/events` left out in 1 records
        ");
    }
}
