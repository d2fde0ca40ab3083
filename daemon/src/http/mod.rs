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
pub fn openapi() -> utoipa::openapi::OpenApi {
    openapi::complete(routes().into_openapi())
}

fn routes() -> Routes {
    let quick = Routes::with_openapi(openapi::head())
        .routes(routes!(write::command))
        .routes(routes!(streams::events, write::append))
        .routes(routes!(streams::list))
        .routes(routes!(streams::one))
        .routes(routes!(streams::density))
        .routes(routes!(streams::log_density))
        .routes(routes!(events::list))
        .routes(routes!(events::one))
        .routes(routes!(events::decisions))
        .routes(routes!(models::list))
        .routes(routes!(models::one))
        .routes(routes!(models::categories))
        .routes(routes!(travel::state))
        .routes(routes!(travel::steps))
        .routes(routes!(travel::difference))
        .routes(routes!(what_if::run_what_if))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::one))
        .routes(routes!(outbox::retry))
        .routes(routes!(outbox::retry_all))
        .routes(routes!(backfill::begin, backfill::list))
        .routes(routes!(backfill::one, backfill::cancel))
        .routes(routes!(read_models::list))
        .routes(routes!(read_models::page))
        .routes(routes!(read_models::one))
        .routes(routes!(projections::list))
        .routes(routes!(projections::one))
        .routes(routes!(projections::rebuild, projections::cancel_rebuild))
        .routes(routes!(ops::health))
        .routes(routes!(ops::ready))
        .routes(routes!(metrics::metrics));
    quick
        .route_layer(from_fn(layers::in_time))
        // What streams or goes through the whole log takes as long as it takes.
        .routes(routes!(live::live))
        .routes(routes!(export::export))
        .routes(routes!(projections::check))
        .merge(
            Routes::new()
                .routes(routes!(import::import))
                .route_layer(DefaultBodyLimit::disable()),
        )
}
