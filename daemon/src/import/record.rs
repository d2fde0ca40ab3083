//! Parsed import lines: an event, a decision, a note, or a record read through a mapping.
//!
//! Anything wrong with one is a reason in words; it never quotes a payload of ours.

use whodunit_core::command::Decision;
use whodunit_core::event::{EventView, IdText, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName, check_id};
use whodunit_core::json::Json;
use whodunit_core::mapping::{Applied, Mapping, Unused, record};
use whodunit_core::model::Models;
use whodunit_core::note::Note;
use whodunit_core::transfer::{DecisionLine, ExportEnd, ExportHeader, Line};

/// A line's content.
#[derive(Debug)]
pub(super) enum Record {
    Event(Box<EventRecord>),
    Decision(Box<DecisionLine>),
    Note(Box<Note>),
    /// What the file says of itself, first.
    Header(ExportHeader),
    /// What the file says of itself, last.
    End(ExportEnd),
    /// What an incident file has beside records: nothing for a log.
    Part,
    /// It makes nothing: no rule of the mapping takes it (`None`), or this one says to skip it.
    Skipped(Option<usize>),
}

impl Record {
    /// Whether values of it were redacted on export.
    pub(super) fn is_redacted(&self) -> bool {
        match self {
            Self::Event(event) => !event.redacted.is_empty(),
            Self::Decision(line) => !line.redacted.is_empty(),
            Self::Note(_) | Self::Header(_) | Self::End(_) | Self::Part | Self::Skipped(_) => false,
        }
    }
}

/// A record that cannot be imported.
#[derive(Debug)]
pub(super) struct BadRecord {
    /// The rule of the mapping that took it.
    pub(super) rule: Option<usize>,
    pub(super) reason: String,
}

impl From<String> for BadRecord {
    fn from(reason: String) -> Self {
        Self { rule: None, reason }
    }
}

/// An event on its way in.
#[derive(Debug, Clone)]
pub(super) struct EventRecord {
    pub(super) stream: StreamName,
    pub(super) event: NewEvent,
    pub(super) position: Option<Position>,
    pub(super) revision: Option<Revision>,
    /// The rule of the mapping that made it.
    pub(super) rule: Option<usize>,
    /// Elements of lists that the rule leaves out: which list of the rule's, and how many.
    pub(super) dropped: Vec<(usize, usize)>,
    /// The time as the line or record says it, where that is finer than a timestamp.
    pub(super) full_time: Option<String>,
    /// Fields of the record that the rule does not use.
    pub(super) unused: Unused,
    /// JSON Pointers of values that were redacted on export.
    pub(super) redacted: Vec<String>,
}

impl EventRecord {
    /// The event as it was recorded, where the line says all of it.
    pub(super) fn recorded(&self) -> Option<EventView<'_>> {
        let event = &self.event;
        if !self.redacted.is_empty() {
            return None;
        }
        Some(EventView {
            position: self.position?,
            stream: &self.stream,
            revision: self.revision?,
            event_id: IdText::Text(event.event_id.as_deref()?),
            event_type: &event.event_type,
            schema_version: event.schema_version?,
            recorded_at: event.recorded_at?,
            actor: event.actor.as_deref(),
            reason: event.reason.as_deref(),
            correlation_id: event.correlation_id.as_deref().map(IdText::Text),
            causation_id: event.causation_id.as_deref().map(IdText::Text),
            data: event.data.as_str(),
            metadata: event.metadata.as_ref().map(Json::as_str),
        })
    }
}

/// Reads a line of our own export.
pub(super) fn export_line(line: &[u8], models: &Models) -> Result<Record, BadRecord> {
    match Line::parse(line).map_err(|error| error.to_string())? {
        Line::Header(header) => Ok(Record::Header(header)),
        Line::End(end) => Ok(Record::End(end)),
        Line::Part(_) => Ok(Record::Part),
        Line::Note(note) => {
            note.check().map_err(|bad| format!("the note: {bad}"))?;
            Ok(Record::Note(note))
        }
        Line::Decision(line) => {
            check_decision(&line.decision, models)?;
            Ok(Record::Decision(line))
        }
        Line::Event(line) => {
            for (field, index) in [
                ("revision", line.revision.map(|revision| revision.0)),
                ("position", line.position.map(|position| position.0)),
            ] {
                if index == Some(0) {
                    return Err(format!("`/{field}` must be 1 or more").into());
                }
            }
            Ok(Record::Event(Box::new(EventRecord {
                stream: line.stream.clone(),
                position: line.position,
                revision: line.revision,
                rule: None,
                dropped: Vec::new(),
                full_time: line.full_time().map(str::to_owned),
                unused: Unused::default(),
                redacted: line.redacted.clone(),
                event: line.into_event(),
            })))
        }
    }
}

/// Reads a line of another system.
pub(super) fn mapped(line: &[u8], mapping: &Mapping) -> Result<Record, BadRecord> {
    let record = record(line).map_err(|error| error.to_string())?;
    match mapping.apply(&record) {
        Ok(Applied::Unmatched) => Ok(Record::Skipped(None)),
        Ok(Applied::Skipped(rule)) => Ok(Record::Skipped(Some(rule))),
        Ok(Applied::Mapped(mapped)) => Ok(Record::Event(Box::new(EventRecord {
            stream: mapped.stream,
            event: mapped.event,
            position: None,
            revision: None,
            rule: Some(mapped.rule),
            dropped: mapped.dropped,
            full_time: mapped.full_time,
            unused: mapped.unused,
            redacted: Vec::new(),
        }))),
        Err(error) => Err(BadRecord {
            rule: Some(error.rule),
            reason: error.to_string(),
        }),
    }
}

fn check_decision(decision: &Decision, models: &Models) -> Result<(), String> {
    check_id(&decision.command_id).map_err(|error| format!("`/decision/command_id` {error}"))?;
    check_id(&decision.command_type)
        .map_err(|error| format!("`/decision/command_type` {error}"))?;
    let payload = decision.payload.to_value();
    if !payload.is_object() {
        return Err("`/decision/payload` must be a JSON object".to_owned());
    }
    match models
        .for_stream(&decision.stream)
        .plaintext_field(&payload)
    {
        Some(field) => Err(format!(
            "`/decision/payload{field}` would put a plaintext secret into the log"
        )),
        None => Ok(()),
    }
}
