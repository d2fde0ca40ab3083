//! Raw appends: events that are stored without running rules.
//!
//! Unique keys are enforced all the same: where the category's model has keys, the events are folded to find which keys the
//! stream takes and releases.

use std::collections::HashSet;
use std::sync::Arc;

use whodunit_core::admission::{self, Invalid};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::decide::state_and_keys_after;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;

use super::{Base, Commands, WriteError, base, label, starts_again};
use crate::limits::{APPEND_EVENTS_MAX, ATTEMPTS_MAX};
use crate::reading::read;
use crate::store::{Append, AppendError, AppendResult, StreamLabel};
use crate::time_travel::TravelError;

/// Raw events for one stream.
#[derive(Debug, Clone)]
pub struct RawAppend {
    /// The stream that grows.
    pub stream: StreamName,
    /// What its head must be.
    pub expected: ExpectedRevision,
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// Whether jobs are created for the events. Not for imports: no user should get mail about the past.
    pub handled: bool,
}

impl Commands {
    /// Appends events now.
    pub async fn append(&self, mut raw: RawAppend) -> Result<AppendResult, WriteError> {
        check_list(&raw.events).map_err(WriteError::refused)?;
        let model = self.models.for_stream(&raw.stream);
        let now = self.clock.now();
        for (index, event) in raw.events.iter_mut().enumerate() {
            // What has happened elsewhere keeps the times of its source, whatever they are.
            let admitted = if raw.handled {
                admission::appended(model, event, now)
            } else {
                admission::event(model, event)
            };
            admitted.map_err(|invalid| {
                WriteError::refused(invalid.into_problem(&format!("/events/{index}")))
            })?;
        }
        if !model.has_unique_keys() {
            return Ok(self.submit_append(self.unkeyed(raw, now)).await?);
        }
        let lock = self.stream_locks.enter(&raw.stream).await;
        for _ in 0..ATTEMPTS_MAX {
            let append = self.keyed(model, raw.clone(), now).await?;
            match self.submit_append(append).await {
                Ok(appended) => return Ok(appended),
                Err(error) if starts_again(&error, raw.expected, false) => {}
                Err(error) => return Err(WriteError::from(error).with_expected(raw.expected)),
            }
        }
        drop(lock);
        Err(WriteError::Append(AppendError::Busy))
    }

    /// Checked events of a category without a model.
    pub(crate) fn unkeyed(&self, raw: RawAppend, now: Timestamp) -> Append {
        let mut append = Append::facts(raw.stream, raw.expected, raw.events, now);
        append.fresh_ids = self.fresh_ids(&append.events);
        if raw.handled {
            append.jobs = self.routes.jobs(append.stream.category(), &append.events);
        }
        append
    }

    /// Checked events of a category with a model, with the keys and the label that they lead to.
    pub(crate) async fn keyed(
        &self,
        model: &Model,
        raw: RawAppend,
        now: Timestamp,
    ) -> Result<Append, WriteError> {
        let (model, travel) = (model.clone(), Arc::clone(&self.travel));
        let fresh_ids = self.fresh_ids(&raw.events);
        let routes = Arc::clone(&self.routes);
        read(&self.store, move |view| -> Result<_, TravelError> {
            let first_id = raw
                .events
                .first()
                .and_then(|event| event.event_id.as_deref());
            let known = match first_id {
                Some(id) => view.event_by_id(id)?.is_some(),
                None => false,
            };
            let mut append = Append::facts(raw.stream, raw.expected, raw.events, now);
            append.fresh_ids = fresh_ids;
            if raw.handled {
                append.jobs = routes.jobs(append.stream.category(), &append.events);
            }
            // An event id that is on record makes this a repetition or a conflict: the store answers without writing.
            if known {
                return Ok(append);
            }
            // Where nothing is derived from the state, no state is loaded: it may be of any size.
            let base = if model.derives_from_states() {
                base(view, &travel, &model, &append.stream)?
            } else {
                Base::stateless(view, &append.stream)?
            };
            if !append.expected.admits(base.revision) {
                // The store answers with both revisions.
                return Ok(append);
            }
            if model.derives_from_states() {
                let (after, keys) = state_and_keys_after(
                    &model,
                    &append.stream,
                    &base.state,
                    base.revision,
                    &append.events,
                    now,
                );
                append.keys = keys;
                append.label = Some(label(&model, &after));
            } else {
                append.label = Some(StreamLabel::default());
            }
            append.expected = ExpectedRevision::Exact(base.revision);
            Ok(append)
        })
        .await
        .map_err(WriteError::from)
    }

    fn fresh_ids(&self, events: &[NewEvent]) -> Vec<String> {
        let nameless = events.iter().filter(|event| event.event_id.is_none());
        nameless.map(|_| self.ids.fresh()).collect()
    }
}

fn check_list(events: &[NewEvent]) -> Result<(), Box<Problem>> {
    if events.is_empty() {
        return Err(Invalid::malformed("/events", "must hold at least one event").into_problem(""));
    }
    if events.len() > APPEND_EVENTS_MAX {
        let detail = format!(
            "`/events` holds {} events, at most {APPEND_EVENTS_MAX} are allowed",
            events.len()
        );
        return Err(Problem::new(Code::LimitExceeded, detail)
            .field("/events")
            .into());
    }
    let mut seen = HashSet::new();
    for (index, event) in events.iter().enumerate() {
        if let Some(id) = &event.event_id
            && !seen.insert(id)
        {
            let pointer = format!("/events/{index}/event_id");
            return Err(Invalid::malformed(pointer, "is given twice").into_problem(""));
        }
    }
    Ok(())
}
