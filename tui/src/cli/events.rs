//! `whodunit events`: the log, or one stream's history; `--follow` goes on as it grows.

use std::iter::Peekable;
use std::slice::Iter;

use clap::Args;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::args::{PageArgs, given, time};
use super::exit::{CliError, Exit};
use super::follow::{self, Wanted};
use super::names::{Name, NamesStream, StreamArg};
use super::note;
use super::pages::{self, Nothing};
use super::show::{Entry, history};
use super::terminal::Terminal;
use crate::client::{Client, DecisionsQuery, EventsQuery, NotesQuery, Order, StreamEventsQuery};

/// Decisions shown beside a stream's events at most.
const REJECTED_MAX: usize = 500;

/// Arguments of `whodunit events`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit events --category iamuser --type DeleteUser      who deleted which user
  whodunit events --actor fraud-scan --since 2025-03-20T00:00:00Z
  whodunit events user-7f3c…                                one stream, with the commands that were rejected (✗)
  whodunit events --oldest                                  from the beginning; else newest first
  whodunit events --follow --category user                  as they happen")]
pub(crate) struct EventsArgs {
    /// Only this stream, including its rejected commands
    #[arg(value_parser = StreamArg::parse)]
    pub(crate) stream: Option<StreamArg>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Oldest first
    #[arg(long)]
    pub(crate) oldest: bool,
    /// Show the latest events, then new ones as they arrive
    #[arg(long, short, conflicts_with_all = ["all", "cursor", "oldest", "until"])]
    pub(crate) follow: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    pub(crate) reveal: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Which events of the log. Everything given must hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only this category
    #[arg(long, value_parser = given)]
    pub(crate) category: Option<String>,
    /// Only this event type
    #[arg(long = "type", value_name = "TYPE", value_parser = given)]
    pub(crate) event_type: Option<String>,
    /// Only by this actor
    #[arg(long, value_parser = given)]
    pub(crate) actor: Option<String>,
    /// Only this correlation id
    #[arg(long, value_name = "ID", value_parser = given)]
    pub(crate) correlation: Option<String>,
    /// Not before this time, such as `2025-03-20T00:00:00Z` or `2h` (ago)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Timestamp>,
    /// Not after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// Only events that contain this text, ignoring case
    #[arg(long, value_parser = given)]
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

    /// The names it asks for.
    pub(crate) fn names(&self) -> [Option<Name<'_>>; 4] {
        [
            self.category.as_deref().map(Name::Category),
            self.event_type.as_deref().map(Name::Type),
            self.actor.as_deref().map(Name::Actor),
            self.correlation.as_deref().map(Name::Correlation),
        ]
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

impl NamesStream for EventsArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        self.stream.as_mut()
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &EventsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if args.follow {
        return follow::run(&Wanted::Events(args), client, terminal).await;
    }
    match &args.stream {
        Some(stream) => {
            if !args.filter.is_empty() {
                return Err(CliError::usage(
                    "filters do not apply to one stream's history",
                    "leave out the stream to filter the whole log",
                ));
            }
            of_stream(&stream.name()?, args, client, terminal).await
        }
        None => of_log(args, client, terminal).await,
    }
}

async fn of_log(
    args: &EventsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let form = terminal.form;
    let fetch = |cursor, limit| {
        let query = EventsQuery {
            order: order(!args.oldest),
            cursor,
            limit: Some(limit),
            reveal: args.reveal,
            ..args.filter.query()
        };
        async move { client.events(&query).await }
    };
    let rows = |_: &Terminal<'_>, events: &[Event]| {
        let entries: Vec<_> = events.iter().map(Entry::Event).collect();
        history(&entries, form, false)
    };
    let nothing = if args.filter.is_empty() {
        "the log is empty"
    } else {
        "no event matches"
    };
    let nothing = Nothing::by_names(nothing, args.filter.names(), client);
    pages::list(terminal, &args.page, fetch, rows, nothing).await?;
    Ok(Exit::Ok)
}

