//! What a line says: an event, a decision, or a record that a mapping knows how to read.
//!
//! Owns the shape of our own lines. Anything wrong with one is a reason in words; it never quotes a payload.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use whodunit_core::command::Decision;
use whodunit_core::event::NewEvent;
use whodunit_core::ids::{Position, Revision, StreamName, check_id};
use whodunit_core::json::Json;
use whodunit_core::mapping::Mapping;
use whodunit_core::model::Models;
use whodunit_core::time::Timestamp;

use crate::http::{ApiError, parse_json};

/// A line's content.
#[derive(Debug)]
pub(super) enum Record {
    Event(Box<EventRecord>),
    Decision(Box<Decision>),
    /// No rule of the mapping takes it.
    Skipped,
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
}

/// An event as our own export writes it. What the log assigns may be absent.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object with an event or a decision"
)]
struct EventLine {
    stream: StreamName,
    event_type: String,
    data: Json,
    #[serde(default)]
    position: Option<Position>,
    #[serde(default)]
    revision: Option<Revision>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    recorded_at: Option<Timestamp>,
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
    #[serde(default)]
    redacted: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct DecisionLine {
    decision: Decision,
}

/// What an export says beside a decision: which of its values were taken out.
#[derive(Debug, Deserialize)]
struct Marks {
    #[serde(default)]
    redacted: Vec<String>,
}

/// Tells a decision's line from an event's by its one key.
#[derive(Debug, Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    decision: Option<&'a RawValue>,
}

/// Reads a line of our own export.
pub(super) fn own(line: &[u8], models: &Models, allow_redacted: bool) -> Result<Record, String> {
    if let Ok(Probe {
        decision: Some(raw),
    }) = serde_json::from_slice(line)
    {
        let DecisionLine { decision } = parse_json(line).map_err(said)?;
        let Marks { redacted } = parse_json(raw.get().as_bytes()).map_err(said)?;
        check_redacted(&redacted, allow_redacted)?;
        check_decision(&decision, models)?;
        return Ok(Record::Decision(Box::new(decision)));
    }
    let line: EventLine = parse_json(line).map_err(said)?;
    check_redacted(&line.redacted, allow_redacted)?;
    Ok(Record::Event(Box::new(EventRecord {
        stream: line.stream,
        position: line.position,
        revision: line.revision,
        rule: None,
        event: NewEvent {
            event_type: line.event_type,
            data: line.data,
            schema_version: line.schema_version,
            event_id: line.event_id,
            recorded_at: line.recorded_at,
            actor: line.actor,
            reason: line.reason,
            correlation_id: line.correlation_id,
            causation_id: line.causation_id,
            metadata: line.metadata,
        },
    })))
}

/// Reads a line of another system.
pub(super) fn mapped(line: &[u8], mapping: &Mapping) -> Result<Record, String> {
    let record: Value = parse_json(line).map_err(said)?;
    Ok(match mapping.apply(&record)? {
        None => Record::Skipped,
        Some(mapped) => Record::Event(Box::new(EventRecord {
            stream: mapped.stream,
            event: mapped.event,
            position: None,
            revision: None,
            rule: Some(mapped.rule),
        })),
    })
}

/// A parser's words about a body, about a line.
fn said(error: ApiError) -> String {
    let detail = error.0.detail;
    let detail = detail.replace("the body is not JSON", "it is not JSON");
    detail.replace(" at line 1 column ", " at column ")
}

fn check_redacted(redacted: &[String], allowed: bool) -> Result<(), String> {
    if redacted.is_empty() || allowed {
        return Ok(());
    }
    let fields: Vec<_> = redacted.iter().map(|field| format!("`{field}`")).collect();
    Err(format!(
        "{} was redacted on export, so this is not what was recorded; export with `reveal=true`, or allow redacted records",
        fields.join(", ")
    ))
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
        .of(decision.stream.category())
        .plaintext_field(&payload)
    {
        Some(field) => Err(format!(
            "`/decision/payload{field}` would put a plaintext secret into the log"
        )),
        None => Ok(()),
    }
}
