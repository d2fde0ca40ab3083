//! Names given as filters: that nothing matches is no answer where there is nothing of that name at all.

use std::collections::BTreeSet;

use whodunit_core::api::browse::Stream;
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::text::shown;

use super::super::exit::CliError;
use super::super::terminal::Terminal;
use super::LOOKUPS_MAX;
use super::similar::did_you_mean;
use crate::client::{Client, ClientError, EventsQuery, Order, StreamSort, StreamsQuery};
use crate::text::counted;

/// Entries from which names are gathered that may have been meant.
const SAMPLE: usize = 500;

/// A name that was given as a filter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    /// Of a category.
    Category(&'a str),
    /// Of a stream's status.
    Status(&'a str),
    /// Of an event type.
    Type(&'a str),
    /// Of an actor.
    Actor(&'a str),
    /// A stream.
    Stream(&'a StreamName),
    /// A correlation id.
    Correlation(&'a str),
}

/// What a lookup came to.
enum Known {
    Yes,
    /// There is none; others there are, and the command that lists them.
    No {
        others: BTreeSet<String>,
        hint: &'static str,
    },
    /// So many entries were looked at, and these were not all.
    Unsure(u64),
}

/// Checks after an empty answer that there is something of each name at all. What could not be told is said.
///
/// # Errors
/// For the first name that nothing has.
pub(crate) async fn check_known(
    names: &[Name<'_>],
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    for name in names {
        let (what, text) = name.words();
        match name.look_up(client).await? {
            Known::Yes => {}
            Known::No { others, hint } => {
                let meant = did_you_mean(text, others.iter().map(String::as_str));
                return Err(CliError::NotThere {
                    message: format!("there is no {what} `{}`", shown(text)),
                    hint: meant.map_or(hint.into(), Into::into),
                });
            }
            Known::Unsure(looked_at) => terminal.note(format!(
                "note: no {what} `{}` among the newest {}; older ones were not searched",
                shown(text),
                counted(looked_at, "entry")
            ))?,
        }
    }
    Ok(())
}

impl Name<'_> {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Category(text) => ("category", text),
            Self::Status(text) => ("stream with status", text),
            Self::Type(text) => ("event of type", text),
            Self::Stream(name) => ("stream", name.as_str()),
            Self::Actor(text) => ("event by actor", text),
            Self::Correlation(text) => ("event with correlation id", text),
        }
    }

    async fn look_up(&self, client: &Client) -> Result<Known, ClientError> {
        match self {
            Self::Category(name) => category(name, client).await,
            Self::Stream(name) => client.stream(name).await.map(|_| Known::Yes),
            Self::Status(name) => status(name, client).await,
            Self::Type(name) => {
                let query = EventsQuery {
                    event_type: Some((*name).to_owned()),
                    ..EventsQuery::default()
                };
                let hint = "`whodunit events` shows the types in use, `whodunit models CATEGORY` those of a model";
                let mut found = events(query, client, hint, |event| Some(event.event_type)).await?;
                if let Known::No { others, .. } = &mut found {
                    let models = client.models().await?.items;
                    others.extend(
                        models
                            .into_iter()
                            .flat_map(|model| model.events.into_keys()),
                    );
                    if others.contains(*name) {
                        // The model has it; there is just no such event yet.
                        return Ok(Known::Yes);
                    }
                }
                Ok(found)
            }
            Self::Actor(name) => {
                let query = EventsQuery {
                    actor: Some((*name).to_owned()),
                    ..EventsQuery::default()
                };
                events(
                    query,
                    client,
                    "`whodunit events` shows who acted",
                    |event| event.actor,
                )
                .await
            }
            Self::Correlation(name) => {
                let query = EventsQuery {
                    correlation: Some((*name).to_owned()),
                    ..EventsQuery::default()
                };
                let hint = "`whodunit event ID` shows an event's correlation id";
                events(query, client, hint, |event| event.correlation_id).await
            }
        }
    }
}

async fn category(name: &str, client: &Client) -> Result<Known, ClientError> {
    let mut others: BTreeSet<String> = client
        .categories()
        .await?
        .items
        .into_iter()
        .map(|category| category.category)
        .collect();
    let models = client.models().await?.items;
    others.extend(models.into_iter().map(|model| model.category));
    if others.contains(name) {
        return Ok(Known::Yes);
    }
    others.remove("*");
    Ok(Known::No {
        others,
        hint: "`whodunit health` lists the categories",
    })
}

async fn status(name: &str, client: &Client) -> Result<Known, ClientError> {
    let mut query = StreamsQuery {
        status: Some(name.to_owned()),
        limit: Some(1),
        ..StreamsQuery::default()
    };
    let mut scanned = 0;
    for _ in 0..LOOKUPS_MAX {
        let page = client.streams(&query).await?;
        if !page.items.is_empty() {
            return Ok(Known::Yes);
        }
        scanned += page.scanned;
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            let others = recent(client).await?;
            let others = others.into_iter().filter_map(|stream| stream.status);
            return Ok(Known::No {
                others: others.collect(),
                hint: "`whodunit streams` shows each stream's status",
            });
        }
    }
    Ok(Known::Unsure(scanned))
}

async fn recent(client: &Client) -> Result<Vec<Stream>, ClientError> {
    let query = StreamsQuery {
        sort: StreamSort::Recent,
        limit: Some(SAMPLE),
        ..StreamsQuery::default()
    };
    Ok(client.streams(&query).await?.items)
}

/// Whether any event passes the filter, and else what the newest events have in that place.
async fn events(
    query: EventsQuery,
    client: &Client,
    hint: &'static str,
    part: impl Fn(Event) -> Option<String>,
) -> Result<Known, ClientError> {
    let mut query = EventsQuery {
        order: Order::Backward,
        limit: Some(1),
        ..query
    };
    let mut scanned = 0;
    for _ in 0..LOOKUPS_MAX {
        let page = client.events(&query).await?;
        if !page.items.is_empty() {
            return Ok(Known::Yes);
        }
        scanned += page.scanned;
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            let query = EventsQuery {
                order: Order::Backward,
                limit: Some(SAMPLE),
                ..EventsQuery::default()
            };
            let sample = client.events(&query).await?.items;
            return Ok(Known::No {
                others: sample.into_iter().filter_map(part).collect(),
                hint,
            });
        }
    }
    Ok(Known::Unsure(scanned))
}
