//! Records on their way into the log.
//!
//! Records are gathered into pieces that share a commit. While one is being committed the next is read; none is handed to
//! the store before the one before it is answered, so that the order of the file is kept even while other clients write,
//! and whatever the store refuses.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinHandle;
use whodunit_core::admission;
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::record::EventRecord;
use super::texts::{Cut, shorten, with_source_revision};
use super::{ImportFailure, Importer};
use crate::commands::{RawAppend, WriteError};
use crate::limits::{IMPORT_IN_FLIGHT_BYTES_MAX, IMPORT_IN_FLIGHT_MAX};
use crate::store::{Answer, Append, AppendError, AppendResult, StoreError, Write, Written};

/// Pause before the store is asked again when its queue was full.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A record whose answer is awaited.
pub(super) struct Pending {
    pub(super) line: u64,
    /// What an event's record says beside it; `None` for a decision.
    pub(super) origin: Option<Origin>,
}

/// Records that share a commit.
#[derive(Default)]
pub(super) struct Gathered {
    pending: Vec<Pending>,
    writes: Vec<Write>,
    bytes: usize,
    /// Streams with a model that have an event among them: the next one has to wait for it.
    streams: HashSet<StreamName>,
}

impl Gathered {
    /// With room for so many.
    fn with_capacity(records: usize) -> Self {
        Self {
            pending: Vec::with_capacity(records),
            writes: Vec::with_capacity(records),
            ..Self::default()
        }
    }
}

/// Records that are being committed.
pub(super) struct Flight {
    pending: Vec<Pending>,
    streams: HashSet<StreamName>,
    written: JoinHandle<Vec<Written>>,
}

/// What a record says of the place its event came from, and what was done to it on the way.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    position: Option<Position>,
    pub(super) revision: Option<Revision>,
    /// The rule of the mapping that made it.
    pub(super) rule: Option<usize>,
    /// Whether it comes from an export of a part of a log.
    pub(super) partial: bool,
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
        if keyed && self.is_in_flight(&record.stream) {
            self.await_all().await?;
        }
        let now = self.parts.clock.now();
        let at = record.event.recorded_at;
        let origin = Origin {
            position: record.position,
            revision: record.revision,
            rule: record.rule,
            partial: self.extent.is_partial(),
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
        let commands = &self.parts.commands;
        let append = if keyed {
            self.gathered.streams.insert(raw.stream.clone());
            match commands.keyed(model, raw, now).await {
                Ok(append) => append,
                Err(error) => return self.event_failed(line, &origin, error),
            }
        } else {
            commands.unkeyed(raw, now)
        };
        let pending = Pending {
            line,
            origin: Some(origin),
        };
        self.push(pending, Write::Append(Box::new(append)), bytes)
            .await
    }

    fn is_in_flight(&self, stream: &StreamName) -> bool {
        let flight = self.flight.as_ref();
        self.gathered.streams.contains(stream)
            || flight.is_some_and(|flight| flight.streams.contains(stream))
    }

    /// Adds a record to those that are gathered, and hands them on when they are enough.
    pub(super) async fn push(
        &mut self,
        pending: Pending,
        write: Write,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        let gathered = &mut self.gathered;
        gathered.pending.push(pending);
        gathered.writes.push(write);
        gathered.bytes += bytes;
        if gathered.pending.len() >= IMPORT_IN_FLIGHT_MAX
            || gathered.bytes >= IMPORT_IN_FLIGHT_BYTES_MAX
        {
            self.hand_on().await?;
        }
        Ok(())
    }

    /// Hands what is gathered to the store, once what was handed on before is answered.
    async fn hand_on(&mut self) -> Result<(), ImportFailure> {
        self.await_flight().await?;
        let next = Gathered::with_capacity(self.gathered.pending.len());
        let gathered = std::mem::replace(&mut self.gathered, next);
        if gathered.pending.is_empty() {
            return Ok(());
        }
        match &self.held {
            Some(held) => held.go_on(),
            None => self.held = Some(self.parts.projections.hold_back()),
        }
        // Awaited by a task of its own: what waits for a commit may have to lead it.
        let written = self.parts.commands.write_all(gathered.writes);
        self.flight = Some(Flight {
            pending: gathered.pending,
            streams: gathered.streams,
            written: tokio::spawn(written),
        });
        Ok(())
    }

    /// Waits for everything in flight, in order.
    pub(super) async fn await_all(&mut self) -> Result<(), ImportFailure> {
        self.hand_on().await?;
        self.await_flight().await
    }

    async fn await_flight(&mut self) -> Result<(), ImportFailure> {
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        let mut written = flight.written.await.unwrap_or_default();
        while !written.is_empty() && written.iter().all(is_busy) {
            tokio::time::sleep(BUSY_PAUSE).await;
            let writes = written.into_iter().map(|(write, _)| write).collect();
            written = self.parts.commands.write_all(writes).await;
        }
        if written.len() < flight.pending.len() {
            let source = "its writes were given up".into();
            let doing = "importing";
            return Err(StoreError::Engine { doing, source }.into());
        }
        for (pending, (write, answer)) in flight.pending.into_iter().zip(written) {
            match (pending.origin, write, answer) {
                (Some(origin), Write::Append(append), Answer::Appended(result)) => {
                    self.await_event(pending.line, origin, *append, result)
                        .await?;
                }
                (_, Write::Restore(restored), Answer::Restored(result)) => {
                    self.await_decision(pending.line, *restored, result).await?;
                }
                // Each write is answered by its own kind.
                _ => {}
            }
        }
        Ok(())
    }

    async fn await_event(
        &mut self,
        line: u64,
        origin: Origin,
        append: Append,
        result: Result<AppendResult, AppendError>,
    ) -> Result<(), ImportFailure> {
        let stream = append.stream.clone();
        let commands = &self.parts.commands;
        let again = |append: Append| RawAppend {
            stream: append.stream,
            expected: expected(origin.revision),
            events: append.events,
            handled: false,
        };
        let result = match (&result, origin.revision) {
            (Err(error), Some(revision)) if self.may_renumber(&stream, &origin, error) => {
                let raw = with_source_revision(again(append), revision);
                let again = commands.append(raw).await;
                if matches!(&again, Ok(appended) if !appended.repeated) {
                    self.report.gap(&stream, line);
                }
                again
            }
            // Another client wrote to the stream meanwhile.
            (Err(AppendError::WrongRevision { .. }), None) | (Err(AppendError::Busy), _) => {
                commands.append(again(append)).await
            }
            _ => result.map_err(WriteError::from),
        };
        let appended = match result {
            Ok(appended) => appended,
            Err(error) => {
                self.holed.insert(stream);
                return self.event_failed(line, &origin, error);
            }
        };
        let position = appended.events.first().map(|event| event.position);
        self.begins_parted(&stream, &origin, appended.events.first());
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
            "stream `{stream}` ends at revision {actual} here: {} is missing, and an import never closes a gap in a history; to import what follows anyway, with its own revision kept in its metadata, use `renumber`",
            actual.next()
        ),
        Some(revision) => {
            format!("stream `{stream}` has another event as revision {revision} in this log")
        }
        None => format!("stream `{stream}` keeps growing; import again"),
    }
}

/// Whether a write was not taken.
fn is_busy((_, answer): &Written) -> bool {
    matches!(
        answer,
        Answer::Appended(Err(AppendError::Busy)) | Answer::Restored(Err(AppendError::Busy))
    )
}