async fn of_stream(
    stream: &StreamName,
    args: &EventsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let form = terminal.form;
    let rejected = if terminal.form.json {
        Vec::new()
    } else {
        rejected(stream, client, !args.oldest).await?
    };
    let mut waiting = rejected.iter().peekable();
    let fetch = |cursor, limit| {
        let query = StreamEventsQuery {
            from: None,
            order: order(!args.oldest),
            cursor,
            limit: Some(limit),
            reveal: args.reveal,
        };
        async move { client.stream_events(stream, &query).await }
    };
    let rows = |_: &Terminal<'_>, events: &[Event]| {
        history(&interleave(events, &mut waiting, !args.oldest), form, true)
    };
    pages::list(
        terminal,
        &args.page,
        fetch,
        rows,
        Nothing::new("the stream is empty"),
    )
    .await?;
    if !terminal.form.json {
        let query = NotesQuery {
            stream: Some(stream.clone()),
            ..NotesQuery::default()
        };
        if let Some(notes) = note::beside(query, client, terminal).await? {
            note::print(&notes, terminal)?;
        }
    }
    Ok(Exit::Ok)
}

/// A page of events with the rejected commands where they belong: after the event of their base revision.
fn interleave<'e, 'd>(
    events: &'e [Event],
    waiting: &mut Peekable<Iter<'d, Decision>>,
    newest: bool,
) -> Vec<Entry<'e, 'd>> {
    let mut entries = Vec::with_capacity(events.len());
    for event in events {
        let due = |decision: &&Decision| {
            if newest {
                decision.base_revision >= event.revision
            } else {
                decision.base_revision < event.revision
            }
        };
        while let Some(decision) = waiting.next_if(due) {
            entries.push(Entry::Rejected(decision));
        }
        entries.push(Entry::Event(event));
    }
    let Some(last) = events.last() else {
        return entries;
    };
    // What follows the page's last event; the next page begins with an event of a later (or earlier) revision.
    let due = |decision: &&Decision| {
        if newest {
            last.revision.0 == 1
        } else {
            decision.base_revision == last.revision
        }
    };
    while let Some(decision) = waiting.next_if(due) {
        entries.push(Entry::Rejected(decision));
    }
    entries
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn events(revisions: &[u64]) -> Vec<Event> {
        let event = |revision: &u64| {
            json!({
                "position": revision, "stream": "user-1", "revision": revision, "event_id": revision.to_string(),
                "event_type": "E", "schema_version": 1, "recorded_at": "2025-03-01T00:00:00Z", "actor": null,
                "reason": null, "correlation_id": null, "causation_id": null, "data": {}, "metadata": null
            })
        };
        let list = revisions.iter().map(event).collect();
        serde_json::from_value(serde_json::Value::Array(list)).unwrap()
    }

    fn decisions(bases: &[u64]) -> Vec<Decision> {
        let decision = |base: &u64| {
            json!({
                "sequence": 1, "command_id": "c", "stream": "user-1", "command_type": "C", "payload": {}, "actor": null,
                "reason": null, "correlation_id": null, "causation_id": null, "base_revision": base,
                "base_position": 0, "rules_hash": "x", "decided_at": "2025-03-01T00:00:00Z",
                "outcome": "rejected", "rule": "r", "message": "m"
            })
        };
        let list = bases.iter().map(decision).collect();
        serde_json::from_value(serde_json::Value::Array(list)).unwrap()
    }

    /// Two pages of events with decisions of these bases among them, as `3` and `x3`.
    fn shown(pages: [&[u64]; 2], bases: &[u64], newest: bool) -> String {
        let pages = pages.map(events);
        let decisions = decisions(bases);
        let mut waiting = decisions.iter().peekable();
        let mut out = Vec::new();
        for page in &pages {
            for entry in interleave(page, &mut waiting, newest) {
                out.push(match entry {
                    Entry::Event(event) => event.revision.to_string(),
                    Entry::Rejected(decision) => format!("x{}", decision.base_revision),
                });
            }
        }
        out.join(" ")
    }

    #[test]
    fn rejected_commands_stand_after_the_event_they_were_decided_on() {
        let pages: [&[u64]; 2] = [&[1, 2], &[3, 4]];
        assert_eq!(shown(pages, &[0, 2, 2, 4], false), "x0 1 2 x2 x2 3 4 x4");
        let pages: [&[u64]; 2] = [&[4, 3], &[2, 1]];
        assert_eq!(shown(pages, &[4, 2, 2, 0], true), "x4 4 3 x2 x2 2 1 x0");
        assert_eq!(shown([&[], &[]], &[0], false), "");
    }
}
