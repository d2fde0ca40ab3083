//! Records on their way into the log.
//!
//! Many appends are in flight at a time, so that they share commits; their answers are awaited in the order they were
//! submitted. The store gives out positions in that order too, so the order of the file is kept even while other clients write.

use std::future;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use whodunit_core::admission;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::{Json, Map};
use whodunit_core::transfer::{DecisionIds, DecisionLine};

use super::record::EventRecord;
use super::{ImportFailure, Importer};
use crate::commands::{RawAppend, WriteError};
use crate::limits::{
    ACTOR_BYTES_MAX, IMPORT_IN_FLIGHT_BYTES_MAX, IMPORT_IN_FLIGHT_MAX, REASON_BYTES_MAX,
};
use crate::reading::read;
use crate::store::{
    AppendError, AppendResult, BoxFuture, DecisionPlace, Direction, RestoredDecision,
};

/// Pause before the store is asked again when its queue was full.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A record whose answer is awaited.
pub(super) struct Pending {
    line: u64,
    bytes: usize,
    what: What,
}

enum What {
    Event(Box<PendingEvent>),
    Decision(Box<RestoredDecision>, BoxFuture<Result<bool, AppendError>>),
}

struct PendingEvent {
    /// What was submitted, to be submitted again if need be.
    raw: RawAppend,
    origin: Origin,
    answer: BoxFuture<Result<AppendResult, AppendError>>,
}

/// What a record says of the place its event came from, and what was done to it on the way.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    position: Option<Position>,
    pub(super) revision: Option<Revision>,
    /// The rule of the mapping that made it.
    pub(super) rule: Option<usize>,
    /// Elements of lists that the rule left out.
    dropped: Vec<(usize, usize)>,
    /// Whether it brings its own time.
    timed: bool,
    /// Whether a text of it was cut.
    cut: bool,
}

