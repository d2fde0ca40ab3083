//! Bisect over a category or the log: matches as they come, then what it came to.

use std::time::Duration;

use indicatif::ProgressBar;
use whodunit_core::api::investigate::{BisectEnd, BisectIn, BisectLine, BisectMatch};

use super::super::exit::{CliError, Exit};
use super::super::names::{Name, check_known};
use super::super::show;
use super::super::style::Token;
use super::super::table::{Cell, Column, Table, Widths};
use super::super::terminal::Terminal;
use crate::client::{Client, ClientError};
use crate::text::counted;

/// Runs it.
pub(super) async fn run(
    asked: &BisectIn,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let mut lines = client.bisect_lines(asked).await?;
    let bar = if terminal.form.progress {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    } else {
        ProgressBar::hidden()
    };
    let mut widths: Option<Widths> = None;
    let mut end = None;
    while let Some(line) = lines.next().await? {
        if terminal.form.json {
            bar.suspend(|| terminal.record(&line))?;
        }
        match line {
            BisectLine::Match(found) if !terminal.form.json => {
                bar.suspend(|| print(&found, &mut widths, terminal))?;
            }
            BisectLine::Match(_) => {}
            BisectLine::Progress(at) => {
                let streams = counted(at.streams, "stream");
                let revisions = counted(at.revisions, "revision");
                let within = at.within.map_or_else(String::new, |within| {
                    let (revision, to) =
                        (show::number(within.revision.0), show::number(within.to.0));
                    format!("; {} at revision {revision} of {to}", within.stream)
                });
                bar.set_message(format!("{streams}, {revisions} checked{within}"));
            }
            BisectLine::Failed(failed) => {
                let message = format!("{} was not checked: {}", failed.stream, failed.detail);
                bar.suspend(|| terminal.warn(message))?;
            }
            BisectLine::End(found) => end = Some(found),
            BisectLine::Broken(why) => {
                bar.finish_and_clear();
                return Err(ClientError::Problem(why).into());
            }
        }
    }
    bar.finish_and_clear();
    let end = end.ok_or_else(|| ClientError::BadReply {
        url: client.url().to_owned(),
        reason: "its reply ended early".to_owned(),
    })?;
    if end.redacted_copy {
        terminal.warn(
            "this log is a redacted copy: values shown as `[redacted]` are not what was recorded",
        )?;
    }
    if !terminal.form.json {
        print_end(&end, terminal)?;
    }
    if end.streams == 0 {
        let category = asked.category.as_deref().map(Name::Category);
        check_known(category.as_slice(), client, terminal).await?;
    }
    Ok(if end.failed > 0 || end.streams_holding == 0 {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn print(
    found: &BisectMatch,
    widths: &mut Option<Widths>,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let mut table = Table::new([
        Column::new("stream")
            .at_least(30)
            .shrinks_to(14)
            .cut_in_the_middle(),
        Column::new("rev").right().at_least(5),
        Column::new("").at_least(9),
        Column::new(terminal.form.zone.heading()).at_least(23),
        Column::new("who").at_least(16).shrinks_to(10),
        Column::new("type").at_least(18).shrinks_to(13),
        Column::new("why").at_least(20).shrinks_to(12),
    ]);
    let (word, token) = super::holds(found);
    let mut cells: Vec<Cell> = vec![
        found.stream.as_str().into(),
        found.revision.to_string().into(),
        Cell::new(word, token),
    ];
    cells.extend(super::event_cells(found, terminal.form.exact_times()));
    table.row(cells);
    let is_first = widths.is_none();
    let widths = widths.get_or_insert_with(|| table.widths(terminal.form.width));
    let colours = terminal.form.colours;
    if is_first {
        terminal.line(table.heading(widths, colours))?;
    }
    for line in table.lines(widths, colours) {
        terminal.line(line)?;
    }
    Ok(())
}

fn print_end(end: &BisectEnd, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if end.matches_total == 0 {
        terminal.line("it holds nowhere")?;
    }
    let streams = format!(
        "holds in {} of {}",
        show::number(end.streams_holding),
        counted(end.streams, "stream")
    );
    terminal.line(terminal.paint(Token::Heading, &streams))?;
    let work = format!(
        "{}, {} checked, up to position {}",
        counted(end.folds, "fold"),
        counted(end.revisions, "revision"),
        show::number(end.position.0)
    );
    terminal.line(terminal.paint(Token::Muted, &work))?;
    if let Some(undefined) = &end.undefined {
        let line = format!(
            "undefined at {}, such as {} of {}: {}",
            counted(undefined.revisions, "revision"),
            undefined.first,
            undefined.stream,
            undefined.reason
        );
        terminal.line(terminal.paint(Token::Muted, &line))?;
    }
    if end.failed > 0 {
        let failed = counted(end.failed, "stream");
        terminal.warn(format!("{failed} could not be checked"))?;
    }
    Ok(())
}
