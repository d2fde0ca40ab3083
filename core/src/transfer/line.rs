//! One line of our own export.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::branch::Branch;
use crate::bundle::{Incident, ScenarioText};
use crate::command::Decision;
use crate::event::{Event, NewEvent};
use crate::ids::{Position, Revision, StreamName};
use crate::json::{Json, Unfit, is_compact, pointer_token, without_values};
use crate::note::Note;
use crate::shown::Shown;
use crate::time::{TimeError, Timestamp};

/// What a line holds.
#[derive(Debug)]
pub enum Line {
    /// What the file says of itself, before everything else.
    Header(ExportHeader),
    /// An event.
    Event(Box<EventLine>),
    /// A decision.
    Decision(Box<DecisionLine>),
    /// A note.
    Note(Box<Note>),
    /// What an incident file has beside records of the log and notes.
    Part(Box<Part>),
    /// What the file says of itself, after everything else.
    End(ExportEnd),
}

/// What an incident file has beside records of the log and notes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What happened, as the daemon that wrote the file tells it.
    Incident(Box<Incident>),
    /// A branch, as it is kept in the log that the file is of.
    Branch(Box<Branch>),
    /// A scenario.
    Scenario(ScenarioText),
}

/// What an export says of itself in its first line. A file without one is not an export, or has lost its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// Whether secrets were taken out.
    pub redacted: bool,
    /// How many events follow, if that was known beforehand.
    pub events: Option<u64>,
    /// How many decisions follow, if that was known beforehand.
    pub decisions: Option<u64>,
    /// The store that it is of, as `GET /v1/health` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_id: Option<String>,
    /// How many notes follow, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<u64>,
    /// What part of the log it is, where it is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<PartialExport>,
    /// That it is an incident file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleHeader>,
}

/// What an incident file says of itself in its first line, beside what an export says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleHeader {
    /// Format of the file.
    pub format: u32,
    /// How many lines it has beside events, decisions and notes.
    pub parts: u64,
}

/// What an export of a part of a log says of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartialExport {
    /// The query line that its events match.
    pub query: String,
    /// How many events the log had, of which these are some.
    pub of_events: u64,
    /// How many decisions the log had. An export of a part has none of them: it could not tell where they belong. An incident file has
    /// those of its streams.
    pub of_decisions: u64,
}

/// What an export says of itself in its last line. An export without one was cut short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportEnd {
    /// How many events stand before it.
    pub events: u64,
    /// How many decisions stand before it.
    pub decisions: u64,
    /// SHA-256 of the lines before it, each with `\n` at its end, in hexadecimal.
    pub sha256: String,
    /// The head's hash of the log, in hexadecimal, where all of it stands before it, secrets too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_hash: Option<String>,
    /// How many notes stand before it.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub notes: u64,
    /// Notes of the store that are left out because their lines are damaged.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub notes_unreadable: u64,
    /// Events that are left out because the query line says neither yes nor no of them.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub undecided: u64,
    /// How many other lines of an incident file stand before it.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub parts: u64,
}

impl ExportHeader {
    /// How many records follow, if that was known beforehand.
    pub fn records(&self) -> Option<u64> {
        let parts = self.bundle.map_or(0, |bundle| bundle.parts);
        Some(self.events? + self.decisions? + self.notes.unwrap_or(0) + parts)
    }
}

impl ExportEnd {
    /// How many records stand before it.
    pub fn records(&self) -> u64 {
        self.events + self.decisions + self.notes + self.parts
    }
}

/// An event as it was exported. What a log assigns may be absent.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object with an event or a decision"
)]
pub struct EventLine {
    /// Its stream.
    pub stream: StreamName,
    event_type: String,
    data: Json,
    /// Its position in the log it came from.
    #[serde(default)]
    pub position: Option<Position>,
    /// Its revision in the log it came from.
    #[serde(default)]
    pub revision: Option<Revision>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    recorded_at: Option<SourceTime>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    causation_id: Option<String>,
    #[serde(default)]
    metadata: Option<Json>,
    /// JSON Pointers of values that were redacted on export.
    #[serde(default)]
    pub redacted: Vec<String>,
}

/// An event's line whose text was checked as a whole and has no white space between its tokens: its payloads are taken as they stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompactLine<'a> {
    stream: StreamName,
    event_type: String,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    position: Option<Position>,
    #[serde(default)]
    revision: Option<Revision>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    recorded_at: Option<SourceTime>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    causation_id: Option<String>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(default)]
    redacted: Vec<String>,
}

