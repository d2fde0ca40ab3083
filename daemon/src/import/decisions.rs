//! Decisions on their way into the log: each goes in with the events that tell its place, or not at all.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::{Position, Revision};
use whodunit_core::transfer::{DecisionIds, DecisionLine};

use super::pending::Pending;
use super::{ImportFailure, Importer};
use crate::reading::read;
use crate::store::{AppendError, DecisionPlace, RestoredDecision, Write};

impl Importer {
    /// Submits a decision.
    pub(super) async fn decision(
        &mut self,
        line: u64,
        record: DecisionLine,
        bytes: usize,
    ) -> Result<(), ImportFailure> {
        if self.options.dry_run {
            return self.preview_decision(line, record.decision).await;
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
        let pending = Pending { line, origin: None };
        self.push(pending, Write::Restore(Box::new(restored)), bytes)
            .await
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
            let reason = "the event it was decided after does not come before it in this file";
            return Ok(Err(reason.to_owned()));
        }
        self.await_all().await?;
        let (stream, revision) = (decision.stream.clone(), decision.base_revision);
        if self.holed.contains(&stream) {
            let reason = "an earlier event of its stream is not in this log";
            return Ok(Err(reason.to_owned()));
        }
        let found = read(&self.parts.store, move |view| {
            view.event_at_revision(&stream, revision)
        });
        let stream = found.await?.map(|event| event.event_id);
        if stream.is_none() && revision != Revision::ZERO {
            let reason = "the event of its stream that it was decided on is not in this log";
            return Ok(Err(reason.to_owned()));
        }
        Ok(Ok(DecisionPlace::After { log, stream }))
    }

    /// Counts a decision once its answer is there.
    pub(super) async fn await_decision(
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
