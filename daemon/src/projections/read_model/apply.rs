//! Application of events to documents, indexes and the apply log, within one transaction.
//!
//! Owns what keeps a document true: an event at or below a document's revision is not applied again, and one that leaves
//! a gap is not applied at all, but the document re-folded. Commits nothing by itself.

mod application;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::Models;

use super::super::error::{ProjectionError, panicked};
use super::super::pages::{LogRange, Page, Pages, read_ahead};
use super::super::projection::{Projection, rules_hash};
use super::file::{CheckpointMeta, Durable, ReadModel, engine, write_meta};
use crate::store::{ReadEvents, View};

pub(crate) use application::Application;

/// A projection and the models it folds by.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) projection: Arc<dyn Projection>,
    pub(crate) models: Arc<Models>,
    pub(crate) hash: String,
}

impl Rules {
    pub(crate) fn new(projection: Arc<dyn Projection>, models: Arc<Models>) -> Self {
        let hash = rules_hash(projection.as_ref(), &models);
        Self {
            projection,
            models,
            hash,
        }
    }

    /// The meta of a read model before its first event.
    pub(crate) fn fresh(&self) -> CheckpointMeta {
        CheckpointMeta::new(self.projection.as_ref(), &self.hash)
    }

    /// The state of a stream before its first event, as it is kept.
    pub(crate) fn empty(&self, stream: &StreamName) -> State {
        let model = self.models.for_stream(stream);
        let mut state = model.decider().initial_state();
        self.projection.keep(model, &mut state);
        state
    }

    /// Moves a state past an event. A panic of the projection or its model is an error like any other.
    pub(crate) fn apply(&self, state: &mut State, event: &Event) -> Result<(), ProjectionError> {
        let model = self.models.for_stream(&event.stream);
        let applied = catch_unwind(AssertUnwindSafe(|| {
            self.projection.apply(model, state, event)
        }));
        let reason = match applied {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(panic) => panicked(panic.as_ref()).to_string(),
        };
        Err(ProjectionError::Apply {
            position: event.position,
            reason,
        })
    }
}

/// How much one transaction takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events at most.
    pub(crate) events: usize,
    /// Bytes of those events and of the documents they concern, after which it is enough.
    pub(crate) bytes: usize,
    /// The last position, if not the log's head.
    pub(crate) until: Option<Position>,
}

/// Applies the next events of the log and commits. Returns the read model's new meta. With a second view the log is read
/// on another thread, which pays for large batches.
pub(crate) fn advance(
    model: &ReadModel,
    meta: &CheckpointMeta,
    rules: &Rules,
    (view, ahead): (&dyn View, Option<Box<dyn View>>),
    (bounds, durable): (Bounds, Durable),
    stop: &dyn Fn() -> bool,
) -> Result<CheckpointMeta, ProjectionError> {
    let head = view.head().position;
    let until = bounds.until.map_or(head, |until| until.min(head));
    let txn = model.write(durable)?;
    let meta = {
        let mut application = Application::begin(&txn, rules, view, meta.clone())?;
        let (mut checkpoint, mut bytes) = (meta.checkpoint, 0);
        let range = LogRange {
            category: rules.projection.category(),
            after: checkpoint,
            until,
        };
        let each = |page: Page| {
            if stop() {
                return Err(ProjectionError::Stopped);
            }
            for event in &page.events {
                application.event(event)?;
            }
            checkpoint = page.up_to;
            bytes += page.bytes;
            Ok(bytes + application.loaded_bytes < bounds.bytes)
        };
        match ahead {
            Some(ahead) => read_ahead(ahead, range, bounds.events, each)?,
            None => Pages::new(view, range).for_each(bounds.events, each)?,
        }
        let anchor = anchor_event(view, checkpoint)?;
        application.finish(checkpoint, anchor)?
    };
    write_meta(&txn, &meta)?;
    txn.commit().map_err(engine("committing"))?;
    Ok(meta)
}

/// Re-folds the documents of these streams, up to the checkpoint, and commits. Returns the read model's new meta.
pub(crate) fn refold(
    model: &ReadModel,
    meta: &CheckpointMeta,
    rules: &Rules,
    view: &dyn ReadEvents,
    streams: &[StreamName],
) -> Result<CheckpointMeta, ProjectionError> {
    let category = rules.projection.category();
    let txn = model.write(Durable::Now)?;
    let meta = {
        let (checkpoint, anchor) = (meta.checkpoint, meta.anchor.clone());
        let mut application = Application::begin(&txn, rules, view, meta.clone())?;
        for stream in streams {
            if category.is_none_or(|category| category == stream.category()) {
                application.refold(stream, checkpoint)?;
            }
        }
        application.finish(checkpoint, anchor)?
    };
    write_meta(&txn, &meta)?;
    txn.commit().map_err(engine("committing"))?;
    Ok(meta)
}

/// The id of the event at a position.
pub(crate) fn anchor_event(
    view: &dyn ReadEvents,
    position: Position,
) -> Result<Option<String>, ProjectionError> {
    Ok(view.event_at(position)?.map(|event| event.event_id))
}
