//! Dry runs: what an import would do, without doing it.
//!
//! Owns a bounded model of the streams and ids after the import. Checks everything except unique keys and the events that
//! decisions name: those need the log itself.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};
use whodunit_core::command::Decision;
use whodunit_core::consistency::Digest;
use whodunit_core::event::{Event, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::{Json, Map};
use whodunit_core::shown::Reveal;
use whodunit_core::time::Timestamp;

use super::pending::{Origin, out_of_place};
use super::{ImportFailure, Importer};
use crate::commands::RawAppend;
use crate::daemon::Parts;
use crate::limits::{IMPORT_PREVIEW_EVENTS, IMPORT_PREVIEW_IDS_MAX, IMPORT_PREVIEW_STREAMS_MAX};
use crate::reading::read;
use crate::store::{AppendError, StoreError};

/// The streams as they would be.
#[derive(Debug, Default)]
pub(super) struct Preview {
    streams: HashMap<StreamName, (Revision, Timestamp)>,
    /// What the file has had: hashes of ids, each with one of the content.
    ids: HashMap<u64, u64>,
    position: Option<u64>,
}

/// What the log knows of an event that would be added.
struct Known {
    same_id: Option<Event>,
    stream: Option<(Revision, Timestamp)>,
    head: u64,
}

impl Importer {
    /// An event whose id is in the log already.
    fn preview_known(
        &mut self,
        line: u64,
        stream: &StreamName,
        event: &NewEvent,
        same: &Event,
        origin: &Origin,
    ) {
        if same.stream == *stream && event.is_repeated_by(same) {
            self.count(line, stream, origin, true, 0, None);
            return;
        }
        let (event_id, position) = (same.event_id.clone(), same.position);
        let conflict = AppendError::EventIdConflict { event_id, position };
        self.bad(line, origin.rule, conflict.to_string());
    }

    /// Counts a decision as it would be.
    pub(super) async fn preview_decision(
        &mut self,
        line: u64,
        decision: Decision,
    ) -> Result<(), ImportFailure> {
        let id = decision.command_id.clone();
        let known = read(&self.parts.store, move |view| view.decision_by_command(&id)).await?;
        let id = &decision.command_id;
        let repeated = match known {
            Some(known) if decision.is_repeated_by(&known) => Some(true),
            Some(known) => {
                let (command_id, sequence) = (id.clone(), known.sequence);
                let conflict = AppendError::CommandIdConflict {
                    command_id,
                    sequence,
                };
                self.bad(line, None, conflict.to_string());
                return Ok(());
            }
            None => self.preview.had(("decision", id), digest(&json!(decision))),
        };
        match repeated {
            None => self.report.out.decisions += 1,
            Some(true) => self.report.out.repeated += 1,
            Some(false) => {
                let reason =
                    format!("command id `{id}` comes before it in the file with another decision");
                self.bad(line, None, reason);
            }
        }
        Ok(())
    }

    /// Counts an event as it would be.
    pub(super) async fn preview(
        &mut self,
        line: u64,
        raw: RawAppend,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), ImportFailure> {
        let RawAppend { stream, events, .. } = raw;
        let Some(event) = events.into_iter().next() else {
            return Ok(());
        };
        let known = known(&self.parts, &stream, event.event_id.clone()).await?;
        if let Some(same) = known.same_id {
            self.preview_known(line, &stream, &event, &same, origin);
            return Ok(());
        }
        if let Some(id) = &event.event_id {
            match self.preview.had(("event", id), content(&stream, &event)) {
                None => {}
                Some(true) => {
                    self.count(line, &stream, origin, true, 0, None);
                    return Ok(());
                }
                Some(false) => {
                    let reason =
                        format!("event id `{id}` comes before it in the file with other content");
                    self.bad(line, origin.rule, reason);
                    return Ok(());
                }
            }
        }
        let preview = &mut self.preview;
        let before = preview.streams.get(&stream).copied().or(known.stream);
        let (revision, effective) = before.unwrap_or((Revision::ZERO, Timestamp::MIN));
        let misplaced = origin.revision.is_some_and(|own| own != revision.next());
        let is_hole = origin.partial && (known.stream.is_none() || self.parted.has(&stream));
        if is_hole {
            self.parted.begin(&stream);
        }
        if misplaced && !self.options.renumber && !is_hole {
            let reason = out_of_place(&stream, origin.revision, revision);
            self.bad(line, origin.rule, reason);
            return Ok(());
        }
        if misplaced {
            self.report.gap(&stream, line);
        }
        let at = event.recorded_at.unwrap_or(now);
        let back = usize::from(at < effective);
        let preview = &mut self.preview;
        let position = Position(preview.position.unwrap_or(known.head) + 1);
        preview.position = Some(position.0);
        if preview.streams.contains_key(&stream)
            || preview.streams.len() < IMPORT_PREVIEW_STREAMS_MAX
        {
            let reached = (revision.next(), effective.max(at));
            preview.streams.insert(stream.clone(), reached);
        }
        self.count(line, &stream, origin, false, back, Some(position));
        let out = &mut self.report.out;
        out.streams = self.preview.streams.len() as u64;
        if out.preview.len() < IMPORT_PREVIEW_EVENTS {
            let event = would_be(stream, event, position, revision.next(), at);
            let shown = Reveal::NO.show(&self.parts.models, event);
            out.preview.push(shown.into_inner());
        }
        Ok(())
    }
}

impl Preview {
    /// Whether the file has had this id: with the same content, with another, or not (`None`).
    fn had(&mut self, id: impl Hash, content: impl Hash) -> Option<bool> {
        let hash = |what: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            what(&mut hasher);
            hasher.finish()
        };
        let id = hash(&|hasher| id.hash(hasher));
        let content = hash(&|hasher| content.hash(hasher));
        match self.ids.get(&id) {
            Some(before) => Some(*before == content),
            None if self.ids.len() < IMPORT_PREVIEW_IDS_MAX => {
                self.ids.insert(id, content);
                None
            }
            None => None,
        }
    }
}