impl From<CompactLine<'_>> for EventLine {
    fn from(line: CompactLine<'_>) -> Self {
        Self {
            stream: line.stream,
            event_type: line.event_type,
            data: Json::from_stored(line.data.get()),
            position: line.position,
            revision: line.revision,
            event_id: line.event_id,
            schema_version: line.schema_version,
            recorded_at: line.recorded_at,
            actor: line.actor,
            reason: line.reason,
            correlation_id: line.correlation_id,
            causation_id: line.causation_id,
            metadata: line.metadata.map(|json| Json::from_stored(json.get())),
            redacted: line.redacted,
        }
    }
}

/// When an event was recorded, as its line says it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct SourceTime {
    at: Timestamp,
    /// The text, where it is finer than a timestamp.
    full: Option<String>,
}

impl TryFrom<String> for SourceTime {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        Ok(Self {
            at: text.parse()?,
            full: Timestamp::leaves_digits_of(&text).then_some(text),
        })
    }
}

impl EventLine {
    /// The time as the line says it, where that is finer than a timestamp.
    pub fn full_time(&self) -> Option<&str> {
        self.recorded_at.as_ref()?.full.as_deref()
    }

    /// The event as it was recorded, where the line says all of it.
    pub fn recorded(self) -> Option<Event> {
        Some(Event {
            position: self.position?,
            revision: self.revision?,
            event_id: self.event_id?,
            schema_version: self.schema_version?,
            recorded_at: self.recorded_at?.at,
            stream: self.stream,
            event_type: self.event_type,
            actor: self.actor,
            reason: self.reason,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            data: self.data,
            metadata: self.metadata,
        })
    }

    /// The event on its way into another log.
    pub fn into_event(self) -> NewEvent {
        NewEvent {
            event_type: self.event_type,
            data: self.data,
            schema_version: self.schema_version,
            event_id: self.event_id,
            recorded_at: self.recorded_at.map(|time| time.at),
            actor: self.actor,
            reason: self.reason,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            metadata: self.metadata,
        }
    }
}

/// A decision as it was exported.
#[derive(Debug)]
pub struct DecisionLine {
    /// The decision.
    pub decision: Decision,
    /// Which events tell its place; `None` in exports of versions that did not write it.
    pub ids: Option<DecisionIds>,
    /// JSON Pointers of values that were redacted on export.
    pub redacted: Vec<String>,
}

/// Which events tell where a decision stands. Ids are the same in every log; positions and revisions are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DecisionIds {
    /// Those it led to.
    Events {
        /// Their ids, in order.
        event_ids: Vec<String>,
    },
    /// It led to none: the last event of the log, and of its stream, when it was decided.
    After {
        /// Of the log; `null` when the log was empty.
        #[serde(deserialize_with = "Option::deserialize")]
        base_event_id: Option<String>,
        /// Of its stream; `null` when there was no stream.
        #[serde(deserialize_with = "Option::deserialize")]
        base_stream_event_id: Option<String>,
    },
}

/// Why a line is not a line of an export. The message never quotes a payload: it might hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not JSON at all.
    #[error("it is not JSON: {said}")]
    NotJson {
        /// What the parser says, with the column.
        said: String,
    },
    /// It is JSON that is taken nowhere, such as an object with a key twice.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A field is missing.
    #[error("`{pointer}` is required")]
    Missing {
        /// The field.
        pointer: String,
    },
    /// A field does not fit.
    #[error("{}{said}", place(pointer))]
    Misfit {
        /// The field; empty for the line as a whole.
        pointer: String,
        /// What is wrong with it.
        said: String,
    },
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() {
        String::new()
    } else {
        format!("`{pointer}`: ")
    }
}

/// Tells the lines of decisions and notes, and the first and last of an export, from an event's by their one key.
#[derive(Debug, Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    decision: Option<&'a RawValue>,
    #[serde(borrow)]
    export: Option<&'a RawValue>,
    #[serde(borrow)]
    export_end: Option<&'a RawValue>,
    #[serde(borrow)]
    note: Option<&'a RawValue>,
    incident: Option<IgnoredAny>,
    branch: Option<IgnoredAny>,
    scenario: Option<IgnoredAny>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteLine<N> {
    note: N,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    export: ExportHeader,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    export_end: ExportEnd,
}

