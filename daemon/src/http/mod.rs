//! HTTP API v1.
//!
//! Owns the routes and what surrounds them: who may ask, how much, for how long, and that every failure is a problem
//! document. A handler parses, calls and maps; what it calls lives outside of this module.
//!
//! Entry point: [`router`].

mod backfill;
mod common;
mod error;
mod events;
mod export;
mod extract;
mod guard;
mod import;
mod layers;
mod live;
mod metrics;
mod models;
mod openapi;
mod ops;
mod outbox;
mod projections;
mod read_models;
mod reply;
mod streams;
mod travel;
mod what_if;
mod write;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::daemon::{Daemon, Parts};

pub(crate) use guard::LocalAddress;

type Routes = OpenApiRouter<std::sync::Arc<Parts>>;

/// The whole API over this daemon.
pub fn router(daemon: &Daemon) -> Router {
    let parts = daemon.parts();
    let (routes, document) = routes().split_for_parts();
    routes
        .merge(openapi::route(&document))
        .fallback(layers::no_such_path)
        .method_not_allowed_fallback(layers::method_not_allowed)
        // The last layer is the outermost.
        .layer(from_fn_with_state(
            std::sync::Arc::clone(parts),
            layers::one_of_many,
        ))
        .layer(from_fn_with_state(
            std::sync::Arc::clone(parts),
            guard::guard,
        ))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(
            std::sync::Arc::clone(parts),
            layers::surround,
        ))
        .with_state(std::sync::Arc::clone(parts))
}

/// The API's description, as served at `/v1/openapi.json`.
pub fn openapi() -> serde_json::Value {
    openapi::complete(&routes().into_openapi())
}

fn routes() -> Routes {
    let quick = Routes::with_openapi(openapi::head())
        .routes(routes!(write::send_command))
        .routes(routes!(streams::stream_events, write::append_events))
        .routes(routes!(streams::list_streams))
        .routes(routes!(streams::get_stream))
        .routes(routes!(streams::stream_density))
        .routes(routes!(streams::log_density))
        .routes(routes!(events::list_events))
        .routes(routes!(events::get_event))
        .routes(routes!(events::list_decisions))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_model))
        .routes(routes!(models::list_categories))
        .routes(routes!(travel::get_state))
        .routes(routes!(travel::get_steps))
        .routes(routes!(travel::get_diff))
        .routes(routes!(what_if::run_what_if))
        .routes(routes!(outbox::list_jobs))
        .routes(routes!(outbox::get_job))
        .routes(routes!(outbox::retry_job))
        .routes(routes!(outbox::retry_failed_jobs))
        .routes(routes!(backfill::start_backfill, backfill::list_backfills))
        .routes(routes!(backfill::get_backfill, backfill::cancel_backfill))
        .routes(routes!(read_models::list_read_models))
        .routes(routes!(read_models::query_read_model))
        .routes(routes!(read_models::get_document))
        .routes(routes!(projections::list_projections))
        .routes(routes!(projections::get_projection))
        .routes(routes!(
            projections::rebuild_projection,
            projections::cancel_rebuild
        ))
        .routes(routes!(ops::health))
        .routes(routes!(ops::ready))
        .routes(routes!(metrics::metrics));
    quick
        .route_layer(from_fn(layers::in_time))
        // What streams or goes through the whole log takes as long as it takes.
        .routes(routes!(live::live_events))
        .routes(routes!(export::export_events))
        .routes(routes!(projections::check_projection))
        .merge(
            Routes::new()
                .routes(routes!(import::import_events))
                .route_layer(DefaultBodyLimit::disable()),
        )
}
