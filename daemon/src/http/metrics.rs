//! Metrics, for Prometheus to scrape.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use whodunit_core::api::pipeline::{JobStatus, ProjectionOut, ProjectionStatus};
use whodunit_core::api::problem::{Code, Problem};

use super::error::ApiError;
use super::extract::Query;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::metrics::{Reading, Usage, plain};
use crate::reading::blocking;
use crate::store::StoreError;

/// Counters, histograms and gauges, as Prometheus reads them: `OpenMetrics`, or the older text format 0.0.4 for a client whose
/// `Accept` names `text/plain` and not the former.
#[utoipa::path(get, path = "/metrics", tag = "ops",
    responses((status = 200, content((String = "application/openmetrics-text"), (String = "text/plain")))))]
pub(crate) async fn metrics(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
    headers: HeaderMap,
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
    let (kind, text) = if wants_plain(&headers) {
        ("text/plain; version=0.0.4; charset=utf-8", plain(&text))
    } else {
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        )
    };
    let kind = HeaderValue::from_static(kind);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn wants_plain(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/plain") && !accept.contains("openmetrics"))
}

/// What a process that is watched says of itself: the names are the convention of Prometheus' clients.
fn process(parts: &Parts, reading: &mut Reading) {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    reading.gauge("build_info", "The daemon's version", [(version, 1.0)]);
    let Some(usage) = Usage::read() else {
        return;
    };
    let age = parts.started.elapsed().as_secs_f64();
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        - age;
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Memory in use",
            usage.resident,
        ),
        (
            "process_virtual_memory_bytes",
            "Memory that is mapped",
            usage.mapped,
        ),
        (
            "process_open_fds",
            "Open file descriptors",
            usage.descriptors,
        ),
        (
            "process_start_time_seconds",
            "When the daemon began to serve, in seconds since 1970",
            started,
        ),
    ] {
        reading.process_gauge(name, help, value);
    }
    reading.process_counter(
        "process_cpu_seconds",
        "Processor time used",
        usage.cpu_seconds,
    );
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the text format knows floats only"
)]
fn float(n: u64) -> f64 {
    n as f64
}

/// What is asked of the store, the outbox and the projections at this moment.
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
    projections(parts, &mut reading);
    process(parts, &mut reading);
    reading.gauge(
        "outbox_jobs",
        "Jobs of the outbox by status; completed ones since the store was created",
        series,
    );
    Ok(reading)
}

fn projections(parts: &Parts, reading: &mut Reading) {
    let statuses = parts.projections.statuses();
    let mut each = |name, help, value: fn(&ProjectionOut) -> f64| {
        let series = statuses
            .iter()
            .map(|own| (vec![("projection", own.name.clone())], value(own)));
        reading.gauge(name, help, series);
    };
    each(
        "projection_checkpoint",
        "Position of the last event that the read model reflects",
        |own| float(own.checkpoint),
    );
    each("projection_lag_events", "Head minus checkpoint", |own| {
        float(own.lag_events)
    });
    each(
        "projection_lag_seconds",
        "Seconds since it was last at the head",
        |own| own.lag_seconds,
    );
    each(
        "projection_stalled",
        "1 when it is behind and not moving",
        |own| f64::from(u8::from(own.status == ProjectionStatus::Stalled)),
    );
    each(
        "projection_documents",
        "Documents of the read model; NaN while its file cannot be read",
        |own| own.documents.map_or(f64::NAN, float),
    );
}
