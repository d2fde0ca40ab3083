//! The API's description.
//!
//! Owns what the handlers' annotations do not say: the title, the tags, the problem that any path may answer with.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use whodunit_core::api::problem::{Code, Problem};

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
    document
}

/// Serves the document. It does not describe itself.
pub(super) fn route<S: Clone + Send + Sync + 'static>(document: &Document) -> Router<S> {
    let text = complete(document.clone()).to_json().unwrap_or_default();
    let handler =
        move || async move { ([(header::CONTENT_TYPE, "application/json")], text.clone()) };
    Router::new().route("/v1/openapi.json", get(handler))
}
