//! The store seam: what the rest of the daemon may ask of an event store.
//!
//! Owns the trait and its types; `redb/` is the embedded implementation and `conformance` the suite
//! that every implementation must pass. Never knows a model, a rule or HTTP: unique keys, titles and rules hashes come
//! in as values.
//!
//! Writes go through [`Store::append`], which is atomic, durable when it returns, and ordered. Reads go through a
//! [`View`]: a consistent read view of the log at one moment, which never waits for the writer.

mod chain;
pub mod disk;
mod error;
mod frame;
mod group;
mod jobs;
pub mod redb;
mod tail;
mod wal;
pub(crate) mod write;

#[cfg(test)]
mod campaigns;
#[cfg(test)]
mod conformance;

use std::pin::Pin;

use tokio::sync::watch;
use whodunit_core::command::{Command, Decision, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

pub use disk::StoreId;
pub use error::{AppendError, NotItsEvents, ReadOnly, StoreError};
pub use jobs::{HandlerCounts, Job, JobChange, JobFilter, JobPage, NewJob};

/// A boxed future, so that the trait stays usable as `dyn Store`.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// An append-only event store.
pub trait Store: Send + Sync + 'static {
    /// Which store this is: given when it was made, and in every file that belongs to it. No other has it.
    fn id(&self) -> StoreId;

    /// Appends all of the request or nothing of it, and returns once it is durable.
    ///
    /// Concurrent appends share one durable commit. Appends submitted one after another (the calls, not the awaits)
    /// get positions in that order.
    fn append(&self, append: Append) -> BoxFuture<Result<AppendResult, AppendError>>;

    /// Restores a decision from an export, with the outcome it says and the next sequence. Its positions and revisions
    /// become those that the events it names have in this log; without them it is refused
    /// ([`AppendError::NotItsEvents`]). A `command_id` already on record with the same content is skipped (`false`).
    fn restore_decision(&self, restored: RestoredDecision) -> BoxFuture<Result<bool, AppendError>>;

    /// A read view of everything acknowledged so far. Blocking; call it where blocking is allowed.
    fn view(&self) -> Result<Box<dyn View>, StoreError>;

    /// Saves a snapshot. Derived data: need not be durable when it returns, and losing it harms nothing.
    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>>;

    /// Changes jobs of the outbox, in order and all in one transaction, at the daemon's time `at`. Durable when it
    /// returns, but for a list of nothing but [`JobChange::Begin`].
    ///
    /// The answer has an entry for each change: the job as it is now, or `None` where the change did not apply (no such
    /// job, or not in the status the change starts from). [`JobChange::ReleaseAll`] always answers `None`.
    fn change_jobs(
        &self,
        changes: Vec<JobChange>,
        at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>>;

    /// The log's head, announced after each durable commit. Decisions without events announce as well.
    fn head(&self) -> watch::Receiver<Head>;

    /// Bytes on disk and counts, for people and metrics.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Whether the log is a copy from which secrets were taken out: its events stand in their places, and some of what they
    /// say is not what was recorded.
    fn is_redacted_copy(&self) -> bool;

    /// Labels the log as a redacted copy, for good. Durable when it returns.
    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>>;

    /// Stops taking writes, finishes those under way and closes the file. Later writes answer
    /// [`AppendError::Closed`]. Idempotent.
    fn close(&self) -> BoxFuture<Result<(), StoreError>>;
}

/// The end of the log at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Head {
    /// Position of the last event; 0 for an empty log.
    pub position: Position,
    /// Sequence of the last decision; 0 when there is none.
    pub decision: u64,
}

/// One atomic append to one stream.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream that grows.
    pub stream: StreamName,
    /// What its author believes its head to be.
    pub expected: ExpectedRevision,
    /// The facts, in order; empty is allowed only with a decision.
    pub events: Vec<NewEvent>,
    /// The daemon's clock: `recorded_at` of events that bring none, even where the stream has later ones already.
    pub now: Timestamp,
    /// Ids for those events that bring none, as many as there are events.
    pub fresh_ids: Vec<String>,
    /// The command behind the events, to be recorded with its outcome in the same transaction.
    pub decision: Option<PendingDecision>,
    /// Keys the stream takes and gives up with its events, in order. One that another stream holds turns a decided append
    /// into a recorded rejection (`{name}.taken`) and fails an undecided one with [`AppendError::KeyTaken`], even where a
    /// later event of the append would give it up again: the log would say that two held it. Giving up what it does not
    /// hold is no error.
    pub keys: Vec<KeyChange>,
    /// How lists name the stream from now on; `None` leaves what was there.
    pub label: Option<StreamLabel>,
    /// Work on the events that is stored with them. Not when the append repeats an earlier one or is a rejection.
    pub jobs: Vec<NewJob>,
}

