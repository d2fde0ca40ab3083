//! Events by stream and revision, by position, or by the beginning of their id.

use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::text::shown;

use super::super::exit::CliError;
use super::super::terminal::Terminal;
use super::{LOOKUPS_MAX, NAMED_MAX, StreamArg, if_there, in_words, marked, resolve};
use crate::client::{Client, ClientError, EventsQuery, Order, StreamEventsQuery};
use crate::text::counted;

/// An id's beginning is at least so long.
const PREFIX_MIN: usize = 4;
/// Events asked for at a time.
const PAGE: usize = 200;

/// The event that a text means.
pub(crate) async fn event(
    typed: &str,
    reveal: bool,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Event, CliError> {
    let refused = match client.event(typed, reveal).await {
        Ok(event) => return Ok(event),
        Err(ClientError::Problem(problem)) if problem.status == 404 => problem,
        Err(error) => return Err(error.into()),
    };
    let position = typed
        .strip_prefix('#')
        .or_else(|| typed.strip_prefix("pos:"));
    if let Some(position) = position.and_then(|digits| digits.parse().ok()) {
        return at_position(Position(position), reveal, client, terminal).await;
    }
    if let Some((stream, revision)) = typed.rsplit_once('@')
        && let Ok(revision) = revision.parse()
        && let Ok(stream) = StreamArg::parse(stream)
    {
        let event = at_revision(&stream, Revision(revision), reveal, client, terminal).await?;
        return Ok(event);
    }
    if typed.chars().all(|c| c.is_ascii_digit()) {
        return Err(CliError::NotThere {
            message: format!("there is no event with the id `{typed}`"),
            hint: format!("`pos:{typed}` is the event at that position").into(),
        });
    }
    let prefix = marked(typed).unwrap_or(typed);
    if prefix.chars().count() < PREFIX_MIN {
        return Err(ClientError::Problem(refused).into());
    }
    let (found, unfinished) = with_prefix(prefix, client).await?;
    let looked_at = unfinished.map_or_else(String::new, |looked_at| {
        format!(" among the newest {}", counted(looked_at, "event"))
    });
    match found.as_slice() {
        [] => Err(CliError::NotThere {
            message: format!(
                "there is no event whose id begins with `{}`{looked_at}",
                shown(typed)
            ),
            hint: "name it as `STREAM@REVISION` or `pos:POSITION`; `whodunit events --text PART` finds events by their text"
                .into(),
        }),
        [one] => {
            say(typed, one, &looked_at, terminal)?;
            if reveal {
                return Ok(client.event(&one.event_id, true).await?);
            }
            Ok(one.clone())
        }
        several => {
            let names: Vec<String> = several.iter().map(describe).collect();
            Err(CliError::usage(
                format!(
                    "`{}` is ambiguous: {}",
                    shown(typed),
                    in_words(&names, unfinished.is_some())
                ),
                "give more of the id, or name the event as `STREAM@REVISION`",
            ))
        }
    }
}

fn describe(event: &Event) -> String {
    format!(
        "`{}` ({}@{} {})",
        shown(&event.event_id),
        event.stream,
        event.revision,
        shown(&event.event_type)
    )
}

fn say(
    typed: &str,
    event: &Event,
    looked_at: &str,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let text = format!("`{}` is {}{looked_at}", shown(typed), describe(event));
    terminal.note(text)
}

async fn at_position(
    position: Position,
    reveal: bool,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Event, CliError> {
    let page = client.events_from(position, reveal).await?;
    let head = page.head;
    let event = page
        .items
        .into_iter()
        .find(|event| event.position == position);
    let Some(event) = event else {
        return Err(CliError::NotThere {
            message: format!("there is no event at position {position}: the log's head is {head}"),
            hint: "positions begin at 1 and have no gaps; `whodunit events` shows them".into(),
        });
    };
    say(&format!("position {position}"), &event, "", terminal)?;
    Ok(event)
}

async fn at_revision(
    named: &StreamArg,
    revision: Revision,
    reveal: bool,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Event, CliError> {
    let query = StreamEventsQuery {
        from: Some(revision),
        limit: Some(1),
        reveal,
        ..StreamEventsQuery::default()
    };
    let exact = match named.exact() {
        Some(name) => if_there(client.stream(&name).await)?.map(|found| found.stream),
        None => None,
    };
    let stream = match exact {
        Some(stream) => stream,
        None => resolve(named.as_str(), client, terminal).await?,
    };
    let page = client.stream_events(&stream, &query).await?;
    let found = page
        .items
        .into_iter()
        .find(|event| event.revision == revision);
    found.ok_or_else(|| CliError::NotThere {
        message: format!("stream `{stream}` has no revision {revision}"),
        hint: "`whodunit events STREAM` shows its revisions and their times".into(),
    })
}

/// Events whose ids begin so, newest first, and how many events were looked at where these were not all.
async fn with_prefix(
    prefix: &str,
    client: &Client,
) -> Result<(Vec<Event>, Option<u64>), ClientError> {
    let mut query = EventsQuery {
        text: Some(prefix.to_owned()),
        order: Order::Backward,
        limit: Some(PAGE),
        ..EventsQuery::default()
    };
    let (mut found, mut scanned) = (Vec::new(), 0);
    for _ in 0..LOOKUPS_MAX {
        let page = client.events(&query).await?;
        scanned += page.scanned;
        found.extend(
            page.items
                .into_iter()
                .filter(|event| event.event_id.starts_with(prefix)),
        );
        query.cursor = page.next_cursor;
        if query.cursor.is_none() || found.len() > NAMED_MAX {
            break;
        }
    }
    Ok((found, query.cursor.map(|_| scanned)))
}