/// What an export says beside a decision: which of its values were taken out.
#[derive(Debug, Deserialize)]
struct Marks {
    #[serde(default)]
    redacted: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Wrapped {
    decision: Decision,
}

impl Line {
    /// Reads a line.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        if let Ok(text) = std::str::from_utf8(line) {
            let compact = is_compact(text)?;
            // Most lines are events. What is wrong with one that is not is found below.
            let event = if !text.starts_with('{') {
                None
            } else if compact {
                let line = serde_json::from_str::<CompactLine<'_>>(text);
                line.ok().map(EventLine::from)
            } else {
                serde_json::from_str(text).ok()
            };
            if let Some(event) = event {
                return Ok(Self::Event(Box::new(event)));
            }
        }
        // A list would be read as a struct's fields in their order.
        if line.trim_ascii_start().starts_with(b"[") {
            return Err(LineError::Misfit {
                pointer: String::new(),
                said: "must be a JSON object with an event or a decision, not a list".to_owned(),
            });
        }
        let inner = match serde_json::from_slice(line) {
            Ok(Probe {
                decision: Some(inner),
                ..
            }) => inner,
            Ok(probe) => return Self::of_no_decision(line, &probe),
            Err(_) => return parse(line).map(|event| Self::Event(Box::new(event))),
        };
        let Wrapped { decision } = parse(line)?;
        // Apart from the decision itself, whose payload must stay the tokens it is.
        let ids = serde_json::from_str(inner.get()).ok();
        let Marks { redacted } = parse(inner.get().as_bytes())?;
        Ok(Self::Decision(Box::new(DecisionLine {
            decision,
            ids,
            redacted,
        })))
    }

    /// Reads a line that has no decision, by what else it has.
    fn of_no_decision(line: &[u8], probe: &Probe<'_>) -> Result<Self, LineError> {
        let no_list = |inner: &RawValue, said: &str| {
            if inner.get().starts_with('[') {
                return Err(LineError::Misfit {
                    pointer: String::new(),
                    said: said.to_owned(),
                });
            }
            Ok(())
        };
        if let Some(inner) = probe.export.or(probe.export_end) {
            no_list(
                inner,
                "the header of an export must be a JSON object, not a list",
            )?;
        }
        if probe.export.is_some() {
            return parse(line).map(|HeaderLine { export }| Self::Header(export));
        }
        if probe.export_end.is_some() {
            return parse(line).map(|EndLine { export_end }| Self::End(export_end));
        }
        if let Some(inner) = probe.note {
            no_list(inner, "a note must be a JSON object, not a list")?;
            return parse(line).map(|NoteLine { note }| Self::Note(Box::new(note)));
        }
        let part = [probe.incident, probe.branch, probe.scenario];
        if part.iter().any(Option::is_some) {
            return parse(line).map(|part| Self::Part(Box::new(part)));
        }
        parse(line).map(|event| Self::Event(Box::new(event)))
    }
}

#[derive(Serialize)]
struct Outer<'a> {
    decision: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    #[serde(flatten)]
    decision: &'a Shown<Decision>,
    #[serde(flatten)]
    ids: &'a DecisionIds,
}

/// The first line of an export, without its end.
pub fn header_line(out: &mut Vec<u8>, export: ExportHeader) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, &HeaderLine { export })
}

/// The line of a note, without its end.
pub fn note_line(out: &mut Vec<u8>, note: &Note) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, &NoteLine { note })
}

/// The line of a part of an incident file, without its end.
pub fn part_line(out: &mut Vec<u8>, part: &Part) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, part)
}

/// The last line of an export, without its end.
pub fn end_line(out: &mut Vec<u8>, export_end: ExportEnd) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, &EndLine { export_end })
}

/// The line of a decision, without its end.
pub fn decision_line(
    out: &mut Vec<u8>,
    decision: &Shown<Decision>,
    ids: &DecisionIds,
) -> Result<(), serde_json::Error> {
    let decision = Inner { decision, ids };
    serde_json::to_writer(out, &Outer { decision })
}

/// Reads JSON, or says where and why it does not fit.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, LineError> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut text)
        .map_err(|error| misfit(&pointer(error.path()), error.inner()))?;
    text.end().map_err(|error| misfit("", &error))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", pointer_token(key)),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

