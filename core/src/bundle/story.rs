//! What a page and a post-mortem draft tell: the answer, and the timeline, in sentences.

use std::collections::{HashMap, HashSet};

use super::{Batch, Bundle, StreamPart};
use crate::api::causes::CauseKind;
use crate::command::{Decision, Outcome};
use crate::counted::{counted, number};
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::ids::StreamName;
use crate::sentence::{self, Sentence};
use crate::shown;
use crate::text::shown as safe;
use crate::time::Timestamp;

/// Rows of a timeline.
const ROWS_MAX: usize = 500;

/// The story of an incident file.
pub(super) struct Story<'a> {
    pub(super) bundle: &'a Bundle,
    /// The event that it is about.
    pub(super) subject: Option<&'a Event>,
    /// The part of the subject's stream.
    pub(super) own: Option<&'a StreamPart>,
    /// What happened: the event, then each cause of it.
    pub(super) answer: Vec<Sentence>,
    /// In the order of time.
    pub(super) timeline: Vec<Row<'a>>,
    /// Rows that are not told.
    pub(super) rows_cut: usize,
}

/// A row of a timeline.
pub(super) struct Row<'a> {
    pub(super) at: Timestamp,
    pub(super) stream: &'a StreamName,
    /// The event's revision; none for a refused command.
    pub(super) revision: Option<u64>,
    pub(super) sentence: Sentence,
    pub(super) is_subject: bool,
    pub(super) in_chain: bool,
    /// What it changed, where the file says it.
    pub(super) diff: &'a [DiffEntry],
    order: (u64, u64),
}

impl Row<'_> {
    pub(super) fn is_refused(&self) -> bool {
        self.revision.is_none()
    }
}

fn utc(_at: Timestamp) -> Option<i32> {
    None
}

/// A moment in words.
pub(super) fn moment(at: Timestamp) -> String {
    sentence::moment(at, None)
}

/// Where a difference is, for a reader.
pub(super) fn path(entry: &DiffEntry) -> &str {
    entry.label.as_deref().unwrap_or(&entry.path)
}

/// A value on one line, safe to show.
pub(super) fn value(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "(none)".to_owned(), shown::value)
}

impl<'a> Story<'a> {
    pub(super) fn new(bundle: &'a Bundle) -> Self {
        let incident = &bundle.incident;
        let events: HashMap<&str, &Event> = bundle
            .events
            .iter()
            .map(|event| (event.event_id.as_str(), event))
            .collect();
        let subject = incident.subject.as_deref();
        let subject = subject.and_then(|id| events.get(id).copied());
        let own = subject.and_then(|event| {
            let mut parts = incident.streams.iter();
            parts.find(|part| part.stream == event.stream)
        });
        let mut story = Self {
            bundle,
            subject,
            own,
            answer: Vec::new(),
            timeline: Vec::new(),
            rows_cut: 0,
        };
        story.tell(&events);
        story.rows();
        story
    }

