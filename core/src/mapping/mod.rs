//! Mappings: how records of another system become events.
//!
//! Owns the rules of a mapping file (TOML): which records a rule takes, and what it makes of them. The first rule whose
//! conditions hold takes a record. `docs/MAPPING.md` is the manual. Never reads a file or a clock, and never guesses:
//! what a record does not say is left out, and what an event cannot be without is an error that names the rule.

mod condition;
mod parse;
mod shape;
mod template;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::event::NewEvent;
use crate::ids::{StreamName, check_id};
use crate::json::Json;
use crate::time::Timestamp;

use condition::Condition;
use shape::Shape;
use template::Template;

/// Largest mapping file, in bytes.
pub const MAPPING_BYTES_MAX: usize = 1024 * 1024;
/// Most rules a mapping may have.
pub const RULES_MAX: usize = 1000;

/// A mapping file's rules, in their order.
#[derive(Debug, Clone)]
pub struct Mapping {
    rules: Vec<Rule>,
}

/// What is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{message}", field_prefix(field))]
pub struct MappingError {
    /// The line, from 1.
    pub line: usize,
    /// The field, such as `rule "deleted users" / stream`; empty when the text is not TOML.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

fn field_prefix(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("{field}: ")
    }
}

/// What a rule made of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The stream the event belongs to.
    pub stream: StreamName,
    /// The event.
    pub event: NewEvent,
    /// Which rule took the record: its index in [`Mapping::rules`].
    pub rule: usize,
}

#[derive(Debug, Clone)]
struct Rule {
    name: String,
    when: Vec<Condition>,
    /// `None`: what this rule takes is skipped.
    build: Option<Build>,
}

/// How a rule makes an event.
#[derive(Debug, Clone)]
struct Build {
    stream: Template,
    event_type: Template,
    id: Option<Template>,
    time: Option<Template>,
    actor: Option<Template>,
    reason: Option<Template>,
    correlation: Option<Template>,
    causation: Option<Template>,
    data: Shape,
    metadata: Option<Shape>,
}

impl Mapping {
    /// Reads a mapping file.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        parse::mapping(text)
    }

    /// The rules' names, in their order.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// Makes an event of a record; `None` when no rule takes it, or one that says to skip it.
    ///
    /// The error says why the rule that took the record could not make an event of it.
    pub fn apply(&self, record: &Value) -> Result<Option<Mapped>, String> {
        let Some((index, rule)) = self
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.when.iter().all(|condition| condition.holds(record)))
        else {
            return Ok(None);
        };
        let Some(build) = &rule.build else {
            return Ok(None);
        };
        match build.event(record) {
            Ok((stream, event)) => Ok(Some(Mapped {
                stream,
                event,
                rule: index,
            })),
            Err(error) => Err(format!("rule \"{}\": {error}", rule.name)),
        }
    }
}

impl Build {
    fn event(&self, record: &Value) -> Result<(StreamName, NewEvent), String> {
        let name = required(&self.stream, "stream", record)?;
        let stream = StreamName::new(name.as_str())
            .map_err(|error| format!("`stream` is `{name}`, which {error}"))?;
        let event_type = required(&self.event_type, "type", record)?;
        let recorded_at = match text(self.time.as_ref(), "time", record)? {
            None => None,
            Some(time) => Some(
                time.parse::<Timestamp>()
                    .map_err(|error| format!("`time`: {error}"))?,
            ),
        };
        let event = NewEvent {
            event_type,
            data: object(&self.data, record),
            schema_version: None,
            event_id: id(self.id.as_ref(), "id", record)?,
            recorded_at,
            actor: text(self.actor.as_ref(), "actor", record)?,
            reason: text(self.reason.as_ref(), "reason", record)?,
            correlation_id: id(self.correlation.as_ref(), "correlation", record)?,
            causation_id: id(self.causation.as_ref(), "causation", record)?,
            metadata: self
                .metadata
                .as_ref()
                .map(|shape| object(shape, record))
                .filter(|metadata| metadata.as_str() != "{}"),
        };
        Ok((stream, event))
    }
}

fn required(template: &Template, field: &str, record: &Value) -> Result<String, String> {
    text(Some(template), field, record)?.ok_or_else(|| {
        format!(
            "`{field}` has no value: the record has nothing at {}",
            template.pointers().join(" or ")
        )
    })
}

fn text(
    template: Option<&Template>,
    field: &str,
    record: &Value,
) -> Result<Option<String>, String> {
    let Some(template) = template else {
        return Ok(None);
    };
    let text = template.text(record);
    match text {
        Some(text) if text.is_empty() => Err(format!("`{field}` is empty")),
        text => Ok(text),
    }
}

fn id(template: Option<&Template>, field: &str, record: &Value) -> Result<Option<String>, String> {
    let text = text(template, field, record)?;
    if let Some(text) = &text {
        check_id(text).map_err(|error| format!("`{field}` {error}"))?;
    }
    Ok(text)
}

fn object(shape: &Shape, record: &Value) -> Json {
    match shape.value(record) {
        Some(value @ Value::Object(_)) => Json::from(&value),
        // A table is a table, so this is one of which nothing was left.
        _ => Json::empty_object(),
    }
}
