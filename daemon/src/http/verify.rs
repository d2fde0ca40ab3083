//! `POST /v1/verify`: how far it is, line by line, and at the end what was found.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;
use whodunit_core::api::problem::Problem;
use whodunit_core::api::verify::{VerifyFailure, VerifyLine};
use whodunit_core::stop::{Stop, StopOnDrop};

use super::error::{ApiError, busy};
use super::extract::Query;
use crate::daemon::Parts;
use crate::store::{Scope, StoreError};
use crate::verify::verify_with_notes;

/// Lines that wait for a client that reads slowly; of the progress, more are left out.
const LINES_MAX: usize = 8;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VerifyParams {
    /// Check only the ends of the log and the counts of the indexes: a moment, whatever the size.
    quick: Option<bool>,
}

/// Verifies the whole store on one read view, while reads and writes go on: the hashes of all events and decisions, their order
/// and numbers, every index against the log and the log against every index, unique keys, labels and saved states against the
/// states, jobs and decisions against their events, and the write-ahead log. The answer comes as lines: now and then the progress, and at the
/// end what was found. It ends when its client leaves. Nothing is repaired.
#[utoipa::path(post, path = "/v1/verify", tag = "ops", params(VerifyParams),
    responses((status = 200, body = VerifyLine, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "`busy`: another verification is running")))]
pub(crate) async fn run_verify(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<VerifyParams>,
) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&parts.gates.verifications).try_acquire_owned() else {
        return Err(busy("another verification is running"));
    };
    let scope = if params.quick == Some(true) {
        Scope::Quick
    } else {
        Scope::All
    };
    let (sender, lines) = mpsc::channel(LINES_MAX);
    let stop = Stop::new();
    let left = stop.on_drop();
    let (store, models) = (Arc::clone(&parts.store), Arc::clone(&parts.models));
    let notes = parts.notes.all().map_err(|error| error.to_string());
    tokio::task::spawn_blocking(move || {
        let mut say = |progress| {
            // A client that reads slowly gets fewer of them.
            drop(sender.try_send(line(&VerifyLine::Progress(progress))));
        };
        let verified = verify_with_notes(store.as_ref(), &models, &notes, scope, &stop, &mut say);
        let last = match verified {
            Ok(out) => VerifyLine::End(out),
            Err(error) => VerifyLine::Failed(VerifyFailure {
                detail: failure(&error),
            }),
        };
        // Its client may have left.
        drop(sender.blocking_send(line(&last)));
        drop(place);
    });
    let answer = Answer {
        lines,
        parts,
        left: Some(left),
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    let body = Body::from_stream(stream::unfold(answer, Answer::piece).fuse());
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

fn failure(error: &StoreError) -> String {
    match error {
        StoreError::Stopped(_) => "it was stopped before its end".to_owned(),
        error => {
            tracing::error!(
                error = error.with_cause(),
                "a verification could not be finished"
            );
            error.to_string()
        }
    }
}

fn line(line: &VerifyLine) -> io::Result<Bytes> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// The answer, as long as its client takes it: the work ends with it.
struct Answer {
    lines: mpsc::Receiver<io::Result<Bytes>>,
    parts: Arc<Parts>,
    /// Ends the work when it is dropped.
    left: Option<StopOnDrop>,
}

impl Answer {
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let line = tokio::select! {
            line = self.lines.recv() => line,
            () = self.parts.stopping.cancelled(), if self.left.is_some() => {
                // Its last line says that it was stopped.
                self.left = None;
                self.lines.recv().await
            }
        };
        line.map(|line| (line, self))
    }
}
