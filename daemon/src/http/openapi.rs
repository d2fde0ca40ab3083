//! The API's description.
//!
//! Owns what the handlers' annotations do not say: the title, the tags, the problem that any path may answer with.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::{ID_BYTES_MAX, STREAM_NAME_BYTES_MAX};

use crate::limits;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "whodunit",
        description = "Who did it, when, why; what was true then; what would have happened otherwise. \
            Every error is a problem document (RFC 9457) with a stable `code`. Lists are pages: give `next_cursor` back as \
            `cursor`. Times are RFC 3339 with a zone.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, Code)),
    tags(
        (name = "write", description = "commands, raw events, import"),
        (name = "browse", description = "what there is"),
        (name = "time travel", description = "what was true then"),
        (name = "what-if", description = "what would have happened otherwise"),
        (name = "queries", description = "read models"),
        (name = "pipeline", description = "outbox, projections, read models, backfill"),
        (name = "models", description = "the rules"),
        (name = "ops", description = "health, export, this description"),
    )
)]
struct Head;

/// The document before the handlers add their paths.
pub(super) fn head() -> Document {
    Head::openapi()
}

/// The document as it is served.
pub(super) fn complete(mut document: Document) -> Document {
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let words = document.info.description.take().unwrap_or_default();
    document.info.description = Some(format!("{words}\n\n{}", bounds()));
    document
}

/// The bounds that a caller can meet, from the one place that has them.
fn bounds() -> String {
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    let lines = [
        format!(
            "a request's path and query: {} KiB; its whole head: {} KiB",
            limits::URI_BYTES_MAX >> 10,
            limits::HEAD_BYTES_MAX >> 10
        ),
        format!(
            "a body: {}, complete within {} seconds and at least {} bytes a second; bodies at a time: {}",
            mib(limits::BODY_BYTES_MAX),
            limits::BODY_TIMEOUT.as_secs(),
            limits::BODY_BYTES_PER_SECOND_MIN,
            mib(limits::BODIES_BYTES_MAX)
        ),
        format!(
            "a page: {} items or {} of payload",
            limits::PAGE_ITEMS_MAX,
            mib(limits::PAGE_BYTES_MAX)
        ),
        format!(
            "looked at for one page: {} entries",
            limits::SCAN_ENTRIES_MAX
        ),
        format!("a raw append: {} events", limits::APPEND_EVENTS_MAX),
        format!(
            "an event's data, and its metadata: {}, {} levels deep",
            mib(limits::EVENT_BYTES_MAX),
            limits::EVENT_DEPTH_MAX
        ),
        format!(
            "an actor: {} bytes; a reason: {}",
            limits::ACTOR_BYTES_MAX,
            limits::REASON_BYTES_MAX
        ),
        format!("an id: {ID_BYTES_MAX} bytes; a stream's name: {STREAM_NAME_BYTES_MAX}"),
        format!(
            "a what-if: {} recorded events, {} edits, {} actions",
            limits::WHAT_IF_EVENTS_MAX,
            limits::WHAT_IF_EDITS_MAX,
            limits::WHAT_IF_ACTIONS_MAX
        ),
        format!(
            "a line of an import: {}",
            mib(limits::IMPORT_LINE_BYTES_MAX)
        ),
        format!(
            "at a time: {} connections, {} requests, {} states, steps, differences and what-ifs (further {} wait), {} live feeds, {} exports, {} imports",
            limits::CONNECTIONS_MAX,
            limits::REQUESTS_MAX,
            limits::HEAVY_AT_A_TIME_MAX,
            limits::HEAVY_QUEUE_MAX,
            limits::LIVE_FEEDS_MAX,
            limits::EXPORTS_MAX,
            limits::IMPORTS_MAX
        ),
        format!(
            "a query: {} filters; it waits for a position {} seconds",
            limits::QUERY_FILTERS_MAX,
            limits::WAIT_MS_MAX / 1_000
        ),
        format!(
            "an answer: {} seconds; a client must take a part of it within {}, and what waits to be taken is {} at most",
            limits::HANDLER_TIMEOUT.as_secs(),
            limits::WRITE_TIMEOUT.as_secs(),
            mib(limits::REPLIES_BYTES_MAX)
        ),
    ];
    format!(
        "Bounds, beyond which there is a problem that names them:\n\n- {}",
        lines.join("\n- ")
    )
}

/// Serves the document. It does not describe itself.
pub(super) fn route<S: Clone + Send + Sync + 'static>(document: &Document) -> Router<S> {
    let text = complete(document.clone()).to_json().unwrap_or_default();
    let handler =
        move || async move { ([(header::CONTENT_TYPE, "application/json")], text.clone()) };
    Router::new().route("/v1/openapi.json", get(handler))
}
