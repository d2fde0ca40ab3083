//! HTTP API v1.
//!
//! Owns the routes and what surrounds them: who may ask, how much, for how long, and that every failure is a problem
//! document. A handler parses, calls and maps; what it calls lives outside of this module.
//!
//! Entry point: [`router`].

mod backfill;
mod backtest;
mod backup;
mod bisect;
mod bisect_wide;
mod blame;
mod branch_view;
mod branches;
mod bundle;
mod causes;
mod common;
mod correlations;
mod diff;
mod diff_across;
mod error;
mod events;
mod export;
mod extract;
mod field_names;
mod find;
mod find_figures;
mod guard;
mod impact;
mod import;
mod inevitable;
mod layers;
mod lists;
mod live;
mod metrics;
mod models;
mod names;
mod notes;
mod openapi;
mod ops;
mod outbox;
mod parts;
mod point;
mod projections;
mod read_models;
mod receive;
mod refused;
mod reply;
mod run_lines;
mod stream_lines;
mod streams;
mod trace;
mod travel;
mod verify;
mod what_if;
mod why;
mod world;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::daemon::{Daemon, Parts};

pub(crate) use error::unread_answer;
pub(crate) use guard::LocalAddress;

type Routes = OpenApiRouter<Arc<Parts>>;

/// The whole API over this daemon.
pub fn router(daemon: &Daemon) -> Router {
    let parts = daemon.parts();
    let (routes, document) = routes(Some(parts)).split_for_parts();
    routes
        .merge(openapi::route(&document))
        .fallback(layers::no_such_path)
        .method_not_allowed_fallback(layers::method_not_allowed)
        // The last layer is the outermost.
        .layer(from_fn(layers::in_slices))
        .layer(CompressionLayer::new().compress_when(layers::Compressed))
        .layer(from_fn_with_state(Arc::clone(parts), guard::guard))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(Arc::clone(parts), layers::surround))
        .with_state(Arc::clone(parts))
}

/// The API's description, as served at `/v1/openapi.json`.
pub fn openapi() -> serde_json::Value {
    openapi::complete(&routes(None).into_openapi())
}

/// The routes; with what bounds them, where there is a daemon behind them.
fn routes(parts: Option<&Arc<Parts>>) -> Routes {
    let (mut short, mut long, mut import) = (short(), long(), import());
    if let Some(parts) = parts {
        let one_of_many = from_fn_with_state(Arc::clone(parts), layers::one_of_many);
        let receive = from_fn_with_state(Arc::clone(parts), receive::receive);
        // A place among the requests under way is taken once the body is there; an import reads its own.
        short = short
            .route_layer(from_fn(layers::in_time))
            .route_layer(one_of_many.clone())
            .route_layer(receive.clone());
        long = long.route_layer(one_of_many.clone()).route_layer(receive);
        import = import
            .route_layer(DefaultBodyLimit::disable())
            .route_layer(from_fn(receive::uncompressed))
            .route_layer(one_of_many);
    }
    Routes::with_openapi(openapi::head())
        .merge(short)
        .merge(long)
        .merge(import)
        .merge(always())
}

/// What is answered within a bound of time.
fn short() -> Routes {
    Routes::new()
        .routes(routes!(write::send_command))
        .routes(routes!(streams::stream_events, write::append_events))
        .routes(routes!(streams::list_streams))
        .routes(routes!(streams::get_stream))
        .routes(routes!(streams::stream_density))
        .routes(routes!(streams::log_density))
        .routes(routes!(events::list_events))
        .routes(routes!(events::get_event))
        .routes(routes!(events::list_decisions))
        .routes(routes!(find_figures::find_summary))
        .routes(routes!(find_figures::what_differs))
        .routes(routes!(names::list_names))
        .routes(routes!(correlations::get_causes))
        .routes(routes!(correlations::get_correlation))
        .routes(routes!(correlations::get_correlation_streams))
        .routes(routes!(notes::list_notes, notes::add_note))
        .routes(routes!(notes::remove_note))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_model))
        .routes(routes!(models::list_categories))
        .routes(routes!(travel::get_state))
        .routes(routes!(travel::get_steps))
        .routes(routes!(diff::get_diff))
        .routes(routes!(blame::get_blame))
        .routes(routes!(blame::get_field))
        .routes(routes!(why::get_why))
        .routes(routes!(bisect::run_bisect))
        .routes(routes!(world::get_world))
        .routes(routes!(world::get_world_diff))
        .routes(routes!(what_if::run_what_if))
        .routes(routes!(branches::list_branches, branches::create_branch))
        .routes(routes!(branches::import_branch))
        .routes(routes!(
            branches::get_branch,
            branches::put_branch,
            branches::change_branch,
            branches::remove_branch
        ))
        .routes(routes!(branches::export_branch))
        .routes(routes!(branches::compare_branch))
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
}

/// What streams or goes through the whole log takes as long as it takes.
fn long() -> Routes {
    Routes::new()
        .routes(routes!(live::live_events))
        .routes(routes!(export::export_events))
        .routes(routes!(bundle::write_bundle))
        .routes(routes!(backup::take_backup))
        .routes(routes!(projections::check_projection))
        .routes(routes!(verify::run_verify))
        .routes(routes!(backtest::run_backtest))
        .routes(routes!(inevitable::run_inevitable))
        .routes(routes!(parts::run_minimal))
        .routes(routes!(parts::run_undo))
}

fn import() -> Routes {
    Routes::new().routes(routes!(import::import_events))
}

/// What is answered however many requests are under way.
fn always() -> Routes {
    Routes::new()
        .routes(routes!(ops::health))
        .routes(routes!(ops::ready))
        .routes(routes!(metrics::metrics))
}
