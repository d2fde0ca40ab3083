//! The log: its events with filters, one event, its decisions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use whodunit_core::api::find::{FindLine, FindPage, FoundItem, IndexUse};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::command::Decision;
use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::query::{Field, Query};
use whodunit_core::shown::Shown;
use whodunit_core::time::Timestamp;

use super::branch_view::answer_light_in;
use super::common::{Order, asked_to_reveal, at_most_one, bounded, page_limit};
use super::error::ApiError;
use super::extract::{PathText, Query as Params};
use super::find::{self, Asked, read_line, wants_lines};
use super::reply::{Written, shown_event};
use crate::daemon::Parts;
use crate::reading::whole_log_page;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsParams {
    /// A query line, such as `type:UserDeleted actor:job:* -reason:test`. See `docs/QUERY.md`. The other filters are
    /// shorthands of its terms; all of them must hold.
    q: Option<String>,
    /// The zone of times of the line that name none: an offset such as `+02:00`, or `Z`.
    zone: Option<String>,
    /// Exactly this category.
    category: Option<String>,
    /// Exactly this event type.
    r#type: Option<String>,
    /// Exactly this actor.
    actor: Option<String>,
    /// Exactly this correlation id.
    correlation: Option<String>,
    /// Recorded not before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Recorded not after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Occurs in stream, type, actor, reason, ids, data or metadata, without regard to case.
    text: Option<String>,
    /// The direction: `forward` (oldest first) or `backward`. When absent, it is `backward` with `q` and `forward` without.
    #[param(inline)]
    order: Option<Order>,
    /// The first position wanted.
    from_position: Option<u64>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent. A page may end early, with a cursor, when its events are large or far
    /// between.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

impl EventsParams {
    /// The line that says all of it.
    fn query(&self, parts: &Parts) -> Result<Query, ApiError> {
        let mut query = read_line(parts, self.q.as_deref(), self.zone.as_deref())?;
        let fields = [
            (Field::Category, &self.category),
            (Field::Type, &self.r#type),
            (Field::Actor, &self.actor),
            (Field::Correlation, &self.correlation),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                query = query.and_field(field, value);
            }
        }
        if let Some(at) = self.since {
            query = query.and_since(at);
        }
        if let Some(at) = self.until {
            query = query.and_until(at);
        }
        Ok(query.and_text(self.text.as_deref().unwrap_or_default()))
    }

    fn order(&self) -> Order {
        self.order.unwrap_or(match self.q {
            Some(_) => Order::Backward,
            None => Order::Forward,
        })
    }
}

/// Events of the whole log. All given filters must match. Where the query line asks for decisions (`outcome:`, `rule:`), the
/// items are `{"decision": Decision}`. With `Accept: application/x-ndjson` the answer comes as lines, as it is found: a record
/// each, now and then the progress, and at the end what it came to.
#[utoipa::path(get, path = "/v1/events", tag = "browse", params(EventsParams),
    responses((status = 200, content((FindPage<FoundItem<Event, Decision>> = "application/json"), (FindLine<Shown<Event>, Shown<Decision>> = "application/x-ndjson"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_query`, with the column in `actual`, among others")))]
pub(crate) async fn list_events(
    State(parts): State<Arc<Parts>>,
    Params(params): Params<EventsParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let from = ("from_position", params.from_position.is_some());
    at_most_one(from, ("cursor", params.cursor.is_some()))?;
    let query = params.query(&parts)?;
    let order = params.order();
    let cursor = order.read_cursor(params.cursor.as_deref())?;
    let asked = Asked {
        query,
        order,
        from: cursor.or(params.from_position),
        reveal: asked_to_reveal(params.reveal == Some(true), &headers, "events", "the log"),
        branch: params.branch,
    };
    if wants_lines(&headers) {
        let limit = params
            .limit
            .map(|limit| bounded("limit", Some(limit), 1, usize::MAX));
        return find::lines(parts, asked, limit.transpose()?);
    }
    let limit = page_limit(params.limit)?;
    let page = if asked.query.is_everything() && matches!(order, Order::Forward) {
        whole_log(&parts, asked, limit).await?
    } else {
        find::answer_page(&parts, asked, limit).await?
    };
    Ok(page.into_response())
}

/// Everything from a position on: payloads go from the store into the reply as they are stored.
async fn whole_log(parts: &Arc<Parts>, asked: Asked, limit: usize) -> Result<Written, ApiError> {
    let models = Arc::clone(&parts.models);
    let redacted_copy = parts.store.is_redacted_copy();
    answer_light_in(parts, asked.branch.clone(), move |view| {
        let from = asked
            .from
            .map(Position)
            .unwrap_or_default()
            .max(Position(1));
        let show = |event: &EventView<'_>| shown_event(asked.reveal, &models, event);
        let (items, next) = whole_log_page(view, from, limit, show)?;
        Ok(FindPage {
            redacted_copy,
            scanned: items.len() as u64,
            items,
            next_cursor: next.map(|next| asked.order.cursor(next.0)),
            head: view.head().position.0,
            query: None,
            undecided: None,
            index: Some(IndexUse::default()),
            unknown_names: Vec::new(),
        })
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// One event.
#[utoipa::path(get, path = "/v1/events/{event_id}", tag = "browse",
    params(("event_id" = String, Path, description = "its id"), EventParams),
    responses((status = 200, body = Shown<Event>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_event(
    State(parts): State<Arc<Parts>>,
    PathText(event_id): PathText,
    Params(params): Params<EventParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "event", &event_id);
    let models = Arc::clone(&parts.models);
    answer_light_in(&parts, params.branch, move |view| {
        let Some(event) = view.event_by_id(&event_id)? else {
            let detail = format!("there is no event `{}`", echo(&event_id));
            return Err(Problem::new(Code::NoSuchEvent, detail).into());
        };
        Ok(reveal.show(&models, event))
    })
    .await
}

/// What the rules answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutcomeFilter {
    /// It led to events.
    Accepted,
    /// A rule refused it.
    Rejected,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DecisionsParams {
    /// A query line, such as `rule:user.* actor:job:*`. See `docs/QUERY.md`. `type:` is the command's type.
    q: Option<String>,
    /// The zone of times of the line that name none: an offset such as `+02:00`, or `Z`.
    zone: Option<String>,
    /// Exactly this stream.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
    /// Only `accepted` or only `rejected` ones.
    #[param(inline)]
    outcome: Option<OutcomeFilter>,
    /// Exactly this correlation id.
    correlation: Option<String>,
    /// The direction: `forward` (oldest first) or `backward`. When absent, it is `backward` with `q` and `forward` without.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent. A page may end early, with a cursor, when its decisions are large or far
    /// between.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// Decisions: every command and its outcome, rejected ones too.
#[utoipa::path(get, path = "/v1/decisions", tag = "browse", params(DecisionsParams),
    responses((status = 200, body = FindPage<Shown<Decision>>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_query`, with the column in `actual`, among others")))]
pub(crate) async fn list_decisions(
    State(parts): State<Arc<Parts>>,
    Params(params): Params<DecisionsParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let order = params.order.unwrap_or(match params.q {
        Some(_) => Order::Backward,
        None => Order::Forward,
    });
    let from = order.read_cursor(params.cursor.as_deref())?;
    let mut query = read_line(&parts, params.q.as_deref(), params.zone.as_deref())?;
    if let Some(stream) = params.stream {
        query = query.and_field(Field::Stream, stream.as_str());
    }
    if let Some(outcome) = params.outcome {
        query = query.and_rejected(outcome == OutcomeFilter::Rejected);
    }
    if let Some(id) = params.correlation {
        query = query.and_field(Field::Correlation, id);
    }
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "decisions",
        "the log",
    );
    let asked = Asked {
        query,
        order,
        from,
        reveal,
        branch: params.branch,
    };
    find::page_of_decisions(&parts, asked, limit).await
}
