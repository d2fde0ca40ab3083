//! Batches: everything that one request writes, placed and ready.
//!
//! Owns their shape. A batch is self-contained: an engine applies it without looking anything up to decide, a write-ahead
//! log can record it, and a branch can be laid over a log with it.

use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use crate::store::{Job, KeyHold, StreamInfo};

/// Everything that is to be written for one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Batch {
    /// Events of one stream, in order, right behind the log's head.
    pub(crate) events: Vec<Placed>,
    /// The stream's record after them; `None` where it stays as it was.
    pub(crate) stream: Option<StreamWrite>,
    /// Holds of unique keys that begin or end, in order.
    pub(crate) keys: Vec<KeyWrite>,
    /// The decision, with its sequence.
    pub(crate) decision: Option<Decision>,
    /// Jobs made, changed and pruned, in order. One job may occur several times.
    pub(crate) jobs: Vec<JobWrite>,
}

impl Batch {
    /// The events that name a cause which is not the command decided on in this batch, each with that cause. Its own events
    /// are found by its decision.
    pub(crate) fn caused_elsewhere(&self) -> impl Iterator<Item = (&str, &Event)> {
        let own = self.decision.as_ref().map(|decision| &*decision.command_id);
        let events = self.events.iter().map(|placed| &placed.event);
        let caused = events.filter_map(|event| Some((event.causation_id.as_deref()?, event)));
        caused.filter(move |(cause, _)| Some(*cause) != own)
    }
}

/// An event with everything that is derived of it in its stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// The event as it stands in the log.
    pub(crate) event: Event,
    /// Its effective time: the running maximum of `recorded_at` along its stream.
    pub(crate) effective_at: Timestamp,
}

impl Placed {
    /// Whether it was recorded before its effective time: the stream's clock went back.
    pub(crate) fn is_late(&self) -> bool {
        self.event.recorded_at < self.effective_at
    }
}

/// A stream's new record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamWrite {
    /// Position of its last event before; `None` for a new stream.
    pub(crate) last_before: Option<Position>,
    /// The record from now on.
    pub(crate) info: StreamInfo,
}

/// A hold of a unique key that begins or ends. It takes the place of the hold of this key that began at the same position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyWrite {
    /// The key, within the category of its holder.
    pub(crate) key: UniqueKey,
    /// The hold as it is from now on.
    pub(crate) hold: KeyHold,
}

impl KeyWrite {
    /// The category within which the key is unique.
    pub(crate) fn category(&self) -> &str {
        let holder: &StreamName = &self.hold.stream;
        holder.category()
    }
}

/// A change of one job's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobWrite {
    /// A new job.
    Made(Job),
    /// A job as it was and as it is from now on.
    Changed {
        /// As it was.
        before: Job,
        /// As it is.
        after: Job,
    },
    /// A completed job that is dropped. It stays counted.
    Pruned(Job),
}
