//! The overlay: a branch's log as a read view.
//!
//! Owns what of a log is otherwise in another world, and how both are read as one: streams that differ come from the overlay,
//! everything else from the log's own view. An event that stands as recorded, or in the place of a recorded one, keeps its position; one
//! that is not on record has the position of the event that it comes after, so several may have the same. A decision keeps its
//! sequence; those that are not on record are numbered after the log's last one. Nothing of the log is changed, and no state of
//! the other world is saved.

mod build;
mod decisions;
mod events;
mod lists;
mod stream;
mod times;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use crate::store::{
    Direction, HandlerCounts, Head, Job, JobFilter, JobPage, KeyHold, ReadJobs, ReadKeys,
    ReadSnapshots, Snapshot, Stoppable, StoreError, View, WordField,
};

pub(super) use build::{Builder, Unbuilt, build};
use stream::{OtherStream, What};

/// What is otherwise in another world.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// Streams that differ.
    streams: BTreeMap<StreamName, OtherStream>,
    /// Events that are not on record, in the order of the other world.
    own: Vec<Arc<Event>>,
    /// Their places in `own`: by id, and by cause.
    own_by_id: HashMap<String, usize>,
    own_by_cause: HashMap<String, Vec<usize>>,
    decisions: OtherDecisions,
    /// How many more events have a word than on record.
    words: HashMap<(WordField, String), i64>,
    /// The log's head, and with the decisions that are not on record.
    log_head: Head,
    head: Head,
    weight: usize,
}

/// Decisions that are otherwise.
#[derive(Debug, Default)]
struct OtherDecisions {
    /// Those that are otherwise or not on record.
    own: BTreeMap<u64, Decision>,
    /// Those that were never made.
    gone: BTreeSet<u64>,
    /// The base revisions here of those that were decided again, and are as recorded.
    based: HashMap<u64, Revision>,
    own_by_command: HashMap<String, u64>,
    own_by_cause: HashMap<String, Vec<u64>>,
}

impl Overlay {
    /// What it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The log itself, up to its head.
    pub(crate) fn of_log(head: Head) -> Self {
        Self {
            log_head: head,
            head,
            ..Self::default()
        }
    }

    /// The streams that differ, by name.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &StreamName> {
        self.streams.keys()
    }

    /// The first revision of a stream that may be otherwise than on record.
    pub(crate) fn first_otherwise(&self, stream: &StreamName) -> Option<Revision> {
        Some(self.streams.get(stream)?.first)
    }

    /// Whether a revision of a stream is the same event in both worlds, as far as that is known without reading it.
    pub(crate) fn is_same_event(&self, other: &Self, stream: &StreamName, at: Revision) -> bool {
        let what = |world: &Self| match world.streams.get(stream) {
            Some(stream) if at >= stream.first => stream.slot(at).map(|slot| slot.what.clone()),
            _ => Some(What::Recorded(at)),
        };
        match (what(self), what(other)) {
            (Some(What::Recorded(one)), Some(What::Recorded(other))) => one == other,
            (Some(What::Own(one)), Some(What::Own(other))) => one == other,
            _ => false,
        }
    }

    /// The head of the log under it.
    pub(crate) fn log_head(&self) -> Head {
        self.log_head
    }

    /// The recorded decisions that are otherwise or were never made, and those that are not on record.
    pub(crate) fn touched_decisions(&self) -> BTreeSet<u64> {
        let own = self.decisions.own.keys();
        own.chain(&self.decisions.gone).copied().collect()
    }
}

/// A branch's log: an overlay over a view of the log.
pub(crate) struct BranchView {
    base: Box<dyn View>,
    overlay: Arc<Overlay>,
}

impl BranchView {
    pub(crate) fn new(base: Box<dyn View>, overlay: Arc<Overlay>) -> Self {
        Self { base, overlay }
    }

    /// Shows another world over the same view of the log.
    pub(crate) fn show(&mut self, overlay: &Arc<Overlay>) {
        self.overlay = Arc::clone(overlay);
    }

    fn other(&self, stream: &StreamName) -> Option<&OtherStream> {
        self.overlay.streams.get(stream)
    }

    /// The event of the log as it stands here; `None` where it does not.
    fn standing(&self, event: Event) -> Option<Event> {
        let Some(other) = self.other(&event.stream) else {
            return Some(event);
        };
        let (revision, position) = other.place_of_recorded(&event)?;
        Some(Event {
            revision,
            position,
            ..event
        })
    }
}

impl Stoppable for BranchView {
    fn stop(&self) -> &Stop {
        self.base.stop()
    }
}

impl View for BranchView {
    fn head(&self) -> Head {
        self.overlay.head
    }

    fn places_are_shared(&self) -> bool {
        true
    }

    fn set_stop(&mut self, stop: Stop) {
        self.base.set_stop(stop);
    }
}

impl BranchView {
    /// The log's own view, where nothing is otherwise. Who holds a key in a branch is asked by nothing that reads one: a what-if
    /// upon a branch is planned over the log.
    fn keys(&self) -> Result<&dyn View, StoreError> {
        if self.overlay.streams.is_empty() {
            return Ok(self.base.as_ref());
        }
        Err(StoreError::Engine {
            doing: "reading a branch",
            source: "who holds a key is not known of a branch".into(),
        })
    }
}

impl ReadKeys for BranchView {
    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> Result<Option<KeyHold>, StoreError> {
        self.keys()?.key_holder(category, key, at)
    }

    fn key_holds_since(
        &self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> Result<Vec<KeyHold>, StoreError> {
        self.keys()?.key_holds_since(category, key, after)
    }

    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> Result<Option<KeyHold>, StoreError> {
        self.keys()?.key_holder_as_of(category, key, at, except)
    }
}

/// Jobs are of the log: nothing is mailed in a branch.
impl ReadJobs for BranchView {
    fn job(&self, id: u64) -> Result<Option<Job>, StoreError> {
        self.base.job(id)
    }

    fn jobs(
        &self,
        filter: &JobFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> Result<JobPage, StoreError> {
        self.base.jobs(filter, from, direction, limit, budget)
    }

    fn jobs_of_event(&self, position: Position) -> Result<Vec<Job>, StoreError> {
        self.base.jobs_of_event(position)
    }

    fn jobs_of(&self, position: Position, event_id: &str) -> Result<Vec<Job>, StoreError> {
        if self.overlay.own_by_id.contains_key(event_id) {
            return Ok(Vec::new());
        }
        self.base.jobs_of_event(position)
    }

    fn first_open_job(
        &self,
        handler: &str,
        stream: &StreamName,
    ) -> Result<Option<Job>, StoreError> {
        self.base.first_open_job(handler, stream)
    }

    fn job_counts(&self) -> Result<Vec<HandlerCounts>, StoreError> {
        self.base.job_counts()
    }
}

impl ReadSnapshots for BranchView {
    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> Result<Option<Snapshot>, StoreError> {
        // Behind the first revision that may differ, a saved state is one of the log.
        let at_most = match self.other(stream) {
            Some(other) => at_most.min(Revision(other.first.0.saturating_sub(1))),
            None => at_most,
        };
        if at_most == Revision::ZERO {
            return Ok(None);
        }
        self.base.snapshot(stream, rules_hash, at_most)
    }

    fn keeps_snapshots(&self) -> bool {
        false
    }
}
