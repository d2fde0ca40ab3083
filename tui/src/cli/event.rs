//! `whodunit event`: everything about one event, and what led to it.

use clap::Args;
use serde::Serialize;
use whodunit_core::api::causes::{CauseEnd, CauseKind, CauseNode};
use whodunit_core::event::Event;
use whodunit_core::note::Note;
use whodunit_core::sentence::{because, of_event};
use whodunit_core::text::shown;

use super::args::given;
use super::exit::{CliError, Exit};
use super::link;
use super::names;
use super::note;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, ClientError, Count, NotesQuery, Origin, Subject, TraceQuery};
use crate::zone::Zone;

/// Causes shown at most.
const CAUSES_MAX: usize = 8;

/// Arguments of `whodunit event`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit event user-7f3c@4                  revision 4 of the stream whose name begins so
  whodunit event pos:873                     the event at a position of the log
  whodunit event 0195c8d6-4ef8               the beginning of its id")]
pub(crate) struct EventArgs {
    /// The event: its id or the beginning of it, `STREAM@REVISION`, or `pos:POSITION` (also `'#POSITION'`, quoted)
    #[arg(value_parser = given)]
    event_id: String,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
    /// Print a link to its revision instead (`whodunit open-link`)
    #[arg(long, conflicts_with = "reveal")]
    link: bool,
}

/// An event with the notes about it.
#[derive(Serialize)]
struct WithNotes<'a> {
    #[serde(flatten)]
    event: &'a Event,
    /// Absent where there are none.
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    notes: &'a [Note],
}

/// Runs it.
pub(crate) async fn run(
    args: &EventArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let event = names::event(&args.event_id, args.reveal, client, terminal).await?;
    if args.link {
        return link::print(&event.stream, event.revision, client, terminal).await;
    }
    let query = NotesQuery {
        event_id: Some(event.event_id.clone()),
        ..NotesQuery::default()
    };
    let notes = note::beside(query, client, terminal)
        .await?
        .unwrap_or_default();
    if terminal.form.json {
        terminal.document(&WithNotes {
            event: &event,
            notes: &notes.items,
        })?;
        return Ok(Exit::Ok);
    }
    let origin = client
        .origin(&Subject::Event(Box::new(event.clone())))
        .await?;
    for line in sentences(&event, &origin, terminal.form.zone) {
        terminal.line(terminal.paint(Token::Heading, &line))?;
    }
    let causes = causes(&event, client, terminal.form.zone).await?;
    let table = details(&event, &causes, terminal.form.zone);
    let widths = table.widths(None);
    let colours = terminal.form.colours;
    for line in table.lines(&widths, colours) {
        terminal.line(line)?;
    }
    for (title, json) in [
        ("data", Some(&event.data)),
        ("metadata", event.metadata.as_ref()),
    ] {
        if let Some(json) = json {
            terminal.line(terminal.paint(Token::Muted, title))?;
            terminal.document(&json.to_value())?;
        }
    }
    note::print(&notes, terminal)?;
    Ok(Exit::Ok)
}

/// What happened and what led to it, as on the screens; the stream is named, as nothing else on the line says which it is.
pub(super) fn sentences(event: &Event, origin: &Origin, zone: Zone) -> Vec<String> {
    let offset_at = |at| zone.offset_at(at);
    let batch = |count: &Option<Count>| count.as_ref().map(Count::batch);
    let stream = event.stream.as_str();
    let said = of_event(event, Some(stream), batch(&origin.batch), &offset_at);
    let mut out = vec![said.to_string()];
    if let Some(cause) = &origin.cause {
        out.push(because(cause, event, batch(&origin.cause_batch), &offset_at).to_string());
    }
    out
}

fn details(event: &Event, causes: &[String], zone: Zone) -> Table {
    let mut table = Table::new([Column::new(""), Column::new("")]);
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([Cell::new(name, Token::Muted), value.into()]);
        }
    };
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_default();
    add("type", event.event_type.clone());
    add("who", or_nothing(&event.actor));
    add("when", zone.long(event.recorded_at));
    add("why", or_nothing(&event.reason));
    for (n, cause) in causes.iter().enumerate() {
        add(if n == 0 { "cause" } else { "" }, format!("← {cause}"));
    }
    add("stream", event.stream.to_string());
    add("revision", event.revision.to_string());
    add("position", event.position.to_string());
    add("event id", event.event_id.clone());
    add("schema", event.schema_version.to_string());
    add("correlation", or_nothing(&event.correlation_id));
    add("causation", or_nothing(&event.causation_id));
    table
}

/// What led to the event: its command, the event that the command answered to, that one's command, and so on. A chain that
/// comes back to where it was ends there and says so; of a long one the first causes are shown, and how many follow.
async fn causes(event: &Event, client: &Client, zone: Zone) -> Result<Vec<String>, ClientError> {
    if event.causation_id.is_none() {
        return Ok(Vec::new());
    }
    let query = TraceQuery {
        limit: Some(1),
        ..TraceQuery::default()
    };
    let found = client.causes(&event.event_id, &query).await?;
    let seen = std::iter::once(&event.event_id).chain(found.causes.iter().map(|node| &node.id));
    let seen: Vec<&String> = seen.collect();
    let mut all: Vec<String> = found.causes.iter().map(|node| line(node, zone)).collect();
    let id = found.end_id.unwrap_or_default();
    if found.end == CauseEnd::NotOnRecord {
        all.push(format!("{} (not in this log)", shown(&id)));
    }
    let more = all.len().saturating_sub(CAUSES_MAX);
    all.truncate(CAUSES_MAX);
    match found.end {
        CauseEnd::Cycle => {
            let ago = seen.iter().rev().position(|known| **known == id);
            all.push(cycle(&id, ago.unwrap_or_default(), seen.len(), more));
        }
        CauseEnd::Cut => all.push(format!("… at least {more} more; the chain continues")),
        CauseEnd::First | CauseEnd::NotOnRecord if more > 0 => all.push(format!("… {more} more")),
        CauseEnd::First | CauseEnd::NotOnRecord => {}
    }
    Ok(all)
}

/// That a chain has come back to one of its own: `ago` steps before, of `seen`; `more` causes are not shown.
fn cycle(id: &str, ago: usize, seen: usize, more: usize) -> String {
    let unseen = if more > 0 {
        format!("… {more} more, then ")
    } else {
        String::new()
    };
    let to = if ago + 1 == seen {
        "this event".to_owned()
    } else {
        format!("{} above", shown(id))
    };
    format!("{unseen}a cycle: caused by {to} again")
}

/// A cause in one line.
fn line(cause: &CauseNode, zone: Zone) -> String {
    if cause.kind == CauseKind::Command {
        return format!("command {}", shown(&cause.kind_of));
    }
    let part = |mark: &str, text: &Option<String>| {
        text.as_deref()
            .map_or_else(String::new, |text| format!("{mark}{}", shown(text)))
    };
    format!(
        "{}  {} revision {}  {}{}{}",
        shown(&cause.kind_of),
        cause.stream,
        cause.revision,
        zone.exact(cause.at),
        part("  ", &cause.actor),
        part("  ", &cause.reason),
    )
}