impl Append {
    /// A plain append of facts at the daemon's time `now`, with no decision behind it.
    pub fn facts(
        stream: StreamName,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
        now: Timestamp,
    ) -> Self {
        Self {
            stream,
            expected,
            events,
            now,
            fresh_ids: Vec::new(),
            decision: None,
            keys: Vec::new(),
            label: None,
            jobs: Vec::new(),
        }
    }
}

/// A command and what its rules answered, before it has a place in the decision log.
#[derive(Debug, Clone)]
pub struct PendingDecision {
    /// The prepared command: no plaintext secrets.
    pub command: Command,
    /// The revision it was decided on. With events, the append's `expected` should be exactly this.
    pub base_revision: Revision,
    /// Content hash of the model that decided.
    pub rules_hash: String,
    /// `Some` when a rule refused it; then the append has no events.
    pub rejection: Option<Rejection>,
}

/// A decision of an export on its way back into a log, with the events that tell its place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredDecision {
    /// As it was exported.
    pub decision: Decision,
    /// The events that tell its place.
    pub place: DecisionPlace,
}

/// Which events tell where a decision stands. Ids stay what they are in any log; positions and revisions do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionPlace {
    /// Those it led to, in order: as many as it says, and each caused by its command.
    Events(Vec<String>),
    /// It led to none. The last event of the log and the last one of its stream when it was decided; `None` where there
    /// was none yet.
    After {
        /// Of the log.
        log: Option<String>,
        /// Of its stream.
        stream: Option<String>,
    },
}

/// The answer to an append.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendResult {
    /// The events as they stand in the log (the first answer's, when the append was a repetition).
    pub events: Vec<Event>,
    /// The decision as it stands in the decision log. It may be a rejection even though the rules accepted, when
    /// another stream holds a claimed key.
    pub decision: Option<Decision>,
    /// The stream's head after the append.
    pub revision: Revision,
    /// The log's position of the last event of the append, or the head when it had none.
    pub position: Position,
    /// Whether this repeats an earlier append (same event ids or same command id): nothing was written.
    pub repeated: bool,
    /// How many of its events were recorded before the stream's effective time: the stream's clock went back.
    pub clock_back: usize,
}

/// How lists name a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamLabel {
    /// For people, such as a user's email.
    pub title: Option<String>,
    /// Such as `active` or `deleted`.
    pub status: Option<String>,
}

/// What the store knows of a stream without reading its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub stream: StreamName,
    /// Its head; never 0.
    pub revision: Revision,
    /// Position of its first event.
    pub first_position: Position,
    /// Position of its last event.
    pub last_position: Position,
    /// `recorded_at` of its first event.
    pub first_at: Timestamp,
    /// Effective time of its last event: the running maximum of `recorded_at`.
    pub last_at: Timestamp,
    /// Type, actor and reason of its last event.
    pub last_event_type: String,
    /// Actor of its last event.
    pub last_actor: Option<String>,
    /// Reason of its last event.
    pub last_reason: Option<String>,
    /// How lists name it.
    pub label: StreamLabel,
    /// First revision whose `recorded_at` is earlier than its predecessor's effective time, if any.
    pub clock_back_at: Option<Revision>,
}

/// A saved state. Derived, never trusted over the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream.
    pub stream: StreamName,
    /// The revision the state stands after.
    pub revision: Revision,
    /// Content hash of the model that folded it.
    pub rules_hash: String,
    /// The state, encoded by the time-travel layer.
    pub state: Vec<u8>,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From old to new.
    #[default]
    Forward,
    /// From new to old.
    Backward,
}

