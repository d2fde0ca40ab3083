//! Writes across the seam: what an append and a restored decision bring, and the answers they get.

use whodunit_core::command::{Command, Decision, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::{NewJob, StreamLabel};

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
    /// into a recorded rejection (`{name}.taken`) and fails an undecided one with [`AppendError::KeyTaken`](super::AppendError::KeyTaken), even where a
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
