//! One attempt at a job.
//!
//! Owns what a handler receives, and isolates its failures: an error, a panic and a time-out all become one sentence on
//! the job.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use whodunit_core::model::Models;
use whodunit_core::shown::{Reveal, redact_state};

use super::handler::{Delivery, Handler};
use crate::limits::JOB_ERROR_CHARS_MAX;
use crate::reading::read;
use crate::store::{Job, Store, StoreError};
use crate::time_travel::{TimeTravel, TravelError};

/// What an attempt needs in addition to the job.
pub(super) struct JobContext {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) store: Arc<dyn Store>,
    pub(super) models: Arc<Models>,
    pub(super) travel: Arc<TimeTravel>,
    /// Time that an attempt may take.
    pub(super) limit: Duration,
}

/// Tries a job once; the error is what gets recorded.
pub(super) async fn attempt(context: &JobContext, job: &Job) -> Result<(), String> {
    let delivery = delivery(context, job).await?;
    // A task of its own, so that a panic ends there.
    let handler = Arc::clone(&context.handler);
    let task = tokio::spawn(async move { handler.handle(delivery).await });
    // Dropped with this attempt, at its limit or when the daemon stops, the task ends.
    let task = AbortOnDropHandle::new(task);
    let outcome = match tokio::time::timeout(context.limit, task).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(stopped)) => {
            tracing::error!(handler = context.handler.name(), job = job.id, %stopped, "a handler panicked");
            Err("the handler panicked; see the daemon's log".to_owned())
        }
        Err(_elapsed) => {
            let seconds = context.limit.as_secs_f64();
            Err(format!("the handler did not finish within {seconds} s"))
        }
    };
    outcome.map_err(|error| bounded(&error))
}

fn bounded(error: &str) -> String {
    let mut short: String = error.chars().take(JOB_ERROR_CHARS_MAX).collect();
    if short.len() < error.len() {
        short.push('…');
    }
    short
}

/// The event and the state after it, as they may be shown.
async fn delivery(context: &JobContext, job: &Job) -> Result<Delivery, String> {
    let (models, travel) = (Arc::clone(&context.models), Arc::clone(&context.travel));
    let job = job.clone();
    let found = read(&context.store, move |view| -> Result<_, TravelError> {
        let model = models.for_stream(&job.stream);
        let event = view.event_at(job.position)?;
        let event = event.ok_or_else(|| StoreError::Damaged {
            place: format!("job {}", job.id),
            detail: format!("there is no event at its position {}", job.position),
        })?;
        // With snapshots on the way: the jobs of a long stream must not each fold it from its beginning.
        let reached = travel.state(view, model, &job.stream, job.revision)?;
        let mut state = reached.folded.state;
        redact_state(model, &mut state);
        Ok(Delivery {
            event: Reveal::NO.show(&models, event).into_inner(),
            state,
            attempt: job.attempts,
        })
    });
    found
        .await
        .map_err(|error| format!("the event could not be read: {error}"))
}
