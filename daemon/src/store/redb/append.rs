//! One append inside a write transaction.
//!
//! Owns the order of checks. Everything is checked before anything is written, so a refused append leaves no trace in a
//! transaction that others share. What is read here includes what earlier appends of the same transaction wrote.

use std::collections::HashSet;

use redb::{ReadableTable, WriteTransaction};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use super::decisions::record;
use super::engine;
use super::jobs::write_jobs;
use super::lookup::{head, load_stream, position_of};
use super::repeat::{repeated_command, repeated_events};
use super::tables::KEYS;
use super::write::{write_events, write_keys};
use crate::store::{Append, AppendError, AppendResult, PendingDecision, StoreError, StreamInfo};

pub(super) type Checked<T> = Result<T, AppendError>;

/// What is left to do once an append is checked.
enum Plan {
    /// Nothing: it was made before.
    Repeat(AppendResult),
    /// Record that another stream holds a key.
    Reject(PendingDecision, Revision),
    /// Write these events, to this stream (its number and record) if it exists.
    Write(Option<(u64, StreamInfo)>, Vec<Event>),
}

/// Applies one append; `AppendResult::repeated` tells whether anything was written.
///
/// # Errors
/// The outer error leaves the transaction half written: it must be given up. The inner one is the answer to an append
/// that left no trace.
pub(super) fn append(
    txn: &WriteTransaction,
    append: &Append,
) -> Result<Checked<AppendResult>, StoreError> {
    match check(txn, append) {
        Err(refused) => Ok(Err(refused)),
        Ok(Plan::Repeat(appended)) => Ok(Ok(appended)),
        Ok(Plan::Reject(decided, head)) => record(txn, append, &decided, head, &[]).map(Ok),
        Ok(Plan::Write(stream, events)) => write(txn, append, stream, events).map(Ok),
    }
}

fn check(txn: &WriteTransaction, append: &Append) -> Checked<Plan> {
    well_formed(append)?;
    if let Some(repeated) = repeated_command(txn, append)? {
        return Ok(Plan::Repeat(repeated));
    }
    if let Some(repeated) = repeated_events(txn, append)? {
        return Ok(Plan::Repeat(repeated));
    }
    let stream = load_stream(txn, &append.stream)?;
    let info = stream.as_ref().map(|(_, info)| info);
    let actual = info.map_or(Revision::ZERO, |info| info.revision);
    if !append.expected.admits(actual) {
        let (stream, expected) = (append.stream.clone(), append.expected);
        return Err(AppendError::WrongRevision {
            stream,
            expected,
            actual,
        });
    }
    if let Some((key, holder)) = taken_key(txn, append)? {
        return match &append.decision {
            None => Err(AppendError::KeyTaken { key, holder }),
            Some(decided) => {
                let rejection = Some(key.rejection());
                let decided = PendingDecision {
                    rejection,
                    ..decided.clone()
                };
                Ok(Plan::Reject(decided, actual))
            }
        };
    }
    let events = place(txn, append, info)?;
    Ok(Plan::Write(stream, events))
}

/// Refuses what breaks the contract of [`Append`], so that a mistake of a caller never becomes part of the log.
fn well_formed(append: &Append) -> Checked<()> {
    let nameless = append.events.iter().filter(|new| new.event_id.is_none());
    let mistake = match &append.decision {
        None if append.events.is_empty() => "it has neither events nor a decision",
        Some(decided) if decided.command.stream != append.stream => {
            "its command is for another stream"
        }
        Some(decided) if decided.rejection.is_some() && !append.events.is_empty() => {
            "its command was rejected, yet it has events"
        }
        _ if nameless.count() > append.fresh_ids.len() => "it brings too few ids",
        Some(decided) if decided.rejection.is_some() => return Ok(()),
        _ if append
            .keys
            .iter()
            .any(|change| change.event >= append.events.len()) =>
        {
            "it brings a key for an event that it does not have"
        }
        _ if append
            .jobs
            .iter()
            .any(|job| job.event >= append.events.len()) =>
        {
            "it brings a job for an event that it does not have"
        }
        _ => return Ok(()),
    };
    Err(malformed(mistake))
}

fn malformed(mistake: &'static str) -> AppendError {
    AppendError::Store(StoreError::Engine {
        doing: "checking an append",
        source: mistake.into(),
    })
}

