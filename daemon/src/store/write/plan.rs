//! One append: what is checked, in which order, and what it comes to.
//!
//! Owns the order of checks. Everything is checked before anything is planned, so a refused append leaves no trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use super::Checked;
use super::batch::Batch;
use super::lookup::{JobLookup, Lookup};
use super::place::{place, reject};
use super::repeat::{repeated_command, repeated_events};
use crate::store::{
    Append, AppendError, AppendResult, AppendedDecision, AppendedEvents, NewJob, StoreError,
};

/// What an append comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Plan {
    /// It was made before: the answer that it got then.
    Repeat(Box<AppendResult>),
    /// Something is to be written.
    Write(Box<Planned>),
}

/// A batch to be written, and what its author is answered once it is durable.
#[derive(Debug, PartialEq)]
pub(crate) struct Planned {
    /// What is to be written.
    pub(crate) batch: Batch,
    /// The stream's head after it.
    pub(super) revision: Revision,
    /// The position of its last event, or the head when it has none.
    pub(super) position: Position,
}

impl Planned {
    /// The batch, and the answer to the append, which shares its records.
    pub(crate) fn into_parts(self) -> (Arc<Batch>, AppendResult) {
        let batch = Arc::new(self.batch);
        let result = AppendResult {
            clock_back: batch
                .events
                .iter()
                .filter(|placed| placed.is_late())
                .count(),
            events: AppendedEvents::of(&batch),
            decision: AppendedDecision::of(&batch),
            revision: self.revision,
            position: self.position,
            repeated: false,
        };
        (batch, result)
    }
}

/// Plans an append.
///
/// # Errors
/// Why it is refused.
pub(crate) fn plan(lookup: &impl JobLookup, append: &Append) -> Checked<Plan> {
    well_formed(append)?;
    if let Some(repeated) = repeated_command(lookup, append)? {
        return Ok(Plan::Repeat(Box::new(repeated)));
    }
    if let Some(repeated) = repeated_events(lookup, append)? {
        return Ok(Plan::Repeat(Box::new(repeated)));
    }
    let stream = lookup.stream(&append.stream)?;
    let actual = stream.as_ref().map_or(Revision::ZERO, |info| info.revision);
    if !append.expected.admits(actual) {
        let (stream, expected) = (append.stream.clone(), append.expected);
        return Err(AppendError::WrongRevision {
            stream,
            expected,
            actual,
        });
    }
    let planned = match (&append.decision, taken_key(lookup, append)?) {
        (_, None) => place(lookup, append, stream)?,
        (None, Some((key, holder))) => return Err(AppendError::KeyTaken { key, holder }),
        (Some(decided), Some((key, _))) => {
            reject(lookup.head()?, decided, &key.rejection(), actual)
        }
    };
    Ok(Plan::Write(Box::new(planned)))
}

/// Refuses what breaks the contract of [`Append`], so that a mistake of a caller never becomes part of the log.
fn well_formed(append: &Append) -> Checked<()> {
    let nameless = append.events.iter().filter(|new| new.event_id.is_none());
    let beyond = |event: usize| event >= append.events.len();
    let mistake = match &append.decision {
        None if append.events.is_empty() => "it has neither events nor a decision",
        Some(decided) if decided.command.stream != append.stream => {
            "its command is for another stream"
        }
        Some(decided) if decided.rejection.is_some() && !append.events.is_empty() => {
            "its command was rejected, yet it has events"
        }
        _ if nameless.count() > append.fresh_ids.len() => TOO_FEW_IDS,
        Some(decided) if decided.rejection.is_some() => return Ok(()),
        _ if append.keys.iter().any(|change| beyond(change.event)) => {
            "it brings a key for an event that it does not have"
        }
        _ if append.jobs.iter().any(|job| beyond(job.event)) => {
            "it brings a job for an event that it does not have"
        }
        _ if has_a_job_twice(&append.jobs) => "it brings two jobs of one handler for an event",
        _ => return Ok(()),
    };
    Err(malformed(mistake))
}

/// Whether an event would have two open jobs of a handler: of each handler it has one at most.
fn has_a_job_twice(jobs: &[NewJob]) -> bool {
    let mut seen = BTreeSet::new();
    let mut places = jobs.iter().map(|job| (job.event, job.handler.as_str()));
    !places.all(|place| seen.insert(place))
}

pub(super) const TOO_FEW_IDS: &str = "it brings too few ids";

pub(super) fn malformed(mistake: &'static str) -> AppendError {
    AppendError::Store(StoreError::Engine {
        doing: "checking an append",
        source: mistake.into(),
    })
}

/// The first key it would take that another stream holds.
fn taken_key(
    lookup: &impl Lookup,
    append: &Append,
) -> Result<Option<(UniqueKey, StreamName)>, StoreError> {
    // What the rules have refused already claims nothing: theirs is the reason that counts.
    if matches!(&append.decision, Some(decided) if decided.rejection.is_some()) {
        return Ok(None);
    }
    for change in append.keys.iter().filter(|change| change.taken) {
        let hold = lookup.last_hold(append.stream.category(), &change.key)?;
        if let Some(hold) = hold
            && hold.until.is_none()
            && hold.stream != append.stream
        {
            return Ok(Some((change.key.clone(), hold.stream)));
        }
    }
    Ok(None)
}