/// Which events of the log are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFilter {
    /// Exactly this category.
    pub category: Option<String>,
    /// Exactly this event type.
    pub event_type: Option<String>,
    /// Exactly this actor.
    pub actor: Option<String>,
    /// Exactly this correlation id.
    pub correlation_id: Option<String>,
    /// `recorded_at` not before this.
    pub since: Option<Timestamp>,
    /// `recorded_at` not after this.
    pub until: Option<Timestamp>,
    /// Occurs, without regard to case, in stream, type, actor, reason, ids, data or metadata.
    pub text: Option<String>,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogPage {
    /// The events, in the direction asked for.
    pub events: Vec<Event>,
    /// Where to go on: the first position not yet looked at, `None` at the end. Set even when `events` is short or
    /// empty because the scan budget was used up.
    pub next: Option<Position>,
    /// How many events (or index entries) were looked at.
    pub scanned: u64,
}

/// Which streams are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamFilter {
    /// Exactly this category.
    pub category: Option<String>,
    /// Exactly this status.
    pub status: Option<String>,
    /// Occurs, without regard to case, in name or title.
    pub text: Option<String>,
}

/// How a list of streams is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamOrder {
    /// By name, ascending (bytes).
    #[default]
    Name,
    /// By last event's position, newest first.
    Recent,
}

/// Where a page of streams goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamCursor {
    /// After this name, for [`StreamOrder::Name`].
    AfterName(String),
    /// For [`StreamOrder::Recent`]: before this position, in the order that held at this head, which is that of the first
    /// page. Streams that have grown since are listed where they stood then.
    BeforePosition {
        /// The position that the last stream was listed at.
        before: Position,
        /// The head when the first page was read.
        head: Position,
    },
}

/// A page of streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamPage {
    /// The streams, in the order asked for.
    pub streams: Vec<StreamInfo>,
    /// Where to go on; `None` at the end. May be set though `streams` is short: the scan budget was used up.
    pub next: Option<StreamCursor>,
    /// How many streams were looked at.
    pub scanned: u64,
}

/// Which decisions are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionFilter {
    /// Exactly this stream.
    pub stream: Option<StreamName>,
    /// Only rejected (`Some(true)`) or only accepted (`Some(false)`) ones.
    pub rejected: Option<bool>,
}

/// A page of decisions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecisionPage {
    /// The decisions, in the direction asked for.
    pub decisions: Vec<Decision>,
    /// The sequence to go on from; `None` at the end.
    pub next: Option<u64>,
}

/// A category and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryInfo {
    /// Its name.
    pub category: String,
    /// How many streams it has.
    pub streams: u64,
    /// How many events they have together.
    pub events: u64,
}

/// How long a key was held, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHold {
    /// The holder.
    pub stream: StreamName,
    /// Position of the event that took it.
    pub since: Position,
    /// Position of the event that gave it up; `None` while held.
    pub until: Option<Position>,
    /// Effective time, in its stream, of the event that took it.
    pub since_at: Timestamp,
    /// Effective time, in its stream, of the event that gave it up; `None` while held.
    pub until_at: Option<Timestamp>,
}

/// Which events that are out of order by time are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateRange {
    /// After this revision.
    pub after: Revision,
    /// Up to this one.
    pub to: Revision,
    /// Recorded at this time or before; `None` for any time.
    pub recorded_by: Option<Timestamp>,
}

/// Events whose `recorded_at` is earlier than their effective time: the stream's clock went back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LateEvents {
    /// The first of them.
    pub revisions: Vec<Revision>,
    /// How many there are.
    pub count: u64,
    /// Where the budget ended; what lies there and after it is not counted. `None` when all were looked at.
    pub unseen_from: Option<Revision>,
}

/// Bytes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// The head.
    pub head: Head,
    /// How many streams.
    pub streams: u64,
    /// How many snapshots.
    pub snapshots: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Why it takes no writes now; `None` when it does.
    pub read_only: Option<ReadOnly>,
}

/// A read view: the log at one moment, consistent however long it is read. All methods block on memory or disk, never on
/// the writer.
///
/// Whatever goes through more than one record looks at the stop token at each of them, and ends with
/// [`StoreError::Stopped`] once it is set.
pub trait View: Send {
    /// The head this view is of.
    fn head(&self) -> Head;

    /// The token at which this view's reads end early; work on top of them looks at it too.
    fn stop(&self) -> &Stop;

    /// Gives the view a token of its caller's.
    fn set_stop(&mut self, stop: Stop);

