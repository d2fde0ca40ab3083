//! Metrics, for Prometheus to scrape.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::api::problem::{Code, Problem};

use super::error::ApiError;
use super::extract::Query;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::metrics::Reading;
use crate::reading::blocking;
use crate::store::StoreError;

/// Counters, histograms and gauges, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "ops",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Response, ApiError> {
    let source = Arc::clone(&parts);
    let reading = blocking(move || read(&source)).await?;
    let text = parts.metrics.text(&reading).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        ApiError::from(Problem::new(
            Code::Internal,
            "the metrics could not be written",
        ))
    })?;
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the text format knows floats only"
)]
fn float(n: u64) -> f64 {
    n as f64
}

/// What is asked of the store and the outbox at this moment.
fn read(parts: &Parts) -> Result<Reading, StoreError> {
    let mut reading = Reading::new();
    let stats = parts.store.stats()?;
    let mut one = |name, help, value| reading.gauge(name, help, [(Vec::new(), value)]);
    one(
        "log_head_position",
        "Position of the last event",
        float(stats.head.position.0),
    );
    one("streams", "Streams in the store", float(stats.streams));
    one(
        "store_bytes",
        "Bytes of the store's file",
        float(stats.file_bytes),
    );
    one(
        "uptime_seconds",
        "Seconds since the daemon began to serve",
        parts.started.elapsed().as_secs_f64(),
    );
    let view = parts.store.view()?;
    let jobs = parts.outbox.handlers(view.as_ref())?;
    let series = jobs.into_iter().flat_map(|own| {
        JobStatus::ALL.map(|status| {
            let count = match status {
                JobStatus::Pending => own.counts.pending,
                JobStatus::Processing => own.counts.processing,
                JobStatus::Completed => own.counts.completed,
                JobStatus::Failed => own.counts.failed,
            };
            let labels = vec![
                ("handler", own.handler.clone()),
                ("status", status.as_str().to_owned()),
            ];
            (labels, float(count))
        })
    });
    reading.gauge(
        "outbox_jobs",
        "Jobs of the outbox; completed ones ever",
        series,
    );
    Ok(reading)
}