impl Importer {
    /// Submits an event.
    pub(super) async fn event(
        &mut self,
        line: u64,
        mut record: EventRecord,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        let cut = shorten(&mut record.event);
        let models = std::sync::Arc::clone(&self.parts.models);
        let model = models.for_stream(&record.stream);
        if let Err(invalid) = admission::event(model, &mut record.event) {
            self.bad(line, record.rule, invalid.to_string());
            return Ok(());
        }
        if let (Some(position), Some(id)) = (record.position, &record.event.event_id) {
            self.recent.note(position, id);
        }
        // The state that the keys are found by must include what is in flight.
        let keyed = model.has_unique_keys();
        if self.is_full(bytes) || (keyed && self.streams_in_flight.contains(&record.stream)) {
            self.await_all().await?;
        }
        let origin = Origin {
            position: record.position,
            revision: record.revision,
            rule: record.rule,
            dropped: record.dropped,
            timed: record.event.recorded_at.is_some(),
            cut,
        };
        let raw = RawAppend {
            stream: record.stream,
            expected: expected(record.revision),
            events: vec![record.event],
            handled: false,
        };
        let now = self.parts.clock.now();
        if self.options.dry_run {
            return self.preview(line, raw, &origin, now).await;
        }
        let answer = loop {
            let mut answer = if keyed {
                match self.parts.commands.keyed(model, raw.clone(), now).await {
                    Ok(append) => self.parts.commands.submit_append(append),
                    Err(error) => return self.event_failed(line, &origin, error),
                }
            } else {
                self.parts.commands.submit(raw.clone(), now)
            };
            match first_look(&mut answer).await {
                Some(Err(AppendError::Busy)) => {
                    self.await_all().await?;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Some(result) => break Box::pin(future::ready(result)) as BoxFuture<_>,
                None => break answer,
            }
        };
        if keyed {
            self.streams_in_flight.insert(raw.stream.clone());
        }
        let what = What::Event(Box::new(PendingEvent {
            raw,
            origin,
            answer,
        }));
        self.push(Pending { line, bytes, what });
        Ok(())
    }

    /// Submits a decision.
    pub(super) async fn decision(
        &mut self,
        line: u64,
        record: DecisionLine,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        if self.options.dry_run {
            self.report.out.decisions += 1;
            return Ok(());
        }
        if self.is_full(bytes) {
            self.await_all().await?;
        }
        let place = match record.ids {
            Some(DecisionIds::Events { event_ids }) => DecisionPlace::Events(event_ids),
            Some(DecisionIds::After {
                base_event_id,
                base_stream_event_id,
            }) => DecisionPlace::After {
                log: base_event_id,
                stream: base_stream_event_id,
            },
            None => match self.place_by_position(&record.decision).await? {
                Ok(place) => place,
                Err(reason) => {
                    self.bad(line, None, reason);
                    return Ok(());
                }
            },
        };
        let restored = RestoredDecision {
            decision: record.decision,
            place,
        };
        let answer = loop {
            let mut answer = self.parts.store.restore_decision(restored.clone());
            match first_look(&mut answer).await {
                Some(Err(AppendError::Busy)) => {
                    self.await_all().await?;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Some(result) => break Box::pin(future::ready(result)) as BoxFuture<_>,
                None => break answer,
            }
        };
        let what = What::Decision(Box::new(restored), answer);
        self.push(Pending { line, bytes, what });
        Ok(())
    }

    /// The events that tell the place of a decision whose line does not name them, as older exports wrote them.
    async fn place_by_position(
        &mut self,
        decision: &Decision,
    ) -> Result<Result<DecisionPlace, String>, ImportFailure> {
        if let Outcome::Accepted {
            position, events, ..
        } = decision.result
            && events > 0
        {
            let ids = self.recent.up_to(position, events);
            return Ok(ids.map(DecisionPlace::Events).ok_or_else(|| {
                "the events it led to do not come before it in this file".to_owned()
            }));
        }
        let base = decision.base_position;
        let log = self.recent.at(base).map(str::to_owned);
        if log.is_none() && base != Position::ZERO {
            let reason = "the event it was decided after does not stand before it in this file";
            return Ok(Err(reason.to_owned()));
        }
        self.await_all().await?;
        let (stream, revision) = (decision.stream.clone(), decision.base_revision);
        if self.holed.contains(&stream) {
            let reason = "an earlier event of its stream is not in this log";
            return Ok(Err(reason.to_owned()));
        }
        let found = read(&self.parts.store, move |view| {
            view.stream_events(&stream, revision, Direction::Forward, 1)
        });
        let event = found.await?.into_iter().next();
        let stream = event
            .filter(|event| event.revision == revision)
            .map(|event| event.event_id);
        if stream.is_none() && revision != Revision::ZERO {
            let reason = "the event of its stream that it was decided on is not in this log";
            return Ok(Err(reason.to_owned()));
        }
        Ok(Ok(DecisionPlace::After { log, stream }))
    }

    fn is_full(&self, bytes: usize) -> bool {
        self.pending.len() >= IMPORT_IN_FLIGHT_MAX
            || self.bytes_in_flight + bytes > IMPORT_IN_FLIGHT_BYTES_MAX
    }

    fn push(&mut self, pending: Pending) {
        self.bytes_in_flight += pending.bytes;
        self.pending.push_back(pending);
    }

    /// Waits for everything in flight, in order.
    pub(super) async fn await_all(&mut self) -> Result<(), ImportFailure> {
        while let Some(pending) = self.pending.pop_front() {
            self.bytes_in_flight -= pending.bytes;
            match pending.what {
                What::Event(event) => self.await_event(pending.line, *event).await?,
                What::Decision(restored, answer) => {
                    let result = answer.await;
                    self.await_decision(pending.line, *restored, result).await?;
                }
            }
        }
        self.streams_in_flight.clear();
        Ok(())
    }

    async fn await_event(&mut self, line: u64, event: PendingEvent) -> Result<(), ImportFailure> {
        let PendingEvent {
            raw,
            origin,
            answer,
        } = event;
        let stream = raw.stream.clone();
        let commands = &self.parts.commands;
        let result = match (answer.await, origin.revision) {
            (
                Err(AppendError::WrongRevision { .. } | AppendError::EventIdConflict { .. }),
                Some(revision),
            ) if self.options.renumber => {
                let again = commands.append(with_source_revision(raw, revision)).await;
                if matches!(&again, Ok(appended) if !appended.repeated) {
                    self.report.gap(&stream, line);
                }
                again
            }
            // Another client wrote to the stream meanwhile.
            (Err(AppendError::WrongRevision { .. }), None) | (Err(AppendError::Busy), _) => {
                commands.append(raw).await
            }
            (result, _) => result.map_err(WriteError::from),
        };
        let appended = match result {
            Ok(appended) => appended,
            Err(error) => {
                self.holed.insert(stream);
                return self.event_failed(line, &origin, error);
            }
        };
        let position = appended.events.first().map(|event| event.position);
        self.count(
            line,
            &stream,
            &origin,
            appended.repeated,
            appended.clock_back,
            position,
        );
        Ok(())
    }

    pub(super) fn count(
        &mut self,
        line: u64,
        stream: &StreamName,
        origin: &Origin,
        repeated: bool,
        clock_back: usize,
        position: Option<Position>,
    ) {
        if origin.cut {
            self.report.cut(origin.rule);
        }
        for (list, elements) in &origin.dropped {
            if let Some(rule) = origin.rule {
                self.report.dropped(rule, *list, *elements);
            }
        }
        let out = &mut self.report.out;
        let rule = origin.rule.and_then(|rule| out.rules.get_mut(rule));
        let clock_used = u64::from(!origin.timed && !repeated);
        if let Some(rule) = rule {
            rule.records += 1;
            rule.clock_used += clock_used;
        }
        if repeated {
            out.repeated += 1;
            return;
        }
        out.added += 1;
        out.clock_used += clock_used;
        out.renumbered += u64::from(origin.position.is_some() && origin.position != position);
        if clock_back > 0 {
            self.report.backwards(stream, line);
        }
    }

    /// Reports an event that the log refused; a failure of the store ends the import.
    fn event_failed(
        &mut self,
        line: u64,
        origin: &Origin,
        error: WriteError,
    ) -> Result<(), ImportFailure> {
        let reason = match error {
            WriteError::Append(AppendError::Store(error)) | WriteError::Store(error) => {
                return Err(error.into());
            }
            WriteError::Append(AppendError::Closed) => return Err(ImportFailure::Stopping),
            // As over HTTP, who holds a key is not said.
            WriteError::Append(AppendError::KeyTaken { key, .. }) => key.rejection().message,
            WriteError::Append(AppendError::WrongRevision { stream, actual, .. }) => {
                out_of_place(&stream, origin.revision, actual)
            }
            error => error.to_string(),
        };
        self.bad(line, origin.rule, reason);
        Ok(())
    }

    async fn await_decision(
        &mut self,
        line: u64,
        restored: RestoredDecision,
        result: Result<bool, AppendError>,
    ) -> Result<(), ImportFailure> {
        let result = match result {
            // Its events may have needed a second attempt themselves; by now they are in or refused.
            Err(AppendError::NotItsEvents(_) | AppendError::Busy) => {
                self.parts.store.restore_decision(restored).await
            }
            result => result,
        };
        match result {
            Ok(true) => self.report.out.decisions += 1,
            Ok(false) => self.report.out.repeated += 1,
            Err(AppendError::Store(error)) => return Err(error.into()),
            Err(AppendError::Closed) => return Err(ImportFailure::Stopping),
            Err(error) => self.bad(line, None, error.to_string()),
        }
        Ok(())
    }
}

/// Cuts an actor or a reason that is too long, and keeps the whole in the metadata. Whether anything was cut.
fn shorten(event: &mut NewEvent) -> bool {
    if event
        .metadata
        .as_ref()
        .is_some_and(|json| !json.is_object())
    {
        return false;
    }
    let mut whole = Map::new();
    for (name, text, max) in [
        ("full_actor", &mut event.actor, ACTOR_BYTES_MAX),
        ("full_reason", &mut event.reason, REASON_BYTES_MAX),
    ] {
        if let Some(text) = text
            && text.len() > max
        {
            let end = text.floor_char_boundary(max - '…'.len_utf8());
            let beginning = format!("{}…", text.get(..end).unwrap_or_default());
            let whole_text = std::mem::replace(text, beginning);
            whole.insert(name.to_owned(), whole_text.into());
        }
    }
    if whole.is_empty() {
        return false;
    }
    add_metadata(event, whole);
    true
}

/// Adds to an event's metadata; what the event itself says there stands.
fn add_metadata(event: &mut NewEvent, more: Map<String, Value>) {
    let mut metadata = match event.metadata.as_ref().map(Json::to_value) {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    for (name, value) in more {
        metadata.entry(name).or_insert(value);
    }
    event.metadata = Some(Json::from(Value::Object(metadata)));
}

/// What the stream's head must be, so that an event keeps its revision.
fn expected(revision: Option<Revision>) -> ExpectedRevision {
    revision.map_or(ExpectedRevision::Any, |revision| {
        ExpectedRevision::Exact(Revision(revision.0.saturating_sub(1)))
    })
}

/// An event that takes whatever revision comes, and says which one it had.
fn with_source_revision(mut raw: RawAppend, revision: Revision) -> RawAppend {
    raw.expected = ExpectedRevision::Any;
    for event in &mut raw.events {
        let own = ("source_revision".to_owned(), revision.0.into());
        add_metadata(event, Map::from_iter([own]));
    }
    raw
}

/// Why an event cannot have the revision that its line says. The same words for all that come after a hole.
pub(super) fn out_of_place(
    stream: &StreamName,
    revision: Option<Revision>,
    actual: Revision,
) -> String {
    match revision {
        Some(revision) if revision > actual.next() => format!(
            "stream `{stream}` ends at revision {actual} here: {} is missing, and a history is not closed up over a hole; \
             to take what follows all the same, with its own revision in its metadata, import with `renumber`",
            actual.next()
        ),
        Some(revision) => {
            format!("stream `{stream}` has another event as revision {revision} in this log")
        }
        None => format!("stream `{stream}` keeps growing; import again"),
    }
}

/// Looks once whether the answer is there already: a full queue refuses at once.
async fn first_look<T>(answer: &mut BoxFuture<T>) -> Option<T> {
    future::poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
