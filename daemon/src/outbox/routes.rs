//! Routes: the table from event types to handlers.
//!
//! Owns which jobs an append brings. Knows handlers by name only, so that the write path never waits for one.

use std::sync::Arc;

use whodunit_core::event::NewEvent;

use super::handler::{EventPattern, Handler};
use crate::store::NewJob;

/// Who takes what.
#[derive(Debug, Clone, Default)]
pub struct Routes(Vec<(String, Vec<EventPattern>)>);

impl Routes {
    /// The table of these handlers.
    pub fn for_handlers(handlers: &[Arc<dyn Handler>]) -> Self {
        let row =
            |handler: &Arc<dyn Handler>| (handler.name().to_owned(), handler.takes().to_vec());
        Self(handlers.iter().map(row).collect())
    }

    /// The jobs that these events of a category bring, in the order of the events.
    pub fn jobs(&self, category: &str, events: &[NewEvent]) -> Vec<NewJob> {
        let mut jobs = Vec::new();
        for (index, event) in events.iter().enumerate() {
            for (handler, patterns) in &self.0 {
                if takes(patterns, category, &event.event_type) {
                    jobs.push(NewJob {
                        event: index,
                        handler: handler.clone(),
                    });
                }
            }
        }
        jobs
    }
}

/// Whether one of these patterns fits.
pub(crate) fn takes(patterns: &[EventPattern], category: &str, event_type: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| pattern.fits(category, event_type))
}
