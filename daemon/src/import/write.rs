//! Records on their way into the log.
//!
//! Many are under way at a time, so that they share commits. Their results are taken in the order they were sent off.

use std::future;
use std::task::Poll;
use std::time::Duration;

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::record::EventRecord;
use super::shift::Shift;
use super::{ImportFailure, Importer};
use crate::commands::{RawAppend, WriteError, check};
use crate::daemon::Parts;
use crate::limits::{IMPORT_IN_FLIGHT_BYTES_MAX, IMPORT_IN_FLIGHT_MAX};
use crate::reading::read;
use crate::store::{AppendError, AppendResult, BoxFuture, Direction, LogFilter, StoreError};

/// Pause before the store is asked again when its queue was full.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A record under way.
pub(super) struct Flight {
    line: u64,
    bytes: usize,
    cargo: Cargo,
}

enum Cargo {
    Event(Box<EventFlight>),
    Decision(Box<Decision>, BoxFuture<Result<bool, AppendError>>),
}

struct EventFlight {
    /// What was sent, to be sent again without its places if need be.
    raw: RawAppend,
    position: Option<Position>,
    rule: Option<usize>,
    landing: BoxFuture<Result<AppendResult, AppendError>>,
}

impl Importer {
    /// Sends an event off.
    pub(super) async fn event(
        &mut self,
        line: u64,
        mut record: EventRecord,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        let models = std::sync::Arc::clone(&self.parts.models);
        let model = models.of(record.stream.category());
        if let Err(invalid) = check::event(model, &mut record.event) {
            self.bad(line, invalid.to_string());
            return Ok(());
        }
        // The state that the keys are found by must include what is under way.
        let keyed = !model.is_merge();
        if self.is_full(bytes) || (keyed && self.flying_streams.contains(&record.stream)) {
            self.land_all().await?;
        }
        let places = self.places(&record).await?;
        let mut raw = RawAppend {
            stream: record.stream,
            expected: ExpectedRevision::Any,
            events: vec![record.event],
            places,
            handled: false,
        };
        let now = self.parts.clock.now();
        let landing = loop {
            let mut landing = if keyed {
                match self.parts.commands.keyed(model, raw.clone(), now).await {
                    Ok(append) => self.parts.commands.submit_append(append),
                    Err(error) => return self.event_failed(line, error),
                }
            } else {
                self.parts.commands.submit(raw.clone(), now)
            };
            match first_look(&mut landing).await {
                Some(Err(AppendError::Busy)) => {
                    self.land_all().await?;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Some(result) => break Box::pin(future::ready(result)) as BoxFuture<_>,
                None => break landing,
            }
        };
        if keyed {
            self.flying_streams.insert(raw.stream.clone());
        }
        self.next_position += 1;
        raw.places.clear();
        let cargo = Cargo::Event(Box::new(EventFlight {
            raw,
            position: record.position,
            rule: record.rule,
            landing,
        }));
        self.send_off(Flight { line, bytes, cargo });
        Ok(())
    }

    /// The places an event is to get: its own, as long as they are the next free ones.
    async fn places(
        &mut self,
        record: &EventRecord,
    ) -> Result<Vec<(Option<Position>, Option<Revision>)>, ImportFailure> {
        let Some(position) = record.position.filter(|_| self.restoring) else {
            return Ok(Vec::new());
        };
        if position.0 != self.next_position {
            // A repeated line takes no place: what is free is known once everything under way has landed.
            self.land_all().await?;
        }
        if position.0 > self.next_position {
            self.restoring = false;
        }
        if position.0 != self.next_position {
            return Ok(Vec::new());
        }
        Ok(vec![(Some(position), record.revision)])
    }

    /// Sends a decision off.
    pub(super) async fn decision(
        &mut self,
        line: u64,
        decision: Decision,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        if self.is_full(bytes) || !self.restoring {
            self.land_all().await?;
        }
        let mut sent = decision.clone();
        if !self.restoring {
            sent = match moved(&self.parts, &self.shift, self.head(), decision.clone()).await? {
                Ok(moved) => moved,
                Err(reason) => {
                    self.bad(line, reason);
                    return Ok(());
                }
            };
        } else if decision.base_position.0 >= self.next_position {
            let reason = "the events before it are not in the log, so it cannot be placed";
            self.bad(line, reason.to_owned());
            return Ok(());
        }
        let landing = loop {
            let mut landing = self.parts.store.restore_decision(sent.clone());
            match first_look(&mut landing).await {
                Some(Err(AppendError::Busy)) => {
                    self.land_all().await?;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Some(result) => break Box::pin(future::ready(result)) as BoxFuture<_>,
                None => break landing,
            }
        };
        let cargo = Cargo::Decision(Box::new(decision), landing);
        self.send_off(Flight { line, bytes, cargo });
        Ok(())
    }

    /// The log's head, once everything under way has landed.
    fn head(&self) -> Position {
        Position(self.next_position - 1)
    }

    fn is_full(&self, bytes: usize) -> bool {
        self.flights.len() >= IMPORT_IN_FLIGHT_MAX
            || self.flying_bytes + bytes > IMPORT_IN_FLIGHT_BYTES_MAX
    }

    fn send_off(&mut self, flight: Flight) {
        self.flying_bytes += flight.bytes;
        self.flights.push_back(flight);
    }

    /// Waits for everything under way, in order.
    pub(super) async fn land_all(&mut self) -> Result<(), ImportFailure> {
        while let Some(flight) = self.flights.pop_front() {
            self.flying_bytes -= flight.bytes;
            match flight.cargo {
                Cargo::Event(event) => self.land_event(flight.line, *event).await?,
                Cargo::Decision(decision, landing) => {
                    let result = landing.await;
                    self.land_decision(flight.line, *decision, result).await?;
                }
            }
        }
        self.flying_streams.clear();
        self.next_position = self.parts.store.head().borrow().position.0 + 1;
        Ok(())
    }

    async fn land_event(&mut self, line: u64, flight: EventFlight) -> Result<(), ImportFailure> {
        let result = match flight.landing.await {
            // Somebody else wrote meanwhile, or the line does not fit where it says it stood.
            Err(AppendError::WrongPlace { .. }) => {
                self.restoring = false;
                self.parts.commands.append(flight.raw).await
            }
            Err(AppendError::WrongRevision { .. } | AppendError::Busy) => {
                self.parts.commands.append(flight.raw).await
            }
            result => result.map_err(WriteError::from),
        };
        let appended = match result {
            Ok(appended) => appended,
            Err(error) => return self.event_failed(line, error),
        };
        let landed = appended.events.first().map(|event| event.position);
        if let (Some(from), Some(to)) = (flight.position, landed) {
            self.shift.note(from, to);
            self.report.renumbered += u64::from(from != to && !appended.repeated);
        }
        if let Some(count) = flight.rule.and_then(|rule| self.report.rules.get_mut(rule)) {
            count.records += 1;
        }
        if appended.repeated {
            self.report.repeated += 1;
        } else {
            self.report.added += 1;
        }
        Ok(())
    }

    /// Reports an event that the log refused; a failure of the store ends the import.
    fn event_failed(&mut self, line: u64, error: WriteError) -> Result<(), ImportFailure> {
        match error {
            WriteError::Append(AppendError::Store(error)) | WriteError::Store(error) => {
                Err(error.into())
            }
            WriteError::Append(AppendError::Closed) => Err(ImportFailure::Stopping),
            // As over HTTP, who holds a key is not said.
            WriteError::Append(AppendError::KeyTaken { key, .. }) => {
                self.bad(line, key.rejection().message);
                Ok(())
            }
            error => {
                self.bad(line, error.to_string());
                Ok(())
            }
        }
    }

    async fn land_decision(
        &mut self,
        line: u64,
        decision: Decision,
        result: Result<bool, AppendError>,
    ) -> Result<(), ImportFailure> {
        let result = match result {
            Err(AppendError::WrongPlace { .. } | AppendError::Busy) => {
                self.restoring = false;
                match moved(&self.parts, &self.shift, self.head(), decision).await? {
                    Ok(moved) => self.parts.store.restore_decision(moved).await,
                    Err(reason) => {
                        self.bad(line, reason);
                        return Ok(());
                    }
                }
            }
            result => result,
        };
        match result {
            Ok(true) => self.report.decisions += 1,
            Ok(false) => self.report.repeated += 1,
            Err(error) => self.event_failed(line, error.into())?,
        }
        Ok(())
    }
}

/// Looks once whether the answer is there already: a full queue refuses at once.
async fn first_look<T>(landing: &mut BoxFuture<T>) -> Option<T> {
    future::poll_fn(|context| match landing.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The decision with the places that its events have in this log, and the next free sequence.
async fn moved(
    parts: &Parts,
    shift: &Shift,
    head: Position,
    mut decision: Decision,
) -> Result<Result<Decision, String>, ImportFailure> {
    decision.sequence = 0;
    let stream = decision.stream.clone();
    if let Outcome::Accepted {
        revision,
        position,
        events,
    } = &mut decision.result
        && *events > 0
    {
        let Some(now) = shift.of(*position) else {
            return Ok(Err("the events it led to are not in this import".to_owned()));
        };
        let Some(found) = revision_at(parts, now, stream).await? else {
            return Ok(Err("the events it led to are of another stream".to_owned()));
        };
        decision.base_revision = Revision(found.0.saturating_sub(u64::from(*events)));
        decision.base_position = Position(now.0.saturating_sub(u64::from(*events)));
        (*revision, *position) = (found, now);
        return Ok(Ok(decision));
    }
    // What led to no event stands after what was there before it.
    let base = shift.of(decision.base_position).unwrap_or(head);
    decision.base_position = base;
    let info = read(&parts.store, move |view| view.stream(&stream)).await?;
    let at = info.map_or(Revision::ZERO, |info| info.revision);
    decision.base_revision = decision.base_revision.min(at);
    if let Outcome::Accepted {
        revision, position, ..
    } = &mut decision.result
    {
        (*revision, *position) = (decision.base_revision, base);
    }
    Ok(Ok(decision))
}

/// The revision of the event at a position, if it is of this stream.
async fn revision_at(
    parts: &Parts,
    position: Position,
    stream: StreamName,
) -> Result<Option<Revision>, StoreError> {
    read(&parts.store, move |view| {
        let filter = LogFilter::default();
        let page = view.log(&filter, Some(position), Direction::Forward, 1, 1)?;
        let event = page.events.into_iter().next();
        let event = event.filter(|event| event.position == position && event.stream == stream);
        Ok(event.map(|event| event.revision))
    })
    .await
}
