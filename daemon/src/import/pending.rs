//! Records on their way into the log.
//!
//! Many appends are in flight at a time, so that they share commits; their answers are awaited in the order they were
//! submitted. The store gives out positions in that order too, so the order of the file is kept even while other clients write.

use std::future;
use std::task::Poll;
use std::time::Duration;

use whodunit_core::admission;
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::record::EventRecord;
use super::texts::{Cut, shorten, with_source_revision};
use super::{ImportFailure, Importer};
use crate::commands::{RawAppend, WriteError};
use crate::limits::{IMPORT_IN_FLIGHT_BYTES_MAX, IMPORT_IN_FLIGHT_MAX};
use crate::store::{AppendError, AppendResult, BoxFuture, RestoredDecision};

/// Pause before the store is asked again when its queue was full.
pub(super) const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A record whose answer is awaited.
pub(super) struct Pending {
    pub(super) line: u64,
    pub(super) bytes: usize,
    pub(super) what: What,
}

/// What it is.
pub(super) enum What {
    Event(Box<PendingEvent>),
    Decision(Box<RestoredDecision>, BoxFuture<Result<bool, AppendError>>),
}

/// An event on its way.
pub(super) struct PendingEvent {
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
    /// The time that it brings of its own.
    at: Option<Timestamp>,
    /// Whether that lies after the daemon's clock.
    future: bool,
    /// What of it was cut.
    cut: Cut,
}

impl Importer {
    /// Submits an event.
    pub(super) async fn event(
        &mut self,
        line: u64,
        mut record: EventRecord,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        let cut = shorten(&mut record.event, record.full_time.take());
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
        let now = self.parts.clock.now();
        let at = record.event.recorded_at;
        let origin = Origin {
            position: record.position,
            revision: record.revision,
            rule: record.rule,
            dropped: record.dropped,
            at,
            future: at.is_some_and(|at| at > now),
            cut,
        };
        let raw = RawAppend {
            stream: record.stream,
            expected: expected(record.revision),
            events: vec![record.event],
            handled: false,
        };
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

    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.pending.len() >= IMPORT_IN_FLIGHT_MAX
            || self.bytes_in_flight + bytes > IMPORT_IN_FLIGHT_BYTES_MAX
    }

    pub(super) fn push(&mut self, pending: Pending) {
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
        self.report.cut(origin.rule, origin.cut);
        for (list, elements) in &origin.dropped {
            if let Some(rule) = origin.rule {
                self.report.dropped(rule, *list, *elements);
            }
        }
        if let Some(at) = origin.at.filter(|_| origin.future && !repeated) {
            self.report.future(origin.rule, line, at);
        }
        let out = &mut self.report.out;
        let rule = origin.rule.and_then(|rule| out.rules.get_mut(rule));
        let clock_used = u64::from(origin.at.is_none() && !repeated);
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
}

/// What the stream's head must be, so that an event keeps its revision.
fn expected(revision: Option<Revision>) -> ExpectedRevision {
    revision.map_or(ExpectedRevision::Any, |revision| {
        ExpectedRevision::Exact(Revision(revision.0.saturating_sub(1)))
    })
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
pub(super) async fn first_look<T>(answer: &mut BoxFuture<T>) -> Option<T> {
    future::poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
