//! Dry runs: what an import would do, without doing it.
//!
//! Owns a bounded model of the streams after the import. Checks everything except unique keys and the events that
//! decisions name: those need the log itself.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use whodunit_core::event::{Event, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::same::same_text;
use whodunit_core::shown::Reveal;
use whodunit_core::time::Timestamp;

use super::pending::{Origin, out_of_place};
use super::{ImportFailure, Importer};
use crate::commands::RawAppend;
use crate::daemon::Parts;
use crate::limits::{IMPORT_PREVIEW_EVENTS, IMPORT_PREVIEW_STREAMS_MAX};
use crate::reading::read;
use crate::store::StoreError;

/// The streams as they would be.
#[derive(Debug, Default)]
pub(super) struct Preview {
    streams: HashMap<StreamName, (Revision, Timestamp)>,
    /// Hashes of the ids that the file has had.
    ids: HashSet<u64>,
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
        let repeats = same.stream == *stream
            && same.event_type == event.event_type
            && same_text(&same.data, &event.data);
        if repeats {
            self.count(line, stream, origin, true, 0, None);
            return;
        }
        let (id, at) = (&same.event_id, same.position);
        let reason =
            format!("event id `{id}` is already in the log at position {at} with other content");
        self.bad(line, origin.rule, reason);
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
        let preview = &mut self.preview;
        if let Some(id) = &event.event_id {
            let mut hasher = DefaultHasher::new();
            id.hash(&mut hasher);
            if preview.ids.len() < IMPORT_PREVIEW_STREAMS_MAX * 10
                && !preview.ids.insert(hasher.finish())
            {
                self.count(line, &stream, origin, true, 0, None);
                return Ok(());
            }
        }
        let before = preview.streams.get(&stream).copied().or(known.stream);
        let (revision, effective) = before.unwrap_or((Revision::ZERO, Timestamp::MIN));
        let misplaced = origin.revision.is_some_and(|own| own != revision.next());
        if misplaced && !self.options.renumber {
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