    /// The title of a stream, or its name.
    pub(super) fn title(&self, stream: &'a StreamName) -> &'a str {
        let parts = &self.bundle.incident.streams;
        let part = parts.iter().find(|part| part.stream == *stream);
        part.and_then(|part| part.title.as_deref())
            .unwrap_or(stream.as_str())
    }

    fn tell(&mut self, events: &HashMap<&str, &'a Event>) {
        let Some(subject) = self.subject else { return };
        let batch = |event: &Event| {
            let batches = &self.bundle.incident.correlations;
            let id = event.correlation_id.as_ref();
            let batch = batches.iter().find(|own| Some(&own.correlation_id) == id);
            batch.map(in_words)
        };
        let title = self.title(&subject.stream);
        let mut answer = vec![sentence::of_event(
            subject,
            Some(title),
            batch(subject),
            &utc,
        )];
        let mut effect = subject;
        for cause in &self.bundle.incident.causes {
            if cause.kind != CauseKind::Event {
                continue;
            }
            if let Some(event) = events.get(cause.id.as_str()) {
                answer.push(sentence::because(event, effect, batch(event), &utc));
                effect = event;
            }
        }
        self.answer = answer;
    }

    fn rows(&mut self) {
        let bundle = self.bundle;
        let incident = &bundle.incident;
        let chain: HashSet<&str> = incident
            .causes
            .iter()
            .chain(&incident.effects)
            .map(|node| node.id.as_str())
            .collect();
        let batches: HashSet<&str> = incident
            .correlations
            .iter()
            .map(|batch| batch.correlation_id.as_str())
            .collect();
        let of_batch = |id: Option<&str>| id.is_some_and(|id| batches.contains(id));
        let own = self.own.map(|own| &own.stream);
        let subject = incident.subject.as_deref();
        let mut rows = Vec::new();
        for event in &bundle.events {
            let in_chain = chain.contains(event.event_id.as_str());
            let is_subject = subject == Some(event.event_id.as_str());
            if !(in_chain
                || is_subject
                || own == Some(&event.stream)
                || incident.asked.stream.as_ref() == Some(&event.stream)
                || of_batch(event.correlation_id.as_deref()))
            {
                continue;
            }
            let mut changes = incident.changes.iter();
            let change = changes.find(|change| change.event_id == event.event_id);
            rows.push(Row {
                at: event.recorded_at,
                stream: &event.stream,
                revision: Some(event.revision.0),
                sentence: sentence::of_event(event, Some(self.title(&event.stream)), None, &utc),
                is_subject,
                in_chain,
                diff: change.map_or(&[], |change| &change.diff),
                order: (event.position.0, 0),
            });
        }
        for decision in &bundle.decisions {
            let is_refused = matches!(decision.result, Outcome::Rejected { .. });
            if is_refused
                && (own == Some(&decision.stream)
                    || chain.contains(decision.command_id.as_str())
                    || of_batch(decision.correlation_id.as_deref()))
            {
                rows.push(refused(decision));
            }
        }
        // As it was logged; clocks may go back.
        rows.sort_by_key(|row| row.order);
        self.rows_cut = rows.len().saturating_sub(ROWS_MAX);
        if self.rows_cut > 0 {
            let mut room = ROWS_MAX;
            rows.retain(|row| {
                let keeps = row.is_subject || row.in_chain || room > 0;
                room = room.saturating_sub(usize::from(keeps));
                keeps
            });
        }
        self.timeline = rows;
    }

    /// Streams besides the subject's.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a StreamPart> {
        let own = self.own.map(|own| &own.stream);
        let parts = self.bundle.incident.streams.iter();
        parts.filter(move |part| Some(&part.stream) != own)
    }

    /// What the file leaves out of the log, then what of the incident.
    pub(super) fn left_out(&self) -> Vec<String> {
        let (log, has) = (&self.bundle.incident.log, self.bundle);
        let events = log.position.0.saturating_sub(has.events.len() as u64);
        let decisions = log.decision.saturating_sub(has.decisions.len() as u64);
        let mut lines = vec![format!(
            "{} of the {} in the log, and {} of the {}: in streams that the incident did not touch, or listed below",
            number(events),
            counted(log.position.0, "event"),
            number(decisions),
            counted(log.decision, "decision")
        )];
        lines.push("every secret: it is shown as [redacted]".to_owned());
        if self.rows_cut > 0 {
            lines.push(format!(
                "{} of the timeline; the events are in the incident file",
                counted(self.rows_cut, "row")
            ));
        }
        let more = has.incident.left_out.iter();
        lines.extend(more.map(|left| format!("{} {}", left.count, safe(&left.what))));
        lines
    }
}

fn refused(decision: &Decision) -> Row<'_> {
    Row {
        at: decision.decided_at,
        stream: &decision.stream,
        revision: None,
        sentence: sentence::of_decision(decision, &utc),
        is_subject: false,
        in_chain: false,
        diff: &[],
        order: (decision.base_position.0, decision.sequence),
    }
}

fn in_words(batch: &Batch) -> sentence::Batch {
    sentence::Batch {
        streams: batch.streams.len() as u64,
        more: batch.more,
    }
}
