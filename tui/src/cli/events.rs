//! `whodunit events`: the log, or one stream's history; `--follow` goes on as it grows.

use clap::Args;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::args::{PageArgs, stream, time};
use super::exit::{CliError, Exit};
use super::pages;
use super::show::{Entry, history};
use super::terminal::Terminal;
use super::{follow, style::Token};
use crate::client::{Client, DecisionsQuery, EventsQuery, Order, StreamEventsQuery};

/// Decisions shown beside a stream's events at most.
const REJECTED_MAX: usize = 500;

/// Arguments of `whodunit events`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit events --category iamuser --type DeleteUser      who deleted which user
  whodunit events --actor fraud-scan --since 2025-03-20T00:00:00Z
  whodunit events user-7f3c…                                one stream, with the commands that were rejected (✗)
  whodunit events --follow --category user                  as they happen")]
pub(crate) struct EventsArgs {
    /// Only this stream, with the commands that were rejected
    #[arg(value_parser = stream)]
    pub(crate) stream: Option<StreamName>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// The newest first
    #[arg(long)]
    pub(crate) newest: bool,
    /// Show the last ones, and then what comes, until interrupted
    #[arg(long, short, conflicts_with_all = ["all", "cursor", "newest", "until"])]
    pub(crate) follow: bool,
    /// Show secrets (which the daemon puts on its own record)
    #[arg(long)]
    pub(crate) reveal: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Which events of the log. Everything given must hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only this category
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only this event type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Only this actor's
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only of this correlation id
    #[arg(long, value_name = "ID")]
    pub(crate) correlation: Option<String>,
    /// Not before this time, such as `2025-03-20T00:00:00Z` or `2h` (ago)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Timestamp>,
    /// Not after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// With this anywhere in it, without regard to case
    #[arg(long)]
    pub(crate) text: Option<String>,
}

impl FilterArgs {
    /// Whether anything was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.category.is_none()
            && self.event_type.is_none()
            && self.actor.is_none()
            && self.correlation.is_none()
            && self.since.is_none()
            && self.until.is_none()
            && self.text.is_none()
    }

    /// The query for it.
    pub(crate) fn query(&self) -> EventsQuery {
        EventsQuery {
            category: self.category.clone(),
            event_type: self.event_type.clone(),
            actor: self.actor.clone(),
            correlation: self.correlation.clone(),
            since: self.since,
            until: self.until,
            text: self.text.clone(),
            ..EventsQuery::default()
        }
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &EventsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if args.follow {
        return follow::run(args, client, terminal).await;
    }
    match &args.stream {
        Some(stream) => {
            if !args.filter.is_empty() {
                return Err(CliError::usage(
                    "a stream's history is not filtered",
                    "leave the stream out, and name it with `--text`",
                ));
            }
            of_stream(stream, args, client, terminal).await
        }
        None => of_log(args, client, terminal).await,
    }
}

async fn of_log(
    args: &EventsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let zone = terminal.form.zone;
    let fetch = |cursor, limit| {
        let query = EventsQuery {
            order: order(args.newest),
            cursor,
            limit: Some(limit),
            reveal: args.reveal,
            ..args.filter.query()
        };
        async move { client.events(&query).await }
    };
    let rows = |_: &Terminal<'_>, events: &[Event]| {
        let entries: Vec<_> = events.iter().map(Entry::Event).collect();
        history(&entries, zone, false)
    };
    let nothing = if args.filter.is_empty() {
        "the log is empty"
    } else {
        "no event fits"
    };
    pages::list(terminal, &args.page, fetch, rows, nothing).await?;
    Ok(Exit::Ok)
}

async fn of_stream(
    stream: &StreamName,
    args: &EventsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let zone = terminal.form.zone;
    let rejected = if terminal.form.json {
        Vec::new()
    } else {
        rejected(stream, client, args.newest).await?
    };
    let mut waiting = rejected.iter().peekable();
    let fetch = |cursor, limit| {
        let query = StreamEventsQuery {
            from: None,
            order: order(args.newest),
            cursor,
            limit: Some(limit),
            reveal: args.reveal,
        };
        async move { client.stream_events(stream, &query).await }
    };
    let rows = |_: &Terminal<'_>, events: &[Event]| {
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            // A decision stands after the event of its base revision.
            while let Some(decision) = waiting.next_if(|d| comes_before(d, event, args.newest)) {
                entries.push(Entry::Rejected(decision));
            }
            entries.push(Entry::Event(event));
        }
        let at_the_end = events
            .last()
            .is_some_and(|event| is_last(event, args.newest));
        while let Some(decision) =
            waiting.next_if(|d| at_the_end || d.base_revision.0 == last(events))
        {
            entries.push(Entry::Rejected(decision));
        }
        history(&entries, zone, true)
    };
    pages::list(terminal, &args.page, fetch, rows, "the stream is empty").await?;
    Ok(Exit::Ok)
}

fn comes_before(decision: &Decision, event: &Event, newest: bool) -> bool {
    if newest {
        decision.base_revision >= event.revision
    } else {
        decision.base_revision < event.revision
    }
}

/// Whether nothing can come after it: the first event, when the newest come first.
fn is_last(event: &Event, newest: bool) -> bool {
    newest && event.revision.0 == 1
}

fn last(events: &[Event]) -> u64 {
    events.last().map_or(0, |event| event.revision.0)
}

async fn rejected(
    stream: &StreamName,
    client: &Client,
    newest: bool,
) -> Result<Vec<Decision>, CliError> {
    let query = DecisionsQuery {
        stream: Some(stream.clone()),
        rejected: Some(true),
        order: order(newest),
        limit: Some(REJECTED_MAX),
        ..DecisionsQuery::default()
    };
    Ok(client.decisions(&query).await?.items)
}

fn order(newest: bool) -> Order {
    if newest {
        Order::Backward
    } else {
        Order::Forward
    }
}

/// Arguments of `whodunit event`.
#[derive(Debug, Args)]
pub(crate) struct EventArgs {
    /// The event's id
    event_id: String,
    /// Show secrets (which the daemon puts on its own record)
    #[arg(long)]
    reveal: bool,
}

/// Runs `whodunit event`: everything about one event.
pub(crate) async fn run_one(
    args: &EventArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let event = client.event(&args.event_id, args.reveal).await?;
    if terminal.form.json {
        terminal.document(&event)?;
        return Ok(Exit::Ok);
    }
    let table = details(&event, terminal);
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
    Ok(Exit::Ok)
}

fn details(event: &Event, terminal: &Terminal<'_>) -> super::table::Table {
    use super::table::{Cell, Column, Table};
    let mut table = Table::new([Column::new(""), Column::new("")]);
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([Cell::new(name, Token::Muted), value.into()]);
        }
    };
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_default();
    add("type", event.event_type.clone());
    add("who", or_nothing(&event.actor));
    add("when", terminal.form.zone.long(event.recorded_at));
    add("why", or_nothing(&event.reason));
    add("stream", event.stream.to_string());
    add("revision", event.revision.to_string());
    add("position", event.position.to_string());
    add("event id", event.event_id.clone());
    add("schema", event.schema_version.to_string());
    add("correlation", or_nothing(&event.correlation_id));
    add("causation", or_nothing(&event.causation_id));
    table
}
