//! Pieces that several commands show: events, states, differences, values.

use serde_json::{Map, Value};
use whodunit_core::api::warning::Warning;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::diff::DiffEntry;
use whodunit_core::event::Event;
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::exit::CliError;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal, Times};
use crate::text::cut;

pub(crate) use crate::text::number;
pub(crate) use whodunit_core::shown::value;

/// Lines of a terminal that a value takes at most.
const VALUE_LINES: usize = 8;

/// What stands before a rejected command.
pub(crate) const REJECTED: &str = "✗";

/// A line of a history: an event, or a command that was rejected.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'e, 'd> {
    /// An event.
    Event(&'e Event),
    /// A decision; a rejected one.
    Rejected(&'d Decision),
}

impl Entry<'_, '_> {
    fn time(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.recorded_at,
            Self::Rejected(decision) => decision.decided_at,
        }
    }
}

/// A table of events. A column in which nothing stands is left out.
pub(crate) fn history(entries: &[Entry<'_, '_>], form: Form, of_one_stream: bool) -> Table {
    let mut table = Table::new(columns(form, of_one_stream));
    let times = form.times(entries.iter().map(Entry::time));
    fill(&mut table, entries, times, of_one_stream);
    table.drop_empty_columns();
    table
}

/// A table of events that come one by one: its columns have room for those to come.
pub(crate) fn feed(entry: &Entry<'_, '_>, form: Form, of_one_stream: bool) -> Table {
    let mut columns = columns(form, of_one_stream);
    for (column, room) in columns.iter_mut().zip([6, 23, 0, 3, 20, 16, 0, 24]) {
        *column = column.at_least(room);
    }
    // A stream's name is as long as its category's others.
    if let (Entry::Event(event), Some(column)) = (entry, columns.get_mut(2))
        && !of_one_stream
    {
        *column = column.at_least(event.stream.as_str().len().max(30));
    }
    let mut table = Table::new(columns);
    fill(
        &mut table,
        std::slice::from_ref(entry),
        form.exact_times(),
        of_one_stream,
    );
    table
}

fn columns(form: Form, of_one_stream: bool) -> Vec<Column> {
    vec![
        Column::new(if of_one_stream { "rev" } else { "pos" }).right(),
        Column::new(form.zone.heading()),
        Column::new(if of_one_stream { "" } else { "stream" })
            .shrinks_to(14)
            .is_name(),
        Column::new(if of_one_stream { "" } else { "rev" }).right(),
        Column::new("type").shrinks_to(13),
        Column::new("who").shrinks_to(10).goes(3),
        Column::new("from").shrinks_to(9).goes(1),
        Column::new("why").shrinks_to(12).goes(2),
    ]
}

fn fill(table: &mut Table, entries: &[Entry<'_, '_>], times: Times, of_one_stream: bool) {
    for entry in entries {
        table.row(match entry {
            Entry::Event(event) => event_row(event, times, of_one_stream),
            Entry::Rejected(decision) => rejected_row(decision, times, of_one_stream),
        });
    }
}

fn event_row(event: &Event, times: Times, of_one_stream: bool) -> Vec<Cell> {
    let revision = event.revision.to_string();
    let (first, stream, second) = if of_one_stream {
        (revision, String::new(), String::new())
    } else {
        (
            event.position.to_string(),
            event.stream.to_string(),
            revision,
        )
    };
    let refused = event
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.to_value()["outcome"] == "refused");
    let token = if refused {
        Token::Rejected
    } else {
        Token::Plain
    };
    vec![
        first.into(),
        times.show(event.recorded_at).into(),
        stream.into(),
        second.into(),
        Cell::new(&event.event_type, token),
        Cell::new(text(event.actor.as_ref()), Token::Accent),
        source(event).into(),
        text(event.reason.as_ref()).into(),
    ]
}

