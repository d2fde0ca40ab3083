//! `whodunit events --follow` and `find --follow`: the last events, then those that come, across lost connections.

use std::time::Duration;

use whodunit_core::api::browse::LiveHead;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::query::Query;
use whodunit_core::search::Search;

use super::events::{EventsArgs, FilterArgs};
use super::exit::{CliError, Exit};
use super::pages;
use super::show::{Entry, feed, number};
use super::table::Widths;
use super::terminal::Terminal;
use crate::client::{
    Client, EventsQuery, FindQuery, Live, LiveCursor, LiveItem, Order, StreamEventsQuery,
};

/// Longest wait before trying again.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How many of the last events are shown first, unless `--limit` says otherwise.
const LAST: usize = 10;

/// What is followed.
pub(crate) enum Wanted<'a> {
    /// The log, or a stream, by the filters of `whodunit events`.
    Events(&'a EventsArgs),
    /// What a query line matches: the line with its times in full, and how many of the last events are shown first.
    Line(&'a Query, usize),
}

/// Runs until interrupted.
pub(crate) async fn run(
    args: &Wanted<'_>,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let health = client.health().await?;
    let mut cursor = LiveCursor {
        position: health.head,
        decision: health.decisions,
        mark: None,
    };
    let mut widths = None;
    let line = match args {
        Wanted::Events(_) => None,
        Wanted::Line(query, _) => Some(query.to_string()),
    };
    for event in last(args, client, cursor).await? {
        show(args, terminal, &Entry::Event(&event), &mut widths)?;
    }
    terminal.flush()?;
    let mut wait = Duration::from_secs(1);
    loop {
        let error = match client.live_of(Some(cursor), line.as_deref()).await {
            Ok(mut live) => {
                wait = Duration::from_secs(1);
                let ended = read(args, &mut live, terminal, &mut widths).await;
                cursor = live.cursor();
                match ended {
                    Ok(()) => None,
                    Err(CliError::Client(error)) => Some(error),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => Some(error),
        };
        if let Some(error) = &error
            && !error.is_transient()
        {
            return Err(error.clone().into());
        }
        let cause = error.map_or_else(|| "the daemon ended the feed".to_owned(), |e| e.to_string());
        terminal.note(format!("{cause}; trying again in {} s", wait.as_secs()))?;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// The last events before the feed begins, oldest first.
async fn last(
    args: &Wanted<'_>,
    client: &Client,
    cursor: LiveCursor,
) -> Result<Vec<Event>, CliError> {
    let args = match args {
        Wanted::Events(args) => args,
        Wanted::Line(query, limit) => return last_of_line(query, *limit, client, cursor).await,
    };
    let limit = Some(args.page.limit.min(LAST));
    let mut events = match &args.stream {
        Some(stream) => {
            let query = StreamEventsQuery {
                order: Order::Backward,
                limit,
                reveal: args.reveal,
                ..StreamEventsQuery::default()
            };
            client.stream_events(&stream.name()?, &query).await?.items
        }
        None => {
            let query = EventsQuery {
                order: Order::Backward,
                limit,
                reveal: args.reveal,
                ..args.filter.query()
            };
            client.events(&query).await?.items
        }
    };
    // What came in between is in the feed.
    events.retain(|event| event.position.0 <= cursor.position);
    events.reverse();
    Ok(events)
}

/// The last events that a line finds. Of decisions only new ones are shown.
async fn last_of_line(
    query: &Query,
    limit: usize,
    client: &Client,
    cursor: LiveCursor,
) -> Result<Vec<Event>, CliError> {
    if query.is_of_decisions() {
        return Ok(Vec::new());
    }
    let asked = FindQuery {
        line: query.to_string(),
        order: Some(Order::Backward),
        limit: Some(limit.min(LAST)),
        ..FindQuery::default()
    };
    let mut events = client.find_page(&asked).await?.items;
    events.retain(|event| event.position.0 <= cursor.position);
    events.reverse();
    Ok(events)
}

async fn read(
    args: &Wanted<'_>,
    live: &mut Live,
    terminal: &mut Terminal<'_>,
    widths: &mut Option<Widths>,
) -> Result<(), CliError> {
    let mut told = 0;
    while let Some(message) = live.next().await? {
        match &message.item {
            LiveItem::Head(head) if head.undecided > told => {
                told = head.undecided;
                undecided(head, terminal)?;
            }
            LiveItem::Event(event) if wants_event(args, event) => {
                show(args, terminal, &Entry::Event(event), widths)?;
            }
            LiveItem::Decision(decision) if wants_decision(args, decision) => {
                show(args, terminal, &Entry::Rejected(decision), widths)?;
            }
            LiveItem::Event(_) | LiveItem::Decision(_) | LiveItem::Head(_) => continue,
        }
        terminal.flush()?;
    }
    Ok(())
}

/// Says how many were left out because the line says neither yes nor no of them.
fn undecided(head: &LiveHead, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let from = head.undecided_from.map_or_else(String::new, |from| {
        format!(", the first at position {}", number(from))
    });
    terminal.warn(format!(
        "left out since the feed began, because the line could not be evaluated for them: {}{from}",
        number(head.undecided)
    ))
}

fn show(
    args: &Wanted<'_>,
    terminal: &mut Terminal<'_>,
    entry: &Entry<'_, '_>,
    widths: &mut Option<Widths>,
) -> Result<(), CliError> {
    if terminal.form.json {
        return match entry {
            Entry::Event(event) => terminal.record(event),
            Entry::Rejected(decision) => {
                terminal.record(&serde_json::json!({ "decision": decision }))
            }
        };
    }
    let of_stream = matches!(args, Wanted::Events(args) if args.stream.is_some());
    let table = feed(entry, terminal.form, of_stream);
    pages::print(terminal, &table, widths)
}

fn wants_event(args: &Wanted<'_>, event: &Event) -> bool {
    // The daemon asks the line itself.
    let Wanted::Events(args) = args else {
        return true;
    };
    let FilterArgs {
        category,
        event_type,
        actor,
        correlation,
        since,
        until: _,
        text,
    } = &args.filter;
    args.stream
        .as_ref()
        .is_none_or(|stream| stream.as_str() == event.stream.as_str())
        && is(category.as_deref(), Some(event.stream.category()))
        && is(event_type.as_deref(), Some(&event.event_type))
        && is(actor.as_deref(), event.actor.as_deref())
        && is(correlation.as_deref(), event.correlation_id.as_deref())
        && since.is_none_or(|since| event.recorded_at >= since)
        && text.as_deref().is_none_or(|text| contains(event, text))
}

fn wants_decision(args: &Wanted<'_>, decision: &Decision) -> bool {
    let Wanted::Events(args) = args else {
        return true;
    };
    let filter = &args.filter;
    matches!(decision.result, Outcome::Rejected { .. })
        && args.stream.as_ref().is_none_or(|stream| stream.as_str() == decision.stream.as_str())
        && is(filter.category.as_deref(), Some(decision.stream.category()))
        && is(filter.actor.as_deref(), decision.actor.as_deref())
        && is(filter.correlation.as_deref(), decision.correlation_id.as_deref())
        && filter.since.is_none_or(|since| decision.decided_at >= since)
        // A rejected command is no event: it has no event type, and no event's text.
        && filter.event_type.is_none()
        && filter.text.is_none()
}

fn is(wanted: Option<&str>, actual: Option<&str>) -> bool {
    wanted.is_none() || wanted == actual
}

/// As the daemon looks for a text: in what the event says, without regard to case.
fn contains(event: &Event, text: &str) -> bool {
    Search::new(text).is_none_or(|text| text.in_event(event))
}
