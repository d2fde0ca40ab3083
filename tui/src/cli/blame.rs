//! `whodunit blame` and `whodunit field`: what set each field of a state, and what a field was before.

use clap::Args;
use whodunit_core::api::investigate::{BlameOut, EventCause, FieldValueOut};
use whodunit_core::api::why::RefusedAttempts;
use whodunit_core::ids::Revision;
use whodunit_core::json::Value;
use whodunit_core::text::shown;

use super::args::{AtArgs, LIMIT_DEFAULT, PAGE_ITEMS, limit};
use super::exit::{CliError, Exit};
use super::names::{NamesStream, StreamArg};
use super::show::{self, REJECTED};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Terminal, Times};
use crate::client::{Client, FieldQuery, Order};
use crate::text::clause;

/// Arguments of `whodunit blame`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit blame user-7f3c…                       which event set each field: when, who, why
  whodunit blame user-7f3c… --as-of 2025-03-24T15:47:00Z --path /status
  whodunit blame cart-1 --removed                 also fields that are gone")]
pub(crate) struct BlameArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    #[command(flatten)]
    at: AtArgs,
    /// Only fields at or below this path, such as /address
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    path: Option<String>,
    /// Also fields that were removed
    #[arg(long)]
    removed: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

impl NamesStream for BlameArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit blame`.
pub(crate) async fn run(
    args: &BlameArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let (at, path) = (args.at.at(), args.path.as_deref());
    let out = client
        .blame(&args.stream.name()?, at, path, args.removed, args.reveal)
        .await?;
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        terminal.document(&out)?;
        return Ok(Exit::Ok);
    }
    print_blame(&out, terminal)?;
    Ok(Exit::Ok)
}

fn columns(terminal: &Terminal<'_>, first: &'static str) -> Table {
    Table::new([
        Column::new(first).shrinks_to(12).cut_in_the_middle(),
        Column::new("value").shrinks_to(12),
        Column::new("rev").right(),
        Column::new(terminal.form.zone.heading()),
        Column::new("who").shrinks_to(10),
        Column::new("type").shrinks_to(13),
        Column::new("why").shrinks_to(12),
    ])
}

fn print_blame(out: &BlameOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let heading = format!(
        "{}  revision {} of {}",
        out.stream, out.revision, out.head_revision
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    show::warnings(terminal, &out.warnings)?;
    if out.fields.is_empty() {
        terminal.line("(empty)")?;
    } else {
        let times = times(
            terminal,
            out.fields.iter().map(|field| field.event.as_ref()),
        );
        let mut table = columns(terminal, "field");
        for field in &out.fields {
            let name = field.label.as_ref().unwrap_or(&field.path);
            let value = Cell::from(show::value(&field.value));
            table.row(row(
                show::path(name),
                value,
                (field.revision, field.event.as_ref()),
                times,
            ));
            refused_under(&mut table, &field.refused, "since then", terminal);
        }
        terminal.table(&table)?;
    }
    let Some(removed) = &out.removed else {
        return Ok(());
    };
    terminal.line("")?;
    terminal.line(terminal.paint(Token::Heading, "no longer there"))?;
    if removed.is_empty() {
        terminal.line("(none)")?;
    } else {
        let times = times(terminal, removed.iter().map(|field| field.event.as_ref()));
        let mut table = columns(terminal, "field");
        for field in removed {
            let name = field.label.as_ref().unwrap_or(&field.path);
            let value = Cell::new(show::value(&field.value), Token::Removed);
            table.row(row(
                show::path(name),
                value,
                (field.revision, field.event.as_ref()),
                times,
            ));
        }
        terminal.table(&table)?;
    }
    if out.removed_dropped > 0 {
        let fields = clause(out.removed_dropped, "more field", "was");
        terminal.note(format!(
            "{fields} removed, by events that are no longer known"
        ))?;
    }
    Ok(())
}

/// Under what was set: the attempts to change it that were refused.
fn refused_under(
    table: &mut Table,
    refused: &RefusedAttempts,
    when: &str,
    terminal: &Terminal<'_>,
) {
    let Some(last) = refused.last.last() else {
        return;
    };
    let (count, attempts) = match refused.total {
        1 => (String::new(), "an attempt to change it was"),
        total => (show::number(total), " attempts to change it were"),
    };
    let by = last
        .actor
        .as_deref()
        .map_or_else(String::new, |actor| format!(" by {actor}"));
    let text = format!(
        "{REJECTED} {count}{attempts} refused {when}, the last{by} on {}: {} ({})",
        terminal.form.zone.exact(last.decided_at),
        last.command_type,
        last.rule
    );
    table.under(Cell::new(text, Token::Rejected));
}

fn times<'a>(
    terminal: &Terminal<'_>,
    events: impl Iterator<Item = Option<&'a EventCause>>,
) -> Times {
    terminal
        .form
        .times(events.flatten().map(|event| event.recorded_at))
}

/// What a value was, and what set it.
fn row(
    first: String,
    value: Cell,
    (revision, event): (Revision, Option<&EventCause>),
    times: Times,
) -> Vec<Cell> {
    let mut cells = vec![first.into(), value, revision.to_string().into()];
    match event {
        Some(event) => cells.extend([
            times.show(event.recorded_at).into(),
            Cell::new(show::text(event.actor.as_ref()), Token::Accent),
            event.event_type.as_str().into(),
            show::text(event.reason.as_ref()).into(),
        ]),
        None => cells.extend(["".into(), "".into(), "(initial state)".into(), "".into()]),
    }
    cells
}

pub(super) fn pointer(text: &str) -> Result<String, String> {
    match text.parse::<whodunit_core::pointer::Pointer>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Arguments of `whodunit field`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit field user-7f3c… /status               every value it had: when, who, why; newest first
  whodunit field cart-1 '/lines[id=7]/price'      an element by its identity, wherever it stood
  whodunit field user-7f3c… /email --oldest --as-of 2025-03-24T00:00:00Z")]
pub(crate) struct FieldArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The field's path, such as /status
    #[arg(value_name = "POINTER", value_parser = pointer)]
    path: String,
    #[command(flatten)]
    at: AtArgs,
    /// At most this many values
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// All of them; with `--json`, one per line
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Oldest first
    #[arg(long)]
    oldest: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

impl NamesStream for FieldArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit field`.
pub(crate) async fn run_field(
    args: &FieldArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = args.stream.name()?;
    let mut query = FieldQuery {
        path: args.path.clone(),
        at: args.at.at(),
        order: if args.oldest {
            Order::Forward
        } else {
            Order::Backward
        },
        cursor: None,
        limit: None,
        reveal: args.reveal,
    };
    let mut left = if args.all { usize::MAX } else { args.limit };
    loop {
        query.limit = Some(left.min(PAGE_ITEMS));
        let page = client.field(&stream, &query).await?;
        left = left.saturating_sub(page.values.len());
        if query.cursor.is_none() {
            show::warn(terminal, &page.warnings)?;
        }
        if terminal.form.json && !args.all {
            terminal.document(&page)?;
            return Ok(Exit::Ok);
        }
        if terminal.form.json {
            for value in &page.values {
                terminal.record(value)?;
            }
        } else {
            if query.cursor.is_none() {
                let heading = format!("{}  {}", page.stream, show::path(&page.path));
                terminal.line(terminal.paint(Token::Heading, &heading))?;
                show::warnings(terminal, &page.warnings)?;
            }
            print_values(&page.values, terminal)?;
            if let Some(last) = page.refused_before.last.last() {
                terminal.line(format!(
                    "{REJECTED} refused before it had any value: {}, the last {} ({})",
                    show::number(page.refused_before.total),
                    shown(&last.command_type),
                    shown(&last.rule)
                ))?;
            }
        }
        match page.next_cursor {
            Some(next) if left > 0 => query.cursor = Some(next),
            Some(_) => {
                terminal.note("hint: there are more: `--all` shows them")?;
                return Ok(Exit::Ok);
            }
            None => return Ok(Exit::Ok),
        }
    }
}

fn print_values(values: &[FieldValueOut], terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let times = times(terminal, values.iter().map(|value| value.event.as_ref()));
    let mut table = Table::new([
        Column::new("rev").right(),
        Column::new(terminal.form.zone.heading()),
        Column::new("value").shrinks_to(12),
        Column::new("who").shrinks_to(10),
        Column::new("type").shrinks_to(13),
        Column::new("why").shrinks_to(12),
    ]);
    for value in values {
        let refused = &value.refused;
        let had = match (value.absent, &value.value) {
            (true, _) => Cell::new("(removed)", Token::Removed),
            (false, Value::Null) => "null".into(),
            (false, other) => show::value(other).into(),
        };
        let cells = row(
            String::new(),
            had,
            (value.revision, value.event.as_ref()),
            times,
        );
        let mut cells = cells.into_iter().skip(1);
        if let (Some(value), Some(revision), Some(time)) =
            (cells.next(), cells.next(), cells.next())
        {
            let rest = [revision, time, value].into_iter().chain(cells);
            table.row(rest.collect::<Vec<_>>());
        }
        refused_under(&mut table, refused, "while it had this value", terminal);
    }
    terminal.table(&table)
}