fn rejected_row(decision: &Decision, times: Times, of_one_stream: bool) -> Vec<Cell> {
    let why = match &decision.result {
        Outcome::Rejected { rule, message } => format!("{rule}: {message}"),
        Outcome::Accepted { .. } => String::new(),
    };
    let stream = if of_one_stream {
        String::new()
    } else {
        decision.stream.to_string()
    };
    vec![
        Cell::new(REJECTED, Token::Rejected),
        times.show(decision.decided_at).into(),
        stream.into(),
        "".into(),
        Cell::new(&decision.command_type, Token::Rejected),
        Cell::new(text(decision.actor.as_ref()), Token::Accent),
        "".into(),
        Cell::new(why, Token::Rejected),
    ]
}

/// Where an event came from: `source_address` of its metadata, by custom.
fn source(event: &Event) -> String {
    event
        .metadata
        .as_ref()
        .and_then(|metadata| match metadata.to_value().get("source_address") {
            Some(Value::String(address)) => Some(address.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

/// The text, or nothing.
pub(crate) fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// A path for people: `/address/city` as `address/city`.
pub(crate) fn path(pointer: &str) -> String {
    let name = pointer.strip_prefix('/').unwrap_or(pointer);
    // A `/` or `~` in a key stays escaped: else `x/y` would look like `y` in `x`.
    shown(name).into_owned()
}

/// A state as a table of its fields.
pub(crate) fn state(terminal: &Terminal<'_>, fields: &Map<String, Value>) -> Table {
    let mut table = Table::new([Column::new("field"), Column::new("value")]);
    for (name, field) in fields {
        let value = within(terminal, &value(field));
        table.row([Cell::new(name, Token::Muted), value.into()]);
    }
    table
}

/// On a terminal, so much of a value as is still read; a terminal breaks its lines by itself, so no digit is lost.
fn within(terminal: &Terminal<'_>, value: &str) -> String {
    match terminal.form.width {
        Some(width) => cut(value, width * VALUE_LINES),
        None => value.to_owned(),
    }
}

/// The lines of a difference: `~ status  active → suspended`.
pub(crate) fn diff(terminal: &Terminal<'_>, entries: &[DiffEntry], indent: usize) -> Vec<String> {
    let mut table = Table::new([Column::new(""), Column::new(""), Column::new("")]);
    let value = |field: &Value| within(terminal, &value(field));
    for entry in entries {
        let (mark, token, change) = match (&entry.before, &entry.after) {
            (None, Some(after)) => ("+", Token::Added, value(after)),
            (Some(before), None) => ("-", Token::Removed, value(before)),
            (Some(before), Some(after)) => {
                let change = format!("{} → {}", value(before), value(after));
                let change = match &entry.note {
                    Some(note) => format!("{change} ({note})"),
                    None => change,
                };
                ("~", Token::Changed, change)
            }
            (None, None) => ("~", Token::Changed, String::new()),
        };
        table.row([
            Cell::new(mark, token),
            path(entry.label.as_ref().unwrap_or(&entry.path)).into(),
            Cell::new(change, token),
        ]);
    }
    let width = terminal
        .form
        .width
        .map(|width| width.saturating_sub(indent));
    let widths = table.widths(width);
    table
        .lines(&widths, terminal.form.colours)
        .map(|line| format!("{}{line}", " ".repeat(indent)))
        .collect()
}

/// Warnings of a reply, as messages on standard error.
pub(crate) fn warn(terminal: &mut Terminal<'_>, warnings: &[Warning]) -> Result<(), CliError> {
    for warning in warnings {
        terminal.warn(crate::humanize::warning(warning))?;
    }
    Ok(())
}

/// The same as lines of the answer, so that it is never without them.
pub(crate) fn warnings(terminal: &mut Terminal<'_>, warnings: &[Warning]) -> Result<(), CliError> {
    for warning in warnings {
        let text = format!("! {}", shown(&crate::humanize::warning(warning)));
        terminal.line(terminal.paint(Token::Error, &text))?;
    }
    Ok(())
}
