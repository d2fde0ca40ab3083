//! An event whose texts stand elsewhere: in a block of the store, or in an [`Event`].
//!
//! Owns how it is written as JSON without a tree or a copy of its texts: to the letter as an [`Event`] is.

use std::io::Write as _;

use crate::event::Event;
use crate::ids::{Position, Revision, StreamName};
use crate::json::Json;
use crate::time::Timestamp;

/// An event, borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView<'a> {
    /// Its position.
    pub position: Position,
    /// Its stream.
    pub stream: &'a StreamName,
    /// Its revision.
    pub revision: Revision,
    /// Its id.
    pub event_id: IdText<'a>,
    /// Its type.
    pub event_type: &'a str,
    /// Version of its payload's shape.
    pub schema_version: u32,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its actor.
    pub actor: Option<&'a str>,
    /// Its reason.
    pub reason: Option<&'a str>,
    /// Its correlation id.
    pub correlation_id: Option<IdText<'a>>,
    /// Its causation id.
    pub causation_id: Option<IdText<'a>>,
    /// Its payload: JSON, as [`Json::as_str`] gave it.
    pub data: &'a str,
    /// Its metadata, likewise.
    pub metadata: Option<&'a str>,
}

/// An id: a text, or a UUID that is kept as its bytes.
#[derive(Debug, Clone, Copy)]
pub enum IdText<'a> {
    /// A text.
    Text(&'a str),
    /// A UUID in its usual spelling: lower case, with hyphens.
    Uuid([u8; 36]),
}

impl IdText<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            // Digits and hyphens.
            Self::Uuid(spelt) => std::str::from_utf8(spelt).unwrap_or_default(),
        }
    }
}

impl PartialEq for IdText<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for IdText<'_> {}

impl<'a> From<&'a Event> for EventView<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            position: event.position,
            stream: &event.stream,
            revision: event.revision,
            event_id: IdText::Text(&event.event_id),
            event_type: &event.event_type,
            schema_version: event.schema_version,
            recorded_at: event.recorded_at,
            actor: event.actor.as_deref(),
            reason: event.reason.as_deref(),
            correlation_id: event.correlation_id.as_deref().map(IdText::Text),
            causation_id: event.causation_id.as_deref().map(IdText::Text),
            data: event.data.as_str(),
            metadata: event.metadata.as_ref().map(Json::as_str),
        }
    }
}

impl<'a> From<&EventView<'a>> for EventView<'a> {
    fn from(view: &EventView<'a>) -> Self {
        view.clone()
    }
}

impl EventView<'_> {
    /// The event, with texts of its own.
    pub fn to_event(&self) -> Event {
        let id = |id: &IdText<'_>| id.as_str().to_owned();
        Event {
            position: self.position,
            stream: self.stream.clone(),
            revision: self.revision,
            event_id: id(&self.event_id),
            event_type: self.event_type.to_owned(),
            schema_version: self.schema_version,
            recorded_at: self.recorded_at,
            actor: self.actor.map(str::to_owned),
            reason: self.reason.map(str::to_owned),
            correlation_id: self.correlation_id.as_ref().map(id),
            causation_id: self.causation_id.as_ref().map(id),
            data: Json::from_stored(self.data),
            metadata: self.metadata.map(Json::from_stored),
        }
    }

    /// Bytes of its payloads.
    pub fn payload_bytes(&self) -> usize {
        self.data.len() + self.metadata.map_or(0, str::len)
    }

    /// Writes it as JSON, secrets too: what may be shown is written by [`Reveal`](crate::shown::Reveal) alone.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(400 + self.payload_bytes());
        number(out, b"{\"position\":", self.position.0);
        text(out, b",\"stream\":", self.stream.as_str());
        number(out, b",\"revision\":", self.revision.0);
        text(out, b",\"event_id\":", self.event_id.as_str());
        text(out, b",\"event_type\":", self.event_type);
        number(out, b",\"schema_version\":", self.schema_version.into());
        out.extend_from_slice(b",\"recorded_at\":\"");
        self.recorded_at.write(out);
        out.push(b'"');
        optional(out, b",\"actor\":", self.actor);
        optional(out, b",\"reason\":", self.reason);
        let id = self.correlation_id.as_ref().map(IdText::as_str);
        optional(out, b",\"correlation_id\":", id);
        let id = self.causation_id.as_ref().map(IdText::as_str);
        optional(out, b",\"causation_id\":", id);
        raw(out, b",\"data\":", self.data);
        raw(out, b",\"metadata\":", self.metadata.unwrap_or("null"));
        out.push(b'}');
    }
}

fn number(out: &mut Vec<u8>, name: &[u8], number: u64) {
    out.extend_from_slice(name);
    // Writing to memory does not fail.
    let _ = write!(out, "{number}");
}

fn optional(out: &mut Vec<u8>, name: &[u8], value: Option<&str>) {
    match value {
        Some(value) => text(out, name, value),
        None => raw(out, name, "null"),
    }
}

fn raw(out: &mut Vec<u8>, name: &[u8], json: &str) {
    out.extend_from_slice(name);
    out.extend_from_slice(json.as_bytes());
}

fn text(out: &mut Vec<u8>, name: &[u8], text: &str) {
    out.extend_from_slice(name);
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing a text to memory does not fail.
        let _ = serde_json::to_writer(out, text);
    }
}
