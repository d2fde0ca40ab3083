//! Streams: the list, one of them, its events, its density.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use whodunit_core::api::Page;
use whodunit_core::api::browse::{DensityOut, Stream, StreamLine};
use whodunit_core::api::problem::Problem;
use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::model::Models;
use whodunit_core::shown::Shown;

use super::branch_view::{answer_light_in, no_lines};
use super::common::{Order, asked_to_reveal, at_most_one, bad_cursor, bounded, page_limit};
use super::error::ApiError;
use super::extract::{Query, StreamPath};
use super::find::wants_lines;
use super::reply::{Written, answer, shown_event};
use super::stream_lines;
use crate::daemon::Parts;
use crate::limits::{
    DENSITY_BUCKETS_DEFAULT, DENSITY_BUCKETS_MAX, PAGE_ITEMS_MAX, SCAN_ENTRIES_MAX,
};
use crate::reading::stream_page;
use crate::store::{
    Density, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder, View,
};
use crate::time_travel::{Point, resolve};

/// How a list of streams is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sort {
    /// By name.
    #[default]
    Name,
    /// By last event, newest first, as it was when the first page was read: streams written to between two pages are
    /// neither skipped nor repeated, and are shown as they are now. New streams are not among them.
    Recent,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamsParams {
    /// Exactly this category.
    category: Option<String>,
    /// Exactly this status, such as `active`.
    status: Option<String>,
    /// Occurs in name or title, without regard to case.
    r#match: Option<String>,
    /// The order; `name` when absent.
    #[param(inline)]
    sort: Option<Sort>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// Streams, by name or by last event.
#[utoipa::path(get, path = "/v1/streams", tag = "browse", params(StreamsParams),
    responses((status = 200, body = Page<Stream>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_streams(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<StreamsParams>,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let sort = params.sort.unwrap_or_default();
    let after = params
        .cursor
        .as_deref()
        .map(|cursor| from_cursor(sort, cursor))
        .transpose()?;
    let filter = StreamFilter {
        category: params.category,
        status: params.status,
        text: params.r#match,
    };
    let order = match sort {
        Sort::Name => StreamOrder::Name,
        Sort::Recent => StreamOrder::Recent,
    };
    let models = Arc::clone(&parts.models);
    let redacted_copy = parts.store.is_redacted_copy();
    answer_light_in(&parts, params.branch, move |view| {
        let page = view.streams(&filter, order, after, limit, SCAN_ENTRIES_MAX)?;
        Ok(Page {
            redacted_copy,
            items: page
                .streams
                .into_iter()
                .map(|info| shown(&models, info))
                .collect(),
            next_cursor: page.next.map(to_cursor),
            head: view.head().position.0,
            scanned: page.scanned,
        })
    })
    .await
}

fn to_cursor(cursor: StreamCursor) -> String {
    match cursor {
        StreamCursor::AfterName(name) => format!("n{name}"),
        StreamCursor::BeforePosition { before, head } => format!("r{before}.{head}"),
    }
}

fn from_cursor(sort: Sort, cursor: &str) -> Result<StreamCursor, ApiError> {
    let found = match sort {
        Sort::Name => cursor
            .strip_prefix('n')
            .and_then(|name| StreamName::new(name).ok())
            .map(|name| StreamCursor::AfterName(name.into())),
        Sort::Recent => cursor
            .strip_prefix('r')
            .and_then(|places| places.split_once('.'))
            .and_then(|(before, head)| Some((before.parse().ok()?, head.parse().ok()?)))
            .map(|(before, head)| StreamCursor::BeforePosition {
                before: Position(before),
                head: Position(head),
            }),
    };
    found.ok_or_else(bad_cursor)
}

fn shown(models: &Models, info: StreamInfo) -> Stream {
    Stream {
        model: models.for_stream(&info.stream).name().to_owned(),
        category: info.stream.category().to_owned(),
        stream: info.stream,
        revision: info.revision,
        first_position: info.first_position,
        last_position: info.last_position,
        first_recorded_at: info.first_at,
        last_recorded_at: info.last_at,
        last_event_type: info.last_event_type,
        last_actor: info.last_actor,
        last_reason: info.last_reason,
        title: info.label.title,
        status: info.label.status,
        clock_back_at: info.clock_back_at,
    }
}

/// One stream, without its events.
#[utoipa::path(get, path = "/v1/streams/{stream}", tag = "browse",
    params(("stream" = String, Path, description = "its name, `category-id`"), BranchParams),
    responses((status = 200, body = Stream), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_stream(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(BranchParams { branch }): Query<BranchParams>,
) -> Result<Written, ApiError> {
    let models = Arc::clone(&parts.models);
    answer_light_in(&parts, branch, move |view| {
        let found = resolve(view, &stream, Point::Head)?;
        Ok(shown(&models, found.info))
    })
    .await
}

/// The branch alone.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BranchParams {
    /// The branch that is read; the log when absent.
    pub(crate) branch: Option<String>,
}

/// No parameters at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// Of lists within a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WithinParams {
    /// The first revision wanted; the stream's first, or its head when `order=backward`, when absent.
    from: Option<u64>,
    /// The direction: `forward` (oldest first, the default) or `backward`.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent; as lines, any number, and all when absent. A page of large payloads ends early, with a
    /// cursor.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    pub(crate) reveal: Option<bool>,
    /// The branch that is read; the log when absent. Lines are of the log.
    pub(crate) branch: Option<String>,
}

/// A page within a stream, as asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    pub(crate) from: Option<Revision>,
    pub(crate) order: Order,
    limit: usize,
}

impl WithinParams {
    /// The page that is asked for; `as_lines`, whose number is not bounded by what a page holds.
    pub(crate) fn check(&self, as_lines: bool) -> Result<Within, ApiError> {
        at_most_one(
            ("from", self.from.is_some()),
            ("cursor", self.cursor.is_some()),
        )?;
        let order = self.order.unwrap_or_default();
        let cursor = order.read_cursor(self.cursor.as_deref())?;
        Ok(Within {
            from: cursor.or(self.from).map(Revision),
            order,
            limit: if as_lines {
                bounded("limit", self.limit, PAGE_ITEMS_MAX, usize::MAX)?
            } else {
                page_limit(self.limit)?
            },
        })
    }
}

impl Within {
    /// The cursor of a page that goes on after this revision.
    pub(crate) fn after(self, last: Revision) -> String {
        self.order.cursor(match self.order {
            Order::Forward => last.0 + 1,
            Order::Backward => last.0.saturating_sub(1),
        })
    }

    /// The events, and the cursor to go on from.
    pub(crate) fn load(
        self,
        view: &dyn View,
        stream: &StreamName,
    ) -> Result<(Vec<Event>, Option<String>), ApiError> {
        self.load_as(view, stream, |event| Ok(event.to_event()))
    }

    /// The events, each as `take` makes it, and the cursor to go on from.
    fn load_as<T>(
        self,
        view: &dyn View,
        stream: &StreamName,
        take: impl Fn(&EventView<'_>) -> Result<T, StoreError>,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let head = resolve(view, stream, Point::Head)?.revision;
        let from = match (self.order, self.from) {
            (Order::Forward, from) => from.unwrap_or_default().max(Revision(1)),
            (Order::Backward, None) => head,
            (Order::Backward, Some(from)) => from.min(head),
        };
        let (events, next) = stream_page(view, stream, from, self.order.into(), self.limit, take)?;
        Ok((events, next.map(|next| self.order.cursor(next.0))))
    }
}

/// A stream's events. With `Accept: application/x-ndjson` they come as lines, without a bound on how many unless `limit` says one: an event
/// each, and at the end how many there were. A reply without that last line was cut short.
#[utoipa::path(get, path = "/v1/streams/{stream}/events", tag = "browse",
    params(("stream" = String, Path, description = "its name, `category-id`"), WithinParams),
    responses((status = 200, content((Page<Shown<Event>> = "application/json"), (StreamLine<Shown<Event>> = "application/x-ndjson"))),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stream_events(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<WithinParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let lines = wants_lines(&headers);
    let within = params.check(lines)?;
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "events",
        stream.as_str(),
    );
    if lines {
        no_lines(params.branch.as_deref())?;
        let asked = stream_lines::Asked {
            stream,
            from: within.from,
            order: within.order,
            limit: params.limit.map(|limit| limit as u64),
            reveal,
        };
        return stream_lines::lines(&parts, asked).await;
    }
    let models = Arc::clone(&parts.models);
    let redacted_copy = parts.store.is_redacted_copy();
    let page = answer_light_in(&parts, params.branch, move |view| {
        let show = |event: &EventView<'_>| shown_event(reveal, &models, event);
        let (items, next_cursor) = within.load_as(view, &stream, show)?;
        Ok(Page {
            redacted_copy,
            scanned: items.len() as u64,
            items,
            next_cursor,
            head: view.head().position.0,
        })
    });
    Ok(page.await?.into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DensityParams {
    /// Intervals of the time axis: 1 to 1000, 100 when absent.
    buckets: Option<usize>,
}

impl DensityParams {
    fn check(&self) -> Result<usize, ApiError> {
        bounded(
            "buckets",
            self.buckets,
            DENSITY_BUCKETS_DEFAULT,
            DENSITY_BUCKETS_MAX,
        )
    }
}

/// The number of a stream's events over time.
#[utoipa::path(get, path = "/v1/streams/{stream}/density", tag = "browse",
    params(("stream" = String, Path, description = "its name, `category-id`"), DensityParams),
    responses((status = 200, body = DensityOut), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stream_density(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<DensityParams>,
) -> Result<Written, ApiError> {
    let buckets = params.check()?;
    answer(&parts, move |view| {
        resolve(view, &stream, Point::Head)?;
        Ok(spread(view.density(Some(&stream), buckets)?))
    })
    .await
}

/// The number of the log's events over time.
#[utoipa::path(get, path = "/v1/density", tag = "browse", params(DensityParams),
    responses((status = 200, body = DensityOut), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn log_density(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<DensityParams>,
) -> Result<Written, ApiError> {
    let buckets = params.check()?;
    answer(&parts, move |view| Ok(spread(view.density(None, buckets)?))).await
}

fn spread(density: Density) -> DensityOut {
    DensityOut {
        first: density.first,
        last: density.last,
        counts: density.counts,
    }
}