/// What an event says, the same for events that are equal as JSON.
fn content(stream: &StreamName, event: &NewEvent) -> Digest {
    let metadata = event.metadata.as_ref().map(Json::to_value);
    let metadata = metadata.filter(|metadata| !metadata.as_object().is_some_and(Map::is_empty));
    let all = json!({
        "stream": stream, "type": event.event_type, "version": event.schema_version.unwrap_or(1), "at": event.recorded_at,
        "actor": event.actor, "reason": event.reason, "correlation": event.correlation_id, "causation": event.causation_id,
        "data": event.data.to_value(), "metadata": metadata
    });
    digest(&all)
}

fn digest(value: &Value) -> Digest {
    value.as_object().map(Digest::of_state).unwrap_or_default()
}

/// The event as the log would have it.
fn would_be(
    stream: StreamName,
    event: NewEvent,
    position: Position,
    revision: Revision,
    recorded_at: Timestamp,
) -> Event {
    Event {
        position,
        stream,
        revision,
        event_id: event.event_id.unwrap_or_default(),
        event_type: event.event_type,
        schema_version: event.schema_version.unwrap_or(1),
        recorded_at,
        actor: event.actor,
        reason: event.reason,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        data: event.data,
        metadata: event.metadata,
    }
}

async fn known(
    parts: &Parts,
    stream: &StreamName,
    event_id: Option<String>,
) -> Result<Known, StoreError> {
    let stream = stream.clone();
    read(&parts.store, move |view| {
        let same_id = match event_id {
            Some(id) => view.event_by_id(&id)?,
            None => None,
        };
        let stream = view.stream(&stream)?;
        Ok(Known {
            same_id,
            stream: stream.map(|info| (info.revision, info.last_at)),
            head: view.head().position.0,
        })
    })
    .await
}