    /// What is known of a stream; `None` when it has no event.
    fn stream(&self, stream: &StreamName) -> Result<Option<StreamInfo>, StoreError>;

    /// Events of a stream with revisions from `from` on (up or down), at most `limit`. An unknown stream has none.
    fn stream_events(
        &self,
        stream: &StreamName,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// Hands the events with revisions in `from..=to` to `each`, in order, without holding them all, until it
    /// returns `false`.
    fn for_each_event(
        &self,
        stream: &StreamName,
        from: Revision,
        to: Revision,
        each: &mut dyn FnMut(Event) -> bool,
    ) -> Result<(), StoreError>;

    /// The last revision whose effective time is not after `at`; revision 0 when all are later. `None` when the
    /// stream has no event. Cost grows with the logarithm of the stream's length.
    fn revision_as_of(
        &self,
        stream: &StreamName,
        at: Timestamp,
    ) -> Result<Option<Revision>, StoreError>;

    /// The last revision of a stream that the log had at a position; revision 0 before the first. `None` when the stream has
    /// no event. Cost grows with the logarithm of the stream's length.
    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> Result<Option<Revision>, StoreError>;

    /// Events of a stream that are out of order by time, by an index of those alone: names `limit` of them and looks at no
    /// more than `budget`.
    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> Result<LateEvents, StoreError>;

    /// Effective time of a revision: the running maximum of `recorded_at` up to it.
    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Events of the log that pass the filter, from position `from` on (up or down; `None`: from the end that the
    /// direction starts at), at most `limit`, looking at no more than `budget` events.
    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> Result<LogPage, StoreError>;

    /// The event at this position.
    fn event_at(&self, position: Position) -> Result<Option<Event>, StoreError>;

    /// The event with this id.
    fn event_by_id(&self, event_id: &str) -> Result<Option<Event>, StoreError>;

    /// Streams that pass the filter, at most `limit`, looking at no more than `budget` streams.
    fn streams(
        &self,
        filter: &StreamFilter,
        order: StreamOrder,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> Result<StreamPage, StoreError>;

    /// All categories, by name.
    fn categories(&self) -> Result<Vec<CategoryInfo>, StoreError>;

    /// Decisions that pass the filter, from sequence `from` on (up or down; `None`: from the end that the direction
    /// starts at), at most `limit`.
    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<DecisionPage, StoreError>;

    /// The decision of this sequence.
    fn decision(&self, sequence: u64) -> Result<Option<Decision>, StoreError>;

    /// The recorded decision of a command.
    fn decision_by_command(&self, command_id: &str) -> Result<Option<Decision>, StoreError>;

    /// Who held the key of this category when the log's head was `at` (`None`: now).
    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> Result<Option<KeyHold>, StoreError>;

    /// A stream other than `except` that held the key of this category at a time: by the effective times of each stream, as
    /// their states at that time are. In a log that was imported stream by stream several may have; one of them is answered.
    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> Result<Option<KeyHold>, StoreError>;

    /// The job of this id; completed ones are pruned after a time.
    fn job(&self, id: u64) -> Result<Option<Job>, StoreError>;

    /// Jobs that pass the filter, from id `from` on (up or down; `None`: from the end that the direction starts at), at
    /// most `limit`, looking at no more than `budget` jobs.
    fn jobs(
        &self,
        filter: &JobFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> Result<JobPage, StoreError>;

    /// The first job of this handler and stream that is not completed: the only one that may be worked on.
    fn first_open_job(&self, handler: &str, stream: &StreamName)
    -> Result<Option<Job>, StoreError>;

    /// How the jobs of each handler stand, by name. Handlers that never had a job are not among them.
    fn job_counts(&self) -> Result<Vec<HandlerCounts>, StoreError>;

    /// The snapshot of this stream and rules hash with the highest revision not above `at_most`.
    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> Result<Option<Snapshot>, StoreError>;

    /// Counts of events in `buckets` equal parts of the time between the first and last moment (by effective time
    /// for a stream, by `recorded_at` for the log), for a density sparkline.
    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> Result<Density, StoreError>;
}

/// Counts of events along a time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Density {
    /// The axis's start: the earliest moment.
    pub first: Timestamp,
    /// The axis's end: the latest moment.
    pub last: Timestamp,
    /// Counts, oldest part first; all the events are in one of them.
    pub counts: Vec<u64>,
}
