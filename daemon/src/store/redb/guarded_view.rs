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
use crate::store::engine::SealedView;
use crate::store::{
    CategoryInfo, DecisionFilter, DecisionPage, Density, Direction, EachView, HandlerCounts, Head,
    Job, JobFilter, JobPage, KeyHold, LateEvents, LateRange, LogFilter, LogPage, ReadDecisions,
    ReadEvents, ReadJobs, ReadKeys, ReadSnapshots, ReadStreams, ReadTimes, ReadWords, Snapshot,
    Stoppable, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder, StreamPage, View,
    WordField, WordPage,
};

/// A view, and the file whose damage its errors name.
pub(crate) struct GuardedView<V> {
    view: V,
    file: Arc<File>,
}

impl<V> GuardedView<V> {
    pub(super) fn new(view: V, file: Arc<File>) -> Self {
        Self { view, file }
    }
}

/// A read trait, each of whose reads goes to the view within, guarded.
macro_rules! guarded {
    ($reads:ident: $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl<V: SealedView> $reads for GuardedView<V> {$(
            fn $name(&self, $($arg: $kind),*) -> Result<$answer, StoreError> {
                self.file.guarded(|| self.view.$name($($arg),*))
            }
        )*}
    };
}

impl<V: SealedView> Stoppable for GuardedView<V> {
    fn stop(&self) -> &Stop {
        self.view.stop()
    }
}

impl<V: SealedView> View for GuardedView<V> {
    fn head(&self) -> Head {
        self.view.head()
    }

    fn set_stop(&mut self, stop: Stop) {
        self.view.set_stop(stop);
    }
}

guarded! { SealedView:
    fn holds(category: &str, key: &UniqueKey, at: Position) -> Vec<KeyHold>;
    fn each_time(stream: Option<&StreamName>, each: &mut dyn FnMut(i64)) -> ();
    fn last_rejection() -> u64;
}

guarded! { ReadEvents:
    fn log(filter: &LogFilter, from: Option<Position>, direction: Direction, limit: usize, budget: u64) -> LogPage;
    fn walk_stream(stream: &StreamName, range: (Revision, Revision), direction: Direction, each: EachView<'_>) -> ();
    fn walk_log(from: Position, each: EachView<'_>) -> ();
    fn event_at(position: Position) -> Option<Event>;
    fn event_at_revision(stream: &StreamName, revision: Revision) -> Option<Event>;
    fn event_by_id(event_id: &str) -> Option<Event>;
    fn caused_events(cause: &str, from: Position, limit: usize) -> Vec<Event>;
}

guarded! { ReadTimes:
    fn revision_as_of(stream: &StreamName, at: Timestamp) -> Option<Revision>;
    fn revision_at(stream: &StreamName, position: Position) -> Option<Revision>;
    fn effective_at(stream: &StreamName, revision: Revision) -> Option<Timestamp>;
    fn late_events(stream: &StreamName, range: LateRange, limit: usize, budget: u64) -> LateEvents;
    fn density(stream: Option<&StreamName>, buckets: usize) -> Density;
}

guarded! { ReadWords:
    fn word_events(field: WordField, word: &str) -> u64;
    fn words(field: WordField, prefix: &str, after: Option<&str>, limit: usize) -> WordPage;
}

guarded! { ReadStreams:
    fn stream(stream: &StreamName) -> Option<StreamInfo>;
    fn streams(filter: &StreamFilter, order: StreamOrder, after: Option<StreamCursor>, limit: usize, budget: u64) -> StreamPage;
    fn categories() -> Vec<CategoryInfo>;
}

guarded! { ReadDecisions:
    fn decisions(filter: &DecisionFilter, from: Option<u64>, direction: Direction, limit: usize) -> DecisionPage;
    fn decision(sequence: u64) -> Option<Decision>;
    fn decision_by_command(command_id: &str) -> Option<Decision>;
    fn caused_decisions(cause: &str, from: u64, limit: usize) -> Vec<Decision>;
    fn rejection_before(position: Position) -> u64;
}

guarded! { ReadKeys:
    fn key_holder(category: &str, key: &UniqueKey, at: Option<Position>) -> Option<KeyHold>;
    fn key_holds_since(category: &str, key: &UniqueKey, after: Position) -> Vec<KeyHold>;
    fn key_holder_as_of(category: &str, key: &UniqueKey, at: Timestamp, except: &StreamName) -> Option<KeyHold>;
}

guarded! { ReadJobs:
    fn job(id: u64) -> Option<Job>;
    fn jobs(filter: &JobFilter, from: Option<u64>, direction: Direction, limit: usize, budget: u64) -> JobPage;
    fn jobs_of_event(position: Position) -> Vec<Job>;
    fn first_open_job(handler: &str, stream: &StreamName) -> Option<Job>;
    fn job_counts() -> Vec<HandlerCounts>;
}

guarded! { ReadSnapshots:
    fn snapshot(stream: &StreamName, rules_hash: &str, at_most: Revision) -> Option<Snapshot>;
}
