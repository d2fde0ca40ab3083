//! Events and decisions inside the batches that brought them, and found by their ids.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use imbl::HashMap;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use crate::store::write::{Batch, Placed};

/// An event of a batch.
#[derive(Debug, Clone)]
pub(crate) struct EventRef {
    batch: Arc<Batch>,
    index: usize,
}

impl EventRef {
    /// The event of this index, which the batch must have.
    pub(super) fn new(batch: &Arc<Batch>, index: usize) -> Self {
        let batch = Arc::clone(batch);
        Self { batch, index }
    }

    /// It, with what is derived of it in its stream.
    #[expect(
        clippy::indexing_slicing,
        reason = "made for events that the batch has, and batches never change"
    )]
    pub(crate) fn placed(&self) -> &Placed {
        &self.batch.events[self.index]
    }
}

impl Deref for EventRef {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.placed().event
    }
}

/// The decision of a batch.
#[derive(Debug, Clone)]
pub(crate) struct DecisionRef(Arc<Batch>);

impl DecisionRef {
    /// `None` for a batch without one.
    pub(super) fn new(batch: &Arc<Batch>) -> Option<Self> {
        batch.decision.is_some().then(|| Self(Arc::clone(batch)))
    }

    /// The positions of the events that were written with it.
    pub(super) fn own_positions(&self) -> Vec<Position> {
        let events = self.0.events.iter();
        events.map(|placed| placed.event.position).collect()
    }
}

impl Deref for DecisionRef {
    type Target = Decision;

    #[expect(
        clippy::unreachable,
        reason = "made for batches that have one, and batches never change"
    )]
    fn deref(&self) -> &Decision {
        match &self.0.decision {
            Some(decision) => decision,
            None => unreachable!(),
        }
    }
}

/// What has an id of its own.
pub(crate) trait Named {
    /// It.
    fn id(&self) -> &str;
}

impl Named for EventRef {
    fn id(&self) -> &str {
        &self.event_id
    }
}

impl Named for DecisionRef {
    fn id(&self) -> &str {
        &self.command_id
    }
}

/// Found by its id, and the same as another of that id.
#[derive(Debug, Clone)]
struct ById<T>(T);

impl<T: Named> PartialEq for ById<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl<T: Named> Eq for ById<T> {}

impl<T: Named> Hash for ById<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl<T: Named> Borrow<str> for ById<T> {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

/// Records by their ids.
#[derive(Debug, Clone)]
pub(super) struct Ids<T: Named>(HashMap<ById<T>, ()>);

impl<T: Named> Default for Ids<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Named + Clone> Ids<T> {
    pub(super) fn insert(&mut self, record: T) {
        self.0.insert(ById(record), ());
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        let found = self.0.get_key_value(id);
        found.map(|(ById(record), ())| record)
    }
}
