//! The log: its events with filters, one event, its decisions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use whodunit_core::api::Page;
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::shown::Shown;
use whodunit_core::time::Timestamp;

use super::common::{Order, asked_to_reveal, at_most_one, page_limit};
use super::error::ApiError;
use super::extract::{PathText, Query};
use super::reply::{Written, answer};
use crate::daemon::Parts;
use crate::reading::{decision_page, log_page};
use crate::store::{DecisionFilter, LogFilter};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsParams {
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
    /// The direction: `forward` (oldest first, the default) or `backward`.
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
}

/// Events of the whole log. All given filters must match.
#[utoipa::path(get, path = "/v1/events", tag = "browse", params(EventsParams),
    responses((status = 200, body = Page<Shown<Event>>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_events(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<EventsParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let from = ("from_position", params.from_position.is_some());
    at_most_one(from, ("cursor", params.cursor.is_some()))?;
    let limit = page_limit(params.limit)?;
    let order = params.order.unwrap_or_default();
    let cursor = order.read_cursor(params.cursor.as_deref())?;
    let from = cursor.or(params.from_position).map(Position);
    let filter = LogFilter {
        category: params.category,
        event_type: params.r#type,
        actor: params.actor,
        correlation_id: params.correlation,
        since: params.since,
        until: params.until,
    };
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "events", "the log");
    let models = Arc::clone(&parts.models);
    let redacted_copy = parts.store.is_redacted_copy();
    answer(&parts, move |view| {
        let show = |event| reveal.show(&models, event);
        let wanted = (&filter, params.text.as_deref());
        let page = log_page(view, wanted, from, order.into(), limit, &show)?;
        Ok(Page {
            redacted_copy,
            items: page.events,
            next_cursor: page.next.map(|next| order.cursor(next.0)),
            head: view.head().position.0,
            scanned: page.scanned,
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
}

/// One event.
#[utoipa::path(get, path = "/v1/events/{event_id}", tag = "browse",
    params(("event_id" = String, Path, description = "its id"), EventParams),
    responses((status = 200, body = Shown<Event>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_event(
    State(parts): State<Arc<Parts>>,
    PathText(event_id): PathText,
    Query(params): Query<EventParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "event", &event_id);
    let models = Arc::clone(&parts.models);
    answer(&parts, move |view| {
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
    /// Exactly this stream.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
    /// Only `accepted` or only `rejected` ones.
    #[param(inline)]
    outcome: Option<OutcomeFilter>,
    /// Exactly this correlation id.
    correlation: Option<String>,
    /// The direction: `forward` (oldest first, the default) or `backward`.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// Decisions: every command and its outcome, rejected ones too.
#[utoipa::path(get, path = "/v1/decisions", tag = "browse", params(DecisionsParams),
    responses((status = 200, body = Page<Shown<Decision>>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_decisions(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<DecisionsParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let order = params.order.unwrap_or_default();
    let from = order.read_cursor(params.cursor.as_deref())?;
    let filter = DecisionFilter {
        stream: params.stream,
        rejected: params
            .outcome
            .map(|outcome| outcome == OutcomeFilter::Rejected),
        correlation_id: params.correlation,
    };
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "decisions",
        "the log",
    );
    let models = Arc::clone(&parts.models);
    let redacted_copy = parts.store.is_redacted_copy();
    answer(&parts, move |view| {
        let page = decision_page(view, &filter, from, order.into(), limit)?;
        Ok(Page {
            redacted_copy,
            scanned: page.decisions.len() as u64,
            items: reveal.show_all(&models, page.decisions),
            next_cursor: page.next.map(|next| order.cursor(next)),
            head: view.head().position.0,
        })
    })
    .await
}