fn write(
    txn: &WriteTransaction,
    append: &Append,
    stream: Option<(u64, StreamInfo)>,
    events: Vec<Event>,
) -> Result<AppendResult, StoreError> {
    let before = stream.as_ref().map_or(Revision::ZERO, |(_, i)| i.revision);
    let last_at = stream.as_ref().map_or(Timestamp::MIN, |(_, i)| i.last_at);
    let clock_back = behind(last_at, &events);
    let rejected = matches!(&append.decision, Some(decided) if decided.rejection.is_some());
    if !rejected {
        write_events(txn, append, stream, &events)?;
        write_keys(txn, append, &events, last_at)?;
        write_jobs(txn, append, &events)?;
    }
    let revision = events.last().map_or(before, |event| event.revision);
    if let Some(decided) = &append.decision {
        let appended = record(txn, append, decided, revision, &events)?;
        return Ok(AppendResult {
            clock_back,
            ..appended
        });
    }
    let position = match events.last() {
        Some(last) => last.position,
        None => head(txn)?,
    };
    Ok(AppendResult {
        events,
        decision: None,
        revision,
        position,
        repeated: false,
        clock_back,
    })
}

/// How many events were recorded before the effective time that the stream had reached by then.
fn behind(mut effective: Timestamp, events: &[Event]) -> usize {
    let mut count = 0;
    for event in events {
        count += usize::from(event.recorded_at < effective);
        effective = effective.max(event.recorded_at);
    }
    count
}

/// The first key it would take that another stream holds.
fn taken_key(
    txn: &WriteTransaction,
    append: &Append,
) -> Result<Option<(UniqueKey, StreamName)>, StoreError> {
    // What the rules have refused already claims nothing: theirs is the reason that counts.
    let rejected = matches!(&append.decision, Some(decided) if decided.rejection.is_some());
    if append.keys.is_empty() || rejected {
        return Ok(None);
    }
    let keys = txn.open_table(KEYS).map_err(engine("opening the keys"))?;
    for key in append
        .keys
        .iter()
        .filter(|change| change.taken)
        .map(|change| &change.key)
    {
        let place = (
            append.stream.category(),
            key.name.as_str(),
            key.value.as_str(),
        );
        let mut holds = keys
            .range((place.0, place.1, place.2, 0)..=(place.0, place.1, place.2, u64::MAX))
            .map_err(engine("reading the keys"))?;
        if let Some(last) = holds.next_back() {
            let (_, hold) = last.map_err(engine("reading the keys"))?;
            let (holder, until, ..) = hold.value();
            if until == 0 && holder != append.stream.as_str() {
                let holder = StreamName::new(holder).map_err(|error| StoreError::Damaged {
                    place: key.to_string(),
                    detail: error.to_string(),
                })?;
                return Ok(Some((key.clone(), holder)));
            }
        }
    }
    Ok(None)
}

/// Gives the facts their places: positions, revisions, ids and times.
fn place(
    txn: &WriteTransaction,
    append: &Append,
    stream: Option<&StreamInfo>,
) -> Checked<Vec<Event>> {
    let mut position = head(txn)?;
    let mut revision = stream.map_or(Revision::ZERO, |info| info.revision);
    let mut fresh_ids = append.fresh_ids.iter();
    let mut used: HashSet<&str> = append
        .events
        .iter()
        .filter_map(|new| new.event_id.as_deref())
        .collect();
    let mut events = Vec::with_capacity(append.events.len());
    for new in &append.events {
        (position, revision) = (position.next(), revision.next());
        let event_id = if let Some(id) = &new.event_id {
            id.clone()
        } else {
            let fresh = fresh_ids
                .next()
                .ok_or_else(|| malformed("it brings too few ids"))?;
            unused(txn, fresh, &mut used, position)?;
            fresh.clone()
        };
        events.push(Event {
            position,
            stream: append.stream.clone(),
            revision,
            event_id,
            event_type: new.event_type.clone(),
            schema_version: new.schema_version.unwrap_or(1),
            recorded_at: new.recorded_at.unwrap_or(append.now),
            actor: new.actor.clone(),
            reason: new.reason.clone(),
            correlation_id: new.correlation_id.clone(),
            causation_id: new.causation_id.clone(),
            data: new.data.clone(),
            metadata: new.metadata.clone(),
        });
    }
    Ok(events)
}

/// Makes sure that a generated id is new: to overwrite the place of another event would lose it.
fn unused<'a>(
    txn: &WriteTransaction,
    fresh: &'a str,
    used: &mut HashSet<&'a str>,
    next: Position,
) -> Checked<()> {
    let taken = if used.insert(fresh) {
        position_of(txn, fresh)?.map(Position)
    } else {
        Some(next)
    };
    match taken {
        None => Ok(()),
        Some(position) => Err(AppendError::EventIdConflict {
            event_id: fresh.to_owned(),
            position,
        }),
    }
}
