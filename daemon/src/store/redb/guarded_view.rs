//! A read view in which damaged pages are named.
//!
//! Owns nothing: every read goes to the view within. What the engine makes of a damaged page, an error of its own or a panic,
//! becomes [`StoreError::Damaged`] with the page and the file.

use std::sync::Arc;

use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::file::File;
use super::view::RedbView;
use crate::store::engine::SealedView;
use crate::store::{
    CategoryInfo, DecisionFilter, DecisionPage, Density, Direction, HandlerCounts, Head, Job,
    JobFilter, JobPage, KeyHold, LateEvents, LateRange, LogFilter, LogPage, Snapshot, StoreError,
    StreamCursor, StreamFilter, StreamInfo, StreamOrder, StreamPage, View,
};

/// A view, and the file whose damage its errors name.
pub(crate) struct GuardedView {
    view: RedbView,
    file: Arc<File>,
}

impl GuardedView {
    pub(super) fn new(view: RedbView, file: Arc<File>) -> Self {
        Self { view, file }
    }
}

/// Reads of the view within, each guarded.
macro_rules! guarded {
    ($(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {$(
        fn $name(&self, $($arg: $kind),*) -> Result<$answer, StoreError> {
            self.file.guarded(|| self.view.$name($($arg),*))
        }
    )*};
}

impl SealedView for GuardedView {
    guarded! {
        fn holds(category: &str, key: &UniqueKey, at: Position) -> Vec<KeyHold>;
        fn each_time(stream: Option<&StreamName>, each: &mut dyn FnMut(i64)) -> ();
    }
}

impl View for GuardedView {
    fn head(&self) -> Head {
        self.view.head()
    }

    fn stop(&self) -> &Stop {
        self.view.stop()
    }

    fn set_stop(&mut self, stop: Stop) {
        self.view.set_stop(stop);
    }

    guarded! {
        fn stream(stream: &StreamName) -> Option<StreamInfo>;
        fn stream_events(stream: &StreamName, from: Revision, direction: Direction, limit: usize) -> Vec<Event>;
        fn for_each_event(stream: &StreamName, from: Revision, to: Revision, each: &mut dyn FnMut(Event) -> bool) -> ();
        fn revision_as_of(stream: &StreamName, at: Timestamp) -> Option<Revision>;
        fn revision_at(stream: &StreamName, position: Position) -> Option<Revision>;
        fn late_events(stream: &StreamName, range: LateRange, limit: usize, budget: u64) -> LateEvents;
        fn effective_at(stream: &StreamName, revision: Revision) -> Option<Timestamp>;
        fn log(filter: &LogFilter, from: Option<Position>, direction: Direction, limit: usize, budget: u64) -> LogPage;
        fn event_at(position: Position) -> Option<Event>;
        fn event_by_id(event_id: &str) -> Option<Event>;
        fn streams(filter: &StreamFilter, order: StreamOrder, after: Option<StreamCursor>, limit: usize, budget: u64) -> StreamPage;
        fn categories() -> Vec<CategoryInfo>;
        fn decisions(filter: &DecisionFilter, from: Option<u64>, direction: Direction, limit: usize) -> DecisionPage;
        fn decision(sequence: u64) -> Option<Decision>;
        fn decision_by_command(command_id: &str) -> Option<Decision>;
        fn key_holder(category: &str, key: &UniqueKey, at: Option<Position>) -> Option<KeyHold>;
        fn key_holder_as_of(category: &str, key: &UniqueKey, at: Timestamp, except: &StreamName) -> Option<KeyHold>;
        fn job(id: u64) -> Option<Job>;
        fn jobs(filter: &JobFilter, from: Option<u64>, direction: Direction, limit: usize, budget: u64) -> JobPage;
        fn first_open_job(handler: &str, stream: &StreamName) -> Option<Job>;
        fn job_counts() -> Vec<HandlerCounts>;
        fn snapshot(stream: &StreamName, rules_hash: &str, at_most: Revision) -> Option<Snapshot>;
        fn density(stream: Option<&StreamName>, buckets: usize) -> Density;
    }
}
