//! The events behind values: who, when and why, looked up once each.

use std::collections::HashMap;

use whodunit_core::api::investigate::EventCause;
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};

use crate::store::{StoreError, View};

/// The events of one stream, by revision.
pub(super) struct Causes<'a> {
    view: &'a dyn View,
    stream: &'a StreamName,
    known: HashMap<Revision, Option<EventCause>>,
}

impl<'a> Causes<'a> {
    pub(super) fn new(view: &'a dyn View, stream: &'a StreamName) -> Self {
        Self {
            view,
            stream,
            known: HashMap::new(),
        }
    }

    /// The event of a revision; `None` for revision 0.
    pub(super) fn at(&mut self, revision: Revision) -> Result<Option<EventCause>, StoreError> {
        if let Some(known) = self.known.get(&revision) {
            return Ok(known.clone());
        }
        self.view.stop().check()?;
        let event = match revision {
            Revision::ZERO => None,
            at => self.view.event_at_revision(self.stream, at)?,
        };
        let cause = event.map(|event| self.cause(event)).transpose()?;
        self.known.insert(revision, cause.clone());
        Ok(cause)
    }

    fn cause(&self, event: Event) -> Result<EventCause, StoreError> {
        let decision = match &event.causation_id {
            Some(id) => self.view.decision_by_command(id)?,
            None => None,
        };
        let command_type = decision
            .as_ref()
            .map(|decision| decision.command_type.clone());
        Ok(EventCause {
            position: event.position,
            event_id: event.event_id,
            event_type: event.event_type,
            recorded_at: event.recorded_at,
            actor: event.actor,
            reason: event.reason,
            correlation_id: event.correlation_id,
            command_id: decision.map(|decision| decision.command_id),
            command_type,
        })
    }
}