fn misfit(pointer: &str, error: &serde_json::Error) -> LineError {
    let full = error.to_string();
    let at = format!(" at line {} column {}", error.line(), error.column());
    let said = full.strip_suffix(&at).unwrap_or(&full);
    if !error.is_data() {
        let said = format!("{said} at column {}", error.column());
        return LineError::NotJson { said };
    }
    if let Some(name) = said
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'))
    {
        let pointer = format!("{pointer}/{}", pointer_token(name));
        return LineError::Missing { pointer };
    }
    let number = ["invalid type: integer", "invalid type: floating point"];
    let said = if pointer == "/recorded_at" && number.iter().any(|kind| said.starts_with(kind)) {
        "a number may be seconds, milliseconds or less; write a time like `2025-03-24T15:47:23Z`"
            .to_owned()
    } else if said.starts_with("invalid ") {
        without_values(said)
    } else {
        said.to_owned()
    };
    LineError::Misfit {
        pointer: pointer.to_owned(),
        said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Models;
    use crate::shown::Reveal;

    #[test]
    fn what_is_wrong_with_a_line_is_told_without_its_values() {
        let event = r#"{"stream":"a-1","event_type":"T","data":{}"#;
        for (line, expected) in [
            (
                format!("[{event}}}]"),
                "must be a JSON object with an event or a decision, not a list",
            ),
            (
                format!(r#"{event},"recorded_at":1742831243}}"#),
                "`/recorded_at`: a number may be seconds",
            ),
            (
                format!(r#"{event},"event_id":42}}"#),
                "`/event_id`: must be a string, not an integer",
            ),
            (
                format!(r#"{event},"colour":"red"}}"#),
                "`/colour`: unknown field",
            ),
            (
                r#"{"export":[false,1,0]}"#.to_owned(),
                "the header of an export must be a JSON object",
            ),
            (event.to_owned(), "it is not JSON: EOF"),
            (
                r#"{"stream":"a-1"}"#.to_owned(),
                "`/event_type` is required",
            ),
            (
                r#"{"export":{"redacted":true,"hunter2":1}}"#.to_owned(),
                "`/export/hunter2`: unknown field",
            ),
        ] {
            let said = Line::parse(line.as_bytes()).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{line}: {said}");
        }
    }

    #[test]
    fn an_event_is_read_the_same_whether_its_line_is_compact_or_not() {
        let text = r#"{ "stream" : "a-1", "event_type":"T",
            "data": { "n" : 1.50, "s":"a \u00e9 \" b", "list":[ 1e3 , null ] }, "metadata":null, "revision": 3, "actor":"x y",
            "recorded_at":"2025-01-01T00:00:00.1234567Z", "redacted":["/data/n"] }"#;
        let compact: String = text.lines().map(str::trim_start).collect();
        let mut found = Vec::new();
        for line in [text, compact.as_str()] {
            let Line::Event(event) = Line::parse(line.as_bytes()).unwrap() else {
                panic!("{line}");
            };
            let slow: EventLine = parse(line.as_bytes()).unwrap();
            assert_eq!(format!("{event:?}"), format!("{slow:?}"));
            found.push(event.into_event());
        }
        assert_eq!(found[0], found[1]);
        // White space is dropped of what is JSON with it, never of what becomes JSON without it.
        for wrong in [
            r#"{"stream":"a-1","event_type":"T","data":{"n":1 2}}"#,
            r#"{"stream":"a-1","event_type":"T","data":tr ue}"#,
            r#"{"stream":"a-1","event_type":"T","data":{}}}"#,
        ] {
            assert!(Line::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let data = r#"{"n":1.50,"s":"a \u00e9 \" b","list":[1e3,null]}"#;
        assert_eq!((found[0].data.as_str(), &found[0].metadata), (data, &None));
    }

    #[test]
    fn a_decision_names_its_events_or_says_nothing_of_them() {
        let of = |more: &str| {
            let line = format!(
                r#"{{"decision":{{"sequence":1,"command_id":"c","stream":"a-1","command_type":"T","payload":{{"n":1.0}},
                "actor":null,"reason":null,"correlation_id":null,"causation_id":null,"base_revision":0,"base_position":0,
                "rules_hash":"h","decided_at":"2025-01-01T00:00:00Z","outcome":"rejected","rule":"r","message":"m"{more}}}}}"#
            );
            match Line::parse(line.replace('\n', "").as_bytes()).unwrap() {
                Line::Decision(line) => *line,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of("").ids, None);
        let after = of(r#","base_event_id":"e","base_stream_event_id":null"#);
        let ids = DecisionIds::After {
            base_event_id: Some("e".to_owned()),
            base_stream_event_id: None,
        };
        assert_eq!(after.ids.as_ref(), Some(&ids));
        let mut line = Vec::new();
        let shown = Reveal::NO.show(&Models::default(), after.decision.clone());
        decision_line(&mut line, &shown, &ids).unwrap();
        let Line::Decision(again) = Line::parse(&line).unwrap() else {
            panic!("{}", String::from_utf8_lossy(&line));
        };
        assert_eq!((again.decision, again.ids), (after.decision, after.ids));
    }
}
